// ---
// jupyter:
//   jupytext:
//     text_representation:
//       extension: .rs
//       format_name: percent
//       format_version: '1.3'
//   kernelspec:
//     display_name: Rust
//     language: rust
//     name: rust
// ---

// %% nbgrader={"grade": false, "grade_id": "spatial-header", "locked": true, "schema_version": 3, "solution": false, "task": false}
//! Module 09, Spatial: convolution, pooling and batch normalization for images.
//!
//! Input: images `(N, C, H, W)`, batch first. Output: feature maps, or class scores. For a 3x3 kernel,
//! `out[o][i][j] = bias[o] + sum over c, r, s of weight[o][c][r][s] * x[c][i + r][j + s]`.
//! By hand: the kernel `[[1, 0], [0, 1]]` on `[[1, 2], [3, 4]]` gives `1 + 4 = 5`.
//!
//! Builds on 01 (`Tensor`), 02 (`ReLU`), 03 (`Layer`, `Linear`), 05 (`custom`: an operation with a gradient rule), and
//! on given geometry, `tinytorch::planes`. Not here: faster convolutions (18).

use std::cell::RefCell;
use std::error::Error;

use tinytorch::activations::ReLU;
use tinytorch::autograd::{GradientRule, InputGradients, custom, grad_for};
use tinytorch::backend;
use tinytorch::dataloader::{DataLoader, Dataset, DigitShape, TensorDataset, digits};
use tinytorch::explore::Explorer;
use tinytorch::insights::spatial::*;
use tinytorch::layers::{Layer, Linear, Sequential};
use tinytorch::losses::CrossEntropyLoss;
use tinytorch::optimizers::Adam;
use tinytorch::planes::{EDGES, KERNELS, channel_sums, dot, image_sizes, shifted};
pub use tinytorch::planes::{Grid, Pair, Window};
use tinytorch::random::Rng;
use tinytorch::report::{Axis, Reporter, Series, Value};
use tinytorch::tensor::{Tensor, shape_text, values};
use tinytorch::testing::{compare, quartiles, sample_error, time};
use tinytorch::training::{CosineSchedule, Trainer};

// %% [markdown] nbgrader={"grade": false, "grade_id": "spatial-intro", "locked": true, "schema_version": 3, "solution": false, "task": false}
// # 🎯 Spatial
//
// You write a convolution in small steps, its gradient, pooling, batch normalization, and a network that reads digits.

// %% [markdown] nbgrader={"grade": false, "grade_id": "conv-geometry", "locked": true, "schema_version": 3, "solution": false, "task": false}
// ## The size of the output

// %% nbgrader={"grade": false, "grade_id": "conv-output-size", "locked": false, "schema_version": 3, "solution": true, "task": false}
/// The number of output positions of a window along one axis; `None` if the window does not fit.
///
/// TODO: count the positions.
///
/// APPROACH:
/// 1. Padding is added on both sides: the axis gets longer by twice the padding.
/// 2. The first position is 0. Each further one needs `stride` of the pixels behind the window; round down.
///
/// EXAMPLE: `output_size(8, 3, 1, 0)` is `Some(6)`, with padding 1 `Some(8)`, and with stride 2 as well `Some(4)`.
///
/// HINTS: `checked_sub` and `checked_div` return `None` where the operators would panic, and `?` passes the `None`
/// on. A stride of 0 is `None` too.
pub fn output_size(input: usize, kernel: usize, stride: usize, padding: usize) -> Option<usize> {
    // BEGIN SOLUTION
    let room = (input + 2 * padding).checked_sub(kernel)?;
    Some(room.checked_div(stride)? + 1)
    // END SOLUTION
}

// %% nbgrader={"grade": true, "grade_id": "test-conv-output-size", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
/// 🔬 Plain, padded, strided, with a remainder, and a window that does not fit.
#[test]
fn test_unit_output_size() {
    use tinytorch::testing::expect_call;

    let rounded = "round down: a remainder that is too short for a step is not used";
    for (input, kernel, stride, padding, wanted, idea) in [
        (8, 3, 1, 0, Some(6), "count the positions: the first one, and one more for each step"),
        (8, 3, 1, 1, Some(8), "padding is added on both sides"),
        (8, 3, 2, 1, Some(4), rounded),
        (3, 5, 1, 0, None, "a window that is larger than the image does not fit"),
        (3, 5, 1, 1, Some(1), "padding is added before the window is laid on"),
        (8, 3, 0, 0, None, "a stride of 0 never gets to the end"),
    ] {
        let call = format!("output_size({input}, {kernel}, {stride}, {padding})");
        expect_call(call, || output_size(input, kernel, stride, padding), wanted, idea);
    }
}

// %% nbgrader={"grade": false, "grade_id": "spatial-debug", "locked": false, "schema_version": 3, "solution": true, "task": false}
/// The receptive field along one axis: how many pixels of the image one output of the last layer depends on. `layers`
/// gives the kernel size and the stride of each, first layer first.
///
/// TODO: Find the fault in these lines, which a colleague wrote, and write them correctly. They are right while
/// each stride is 1. For the layers of this module's network, (3, 1), (2, 2), (3, 1), (2, 2), they give 13, not 10.
///
/// ```text
/// let (mut field, mut distance) = (1, 1);
/// for &(kernel, stride) in layers {
///     distance *= stride;
///     field += (kernel - 1) * distance;
/// }
/// field
/// ```
///
/// APPROACH: A kernel covers neighbours in the input of its layer. Which line knows how far apart those are?
///
/// EXAMPLE: A layer of 3x3 sees 3 pixels. With a stride of 2 it still sees 3, and the layer of 3x3 after it 7.
///
/// HINTS: The four numbers of the lesson's table are a test that you can do by hand.
#[must_use]
pub fn receptive_field(layers: &[(usize, usize)]) -> usize {
    // BEGIN SOLUTION
    let (mut field, mut distance) = (1, 1);
    for &(kernel, stride) in layers {
        field += (kernel - 1) * distance;
        distance *= stride;
    }
    field
    // END SOLUTION
}

// %% nbgrader={"grade": true, "grade_id": "test-spatial-debug", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
/// 🔬 Layers with a stride of 1, then strides: each counts for the layers after it.
#[test]
fn test_unit_receptive_field() {
    use tinytorch::testing::expect_eq;

    let size = "each layer adds its kernel size less one; without a layer, one pixel sees itself";
    let stride =
        "a stride does not make the windows of its layer larger: it counts for the layers after it";
    let product =
        "strides multiply: after two layers with a stride of 2, neighbours are 4 pixels apart";
    for (layers, wanted, idea) in [
        (&[][..], 1, size),
        (&[(5, 1), (1, 1), (3, 1)], 7, size),
        (&[(3, 2), (3, 1)], 7, stride),
        (&[(3, 1), (2, 2), (3, 1), (2, 2)], 10, stride),
        (&[(3, 2), (3, 2), (3, 2)], 15, product),
    ] {
        expect_eq(format!("layers {layers:?}"), receptive_field(layers), wanted, idea);
    }
}

// %% nbgrader={"grade": false, "grade_id": "spatial-grid", "locked": true, "schema_version": 3, "solution": false, "task": false}
/// The geometry of `window` on images of this size; `None` if the window does not fit.
pub fn grid_of(image: impl Into<Pair>, window: impl Into<Window>) -> Option<Grid> {
    Grid::new(image, window, output_size)
}

// %% nbgrader={"grade": false, "grade_id": "conv-pad", "locked": false, "schema_version": 3, "solution": true, "task": false}
/// Pads planes of size `grid.image`, one after another, with a border of `fill`.
///
/// TODO: copy each row into the middle of a larger plane.
///
/// APPROACH:
/// 1. Make a `Vec` of `fill` with `padded.area()` numbers for each plane.
/// 2. Planes and padded planes side by side: skip the rows of the border, then copy each row behind the left border.
///
/// EXAMPLE: With padding 1, the plane `1 2 | 3 4` becomes `0 0 0 0 | 0 1 2 0 | 0 3 4 0 | 0 0 0 0`.
///
/// HINTS: `chunks_exact` and `chunks_exact_mut` cut planes, and planes into rows; `copy_from_slice` copies rows.
pub fn pad(grid: &Grid, planes: &[f32], fill: f32) -> Vec<f32> {
    // BEGIN SOLUTION
    let (top, left) = (grid.window.padding.rows, grid.window.padding.columns);
    let (width, wide) = (grid.image.columns, grid.padded.columns);
    let count = planes.len() / grid.image.area();
    let mut padded = vec![fill; count * grid.padded.area()];
    let targets = padded.chunks_exact_mut(grid.padded.area());
    for (plane, target) in planes.chunks_exact(grid.image.area()).zip(targets) {
        let rows = target.chunks_exact_mut(wide).skip(top);
        for (row, target) in plane.chunks_exact(width).zip(rows) {
            target[left..left + width].copy_from_slice(row);
        }
    }
    padded
    // END SOLUTION
}

// %% nbgrader={"grade": true, "grade_id": "test-conv-pad", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
/// 🔬 Every plane has a border of its own, as wide as asked for on each axis.
#[test]
fn test_unit_pad() {
    use tinytorch::testing::expect_call_close;

    let each = "each plane has a border of its own: rows above and below, columns left and right";
    #[rustfmt::skip]
    let wanted = [
        0., 0., 0., 0., 0., 0., 0., 0., 1., 2., 0., 0., 0., 0., 3., 4., 0., 0., 0., 0., 0., 0., 0., 0.,
        0., 0., 0., 0., 0., 0., 0., 0., 5., 6., 0., 0., 0., 0., 7., 8., 0., 0., 0., 0., 0., 0., 0., 0.,
    ];
    let filled = wanted.map(|pixel| if pixel == 0.0 { 9.0 } else { pixel });
    let border = "the border is made of `fill`";
    for (fill, wanted, idea) in [(0.0, wanted, each), (9.0, filled, border)] {
        let grid = grid_of(2, Window::new(1).padding((1, 2))).unwrap();
        let planes = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0];
        let input = format!("1 2 | 3 4 and 5 6 | 7 8, padding 1 down and 2 across, fill {fill}");
        expect_call_close(input, || pad(&grid, &planes, fill), &wanted, 0.0, idea);
    }
}

// %% [markdown] nbgrader={"grade": false, "grade_id": "conv-sliding", "locked": true, "schema_version": 3, "solution": false, "task": false}
// ## The convolution

// %% nbgrader={"grade": false, "grade_id": "conv-naive", "locked": false, "schema_version": 3, "solution": true, "task": false}
/// One number of the output: each weight times the pixel under it, summed over all channels. `image` holds padded
/// planes, `kernel` a plane of weights for each; the window's upper left corner is at `corner` of the padded image.
///
/// TODO: multiply and add, in three nested loops: channels, rows and columns of the kernel.
///
/// HINTS: Planes and kernels are flat: row `r`, column `c` of a plane of width `w` has the index `r * w + c`. An
/// image's plane is as wide as the padded image.
pub fn weighted_sum(grid: &Grid, image: &[f32], kernel: &[f32], corner: Pair) -> f32 {
    // BEGIN SOLUTION
    let Pair { rows, columns } = grid.window.kernel;
    let mut sum = 0.0;
    for (channel, plane) in image.chunks_exact(grid.padded.area()).enumerate() {
        for row in 0..rows {
            for column in 0..columns {
                let weight = kernel[(channel * rows + row) * columns + column];
                let (down, across) = (corner.rows + row, corner.columns + column);
                sum += weight * plane[down * grid.padded.columns + across];
            }
        }
    }
    sum
    // END SOLUTION
}

/// Convolves one padded image with all kernels, output position by output position. Adds to `result`, which holds one
/// plane of `output.area()` numbers for each kernel, and already the bias.
///
/// TODO: call [`weighted_sum`] for every kernel and every output position.
///
/// APPROACH:
/// 1. Cut `kernels` into chunks: a kernel has one weight for each channel (`image.len()` divided by `padded.area()`)
///    and kernel position.
/// 2. Three nested loops: kernel, output row, output column. The corner moves by the stride: rows and columns by
///    their own.
///
/// EXAMPLE: The kernels `[1, 0, 0, 1]` and `[0, 1, -1, 0]` of 2x2 on `1 2 3 | 4 5 6` give `[6, 8]` and `[-2, -2]`.
pub fn convolve_naive(grid: &Grid, image: &[f32], kernels: &[f32], result: &mut [f32]) {
    // BEGIN SOLUTION
    let size = image.len() / grid.padded.area() * grid.window.kernel.area();
    let planes = result.chunks_exact_mut(grid.output.area());
    for (kernel, plane) in kernels.chunks_exact(size).zip(planes) {
        for row in 0..grid.output.rows {
            for column in 0..grid.output.columns {
                let Pair { rows, columns } = grid.window.stride;
                let corner = (row * rows, column * columns).into();
                plane[row * grid.output.columns + column] +=
                    weighted_sum(grid, image, kernel, corner);
            }
        }
    }
    // END SOLUTION
}

// %% nbgrader={"grade": true, "grade_id": "test-conv-naive", "locked": true, "points": 10, "schema_version": 3, "solution": false, "task": false}
/// 🔬 One output by hand, with one channel, two, and padding; then two kernels, a bias and strides.
#[test]
fn test_unit_convolve_naive() {
    use tinytorch::testing::{expect_call, expect_written};

    let six = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0];
    let sum = |grid: Option<Grid>, image: &[f32], kernel: &[f32], wanted: f32, idea: &str| {
        let input = format!("weights {kernel:?} of 2x2 on {image:?}, corner (0, 1)");
        let sum = || weighted_sum(&grid.unwrap(), image, kernel, (0, 1).into());
        expect_call(input, sum, wanted, idea);
    };
    let plain = grid_of((2, 3), 2);
    let idea = "the pixel under a weight is as far from the corner of the window as the weight is from the first";
    sum(plain, &six, &[1.0, 0.0, 0.0, 1.0], 2.0 + 6.0, idea);
    let idea = "weights are stored row by row: the kernel is neither flipped nor transposed";
    sum(plain, &six, &[0.0, 0.0, 1.0, 2.0], 5.0 + 12.0, idea);
    let idea = "sum over all channels, each with its own plane of weights";
    let kernels = [1.0, 0.0, 0.0, 1.0, 0.0, 1.0, -1.0, 0.0];
    let two = [six, six.map(|n| 10.0 * n)].concat();
    sum(plain, &two, &kernels, 2.0 + 6.0 + 30.0 - 50.0, idea);
    // 1x2, padded to 3x4: the rows of the padded plane are 4 long, those of the image 2.
    let padded = grid_of((1, 2), Window::new(2).padding(1));
    let plane = [0.0, 0.0, 0.0, 0.0, 0.0, 1.0, 2.0, 0.0, 0.0, 0.0, 0.0, 0.0];
    let idea = "a row of a padded plane is as long as the padded image";
    sum(padded, &plane, &[0.0, 0.0, 3.0, 5.0], 3.0 + 10.0, idea);

    let check = |grid: Option<Grid>, image: &[f32], kernels: &[f32], bias, wanted: &[f32], idea| {
        let convolve = |result: &mut [f32]| convolve_naive(&grid.unwrap(), image, kernels, result);
        let input = format!("kernels {kernels:?} on {image:?}, {:?}", grid.unwrap().window);
        expect_written(input, bias, convolve, wanted, idea);
    };
    let idea = "each kernel makes a plane of its own";
    check(plain, &six, &kernels, 0.0, &[6.0, 8.0, -2.0, -2.0], idea);
    let idea = "add to the result: it holds the bias already";
    check(plain, &six, &kernels, 100.0, &[106.0, 108.0, 98.0, 98.0], idea);
    let strided = grid_of((2, 3), Window::new(1).stride((1, 2)));
    let idea = "the corner moves by the stride, rows and columns by their own";
    check(strided, &six, &[1.0], 0.0, &[1.0, 3.0, 4.0, 6.0], idea);
    let idea = "a kernel has a weight for each channel and kernel position";
    check(grid_of((1, 2), 1), &[1.0, 2.0, 30.0, 40.0], &[1.0, 0.5], 0.0, &[16.0, 22.0], idea);
}

// %% nbgrader={"grade": false, "grade_id": "conv-unfold", "locked": false, "schema_version": 3, "solution": true, "task": false}
/// The pixels that one weight is multiplied with: the pixel under `position` for every output position, row by row.
/// It is one row of the matrix that PyTorch's `unfold` makes (also called im2col).
///
/// TODO: fill `unfolded` from the padded plane.
///
/// APPROACH: `unfolded` has one row of `output.columns` numbers for each of [`Grid::row_starts`]. In each, begin at
/// the start and take every `stride.columns`-th pixel.
///
/// EXAMPLE: On the plane `1 2 3 | 4 5 6 | 7 8 9`, kernel position (0, 1) of a 2x2 window gives `[2, 3, 5, 6]`.
///
/// HINTS: `step_by` skips pixels. `zip` ends with the shorter side, so it stops when the row is full.
pub fn unfold_row(grid: &Grid, plane: &[f32], position: Pair, unfolded: &mut [f32]) {
    // BEGIN SOLUTION
    let rows = unfolded.chunks_exact_mut(grid.output.columns);
    for (row, start) in rows.zip(grid.row_starts(position)) {
        let pixels = plane[start..].iter().step_by(grid.window.stride.columns);
        for (value, pixel) in row.iter_mut().zip(pixels) {
            *value = *pixel;
        }
    }
    // END SOLUTION
}

// %% nbgrader={"grade": true, "grade_id": "test-conv-unfold", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
/// 🔬 Each kernel position has its own part of the plane, also with strides.
#[test]
fn test_unit_unfold_row() {
    use tinytorch::testing::expect_written;

    let plane: Vec<f32> = (1..=20).map(|n| n as f32).collect();
    let rows = "start each row of the output at its own of `row_starts`: kernel position and stride are in it";
    let columns = "in a row, take every `stride.columns`-th pixel";
    for (image, stride, position, wanted, idea) in [
        ((3, 3), (1, 1), (0, 1), [2.0, 3.0, 5.0, 6.0], rows),
        ((4, 5), (2, 3), (1, 0), [6.0, 9.0, 16.0, 19.0], columns),
    ] {
        let grid = grid_of(image, Window::new(2).stride(stride)).unwrap();
        let pixels = &plane[..grid.image.area()];
        let unfold = |unfolded: &mut [f32]| unfold_row(&grid, pixels, position.into(), unfolded);
        let input = format!("1, 2, 3, ... as {image:?}, {:?}, position {position:?}", grid.window);
        expect_written(input, 9.0, unfold, &wanted, idea);
    }
}

// %% nbgrader={"grade": false, "grade_id": "conv-loops", "locked": false, "schema_version": 3, "solution": true, "task": false}
/// Convolves one padded image with all kernels. Adds to `result`, which holds one plane of `output.area()` numbers
/// for each kernel, and already the bias.
///
/// TODO: for each weight of a kernel, unfold once, then add to every kernel's plane of the result.
///
/// APPROACH:
/// 1. For each of [`Grid::weights`], fill a buffer with [`unfold_row`].
/// 2. For each kernel and its plane of the result, add the kernel's weight times the buffer, number by number.
///
/// EXAMPLE: Every number equals the one of [`convolve_naive`]; the test compares them all.
///
/// HINTS: Make the buffer once, before the loops. Let the innermost loop run over two slices with `zip`: the compiler
/// turns it into SIMD instructions, which handle 4 or 8 numbers at a time.
pub fn convolve(grid: &Grid, image: &[f32], kernels: &[f32], result: &mut [f32]) {
    // BEGIN SOLUTION
    let size = image.len() / grid.padded.area() * grid.window.kernel.area();
    let mut unfolded = vec![0.0; grid.output.area()];
    for (index, plane, position) in grid.weights(image) {
        unfold_row(grid, plane, position, &mut unfolded);
        let planes = result.chunks_exact_mut(grid.output.area());
        for (kernel, plane) in kernels.chunks_exact(size).zip(planes) {
            let weight = kernel[index];
            for (value, pixel) in plane.iter_mut().zip(&unfolded) {
                *value += weight * pixel;
            }
        }
    }
    // END SOLUTION
}

// %% nbgrader={"grade": true, "grade_id": "test-conv-loops", "locked": true, "points": 15, "schema_version": 3, "solution": false, "task": false}
/// 🔬 The reordered loops give the same sums as the naive ones, in the other order.
#[test]
fn test_unit_convolve() {
    use tinytorch::testing::{expect_close, expect_written, panic_message};

    let mut rng = Rng::seeded(3);
    let grid = grid_of((5, 6), Window::new((2, 3)).stride((1, 2))).unwrap();
    for (channels, kernels, bias, idea) in [
        (1, 1, 0.0, "each weight times its own unfolded pixels, over all kernel positions"),
        (2, 1, 0.0, "every channel has weights of its own"),
        (2, 3, 0.0, "every kernel adds to its own plane, with its own weight"),
        (1, 1, 0.5, "add to the result: it holds the bias already"),
    ] {
        let image = Tensor::randn(&[channels, 5, 6], &mut rng).to_vec();
        let weights = Tensor::randn(&[kernels, channels, 6], &mut rng).to_vec();
        let mut wanted = vec![bias; kernels * grid.output.area()];
        convolve_naive(&grid, &image, &weights, &mut wanted);
        let reordered = |result: &mut [f32]| convolve(&grid, &image, &weights, result);
        let input = format!("{channels} channels, {kernels} kernels, window 2x3, stride 1 and 2");
        expect_written(input, bias, reordered, &wanted, idea);
    }
    // This output is too tall for its image: the pixels of the second weight end outside of the plane. What is in the
    // result when that is reached shows the order of the loops.
    let grid = Grid { output: (4, 1).into(), ..grid_of((3, 1), (2, 1)).unwrap() };
    let (mut result, input) = ([0.0; 4], "1 2 3 and weights 1 1, before the second weight");
    let panic = panic_message(|| convolve(&grid, &[1.0, 2.0, 3.0], &[1.0, 1.0], &mut result));
    if panic.contains("out of") {
        let idea = "weight by weight: one weight at every output position, before the next weight";
        expect_close(input, &result[..3], &[1.0, 2.0, 3.0], 0.0, idea);
    }
}

// %% [markdown] nbgrader={"grade": false, "grade_id": "conv-layer", "locked": true, "schema_version": 3, "solution": false, "task": false}
// ## The layer

// %% nbgrader={"grade": false, "grade_id": "conv-types", "locked": true, "schema_version": 3, "solution": false, "task": false}
/// A convolution: `weight` of shape `(outputs, inputs, rows, columns)`, `bias` of shape `(outputs)`.
#[derive(Debug, Clone)]
pub struct Conv2d {
    /// One kernel for each output channel.
    pub weight: Tensor,
    /// What is added to each output channel.
    pub bias: Option<Tensor>,
    /// The size of a kernel, its stride and its padding.
    pub window: Window,
}

/// The gradient rule of a convolution; it calls what you write in the next part.
struct ConvRule(Grid);

// %% nbgrader={"grade": false, "grade_id": "conv-forward", "locked": false, "schema_version": 3, "solution": true, "task": false}
impl Layer for Conv2d {
    fn name(&self) -> String {
        let (Pair { rows, columns }, shape) = (self.window.kernel, self.weight.shape());
        format!("Conv2d({} -> {}, {rows}x{columns})", shape[1], shape[0])
    }

    /// Images `(N, inputs, H, W)` to feature maps `(N, outputs, output rows, output columns)`.
    ///
    /// TODO: pad the batch, fill each plane of the result with its bias, convolve image by image.
    ///
    /// APPROACH:
    /// 1. [`pad`] with 0 pads all planes of the batch at once.
    /// 2. Make `result`: for each image and output channel, `output.area()` times its bias, or 0 without a bias.
    /// 3. Give [`convolve`] each padded image with its part of `result`.
    ///
    /// EXAMPLE: `Conv2d::new(3, 16, Window::new(3).padding(1), rng)` turns `(2, 3, 32, 32)` into `(2, 16, 32, 32)`.
    ///
    /// HINTS: `Tensor::data` is a slice: that of `weight` holds all kernels, one after another. `cycle` repeats.
    fn forward(&self, x: &Tensor) -> Tensor {
        let outputs = self.weight.shape()[0];
        let (grid, [n, inputs]) = grid_for(self, x, self.window, Some(self.weight.shape()[1]));
        let parts: Vec<&Tensor> = [x, &self.weight].into_iter().chain(&self.bias).collect();
        let fast = backend::convolve(&grid, parts.iter().map(|part| part.array()));
        let result: Vec<f32> = fast.unwrap_or_else(|| {
            // BEGIN SOLUTION
            let padded = pad(&grid, &x.data(), 0.0);
            let mut result = vec![0.0; n * outputs * grid.output.area()];
            if let Some(bias) = &self.bias {
                let bias = bias.data();
                let planes = result.chunks_exact_mut(grid.output.area());
                planes.zip(bias.iter().cycle()).for_each(|(plane, bias)| plane.fill(*bias));
            }
            let kernels = self.weight.data();
            let targets = result.chunks_exact_mut(outputs * grid.output.area());
            for (image, target) in padded.chunks_exact(inputs * grid.padded.area()).zip(targets) {
                convolve(&grid, image, &kernels, target);
            }
            result
            // END SOLUTION
        });
        let result = values(result, &[n, outputs, grid.output.rows, grid.output.columns]);
        custom("conv2d", result, &parts, ConvRule(grid))
    }

    fn parameters(&self) -> Vec<&Tensor> {
        std::iter::once(&self.weight).chain(&self.bias).collect()
    }

    fn parameters_mut(&mut self) -> Vec<&mut Tensor> {
        std::iter::once(&mut self.weight).chain(&mut self.bias).collect()
    }
}

// %% nbgrader={"grade": true, "grade_id": "test-conv-forward", "locked": true, "points": 15, "schema_version": 3, "solution": false, "task": false}
/// 🔬 Two kernels by hand, a bias for each channel, every image of the batch, and padding.
#[test]
fn test_unit_conv_forward() {
    use tinytorch::testing::expect_call_close;

    let check = |conv: Conv2d, x: &Tensor, wanted: &[f32], idea: &str| {
        let bias = conv.bias.as_ref().map(Tensor::to_vec);
        let input = format!("{}, bias {bias:?}, on images {:?}", conv.name(), x.data());
        expect_call_close(input, || conv.forward(x).to_vec(), wanted, 0.0, idea);
    };
    let weight = Tensor::new(&[1.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 2.0], &[2, 1, 2, 2]);
    let pixels = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 0.0, 0.0, 0.0, 0.0, 1.0, 1.0];
    let (x, bias) = (Tensor::new(&pixels, &[2, 1, 2, 3]), Tensor::new(&[0.0, 10.0], &[2]));
    let idea = "convolve every image of the batch into its own part of the result";
    let conv = Conv2d::from_weights(weight.clone(), None, 2);
    check(conv, &x, &[6.0, 8.0, 10.0, 12.0, 1.0, 1.0, 2.0, 2.0], idea);
    let idea = "each output channel begins with its own bias, in every image";
    let conv = Conv2d::from_weights(weight, Some(bias), 2);
    check(conv, &x, &[6.0, 8.0, 20.0, 22.0, 1.0, 1.0, 12.0, 12.0], idea);
    let nine = Conv2d::from_weights(Tensor::ones(&[1, 1, 3, 3]), None, Window::new(3).padding(1));
    check(nine, &Tensor::ones(&[1, 1, 2, 2]), &[4.0; 4], "pad with 0 before convolving");
}

// %% [markdown] nbgrader={"grade": false, "grade_id": "conv-backward", "locked": true, "schema_version": 3, "solution": false, "task": false}
// ## The gradients

// %% nbgrader={"grade": false, "grade_id": "conv-weight-gradient", "locked": false, "schema_version": 3, "solution": true, "task": false}
/// Adds one image's part to the gradient of all kernels. `grad_output` holds one plane for each kernel.
///
/// TODO: each weight collects the pixels that it was multiplied with, times the gradients of their sums.
///
/// APPROACH: The same loops as in [`convolve`]; but for each kernel and its plane of `grad_output`, add the [`dot`]
/// product of that plane and the unfolded pixels to this weight's gradient.
///
/// EXAMPLE: A 1x1 kernel on the image `[3, 4]` with the upstream gradient `[1, 10]` has the gradient `3 + 40 = 43`.
///
/// HINTS: `grad_weight` is cut like the kernels. `dot` is given.
pub fn weight_gradient(grid: &Grid, grad_output: &[f32], image: &[f32], grad_weight: &mut [f32]) {
    // BEGIN SOLUTION
    let size = image.len() / grid.padded.area() * grid.window.kernel.area();
    let mut unfolded = vec![0.0; grid.output.area()];
    for (index, plane, position) in grid.weights(image) {
        unfold_row(grid, plane, position, &mut unfolded);
        let grad_planes = grad_output.chunks_exact(grid.output.area());
        for (kernel, grad_plane) in grad_weight.chunks_exact_mut(size).zip(grad_planes) {
            kernel[index] += dot(&unfolded, grad_plane);
        }
    }
    // END SOLUTION
}

// %% nbgrader={"grade": true, "grade_id": "test-conv-weight-gradient", "locked": true, "points": 10, "schema_version": 3, "solution": false, "task": false}
/// 🔬 Each weight's gradient by hand; the parts of several images add up.
#[test]
fn test_unit_weight_gradient() {
    use tinytorch::testing::expect_written;

    let check = |grid: Option<Grid>, image: &[f32], grad: &[f32], start, wanted: &[f32], idea| {
        let gradient = |g: &mut [f32]| weight_gradient(&grid.unwrap(), grad, image, g);
        let input = format!("image {image:?}, grad_output {grad:?}");
        expect_written(input, start, gradient, wanted, idea);
    };
    let (one, two) = (grid_of((1, 2), 1), grid_of((1, 3), (1, 2)));
    let idea = "a weight collects its pixels, each times the gradient of the sum that it went into";
    check(one, &[3.0, 4.0], &[1.0, 10.0], 0.0, &[43.0], idea);
    let idea = "the images of a batch add up: add, do not assign";
    check(one, &[1.0, 1.0], &[1.0, 1.0], 43.0, &[45.0], idea);
    // Two kernels of 1x2 on two channels of 1x3: two output positions.
    let idea = "each kernel with its own plane of grad_output, each channel and position with its own weight";
    let (image, grad) = ([1.0, 2.0, 3.0, 4.0, 5.0, 6.0], [1.0, 0.0, 0.0, 10.0]);
    check(two, &image, &grad, 0.0, &[1.0, 2.0, 4.0, 5.0, 20.0, 30.0, 50.0, 60.0], idea);
}

// %% nbgrader={"grade": false, "grade_id": "conv-fold", "locked": false, "schema_version": 3, "solution": true, "task": false}
/// [`unfold_row`] in reverse: adds each number to the pixel that it came from. In PyTorch: `fold`.
///
/// TODO: the loops of `unfold_row`, but writing into the plane.
///
/// APPROACH: The same rows and starts. Add each number to its pixel: windows overlap, so a pixel may receive several.
///
/// EXAMPLE: Folding `[1, 2, 3, 4]` at kernel position (0, 1), 2x2 on 3x3, gives `0 1 2 | 0 3 4 | 0 0 0`.
///
/// HINTS: Which of the two slices is read now, and which is written?
pub fn fold_row(grid: &Grid, plane: &mut [f32], position: Pair, unfolded: &[f32]) {
    // BEGIN SOLUTION
    let rows = unfolded.chunks_exact(grid.output.columns);
    for (row, start) in rows.zip(grid.row_starts(position)) {
        let pixels = plane[start..].iter_mut().step_by(grid.window.stride.columns);
        for (pixel, value) in pixels.zip(row) {
            *pixel += value;
        }
    }
    // END SOLUTION
}

// %% nbgrader={"grade": true, "grade_id": "test-conv-fold", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
/// 🔬 Numbers return to the pixels that they came from, and overlapping ones add up.
#[test]
fn test_unit_fold_row() {
    use tinytorch::testing::expect_written;

    let check = |grid: Option<Grid>, start: f32, numbers: &[f32], wanted: &[f32], idea: &str| {
        let fold = |plane: &mut [f32]| fold_row(&grid.unwrap(), plane, (0, 1).into(), numbers);
        expect_written(format!("{numbers:?} at position (0, 1)"), start, fold, wanted, idea);
    };
    let (square, row) = (grid_of((2, 3), 2), grid_of((1, 5), Window::new((1, 2)).stride(3)));
    let idea = "each number returns to the pixel that it came from";
    check(square, 0.0, &[1.0, 2.0], &[0.0, 1.0, 2.0, 0.0, 0.0, 0.0], idea);
    let idea = "a pixel may be in two windows: add to it, do not overwrite it";
    check(square, 5.0, &[1.0, 2.0], &[5.0, 6.0, 7.0, 5.0, 5.0, 5.0], idea);
    let idea = "in a row, every `stride.columns`-th pixel";
    check(row, 0.0, &[1.0, 2.0], &[0.0, 1.0, 0.0, 0.0, 2.0], idea);
}

// %% nbgrader={"grade": false, "grade_id": "conv-input-gradient", "locked": false, "schema_version": 3, "solution": true, "task": false}
/// Adds to the gradient of one padded image, which has one plane for each input channel.
///
/// TODO: for each channel and kernel position, sum over all kernels, and fold the sum into the plane.
///
/// APPROACH:
/// 1. Walk over the planes of `grad_image`, and in each over [`Grid::kernel_positions`].
/// 2. In a buffer of `output.area()` numbers, sum over the kernels: the weight here times the plane of `grad_output`.
/// 3. [`fold_row`] adds the buffer to the plane.
///
/// EXAMPLE: Two 1x1 kernels 2 and 3 with the upstream gradients `[1]` and `[10]` give the pixel `2 + 30 = 32`.
///
/// HINTS: Make the buffer once, and fill it with 0 for each kernel position. A kernel's weights are stored channel by
/// channel, and within a channel in the order of `kernel_positions`.
pub fn input_gradient(grid: &Grid, grad_output: &[f32], kernels: &[f32], grad_image: &mut [f32]) {
    // BEGIN SOLUTION
    let positions = grid.window.kernel.area();
    let size = grad_image.len() / grid.padded.area() * positions;
    let mut unfolded = vec![0.0; grid.output.area()];
    for (channel, plane) in grad_image.chunks_exact_mut(grid.padded.area()).enumerate() {
        for (index, position) in grid.kernel_positions().enumerate() {
            unfolded.fill(0.0);
            let grad_planes = grad_output.chunks_exact(grid.output.area());
            for (kernel, grad_plane) in kernels.chunks_exact(size).zip(grad_planes) {
                let weight = kernel[channel * positions + index];
                for (value, grad) in unfolded.iter_mut().zip(grad_plane) {
                    *value += weight * grad;
                }
            }
            fold_row(grid, plane, position, &unfolded);
        }
    }
    // END SOLUTION
}

// %% nbgrader={"grade": true, "grade_id": "test-conv-input-gradient", "locked": true, "points": 10, "schema_version": 3, "solution": false, "task": false}
/// 🔬 By hand, then all three gradients of a whole layer against central differences.
#[test]
fn test_unit_input_gradient() {
    use tinytorch::autograd::check_gradient;
    use tinytorch::testing::expect_written;

    let check = |grid: Option<Grid>, grad: &[f32], start: f32, wanted: &[f32], idea: &str| {
        let gradient = |g: &mut [f32]| input_gradient(&grid.unwrap(), grad, &[2.0, 3.0], g);
        let input = format!("weights 2 3, grad_output {grad:?}, {} pixels", wanted.len());
        expect_written(input, start, gradient, wanted, idea);
    };
    let (one, row) = (grid_of(1, 1), grid_of((1, 3), (1, 2)));
    let idea = "a pixel's gradient is a sum over all kernels: weight times gradient";
    check(one, &[1.0, 10.0], 0.0, &[32.0], idea);
    check(one, &[1.0, 10.0], 5.0, &[37.0], "add to `grad_image`, do not assign");
    let idea =
        "clear the buffer for each kernel position, then fold it to where its pixels came from";
    check(row, &[1.0, 10.0], 0.0, &[2.0, 23.0, 30.0], idea);
    let idea = "each channel has its own part of the kernel's weights";
    check(one, &[1.0], 0.0, &[2.0, 3.0], idea);

    let mut rng = Rng::seeded(5);
    let inputs = [&[2, 2, 4, 5][..], &[3, 2, 2, 3], &[3]].map(|s| Tensor::randn(s, &mut rng));
    let layer = |inputs: &[Tensor]| {
        let window = Window::new((2, 3)).stride((1, 2)).padding((0, 1));
        let conv = Conv2d::from_weights(inputs[1].clone(), Some(inputs[2].clone()), window);
        conv.forward(&inputs[0])
    };
    // The result is linear in each input: only rounding is left, far below 1e-2, where a wrong rule is wrong by about
    // 1.
    check_gradient(layer, &inputs, 1e-2);
}

// %% [markdown] nbgrader={"grade": false, "grade_id": "spatial-pooling", "locked": true, "schema_version": 3, "solution": false, "task": false}
// ## Pooling: a smaller feature map

// %% nbgrader={"grade": false, "grade_id": "pool-types", "locked": true, "schema_version": 3, "solution": false, "task": false}
/// The largest value of each patch. Padding counts as minus infinity, so it is never the maximum.
#[derive(Debug, Clone)]
pub struct MaxPool2d(Window);

/// The mean of each patch. Padding counts as 0 and is included in the mean, as in PyTorch.
#[derive(Debug, Clone)]
pub struct AvgPool2d(Window);

// %% nbgrader={"grade": false, "grade_id": "maxpool-indices", "locked": false, "schema_version": 3, "solution": true, "task": false}
/// For each output position: the largest pixel of its patch, and the index of that pixel in the padded plane. Of
/// equal pixels the first one counts. NaN counts as larger than everything, so it is not hidden.
///
/// TODO: go over the plane once for each kernel position, and keep the larger value. Then [`scatter_add`] below.
///
/// APPROACH:
/// 1. Start with `max` at minus infinity and `indices` at [`Grid::first_pixels`]: right for a patch that holds
///    nothing larger, and never an index of another patch or of the padding.
/// 2. For each kernel position and each row of the output, go over the same pixels as [`unfold_row`], but by index.
/// 3. Where a pixel is larger than the maximum so far, or NaN, store it and its index.
///
/// EXAMPLE: `[1, 5, 3, 2]` under one 2x2 window: the maximum is 5, at index 1.
///
/// HINTS: Compare with `>`: with `>=` the last of equal pixels would count. In a row, the index grows by the stride. In
/// `scatter_add`, windows that overlap can have the same maximum.
pub fn max_with_indices(grid: &Grid, plane: &[f32], max: &mut [f32], indices: &mut [usize]) {
    // BEGIN SOLUTION
    max.fill(f32::NEG_INFINITY);
    indices.iter_mut().zip(grid.first_pixels()).for_each(|(index, first)| *index = first);
    for position in grid.kernel_positions() {
        for (row, start) in grid.row_starts(position).enumerate() {
            let outputs = row * grid.output.columns..(row + 1) * grid.output.columns;
            let pixels = (start..).step_by(grid.window.stride.columns);
            for (output, pixel) in outputs.zip(pixels) {
                if plane[pixel] > max[output] || plane[pixel].is_nan() {
                    (max[output], indices[output]) = (plane[pixel], pixel);
                }
            }
        }
    }
    // END SOLUTION
}

/// The gradient of the maximum, in PyTorch under the same name: adds each number of `grad_output` to the pixel whose
/// index is at the same place in `indices`. Gradients `[1, 2]`, indices `[3, 3]`: pixel 3 gets 3, the others nothing.
pub fn scatter_add(grad_output: &[f32], indices: &[usize], grad_plane: &mut [f32]) {
    // BEGIN SOLUTION
    for (grad, &index) in grad_output.iter().zip(indices) {
        grad_plane[index] += grad;
    }
    // END SOLUTION
}

// %% nbgrader={"grade": true, "grade_id": "test-maxpool-indices", "locked": true, "points": 15, "schema_version": 3, "solution": false, "task": false}
/// 🔬 The maximum and its index, ties, negative images, masked patches, strides, NaN; then its gradient.
#[test]
fn test_unit_max_with_indices() {
    use tinytorch::testing::{expect_call, expect_written};

    let check = |grid: Option<Grid>, plane: &[f32], max: &[f32], indices: &[usize], idea: &str| {
        let found = || {
            let (mut max, mut indices) = (vec![99.0; max.len()], vec![99; max.len()]);
            max_with_indices(&grid.unwrap(), plane, &mut max, &mut indices);
            format!("{max:?} at {indices:?}")
        };
        let input = format!("{plane:?}, {:?}", grid.unwrap().window);
        expect_call(input, found, format!("{max:?} at {indices:?}"), idea);
    };
    let blocks = grid_of((2, 4), Window::blocks(2));
    let idea = "the largest pixel of each patch and its index in the plane, whatever the buffers held before";
    check(blocks, &[1.0, 5.0, 6.0, 8.0, 3.0, 2.0, 7.0, 0.0], &[5.0, 8.0], &[1, 3], idea);
    let idea = "-1 is larger than minus infinity, and of equal pixels, the first counts";
    check(blocks, &[-1.0; 8], &[-1.0; 2], &[0, 2], idea);
    let idea = "start at the first pixel of each patch: the index must never lie in another one";
    check(blocks, &[f32::NEG_INFINITY; 8], &[f32::NEG_INFINITY; 2], &[0, 2], idea);
    let rising: Vec<f32> = (0..16).map(|n| n as f32).collect();
    let idea = "the window moves by the stride, down and across";
    let skipping = grid_of(4, Window::new(1).stride((2, 3)));
    check(skipping, &rising, &[0.0, 3.0, 8.0, 11.0], &[0, 3, 8, 11], idea);
    let idea = "NaN counts as larger than everything";
    check(grid_of(2, 2), &[1.0, f32::NAN, 2.0, 3.0], &[f32::NAN], &[1], idea);

    let own = "each gradient goes to the pixel whose index is at its place";
    let add = "add, do not assign: windows overlap";
    let cases =
        [([3, 1], 0.0, [0.0, 2.0, 0.0, 1.0], own), ([3, 3], 1.0, [1.0, 1.0, 1.0, 4.0], add)];
    for (indices, start, wanted, idea) in cases {
        let scatter = |plane: &mut [f32]| scatter_add(&[1.0, 2.0], &indices, plane);
        expect_written(format!("1 2 to pixels {indices:?}"), start, scatter, &wanted, idea);
    }
}

// %% nbgrader={"grade": false, "grade_id": "avgpool-mean", "locked": false, "schema_version": 3, "solution": true, "task": false}
impl Layer for AvgPool2d {
    fn name(&self) -> String {
        format!("AvgPool2d({}x{})", self.0.kernel.rows, self.0.kernel.columns)
    }

    /// The mean of each patch, padding included: a convolution of each channel by itself, with equal weights.
    ///
    /// TODO: make every channel an image of its own, convolve, and put the channels back.
    ///
    /// APPROACH:
    /// 1. Reshape `x` to `(N * C, 1, H, W)`; `grid.image` is the size of the images.
    /// 2. [`Conv2d::from_weights`] with one kernel of shape `(1, 1, rows, columns)`, full of 1 / (rows * columns),
    ///    without a bias, and with this layer's window.
    /// 3. Reshape the result to `(N, C, output rows, output columns)`.
    ///
    /// EXAMPLE: `[1, 5, 3, 2]` under one 2x2 window: 11 / 4 = 2.75.
    ///
    /// HINTS: Padding is 0 and counts: the patch of 2x2 in a padded corner holds one pixel and is still divided by 4.
    fn forward(&self, x: &Tensor) -> Tensor {
        let (grid, [n, c]) = grid_for(self, x, self.0, None);
        // BEGIN SOLUTION
        let Pair { rows, columns } = grid.window.kernel;
        let weight = Tensor::full(&[1, 1, rows, columns], 1.0 / (rows * columns) as f32);
        let planes = x.reshape(&[n * c, 1, grid.image.rows, grid.image.columns]);
        let means = Conv2d::from_weights(weight, None, self.0).forward(&planes);
        means.reshape(&[n, c, grid.output.rows, grid.output.columns])
        // END SOLUTION
    }
}

// %% nbgrader={"grade": true, "grade_id": "test-avgpool-mean", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
/// 🔬 Means by hand, each channel by itself, padding included, and a gradient for the pixels.
#[test]
fn test_unit_avgpool() {
    use tinytorch::autograd::Backward;
    use tinytorch::testing::{expect_call_close, expect_close, expect_return};

    let check = |x: &Tensor, window: Window, wanted: &[f32], idea: &str| {
        let input = format!("{:?} of shape {:?}, {window:?}", x.data(), x.shape());
        let means = || AvgPool2d::with(window).forward(x).to_vec();
        expect_call_close(input, means, wanted, 1e-5, idea);
    };
    let idea = "divide by the area of the kernel: rows times columns";
    check(&Tensor::new(&[1.0, 2.0, 3.0], &[1, 1, 1, 3]), (1, 2).into(), &[1.5, 2.5], idea);
    let x = Tensor::new(&[1.0, 5.0, 3.0, 2.0, 10.0, 50.0, 30.0, 20.0], &[1, 2, 2, 2]).tracked();
    let idea = "every channel is an image of its own, with one channel";
    check(&x, 2.into(), &[2.75, 27.5], idea);
    let idea = "padding is included in the mean: divide by the area of the kernel";
    let wanted = [0.25, 1.25, 0.75, 0.5, 2.5, 12.5, 7.5, 5.0];
    check(&x, Window::blocks(2).padding(1), &wanted, idea);
    let idea = "each pixel of a patch of four gets a quarter: reshape and the convolution keep the history";
    let backward = || AvgPool2d::new(2).forward(&x).sum().backward();
    let gradients = expect_return("backward", backward, idea);
    let gradient = gradients.get(&x).map_or(vec![], Tensor::to_vec);
    expect_close("the gradient of the sum of two means of 2x2", &gradient, &[0.25; 8], 1e-6, idea);
}

// %% [markdown] nbgrader={"grade": false, "grade_id": "spatial-normalizing", "locked": true, "schema_version": 3, "solution": false, "task": false}
// ## Batch normalization: every channel on one scale

// %% nbgrader={"grade": false, "grade_id": "batchnorm-types", "locked": true, "schema_version": 3, "solution": false, "task": false}
/// Running mean and variance of each channel: what a layer keeps for inference.
#[derive(Debug, Clone, PartialEq)]
pub struct RunningStats {
    /// One for each channel.
    pub mean: Vec<f32>,
    /// One for each channel: the estimate with `n - 1`.
    pub variance: Vec<f32>,
}

/// Normalizes each channel over batch and pixels (Ioffe and Szegedy, 2015), then scales and shifts.
#[derive(Debug, Clone)]
pub struct BatchNorm2d {
    /// The scale of each channel, shape `(C)`.
    pub weight: Tensor,
    /// The shift of each channel, shape `(C)`.
    pub bias: Tensor,
    running: RefCell<RunningStats>,
    training: bool,
    eps: f32,
    momentum: f32,
}

// %% nbgrader={"grade": false, "grade_id": "batchnorm-statistics", "locked": false, "schema_version": 3, "solution": true, "task": false}
/// Mean and variance of each channel over batch, rows and columns; both of shape `(1, C, 1, 1)`.
///
/// TODO: the mean, and the mean of the squared distances from it; then [`RunningStats::update`] below.
///
/// APPROACH:
/// 1. Take the mean over the axes 0, 2 and 3 at once, keeping them with size 1. Subtract it (it broadcasts), square,
///    and take the mean again.
/// 2. `update`: `new running = (1 - momentum) * running + momentum * batch`. A batch is a sample: its variance times
///    `count / (count - 1)` is an unbiased estimate of that of all images.
///
/// EXAMPLE: One channel with the values 1, 3, 5, 7: mean 4, variance (9 + 1 + 1 + 9) / 4 = 5. Running mean 0,
/// momentum 0.1, batches of mean 10: the running mean becomes 1, then 1.9.
///
/// HINTS: `mean_axis` takes a list of axes. You need the mean twice: write it once. In `update`, the same loop for
/// both lists; only the variance gets the factor.
pub fn channel_statistics(x: &Tensor) -> (Tensor, Tensor) {
    // BEGIN SOLUTION
    let mean = |x: &Tensor| x.mean_axis([0, 2, 3], true);
    let centre = mean(x);
    let distance = x - &centre;
    let variance = mean(&(&distance * &distance));
    (centre, variance)
    // END SOLUTION
}

impl RunningStats {
    /// An exponential moving average: moves by the fraction `momentum` to a batch of `count` values per channel.
    pub fn update(&mut self, mean: &[f32], variance: &[f32], count: usize, momentum: f32) {
        // BEGIN SOLUTION
        let sample = count as f32 / (count - 1) as f32;
        for (running, batch) in self.mean.iter_mut().zip(mean) {
            *running = (1.0 - momentum) * *running + momentum * batch;
        }
        for (running, batch) in self.variance.iter_mut().zip(variance) {
            *running = (1.0 - momentum) * *running + momentum * batch * sample;
        }
        // END SOLUTION
    }
}

// %% nbgrader={"grade": true, "grade_id": "test-batchnorm-statistics", "locked": true, "points": 10, "schema_version": 3, "solution": false, "task": false}
/// 🔬 Each channel by itself, over the whole batch; then a tenth of the way, with the variance of a sample.
#[test]
fn test_unit_channel_statistics() {
    use tinytorch::testing::{expect_close, expect_eq, expect_return};

    let x = Tensor::new(&[1.0, 3.0, 10.0, 10.0, 5.0, 7.0, 10.0, 30.0], &[2, 2, 1, 2]);
    let input = "channels 1 3 5 7 and 10 10 10 30";
    let idea = "over batch, rows and columns, one for each channel, with the axes kept";
    let (mean, variance) = expect_return(input, || channel_statistics(&x), idea);
    let shapes = [mean.shape(), variance.shape()];
    expect_eq(input, shapes, [&[1, 2, 1, 1][..]; 2], idea);
    expect_close(format!("the means, {input}"), &mean.to_vec(), &[4.0, 15.0], 0.0, idea);
    let idea = "the mean of the squared distances from the mean, divided by n";
    expect_close(format!("the variances, {input}"), &variance.to_vec(), &[5.0, 75.0], 1e-3, idea);
    let far = Tensor::new(&[10_001.0, 10_003.0, 10_005.0, 10_007.0], &[4, 1, 1, 1]);
    let idea = "square the distances: the mean of the squares less the square of the mean loses all digits when \
                the mean is large";
    let variance = channel_statistics(&far).1.to_vec();
    expect_close("the variance of 10001, 10003, 10005, 10007", &variance, &[5.0], 0.01, idea);

    let tenth = "a tenth of the way from the running value to that of the batch";
    let sample = "times count / (count - 1), and only the variance: 0.9 * 1 + 0.1 * 1 * 5 / 4";
    let weight = "momentum is the weight of the new batch, and an argument";
    for (momentum, means, variances, ideas) in [
        (0.1, [1.0, 5.0], [1.025, 1.525], [tenth, sample]),
        (1.0, [10.0, 5.0], [1.25, 6.25], [weight, weight]),
    ] {
        let mut running = RunningStats { mean: vec![0.0, 5.0], variance: vec![1.0, 1.0] };
        running.update(&[10.0, 5.0], &[1.0, 5.0], 5, momentum);
        let input = format!("means 0 5, a batch of 10 5, momentum {momentum}");
        expect_close(input, &running.mean, &means, 1e-6, ideas[0]);
        let input = format!("variances 1 1, a batch of 5 values with 1 5, momentum {momentum}");
        expect_close(input, &running.variance, &variances, 1e-6, ideas[1]);
    }
}

// %% nbgrader={"grade": false, "grade_id": "batchnorm-forward", "locked": false, "schema_version": 3, "solution": true, "task": false}
impl Layer for BatchNorm2d {
    fn name(&self) -> String {
        format!("BatchNorm2d({})", self.weight.numel())
    }

    /// Images `(N, C, H, W)` to the same shape: `(x - mean) / sqrt(variance + eps) * weight + bias`.
    ///
    /// TODO: choose the statistics, then normalize.
    ///
    /// APPROACH:
    /// 1. If `from_batch`, in training: [`channel_statistics`] of the batch; [`RunningStats::update`] the running
    ///    ones.
    /// 2. In inference: the running statistics, as two tensors of shape `(1, C, 1, 1)`.
    /// 3. The formula above; `weight` and `bias` need the shape `(1, C, 1, 1)` to broadcast.
    ///
    /// EXAMPLE: In training, with weight 1 and bias 0, every channel of the result has mean 0 and variance 1.
    ///
    /// HINTS: `borrow_mut` of the cell lets you change the running statistics. Give `weight` its shape with
    /// `reshape`, which keeps the history; a new tensor would get no gradient.
    fn forward(&self, x: &Tensor) -> Tensor {
        let [n, c, h, w] = image_shape(self, x, Some(self.weight.numel()));
        let count = n * h * w;
        // An empty batch has no statistics.
        let from_batch = self.training && count > 0;
        let (name, shape) = (self.name(), shape_text(x.shape()));
        assert!(
            !from_batch || count > 1,
            "{name}: got one value per channel in shape {shape}, expected a larger batch, or set_training(false)"
        );
        // BEGIN SOLUTION
        let (mean, variance) = if from_batch {
            let (mean, variance) = channel_statistics(x);
            let (means, variances) = (mean.to_vec(), variance.to_vec());
            self.running.borrow_mut().update(&means, &variances, count, self.momentum);
            (mean, variance)
        } else {
            let running = self.running.borrow();
            let shape = [1, c, 1, 1];
            (Tensor::new(&running.mean, &shape), Tensor::new(&running.variance, &shape))
        };
        let normal = (x - &mean) / (variance + self.eps).sqrt();
        normal * self.weight.reshape(&[1, -1, 1, 1]) + self.bias.reshape(&[1, -1, 1, 1])
        // END SOLUTION
    }

    fn parameters(&self) -> Vec<&Tensor> {
        vec![&self.weight, &self.bias]
    }

    fn parameters_mut(&mut self) -> Vec<&mut Tensor> {
        vec![&mut self.weight, &mut self.bias]
    }

    fn buffers(&self) -> Vec<Tensor> {
        let RunningStats { mean, variance } = self.running_stats();
        [mean, variance].map(|values| Tensor::new(&values, self.weight.shape())).into()
    }

    fn set_buffers(&mut self, values: &mut dyn Iterator<Item = Tensor>) {
        if let (Some(mean), Some(variance)) = (values.next(), values.next()) {
            let (mean, variance) = (mean.to_vec(), variance.to_vec());
            self.set_running_stats(RunningStats { mean, variance });
        }
    }

    fn set_training(&mut self, training: bool) {
        self.training = training;
    }
}

// %% nbgrader={"grade": true, "grade_id": "test-batchnorm-forward", "locked": true, "points": 10, "schema_version": 3, "solution": false, "task": false}
/// 🔬 Batch statistics in training, running statistics in inference, gradients through all of it.
#[test]
fn test_unit_batchnorm_forward() {
    use tinytorch::autograd::check_gradient;
    use tinytorch::testing::{expect_call_close, expect_close, expect_eq, expect_return};

    let mut rng = Rng::seeded(6);
    let x = Tensor::randn(&[8, 2, 3, 3], &mut rng) * 3.0 + 5.0;
    let mut norm = BatchNorm2d::new(2);
    let idea = "statistics, weight and bias need the shape (1, C, 1, 1): (C) alone is compared with the columns";
    let normal = expect_return("two channels of 3x3, in training", || norm.forward(&x), idea);
    let (mean, variance) = channel_statistics(&normal);
    let found = [mean.to_vec(), variance.to_vec()].concat();
    let idea = "in training, normalize by the statistics of the batch";
    expect_close("means, variances in training", &found, &[0.0, 0.0, 1.0, 1.0], 1e-3, idea);
    let wanted = (channel_statistics(&x).0 * 0.1).to_vec();
    let idea = "in training, the running statistics are updated once";
    expect_close("the running means", &norm.running_stats().mean, &wanted, 1e-4, idea);

    norm.set_training(false);
    let one = Tensor::new(&[5.0, 3.0], &[1, 2, 1, 1]);
    let mut check = |running: [[f32; 2]; 2], [weight, bias]: [f32; 2], wanted: [f32; 2], idea| {
        let [mean, variance] = running.map(Vec::from);
        norm.set_running_stats(RunningStats { mean: mean.clone(), variance });
        (norm.weight, norm.bias) = (Tensor::full(&[2], weight), Tensor::full(&[2], bias));
        let input = format!("5 3 in inference, running {running:?}, weight {weight}, bias {bias}");
        expect_call_close(&input, || norm.forward(&one).to_vec(), &wanted, 0.01, idea);
        expect_eq(input, norm.running_stats().mean, mean, "inference changes nothing");
    };
    let idea = "inference uses the running statistics: (5 - 1) / 2 and (3 - 0) / 1";
    check([[1.0, 0.0], [4.0, 1.0]], [1.0, 0.0], [2.0, 3.0], idea);
    let idea = "multiply by the weight, then add the bias";
    check([[1.0, 0.0], [4.0, 1.0]], [3.0, 10.0], [16.0, 19.0], idea);
    let idea = "eps belongs under the root: 1 / sqrt(0 + 0.00001)";
    check([[4.0, 2.0], [0.0, 0.0]], [1.0, 0.0], [316.228; 2], idea);

    let small = x.slice(&[0..3, 0..2, 0..2, 0..3]);
    let inputs = [small, Tensor::rand(&[2], &mut rng), Tensor::ones(&[2])];
    let layer = |inputs: &[Tensor]| {
        let mut norm = BatchNorm2d::new(2);
        (norm.weight, norm.bias) = (inputs[1].clone(), inputs[2].clone());
        norm.forward(&inputs[0])
    };
    let idea = "everything keeps the history, mean and variance too: a new tensor has none";
    expect_return("the gradients in training", || check_gradient(layer, &inputs, 1e-2), idea);
}

// %% [markdown] nbgrader={"grade": false, "grade_id": "spatial-network", "locked": true, "schema_version": 3, "solution": false, "task": false}
// ## A network that reads digits

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
    /// APPROACH: The first axis stays; the second one has the product of all other sizes.
    ///
    /// EXAMPLE: `(32, 16, 2, 2)` becomes `(32, 64)`.
    ///
    /// HINTS: `product` of an iterator multiplies. `-1` as the size is shorter, but wrong for an empty batch: 0
    /// numbers fit into rows of any length.
    fn forward(&self, x: &Tensor) -> Tensor {
        let shape = shape_text(x.shape());
        assert!(x.ndim() > 1, "Flatten: got shape {shape}, expected a batch axis and one more");
        // BEGIN SOLUTION
        let row: usize = x.shape()[1..].iter().product();
        x.reshape(&[x.shape()[0], row])
        // END SOLUTION
    }
}

// %% nbgrader={"grade": true, "grade_id": "test-flatten-forward", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
/// 🔬 Each image becomes one row, in the same order.
#[test]
fn test_unit_flatten() {
    use tinytorch::testing::{expect_call, expect_close};

    let x = Tensor::new(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0], &[2, 2, 1, 2]);
    let rows = "one row for each image: the batch axis stays, the others are joined";
    let empty = "an empty batch keeps its rows' length: give it, not -1";
    for (shape, wanted, idea) in [([2, 3, 2, 2], [2, 12], rows), ([0, 16, 2, 2], [0, 64], empty)] {
        let flat = || Flatten.forward(&Tensor::ones(&shape)).shape().to_vec();
        expect_call(format!("{shape:?}"), flat, wanted.to_vec(), idea);
    }
    let rows = Flatten.forward(&x).to_vec();
    expect_close("1 to 8 as (2, 2, 1, 2)", &rows, &x.data(), 0.0, "the numbers keep their order");
}

// %% nbgrader={"grade": false, "grade_id": "simple-cnn", "locked": false, "schema_version": 3, "solution": true, "task": false}
/// Convolution, ReLU and pooling, twice, then a linear layer as the classifier: for images of `channels x height x
/// width`, with `widths` channels after the two convolutions.
///
/// TODO: put eight layers into a [`Sequential`].
///
/// APPROACH:
/// 1. [`Conv2d`] with a 3x3 window and padding 1, which keeps the size; `ReLU`; [`MaxPool2d`] of 2.
/// 2. The same again, from `widths[0]` to `widths[1]` channels.
/// 3. [`Flatten`], then `Linear` from the numbers that are left of one image to `classes`.
///
/// EXAMPLE: For `[1, 8, 8]`, `[8, 16]` and 10 classes it has 80 + 1,168 + 650 = 1,898 parameters.
///
/// HINTS: Each layer goes into a `Box`. Pooling halves each side and rounds down, twice.
pub fn simple_cnn(
    image: [usize; 3],
    widths: [usize; 2],
    classes: usize,
    rng: &mut Rng,
) -> Sequential {
    let [channels, height, width] = image;
    let fits = height >= 4 && width >= 4;
    assert!(fits, "simple_cnn: got images of {height}x{width}, expected 4x4 or more: halved twice");
    // BEGIN SOLUTION
    let window = Window::new(3).padding(1);
    let features = widths[1] * (height / 4) * (width / 4);
    Sequential::new(vec![
        Box::new(Conv2d::new(channels, widths[0], window, rng)),
        Box::new(ReLU),
        Box::new(MaxPool2d::new(2)),
        Box::new(Conv2d::new(widths[0], widths[1], window, rng)),
        Box::new(ReLU),
        Box::new(MaxPool2d::new(2)),
        Box::new(Flatten),
        Box::new(Linear::new(features, classes, rng)),
    ])
    // END SOLUTION
}

// %% nbgrader={"grade": true, "grade_id": "test-simple-cnn", "locked": true, "points": 10, "schema_version": 3, "solution": false, "task": false}
/// 🔬 Layers, shapes and parameters, for digits and for colour images.
#[test]
fn test_unit_simple_cnn() {
    use tinytorch::testing::{expect_call, expect_eq};

    let digits = simple_cnn([1, 8, 8], [8, 16], 10, &mut Rng::seeded(1));
    let names: Vec<String> = digits.layers().iter().map(|layer| layer.name()).collect();
    let order: Vec<&str> = names.iter().filter_map(|name| name.split('(').next()).collect();
    let twice = ["Conv2d", "ReLU", "MaxPool2d"].repeat(2);
    let idea =
        "a ReLU after each convolution, and none after the last layer: scores may be negative";
    expect_eq("the layers", order, [twice, vec!["Flatten", "Linear"]].concat(), idea);
    let idea = "padding 1 keeps the size, each pooling halves it and rounds down: that is what Linear gets";
    let scores = || digits.forward(&Tensor::ones(&[5, 1, 8, 8])).shape().to_vec();
    expect_call("five digits", scores, vec![5, 10], idea);
    let sizes: Vec<usize> = digits.parameters().iter().map(|p| p.numel()).collect();
    let idea = "80 + 1,168 + 650 parameters: 3x3 kernels, each layer's weights and biases";
    expect_eq("parameters for digits", sizes, vec![72, 8, 1152, 16, 640, 10], idea);
    let colour = simple_cnn([3, 34, 32], [4, 6], 7, &mut Rng::seeded(1));
    let idea = "the sizes are arguments: channels, height and width, widths, classes";
    let scores = || colour.forward(&Tensor::ones(&[2, 3, 34, 32])).shape().to_vec();
    expect_call("two colour images of 34x32", scores, vec![2, 7], idea);
}

// %% [markdown] nbgrader={"grade": false, "grade_id": "spatial-measure", "locked": true, "schema_version": 3, "solution": false, "task": false}
// ## 📊 Measure

// %% nbgrader={"grade": false, "grade_id": "spatial-analyze-convolution-cost", "locked": true, "schema_version": 3, "solution": false, "task": false}
/// 📊 Purpose: see what a convolution costs, and how much the order of its loops matters.
/// Measured: the time of one image through 8 -> 16 channels, by image and kernel size. The work is
/// 2 x inputs x outputs x kernel area x output area.
/// Key insight: the work grows with the area of the image and of the kernel; how long the same work takes depends on
/// whether the innermost loop is long and regular enough for SIMD.
/// Production context: this is why networks stack 3x3 kernels, and why libraries tune this one loop.
pub fn analyze_convolution_cost(out: &mut Reporter) {
    let mut rng = Rng::seeded(1);
    let (mut rows, mut curves) = (vec![], vec![]);
    for kernel in [1, 3, 5, 7] {
        let conv = Conv2d::new(8, 16, Window::new(kernel).padding(kernel / 2), &mut rng);
        let mut curve = vec![];
        for side in [8, 16, 32, 64] {
            let x = Tensor::rand(&[1, 8, side, side], &mut rng);
            let flops = (2 * 8 * 16 * kernel * kernel * side * side) as f64;
            let spent = time(9, || conv.forward(&x));
            let names = [format!("{side}x{side}"), format!("{kernel}x{kernel}")].map(Value::from);
            let figures = [flops.into(), spent.into(), (flops / spent.median).into()];
            rows.push(names.into_iter().chain(figures).collect());
            curve.push((flops, spent.median));
        }
        curves.push(Series::new(format!("{kernel}x{kernel}"), curve));
    }
    let work = ("work, computed", "FLOP");
    let columns = [("image", ""), ("kernel", ""), work, ("time", "s"), ("speed", "FLOP/s")];
    out.measured_table("One convolution, 8 -> 16 channels", &columns, rows);
    let (x, y) = (Axis::log("work", "FLOP"), Axis::log("time", "s"));
    out.measured_chart("Time over work, by kernel", x, y, curves);
    let Some(grid) = grid_of(34, 3) else { return };
    let [image, kernels] = [[8, 34 * 34], [16, 72]].map(|shape| Tensor::rand(&shape, &mut rng));
    let run = |convolve: fn(&Grid, &[f32], &[f32], &mut [f32])| {
        let mut result = vec![0.0; 16 * grid.output.area()];
        convolve(&grid, &image.data(), &kernels.data(), &mut result);
        result
    };
    let compared = compare(15, || run(convolve_naive), || run(convolve));
    let pair = ("the naive order", "the reordered one", compared);
    out.compared("Timed in turn, 32x32 image, 3x3 kernel", &[pair]);
    let ratio = compared.ratio;
    out.measured("naive loops / reordered loops, 32x32 image, 3x3 kernel", ratio.median, "x");
    out.insight(loop_order_insight(ratio));
}

// %% nbgrader={"grade": false, "grade_id": "spatial-analyze-feature-maps", "locked": true, "schema_version": 3, "solution": false, "task": false}
/// 📊 Purpose: look at feature maps: a digit, and the images that convolutions make of it.
/// Measured: the maps of four known edge filters, then those of a network trained on the digits for three epochs.
/// Key insight: a feature map is bright where the image matches the kernel; training finds kernels of its own.
/// Production context: feature maps are looked at to find out what a vision model reacts to.
pub fn analyze_feature_maps(out: &mut Reporter) {
    if let Err(error) = feature_maps(out) {
        out.note(format!("The feature maps could not be computed: {error}"));
    }
}

fn feature_maps(out: &mut Reporter) -> Result<(), Box<dyn Error>> {
    let (train, validation) = digits(DigitShape::Image)?.train.hold_out(4, 0)?;
    let (inputs, targets) = (validation.inputs(), validation.targets());
    let four = targets.data().iter().position(|class| *class == 4.0).unwrap_or(0);
    let digit = inputs.slice(&[four..four + 1, 0..1, 0..8, 0..8]);
    out.pixels("the digit", 8, &digit.data());
    let maps = |weight: Tensor, bias: Option<Tensor>| {
        let window = Window::new(3).padding(1);
        ReLU.forward(&Conv2d::from_weights(weight, bias, window).forward(&digit))
    };
    let edges = maps(Tensor::new(&EDGES.map(|(_, kernel)| kernel).concat(), &[4, 1, 3, 3]), None);
    for ((name, _), map) in EDGES.iter().zip(edges.data().chunks_exact(64)) {
        out.pixels(*name, 8, map);
    }
    let halved = MaxPool2d::new(2).forward(&edges);
    out.pixels("left edges, after 2x2 max pooling", 4, &halved.data()[..16]);

    let mut trainer = trained(cnn_for_digits, &train, 3, 0.01, 1)?;
    let (_, accuracy) = trainer.evaluate(&[(inputs.clone(), targets.clone())])?;
    let accuracy = f64::from(accuracy.unwrap_or(0.0));
    out.measured("validation accuracy after 3 epochs", accuracy * 100.0, "%");
    let parameters = trainer.model.parameters();
    let learned = maps(parameters[0].detach(), Some(parameters[1].detach()));
    for (number, map) in learned.data().chunks_exact(64).enumerate().take(4) {
        out.pixels(format!("learned filter {}", number + 1), 8, map);
    }
    out.insight(learned_filters_insight(accuracy, validation.len()));
    Ok(())
}

/// For the digits: images `(N, 1, 8, 8)`, 8 and 16 channels, 10 classes.
pub fn cnn_for_digits(rng: &mut Rng) -> Sequential {
    simple_cnn([1, 8, 8], [8, 16], 10, rng)
}

/// A dense network for the same images: 64-32-10.
fn dense(rng: &mut Rng) -> Sequential {
    let (first, second) = (Linear::new(64, 32, rng), Linear::new(32, 10, rng));
    Sequential::new(vec![Box::new(Flatten), Box::new(first), Box::new(ReLU), Box::new(second)])
}

type Network = fn(&mut Rng) -> Sequential;

/// A network after so many epochs in batches of 32; the learning rate falls from `rate` to a hundredth of it.
fn trained(
    build: Network,
    data: &TensorDataset,
    epochs: usize,
    rate: f32,
    seed: u64,
) -> Result<Trainer, Box<dyn Error>> {
    let net = build(&mut Rng::seeded(seed));
    let schedule = CosineSchedule { max_rate: rate, min_rate: rate / 100.0, epochs };
    let mut trainer = Trainer::new(net, Adam::new(rate), CrossEntropyLoss).with_schedule(schedule);
    let loader = DataLoader::new(data.clone(), 32)?.shuffled(seed);
    trainer.fit(epochs, |epoch| loader.epoch(epoch), &[], None)?;
    Ok(trainer)
}

// %% nbgrader={"grade": false, "grade_id": "spatial-analyze-parameter-sharing", "locked": true, "schema_version": 3, "solution": false, "task": false}
/// 📊 Purpose: see what weight sharing saves: one small kernel for the whole image.
/// Measured: the time of a convolution and of a dense layer from an image to an output of the same size. Then
/// accuracy on 360 validation digits, as written and moved by one pixel, of a dense network and of
/// [`cnn_for_digits`]: 10 epochs on the other 1,077, batches of 32, Adam at the best of four rates by the loss on
/// these digits as written, falling to a hundredth of it, median of three seeds.
/// Key insight: the dense layer needs a weight for each pair of input and output pixels, so its parameters grow with
/// the square of the area; those of the convolution do not grow at all.
/// Production context: a dense layer from a 224x224 colour photograph to four channels of that size takes 121 GB.
pub fn analyze_parameter_sharing(out: &mut Reporter) {
    sharing(out);
    if let Err(error) = shift(out) {
        out.note(format!("The networks could not be compared: {error}"));
    }
}

fn sharing(out: &mut Reporter) {
    let mut rng = Rng::seeded(1);
    let conv = Conv2d::new(1, 4, Window::new(3).padding(1), &mut rng);
    let count = |layer: &dyn Layer| layer.parameters().iter().map(|p| p.numel()).sum::<usize>();
    let (mut rows, shared) = (vec![], count(&conv));
    let [_, _, (dense, parameters)] = [8, 16, 32].map(|side| {
        let dense = Linear::new(side * side, 4 * side * side, &mut rng);
        let (all, ratio) = (count(&dense), count(&dense) as f64 / shared as f64);
        rows.push(vec![format!("{side}x{side}").into(), shared.into(), all.into(), ratio.into()]);
        (dense, ratio)
    });
    let ratio = ("dense / convolution", "x");
    let columns = [("image", ""), ("convolution", ""), ("dense", ""), ratio];
    let formula = "outputs x (inputs x 9 + 1), and 4 x pixels x (pixels + 1)";
    out.computed_table("Parameters, one channel to four", formula, &columns, rows);
    let x = Tensor::rand(&[8, 1, 32, 32], &mut rng);
    let flat = x.reshape(&[8, -1]);
    let both = compare(7, || dense.forward(&flat), || conv.forward(&x));
    let pair = ("the dense layer", "the convolution", both);
    out.compared("Timed in turn, 32x32, a batch of 8", &[pair]);
    out.insight(sharing_insight(parameters, both.ratio));
}

fn shift(out: &mut Reporter) -> Result<(), Box<dyn Error>> {
    const RATES: [f32; 4] = [0.003, 0.01, 0.03, 0.1];
    let (train, validation) = digits(DigitShape::Image)?.train.hold_out(4, 0)?;
    let (inputs, n) = (validation.inputs(), validation.len());
    let sets = [0, 1, -1].map(|columns| {
        let moved = Tensor::new(&shifted(&inputs.data(), 8, columns), inputs.shape());
        [(moved, validation.targets().clone())]
    });
    let (mut search, mut rows, mut medians) = (vec![], vec![], vec![]);
    let networks: [(&str, Network); 2] = [("dense", dense), ("convolutional", cnn_for_digits)];
    for (name, build) in networks {
        let mut best = (f32::INFINITY, RATES[0]);
        for rate in RATES {
            let (loss, _) = trained(build, &train, 10, rate, 1)?.evaluate(&sets[0])?;
            search.push(vec![name.into(), rate.to_string().into(), loss.into()]);
            best = if loss < best.0 { (loss, rate) } else { best };
        }
        let mut found = [vec![], vec![], vec![]];
        for seed in 1..=3 {
            let mut trainer = trained(build, &train, 10, best.1, seed)?;
            for (found, set) in found.iter_mut().zip(&sets) {
                found.push(f64::from(trainer.evaluate(set)?.1.unwrap_or(0.0)));
            }
            out.progress(name, seed, 3);
        }
        let of = found.map(|of| quartiles(of)[1]);
        let spread = |p: f64| [-1.0, 0.0, 1.0].map(|e| 100.0 * (p + e * sample_error(p, n)));
        rows.push([vec![name.into()], of.map(|p| Value::spread(spread(p))).into()].concat());
        medians.push(of);
    }
    let columns = [("network", ""), ("learning rate", ""), ("validation loss", "")];
    out.measured_table("The search, with the first seed", &columns, search);
    let columns = [("network", ""), ("as written", "%"), ("moved right", "%"), ("moved left", "%")];
    let title = "Accuracy on 360 validation digits, moved by one pixel, with its sample error";
    out.measured_table(title, &columns, rows);
    let [dense, convolutional] = [0, 1].map(|place: usize| [medians[place][0], medians[place][1]]);
    out.measured("dense network, digits moved right", dense[1] * 100.0, "%");
    out.measured("convolutional network, digits moved right", convolutional[1] * 100.0, "%");
    out.insight(shift_insight(dense, convolutional, n));
    Ok(())
}

// %% [markdown] nbgrader={"grade": false, "grade_id": "spatial-module-test", "locked": true, "schema_version": 3, "solution": false, "task": false}
// ## 🧪 Module test

// %% nbgrader={"grade": true, "grade_id": "test-spatial-module", "locked": true, "points": 20, "schema_version": 3, "solution": false, "task": false}
/// 🧪 A network with every layer of this module learns to tell vertical bars from horizontal ones at any position, and
/// in inference its answer for an image does not depend on the rest of the batch.
#[test]
fn test_module() {
    use tinytorch::testing::{expect_close, expect_eq};

    let rng = &mut Rng::seeded(1);
    let net = Sequential::new(vec![
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
    let mut bars = |count: usize| {
        let (pixels, classes) = tinytorch::planes::bars(count, rng);
        (Tensor::new(&pixels, &[count, 1, 8, 8]), Tensor::new(&classes, &[count]))
    };
    let mut trainer = Trainer::new(net, Adam::new(0.03), CrossEntropyLoss);
    let batches: Vec<_> = (0..60).map(|_| bars(24)).collect();
    trainer.train_epoch(&batches[..50]).unwrap();
    let loss = trainer.train_epoch(&batches[50..]).unwrap();
    let idea = "every layer hands its gradient on: look for one that is assigned where it should be added, or added \
                to a buffer that was not cleared";
    let input = format!("the last 10 of 60 batches, loss {loss}: half of 0.69, that of guessing");
    expect_eq(input, loss < 0.35, true, idea);

    let (x, classes) = bars(60);
    let (_, accuracy) = trainer.evaluate(&[(x.clone(), classes)]).unwrap();
    let idea = "inference normalizes by the running statistics, which training has moved towards those of the images";
    let input = format!("60 bars, {accuracy:?} of them read in inference: is it 0.9 or more");
    expect_eq(input, accuracy >= Some(0.9), true, idea);
    trainer.set_training(false);
    let first = x.slice(&[0..1, 0..1, 0..8, 0..8]);
    let [all, alone] = [x, first].map(|images| trainer.model.forward(&images));
    let idea = "in inference the scores of an image do not depend on the rest of the batch";
    expect_close("an image by itself and in a batch", &alone.data(), &all.data()[..2], 1e-4, idea);
}

// %% nbgrader={"grade": false, "grade_id": "spatial-checks", "locked": true, "schema_version": 3, "solution": false, "task": false}
/// `[N, C, H, W]` of a batch of images. Panics, saying how to fix it, when `x` is something else.
fn image_shape(layer: &dyn Layer, x: &Tensor, channels: Option<usize>) -> [usize; 4] {
    image_sizes(x.shape(), channels).unwrap_or_else(|expected| {
        panic!("{}: got shape {}, expected {expected}", layer.name(), shape_text(x.shape()))
    })
}

/// The grid of `window` on such images. Panics, saying how to fix it, when the window does not fit.
fn grid_for(layer: &dyn Layer, x: &Tensor, window: Window, c: Option<usize>) -> (Grid, [usize; 2]) {
    let [n, c, h, w] = image_shape(layer, x, c);
    let (name, Pair { rows, columns }) = (layer.name(), window.kernel);
    let grid = grid_of((h, w), window).unwrap_or_else(|| {
        panic!(
            "{name}: got images of {h}x{w}, too small for a window of {rows}x{columns} with this padding: use a \
             smaller window, more padding or fewer pooling layers before it"
        )
    });
    (grid, [n, c])
}

// %% nbgrader={"grade": false, "grade_id": "conv-new", "locked": true, "schema_version": 3, "solution": false, "task": false}
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

    /// A convolution with these kernels, `(outputs, inputs, rows, columns)`, and bias, `(outputs)`. Panics on other sizes.
    pub fn from_weights(weight: Tensor, bias: Option<Tensor>, window: impl Into<Window>) -> Self {
        let window = window.into();
        let Pair { rows, columns } = window.kernel;
        let shape = shape_text(weight.shape());
        let fits = matches!(*weight.shape(), [_, _, r, c] if (r, c) == (rows, columns));
        assert!(fits, "Conv2d: got kernels {shape}, expected (outputs, inputs, {rows}, {columns})");
        if let Some(bias) = &bias {
            let (got, outputs) = (shape_text(bias.shape()), weight.shape()[0]);
            assert!(*bias.shape() == [outputs], "Conv2d: got bias {got}, expected ({outputs})");
        }
        Self { weight, bias, window }
    }
}

// %% nbgrader={"grade": false, "grade_id": "conv-rule", "locked": true, "schema_version": 3, "solution": false, "task": false}
impl GradientRule for ConvRule {
    fn gradients(&self, grad_output: &Tensor, inputs: &[Tensor], _: &Tensor) -> InputGradients {
        let (grad_output, x, weight, grid) = (grad_output.data(), &inputs[0], &inputs[1], &self.0);
        let (outputs, kernels) = (weight.shape()[0], weight.array());
        let shaped = |gradient, like: &Tensor| Tensor::from_array(values(gradient, like.shape()));
        let of_x =
            || shaped(backend::image_gradient(grid, kernels, &grad_output, input_gradient), x);
        let of_weight = || {
            let padded = pad(grid, &x.data(), 0.0);
            let plain = weight_gradient;
            shaped(backend::kernel_gradient(grid, kernels, &padded, &grad_output, plain), weight)
        };
        let of_bias = |like| shaped(channel_sums(&grad_output, grid.output.area(), outputs), like);
        let bias = inputs.get(2).map(|bias| grad_for(bias, || of_bias(bias)));
        [grad_for(x, of_x), grad_for(weight, of_weight)].into_iter().chain(bias).collect()
    }
}

// %% nbgrader={"grade": false, "grade_id": "pool-layers", "locked": true, "schema_version": 3, "solution": false, "task": false}
impl AvgPool2d {
    /// Patches of this size, side by side: the stride is the size of the window.
    pub fn new(kernel: impl Into<Pair>) -> Self {
        Self::with(Window::blocks(kernel))
    }

    /// With a stride and padding. Panics when the padding is more than half of the window.
    pub fn with(window: Window) -> Self {
        Self(window.for_pooling("AvgPool2d"))
    }
}

impl MaxPool2d {
    /// Patches of this size, side by side: the stride is the size of the window.
    pub fn new(kernel: impl Into<Pair>) -> Self {
        Self::with(Window::blocks(kernel))
    }

    /// With a stride and padding. Panics when the padding is more than half of the window.
    pub fn with(window: Window) -> Self {
        Self(window.for_pooling("MaxPool2d"))
    }
}

impl Layer for MaxPool2d {
    fn name(&self) -> String {
        format!("MaxPool2d({}x{})", self.0.kernel.rows, self.0.kernel.columns)
    }

    fn forward(&self, x: &Tensor) -> Tensor {
        let (grid, [n, c]) = grid_for(self, x, self.0, None);
        let padded = pad(&grid, &x.data(), f32::NEG_INFINITY);
        let (max, indices) = backend::max_pool(&grid, &padded, max_with_indices);
        let max = values(max, &[n, c, grid.output.rows, grid.output.columns]);
        let is_apart = self.0 == Window::blocks(self.0.kernel);
        // Lesson 14 counts what blocks cost; another window compares a pixel several times.
        let name = if is_apart { "max_pool2d" } else { "max_pool2d, not in blocks" };
        custom(name, max, &[x], MaxRule { grid, indices })
    }
}

/// The gradient rule of max pooling: for each output position, the index of the maximum in its padded plane.
struct MaxRule {
    grid: Grid,
    indices: Vec<usize>,
}

impl GradientRule for MaxRule {
    fn gradients(&self, grad_output: &Tensor, inputs: &[Tensor], _: &Tensor) -> InputGradients {
        let (grid, size, x) = (&self.grid, self.grid.output.area(), &inputs[0]);
        let mut gradient = vec![0.0; x.numel() / grid.image.area() * grid.padded.area()];
        let planes = gradient.chunks_exact_mut(grid.padded.area());
        let (grads, maxima) = (grad_output.data(), self.indices.chunks_exact(size));
        for ((grads, indices), plane) in grads.chunks_exact(size).zip(maxima).zip(planes) {
            scatter_add(grads, indices, plane);
        }
        vec![Some(Tensor::from_array(values(grid.crop(&gradient), x.shape())))]
    }
}

// %% nbgrader={"grade": false, "grade_id": "batchnorm-new", "locked": true, "schema_version": 3, "solution": false, "task": false}
impl BatchNorm2d {
    /// Scale 1, shift 0; running mean 0, running variance 1; eps 1e-5, momentum 0.1, as in PyTorch.
    pub fn new(channels: usize) -> Self {
        let running = RunningStats { mean: vec![0.0; channels], variance: vec![1.0; channels] };
        let (weight, bias) = (Tensor::ones(&[channels]), Tensor::zeros(&[channels]));
        let running = RefCell::new(running);
        Self { weight, bias, running, training: true, eps: 1e-5, momentum: 0.1 }
    }

    /// Another number than 1e-5 under the square root. Panics unless it is 0 or more.
    pub fn eps(self, eps: f32) -> Self {
        let fits = eps >= 0.0 && eps.is_finite();
        assert!(fits, "{}: got eps {eps}, expected 0 or more", self.name());
        Self { eps, ..self }
    }

    /// Another weight of a new batch than 0.1. Panics unless it is from 0 to 1.
    pub fn momentum(self, momentum: f32) -> Self {
        let fits = (0.0..=1.0).contains(&momentum);
        assert!(fits, "{}: got momentum {momentum}, expected 0 to 1", self.name());
        Self { momentum, ..self }
    }

    /// The running statistics.
    pub fn running_stats(&self) -> RunningStats {
        self.running.borrow().clone()
    }

    /// Replaces the running statistics. Panics when there is not one mean and one variance for each channel.
    pub fn set_running_stats(&mut self, stats: RunningStats) {
        let (means, variances, c) = (stats.mean.len(), stats.variance.len(), self.weight.numel());
        assert!(
            means == c && variances == c,
            "{}: got {means} means and {variances} variances, expected {c} of each",
            self.name()
        );
        self.running.replace(stats);
    }
}

// %% nbgrader={"grade": false, "grade_id": "spatial-explore", "locked": true, "schema_version": 3, "solution": false, "task": false}
/// A kernel slides over a digit.
///
/// Play it: the patch, its nine products with the kernel, and their sum, which is one number of the feature map.
/// Which strokes does each kernel find? What do stride and padding do to the size? `convolve_naive` computes the map.
pub fn explore_convolution(figure: &mut Explorer) {
    let class = figure.number("digit", 3.0, 0.0..=9.0, 1.0) as f32;
    let name = figure.choice("kernel", &KERNELS.map(|(name, _)| name));
    let (_, kernel) = KERNELS.into_iter().find(|kernel| kernel.0 == name).unwrap_or(KERNELS[0]);
    let stride = figure.number("stride", 1.0, 1.0..=3.0, 1.0) as usize;
    let padding = figure.number("padding", 0.0, 0.0..=2.0, 1.0) as usize;
    let grid = grid_of(8, Window::new(3).stride(stride).padding(padding));
    let Some(grid) = grid.filter(|grid| grid.output.area() > 0) else {
        return figure.note("`output_size` says that a 3x3 window does not fit an 8x8 image.");
    };
    let (at, columns) = (figure.play("position", grid.output.area(), 4), grid.output.columns);

    let image = pad(&grid, &digit(class), 0.0);
    let mut map = vec![0.0; grid.output.area()];
    convolve_naive(&grid, &image, &kernel, &mut map);
    let patch = grid.patch(&image, at);
    // Adding 0 turns a product of -0 into 0.
    let products: Vec<f32> = patch.iter().zip(kernel).map(|(p, weight)| p * weight + 0.0).collect();
    let cell = |n: usize| format!("{} x {} = {}", patch[n], kernel[n], products[n]).into();
    let title = format!("Row {}, column {}: pixel x weight", at / columns, at % columns);
    let rows = (0..3).map(|row| (3 * row..3 * row + 3).map(cell).collect()).collect();
    let heads = ["left", "middle", "right"].map(|head| (head, ""));
    figure.computed_table(title, "the patch times the kernel", &heads, rows);
    figure.insight(products_insight(products.iter().sum(), map[at]));
    figure.picture(grid.on_its_way("The digit, the patch bright; its map", &image, &map, at));
}

/// The first digit of a class in the training set: its 64 levels from 0 to 16.
fn digit(class: f32) -> Vec<f32> {
    let train = digits(DigitShape::Image).expect("the digits are built in").train;
    let first = train.targets().data().iter().position(|target| *target == class).unwrap_or(0);
    train.inputs().data()[64 * first..64 * first + 64].iter().map(|level| 16.0 * level).collect()
}

// %% nbgrader={"grade": false, "grade_id": "spatial-main", "locked": true, "schema_version": 3, "solution": false, "task": false}
/// Runs every analysis of this module.
pub fn main() {
    let out = &mut Reporter::stdout();
    analyze_convolution_cost(out);
    analyze_feature_maps(out);
    analyze_parameter_sharing(out);
}

// %% nbgrader={"grade": false, "grade_id": "spatial-own", "locked": false, "schema_version": 3, "solution": false, "task": false}
// Yours: helper functions and tests of your own go here. The tutor runs each `#[test]` function of this cell and
// shows it as yours; it is never graded.
