// ---
// jupyter:
//   jupytext:
//     formats: ipynb,rs:percent
//     text_representation:
//       extension: .rs
//       format_name: percent
//       format_version: '1.3'
//   kernelspec:
//     display_name: Rust
//     language: rust
//     name: rust
// ---

// %% nbgrader={"grade": false, "grade_id": "spatial-imports", "locked": true, "schema_version": 3, "solution": false, "task": false}
//! Module 09, Spatial: layers that know that a pixel has neighbours.
//!
//! In: images `(N, C, H, W)`, batch first. Out: images of another size, or class scores. For a 3x3
//! window, `out[o][i][j] = bias[o] + sum over c, r, s of weight[o][c][r][s] * x[c][i + r][j + s]`.
//! By hand: the window `[[1, 0], [0, 1]]` on `[[1, 2], [3, 4]]` gives `1 + 4 = 5`.
//!
//! Stands on 01 (`Tensor`), 02 (`ReLU`), 03 (`Layer`, `Linear`), 05 (`custom`: a gradient rule of our
//! own). Not here: faster convolutions (18).

use std::cell::RefCell;

use tinytorch::activations::ReLU;
use tinytorch::autograd::{GradientRule, InputGradients, custom, grad_for};
use tinytorch::dataloader::{DataLoader, DigitShape, Split, digits};
use tinytorch::layers::{Layer, Linear, Sequential};
use tinytorch::losses::CrossEntropyLoss;
use tinytorch::optimizers::Adam;
use tinytorch::random::Rng;
use tinytorch::report::{Axis, Chart, ChartKind, Column, Origin, Picture};
use tinytorch::report::{Reporter, Series, Table, Value};
use tinytorch::tensor::{Tensor, shape_text, values};
use tinytorch::testing::time;
use tinytorch::training::Trainer;

// %% [markdown] nbgrader={"grade": false, "grade_id": "spatial-intro", "locked": true, "schema_version": 3, "solution": false, "task": false}
// # 🎯 Spatial
//
// A small window slides over an image and asks the same question at every place: is there an edge
// here? The answers form a new image. You write that slide in small steps, then its gradient, then
// pooling and normalisation, and put them together to a network that reads handwriting.

// %% nbgrader={"grade": false, "grade_id": "spatial-types", "locked": true, "schema_version": 3, "solution": false, "task": false}
/// Rows and columns. A single number stands for both: `3.into()` is 3x3.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pair {
    /// Down.
    pub rows: usize,
    /// Across.
    pub columns: usize,
}

impl Pair {
    /// How many there are in all.
    pub fn area(self) -> usize {
        self.rows * self.columns
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

/// The window that slides over an image: its size, its step, and the border put around the image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    kernel: Pair,
    stride: Pair,
    padding: Pair,
}

impl Window {
    /// A window of this size that moves by one pixel, without a border. Panics on a size of 0.
    pub fn new(kernel: impl Into<Pair>) -> Self {
        let kernel = kernel.into();
        assert!(kernel.area() > 0, "Window: got a size of 0, expected 1 or more rows and columns");
        Self { kernel, stride: 1.into(), padding: 0.into() }
    }

    /// Moves by this many pixels. Panics on 0, which would never arrive.
    pub fn stride(self, stride: impl Into<Pair>) -> Self {
        let stride = stride.into();
        assert!(stride.area() > 0, "Window: got a stride of 0, expected 1 or more");
        Self { stride, ..self }
    }

    /// Puts a border of this many pixels around the image.
    pub fn padding(self, padding: impl Into<Pair>) -> Self {
        Self { padding: padding.into(), ..self }
    }
}

impl From<usize> for Window {
    fn from(side: usize) -> Self {
        Self::new(side)
    }
}

// %% [markdown] nbgrader={"grade": false, "grade_id": "conv-geometry", "locked": true, "schema_version": 3, "solution": false, "task": false}
// ## 🎯 Where the window can stand

// %% nbgrader={"grade": false, "grade_id": "conv-output-size", "locked": false, "schema_version": 3, "solution": true, "task": false}
/// At how many places a window can stand along one axis; `None` if it does not fit at all.
///
/// TODO: count the places.
///
/// APPROACH:
/// 1. The border counts on both sides: the axis is `input + 2 * padding` long.
/// 2. The first place is at 0. What is left behind the window is the room to move.
/// 3. Each step needs `stride` pixels of that room; a rest that is too short is not used.
///
/// EXAMPLE: `output_size(8, 3, 1, 0)` is `Some(6)`; with padding 1 it is `Some(8)`, with stride 2
/// too `Some(4)`.
///
/// HINTS:
/// - `checked_sub` gives `None` instead of a number below 0, and `?` hands that on.
/// - A stride of 0 is `None` as well: `checked_div`.
pub fn output_size(input: usize, kernel: usize, stride: usize, padding: usize) -> Option<usize> {
    todo!("conv-output-size")
}

// %% nbgrader={"grade": true, "grade_id": "test-conv-output-size", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
/// 🔬 Plain, padded, strided, with a rest, and a window that does not fit.
#[test]
fn test_unit_output_size() {
    assert_eq!(output_size(8, 3, 1, 0), Some(6));
    assert_eq!(output_size(8, 3, 1, 1), Some(8), "padding 1 keeps the size for a window of 3");
    assert_eq!(output_size(8, 3, 2, 1), Some(4));
    assert_eq!(output_size(224, 7, 2, 3), Some(112));
    assert_eq!(output_size(5, 5, 3, 0), Some(1));
    assert_eq!(output_size(3, 5, 1, 0), None, "the window is larger than the image");
    assert_eq!(output_size(3, 5, 1, 1), Some(1), "the border makes room");
    assert_eq!(output_size(8, 3, 0, 0), None, "a stride of 0 never arrives");
}

// %% nbgrader={"grade": false, "grade_id": "spatial-grid", "locked": true, "schema_version": 3, "solution": false, "task": false}
/// A window on images of one size: what convolution and pooling have in common. A *plane* is one
/// channel of one image; a *tap* is a position inside the window, row and column.
#[derive(Debug, Clone, Copy)]
pub struct Grid {
    /// The window.
    pub window: Window,
    /// The image.
    pub image: Pair,
    /// The image with its border.
    pub padded: Pair,
    /// The places of the window: the size of the result.
    pub places: Pair,
}

impl Grid {
    /// `None` if the window does not fit.
    pub fn new(image: impl Into<Pair>, window: impl Into<Window>) -> Option<Self> {
        let (image, window) = (image.into(), window.into());
        let Window { kernel, stride, padding } = window;
        let places = Pair {
            rows: output_size(image.rows, kernel.rows, stride.rows, padding.rows)?,
            columns: output_size(image.columns, kernel.columns, stride.columns, padding.columns)?,
        };
        let padded = Pair {
            rows: image.rows + 2 * padding.rows,
            columns: image.columns + 2 * padding.columns,
        };
        Some(Self { window, image, padded, places })
    }

    /// Every tap, row by row.
    pub fn taps(&self) -> impl Iterator<Item = Pair> + use<> {
        let Pair { rows, columns } = self.window.kernel;
        (0..rows).flat_map(move |row| (0..columns).map(move |column| (row, column).into()))
    }

    /// Where, in a padded plane, `tap` lies while the window stands at the start of each row of
    /// places: one index for each row.
    pub fn row_starts(&self, tap: Pair) -> impl Iterator<Item = usize> + use<> {
        let (width, step) = (self.padded.columns, self.window.stride.rows);
        (0..self.places.rows).map(move |row| (row * step + tap.rows) * width + tap.columns)
    }

    /// Every weight of one kernel: its number, the plane it lies on (of one padded image), its tap.
    pub fn weights<'a>(&self, image: &'a [f32]) -> impl Iterator<Item = (usize, &'a [f32], Pair)> {
        let grid = *self;
        let planes = image.chunks_exact(self.padded.area());
        let each = planes.flat_map(move |plane| grid.taps().map(move |tap| (plane, tap)));
        each.enumerate().map(|(number, (plane, tap))| (number, plane, tap))
    }
}

// %% nbgrader={"grade": false, "grade_id": "conv-pad", "locked": false, "schema_version": 3, "solution": true, "task": false}
impl Grid {
    /// Planes of size `image`, one after another, each with a border of `fill` around it.
    ///
    /// TODO: copy each row into the middle of a larger plane.
    ///
    /// APPROACH:
    /// 1. Make a `Vec` of `fill` with `padded.area()` numbers for each plane.
    /// 2. Walk over planes and padded planes together (`chunks_exact`, `chunks_exact_mut`, `zip`).
    /// 3. In each, skip the rows of the border, and copy row by row, starting after the left
    ///    border.
    ///
    /// EXAMPLE: The plane `[1, 2, 3, 4]` of 2x2 with padding 1 becomes
    /// `0 0 0 0 | 0 1 2 0 | 0 3 4 0 | 0 0 0 0`.
    ///
    /// HINTS: `target[left..left + width].copy_from_slice(row)` copies a row at once.
    pub fn pad(&self, planes: &[f32], fill: f32) -> Vec<f32> {
        todo!("conv-pad")
    }
}

// %% nbgrader={"grade": true, "grade_id": "test-conv-pad", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
/// 🔬 The border stands around every plane, as wide as asked for on each axis.
#[test]
fn test_unit_pad() {
    let grid = Grid::new(2, Window::new(2).padding((1, 2))).unwrap();
    let padded = grid.pad(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0], -1.0);
    #[rustfmt::skip]
    let expected = [
        -1., -1., -1., -1., -1., -1., -1., -1., 1., 2., -1., -1.,
        -1., -1., 3., 4., -1., -1., -1., -1., -1., -1., -1., -1.,
        -1., -1., -1., -1., -1., -1., -1., -1., 5., 6., -1., -1.,
        -1., -1., 7., 8., -1., -1., -1., -1., -1., -1., -1., -1.,
    ];
    assert_eq!(padded, expected);
    let bare = Grid::new((1, 3), Window::new(1)).unwrap();
    assert_eq!(bare.pad(&[1.0, 2.0, 3.0], 9.0), [1.0, 2.0, 3.0]);
}

// %% [markdown] nbgrader={"grade": false, "grade_id": "conv-sliding", "locked": true, "schema_version": 3, "solution": false, "task": false}
// ## 🎯 The slide
//
// First one place and all weights: that is the meaning. Then one weight and all places: the same
// sums in another order, and the order that a processor likes.

// %% nbgrader={"grade": false, "grade_id": "conv-window", "locked": false, "schema_version": 3, "solution": true, "task": false}
impl Grid {
    /// One number of the result: each weight times the pixel under it, added up over all channels.
    /// `image` holds padded planes, `kernel` as many planes of weights; the window's upper left
    /// corner stands at `corner` of the padded image.
    ///
    /// TODO: multiply and add over channels, rows and columns of the window.
    ///
    /// APPROACH:
    /// 1. [`Grid::weights`] lists every weight with its plane and its tap.
    /// 2. Under the tap lies row `corner.rows + tap.rows`, column `corner.columns + tap.columns`.
    /// 3. Add `kernel[number] * pixel`.
    ///
    /// EXAMPLE: The kernel `[1, 0, 0, 1]` of 2x2 on the image `[1, 2, 3, 4]` of 2x2 gives 5.
    ///
    /// HINTS: A plane is flat: row `r`, column `c` is `plane[r * padded.columns + c]`.
    pub fn at(&self, image: &[f32], kernel: &[f32], corner: Pair) -> f32 {
        todo!("conv-window")
    }
}

// %% nbgrader={"grade": true, "grade_id": "test-conv-window", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
/// 🔬 One place by hand, with one channel and with two.
#[test]
fn test_unit_window() {
    let grid = Grid::new((2, 3), Window::new(2)).unwrap();
    let image = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 10.0, 20.0, 30.0, 40.0, 50.0, 60.0];
    let diagonal = [1.0, 0.0, 0.0, 1.0];
    assert_eq!(grid.at(&image[..6], &diagonal, (0, 0).into()), 1.0 + 5.0);
    assert_eq!(grid.at(&image[..6], &diagonal, (0, 1).into()), 2.0 + 6.0);
    let both = [1.0, 0.0, 0.0, 1.0, 0.0, 1.0, -1.0, 0.0];
    assert_eq!(grid.at(&image, &both, (0, 1).into()), 2.0 + 6.0 + 30.0 - 50.0);
}

// %% nbgrader={"grade": false, "grade_id": "conv-see", "locked": false, "schema_version": 3, "solution": true, "task": false}
impl Grid {
    /// What one weight meets on its way: the pixel under `tap` for every place, row by row.
    ///
    /// TODO: fill `seen` from the padded plane.
    ///
    /// APPROACH:
    /// 1. `seen` has one row of `places.columns` numbers for each of [`Grid::row_starts`].
    /// 2. In a row, begin at the start and take every `stride`-th pixel.
    ///
    /// EXAMPLE: On the plane `[1, 2, 3, 4, 5, 6, 7, 8, 9]` of 3x3, a 2x2 window's tap (0, 1) meets
    /// `[2, 3, 5, 6]`.
    ///
    /// HINTS: `plane[start..].iter().step_by(stride)` is that row; `zip` stops when `seen` is full.
    pub fn see(&self, plane: &[f32], tap: Pair, seen: &mut [f32]) {
        todo!("conv-see")
    }
}

// %% nbgrader={"grade": true, "grade_id": "test-conv-see", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
/// 🔬 Each tap meets its own part of the plane, also with strides.
#[test]
fn test_unit_see() {
    let plane: Vec<f32> = (1..=20).map(|n| n as f32).collect();
    let grid = Grid::new(3, Window::new(2)).unwrap();
    let mut seen = [0.0; 4];
    grid.see(&plane[..9], (0, 1).into(), &mut seen);
    assert_eq!(seen, [2.0, 3.0, 5.0, 6.0]);
    grid.see(&plane[..9], (1, 1).into(), &mut seen);
    assert_eq!(seen, [5.0, 6.0, 8.0, 9.0]);
    let strided = Grid::new((4, 5), Window::new(2).stride((2, 3))).unwrap();
    strided.see(&plane, (1, 0).into(), &mut seen);
    assert_eq!(seen, [6.0, 9.0, 16.0, 19.0]);
}

// %% nbgrader={"grade": false, "grade_id": "conv-loops", "locked": false, "schema_version": 3, "solution": true, "task": false}
impl Grid {
    /// One padded image through all kernels: adds to `result`, which holds one plane of
    /// `places.area()` numbers for each kernel, and already the bias.
    ///
    /// TODO: for each weight of a kernel, see once, then add to every kernel's plane.
    ///
    /// APPROACH:
    /// 1. One kernel has `planes of the image * taps` weights: cut `kernels` into chunks of that
    ///    length.
    /// 2. For each of [`Grid::weights`], fill `seen` with [`Grid::see`].
    /// 3. For each kernel and its plane of the result: add `kernel[number] * seen`, place by place.
    ///
    /// EXAMPLE: Every number equals what [`Grid::at`] gives for its place; the test compares all of
    /// them.
    ///
    /// HINTS: Make `seen` once, before the loops. The innermost loop runs over two slices with
    /// `zip`: the compiler turns it into instructions that handle 4 or 8 places at a time.
    pub fn convolve(&self, image: &[f32], kernels: &[f32], result: &mut [f32]) {
        todo!("conv-loops")
    }
}

// %% nbgrader={"grade": true, "grade_id": "test-conv-loops", "locked": true, "points": 15, "schema_version": 3, "solution": false, "task": false}
/// 🔬 The reordered loops give, at every place, the same sum as the window by itself.
#[test]
fn test_unit_convolve() {
    use tinytorch::testing::assert_close;

    let mut rng = Rng::seeded(3);
    for window in [Window::new(3), Window::new((2, 3)).stride((1, 2))] {
        let grid = Grid::new((5, 6), window).unwrap();
        let image = Tensor::randn(&[2, 5, 6], &mut rng).to_vec();
        let size = 2 * window.kernel.area();
        let kernels = Tensor::randn(&[3, size], &mut rng).to_vec();
        let mut result = vec![0.5; 3 * grid.places.area()];
        grid.convolve(&image, &kernels, &mut result);
        let mut expected = Vec::new();
        for kernel in kernels.chunks_exact(size) {
            for place in 0..grid.places.area() {
                let row = place / grid.places.columns * window.stride.rows;
                let column = place % grid.places.columns * window.stride.columns;
                expected.push(0.5 + grid.at(&image, kernel, (row, column).into()));
            }
        }
        assert_close(&result, &expected, 1e-5);
    }
}

// %% [markdown] nbgrader={"grade": false, "grade_id": "conv-layer", "locked": true, "schema_version": 3, "solution": false, "task": false}
// ## 🎯 The layer

// %% nbgrader={"grade": false, "grade_id": "spatial-checks", "locked": true, "schema_version": 3, "solution": false, "task": false}
/// `[N, C, H, W]` of a batch of images. Panics with the mend when `x` is none, or has other
/// channels.
fn images(layer: &dyn Layer, x: &Tensor, channels: Option<usize>) -> [usize; 4] {
    let &[n, c, h, w] = x.shape() else {
        let mend = match x.shape() {
            [c, h, w] => format!("give one image a batch axis with x.reshape(&[1, {c}, {h}, {w}])"),
            [h, w] => format!("give one grey image its axes with x.reshape(&[1, 1, {h}, {w}])"),
            _ => "reshape it to four axes".to_owned(),
        };
        let (name, got) = (layer.name(), shape_text(x.shape()));
        panic!("{name}: got shape {got}, expected (batch, channels, height, width): {mend}");
    };
    assert!(
        channels.is_none_or(|expected| c == expected),
        "{}: got {c} channels in shape {}, expected {}: build the layer for {c} channels, or put the \
         axes in the order (batch, channels, height, width)",
        layer.name(),
        shape_text(x.shape()),
        channels.unwrap_or(0),
    );
    let some = h * w > 0;
    assert!(some, "{}: got images without a pixel: {}", layer.name(), shape_text(x.shape()));
    [n, c, h, w]
}

/// The grid of `window` on such images. Panics with the mend when the window does not fit.
fn grid(
    layer: &dyn Layer,
    x: &Tensor,
    window: Window,
    channels: Option<usize>,
) -> (Grid, [usize; 2]) {
    let [n, c, h, w] = images(layer, x, channels);
    let grid = Grid::new((h, w), window).unwrap_or_else(|| {
        panic!(
            "{}: got images of {h}x{w}, expected at least the size of the window, {}x{}, less its \
             padding: use a smaller window, more padding or fewer pooling layers before",
            layer.name(),
            window.kernel.rows,
            window.kernel.columns
        )
    });
    (grid, [n, c])
}

/// A convolution: `weight` of shape `(outputs, inputs, rows, columns)`, `bias` of shape
/// `(outputs)`.
pub struct Conv2d {
    /// One kernel for each output channel.
    pub weight: Tensor,
    /// What is added to each output channel.
    pub bias: Option<Tensor>,
    window: Window,
}

impl Conv2d {
    /// Kernels from a normal distribution of variance `2 / (inputs * window)` (He, 2015), bias 0.
    pub fn new(inputs: usize, outputs: usize, window: impl Into<Window>, rng: &mut Rng) -> Self {
        let bias = Some(Tensor::zeros(&[outputs]));
        Self { bias, ..Self::without_bias(inputs, outputs, window, rng) }
    }

    /// The same without a bias: for a convolution that a [`BatchNorm2d`] follows.
    pub fn without_bias(
        inputs: usize,
        outputs: usize,
        window: impl Into<Window>,
        rng: &mut Rng,
    ) -> Self {
        assert!(
            inputs > 0 && outputs > 0,
            "Conv2d: got {inputs} input and {outputs} output channels, expected 1 or more of each"
        );
        let window = window.into();
        let Pair { rows, columns } = window.kernel;
        let scale = (2.0 / (inputs * rows * columns) as f32).sqrt();
        let weight = Tensor::randn(&[outputs, inputs, rows, columns], rng) * scale;
        Self { weight, bias: None, window }
    }
}

/// How a convolution sends a gradient back; the next part of the lesson.
struct ConvRule(Grid);

// %% nbgrader={"grade": false, "grade_id": "conv-forward", "locked": false, "schema_version": 3, "solution": true, "task": false}
impl Layer for Conv2d {
    fn name(&self) -> String {
        let Pair { rows, columns } = self.window.kernel;
        let shape = self.weight.shape();
        format!("Conv2d({} -> {}, {rows}x{columns})", shape[1], shape[0])
    }

    /// Images `(N, inputs, H, W)` to `(N, outputs, places down, places across)`.
    ///
    /// TODO: pad the batch, start each output plane at its bias, convolve image by image.
    ///
    /// APPROACH:
    /// 1. `grid.pad(.., 0.0)` pads all planes of the batch at once.
    /// 2. Build `result`: for each image, for each output channel, `places.area()` times its bias.
    /// 3. Give [`Grid::convolve`] each padded image with its part of `result`.
    ///
    /// EXAMPLE: `Conv2d::new(3, 16, Window::new(3).padding(1), rng)` turns `(2, 3, 32, 32)` into
    /// `(2, 16, 32, 32)`.
    ///
    /// HINTS: `self.weight.data()` is a slice of all kernels. Without a bias, start at 0.
    fn forward(&self, x: &Tensor) -> Tensor {
        let outputs = self.weight.shape()[0];
        let (grid, [n, inputs]) = grid(self, x, self.window, Some(self.weight.shape()[1]));
        let result: Vec<f32> = {
            todo!("conv-forward")
        };
        let result = values(result, &[n, outputs, grid.places.rows, grid.places.columns]);
        let inputs: Vec<&Tensor> = [x, &self.weight].into_iter().chain(&self.bias).collect();
        custom("conv2d", result, &inputs, ConvRule(grid))
    }

    fn parameters(&self) -> Vec<&Tensor> {
        std::iter::once(&self.weight).chain(&self.bias).collect()
    }

    fn parameters_mut(&mut self) -> Vec<&mut Tensor> {
        std::iter::once(&mut self.weight).chain(&mut self.bias).collect()
    }
}

// %% nbgrader={"grade": true, "grade_id": "test-conv-forward", "locked": true, "points": 15, "schema_version": 3, "solution": false, "task": false}
/// 🔬 A filter by hand, a bias for each channel, every image of the batch, and clear errors.
#[test]
fn test_unit_conv_forward() {
    use tinytorch::testing::panic_message;

    let mut rng = Rng::seeded(1);
    let mut conv = Conv2d::new(1, 2, Window::new(2), &mut rng);
    conv.weight = Tensor::new(&[1.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 2.0], &[2, 1, 2, 2]);
    conv.bias = Some(Tensor::new(&[0.0, 10.0], &[2]));
    let x =
        Tensor::new(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 0.0, 0.0, 0.0, 0.0, 1.0, 1.0], &[2, 1, 2, 3]);
    let y = conv.forward(&x);
    assert_eq!(y.shape(), [2, 2, 1, 2]);
    assert_eq!(y.to_vec(), [6.0, 8.0, 20.0, 22.0, 1.0, 1.0, 12.0, 12.0]);

    let padded = Conv2d::new(3, 16, Window::new(3).padding(1), &mut rng);
    assert_eq!(padded.forward(&Tensor::ones(&[2, 3, 32, 32])).shape(), [2, 16, 32, 32]);
    let count = |conv: &Conv2d| conv.parameters().iter().map(|p| p.numel()).sum::<usize>();
    assert_eq!(count(&padded), 16 * 3 * 9 + 16);
    let strided = Conv2d::without_bias(3, 4, Window::new(5).stride(2), &mut rng);
    assert_eq!(strided.forward(&Tensor::ones(&[1, 3, 9, 8])).shape(), [1, 4, 3, 2]);
    assert_eq!((count(&strided), strided.parameters().len()), (4 * 3 * 25, 1));

    for (shape, expected) in [
        (&[3, 8, 8][..], "x.reshape(&[1, 3, 8, 8])"),
        (&[1, 8, 8, 3], "Conv2d(3 -> 16, 3x3): got 8 channels in shape (1, 8, 8, 3), expected 3"),
    ] {
        let message = panic_message(|| padded.forward(&Tensor::ones(shape)));
        assert!(message.contains(expected), "{message}");
    }
    let message = panic_message(|| strided.forward(&Tensor::ones(&[1, 3, 4, 8])));
    assert!(message.contains("got images of 4x8") && message.contains("5x5"), "{message}");
}

// %% [markdown] nbgrader={"grade": false, "grade_id": "conv-backward", "locked": true, "schema_version": 3, "solution": false, "task": false}
// ## 🎯 The way back
//
// `result = weight * pixel`, many times over. So a weight's gradient is made of pixels, and a
// pixel's gradient of weights; both times the upstream gradient, that of the result.

// %% nbgrader={"grade": false, "grade_id": "conv-rule", "locked": true, "schema_version": 3, "solution": false, "task": false}
impl GradientRule for ConvRule {
    fn gradients(
        &self,
        grad_output: &Tensor,
        inputs: &[Tensor],
        _result: &Tensor,
    ) -> InputGradients {
        let grad_output = grad_output.data();
        let (x, weight, grid) = (&inputs[0], &inputs[1], &self.0);
        let (outputs, kernel) = (weight.shape()[0], weight.numel() / weight.shape()[0]);
        let image = x.shape()[1] * grid.padded.area();
        let shaped = |gradient, like: &Tensor| Tensor::from_array(values(gradient, like.shape()));
        let mut grads = vec![
            grad_for(x, || {
                let mut gradient = vec![0.0; x.shape()[0] * image];
                let grad_planes = grad_output.chunks_exact(outputs * grid.places.area());
                for (gradient, grad_output) in gradient.chunks_exact_mut(image).zip(grad_planes) {
                    grid.input_gradient(grad_output, &weight.data(), gradient);
                }
                shaped(grid.crop(&gradient), x)
            }),
            grad_for(weight, || {
                let padded = grid.pad(&x.data(), 0.0);
                let mut gradient = vec![0.0; outputs * kernel];
                let grad_planes = grad_output.chunks_exact(outputs * grid.places.area());
                for (image, grad_output) in padded.chunks_exact(image).zip(grad_planes) {
                    grid.weight_gradient(grad_output, image, &mut gradient);
                }
                shaped(gradient, weight)
            }),
        ];
        grads.extend(inputs.get(2).map(|bias| {
            grad_for(bias, || {
                let mut gradient = vec![0.0; outputs];
                let planes = grad_output.chunks_exact(grid.places.area()).enumerate();
                planes.for_each(|(i, plane)| gradient[i % outputs] += plane.iter().sum::<f32>());
                shaped(gradient, bias)
            })
        }));
        grads
    }
}

/// The products of two slices, added up in eight sums side by side, which the compiler can put
/// into one register.
fn dot(a: &[f32], b: &[f32]) -> f32 {
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

impl Grid {
    /// Padded planes without their border: [`Grid::pad`] undone.
    pub fn crop(&self, padded: &[f32]) -> Vec<f32> {
        let (top, left) = (self.window.padding.rows, self.window.padding.columns);
        let count = padded.len() / self.padded.area();
        let mut planes = Vec::with_capacity(count * self.image.area());
        for plane in padded.chunks_exact(self.padded.area()) {
            for row in plane.chunks_exact(self.padded.columns).skip(top).take(self.image.rows) {
                planes.extend_from_slice(&row[left..left + self.image.columns]);
            }
        }
        planes
    }
}

// %% nbgrader={"grade": false, "grade_id": "conv-weight-gradient", "locked": false, "schema_version": 3, "solution": true, "task": false}
impl Grid {
    /// Adds one image's part to the gradient of all kernels. `grad_output` holds one plane for each
    /// kernel.
    ///
    /// TODO: each weight collects what it met, times the upstream gradient of that place.
    ///
    /// APPROACH:
    /// 1. The same walk as in [`Grid::convolve`]: for each weight, see.
    /// 2. For each kernel and its plane of the upstream gradient: add `dot(seen, plane)` to this weight.
    ///
    /// EXAMPLE: A 1x1 kernel on the image `[3, 4]` with the upstream gradient `[1, 10]` has the gradient
    /// `3 + 40 = 43`.
    ///
    /// HINTS: `gradient` is cut like the kernels: chunks of `planes of the image * taps`.
    pub fn weight_gradient(&self, grad_output: &[f32], image: &[f32], gradient: &mut [f32]) {
        todo!("conv-weight-gradient")
    }
}

// %% nbgrader={"grade": true, "grade_id": "test-conv-weight-gradient", "locked": true, "points": 10, "schema_version": 3, "solution": false, "task": false}
/// 🔬 Each weight's gradient by hand; images add up.
#[test]
fn test_unit_weight_gradient() {
    let grid = Grid::new((1, 2), Window::new(1)).unwrap();
    let mut gradient = [0.0];
    grid.weight_gradient(&[1.0, 10.0], &[3.0, 4.0], &mut gradient);
    assert_eq!(gradient, [43.0]);
    grid.weight_gradient(&[1.0, 1.0], &[1.0, 1.0], &mut gradient);
    assert_eq!(gradient, [45.0], "the second image adds to the first");

    // Two kernels of 1x2 on two channels of 1x3: places 0 and 1.
    let grid = Grid::new((1, 3), Window::new((1, 2))).unwrap();
    let mut gradient = [0.0; 8];
    let image = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0];
    grid.weight_gradient(&[1.0, 0.0, 0.0, 10.0], &image, &mut gradient);
    assert_eq!(gradient, [1.0, 2.0, 4.0, 5.0, 20.0, 30.0, 50.0, 60.0]);
}

// %% nbgrader={"grade": false, "grade_id": "conv-give-back", "locked": false, "schema_version": 3, "solution": true, "task": false}
impl Grid {
    /// [`Grid::see`] in reverse: adds each place's gradient to the pixel that `tap` saw there.
    ///
    /// TODO: walk as `see` does, but write into the plane.
    ///
    /// APPROACH:
    /// 1. The same rows and starts as in [`Grid::see`].
    /// 2. Add each gradient to its pixel. Windows overlap, so a pixel may get several.
    ///
    /// EXAMPLE: The gradients `[1, 2, 3, 4]` of tap (0, 1), 2x2 on 3x3, give `0 1 2 | 0 3 4 | 0 0 0`.
    ///
    /// HINTS: `plane[start..].iter_mut().step_by(stride)`, and `+=`.
    pub fn give_back(&self, plane: &mut [f32], tap: Pair, grads: &[f32]) {
        todo!("conv-give-back")
    }
}

// %% nbgrader={"grade": true, "grade_id": "test-conv-give-back", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
/// 🔬 Gradients land where they were seen, and overlapping gradients add up.
#[test]
fn test_unit_give_back() {
    let grid = Grid::new(3, Window::new(2)).unwrap();
    let mut plane = [0.0; 9];
    grid.give_back(&mut plane, (0, 1).into(), &[1.0, 2.0, 3.0, 4.0]);
    assert_eq!(plane, [0.0, 1.0, 2.0, 0.0, 3.0, 4.0, 0.0, 0.0, 0.0]);
    grid.give_back(&mut plane, (1, 0).into(), &[10.0, 20.0, 30.0, 40.0]);
    assert_eq!(plane, [0.0, 1.0, 2.0, 10.0, 23.0, 4.0, 30.0, 40.0, 0.0]);
    let strided = Grid::new((1, 5), Window::new((1, 2)).stride(3)).unwrap();
    let mut plane = [0.0; 5];
    strided.give_back(&mut plane, (0, 1).into(), &[1.0, 2.0]);
    assert_eq!(plane, [0.0, 1.0, 0.0, 0.0, 2.0]);
}

// %% nbgrader={"grade": false, "grade_id": "conv-input-gradient", "locked": false, "schema_version": 3, "solution": true, "task": false}
impl Grid {
    /// Adds to the gradient of one padded image, one plane for each input channel.
    ///
    /// TODO: for each weight position, add up what all kernels want, and give it back.
    ///
    /// APPROACH:
    /// 1. `gradient` has one plane for each input channel; walk over planes, then over
    ///    [`Grid::taps`].
    /// 2. `grads[place]` is the sum over kernels of this weight times the kernel's upstream gradient at the
    ///    place.
    /// 3. [`Grid::give_back`] adds the gradients to the plane.
    ///
    /// EXAMPLE: Two 1x1 kernels 2 and 3 with the upstream gradients `[1]` and `[10]` give the pixel
    /// `2 + 30 = 32`.
    ///
    /// HINTS:
    /// - Make `grads` once, and `fill(0.0)` it for each position.
    /// - The weight's number in its kernel is `channel * taps + position in the window`.
    pub fn input_gradient(&self, grad_output: &[f32], kernels: &[f32], gradient: &mut [f32]) {
        todo!("conv-input-gradient")
    }
}

// %% nbgrader={"grade": true, "grade_id": "test-conv-input-gradient", "locked": true, "points": 10, "schema_version": 3, "solution": false, "task": false}
/// 🔬 By hand, then all three gradients of whole layers against central differences.
#[test]
fn test_unit_input_gradient() {
    use tinytorch::autograd::check_gradient;

    let grid = Grid::new(1, Window::new(1)).unwrap();
    let mut gradient = [0.0];
    grid.input_gradient(&[1.0, 10.0], &[2.0, 3.0], &mut gradient);
    assert_eq!(gradient, [32.0]);

    let mut rng = Rng::seeded(5);
    for window in [Window::new(3).padding(1), Window::new((2, 3)).stride((1, 2)).padding((0, 1))] {
        let Pair { rows, columns } = window.kernel;
        let x = Tensor::randn(&[2, 2, 4, 5], &mut rng);
        let weight = Tensor::randn(&[3, 2, rows, columns], &mut rng);
        let bias = Tensor::randn(&[3], &mut rng);
        // The result is linear in each input, so only rounding is left: far below 1e-2, where a
        // wrong rule would be wrong by about 1.
        let layer = |inputs: &[Tensor]| {
            let [weight, bias] = [inputs[1].clone(), inputs[2].clone()];
            Conv2d { weight, bias: Some(bias), window }.forward(&inputs[0])
        };
        check_gradient(layer, &[x, weight, bias], 1e-2);
    }
}

// %% [markdown] nbgrader={"grade": false, "grade_id": "spatial-pooling", "locked": true, "schema_version": 3, "solution": false, "task": false}
// ## 🎯 Pooling: a smaller image that keeps the answer

// %% nbgrader={"grade": false, "grade_id": "pool-layers", "locked": true, "schema_version": 3, "solution": false, "task": false}
/// Keeps the largest value under each window. The border counts as minus infinity: it never wins.
pub struct MaxPool2d(Window);

/// Keeps the mean of the values under each window; the border counts as 0, as in PyTorch.
pub struct AvgPool2d(Window);

/// Pooling moves by whole windows, and a border wider than half a window would fill a window.
fn pool_window(name: &str, window: Window) -> Window {
    let (kernel, border) = (window.kernel, window.padding);
    assert!(
        border.rows * 2 <= kernel.rows && border.columns * 2 <= kernel.columns,
        "{name}: got padding {}x{} for a window of {}x{}, expected at most half of the window",
        border.rows,
        border.columns,
        kernel.rows,
        kernel.columns
    );
    window
}

impl MaxPool2d {
    /// Windows of this size side by side.
    pub fn new(kernel: impl Into<Pair>) -> Self {
        let kernel = kernel.into();
        Self::with(Window::new(kernel).stride(kernel))
    }

    /// With a step and a border. Panics when the border is wider than half the window.
    pub fn with(window: Window) -> Self {
        Self(pool_window("MaxPool2d", window))
    }
}

impl AvgPool2d {
    /// Windows of this size side by side.
    pub fn new(kernel: impl Into<Pair>) -> Self {
        let kernel = kernel.into();
        Self::with(Window::new(kernel).stride(kernel))
    }

    /// With a step and a border. Panics when the border is wider than half the window.
    pub fn with(window: Window) -> Self {
        Self(pool_window("AvgPool2d", window))
    }
}

impl Layer for MaxPool2d {
    fn name(&self) -> String {
        format!("MaxPool2d({}x{})", self.0.kernel.rows, self.0.kernel.columns)
    }

    fn forward(&self, x: &Tensor) -> Tensor {
        let (grid, [n, c]) = grid(self, x, self.0, None);
        let (pixels, places) = (grid.padded.area(), grid.places.area());
        let padded = grid.pad(&x.data(), f32::NEG_INFINITY);
        let (mut best, mut from) = (vec![0.0; n * c * places], vec![0; n * c * places]);
        let targets = best.chunks_exact_mut(places).zip(from.chunks_exact_mut(places));
        for (plane, (best, from)) in padded.chunks_exact(pixels).zip(targets) {
            grid.strongest(plane, best, from);
        }
        let best = values(best, &[n, c, grid.places.rows, grid.places.columns]);
        custom("max_pool2d", best, &[x], MaxRule { grid, from })
    }
}

impl Layer for AvgPool2d {
    fn name(&self) -> String {
        format!("AvgPool2d({}x{})", self.0.kernel.rows, self.0.kernel.columns)
    }

    fn forward(&self, x: &Tensor) -> Tensor {
        let (grid, [n, c]) = grid(self, x, self.0, None);
        let (pixels, places) = (grid.padded.area(), grid.places.area());
        let padded = grid.pad(&x.data(), 0.0);
        let mut means = vec![0.0; n * c * places];
        for (plane, means) in padded.chunks_exact(pixels).zip(means.chunks_exact_mut(places)) {
            grid.mean(plane, means);
        }
        let means = values(means, &[n, c, grid.places.rows, grid.places.columns]);
        custom("avg_pool2d", means, &[x], AvgRule(grid))
    }
}

/// Remembers, for each place, which pixel of its padded plane won.
struct MaxRule {
    grid: Grid,
    from: Vec<usize>,
}

struct AvgRule(Grid);

impl GradientRule for MaxRule {
    fn gradients(
        &self,
        grad_output: &Tensor,
        inputs: &[Tensor],
        _result: &Tensor,
    ) -> InputGradients {
        let (grad_output, places) = (grad_output.data(), self.grid.places.area());
        let planes = grad_output.chunks_exact(places).zip(self.from.chunks_exact(places));
        let gradient = self.grid.by_plane(&inputs[0], planes, |(grad_output, from), plane| {
            to_the_winner(grad_output, from, plane);
        });
        vec![Some(gradient)]
    }
}

impl GradientRule for AvgRule {
    fn gradients(
        &self,
        grad_output: &Tensor,
        inputs: &[Tensor],
        _result: &Tensor,
    ) -> InputGradients {
        let taps = self.0.window.kernel.area() as f32;
        let shared: Vec<f32> =
            grad_output.data().iter().map(|grad_output| grad_output / taps).collect();
        let planes = shared.chunks_exact(self.0.places.area());
        let gradient = self.0.by_plane(&inputs[0], planes, |grad_output, plane| {
            self.0.taps().for_each(|tap| self.0.give_back(plane, tap, grad_output));
        });
        vec![Some(gradient)]
    }
}

impl Grid {
    /// A gradient for `x`, plane by plane: `fill` gets what belongs to a plane, and the padded
    /// plane.
    fn by_plane<T>(
        &self,
        x: &Tensor,
        parts: impl Iterator<Item = T>,
        fill: impl Fn(T, &mut [f32]),
    ) -> Tensor {
        let planes = x.numel() / self.image.area();
        let mut gradient = vec![0.0; planes * self.padded.area()];
        let planes = gradient.chunks_exact_mut(self.padded.area());
        planes.zip(parts).for_each(|(plane, part)| fill(part, plane));
        Tensor::from_array(values(self.crop(&gradient), x.shape()))
    }
}

// %% nbgrader={"grade": false, "grade_id": "maxpool-strongest", "locked": false, "schema_version": 3, "solution": true, "task": false}
impl Grid {
    /// For each place of the window: the largest pixel under it, and the index of that pixel in the
    /// padded plane. Of equal pixels the first wins; NaN wins over everything, so it is not hidden.
    ///
    /// TODO: look at the plane once for each tap, and keep what is larger.
    ///
    /// APPROACH:
    /// 1. Start with `best` at minus infinity.
    /// 2. For each tap and each row of places, go over the pixels as [`Grid::see`] does, by index.
    /// 3. Where a pixel is larger than the best so far (or NaN), store it and its index.
    ///
    /// EXAMPLE: `[1, 5, 3, 2]` under one 2x2 window: best is 5, from index 1.
    ///
    /// HINTS:
    /// - `>` and not `>=`, or the last of equal pixels wins.
    /// - The pixel of column `c` of the places is at `start + c * stride`.
    pub fn strongest(&self, plane: &[f32], best: &mut [f32], from: &mut [usize]) {
        todo!("maxpool-strongest")
    }
}

// %% nbgrader={"grade": true, "grade_id": "test-maxpool-strongest", "locked": true, "points": 10, "schema_version": 3, "solution": false, "task": false}
/// 🔬 The largest value, where it came from, ties, negative images with a border, overlaps.
#[test]
fn test_unit_strongest() {
    let grid = Grid::new((2, 4), Window::new(2).stride(2)).unwrap();
    let (mut best, mut from) = ([0.0; 2], [9; 2]);
    grid.strongest(&[1.0, 5.0, 7.0, 7.0, 3.0, 2.0, 7.0, 0.0], &mut best, &mut from);
    assert_eq!((best, from), ([5.0, 7.0], [1, 2]), "of three sevens the first");

    let pool = MaxPool2d::with(Window::new(3).stride(2).padding(1));
    let x = Tensor::full(&[1, 1, 4, 4], -1.0);
    assert_eq!(pool.forward(&x).to_vec(), [-1.0; 4], "a border of 0 would win here");
    let rising = Tensor::new(&(0..9).map(|n| n as f32).collect::<Vec<_>>(), &[1, 1, 3, 3]);
    let overlapping = MaxPool2d::with(Window::new(2)).forward(&rising);
    assert_eq!(overlapping.to_vec(), [4.0, 5.0, 7.0, 8.0]);
    assert_eq!(MaxPool2d::new(2).forward(&Tensor::ones(&[2, 3, 5, 6])).shape(), [2, 3, 2, 3]);
    let sick = Tensor::new(&[1.0, f32::NAN, 2.0, 3.0], &[1, 1, 2, 2]);
    assert!(MaxPool2d::new(2).forward(&sick).item().is_nan(), "NaN must not be hidden");
}

// %% nbgrader={"grade": false, "grade_id": "maxpool-gradient", "locked": false, "schema_version": 3, "solution": true, "task": false}
/// Sends the upstream gradient of each place to the pixel that won there, and nothing to the others.
///
/// TODO: one line for each place.
///
/// APPROACH:
/// 1. Go over `grad_output` and `from` together.
/// 2. Add the upstream gradient to the pixel of that index.
///
/// EXAMPLE: upstream gradient `[1, 2]`, winners `[3, 3]`: pixel 3 gets 3, all others stay.
///
/// HINTS: Add, do not set: with overlapping windows one pixel can win more than once.
pub fn to_the_winner(grad_output: &[f32], from: &[usize], gradient: &mut [f32]) {
    todo!("maxpool-gradient")
}

// %% nbgrader={"grade": true, "grade_id": "test-maxpool-gradient", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
/// 🔬 By hand, and a whole layer with border and overlap against central differences.
#[test]
fn test_unit_to_the_winner() {
    use tinytorch::autograd::check_gradient;

    let mut gradient = [0.5, 0.0, 0.0, 0.0];
    to_the_winner(&[1.0, 2.0, 4.0], &[3, 3, 0], &mut gradient);
    assert_eq!(gradient, [4.5, 0.0, 0.0, 3.0]);

    // All pixels differ by 0.1 or more, so a step of 1/128 changes no winner.
    let mut pixels: Vec<f32> = (0..40).map(|n| n as f32 / 10.0 - 2.0).collect();
    Rng::seeded(2).shuffle(&mut pixels);
    let x = Tensor::new(&pixels, &[2, 1, 4, 5]);
    let layer = |x: &[Tensor]| MaxPool2d::with(Window::new(3).stride(2).padding(1)).forward(&x[0]);
    check_gradient(layer, &[x], 1e-3);
}

// %% nbgrader={"grade": false, "grade_id": "avgpool-mean", "locked": false, "schema_version": 3, "solution": true, "task": false}
impl Grid {
    /// The mean of the pixels under each place, the border included.
    ///
    /// TODO: add up what every tap sees, then divide by the number of taps.
    ///
    /// APPROACH:
    /// 1. For each tap, [`Grid::see`] into a buffer and add it to `means`, which begins at 0.
    /// 2. Divide by `kernel.area()`.
    ///
    /// EXAMPLE: `[1, 5, 3, 2]` under one 2x2 window: 11 / 4 = 2.75.
    ///
    /// HINTS: The border is 0 and counts: a corner with padding 1 is divided by all four taps of
    /// 2x2.
    pub fn mean(&self, plane: &[f32], means: &mut [f32]) {
        todo!("avgpool-mean")
    }
}

// %% nbgrader={"grade": true, "grade_id": "test-avgpool-mean", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
/// 🔬 Means by hand, the border counted, and the gradient shared equally.
#[test]
fn test_unit_mean() {
    use tinytorch::autograd::check_gradient;

    let x = Tensor::new(&[1.0, 5.0, 3.0, 2.0], &[1, 1, 2, 2]);
    assert_eq!(AvgPool2d::new(2).forward(&x).to_vec(), [2.75]);
    let mut means = [9.0];
    Grid::new(2, Window::new(2)).unwrap().mean(&x.data(), &mut means);
    assert_eq!(means, [2.75], "what stood in the result before does not count");
    let bordered = AvgPool2d::with(Window::new(2).stride(2).padding(1)).forward(&x);
    assert_eq!(bordered.to_vec(), [0.25, 1.25, 0.75, 0.5]);
    let x = Tensor::randn(&[2, 2, 5, 4], &mut Rng::seeded(4));
    let layer = |x: &[Tensor]| AvgPool2d::with(Window::new((3, 2)).padding(1)).forward(&x[0]);
    check_gradient(layer, &[x], 1e-3);
}

// %% [markdown] nbgrader={"grade": false, "grade_id": "spatial-normalising", "locked": true, "schema_version": 3, "solution": false, "task": false}
// ## 🎯 Batch normalisation: every channel on one scale
//
// No gradient rule here: it is made of tensor operations, and module 05 knows them all.

// %% nbgrader={"grade": false, "grade_id": "batchnorm-types", "locked": true, "schema_version": 3, "solution": false, "task": false}
/// Mean and variance of each channel, remembered for the time after training.
#[derive(Debug, Clone, PartialEq)]
pub struct Running {
    /// One for each channel.
    pub mean: Vec<f32>,
    /// One for each channel; of the population, so with `n - 1`.
    pub variance: Vec<f32>,
}

/// Normalises each channel over batch and pixels (Ioffe and Szegedy, 2015), then scales and shifts.
pub struct BatchNorm2d {
    /// The scale of each channel, shape `(C)`.
    pub weight: Tensor,
    /// The shift of each channel, shape `(C)`.
    pub bias: Tensor,
    // `forward` has `&self` and must remember: one cell, borrowed for a moment, still `Send`.
    running: RefCell<Running>,
    training: bool,
}

/// Keeps the square root away from 0.
const EPSILON: f32 = 1e-5;
/// How much of a new batch goes into the running statistics.
const MOMENTUM: f32 = 0.1;

impl BatchNorm2d {
    /// Scale 1, shift 0; remembers mean 0 and variance 1.
    pub fn new(channels: usize) -> Self {
        let running = Running { mean: vec![0.0; channels], variance: vec![1.0; channels] };
        Self {
            weight: Tensor::ones(&[channels]),
            bias: Tensor::zeros(&[channels]),
            running: RefCell::new(running),
            training: true,
        }
    }

    /// What is remembered now.
    pub fn running(&self) -> Running {
        self.running.borrow().clone()
    }

    /// Replaces what is remembered: with the statistics of a saved model, say. Panics when there is
    /// not one mean and one variance for each channel.
    pub fn set_running(&mut self, running: Running) {
        let (means, variances) = (running.mean.len(), running.variance.len());
        let channels = self.weight.numel();
        assert!(
            means == channels && variances == channels,
            "{}: got {means} means and {variances} variances, expected {channels} of each",
            self.name()
        );
        self.running.replace(running);
    }
}

// %% nbgrader={"grade": false, "grade_id": "batchnorm-statistics", "locked": false, "schema_version": 3, "solution": true, "task": false}
/// Mean and variance of each channel over batch, rows and columns; both of shape `(1, C, 1, 1)`.
///
/// TODO: the mean, and the mean of the squared distance from it.
///
/// APPROACH:
/// 1. `mean_axis(axis, true)` over the axes 0, 2 and 3, one after another.
/// 2. Subtract the mean (it broadcasts), square, and take the mean again.
///
/// EXAMPLE: One channel with the values 1, 3, 5, 7: mean 4, variance (9 + 1 + 1 + 9) / 4 = 5.
///
/// HINTS: A mean of means is the mean, because all parts have the same size.
pub fn channel_statistics(x: &Tensor) -> (Tensor, Tensor) {
    todo!("batchnorm-statistics")
}

// %% nbgrader={"grade": true, "grade_id": "test-batchnorm-statistics", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
/// 🔬 Each channel by itself, over the whole batch.
#[test]
fn test_unit_channel_statistics() {
    let x = [1.0, 3.0, 10.0, 10.0, 5.0, 7.0, 10.0, 30.0];
    let (mean, variance) = channel_statistics(&Tensor::new(&x, &[2, 2, 1, 2]));
    assert_eq!((mean.shape(), mean.to_vec()), (&[1, 2, 1, 1][..], vec![4.0, 15.0]));
    assert_eq!((variance.shape(), variance.to_vec()), (&[1, 2, 1, 1][..], vec![5.0, 75.0]));
}

// %% nbgrader={"grade": false, "grade_id": "batchnorm-running", "locked": false, "schema_version": 3, "solution": true, "task": false}
impl Running {
    /// Moves a tenth of the way to a new batch of `count` values per channel.
    ///
    /// TODO: blend old and new, for means and variances.
    ///
    /// APPROACH:
    /// 1. `new running = (1 - MOMENTUM) * running + MOMENTUM * batch`.
    /// 2. A batch is a sample: its variance times `count / (count - 1)` estimates that of all
    ///    images.
    ///
    /// EXAMPLE: Mean 0 and a batch of mean 10: the running mean becomes 1, then 1.9.
    ///
    /// HINTS: `iter_mut().zip(batch)` for both; only the variance gets the factor.
    pub fn blend(&mut self, mean: &[f32], variance: &[f32], count: usize) {
        todo!("batchnorm-running")
    }
}

// %% nbgrader={"grade": true, "grade_id": "test-batchnorm-running", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
/// 🔬 A tenth of the way each time; the variance corrected for the size of the sample.
#[test]
fn test_unit_blend() {
    use tinytorch::testing::assert_close;

    let mut running = Running { mean: vec![0.0, 5.0], variance: vec![1.0, 1.0] };
    running.blend(&[10.0, 5.0], &[1.0, 5.0], 5);
    assert_close(&running.mean, &[1.0, 5.0], 1e-6);
    assert_close(&running.variance, &[1.025, 1.525], 1e-6);
    running.blend(&[10.0, 5.0], &[1.0, 5.0], 5);
    assert_close(&running.mean, &[1.9, 5.0], 1e-6);
}

// %% nbgrader={"grade": false, "grade_id": "batchnorm-forward", "locked": false, "schema_version": 3, "solution": true, "task": false}
impl Layer for BatchNorm2d {
    fn name(&self) -> String {
        format!("BatchNorm2d({})", self.weight.numel())
    }

    /// Images `(N, C, H, W)`, same shape out:
    /// `(x - mean) / sqrt(variance + EPSILON) * weight + bias`.
    ///
    /// TODO: choose the statistics, then normalise.
    ///
    /// APPROACH:
    /// 1. In training: [`channel_statistics`], and [`Running::blend`] them into `self.running`.
    /// 2. Otherwise: `self.running` as two tensors of shape `(1, C, 1, 1)`.
    /// 3. The formula above; `weight` and `bias` need the shape `(1, C, 1, 1)` to broadcast.
    ///
    /// EXAMPLE: In training every channel of the result has mean 0 and variance 1, while weight is
    /// 1 and bias 0.
    ///
    /// HINTS:
    /// - `self.running.borrow_mut().blend(&mean.to_vec(), ..)`.
    /// - `self.weight.reshape(&[1, -1, 1, 1])` keeps the history; `Tensor::new` would lose it.
    fn forward(&self, x: &Tensor) -> Tensor {
        let [n, c, h, w] = images(self, x, Some(self.weight.numel()));
        let count = n * h * w;
        assert!(
            !self.training || count > 1,
            "{}: got one value per channel in shape {}, expected more while training: use a larger \
             batch, or set_training(false)",
            self.name(),
            shape_text(x.shape())
        );
        todo!("batchnorm-forward")
    }

    fn parameters(&self) -> Vec<&Tensor> {
        vec![&self.weight, &self.bias]
    }

    fn parameters_mut(&mut self) -> Vec<&mut Tensor> {
        vec![&mut self.weight, &mut self.bias]
    }

    fn buffers(&self) -> Vec<Tensor> {
        let Running { mean, variance } = self.running();
        let channels = [self.weight.numel()];
        vec![Tensor::new(&mean, &channels), Tensor::new(&variance, &channels)]
    }

    fn set_buffers(&mut self, values: &mut dyn Iterator<Item = Tensor>) {
        if let (Some(mean), Some(variance)) = (values.next(), values.next()) {
            self.set_running(Running { mean: mean.to_vec(), variance: variance.to_vec() });
        }
    }

    fn set_training(&mut self, training: bool) {
        self.training = training;
    }
}

// %% nbgrader={"grade": true, "grade_id": "test-batchnorm-forward", "locked": true, "points": 10, "schema_version": 3, "solution": false, "task": false}
/// 🔬 Normal in training, remembered afterwards, gradients in both modes.
#[test]
fn test_unit_batchnorm_forward() {
    use tinytorch::autograd::check_gradient;
    use tinytorch::testing::assert_close;

    let mut rng = Rng::seeded(6);
    let x = Tensor::randn(&[8, 2, 3, 3], &mut rng) * 3.0 + 5.0;
    let mut norm = BatchNorm2d::new(2);
    let (mean, variance) = channel_statistics(&norm.forward(&x));
    assert_close(&mean.to_vec(), &[0.0, 0.0], 1e-4);
    assert_close(&variance.to_vec(), &[1.0, 1.0], 1e-3);
    let seen = norm.running();
    assert!((0.3..0.7).contains(&seen.mean[0]) && seen.variance[0] > 1.2, "{seen:?}");

    norm.set_training(false);
    norm.set_running(Running { mean: vec![1.0, 0.0], variance: vec![4.0, 1.0] });
    let one = norm.forward(&Tensor::new(&[5.0, 3.0], &[1, 2, 1, 1]));
    assert_close(&one.to_vec(), &[2.0, 3.0], 1e-4);
    assert_eq!(norm.running().mean, [1.0, 0.0], "no learning outside training");
    // A channel that never changes: 1 / sqrt(0 + 0.00001), so EPSILON stands below the root.
    norm.set_running(Running { mean: vec![0.0; 2], variance: vec![0.0; 2] });
    let flat = norm.forward(&Tensor::ones(&[1, 2, 1, 1]));
    assert_close(&flat.to_vec(), &[316.228; 2], 1e-2);

    let inputs =
        [x.slice(&[0..3, 0..2, 0..2, 0..3]), Tensor::rand(&[2], &mut rng), Tensor::ones(&[2])];
    for training in [true, false] {
        // Curved in x: a tolerance ten times that of a linear layer.
        let layer = |inputs: &[Tensor]| {
            let mut norm = BatchNorm2d::new(2);
            (norm.weight, norm.bias, norm.training) =
                (inputs[1].clone(), inputs[2].clone(), training);
            norm.forward(&inputs[0])
        };
        check_gradient(layer, &inputs, 1e-2);
    }
}

// %% [markdown] nbgrader={"grade": false, "grade_id": "spatial-network", "locked": true, "schema_version": 3, "solution": false, "task": false}
// ## 🎯 A network that reads digits

// %% nbgrader={"grade": false, "grade_id": "flatten-forward", "locked": false, "schema_version": 3, "solution": true, "task": false}
/// Images to rows: `(N, C, H, W)` becomes `(N, C * H * W)`.
pub struct Flatten;

impl Layer for Flatten {
    fn name(&self) -> String {
        "Flatten".to_owned()
    }

    /// Keeps the batch axis and joins the others.
    ///
    /// TODO: one reshape.
    ///
    /// APPROACH:
    /// 1. The first axis stays; the second is the product of all others.
    ///
    /// EXAMPLE: `(32, 16, 2, 2)` becomes `(32, 64)`.
    ///
    /// HINTS:
    /// - `x.shape()[1..].iter().product::<usize>()`; `reshape` takes `isize`.
    /// - A `-1` would do, but not for an empty batch: 0 numbers fit into rows of any length.
    fn forward(&self, x: &Tensor) -> Tensor {
        let shape = shape_text(x.shape());
        assert!(
            x.ndim() > 1,
            "Flatten: got shape {shape}, expected a batch axis and at least one more"
        );
        todo!("flatten-forward")
    }
}

// %% nbgrader={"grade": true, "grade_id": "test-flatten-forward", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
/// 🔬 Each image becomes one row, in the same order.
#[test]
fn test_unit_flatten() {
    let pixels: Vec<f32> = (0..16).map(|n| n as f32).collect();
    let rows = Flatten.forward(&Tensor::new(&pixels, &[2, 2, 2, 2]));
    assert_eq!((rows.shape(), rows.to_vec()), (&[2, 8][..], pixels));
    assert_eq!(Flatten.forward(&Tensor::ones(&[5, 3])).shape(), [5, 3]);
    assert_eq!(Flatten.forward(&Tensor::ones(&[0, 16, 2, 2])).shape(), [0, 64], "an empty batch");
}

// %% nbgrader={"grade": false, "grade_id": "simple-cnn", "locked": false, "schema_version": 3, "solution": true, "task": false}
/// Two rounds of convolution, ReLU and pooling, then one linear layer that decides.
pub struct SimpleCNN {
    /// The layers, in order.
    pub layers: Sequential,
}

impl SimpleCNN {
    /// For images of `channels x height x width`, with this many channels after each convolution.
    ///
    /// TODO: put eight layers into a [`Sequential`].
    ///
    /// APPROACH:
    /// 1. `Conv2d` with a 3x3 window and padding 1, so that the size stays; `ReLU`; `MaxPool2d` of
    ///    2.
    /// 2. The same again, from `widths[0]` to `widths[1]` channels.
    /// 3. `Flatten`, then `Linear` from `widths[1] * (height / 4) * (width / 4)` numbers to
    ///    `classes`.
    ///
    /// EXAMPLE: `new([1, 8, 8], [8, 16], 10, rng)` has 80 + 1,168 + 650 = 1,898 parameters.
    ///
    /// HINTS: `Sequential::new(vec![Box::new(..), ..])`. Pooling halves and rounds down, twice.
    pub fn new(
        [channels, height, width]: [usize; 3],
        widths: [usize; 2],
        classes: usize,
        rng: &mut Rng,
    ) -> Self {
        assert!(
            height >= 4 && width >= 4,
            "SimpleCNN: got images of {height}x{width}, expected at least 4x4: it halves them twice"
        );
        todo!("simple-cnn")
    }
}

// %% nbgrader={"grade": true, "grade_id": "test-simple-cnn", "locked": true, "points": 10, "schema_version": 3, "solution": false, "task": false}
/// 🔬 Shapes and parameters for digits and for colour images; a gradient for every parameter.
#[test]
fn test_unit_simple_cnn() {
    use tinytorch::autograd::{Backward, track};
    let mut rng = Rng::seeded(1);
    let mut net = SimpleCNN::for_digits(&mut rng);
    assert_eq!(net.forward(&Tensor::ones(&[5, 1, 8, 8])).shape(), [5, 10]);
    let sizes: Vec<usize> = net.parameters().iter().map(|p| p.numel()).collect();
    assert_eq!(sizes, [72, 8, 1152, 16, 640, 10]);
    let colour = SimpleCNN::new([3, 34, 32], [4, 6], 7, &mut rng);
    assert_eq!(colour.forward(&Tensor::ones(&[2, 3, 34, 32])).shape(), [2, 7]);

    track(net.parameters_mut());
    let x = Tensor::rand(&[4, 1, 8, 8], &mut rng);
    let gradients = net.forward(&x).sum().backward();
    for parameter in net.parameters() {
        let gradient = gradients.get(parameter).unwrap().to_vec();
        assert!(gradient.iter().any(|g| *g != 0.0), "{:?} learns nothing", parameter.shape());
    }
}

// %% nbgrader={"grade": false, "grade_id": "simple-cnn-layer", "locked": true, "schema_version": 3, "solution": false, "task": false}
impl SimpleCNN {
    /// For the digits: images `(N, 1, 8, 8)`, 8 and 16 channels, 10 classes.
    pub fn for_digits(rng: &mut Rng) -> Self {
        Self::new([1, 8, 8], [8, 16], 10, rng)
    }
}

impl Layer for SimpleCNN {
    fn name(&self) -> String {
        "SimpleCNN".to_owned()
    }

    fn forward(&self, x: &Tensor) -> Tensor {
        self.layers.forward(x)
    }

    fn parameters(&self) -> Vec<&Tensor> {
        self.layers.parameters()
    }

    fn parameters_mut(&mut self) -> Vec<&mut Tensor> {
        self.layers.parameters_mut()
    }

    fn buffers(&self) -> Vec<Tensor> {
        self.layers.buffers()
    }

    fn set_buffers(&mut self, values: &mut dyn Iterator<Item = Tensor>) {
        self.layers.set_buffers(values);
    }

    fn set_training(&mut self, training: bool) {
        self.layers.set_training(training);
    }
}

// %% [markdown] nbgrader={"grade": false, "grade_id": "spatial-measure", "locked": true, "schema_version": 3, "solution": false, "task": false}
// ## 📊 Measure

// %% nbgrader={"grade": false, "grade_id": "spatial-analyze-convolution-cost", "locked": true, "schema_version": 3, "solution": false, "task": false}
/// 📊 Purpose: see what a convolution costs, and that the order of the loops decides how fast it runs.
/// Measured: the time of one image through 8 -> 16 channels, by image and window size.
/// Key insight: the work grows with the area of the image and of the window; more work for each number
/// fetched makes better use of the processor.
/// Production context: this is why networks stack 3x3 windows, and why libraries tune this one loop.
pub fn analyze_convolution_cost(out: &mut Reporter) {
    let mut rng = Rng::seeded(1);
    let (mut work, mut measured, mut curves) = (vec![], vec![], vec![]);
    for kernel in [1, 3, 5, 7] {
        let conv = Conv2d::new(8, 16, Window::new(kernel).padding(kernel / 2), &mut rng);
        let mut curve = vec![];
        for side in [8, 16, 32, 64] {
            let x = Tensor::rand(&[1, 8, side, side], &mut rng);
            let flops = 2 * 8 * 16 * kernel * kernel * side * side;
            let spent = time(9, || conv.forward(&x));
            let names = [format!("{side}x{side}"), format!("{kernel}x{kernel}")];
            let [image, window] = names.map(Value::from);
            work.push(vec![image.clone(), window.clone(), flops.into()]);
            measured.push(vec![image, window, spent.into(), (flops as f64 / spent.median).into()]);
            curve.push((flops as f64, spent.median));
        }
        curves.push(Series::new(format!("{kernel}x{kernel}"), curve));
    }
    let heads = || vec![Column::plain("image"), Column::plain("window")];
    let formula = "2 x inputs x outputs x window area x places".to_owned();
    out.table(Table {
        title: "Work of one convolution, 8 -> 16 channels".into(),
        columns: [heads(), vec![Column::with_unit("work", "FLOP")]].concat(),
        rows: work,
        origin: Origin::Computed(formula),
    });
    let figures = vec![Column::with_unit("time", "s"), Column::with_unit("speed", "FLOP/s")];
    out.table(Table {
        title: "Time of one convolution, 8 -> 16 channels".into(),
        columns: [heads(), figures].concat(),
        rows: measured,
        origin: Origin::Measured,
    });
    out.chart(Chart {
        title: "Time over work, by window".into(),
        kind: ChartKind::Line,
        x: Axis::log("work", "FLOP"),
        y: Axis::log("time", "s"),
        series: curves,
        origin: Origin::Measured,
    });
    let ratio = reordering_gain(&mut rng);
    out.measured("window by window / weight by weight, 32x32 image, 3x3 window", ratio, "x");
    out.insight(format!(
        "Both orders do the same multiplications. Weight by weight takes 1/{ratio:.0} of the time: its \
         inner loop runs along memory, where window by window works out a place for each product."
    ));
}

/// How many times longer the same convolution takes with [`Grid::at`] than with [`Grid::convolve`].
fn reordering_gain(rng: &mut Rng) -> f64 {
    let Some(grid) = Grid::new(34, 3) else { return f64::NAN };
    let image = Tensor::rand(&[8, 34, 34], rng).to_vec();
    let kernels = Tensor::rand(&[16, 72], rng).to_vec();
    let places = grid.places.area();
    let by_window = time(5, || {
        let mut result = Vec::with_capacity(16 * places);
        for kernel in kernels.chunks_exact(72) {
            let columns = grid.places.columns;
            let corners = (0..places).map(|place| Pair::from((place / columns, place % columns)));
            result.extend(corners.map(|corner| grid.at(&image, kernel, corner)));
        }
        result
    });
    let by_weight = time(5, || {
        let mut result = vec![0.0; 16 * places];
        grid.convolve(&image, &kernels, &mut result);
        result
    });
    by_window.median / by_weight.median
}

// %% nbgrader={"grade": false, "grade_id": "spatial-analyze-feature-maps", "locked": true, "schema_version": 3, "solution": false, "task": false}
/// 📊 Purpose: look at what a convolution answers: a digit, and the images that come out.
/// Measured: the maps of four known edge filters, then those of a network trained on the digits.
/// Key insight: a map is bright where its question is answered with yes; training invents questions
/// of its own, and many turn out to be edges.
/// Production context: looking at maps is how people find out what a vision model reacts to.
pub fn analyze_feature_maps(out: &mut Reporter) {
    let Ok(Split { train, test }) = digits(DigitShape::Image) else {
        return out.insight("The digits could not be read: `doctor` checks the installation.");
    };
    let image = |n: usize| test.inputs().slice(&[n..n + 1, 0..1, 0..8, 0..8]);
    let class = |n: usize| test.targets().data()[n];
    let digit =
        (0..test.targets().numel()).find(|&n| class(n) == 4.0).map_or_else(|| image(0), image);
    picture(out, "the digit", &digit.data(), 8);

    let mut rng = Rng::seeded(1);
    let mut edges = Conv2d::without_bias(1, 4, Window::new(3).padding(1), &mut rng);
    #[rustfmt::skip]
    let filters = [
        -1., 0., 1., -2., 0., 2., -1., 0., 1.,
        -1., -2., -1., 0., 0., 0., 1., 2., 1.,
        0., 1., 2., -1., 0., 1., -2., -1., 0.,
        -1., -1., -1., -1., 8., -1., -1., -1., -1.,
    ];
    edges.weight = Tensor::new(&filters, &[4, 1, 3, 3]);
    let maps = ReLU.forward(&edges.forward(&digit));
    let names = ["left edges", "upper edges", "slanted edges", "every outline"];
    for (name, map) in names.iter().zip(maps.data().chunks_exact(64)) {
        picture(out, name, map, 8);
    }
    let halved = MaxPool2d::new(2).forward(&maps);
    picture(out, "left edges, after 2x2 max pooling", &halved.data()[..16], 4);

    let Ok(loader) = DataLoader::new(train, 32).map(|loader| loader.shuffled(1)) else { return };
    let net = SimpleCNN::for_digits(&mut rng);
    let mut trainer = Trainer::new(net, Adam::new(0.01), CrossEntropyLoss);
    for epoch in 0..3 {
        if let Err(error) = trainer.train_epoch(loader.epoch(epoch)) {
            return out.insight(error.to_string());
        }
        out.progress("training for three epochs", epoch as u64 + 1, 3);
    }
    match trainer.evaluate(&[(test.inputs().clone(), test.targets().clone())]) {
        Ok((_, Some(share))) => {
            out.measured("test digits read after 3 epochs", f64::from(share) * 100.0, "%");
        }
        Ok((_, None)) => {}
        Err(error) => return out.insight(error.to_string()),
    }
    let parameters = trainer.model.parameters();
    let [weight, bias] = [parameters[0].detach(), parameters[1].detach()];
    let learned = Conv2d { weight, bias: Some(bias), window: Window::new(3).padding(1) };
    let maps = ReLU.forward(&learned.forward(&digit));
    for (number, map) in maps.data().chunks_exact(64).enumerate().take(4) {
        picture(out, &format!("learned filter {}", number + 1), map, 8);
    }
    out.insight("Nobody told the learned filters what to look for: the loss did.");
}

fn picture(out: &mut Reporter, title: &str, pixels: &[f32], width: usize) {
    out.picture(Picture { title: title.to_owned(), width, pixels: pixels.to_vec() });
}

// %% nbgrader={"grade": false, "grade_id": "spatial-analyze-parameter-sharing", "locked": true, "schema_version": 3, "solution": false, "task": false}
/// 📊 Purpose: see what sharing one small window over the whole image saves.
/// Measured: the time of a convolution and of a dense layer from the same image to the same result.
/// Key insight: the dense layer needs a weight for each pair of pixels, so parameters grow with the
/// square of the area; those of the convolution do not grow at all.
/// Production context: a dense first layer on a 224x224 colour photograph would not fit in memory.
pub fn analyze_parameter_sharing(out: &mut Reporter) {
    let mut rng = Rng::seeded(1);
    let conv = Conv2d::new(1, 4, Window::new(3).padding(1), &mut rng);
    let (mut sizes, mut times, mut curves) = (vec![], vec![], [vec![], vec![]]);
    let mut last = (0.0, 0.0);
    for side in [8, 12, 16, 24, 32] {
        let pixels = side * side;
        let dense = Linear::new(pixels, 4 * pixels, &mut rng);
        let parameters = |layer: &dyn Layer| layer.parameters().iter().map(|p| p.numel()).sum();
        let counts: [usize; 2] = [parameters(&conv), parameters(&dense)];
        let x = Tensor::rand(&[8, 1, side, side], &mut rng);
        let flat = x.reshape(&[8, -1]);
        let spent = [time(7, || conv.forward(&x)), time(7, || dense.forward(&flat))];
        let name = || Value::from(format!("{side}x{side}"));
        let ratio = counts[1] as f64 / counts[0] as f64;
        last = (ratio, spent[1].median / spent[0].median);
        sizes.push(vec![name(), counts[0].into(), counts[1].into(), ratio.into()]);
        times.push(vec![name(), spent[0].into(), spent[1].into(), last.1.into()]);
        for (curve, count) in curves.iter_mut().zip(counts) {
            curve.push((side as f64, count as f64));
        }
    }
    let columns = |unit: &str| {
        let figure = |name: &str| Column::with_unit(name, unit);
        let ratio = Column::with_unit("dense / convolution", "x");
        vec![Column::plain("image"), figure("convolution"), figure("dense"), ratio]
    };
    let counted = "outputs x (inputs x 9 + 1), and 4 x pixels x (pixels + 1)";
    let counted = || Origin::Computed(counted.to_owned());
    out.table(Table {
        title: "Parameters, one channel to four".into(),
        columns: columns(""),
        rows: sizes,
        origin: counted(),
    });
    out.table(Table {
        title: "Time for a batch of 8".into(),
        columns: columns("s"),
        rows: times,
        origin: Origin::Measured,
    });
    let [shared, dense] = curves;
    out.chart(Chart {
        title: "Parameters over the side of the image".into(),
        kind: ChartKind::Line,
        x: Axis::log("side in pixels", ""),
        y: Axis::log("parameters", ""),
        series: vec![Series::new("convolution", shared), Series::new("dense", dense)],
        origin: counted(),
    });
    out.measured("time, dense / convolution, 32x32", last.1, "x");
    out.insight(format!(
        "At 32x32 the dense layer has {:.0} times the parameters for a result of the same size. Each \
         of its weights must be learned from examples of that one place.",
        last.0
    ));
}

// %% [markdown] nbgrader={"grade": false, "grade_id": "spatial-module-test", "locked": true, "schema_version": 3, "solution": false, "task": false}
// ## 🧪 Module test

// %% nbgrader={"grade": true, "grade_id": "test-spatial-module", "locked": true, "points": 20, "schema_version": 3, "solution": false, "task": false}
/// 🧪 A network with every layer of this module learns to tell upright bars from lying ones, wherever
/// they stand, and keeps its answers when training is over.
#[test]
fn test_module() {
    use tinytorch::autograd::{Backward, track};
    use tinytorch::losses::Loss;
    use tinytorch::optimizers::Optimizer;
    use tinytorch::testing::assert_close;

    let bars = |count: usize, rng: &mut Rng| {
        let (mut pixels, mut classes) = (Vec::new(), Vec::new());
        for n in 0..count {
            let place = rng.below(8);
            let lit =
                |pixel: usize| if n % 2 == 0 { pixel % 8 == place } else { pixel / 8 == place };
            pixels.extend((0..64).map(|pixel| f32::from(lit(pixel)) + 0.1 * rng.normal()));
            classes.push((n % 2) as f32);
        }
        (Tensor::new(&pixels, &[count, 1, 8, 8]), Tensor::new(&classes, &[count]))
    };
    let rng = &mut Rng::seeded(1);
    let mut net = Sequential::new(vec![
        Box::new(Conv2d::without_bias(1, 4, Window::new(3).padding(1), rng)),
        Box::new(BatchNorm2d::new(4)),
        Box::new(ReLU),
        Box::new(MaxPool2d::new(2)),
        Box::new(Conv2d::new(4, 4, 2, rng)),
        Box::new(ReLU),
        Box::new(AvgPool2d::new(3)),
        Box::new(Flatten),
        Box::new(Linear::new(4, 2, rng)),
    ]);
    track(net.parameters_mut());
    assert_eq!(net.parameters().len(), 7, "six layers' worth: 1 + 2 + 2 + 2 tensors");
    let mut adam = Adam::new(0.03);
    let mut losses = Vec::new();
    for _ in 0..60 {
        let (x, classes) = bars(24, rng);
        let loss = CrossEntropyLoss.forward(&net.forward(&x), &classes);
        losses.push(loss.item());
        adam.step(net.parameters_mut(), &loss.backward());
    }
    assert!(losses[59] < losses[0] / 2.0, "{losses:?}");

    net.set_training(false);
    let (x, classes) = bars(60, rng);
    let scores = net.forward(&x);
    let right = |n: &usize| scores.argmax_axis(1)[*n] as f32 == classes.data()[*n];
    let right = (0..60).filter(right).count();
    assert!(right >= 54, "{right} of 60 bars told apart");
    let alone = net.forward(&x.slice(&[0..1, 0..1, 0..8, 0..8]));
    assert_close(&alone.data(), &scores.data()[..2], 1e-4);
}

// %% nbgrader={"grade": false, "grade_id": "spatial-main", "locked": true, "schema_version": 3, "solution": false, "task": false}
/// Runs every analysis of this module.
pub fn main() {
    let out = &mut Reporter::stdout();
    analyze_convolution_cost(out);
    analyze_feature_maps(out);
    analyze_parameter_sharing(out);
}
