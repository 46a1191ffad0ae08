//! Rows and columns, windows that slide over images, and the planes of numbers that they cover: the geometry of lesson
//! 09, on plain slices. Every lesson may use it; it is not a lesson. Not here: tensors, and what a learner writes.

use crate::random::Rng;
use crate::report::Picture;
use crate::simd::Kernel;

/// Rows and columns. A single number is a square: `3.into()` is 3x3.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pair {
    /// Down.
    pub rows: usize,
    /// Across.
    pub columns: usize,
}

impl Pair {
    /// How many pixels or positions that is.
    #[must_use]
    pub fn area(self) -> usize {
        self.rows * self.columns
    }

    /// Every position, row by row.
    pub fn positions(self) -> impl Iterator<Item = Self> {
        let Self { rows, columns } = self;
        (0..rows).flat_map(move |row| (0..columns).map(move |column| (row, column).into()))
    }
}

impl From<usize> for Pair {
    fn from(side: usize) -> Self {
        Self { rows: side, columns: side }
    }
}

impl From<(usize, usize)> for Pair {
    fn from((rows, columns): (usize, usize)) -> Self {
        Self { rows, columns }
    }
}

/// The window that slides over an image. `Window::new(3).stride(2).padding(1)` makes one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// Its size.
    pub kernel: Pair,
    /// How far it moves in one step.
    pub stride: Pair,
    /// How many rows and columns are added on each side of the image.
    pub padding: Pair,
}

impl Window {
    /// A window of this size that moves by one pixel, without padding.
    ///
    /// # Panics
    /// On a size of 0.
    #[must_use]
    pub fn new(kernel: impl Into<Pair>) -> Self {
        let kernel = kernel.into();
        assert!(kernel.area() > 0, "Window: got a size of 0, expected 1 or more rows and columns");
        Self { kernel, stride: 1.into(), padding: 0.into() }
    }

    /// A window of this size whose positions lie side by side: the stride is the size.
    ///
    /// # Panics
    /// On a size of 0.
    #[must_use]
    pub fn blocks(kernel: impl Into<Pair>) -> Self {
        let kernel = kernel.into();
        Self::new(kernel).stride(kernel)
    }

    /// Moves by this many pixels.
    ///
    /// # Panics
    /// On 0: the window would never move.
    #[must_use]
    pub fn stride(self, stride: impl Into<Pair>) -> Self {
        let stride = stride.into();
        assert!(stride.area() > 0, "Window: got a stride of 0, expected 1 or more");
        Self { stride, ..self }
    }

    /// Pads the image with this many rows and columns on each side.
    #[must_use]
    pub fn padding(self, padding: impl Into<Pair>) -> Self {
        Self { padding: padding.into(), ..self }
    }

    /// The same window, for the pooling layer of this name.
    ///
    /// # Panics
    /// When the padding is more than half of the window: a patch could consist of padding only.
    #[must_use]
    pub fn for_pooling(self, name: &str) -> Self {
        let Self { kernel, padding, .. } = self;
        assert!(
            padding.rows * 2 <= kernel.rows && padding.columns * 2 <= kernel.columns,
            "{name}: got padding {}x{} for a window of {}x{}, expected at most half of the window",
            padding.rows,
            padding.columns,
            kernel.rows,
            kernel.columns
        );
        self
    }
}

impl From<(usize, usize)> for Window {
    fn from(kernel: (usize, usize)) -> Self {
        Self::new(kernel)
    }
}

impl From<usize> for Window {
    fn from(side: usize) -> Self {
        Self::new(side)
    }
}

/// A window on images of one size: the geometry that convolution and pooling share. A *plane* is one channel of one
/// image. A *kernel position* is a row and a column inside the window; an *output position* is a row and a column of the
/// output. What the window covers at one output position is a *patch*.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Grid {
    /// The window.
    pub window: Window,
    /// The size of the image.
    pub image: Pair,
    /// The size of the padded image.
    pub padded: Pair,
    /// The size of the output.
    pub output: Pair,
}

impl Grid {
    /// The geometry of `window` on images of size `image`; `None` if the window does not fit. The number of output
    /// positions along one axis is `output_size(input, kernel, stride, padding)`.
    pub fn new(
        image: impl Into<Pair>,
        window: impl Into<Window>,
        output_size: impl Fn(usize, usize, usize, usize) -> Option<usize>,
    ) -> Option<Self> {
        let (image, window) = (image.into(), window.into());
        let Window { kernel, stride, padding } = window;
        let output = Pair {
            rows: output_size(image.rows, kernel.rows, stride.rows, padding.rows)?,
            columns: output_size(image.columns, kernel.columns, stride.columns, padding.columns)?,
        };
        let padded = Pair {
            rows: image.rows + 2 * padding.rows,
            columns: image.columns + 2 * padding.columns,
        };
        Some(Self { window, image, padded, output })
    }

    /// Every kernel position, row by row.
    pub fn kernel_positions(&self) -> impl Iterator<Item = Pair> + use<> {
        self.window.kernel.positions()
    }

    /// For each row of the output: the index, in a padded plane, of the pixel under `position` when the window is at the
    /// start of that row.
    pub fn row_starts(&self, position: Pair) -> impl Iterator<Item = usize> + use<> {
        let (width, step) = (self.padded.columns, self.window.stride.rows);
        (0..self.output.rows)
            .map(move |row| (row * step + position.rows) * width + position.columns)
    }

    /// For each output position: the index, in a padded plane, of the first pixel of its patch that is not padding.
    pub fn first_pixels(&self) -> impl Iterator<Item = usize> + use<> {
        let (Window { stride, padding, .. }, width) = (self.window, self.padded.columns);
        let row = move |row: usize| (row * stride.rows).max(padding.rows) * width;
        let column = move |column: usize| (column * stride.columns).max(padding.columns);
        self.output.positions().map(move |at| row(at.rows) + column(at.columns))
    }

    /// Every weight of one kernel: its index, the plane (of one padded image) that it applies to, and its kernel
    /// position.
    pub fn weights<'a>(&self, image: &'a [f32]) -> impl Iterator<Item = (usize, &'a [f32], Pair)> {
        let grid = *self;
        let planes = image.chunks_exact(self.padded.area());
        let each = planes
            .flat_map(move |plane| grid.kernel_positions().map(move |position| (plane, position)));
        each.enumerate().map(|(index, (plane, position))| (index, plane, position))
    }

    /// The patches of one padded image, a row for each output position: channel by channel, row by row.
    #[must_use]
    pub fn patches(&self, image: &[f32]) -> Vec<f32> {
        let planes = || image.chunks_exact(self.padded.area());
        let row = |at| planes().flat_map(move |plane| self.patch(plane, at));
        (0..self.output.area()).flat_map(row).collect()
    }

    /// The patch of a padded plane at one output position, counted row by row: its pixels, row by row.
    #[must_use]
    pub fn patch(&self, plane: &[f32], at: usize) -> Vec<f32> {
        let corner = self.corner(at);
        let pixel = |position: Pair| plane[self.under(corner, position)];
        self.kernel_positions().map(pixel).collect()
    }

    /// The upper left corner of the window at this output position.
    fn corner(&self, at: usize) -> Pair {
        let (step, columns) = (self.window.stride, self.output.columns);
        (at / columns * step.rows, at % columns * step.columns).into()
    }

    /// The index in a padded plane of the pixel under a kernel position.
    fn under(&self, corner: Pair, position: Pair) -> usize {
        (corner.rows + position.rows) * self.padded.columns + corner.columns + position.columns
    }

    /// The window on its way: a padded plane with the patch at this output position bright, and the feature map up to
    /// there.
    #[must_use]
    pub fn on_its_way(&self, title: &str, plane: &[f32], map: &[f32], at: usize) -> Picture {
        let largest = plane.iter().copied().fold(f32::MIN_POSITIVE, f32::max);
        let mut levels: Vec<f32> = plane.iter().map(|level| 0.4 * level / largest).collect();
        let corner = self.corner(at);
        for pixel in self.kernel_positions().map(|position| self.under(corner, position)) {
            levels[pixel] = 0.4 + 0.6 * plane[pixel] / largest;
        }
        let (low, high) = map.iter().fold((f32::MAX, f32::MIN), |(l, h), v| (l.min(*v), h.max(*v)));
        let level = |(index, value): (usize, &f32)| match index {
            index if index > at => 0.0,
            _ => 0.2 + 0.8 * (value - low) / (high - low).max(1e-6),
        };
        let map = map.iter().enumerate().map(level).collect();
        let map = Picture { title: String::new(), width: self.output.columns, pixels: map };
        let image = Picture { title: title.to_owned(), width: self.padded.columns, pixels: levels };
        image.beside(&map).enlarged(3)
    }

    /// Padded images of so many pixels, unfolded side by side: a row for each weight of a kernel, a column for each output
    /// position of each image.
    #[must_use]
    pub fn unfold(&self, padded: &[f32], image: usize) -> Vec<f32> {
        let images = padded.chunks_exact(image);
        let (width, step) = (self.output.columns, self.window.stride.columns);
        let (columns, positions) = (images.len() * self.output.area(), self.output.area());
        let weights = image / self.padded.area() * self.window.kernel.area();
        let mut unfolded = vec![0.0; weights * columns];
        for (number, image) in images.enumerate() {
            let rows = unfolded.chunks_exact_mut(columns);
            for (row, (_, plane, position)) in rows.zip(self.weights(image)) {
                let lines = row[number * positions..][..positions].chunks_exact_mut(width);
                for (line, start) in lines.zip(self.row_starts(position)) {
                    if step == 1 {
                        line.copy_from_slice(&plane[start..start + width]);
                    } else {
                        let pixels = plane[start..].iter().step_by(step);
                        line.iter_mut().zip(pixels).for_each(|(number, pixel)| *number = *pixel);
                    }
                }
            }
        }
        unfolded
    }

    /// Padded planes without their border.
    #[must_use]
    pub fn crop(&self, padded: &[f32]) -> Vec<f32> {
        let (top, left) = (self.window.padding.rows, self.window.padding.columns);
        let planes = padded.chunks_exact(self.padded.area());
        let mut cropped = Vec::with_capacity(planes.len() * self.image.area());
        for plane in planes {
            for row in plane.chunks_exact(self.padded.columns).skip(top).take(self.image.rows) {
                cropped.extend_from_slice(&row[left..left + self.image.columns]);
            }
        }
        cropped
    }

    /// The way back through a window that moves by one pixel: the gradient of the images is a convolution too, of the
    /// output's gradient, with each kernel turned by 180 degrees. `None` for a larger stride, and for padding that a
    /// kernel can lie in whole.
    #[must_use]
    pub fn backwards(&self) -> Option<Self> {
        let Window { kernel, stride, padding } = self.window;
        let is_dense = stride == 1.into();
        let padding = Pair {
            rows: (kernel.rows - 1).checked_sub(padding.rows).filter(|_| is_dense)?,
            columns: (kernel.columns - 1).checked_sub(padding.columns)?,
        };
        let padded = Pair {
            rows: self.output.rows + 2 * padding.rows,
            columns: self.output.columns + 2 * padding.columns,
        };
        let window = Window { kernel, stride, padding };
        Some(Self { window, image: self.output, padded, output: self.image })
    }
}

/// The largest pixel under the window at each output position of padded planes, and its index in its plane. Of equal pixels
/// the first one counts; a NaN is larger than everything.
///
/// Which pixel is the largest cannot be predicted. Compiled for any x86-64, the choice becomes a branch, and the loop takes
/// three times as long.
pub struct LargestPixels<'a> {
    /// The geometry.
    pub grid: &'a Grid,
    /// Padded planes.
    pub padded: &'a [f32],
}

impl Kernel for LargestPixels<'_> {
    type Output = (Vec<f32>, Vec<usize>);

    #[inline(always)]
    fn run<const ROWS: usize, const COLUMNS: usize, const FUSED: bool>(self) -> Self::Output {
        let Self { grid, padded } = self;
        // The places of a window's pixels are the same at each position, seen from its corner.
        let under: Vec<usize> =
            grid.kernel_positions().map(|at| grid.under((0, 0).into(), at)).collect();
        let corners = (0..grid.output.area()).map(|at| grid.under(grid.corner(at), (0, 0).into()));
        let starts: Vec<(usize, usize)> = corners.zip(grid.first_pixels()).collect();
        let planes = padded.chunks_exact(grid.padded.area());
        let size = planes.len() * starts.len();
        let (mut max, mut indices) = (Vec::with_capacity(size), Vec::with_capacity(size));
        for plane in planes {
            for &(corner, first) in &starts {
                let (mut largest, mut index) = (f32::NEG_INFINITY, first);
                for at in under.iter().map(|under| corner + under) {
                    let is_larger = plane[at] > largest || plane[at].is_nan();
                    largest = if is_larger { plane[at] } else { largest };
                    index = if is_larger { at } else { index };
                }
                max.push(largest);
                indices.push(index);
            }
        }
        (max, indices)
    }
}

/// The kernels for [`Grid::backwards`], each part of `area` weights: one kernel for each of the input channels, its parts
/// turned by 180 degrees.
#[must_use]
pub fn turned(weights: &[f32], area: usize, inputs: usize) -> Vec<f32> {
    let mut turned = Vec::with_capacity(weights.len());
    for input in 0..inputs {
        for part in weights.chunks_exact(area).skip(input).step_by(inputs) {
            turned.extend(part.iter().rev());
        }
    }
    turned
}

/// The planes of images, (N, planes, area), side by side: (planes, N x area).
#[must_use]
pub fn side_by_side(images: &[f32], planes: usize, area: usize) -> Vec<f32> {
    let mut rows = Vec::with_capacity(images.len());
    for plane in 0..planes {
        for plane in images.chunks_exact(area).skip(plane).step_by(planes) {
            rows.extend_from_slice(plane);
        }
    }
    rows
}

/// Four kernels of 3x3 that find edges, each with its name.
#[rustfmt::skip]
pub const EDGES: [(&str, [f32; 9]); 4] = [
    ("left edges", [-1., 0., 1., -2., 0., 2., -1., 0., 1.]),
    ("upper edges", [-1., -2., -1., 0., 0., 0., 1., 2., 1.]),
    ("slanted edges", [0., 1., 2., -1., 0., 1., -2., -1., 0.]),
    ("every outline", [-1., -1., -1., -1., 8., -1., -1., -1., -1.]),
];

/// Four kernels of 3x3 that show what a kernel can do, each with its name.
#[rustfmt::skip]
pub const KERNELS: [(&str, [f32; 9]); 4] = [
    ("vertical edge", [1.0, 0.0, -1.0, 2.0, 0.0, -2.0, 1.0, 0.0, -1.0]),
    ("horizontal edge", [1.0, 2.0, 1.0, 0.0, 0.0, 0.0, -1.0, -2.0, -1.0]),
    ("blur", [0.0, 0.125, 0.0, 0.125, 0.5, 0.125, 0.0, 0.125, 0.0]),
    ("sharpen", [0.0, -1.0, 0.0, -1.0, 5.0, -1.0, 0.0, -1.0, 0.0]),
];

/// So many images of 8x8 with noise and one bar, and their classes: the vertical bars are 0, the horizontal ones 1.
#[must_use]
pub fn bars(count: usize, rng: &mut Rng) -> (Vec<f32>, Vec<f32>) {
    let (mut pixels, mut classes) = (Vec::new(), Vec::new());
    for n in 0..count {
        let place = rng.below(8);
        let lit = |pixel: usize| if n % 2 == 0 { pixel % 8 == place } else { pixel / 8 == place };
        pixels.extend((0..64).map(|pixel| f32::from(lit(pixel)) + 0.1 * rng.normal()));
        classes.push((n % 2) as f32);
    }
    (pixels, classes)
}

/// The dot product of two slices, in eight sums side by side: the compiler keeps them in one SIMD register.
#[must_use]
pub fn dot(a: &[f32], b: &[f32]) -> f32 {
    let mut sums = [0.0; 8];
    let (a, b) = (a.chunks_exact(8), b.chunks_exact(8));
    let rest: f32 = a.remainder().iter().zip(b.remainder()).map(|(a, b)| a * b).sum();
    for (a, b) in a.zip(b) {
        for (sum, (a, b)) in sums.iter_mut().zip(a.iter().zip(b)) {
            *sum += a * b;
        }
    }
    sums.iter().sum::<f32>() + rest
}

/// The sum of each channel's planes of `size` numbers, where the channels repeat for every image. In f64: an f32 loses the
/// small terms of a long sum.
#[must_use]
pub fn channel_sums(planes: &[f32], size: usize, channels: usize) -> Vec<f32> {
    let mut sums = vec![0.0; channels];
    for (index, plane) in planes.chunks_exact(size).enumerate() {
        sums[index % channels] += plane.iter().copied().map(f64::from).sum::<f64>();
    }
    sums.into_iter().map(|sum| sum as f32).collect()
}

/// Rows of `width` pixels, moved by so many columns, to the right where positive; zeros follow.
#[must_use]
pub fn shifted(pixels: &[f32], width: usize, columns: isize) -> Vec<f32> {
    let pixel = |index: usize| {
        let from = (index % width).checked_add_signed(-columns).filter(|column| *column < width);
        from.map_or(0.0, |column| pixels[index - index % width + column])
    };
    (0..pixels.len()).map(pixel).collect()
}

/// The sizes `[N, C, H, W]` of a batch of images with so many channels.
///
/// # Errors
/// What was expected instead of this shape, and how to fix it.
pub fn image_sizes(shape: &[usize], channels: Option<usize>) -> Result<[usize; 4], String> {
    let &[n, c, h, w] = shape else {
        let fix = match shape {
            [c, h, w] => format!("give one image a batch axis with x.reshape(&[1, {c}, {h}, {w}])"),
            [h, w] => format!("give one grey image its axes with x.reshape(&[1, 1, {h}, {w}])"),
            _ => "reshape it to four axes".to_owned(),
        };
        return Err(format!("(batch, channels, height, width): {fix}"));
    };
    if let Some(expected) = channels.filter(|expected| *expected != c) {
        return Err(format!(
            "{expected} channels, not {c}: build the layer for {c} channels, or put the axes in the order (batch, \
             channels, height, width)"
        ));
    }
    if h * w == 0 {
        return Err("images with pixels: height and width of 1 or more".to_owned());
    }
    Ok([n, c, h, w])
}
