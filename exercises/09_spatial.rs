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
//! Input: images `(N, C, H, W)`, batch first. Output: feature maps, or class scores. For a 3x3
//! kernel, `out[o][i][j] = bias[o] + sum over c, r, s of weight[o][c][r][s] * x[c][i + r][j + s]`.
//! By hand: the kernel `[[1, 0], [0, 1]]` on `[[1, 2], [3, 4]]` gives `1 + 4 = 5`.
//!
//! Builds on 01 (`Tensor`), 02 (`ReLU`), 03 (`Layer`, `Linear`), 05 (`custom`: an operation with a
//! gradient rule of its own). Not here: faster convolutions (18).

use std::cell::RefCell;
use std::error::Error;

use tinytorch::activations::ReLU;
use tinytorch::autograd::{GradientRule, InputGradients, custom, grad_for};
use tinytorch::dataloader::{DataLoader, Dataset, DigitShape, TensorDataset, digits};
use tinytorch::explore::Explorer;
use tinytorch::layers::{Layer, Linear, Sequential};
use tinytorch::losses::CrossEntropyLoss;
use tinytorch::optimizers::Adam;
use tinytorch::random::Rng;
use tinytorch::report::{Axis, Chart, ChartKind, Column, Origin, Picture};
use tinytorch::report::{Reporter, Series, Table, Value};
use tinytorch::tensor::{Tensor, shape_text, values};
use tinytorch::testing::{
    Comparison, Ratio, Reading, compare, compare_accuracies, quartiles, sample_error, time,
};
use tinytorch::training::{CosineSchedule, Trainer};

// %% [markdown] nbgrader={"grade": false, "grade_id": "spatial-intro", "locked": true, "schema_version": 3, "solution": false, "task": false}
// # 🎯 Spatial
//
// A convolution slides a small window over an image and computes the same weighted sum at every position.
// The sums form a new image, a *feature map*. You write the convolution in small steps, then its
// gradient, then pooling and batch normalization, and build a network that reads handwriting.

// %% nbgrader={"grade": false, "grade_id": "spatial-types", "locked": true, "schema_version": 3, "solution": false, "task": false}
/// Rows and columns. A single number is a square: `3.into()` is 3x3.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pair {
    /// Down.
    pub rows: usize,
    /// Across.
    pub columns: usize,
}

/// The window that slides over an image. `Window::new(3).stride(2).padding(1)` makes one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// Its size.
    kernel: Pair,
    /// How far it moves in one step.
    stride: Pair,
    /// How many rows and columns are added on each side of the image.
    padding: Pair,
}

// %% [markdown] nbgrader={"grade": false, "grade_id": "conv-geometry", "locked": true, "schema_version": 3, "solution": false, "task": false}
// ## The size of the output

// %% nbgrader={"grade": false, "grade_id": "conv-output-size", "locked": false, "schema_version": 3, "solution": true, "task": false}
/// The number of output positions of a window along one axis; `None` if the window does not fit.
///
/// TODO: count the positions.
///
/// APPROACH:
/// 1. Padding is added on both sides: the axis gets longer by twice the padding.
/// 2. The first position is 0. The window can still move by what is left behind it.
/// 3. Each further position needs `stride` pixels of that; a remainder that is too short is not
///    used.
///
/// EXAMPLE: `output_size(8, 3, 1, 0)` is `Some(6)`; with padding 1 it is `Some(8)`, and with stride
/// 2 as well, `Some(4)`.
///
/// HINTS: `checked_sub` and `checked_div` return `None` where the operators would panic, and `?`
/// passes the `None` on. A stride of 0 is `None` too.
pub fn output_size(input: usize, kernel: usize, stride: usize, padding: usize) -> Option<usize> {
    todo!("conv-output-size")
}

// %% nbgrader={"grade": true, "grade_id": "test-conv-output-size", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
/// 🔬 Plain, padded, strided, with a remainder, and a window that does not fit.
#[test]
fn test_unit_output_size() {
    use tinytorch::testing::{expect_eq, panic_message};

    let rounded = "round down: a remainder that is too short for a step is not used";
    for (input, kernel, stride, padding, wanted, idea) in [
        (8, 3, 1, 0, Some(6), "count the positions: the first one, and one more for each step"),
        (8, 3, 1, 1, Some(8), "padding is added on both sides"),
        (5, 5, 3, 0, Some(1), "count the positions: the first one, and one more for each step"),
        (8, 3, 2, 1, Some(4), rounded),
        (224, 7, 2, 3, Some(112), rounded),
        (3, 5, 1, 0, None, "a window that is larger than the image does not fit"),
        (3, 5, 1, 1, Some(1), "padding is added before the window is laid on"),
        (8, 3, 0, 0, None, "a stride of 0 never gets to the end"),
    ] {
        let call = format!("output_size({input}, {kernel}, {stride}, {padding})");
        let size = || output_size(input, kernel, stride, padding);
        expect_eq(&call, panic_message(size), panic_message(|| ()), idea);
        expect_eq(&call, size(), wanted, idea);
    }
}

// %% nbgrader={"grade": false, "grade_id": "spatial-debug", "locked": false, "schema_version": 3, "solution": true, "task": false}
/// The receptive field along one axis: how many pixels of the image one output of the last layer
/// depends on. `layers` gives the kernel size and the stride of each, first layer first.
///
/// TODO: Find the fault in these lines, which a colleague wrote, and write them correctly. They are
/// right for any number of layers with a stride of 1. For the four layers of the network in this
/// module, (3, 1), (2, 2), (3, 1) and (2, 2), they say 13, and it is 10.
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
/// APPROACH:
/// 1. Here `distance` is how many pixels lie between two neighbouring numbers. Ask of each line:
///    neighbours in the input of this layer, or in its output?
/// 2. A kernel covers neighbours in the input of its layer.
///
/// EXAMPLE: A layer of 3x3 sees 3 pixels. With a stride of 2 it still sees 3, and the layer of 3x3
/// after it 7.
///
/// HINTS: The four numbers of the table are a test that you can do by hand.
#[must_use]
pub fn receptive_field(layers: &[(usize, usize)]) -> usize {
    todo!("spatial-debug")
}

// %% nbgrader={"grade": true, "grade_id": "test-spatial-debug", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
/// 🔬 Layers with a stride of 1, then strides: each counts for the layers after it.
#[test]
fn test_unit_receptive_field() {
    use tinytorch::testing::expect_eq;

    let check = |layers: &[(usize, usize)], wanted: usize, idea: &str| {
        expect_eq(format!("layers {layers:?}"), receptive_field(layers), wanted, idea);
    };
    let idea = "each layer adds its kernel size less one; without a layer, one pixel sees itself";
    check(&[], 1, idea);
    check(&[(3, 1)], 3, idea);
    check(&[(3, 1); 6], 13, idea);
    check(&[(5, 1), (1, 1), (3, 1)], 7, idea);
    let idea = "a stride moves the windows of its layer, and does not make them larger: it counts for the layers \
                after it";
    check(&[(3, 2)], 3, idea);
    check(&[(3, 2), (3, 1)], 7, idea);
    check(&[(3, 1), (2, 2), (3, 1), (2, 2)], 10, idea);
    let idea =
        "strides multiply: after two layers with a stride of 2, neighbours are 4 pixels apart";
    check(&[(3, 2), (3, 2), (3, 2)], 15, idea);
}

// %% nbgrader={"grade": false, "grade_id": "spatial-grid", "locked": true, "schema_version": 3, "solution": false, "task": false}
/// A window on images of one size: the geometry that convolution and pooling share. A *plane* is one
/// channel of one image. A *kernel position* is a row and a column inside the window; an *output
/// position* is a row and a column of the output. What the window covers at one output position is
/// a *patch*.
#[derive(Debug, Clone, Copy)]
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
    /// Every kernel position, row by row.
    pub fn kernel_positions(&self) -> impl Iterator<Item = Pair> + use<> {
        let Pair { rows, columns } = self.window.kernel;
        (0..rows).flat_map(move |row| (0..columns).map(move |column| (row, column).into()))
    }

    /// For each row of the output: the index, in a padded plane, of the pixel under `position` when
    /// the window is at the start of that row.
    pub fn row_starts(&self, position: Pair) -> impl Iterator<Item = usize> + use<> {
        let (width, step) = (self.padded.columns, self.window.stride.rows);
        (0..self.output.rows)
            .map(move |row| (row * step + position.rows) * width + position.columns)
    }

    /// For each output position: the index, in a padded plane, of the first pixel of its patch that is
    /// not padding.
    pub fn first_pixels(&self) -> impl Iterator<Item = usize> + use<> {
        let (Window { stride, padding, .. }, width) = (self.window, self.padded.columns);
        let Pair { rows, columns } = self.output;
        let row = move |row: usize| (row * stride.rows).max(padding.rows) * width;
        let column = move |column: usize| (column * stride.columns).max(padding.columns);
        (0..rows).flat_map(move |r| (0..columns).map(move |c| row(r) + column(c)))
    }

    /// Every weight of one kernel: its index, the plane (of one padded image) that it applies to,
    /// and its kernel position.
    pub fn weights<'a>(&self, image: &'a [f32]) -> impl Iterator<Item = (usize, &'a [f32], Pair)> {
        let grid = *self;
        let planes = image.chunks_exact(self.padded.area());
        let each = planes
            .flat_map(move |plane| grid.kernel_positions().map(move |position| (plane, position)));
        each.enumerate().map(|(index, (plane, position))| (index, plane, position))
    }
}

// %% nbgrader={"grade": false, "grade_id": "conv-pad", "locked": false, "schema_version": 3, "solution": true, "task": false}
impl Grid {
    /// Pads planes of size `image`, one after another, with a border of `fill`.
    ///
    /// TODO: copy each row into the middle of a larger plane.
    ///
    /// APPROACH:
    /// 1. Make a `Vec` of `fill` with `padded.area()` numbers for each plane.
    /// 2. Walk over the planes and the padded planes side by side.
    /// 3. In each, skip the rows of the border, then copy row by row, starting after the left
    ///    border.
    ///
    /// EXAMPLE: With padding 1, the plane `1 2 | 3 4` becomes
    /// `0 0 0 0 | 0 1 2 0 | 0 3 4 0 | 0 0 0 0`.
    ///
    /// HINTS: `chunks_exact` and `chunks_exact_mut` cut planes, and planes into rows; `zip` pairs
    /// them. `copy_from_slice` copies a row at once.
    pub fn pad(&self, planes: &[f32], fill: f32) -> Vec<f32> {
        todo!("conv-pad")
    }
}

// %% nbgrader={"grade": true, "grade_id": "test-conv-pad", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
/// 🔬 Every plane has a border of its own, as wide as asked for on each axis.
#[test]
fn test_unit_pad() {
    use tinytorch::testing::{expect_close, expect_eq, panic_message};

    let bare = Grid::new((1, 3), Window::new(1)).unwrap();
    let idea = "without padding nothing changes";
    expect_close(
        "1 2 3 without padding",
        &bare.pad(&[1.0, 2.0, 3.0], 9.0),
        &[1.0, 2.0, 3.0],
        0.0,
        idea,
    );
    let planes = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0];
    #[rustfmt::skip]
    let [wide, fill, each] = [
        ((0, 1), [0., 1., 2., 0., 0., 3., 4., 0., 0., 5., 6., 0., 0., 7., 8., 0.].as_slice()),
        ((1, 0), &[0., 0., 1., 2., 3., 4., 0., 0., 0., 0., 5., 6., 7., 8., 0., 0.]),
        ((1, 2), &[
            0., 0., 0., 0., 0., 0., 0., 0., 1., 2., 0., 0., 0., 0., 3., 4., 0., 0., 0., 0., 0., 0., 0., 0.,
            0., 0., 0., 0., 0., 0., 0., 0., 5., 6., 0., 0., 0., 0., 7., 8., 0., 0., 0., 0., 0., 0., 0., 0.,
        ]),
    ];
    for ((rows, columns), wanted) in [wide, fill, each] {
        let grid = Grid::new(2, Window::new(1).padding((rows, columns))).unwrap();
        let input = format!("two planes 1 2 | 3 4 and 5 6 | 7 8 with padding {rows} and {columns}");
        let idea =
            "each plane has a border of its own: rows above and below, columns left and right";
        let panic = panic_message(|| grid.pad(&planes, 0.0));
        expect_eq(&input, panic, panic_message(|| ()), idea);
        expect_close(&input, &grid.pad(&planes, 0.0), wanted, 0.0, idea);
        let border = grid.pad(&planes, -1.0).iter().filter(|&&value| value == -1.0).count();
        expect_eq(
            format!("{input} and fill -1"),
            border,
            wanted.len() - 8,
            "the border is made of `fill`",
        );
    }
}

// %% [markdown] nbgrader={"grade": false, "grade_id": "conv-sliding", "locked": true, "schema_version": 3, "solution": false, "task": false}
// ## The convolution
//
// First the definition, loop by loop: one output position and all weights, then all output positions.
// Then the same sums in another order: one weight and all output positions. That order suits the
// processor's SIMD instructions.

// %% nbgrader={"grade": false, "grade_id": "conv-window", "locked": false, "schema_version": 3, "solution": true, "task": false}
impl Grid {
    /// One number of the output: each weight times the pixel under it, summed over all channels.
    /// `image` holds padded planes, `kernel` a plane of weights for each; the window's upper left
    /// corner is at `corner` of the padded image.
    ///
    /// TODO: multiply and add, over the channels, rows and columns of the kernel.
    ///
    /// APPROACH:
    /// 1. Three nested loops: channel, kernel row, kernel column.
    /// 2. Under the weight at that row and column lies the pixel that is as far below and to the
    ///    right of `corner`.
    /// 3. Add the product of the two to the sum.
    ///
    /// EXAMPLE: The kernel `[1, 0, 0, 1]` of 2x2 on the image `[1, 2, 3, 4]` of 2x2 gives 5.
    ///
    /// HINTS: Planes and kernels are flat. Row `r`, column `c` of a plane of width `w` has the
    /// index `r * w + c`; the width of an image's plane is that of the padded image.
    pub fn at(&self, image: &[f32], kernel: &[f32], corner: Pair) -> f32 {
        todo!("conv-window")
    }
}

// %% nbgrader={"grade": true, "grade_id": "test-conv-window", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
/// 🔬 One output position by hand, with one channel and with two.
#[test]
fn test_unit_window() {
    use tinytorch::testing::{expect_close, expect_eq, panic_message};

    let check = |input: &str, yours: &dyn Fn() -> Vec<f32>, wanted: &[f32], idea: &str| {
        expect_eq(input, panic_message(yours), panic_message(|| ()), idea);
        expect_close(input, &yours(), wanted, 0.0, idea);
    };
    let grid = Grid::new((2, 3), Window::new(2)).unwrap();
    let image = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 10.0, 20.0, 30.0, 40.0, 50.0, 60.0];
    let one =
        |kernel: [f32; 4], corner: (usize, usize)| grid.at(&image[..6], &kernel, corner.into());
    let diagonal = || [(0, 0), (0, 1)].map(|corner| one([1.0, 0.0, 0.0, 1.0], corner)).to_vec();
    let idea = "the pixel under a weight is as far from the corner of the window as the weight is from the first";
    check("weights 1 0 | 0 1 on 1 2 3 | 4 5 6", &diagonal, &[1.0 + 5.0, 2.0 + 6.0], idea);
    let lower = || vec![one([0.0, 0.0, 1.0, 2.0], (0, 0))];
    let idea = "weights are stored row by row: the kernel is neither flipped nor transposed";
    check("weights 0 0 | 1 2 on 1 2 3 | 4 5 6", &lower, &[4.0 + 10.0], idea);
    let kernel = [1.0, 0.0, 0.0, 1.0, 0.0, 1.0, -1.0, 0.0];
    let both = || vec![grid.at(&image, &kernel, (0, 1).into())];
    let idea = "sum over all channels, each with its own plane of weights";
    check("two channels", &both, &[2.0 + 6.0 + 30.0 - 50.0], idea);
    // 1x2, padded to 3x4: the rows of the padded plane are 4 long, those of the image 2.
    let grid = Grid::new((1, 2), Window::new(2).padding(1)).unwrap();
    let plane = [0.0, 0.0, 0.0, 0.0, 0.0, 1.0, 2.0, 0.0, 0.0, 0.0, 0.0, 0.0];
    let padded = || vec![grid.at(&plane, &[0.0, 0.0, 3.0, 5.0], (0, 1).into())];
    let idea = "a row of a padded plane is as long as the padded image";
    check("weights 0 0 | 3 5 on 1 2 with padding 1", &padded, &[3.0 + 10.0], idea);
}

// %% nbgrader={"grade": false, "grade_id": "conv-naive", "locked": false, "schema_version": 3, "solution": true, "task": false}
impl Grid {
    /// Convolves one padded image with all kernels, output position by output position. Adds to
    /// `result`, which holds one plane of `output.area()` numbers for each kernel, and already the
    /// bias.
    ///
    /// TODO: call [`Grid::at`] for every kernel and every output position.
    ///
    /// APPROACH:
    /// 1. A kernel has one weight for each channel and kernel position: cut `kernels` into chunks
    ///    of that length.
    /// 2. Three nested loops: kernel, output row, output column.
    /// 3. The window's corner moves by the stride; add what [`Grid::at`] returns there to the
    ///    result.
    ///
    /// EXAMPLE: The kernels `[1, 0, 0, 1]` and `[0, 1, -1, 0]` of 2x2 on the image `1 2 3 | 4 5 6`
    /// give the planes `[6, 8]` and `[-2, -2]`.
    ///
    /// HINTS: The number of channels is not stored: it is the length of `image` divided by
    /// `padded.area()`. Rows and columns have strides of their own.
    pub fn convolve_naive(&self, image: &[f32], kernels: &[f32], result: &mut [f32]) {
        todo!("conv-naive")
    }
}

// %% nbgrader={"grade": true, "grade_id": "test-conv-naive", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
/// 🔬 Two kernels by hand, added to the bias, and a stride that differs between rows and columns.
#[test]
fn test_unit_convolve_naive() {
    use tinytorch::testing::{expect_close, expect_eq, panic_message};

    let convolve =
        |image: (usize, usize), window: Window, pixels: &[f32], kernels: &[f32], bias: &[f32]| {
            let mut result = bias.to_vec();
            Grid::new(image, window).unwrap().convolve_naive(pixels, kernels, &mut result);
            result
        };
    let check = |input: &str, yours: &dyn Fn() -> Vec<f32>, wanted: &[f32], idea: &str| {
        expect_eq(input, panic_message(yours), panic_message(|| ()), idea);
        expect_close(input, &yours(), wanted, 0.0, idea);
    };
    let pixels = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0];
    let kernels = [1.0, 0.0, 0.0, 1.0, 0.0, 1.0, -1.0, 0.0];
    let two = || convolve((2, 3), Window::new(2), &pixels, &kernels, &[0.0; 4]);
    let idea = "each kernel makes a plane of its own";
    check("two kernels on 1 2 3 | 4 5 6", &two, &[6.0, 8.0, -2.0, -2.0], idea);
    let biased = || convolve((2, 3), Window::new(2), &pixels, &kernels, &[0.0, 0.0, 100.0, 100.0]);
    let idea = "add to the result: it holds the bias already";
    check("a bias of 0 and of 100", &biased, &[6.0, 8.0, 98.0, 98.0], idea);

    let plane: Vec<f32> = (1..=20).map(|n| n as f32).collect();
    let strided = || convolve((4, 5), Window::new(1).stride((2, 3)), &plane, &[1.0], &[0.0; 4]);
    let idea = "the corner moves by the stride, rows and columns by their own";
    check("1 to 20 as 4x5, stride 2 down and 3 across", &strided, &[1.0, 4.0, 11.0, 14.0], idea);
    let pixels = [1.0, 2.0, 30.0, 40.0];
    let channels = || convolve((1, 2), Window::new(1), &pixels, &[1.0, 0.5], &[0.0; 2]);
    let idea = "a kernel has a weight for each channel and kernel position";
    check("two channels, 1 2 and 30 40, weights 1 and 0.5", &channels, &[16.0, 22.0], idea);
}

// %% nbgrader={"grade": false, "grade_id": "conv-unfold", "locked": false, "schema_version": 3, "solution": true, "task": false}
impl Grid {
    /// The pixels that one weight is multiplied with: the pixel under `position` for every output
    /// position, row by row. It is one row of the matrix that PyTorch's `unfold` makes (also called
    /// im2col).
    ///
    /// TODO: fill `unfolded` from the padded plane.
    ///
    /// APPROACH:
    /// 1. `unfolded` has one row of `output.columns` numbers for each of [`Grid::row_starts`].
    /// 2. In each row, begin at the start and take every `stride.columns`-th pixel.
    ///
    /// EXAMPLE: On the plane `[1, 2, 3, 4, 5, 6, 7, 8, 9]` of 3x3, kernel position (0, 1) of a 2x2
    /// window gives `[2, 3, 5, 6]`.
    ///
    /// HINTS: `step_by` skips pixels. `zip` ends with the shorter side, so it stops when the row is
    /// full.
    pub fn unfold_row(&self, plane: &[f32], position: Pair, unfolded: &mut [f32]) {
        todo!("conv-unfold")
    }
}

// %% nbgrader={"grade": true, "grade_id": "test-conv-unfold", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
/// 🔬 Each kernel position has its own part of the plane, also with strides.
#[test]
fn test_unit_unfold_row() {
    use tinytorch::testing::{expect_close, expect_eq, panic_message};

    let plane: Vec<f32> = (1..=20).map(|n| n as f32).collect();
    let rows = "start each row of the output at its own of `row_starts`: kernel position and stride are in it";
    for (image, stride, position, wanted, idea) in [
        ((3, 3), (1, 1), (0, 1), [2.0, 3.0, 5.0, 6.0], rows),
        ((3, 3), (1, 1), (1, 1), [5.0, 6.0, 8.0, 9.0], rows),
        (
            (4, 5),
            (1, 3),
            (1, 0),
            [6.0, 9.0, 11.0, 14.0],
            "in a row, take every `stride.columns`-th pixel",
        ),
        ((4, 5), (2, 3), (1, 0), [6.0, 9.0, 16.0, 19.0], rows),
        (
            (4, 5),
            (2, 1),
            (0, 0),
            [1.0, 2.0, 11.0, 12.0],
            "in a row, take every `stride.columns`-th pixel",
        ),
    ] {
        let grid = Grid::new(image, Window::new(2).stride(stride)).unwrap();
        let count = grid.output.area();
        let unfold = || {
            let mut unfolded = vec![9.0; count];
            grid.unfold_row(&plane[..image.0 * image.1], position.into(), &mut unfolded);
            let columns = grid.output.columns;
            [unfolded[0], unfolded[1], unfolded[columns], unfolded[columns + 1]]
        };
        let input = format!(
            "1, 2, 3, ... as {image:?}, window 2x2, stride {stride:?}, position {position:?}"
        );
        expect_eq(&input, panic_message(unfold), panic_message(|| ()), idea);
        expect_close(input, &unfold(), &wanted, 0.0, idea);
    }
}

// %% nbgrader={"grade": false, "grade_id": "conv-loops", "locked": false, "schema_version": 3, "solution": true, "task": false}
impl Grid {
    /// Convolves one padded image with all kernels. Adds to `result`, which holds one plane of
    /// `output.area()` numbers for each kernel, and already the bias.
    ///
    /// TODO: for each weight of a kernel, unfold once, then add to every kernel's plane of the
    /// result.
    ///
    /// APPROACH:
    /// 1. A kernel has one weight for each channel and kernel position: cut `kernels` into chunks
    ///    of that length.
    /// 2. For each of [`Grid::weights`], fill a buffer with [`Grid::unfold_row`].
    /// 3. For each kernel and its plane of the result, add the kernel's weight times the buffer,
    ///    number by number.
    ///
    /// EXAMPLE: Every number equals the one of [`Grid::convolve_naive`]; the test compares them
    /// all.
    ///
    /// HINTS: Make the buffer once, before the loops. Let the innermost loop run over two slices
    /// with `zip`: the compiler turns it into SIMD instructions, which handle 4 or 8 numbers at a
    /// time.
    pub fn convolve(&self, image: &[f32], kernels: &[f32], result: &mut [f32]) {
        todo!("conv-loops")
    }
}

// %% nbgrader={"grade": true, "grade_id": "test-conv-loops", "locked": true, "points": 15, "schema_version": 3, "solution": false, "task": false}
/// 🔬 The reordered loops give the same sums as the naive ones.
#[test]
fn test_unit_convolve() {
    use tinytorch::testing::{expect_close, expect_eq, panic_message};

    let mut rng = Rng::seeded(3);
    let windows = [(Window::new(3), 9), (Window::new((2, 3)).stride((1, 2)), 6)];
    for (window, weights) in windows {
        let grid = Grid::new((5, 6), window).unwrap();
        for (channels, kernels, idea) in [
            (1, 1, "each weight times its own unfolded pixels, added up over the kernel positions"),
            (2, 1, "every channel has weights of its own"),
            (2, 3, "every kernel adds to its own plane, with its own weight"),
        ] {
            let image = Tensor::randn(&[channels, 5, 6], &mut rng).to_vec();
            let weights = Tensor::randn(&[kernels, channels, weights], &mut rng).to_vec();
            let compare = |bias: f32, idea: &str| {
                let run = |convolve: fn(&Grid, &[f32], &[f32], &mut [f32])| {
                    let mut result = vec![bias; kernels * grid.output.area()];
                    convolve(&grid, &image, &weights, &mut result);
                    result
                };
                let expected = run(Grid::convolve_naive);
                let input =
                    format!("{channels} channels, {kernels} kernels, {window:?}, bias {bias}");
                let panic = panic_message(|| run(Grid::convolve));
                expect_eq(&input, panic, panic_message(|| ()), idea);
                expect_close(input, &run(Grid::convolve), &expected, 1e-5, idea);
            };
            compare(0.0, idea);
            compare(0.5, "add to the result: it holds the bias already");
        }
    }
    // In f32, 16,777,216 + 1 is 16,777,216: a result that begins there shows whether products or sums are added to it.
    let mut result = [16_777_216.0];
    Grid::new(3, Window::new(3)).unwrap().convolve(&[1.0; 9], &[1.0; 9], &mut result);
    let idea = "weight by weight: the products of one weight are added to the result before those of the next";
    let input = "nine products of 1, each added to 16,777,216 by itself";
    expect_close(input, &result, &[16_777_216.0], 0.0, idea);
}

// %% [markdown] nbgrader={"grade": false, "grade_id": "conv-layer", "locked": true, "schema_version": 3, "solution": false, "task": false}
// ## The layer

// %% nbgrader={"grade": false, "grade_id": "conv-types", "locked": true, "schema_version": 3, "solution": false, "task": false}
/// A convolution: `weight` of shape `(outputs, inputs, rows, columns)`, `bias` of shape `(outputs)`.
pub struct Conv2d {
    /// One kernel for each output channel.
    pub weight: Tensor,
    /// What is added to each output channel.
    pub bias: Option<Tensor>,
    window: Window,
}

/// The gradient rule of a convolution; it calls what you write in the next part.
struct ConvRule(Grid);

// %% nbgrader={"grade": false, "grade_id": "conv-forward", "locked": false, "schema_version": 3, "solution": true, "task": false}
impl Layer for Conv2d {
    fn name(&self) -> String {
        let Pair { rows, columns } = self.window.kernel;
        let shape = self.weight.shape();
        format!("Conv2d({} -> {}, {rows}x{columns})", shape[1], shape[0])
    }

    /// Images `(N, inputs, H, W)` to feature maps `(N, outputs, output rows, output columns)`.
    ///
    /// TODO: pad the batch, fill each plane of the result with its bias, convolve image by image.
    ///
    /// APPROACH:
    /// 1. [`Grid::pad`] with 0 pads all planes of the batch at once.
    /// 2. Make `result`: for each image and output channel, `output.area()` times the channel's
    ///    bias, or 0 without a bias.
    /// 3. Give [`Grid::convolve`] each padded image with its part of `result`.
    ///
    /// EXAMPLE: `Conv2d::new(3, 16, Window::new(3).padding(1), rng)` turns `(2, 3, 32, 32)` into
    /// `(2, 16, 32, 32)`.
    ///
    /// HINTS: `Tensor::data` is a slice: that of `weight` holds all kernels, one after another.
    /// `cycle` repeats the biases for every image.
    fn forward(&self, x: &Tensor) -> Tensor {
        let outputs = self.weight.shape()[0];
        let (grid, [n, inputs]) = grid_for(self, x, self.window, Some(self.weight.shape()[1]));
        let result: Vec<f32> = {
            todo!("conv-forward")
        };
        let result = values(result, &[n, outputs, grid.output.rows, grid.output.columns]);
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
/// 🔬 A kernel by hand, a bias for each channel, every image of the batch, and clear errors.
#[test]
fn test_unit_conv_forward() {
    use tinytorch::testing::{expect_close, expect_eq, panic_message};

    let mut rng = Rng::seeded(1);
    let weight = Tensor::new(&[1.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 2.0], &[2, 1, 2, 2]);
    let x =
        Tensor::new(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 0.0, 0.0, 0.0, 0.0, 1.0, 1.0], &[2, 1, 2, 3]);
    let check = |bias: Option<[f32; 2]>, wanted: [f32; 8], idea: &str| {
        let input = format!("two images of 2x3, two kernels, bias {bias:?}");
        let bias = bias.map(|bias| Tensor::new(&bias, &[2]));
        let conv = Conv2d::from_weights(weight.clone(), bias, 2);
        let forward = || conv.forward(&x).to_vec();
        expect_eq(&input, panic_message(forward), panic_message(|| ()), idea);
        expect_close(input, &forward(), &wanted, 0.0, idea);
    };
    let idea = "convolve every image of the batch into its own part of the result";
    check(None, [6.0, 8.0, 10.0, 12.0, 1.0, 1.0, 2.0, 2.0], idea);
    let idea = "each output channel begins with its own bias, in every image";
    check(Some([0.0, 10.0]), [6.0, 8.0, 20.0, 22.0, 1.0, 1.0, 12.0, 12.0], idea);

    let ones = Conv2d::from_weights(Tensor::ones(&[1, 1, 3, 3]), None, Window::new(3).padding(1));
    let counted = || ones.forward(&Tensor::ones(&[1, 1, 2, 2])).to_vec();
    let idea = "pad with 0 before convolving";
    expect_eq("2x2 ones, padding 1", panic_message(counted), panic_message(|| ()), idea);
    expect_close("2x2 ones, a kernel of 3x3 ones, padding 1", &counted(), &[4.0; 4], 0.0, idea);

    let padded = Conv2d::new(3, 16, Window::new(3).padding(1), &mut rng);
    let shape = padded.forward(&Tensor::ones(&[2, 3, 32, 32])).shape().to_vec();
    expect_eq(
        "3 -> 16 channels on (2, 3, 32, 32)",
        shape,
        vec![2, 16, 32, 32],
        "a plane for each kernel",
    );
    let strided = Conv2d::without_bias(3, 4, Window::new(5).stride(2), &mut rng);
    let shape = strided.forward(&Tensor::ones(&[1, 3, 9, 8])).shape().to_vec();
    expect_eq(
        "5x5, stride 2, on (1, 3, 9, 8)",
        shape,
        vec![1, 4, 3, 2],
        "`grid.output` has the size",
    );
    for (shape, fact) in
        [(&[3, 8, 8][..], "x.reshape(&[1, 3, 8, 8])"), (&[1, 8, 8, 3], "expected 3")]
    {
        let message = panic_message(|| padded.forward(&Tensor::ones(shape)));
        expect_eq(
            format!("{message:?}: does it say {fact:?}"),
            message.contains(fact),
            true,
            "given checks",
        );
    }
}

// %% [markdown] nbgrader={"grade": false, "grade_id": "conv-backward", "locked": true, "schema_version": 3, "solution": false, "task": false}
// ## The gradients
//
// `result = weight * pixel`, many times over. By the chain rule, a weight's gradient is a sum of pixels and
// a pixel's gradient a sum of weights, each times the gradient of the result, `grad_output`.

// %% nbgrader={"grade": false, "grade_id": "conv-weight-gradient", "locked": false, "schema_version": 3, "solution": true, "task": false}
impl Grid {
    /// Adds one image's part to the gradient of all kernels. `grad_output` holds one plane for each
    /// kernel.
    ///
    /// TODO: each weight collects the pixels that it was multiplied with, times the gradients of
    /// the sums that they went into.
    ///
    /// APPROACH:
    /// 1. The same loops as in [`Grid::convolve`]: for each weight, unfold.
    /// 2. For each kernel and its plane of `grad_output`: add the [`dot`] product of that plane and
    ///    the unfolded pixels to this weight's gradient.
    ///
    /// EXAMPLE: A 1x1 kernel on the image `[3, 4]` with the upstream gradient `[1, 10]` has the
    /// gradient `3 + 40 = 43`.
    ///
    /// HINTS: `grad_weight` is cut like the kernels. `dot` is given.
    pub fn weight_gradient(&self, grad_output: &[f32], image: &[f32], grad_weight: &mut [f32]) {
        todo!("conv-weight-gradient")
    }
}

// %% nbgrader={"grade": true, "grade_id": "test-conv-weight-gradient", "locked": true, "points": 10, "schema_version": 3, "solution": false, "task": false}
/// 🔬 Each weight's gradient by hand; the parts of several images add up.
#[test]
fn test_unit_weight_gradient() {
    use tinytorch::testing::{expect_close, expect_eq, panic_message};

    let grid = Grid::new((1, 2), Window::new(1)).unwrap();
    let mut gradient = [0.0];
    grid.weight_gradient(&[1.0, 10.0], &[3.0, 4.0], &mut gradient);
    let idea = "a weight collects its pixels, each times the gradient of the sum that it went into";
    expect_close("a 1x1 kernel on 3 4, grad_output 1 10", &gradient, &[43.0], 0.0, idea);
    grid.weight_gradient(&[1.0, 1.0], &[1.0, 1.0], &mut gradient);
    expect_close(
        "a second image on top",
        &gradient,
        &[45.0],
        0.0,
        "the images of a batch add up: add, do not assign",
    );

    // Two kernels of 1x2 on two channels of 1x3: two output positions.
    let grid = Grid::new((1, 3), Window::new((1, 2))).unwrap();
    let image = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0];
    let gradient = || {
        let mut gradient = [0.0; 8];
        grid.weight_gradient(&[1.0, 0.0, 0.0, 10.0], &image, &mut gradient);
        gradient
    };
    let input = "two 1x2 kernels on channels 1 2 3 and 4 5 6, grad_output 1 0 and 0 10";
    let idea = "each kernel with its own plane of grad_output, each channel and position with its own weight";
    expect_eq(input, panic_message(gradient), panic_message(|| ()), idea);
    let wanted = [1.0, 2.0, 4.0, 5.0, 20.0, 30.0, 50.0, 60.0];
    expect_close(input, &gradient(), &wanted, 0.0, idea);
}

// %% nbgrader={"grade": false, "grade_id": "conv-fold", "locked": false, "schema_version": 3, "solution": true, "task": false}
impl Grid {
    /// [`Grid::unfold_row`] in reverse: adds each number to the pixel that it came from. PyTorch
    /// calls the whole operation `fold` (also col2im).
    ///
    /// TODO: the loops of `unfold_row`, but writing into the plane.
    ///
    /// APPROACH:
    /// 1. The same rows and starts as in [`Grid::unfold_row`].
    /// 2. Add each number to its pixel: windows overlap, so a pixel may receive several.
    ///
    /// EXAMPLE: Folding `[1, 2, 3, 4]` at kernel position (0, 1), 2x2 on 3x3, gives `0 1 2 | 0 3 4
    /// | 0 0 0`.
    ///
    /// HINTS: Which of the two slices is read now, and which is written?
    pub fn fold_row(&self, plane: &mut [f32], position: Pair, unfolded: &[f32]) {
        todo!("conv-fold")
    }
}

// %% nbgrader={"grade": true, "grade_id": "test-conv-fold", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
/// 🔬 Numbers return to the pixels that they came from, and overlapping ones add up.
#[test]
fn test_unit_fold_row() {
    use tinytorch::testing::{expect_close, expect_eq, panic_message};

    let grid = Grid::new(3, Window::new(2)).unwrap();
    let fold = || {
        let mut plane = [0.0; 9];
        grid.fold_row(&mut plane, (0, 1).into(), &[1.0, 2.0, 3.0, 4.0]);
        plane
    };
    let (input, idea) = (
        "1 2 3 4 at position (0, 1), 2x2 on 3x3",
        "each number returns to the pixel that it came from",
    );
    expect_eq(input, panic_message(fold), panic_message(|| ()), idea);
    let mut plane = fold();
    expect_close(input, &plane, &[0.0, 1.0, 2.0, 0.0, 3.0, 4.0, 0.0, 0.0, 0.0], 0.0, idea);
    grid.fold_row(&mut plane, (1, 0).into(), &[10.0, 20.0, 30.0, 40.0]);
    let wanted = [0.0, 1.0, 2.0, 10.0, 23.0, 4.0, 30.0, 40.0, 0.0];
    let idea = "the middle pixel is in two windows: add to it, do not overwrite it";
    expect_close("then 10 20 30 40 at position (1, 0)", &plane, &wanted, 0.0, idea);
    let strided = Grid::new((1, 5), Window::new((1, 2)).stride(3)).unwrap();
    let mut plane = [0.0; 5];
    strided.fold_row(&mut plane, (0, 1).into(), &[1.0, 2.0]);
    let idea = "in a row, every `stride.columns`-th pixel";
    expect_close("1 2 at position (0, 1), stride 3", &plane, &[0.0, 1.0, 0.0, 0.0, 2.0], 0.0, idea);
}

// %% nbgrader={"grade": false, "grade_id": "conv-input-gradient", "locked": false, "schema_version": 3, "solution": true, "task": false}
impl Grid {
    /// Adds to the gradient of one padded image, which has one plane for each input channel.
    ///
    /// TODO: for each channel and kernel position, sum over all kernels, and fold the sum into the
    /// plane.
    ///
    /// APPROACH:
    /// 1. Walk over the planes of `grad_image`, and in each over [`Grid::kernel_positions`].
    /// 2. In a buffer of `output.area()` numbers, sum over the kernels: the kernel's weight here
    ///    times its plane of `grad_output`.
    /// 3. [`Grid::fold_row`] adds the buffer to the plane.
    ///
    /// EXAMPLE: Two 1x1 kernels 2 and 3 with the upstream gradients `[1]` and `[10]` give the pixel
    /// `2 + 30 = 32`.
    ///
    /// HINTS:
    /// - Make the buffer once, and fill it with 0 for each kernel position.
    /// - A kernel's weights are stored channel by channel, and within a channel in the order of
    ///   `kernel_positions`.
    pub fn input_gradient(&self, grad_output: &[f32], kernels: &[f32], grad_image: &mut [f32]) {
        todo!("conv-input-gradient")
    }
}

// %% nbgrader={"grade": true, "grade_id": "test-conv-input-gradient", "locked": true, "points": 10, "schema_version": 3, "solution": false, "task": false}
/// 🔬 By hand, then all three gradients of whole layers against central differences.
#[test]
fn test_unit_input_gradient() {
    use tinytorch::autograd::check_gradient;
    use tinytorch::testing::{expect_close, expect_eq, panic_message};

    let gradient = |grid: Grid, grad_output: &[f32], kernels: &[f32], mut start: Vec<f32>| {
        grid.input_gradient(grad_output, kernels, &mut start);
        start
    };
    let check = |input: &str, yours: &dyn Fn() -> Vec<f32>, wanted: &[f32], idea: &str| {
        expect_eq(input, panic_message(yours), panic_message(|| ()), idea);
        expect_close(input, &yours(), wanted, 0.0, idea);
    };
    let one = Grid::new(1, Window::new(1)).unwrap();
    let kernels = || gradient(one, &[1.0, 10.0], &[2.0, 3.0], vec![0.0]);
    let idea = "a pixel's gradient is a sum over all kernels: weight times gradient";
    check("two 1x1 kernels 2 and 3, grad_output 1 and 10", &kernels, &[32.0], idea);
    let more = || gradient(one, &[1.0, 10.0], &[2.0, 3.0], vec![5.0]);
    check("the same, on top of 5", &more, &[37.0], "add to `grad_image`, do not assign");
    let row = Grid::new((1, 3), Window::new((1, 2))).unwrap();
    let windows = || gradient(row, &[1.0, 10.0], &[2.0, 3.0], vec![0.0; 3]);
    let idea =
        "clear the buffer for each kernel position, then fold it to where its pixels came from";
    check("a 1x2 kernel 2 3 on 3 pixels, grad_output 1 10", &windows, &[2.0, 23.0, 30.0], idea);
    let channels = || gradient(one, &[1.0], &[2.0, 3.0], vec![0.0; 2]);
    let idea = "each channel has its own part of the kernel's weights";
    check("two channels, weights 2 and 3, grad_output 1", &channels, &[2.0, 3.0], idea);

    let mut rng = Rng::seeded(5);
    let windows = [
        (Window::new(3).padding(1), [3, 3]),
        (Window::new((2, 3)).stride((1, 2)).padding((0, 1)), [2, 3]),
    ];
    for (window, [rows, columns]) in windows {
        let x = Tensor::randn(&[2, 2, 4, 5], &mut rng);
        let weight = Tensor::randn(&[3, 2, rows, columns], &mut rng);
        let bias = Tensor::randn(&[3], &mut rng);
        // The result is linear in each input, so only rounding is left: far below 1e-2, where a
        // wrong rule would be wrong by about 1.
        let layer = |inputs: &[Tensor]| {
            let conv = Conv2d::from_weights(inputs[1].clone(), Some(inputs[2].clone()), window);
            conv.forward(&inputs[0])
        };
        check_gradient(layer, &[x, weight, bias], 1e-2);
    }
}

// %% [markdown] nbgrader={"grade": false, "grade_id": "spatial-pooling", "locked": true, "schema_version": 3, "solution": false, "task": false}
// ## Pooling: a smaller feature map

// %% nbgrader={"grade": false, "grade_id": "pool-types", "locked": true, "schema_version": 3, "solution": false, "task": false}
/// The largest value of each patch. Padding counts as minus infinity, so it is never the maximum.
pub struct MaxPool2d(Window);

/// The mean of each patch. Padding counts as 0 and is included in the mean, as in PyTorch.
pub struct AvgPool2d(Window);

// %% nbgrader={"grade": false, "grade_id": "maxpool-indices", "locked": false, "schema_version": 3, "solution": true, "task": false}
impl Grid {
    /// For each output position: the largest pixel of its patch, and the index of that pixel in the
    /// padded plane. Of equal pixels the first one counts. NaN counts as larger than everything, so
    /// it is not hidden.
    ///
    /// TODO: go over the plane once for each kernel position, and keep the larger value.
    ///
    /// APPROACH:
    /// 1. Start with `max` at minus infinity and `indices` at [`Grid::first_pixels`]: right for a patch
    ///    that holds nothing larger, and never an index of another patch or of the padding.
    /// 2. For each kernel position and each row of the output, go over the same pixels as
    ///    [`Grid::unfold_row`], but by index.
    /// 3. Where a pixel is larger than the maximum so far, or NaN, store it and its index.
    ///
    /// EXAMPLE: `[1, 5, 3, 2]` under one 2x2 window: the maximum is 5, at index 1.
    ///
    /// HINTS: Compare with `>`: with `>=` the last of equal pixels would count. In a row, the index
    /// grows by the stride from one output position to the next.
    pub fn max_with_indices(&self, plane: &[f32], max: &mut [f32], indices: &mut [usize]) {
        todo!("maxpool-indices")
    }
}

// %% nbgrader={"grade": true, "grade_id": "test-maxpool-indices", "locked": true, "points": 10, "schema_version": 3, "solution": false, "task": false}
/// 🔬 The maximum and its index, ties, negative images with padding, overlaps, NaN.
#[test]
fn test_unit_max_with_indices() {
    use tinytorch::testing::{expect_eq, panic_message};

    let grid = Grid::new((2, 4), Window::new(2).stride(2)).unwrap();
    let check =
        |input: &str, grid: Grid, plane: &[f32], wanted: (Vec<f32>, Vec<usize>), idea: &str| {
            let largest = || {
                let (mut max, mut indices) = (vec![99.0; wanted.0.len()], vec![99; wanted.0.len()]);
                grid.max_with_indices(plane, &mut max, &mut indices);
                (max, indices)
            };
            expect_eq(input, panic_message(largest), panic_message(|| ()), idea);
            expect_eq(input, largest(), wanted.clone(), idea);
        };
    let plane = [1.0, 5.0, 6.0, 8.0, 3.0, 2.0, 7.0, 0.0];
    let idea = "the largest pixel of each patch and its index in the plane, whatever the buffers held before";
    check("1 5 6 8 | 3 2 7 0, blocks of 2x2", grid, &plane, (vec![5.0, 8.0], vec![1, 3]), idea);
    let idea = "-1 is larger than minus infinity, and of equal pixels, the first counts";
    check("eight times -1", grid, &[-1.0; 8], (vec![-1.0; 2], vec![0, 2]), idea);
    let idea = "of equal pixels, the first counts";
    let plane = [1.0, 5.0, 7.0, 7.0, 3.0, 2.0, 7.0, 0.0];
    check("three sevens in one block", grid, &plane, (vec![5.0, 7.0], vec![1, 2]), idea);
    let masked = [f32::NEG_INFINITY; 8];
    let idea = "start at the first pixel of each patch: the index must never lie in another one";
    check("all minus infinity", grid, &masked, (masked[..2].to_vec(), vec![0, 2]), idea);
    let rising: Vec<f32> = (0..16).map(|n| n as f32).collect();
    let overlap = Grid::new(3, Window::new(2)).unwrap();
    let idea = "the window moves by the stride, down and across";
    check(
        "0 to 8, 2x2, stride 1",
        overlap,
        &rising[..9],
        (vec![4.0, 5.0, 7.0, 8.0], vec![4, 5, 7, 8]),
        idea,
    );
    let skipping = Grid::new(4, Window::new(1).stride((2, 3))).unwrap();
    check(
        "0 to 15, 1x1, stride 2 and 3",
        skipping,
        &rising,
        (vec![0.0, 3.0, 8.0, 11.0], vec![0, 3, 8, 11]),
        idea,
    );
    let broken = Tensor::new(&[1.0, f32::NAN, 2.0, 3.0], &[1, 1, 2, 2]);
    let hidden = !MaxPool2d::new(2).forward(&broken).item().is_nan();
    expect_eq(
        "1 NaN | 2 3: is the NaN hidden",
        hidden,
        false,
        "NaN counts as larger than everything",
    );
}

// %% nbgrader={"grade": false, "grade_id": "maxpool-gradient", "locked": false, "schema_version": 3, "solution": true, "task": false}
/// Adds each gradient to the pixel that was the maximum of its patch; the other pixels get nothing.
/// PyTorch has the operation under the same name.
///
/// TODO: go over `grad_output` and `indices` together.
///
/// APPROACH:
/// 1. Each number of `grad_output` belongs to the pixel whose index is at the same place in
///    `indices`.
/// 2. Add it to that pixel of `grad_plane`.
///
/// EXAMPLE: Gradients `[1, 2]`, indices `[3, 3]`: pixel 3 gets 3, all others stay as they are.
///
/// HINTS: Add, do not assign: where windows overlap, one pixel can be the maximum of several
/// patches.
pub fn scatter_add(grad_output: &[f32], indices: &[usize], grad_plane: &mut [f32]) {
    todo!("maxpool-gradient")
}

// %% nbgrader={"grade": true, "grade_id": "test-maxpool-gradient", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
/// 🔬 By hand, and a whole layer with padding and overlap against central differences.
#[test]
fn test_unit_scatter_add() {
    use tinytorch::autograd::check_gradient;
    use tinytorch::testing::{expect_close, expect_eq, panic_message};

    let scatter = |start: f32| {
        let mut gradient = [start, 0.0, 0.0, 0.0, 0.0];
        scatter_add(&[1.0, 2.0, 4.0], &[3, 1, 0], &mut gradient);
        gradient
    };
    let (input, idea) =
        ("1 2 4 to pixels 3 1 0", "each gradient goes to the pixel whose index is at its place");
    expect_eq(input, panic_message(|| scatter(0.0)), panic_message(|| ()), idea);
    expect_close(input, &scatter(0.0), &[4.0, 2.0, 0.0, 1.0, 0.0], 0.0, idea);
    let idea = "add, do not assign: windows overlap";
    expect_close("the same, on top of 0.5", &scatter(0.5)[..1], &[4.5], 0.0, idea);
    let mut twice = [0.0; 4];
    scatter_add(&[1.0, 2.0], &[3, 3], &mut twice);
    expect_close("1 2 to pixels 3 3", &twice, &[0.0, 0.0, 0.0, 3.0], 0.0, idea);

    // All pixels differ by 0.1 or more, so a step of 1/128 changes no maximum.
    let mut pixels: Vec<f32> = (0..40).map(|n| n as f32 / 10.0 - 2.0).collect();
    Rng::seeded(2).shuffle(&mut pixels);
    let x = Tensor::new(&pixels, &[2, 1, 4, 5]);
    let layer = |x: &[Tensor]| MaxPool2d::with(Window::new(3).stride(2).padding(1)).forward(&x[0]);
    check_gradient(layer, &[x], 1e-3);
}

// %% nbgrader={"grade": false, "grade_id": "avgpool-mean", "locked": false, "schema_version": 3, "solution": true, "task": false}
impl Grid {
    /// The mean of each patch, padding included.
    ///
    /// TODO: sum what every kernel position unfolds, then divide by the number of positions.
    ///
    /// APPROACH:
    /// 1. Set `means` to 0. For each kernel position, [`Grid::unfold_row`] into a buffer and add
    ///    the buffer to `means`.
    /// 2. Divide by the area of the kernel.
    ///
    /// EXAMPLE: `[1, 5, 3, 2]` under one 2x2 window: 11 / 4 = 2.75.
    ///
    /// HINTS: Padding is 0 and counts: with padding 1, the patch of 2x2 in a corner holds one pixel
    /// and is still divided by 4.
    pub fn mean(&self, plane: &[f32], means: &mut [f32]) {
        todo!("avgpool-mean")
    }
}

// %% nbgrader={"grade": true, "grade_id": "test-avgpool-mean", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
/// 🔬 Means by hand, padding included, and equal gradients for all pixels of a patch.
#[test]
fn test_unit_mean() {
    use tinytorch::autograd::check_gradient;
    use tinytorch::testing::expect_close;

    let x = Tensor::new(&[1.0, 5.0, 3.0, 2.0], &[1, 1, 2, 2]);
    let mean = |before: f32| {
        let mut means = [before];
        Grid::new(2, Window::new(2)).unwrap().mean(&x.data(), &mut means);
        means
    };
    let idea = "the sum over all kernel positions, divided by their number";
    expect_close("1 5 | 3 2, a 2x2 window", &mean(0.0), &[2.75], 0.0, idea);
    let idea = "the mean does not depend on what the buffer held before";
    expect_close("the same in a buffer of 9", &mean(9.0), &[2.75], 0.0, idea);
    let row = Tensor::new(&[1.0, 2.0, 3.0], &[1, 1, 1, 3]);
    let means = AvgPool2d::with(Window::new((1, 2))).forward(&row).to_vec();
    let idea = "divide by the area of the kernel: rows times columns";
    expect_close("1 2 3, a 1x2 window", &means, &[1.5, 2.5], 0.0, idea);
    let padded = AvgPool2d::with(Window::new(2).stride(2).padding(1)).forward(&x).to_vec();
    let idea = "padding is included in the mean: divide by the area of the kernel";
    expect_close("1 5 | 3 2, 2x2, padding 1", &padded, &[0.25, 1.25, 0.75, 0.5], 0.0, idea);
    let x = Tensor::randn(&[2, 2, 5, 4], &mut Rng::seeded(4));
    let layer = |x: &[Tensor]| AvgPool2d::with(Window::new((3, 2)).padding(1)).forward(&x[0]);
    check_gradient(layer, &[x], 1e-3);
}

// %% [markdown] nbgrader={"grade": false, "grade_id": "spatial-normalizing", "locked": true, "schema_version": 3, "solution": false, "task": false}
// ## Batch normalization: every channel on one scale
//
// No gradient rule here: the layer is composed of tensor operations, and autograd knows the rules of all of
// them.

// %% nbgrader={"grade": false, "grade_id": "batchnorm-types", "locked": true, "schema_version": 3, "solution": false, "task": false}
/// Running mean and variance of each channel: what a layer keeps for inference.
#[derive(Debug, Clone, PartialEq)]
pub struct RunningStats {
    /// One for each channel.
    pub mean: Vec<f32>,
    /// One for each channel: the unbiased estimate, with `n - 1`.
    pub variance: Vec<f32>,
}

/// Normalizes each channel over batch and pixels (Ioffe and Szegedy, 2015), then scales and shifts.
pub struct BatchNorm2d {
    /// The scale of each channel, shape `(C)`.
    pub weight: Tensor,
    /// The shift of each channel, shape `(C)`.
    pub bias: Tensor,
    // `forward` takes `&self` and updates the statistics: a cell, borrowed for a moment, still `Send`.
    running: RefCell<RunningStats>,
    training: bool,
    /// Added to the variance, so that the square root is never 0.
    eps: f32,
    /// The weight of a new batch in the running statistics.
    momentum: f32,
}

// %% nbgrader={"grade": false, "grade_id": "batchnorm-statistics", "locked": false, "schema_version": 3, "solution": true, "task": false}
/// Mean and variance of each channel over batch, rows and columns; both of shape `(1, C, 1, 1)`.
///
/// TODO: the mean, and the mean of the squared distances from it.
///
/// APPROACH:
/// 1. Take the mean over the axes 0, 2 and 3 at once, keeping them with size 1.
/// 2. Subtract the mean (it broadcasts), square, and take the mean again.
///
/// EXAMPLE: One channel with the values 1, 3, 5, 7: mean 4, variance (9 + 1 + 1 + 9) / 4 = 5.
///
/// HINTS: `mean_axis` takes a list of axes. You need the mean twice: write it once.
pub fn channel_statistics(x: &Tensor) -> (Tensor, Tensor) {
    todo!("batchnorm-statistics")
}

// %% nbgrader={"grade": true, "grade_id": "test-batchnorm-statistics", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
/// 🔬 Each channel by itself, over the whole batch.
#[test]
fn test_unit_channel_statistics() {
    use tinytorch::testing::{expect_close, expect_eq, panic_message};

    let x = Tensor::new(&[1.0, 3.0, 10.0, 10.0, 5.0, 7.0, 10.0, 30.0], &[2, 2, 1, 2]);
    let input = "channels 1 3 5 7 and 10 10 10 30";
    let idea = "over batch, rows and columns, one for each channel, with the axes kept";
    let panic = panic_message(|| channel_statistics(&x));
    expect_eq(input, panic, panic_message(|| ()), idea);
    let (mean, variance) = channel_statistics(&x);
    expect_eq(
        input,
        (mean.shape(), variance.shape()),
        (&[1, 2, 1, 1][..], &[1, 2, 1, 1][..]),
        idea,
    );
    expect_close(format!("the means, {input}"), &mean.to_vec(), &[4.0, 15.0], 0.0, idea);
    let idea = "the mean of the squared distances from the mean, divided by n";
    expect_close(format!("the variances, {input}"), &variance.to_vec(), &[5.0, 75.0], 1e-3, idea);
    let far = Tensor::new(&[10_001.0, 10_003.0, 10_005.0, 10_007.0], &[4, 1, 1, 1]);
    let idea = "square the distances: the mean of the squares less the square of the mean loses all digits when \
                the mean is large";
    let variance = channel_statistics(&far).1.to_vec();
    expect_close("the variance of 10001, 10003, 10005, 10007", &variance, &[5.0], 0.01, idea);
}

// %% nbgrader={"grade": false, "grade_id": "batchnorm-running", "locked": false, "schema_version": 3, "solution": true, "task": false}
impl RunningStats {
    /// Moves towards a new batch of `count` values per channel, by the fraction `momentum`: an
    /// exponential moving average.
    ///
    /// TODO: average old and new, for means and variances.
    ///
    /// APPROACH:
    /// 1. `new running = (1 - momentum) * running + momentum * batch`.
    /// 2. A batch is a sample: its variance times `count / (count - 1)` is an unbiased estimate of
    ///    the variance of all images.
    ///
    /// EXAMPLE: Mean 0, momentum 0.1, batches of mean 10: the running mean becomes 1, then 1.9.
    ///
    /// HINTS: The same loop for both lists; only the variance gets the factor.
    pub fn update(&mut self, mean: &[f32], variance: &[f32], count: usize, momentum: f32) {
        todo!("batchnorm-running")
    }
}

// %% nbgrader={"grade": true, "grade_id": "test-batchnorm-running", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
/// 🔬 A tenth of the way each time; the variance corrected for the size of the sample.
#[test]
fn test_unit_running_stats() {
    use tinytorch::testing::expect_close;

    let mut running = RunningStats { mean: vec![0.0, 5.0], variance: vec![1.0, 1.0] };
    running.update(&[10.0, 5.0], &[1.0, 5.0], 5, 0.1);
    let idea = "a tenth of the way from the running value to that of the batch";
    expect_close(
        "means 0 5, a batch of 10 5, momentum 0.1",
        &running.mean,
        &[1.0, 5.0],
        1e-6,
        idea,
    );
    let idea = "times count / (count - 1), and only the variance: 0.9 * 1 + 0.1 * 1 * 5 / 4";
    let input = "variances 1 1, a batch of 1 5, 5 values, momentum 0.1";
    expect_close(input, &running.variance, &[1.025, 1.525], 1e-6, idea);
    running.update(&[10.0, 5.0], &[1.0, 5.0], 5, 0.1);
    let idea = "each batch moves on from where the last one led";
    expect_close("the same batch again", &running.mean, &[1.9, 5.0], 1e-6, idea);
    running.update(&[7.0, 7.0], &[1.0, 5.0], 5, 1.0);
    let idea = "momentum is the weight of the new batch, and an argument";
    expect_close("momentum 1, a batch of 7 7", &running.mean, &[7.0, 7.0], 1e-6, idea);
}

// %% nbgrader={"grade": false, "grade_id": "batchnorm-forward", "locked": false, "schema_version": 3, "solution": true, "task": false}
impl Layer for BatchNorm2d {
    fn name(&self) -> String {
        format!("BatchNorm2d({})", self.weight.numel())
    }

    /// Images `(N, C, H, W)` to the same shape: `(x - mean) / sqrt(variance + eps) * weight +
    /// bias`.
    ///
    /// TODO: choose the statistics, then normalize.
    ///
    /// APPROACH:
    /// 1. If `from_batch`, in training: [`channel_statistics`] of the batch; [`RunningStats::update`] the running
    ///    ones with them.
    /// 2. In inference: the running statistics, as two tensors of shape `(1, C, 1, 1)`.
    /// 3. The formula above; `weight` and `bias` need the shape `(1, C, 1, 1)` to broadcast.
    ///
    /// EXAMPLE: In training, with weight 1 and bias 0, every channel of the result has mean 0 and
    /// variance 1.
    ///
    /// HINTS: `borrow_mut` of the cell lets you change the running statistics. Give `weight` its
    /// shape with `reshape`, which keeps the history; a new tensor would get no gradient.
    fn forward(&self, x: &Tensor) -> Tensor {
        let [n, c, h, w] = image_shape(self, x, Some(self.weight.numel()));
        let count = n * h * w;
        // An empty batch has no statistics.
        let from_batch = self.training && count > 0;
        assert!(
            !from_batch || count > 1,
            "{}: got one value per channel in shape {}, expected more in training: use a larger \
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
        let RunningStats { mean, variance } = self.running_stats();
        let channels = [self.weight.numel()];
        vec![Tensor::new(&mean, &channels), Tensor::new(&variance, &channels)]
    }

    fn set_buffers(&mut self, values: &mut dyn Iterator<Item = Tensor>) {
        if let (Some(mean), Some(variance)) = (values.next(), values.next()) {
            self.set_running_stats(RunningStats {
                mean: mean.to_vec(),
                variance: variance.to_vec(),
            });
        }
    }

    fn set_training(&mut self, training: bool) {
        self.training = training;
    }
}

// %% nbgrader={"grade": true, "grade_id": "test-batchnorm-forward", "locked": true, "points": 10, "schema_version": 3, "solution": false, "task": false}
/// 🔬 Batch statistics in training, running statistics in inference, gradients in both.
#[test]
fn test_unit_batchnorm_forward() {
    use tinytorch::autograd::{Backward, check_gradient};
    use tinytorch::testing::{expect_close, expect_eq, panic_message};

    let mut rng = Rng::seeded(6);
    let x = Tensor::randn(&[8, 2, 3, 3], &mut rng) * 3.0 + 5.0;
    let mut norm = BatchNorm2d::new(2);
    for training in [true, false] {
        norm.set_training(training);
        let input = format!("two channels of 3x3, training {training}");
        let idea = "statistics, weight and bias need the shape (1, C, 1, 1): (C) alone is compared with the columns";
        expect_eq(input, panic_message(|| norm.forward(&x)), panic_message(|| ()), idea);
    }
    let mut norm = BatchNorm2d::new(2);
    let (mean, variance) = channel_statistics(&norm.forward(&x));
    let idea = "in training, normalize by the statistics of the batch";
    expect_close("the means after training mode", &mean.to_vec(), &[0.0, 0.0], 1e-4, idea);
    expect_close("the variances after training mode", &variance.to_vec(), &[1.0, 1.0], 1e-3, idea);
    let (mean, _) = channel_statistics(&x);
    let wanted: Vec<f32> = mean.to_vec().iter().map(|mean| mean * 0.1).collect();
    let idea = "in training, the running statistics are updated once";
    expect_close(
        "the running mean after one batch",
        &norm.running_stats().mean,
        &wanted,
        1e-4,
        idea,
    );

    norm.set_training(false);
    norm.set_running_stats(RunningStats { mean: vec![1.0, 0.0], variance: vec![4.0, 1.0] });
    let one = Tensor::new(&[5.0, 3.0], &[1, 2, 1, 1]);
    let input = "5 and 3 in inference, running mean 1 0, variance 4 1";
    let idea = "inference uses the running statistics: (5 - 1) / 2 and (3 - 0) / 1";
    expect_close(input, &norm.forward(&one).to_vec(), &[2.0, 3.0], 1e-4, idea);
    expect_close(
        "the running mean after inference",
        &norm.running_stats().mean,
        &[1.0, 0.0],
        0.0,
        "inference changes nothing",
    );
    // Scale 3, shift 10: (5 - 1) / 2 * 3 + 10 and (3 - 0) / 1 * 3 + 10.
    (norm.weight, norm.bias) = (Tensor::full(&[2], 3.0), Tensor::full(&[2], 10.0));
    let idea = "multiply by the weight, then add the bias";
    expect_close(
        format!("{input}, weight 3, bias 10"),
        &norm.forward(&one).to_vec(),
        &[16.0, 19.0],
        1e-3,
        idea,
    );
    let tracked = norm.weight.clone().tracked();
    norm.weight = tracked.clone();
    let reached = norm.forward(&one.clone().tracked()).sum().backward().get(&tracked).is_some();
    expect_eq(
        "the weight: does it get a gradient",
        reached,
        true,
        "reshape keeps the history, a new tensor has none",
    );
    (norm.weight, norm.bias) = (Tensor::ones(&[2]), Tensor::zeros(&[2]));
    // A channel of variance 0: 1 / sqrt(0 + 0.00001).
    norm.set_running_stats(RunningStats { mean: vec![0.0; 2], variance: vec![0.0; 2] });
    let flat = norm.forward(&Tensor::ones(&[1, 2, 1, 1])).to_vec();
    let idea = "eps belongs under the root: 1 / sqrt(0 + 0.00001)";
    expect_close("1 in a channel of variance 0", &flat, &[316.228; 2], 1e-2, idea);

    let inputs =
        [x.slice(&[0..3, 0..2, 0..2, 0..3]), Tensor::rand(&[2], &mut rng), Tensor::ones(&[2])];
    for training in [true, false] {
        // Curved in x: a tolerance ten times that of a linear layer.
        let layer = |inputs: &[Tensor]| {
            let mut norm = BatchNorm2d::new(2);
            (norm.weight, norm.bias) = (inputs[1].clone(), inputs[2].clone());
            norm.set_training(training);
            norm.forward(&inputs[0])
        };
        check_gradient(layer, &inputs, 1e-2);
    }
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
    /// APPROACH:
    /// 1. The first axis stays; the second one has the product of all other sizes.
    ///
    /// EXAMPLE: `(32, 16, 2, 2)` becomes `(32, 64)`.
    ///
    /// HINTS: `product` of an iterator multiplies. `-1` as the size is shorter, but wrong for an
    /// empty batch: 0 numbers fit into rows of any length.
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
    use tinytorch::testing::{expect_close, expect_eq, panic_message};

    let pixels: Vec<f32> = (0..24).map(|n| n as f32).collect();
    let x = Tensor::new(&pixels, &[2, 3, 2, 2]);
    let row = "one row for each image: the batch axis stays, the others are joined";
    for (x, wanted, idea) in [
        (&x, [2, 12], row),
        (&Tensor::ones(&[5, 3]), [5, 3], row),
        (
            &Tensor::ones(&[0, 16, 2, 2]),
            [0, 64],
            "an empty batch keeps its rows' length: give it, not -1",
        ),
    ] {
        let input = format!("{:?}", x.shape());
        expect_eq(&input, panic_message(|| Flatten.forward(x)), panic_message(|| ()), idea);
        expect_eq(&input, Flatten.forward(x).shape(), &wanted, idea);
    }
    let rows = Flatten.forward(&x).to_vec();
    expect_close("0 to 23 as (2, 3, 2, 2)", &rows, &pixels, 0.0, "the numbers keep their order");
}

// %% nbgrader={"grade": false, "grade_id": "simple-cnn", "locked": false, "schema_version": 3, "solution": true, "task": false}
/// Convolution, ReLU and pooling, twice, then a linear layer as the classifier.
pub struct SimpleCNN {
    /// The layers, in order.
    pub layers: Sequential,
}

impl SimpleCNN {
    /// For images of `channels x height x width`, with `widths` channels after the two
    /// convolutions.
    ///
    /// TODO: put eight layers into a [`Sequential`].
    ///
    /// APPROACH:
    /// 1. [`Conv2d`] with a 3x3 window and padding 1, which keeps the size; `ReLU`; [`MaxPool2d`]
    ///    of 2.
    /// 2. The same again, from `widths[0]` to `widths[1]` channels.
    /// 3. [`Flatten`], then `Linear` from the numbers that are left of one image to `classes`.
    ///
    /// EXAMPLE: `new([1, 8, 8], [8, 16], 10, rng)` has 80 + 1,168 + 650 = 1,898 parameters.
    ///
    /// HINTS: Each layer goes into a `Box`. Pooling halves each side and rounds down, twice.
    pub fn new(
        [channels, height, width]: [usize; 3],
        widths: [usize; 2],
        classes: usize,
        rng: &mut Rng,
    ) -> Self {
        assert!(
            height >= 4 && width >= 4,
            "SimpleCNN: got images of {height}x{width}, expected at least 4x4: they are halved twice"
        );
        todo!("simple-cnn")
    }
}

// %% nbgrader={"grade": true, "grade_id": "test-simple-cnn", "locked": true, "points": 10, "schema_version": 3, "solution": false, "task": false}
/// 🔬 Shapes and parameters for digits and for colour images; a gradient for every parameter.
#[test]
fn test_unit_simple_cnn() {
    use tinytorch::autograd::{Backward, track};
    use tinytorch::testing::{expect_eq, panic_message};

    let mut rng = Rng::seeded(1);
    let mut net = SimpleCNN::for_digits(&mut rng);
    let names: Vec<String> = net.layers.layers().iter().map(|layer| layer.name()).collect();
    let order: Vec<&str> = names.iter().filter_map(|name| name.split('(').next()).collect();
    let wanted =
        ["Conv2d", "ReLU", "MaxPool2d", "Conv2d", "ReLU", "MaxPool2d", "Flatten", "Linear"];
    let idea =
        "a ReLU after each convolution, and none after the last layer: scores may be negative";
    expect_eq("the layers", order, wanted.to_vec(), idea);
    let (digits, colour) = (Tensor::ones(&[5, 1, 8, 8]), Tensor::ones(&[2, 3, 34, 32]));
    let idea = "padding 1 keeps the size, each pooling halves it and rounds down: that is what Linear gets";
    let panic = panic_message(|| net.forward(&digits));
    expect_eq("five digits", panic, panic_message(|| ()), idea);
    expect_eq("five digits", net.forward(&digits).shape(), &[5, 10], idea);
    let sizes: Vec<usize> = net.parameters().iter().map(|p| p.numel()).collect();
    let idea = "80 + 1,168 + 650 parameters: 3x3 kernels, each layer's weights and biases";
    expect_eq("parameters for digits", sizes, vec![72, 8, 1152, 16, 640, 10], idea);
    let scores = || {
        SimpleCNN::new([3, 34, 32], [4, 6], 7, &mut Rng::seeded(1))
            .forward(&colour)
            .shape()
            .to_vec()
    };
    let idea = "the sizes are arguments: channels, height and width, widths, classes";
    expect_eq("two colour images of 34x32", panic_message(scores), panic_message(|| ()), idea);
    expect_eq("two colour images of 34x32", scores(), vec![2, 7], idea);

    track(net.parameters_mut());
    let x = Tensor::rand(&[4, 1, 8, 8], &mut rng);
    let gradients = net.forward(&x).sum().backward();
    for parameter in net.parameters() {
        let gradient = gradients.get(parameter).map_or(vec![], Tensor::to_vec);
        let reached = gradient.iter().any(|g| *g != 0.0);
        let input =
            format!("the parameter of shape {:?}: does it get a gradient", parameter.shape());
        expect_eq(input, reached, true, "every layer takes part");
    }
}

// %% [markdown] nbgrader={"grade": false, "grade_id": "spatial-measure", "locked": true, "schema_version": 3, "solution": false, "task": false}
// ## 📊 Measure

// %% nbgrader={"grade": false, "grade_id": "spatial-analyze-convolution-cost", "locked": true, "schema_version": 3, "solution": false, "task": false}
/// 📊 Purpose: see what a convolution costs, and how much the order of its loops matters.
/// Measured: the time of one image through 8 -> 16 channels, by image and kernel size.
/// Key insight: the work grows with the area of the image and of the kernel; how long the same work
/// takes depends on whether the innermost loop is long and regular enough for SIMD.
/// Production context: this is why networks stack 3x3 kernels, and why libraries tune this one loop.
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
            let [image, kernel] = names.map(Value::from);
            work.push(vec![image.clone(), kernel.clone(), flops.into()]);
            measured.push(vec![image, kernel, spent.into(), (flops as f64 / spent.median).into()]);
            curve.push((flops as f64, spent.median));
        }
        curves.push(Series::new(format!("{kernel}x{kernel}"), curve));
    }
    let heads = || vec![Column::plain("image"), Column::plain("kernel")];
    let formula = "2 x inputs x outputs x kernel area x output area".to_owned();
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
        title: "Time over work, by kernel".into(),
        kind: ChartKind::Line,
        x: Axis::log("work", "FLOP"),
        y: Axis::log("time", "s"),
        series: curves,
        origin: Origin::Measured,
    });
    let Some(compared) = reordering_gain(&mut rng) else { return };
    let pair = ("the naive order", "the reordered one", compared);
    out.compared("Timed in turn, 32x32 image, 3x3 kernel", &[pair]);
    let ratio = compared.ratio;
    out.measured("naive loops / reordered loops, 32x32 image, 3x3 kernel", ratio.median, "x");
    out.insight(loop_order_insight(ratio));
}

/// What the times of the naive loops and of the reordered ones say.
pub fn loop_order_insight(ratio: Ratio) -> String {
    let why = match ratio.reading() {
        Reading::Larger => {
            " Both do the same multiplications. The innermost naive loop has three steps and computes an index for each \
             product; the reordered one runs over whole rows of memory."
        }
        Reading::Smaller => {
            " Reordering did not pay off here: is the innermost loop one over two slices?"
        }
        Reading::NoClearDifference | Reading::TooNoisy => "",
    };
    let took = ratio.took("the naive order", "the reordered one");
    format!("{took}{why}")
}

/// How many times as long the same convolution takes with the naive loops.
fn reordering_gain(rng: &mut Rng) -> Option<Comparison> {
    let grid = Grid::new(34, 3)?;
    let image = Tensor::rand(&[8, 34, 34], rng).to_vec();
    let kernels = Tensor::rand(&[16, 72], rng).to_vec();
    let run = |convolve: fn(&Grid, &[f32], &[f32], &mut [f32])| {
        let mut result = vec![0.0; 16 * grid.output.area()];
        convolve(&grid, &image, &kernels, &mut result);
        result
    };
    Some(compare(15, || run(Grid::convolve_naive), || run(Grid::convolve)))
}

// %% nbgrader={"grade": false, "grade_id": "spatial-analyze-feature-maps", "locked": true, "schema_version": 3, "solution": false, "task": false}
/// 📊 Purpose: look at feature maps: a digit, and the images that convolutions make of it.
/// Measured: the maps of four known edge filters, then those of a network trained on the digits.
/// Key insight: a feature map is bright where the image matches the kernel; training finds kernels
/// of its own, and their maps show what they react to.
/// Production context: feature maps are looked at to find out what a vision model reacts to.
pub fn analyze_feature_maps(out: &mut Reporter) {
    let split = digits(DigitShape::Image).and_then(|split| split.train.hold_out(4, 0));
    let Ok((train, validation)) = split else {
        return out.note("The digits could not be loaded: finish `digits` in module 08 first.");
    };
    let (inputs, targets) = (validation.inputs().clone(), validation.targets().clone());
    let image = |n: usize| inputs.slice(&[n..n + 1, 0..1, 0..8, 0..8]);
    let four = (0..targets.numel()).find(|&n| targets.data()[n] == 4.0);
    let digit = image(four.unwrap_or(0));
    picture(out, "the digit", &digit.data(), 8);

    let mut rng = Rng::seeded(1);
    #[rustfmt::skip]
    let filters = [
        -1., 0., 1., -2., 0., 2., -1., 0., 1.,
        -1., -2., -1., 0., 0., 0., 1., 2., 1.,
        0., 1., 2., -1., 0., 1., -2., -1., 0.,
        -1., -1., -1., -1., 8., -1., -1., -1., -1.,
    ];
    let window = Window::new(3).padding(1);
    let edges = Conv2d::from_weights(Tensor::new(&filters, &[4, 1, 3, 3]), None, window);
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
            return out.note(error.to_string());
        }
        out.progress("training for three epochs", epoch as u64 + 1, 3);
    }
    let count = targets.numel();
    let accuracy = match trainer.evaluate(&[(inputs, targets)]) {
        Ok((_, accuracy)) => f64::from(accuracy.unwrap_or(0.0)),
        Err(error) => return out.note(error.to_string()),
    };
    out.measured("validation accuracy after 3 epochs", accuracy * 100.0, "%");
    let parameters = trainer.model.parameters();
    let [weight, bias] = [parameters[0].detach(), parameters[1].detach()];
    let learned = Conv2d::from_weights(weight, Some(bias), window);
    let maps = ReLU.forward(&learned.forward(&digit));
    for (number, map) in maps.data().chunks_exact(64).enumerate().take(4) {
        picture(out, &format!("learned filter {}", number + 1), map, 8);
    }
    out.insight(learned_filters_insight(accuracy, count));
}

/// What the accuracy on `n` digits says of the filters that the network learned.
pub fn learned_filters_insight(accuracy: f64, n: usize) -> String {
    let (percent, error) = (accuracy * 100.0, sample_error(accuracy, n) * 100.0);
    let figure = format!(
        "With these filters, {percent:.1} % (+- {error:.1}) of {n} digits are read correctly."
    );
    match compare_accuracies(accuracy, 0.1, n) {
        Reading::Larger => {
            format!("{figure} No one designed them: gradient descent on the loss found them.")
        }
        _ => format!("{figure} That is no better than guessing, so the filters mean nothing yet."),
    }
}

fn picture(out: &mut Reporter, title: &str, pixels: &[f32], width: usize) {
    out.picture(Picture { title: title.to_owned(), width, pixels: pixels.to_vec() });
}

// %% nbgrader={"grade": false, "grade_id": "spatial-analyze-parameter-sharing", "locked": true, "schema_version": 3, "solution": false, "task": false}
/// 📊 Purpose: see what weight sharing saves: one small kernel for the whole image.
/// Measured: the time of a convolution and of a dense layer from the same image to an output of the
/// same size.
/// Then accuracy on 360 validation digits, as written and moved by one pixel, of a dense network and of [`SimpleCNN`]:
/// 10 epochs on the other 1,077, batches of 32, Adam at the best of four rates by the loss on these digits as written,
/// falling to a hundredth of it, median of three seeds.
/// Key insight: the dense layer needs a weight for each pair of input and output pixels, so its
/// parameters grow with the square of the area; those of the convolution do not grow at all.
/// Production context: from a 224x224 colour photograph to four channels of that size, a dense layer has
/// 150,528 x 200,704 weights, 121 GB.
pub fn analyze_parameter_sharing(out: &mut Reporter) {
    sharing(out);
    if let Err(error) = shift(out) {
        out.note(format!("The networks could not be compared: {error}"));
    }
}

fn sharing(out: &mut Reporter) {
    let mut rng = Rng::seeded(1);
    let conv = Conv2d::new(1, 4, Window::new(3).padding(1), &mut rng);
    let (mut sizes, mut times, mut curves) = (vec![], vec![], [vec![], vec![]]);
    let mut last = None;
    for side in [8, 12, 16, 24, 32] {
        let pixels = side * side;
        let dense = Linear::new(pixels, 4 * pixels, &mut rng);
        let parameters = |layer: &dyn Layer| layer.parameters().iter().map(|p| p.numel()).sum();
        let counts: [usize; 2] = [parameters(&conv), parameters(&dense)];
        let x = Tensor::rand(&[8, 1, side, side], &mut rng);
        let flat = x.reshape(&[8, -1]);
        let both = compare(7, || dense.forward(&flat), || conv.forward(&x));
        let spent = [both.second, both.first];
        let name = || Value::from(format!("{side}x{side}"));
        let ratio = counts[1] as f64 / counts[0] as f64;
        last = Some((ratio, both));
        sizes.push(vec![name(), counts[0].into(), counts[1].into(), ratio.into()]);
        times.push(vec![name(), spent[0].into(), spent[1].into(), both.ratio.into()]);
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
    let Some((parameters, both)) = last else { return };
    let pair = ("the dense layer", "the convolution", both);
    out.compared("Timed in turn, 32x32, a batch of 8", &[pair]);
    out.measured("time, dense / convolution, 32x32", both.ratio.median, "x");
    out.insight(sharing_insight(parameters, both.ratio));
}

/// What a dense layer with so many times the parameters of a convolution, and the ratio of their times, say.
pub fn sharing_insight(parameters: f64, spent: Ratio) -> String {
    let took = spent.took("the dense layer", "the convolution");
    let note = match spent.reading() {
        Reading::Smaller => " Fewer parameters are not less work: each is used at every position.",
        Reading::Larger | Reading::NoClearDifference | Reading::TooNoisy => "",
    };
    format!(
        "At 32x32 the dense layer has {parameters:.0} times the parameters for an output of the same size; each must \
         be learned from examples with something at that one pixel. {took}{note}"
    )
}

/// The networks that are compared on moved digits.
#[derive(Clone, Copy)]
enum Network {
    Dense,
    Convolutional,
}

impl Network {
    /// Trained for 10 epochs; the learning rate falls from `rate` to a hundredth of it.
    fn trained(
        self,
        data: &TensorDataset,
        rate: f32,
        seed: u64,
    ) -> Result<Trainer, Box<dyn Error>> {
        let rng = &mut Rng::seeded(seed);
        let net = match self {
            Self::Convolutional => SimpleCNN::for_digits(rng).layers,
            Self::Dense => Sequential::new(vec![
                Box::new(Flatten),
                Box::new(Linear::new(64, 32, rng)),
                Box::new(ReLU),
                Box::new(Linear::new(32, 10, rng)),
            ]),
        };
        let schedule = CosineSchedule { max_rate: rate, min_rate: rate / 100.0, epochs: 10 };
        let trainer = Trainer::new(net, Adam::new(rate), CrossEntropyLoss);
        let mut trainer = trainer.with_schedule(schedule);
        let loader = DataLoader::new(data.clone(), 32)?.shuffled(seed);
        for epoch in 0..10 {
            trainer.train_epoch(loader.epoch(epoch))?;
        }
        Ok(trainer)
    }
}

fn shift(out: &mut Reporter) -> Result<(), Box<dyn Error>> {
    const RATES: [f32; 4] = [0.003, 0.01, 0.03, 0.1];
    let (train, validation) = digits(DigitShape::Image)?.train.hold_out(4, 0)?;
    let targets = validation.targets();
    let moved = |columns: isize| [(shifted(validation.inputs(), columns), targets.clone())];
    let sets = [moved(0), moved(1), moved(-1)];
    let (mut search, mut rows, mut medians) = (vec![], vec![], vec![]);
    for (name, network) in
        [("dense, 64-32-10", Network::Dense), ("SimpleCNN", Network::Convolutional)]
    {
        let (mut tried, mut best) = (vec![Value::from(name)], (f32::INFINITY, RATES[0]));
        for rate in RATES {
            let (loss, _) = network.trained(&train, rate, 1)?.evaluate(&sets[0])?;
            tried.push(loss.into());
            best = if loss < best.0 { (loss, rate) } else { best };
        }
        search.push(tried);
        let mut found = [vec![], vec![], vec![]];
        for seed in 1..=3 {
            let mut trainer = network.trained(&train, best.1, seed)?;
            for (found, set) in found.iter_mut().zip(&sets) {
                found.push(f64::from(trainer.evaluate(set)?.1.unwrap_or(0.0)));
            }
            out.progress(name, seed, 3);
        }
        let of = found.map(|of| quartiles(of)[1]);
        let error = |accuracy: f64| 100.0 * sample_error(accuracy, validation.len());
        let percents =
            of.map(|p| Value::spread([-1.0, 0.0, 1.0].map(|e| 100.0 * p + e * error(p))));
        rows.push([vec![name.into()], percents.into()].concat());
        medians.push(of);
    }
    let at = RATES.map(|rate| Column::plain(format!("at rate {rate}")));
    out.table(Table {
        title: "The search: validation loss, first seed".into(),
        columns: [vec![Column::plain("network")], at.into()].concat(),
        rows: search,
        origin: Origin::Measured,
    });
    let percent = |name: &str| Column::with_unit(name, "%");
    let figures = ["as written", "moved right", "moved left"].map(percent);
    out.table(Table {
        title: "Accuracy on 360 validation digits, moved by one pixel, with its sample error"
            .into(),
        columns: [vec![Column::plain("network")], figures.into()].concat(),
        rows,
        origin: Origin::Measured,
    });
    let [dense, convolutional] = [0, 1].map(|place: usize| [medians[place][0], medians[place][1]]);
    out.measured("dense network, digits moved right", dense[1] * 100.0, "%");
    out.measured("SimpleCNN, digits moved right", convolutional[1] * 100.0, "%");
    out.insight(shift_insight(dense, convolutional, validation.len()));
    Ok(())
}

/// What the accuracies on `n` digits, as written and moved, of a dense and of a convolutional network say.
pub fn shift_insight(dense: [f64; 2], convolutional: [f64; 2], n: usize) -> String {
    let percent = |p: f64| format!("{:.1} % (+- {:.1})", p * 100.0, sample_error(p, n) * 100.0);
    let lost = |[written, moved]: [f64; 2]| match compare_accuracies(written, moved, n) {
        Reading::Larger => format!("fell from {} to {}", percent(written), percent(moved)),
        Reading::Smaller => format!("rose from {} to {}", percent(written), percent(moved)),
        _ => format!("did not clearly change: {} and {}", percent(written), percent(moved)),
    };
    let meaning = match compare_accuracies(convolutional[1], dense[1], n) {
        Reading::Larger => {
            "Of the moved digits, the convolutional network read more: its feature maps move with the image."
        }
        Reading::Smaller => {
            "Here the dense network read more of the moved digits, which is not what shared weights promise."
        }
        _ => "Of the moved digits, neither network clearly read more.",
    };
    format!(
        "By one pixel to the right, the dense network {}; the convolutional one {}. {meaning}",
        lost(dense),
        lost(convolutional)
    )
}

/// Images moved by so many columns, to the right where positive; zeros follow.
fn shifted(images: &Tensor, columns: isize) -> Tensor {
    let width = images.shape().last().copied().unwrap_or(1);
    let data = images.data();
    let pixel = |index: usize| {
        let from = (index % width).checked_add_signed(-columns).filter(|column| *column < width);
        from.map_or(0.0, |column| data[index - index % width + column])
    };
    let moved: Vec<f32> = (0..data.len()).map(pixel).collect();
    Tensor::new(&moved, images.shape())
}

// %% [markdown] nbgrader={"grade": false, "grade_id": "spatial-module-test", "locked": true, "schema_version": 3, "solution": false, "task": false}
// ## 🧪 Module test

// %% nbgrader={"grade": true, "grade_id": "test-spatial-module", "locked": true, "points": 20, "schema_version": 3, "solution": false, "task": false}
/// 🧪 A network with every layer of this module learns to tell vertical bars from horizontal ones at any
/// position, and in inference its answer for an image does not depend on the rest of the batch.
#[test]
fn test_module() {
    use tinytorch::autograd::{Backward, track};
    use tinytorch::losses::Loss;
    use tinytorch::optimizers::Optimizer;
    use tinytorch::testing::{expect_close, expect_eq};

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
    let idea = "four layers have parameters: 1 + 2 + 2 + 2 tensors";
    expect_eq("parameters of a network of nine layers", net.parameters().len(), 7, idea);
    let mut adam = Adam::new(0.03);
    let mut losses = Vec::new();
    for _ in 0..60 {
        let (x, classes) = bars(24, rng);
        let loss = CrossEntropyLoss.forward(&net.forward(&x), &classes);
        losses.push(loss.item());
        adam.step(net.parameters_mut(), &loss.backward());
    }
    let input =
        format!("60 steps, loss {} at first and {} at last: was it halved", losses[0], losses[59]);
    let idea = "every layer hands its gradient on: look for one that is assigned where it should be added, or added \
                to a buffer that was not cleared";
    expect_eq(input, losses[59] < losses[0] / 2.0, true, idea);

    net.set_training(false);
    let (x, classes) = bars(60, rng);
    let scores = net.forward(&x);
    let right = |n: &usize| scores.argmax_axis(1)[*n] as f32 == classes.data()[*n];
    let right = (0..60).filter(right).count();
    let input =
        format!("{right} of 60 bars classified correctly in inference: are that 54 or more");
    let idea = "inference normalizes by the running statistics, which training has moved towards those of the images";
    expect_eq(input, right >= 54, true, idea);
    let alone = net.forward(&x.slice(&[0..1, 0..1, 0..8, 0..8]));
    let idea = "in inference the scores of an image do not depend on the rest of the batch";
    let input = "the scores of an image by itself and in a batch of 60";
    expect_close(input, &alone.data(), &scores.data()[..2], 1e-4, idea);
}

// %% nbgrader={"grade": false, "grade_id": "spatial-geometry-impl", "locked": true, "schema_version": 3, "solution": false, "task": false}
impl Pair {
    /// How many pixels or positions that is.
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

impl Window {
    /// A window of this size that moves by one pixel, without padding. Panics on a size of 0.
    pub fn new(kernel: impl Into<Pair>) -> Self {
        let kernel = kernel.into();
        assert!(kernel.area() > 0, "Window: got a size of 0, expected 1 or more rows and columns");
        Self { kernel, stride: 1.into(), padding: 0.into() }
    }

    /// Moves by this many pixels. Panics on 0: the window would never move.
    pub fn stride(self, stride: impl Into<Pair>) -> Self {
        let stride = stride.into();
        assert!(stride.area() > 0, "Window: got a stride of 0, expected 1 or more");
        Self { stride, ..self }
    }

    /// Pads the image with this many rows and columns on each side.
    pub fn padding(self, padding: impl Into<Pair>) -> Self {
        Self { padding: padding.into(), ..self }
    }
}

impl From<usize> for Window {
    fn from(side: usize) -> Self {
        Self::new(side)
    }
}

impl Grid {
    /// The geometry of `window` on images of size `image`; `None` if the window does not fit.
    pub fn new(image: impl Into<Pair>, window: impl Into<Window>) -> Option<Self> {
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
}

// %% nbgrader={"grade": false, "grade_id": "spatial-checks", "locked": true, "schema_version": 3, "solution": false, "task": false}
/// `[N, C, H, W]` of a batch of images. Panics, saying how to fix it, when `x` is something else or has
/// another number of channels.
fn image_shape(layer: &dyn Layer, x: &Tensor, channels: Option<usize>) -> [usize; 4] {
    let &[n, c, h, w] = x.shape() else {
        let fix = match x.shape() {
            [c, h, w] => format!("give one image a batch axis with x.reshape(&[1, {c}, {h}, {w}])"),
            [h, w] => format!("give one grey image its axes with x.reshape(&[1, 1, {h}, {w}])"),
            _ => "reshape it to four axes".to_owned(),
        };
        let (name, got) = (layer.name(), shape_text(x.shape()));
        panic!("{name}: got shape {got}, expected (batch, channels, height, width): {fix}");
    };
    assert!(
        channels.is_none_or(|expected| c == expected),
        "{}: got {c} channels in shape {}, expected {}: build the layer for {c} channels, or put the \
         axes in the order (batch, channels, height, width)",
        layer.name(),
        shape_text(x.shape()),
        channels.unwrap_or(0),
    );
    assert!(
        h * w > 0,
        "{}: got images without pixels: shape {}",
        layer.name(),
        shape_text(x.shape())
    );
    [n, c, h, w]
}

/// The grid of `window` on such images. Panics, saying how to fix it, when the window does not fit.
fn grid_for(
    layer: &dyn Layer,
    x: &Tensor,
    window: Window,
    channels: Option<usize>,
) -> (Grid, [usize; 2]) {
    let [n, c, h, w] = image_shape(layer, x, channels);
    let grid = Grid::new((h, w), window).unwrap_or_else(|| {
        panic!(
            "{}: got images of {h}x{w}, too small for a window of {}x{} with this padding: use a \
             smaller window, more padding or fewer pooling layers before it",
            layer.name(),
            window.kernel.rows,
            window.kernel.columns
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

    /// A convolution with these kernels, shape `(outputs, inputs, rows, columns)`, and a bias of shape
    /// `(outputs)`. Panics when a shape is another one, or the window has another size.
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

// %% nbgrader={"grade": false, "grade_id": "conv-rule", "locked": true, "schema_version": 3, "solution": false, "task": false}
impl GradientRule for ConvRule {
    fn gradients(
        &self,
        grad_output: &Tensor,
        inputs: &[Tensor],
        _output: &Tensor,
    ) -> InputGradients {
        let grad_output = grad_output.data();
        let (x, weight, grid) = (&inputs[0], &inputs[1], &self.0);
        let (outputs, kernel) = (weight.shape()[0], weight.numel() / weight.shape()[0]);
        let image = x.shape()[1] * grid.padded.area();
        let shaped = |gradient, like: &Tensor| Tensor::from_array(values(gradient, like.shape()));
        let mut grads = vec![
            grad_for(x, || {
                let mut gradient = vec![0.0; x.shape()[0] * image];
                let grad_planes = grad_output.chunks_exact(outputs * grid.output.area());
                for (gradient, grad_output) in gradient.chunks_exact_mut(image).zip(grad_planes) {
                    grid.input_gradient(grad_output, &weight.data(), gradient);
                }
                shaped(grid.crop(&gradient), x)
            }),
            grad_for(weight, || {
                let padded = grid.pad(&x.data(), 0.0);
                let mut gradient = vec![0.0; outputs * kernel];
                let grad_planes = grad_output.chunks_exact(outputs * grid.output.area());
                for (image, grad_output) in padded.chunks_exact(image).zip(grad_planes) {
                    grid.weight_gradient(grad_output, image, &mut gradient);
                }
                shaped(gradient, weight)
            }),
        ];
        grads.extend(inputs.get(2).map(|bias| {
            grad_for(bias, || {
                // In f64: an f32 loses the small terms of a long sum.
                let mut gradient = vec![0.0; outputs];
                for (index, plane) in grad_output.chunks_exact(grid.output.area()).enumerate() {
                    gradient[index % outputs] += plane.iter().copied().map(f64::from).sum::<f64>();
                }
                shaped(gradient.into_iter().map(|sum| sum as f32).collect(), bias)
            })
        }));
        grads
    }
}

/// The dot product of two slices, in eight sums side by side: the compiler keeps them in one SIMD
/// register.
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

impl Grid {
    /// Padded planes without their border: the inverse of [`Grid::pad`].
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

// %% nbgrader={"grade": false, "grade_id": "pool-layers", "locked": true, "schema_version": 3, "solution": false, "task": false}
/// Checks the padding: with more than half of the window, a patch could consist of padding only.
fn pool_window(name: &str, window: Window) -> Window {
    let (kernel, padding) = (window.kernel, window.padding);
    assert!(
        padding.rows * 2 <= kernel.rows && padding.columns * 2 <= kernel.columns,
        "{name}: got padding {}x{} for a window of {}x{}, expected at most half of the window",
        padding.rows,
        padding.columns,
        kernel.rows,
        kernel.columns
    );
    window
}

impl MaxPool2d {
    /// Patches of this size, side by side: the stride is the size of the window.
    pub fn new(kernel: impl Into<Pair>) -> Self {
        let kernel = kernel.into();
        Self::with(Window::new(kernel).stride(kernel))
    }

    /// With a stride and padding. Panics when the padding is more than half of the window.
    pub fn with(window: Window) -> Self {
        Self(pool_window("MaxPool2d", window))
    }
}

impl AvgPool2d {
    /// Patches of this size, side by side: the stride is the size of the window.
    pub fn new(kernel: impl Into<Pair>) -> Self {
        let kernel = kernel.into();
        Self::with(Window::new(kernel).stride(kernel))
    }

    /// With a stride and padding. Panics when the padding is more than half of the window.
    pub fn with(window: Window) -> Self {
        Self(pool_window("AvgPool2d", window))
    }
}

impl Layer for MaxPool2d {
    fn name(&self) -> String {
        format!("MaxPool2d({}x{})", self.0.kernel.rows, self.0.kernel.columns)
    }

    fn forward(&self, x: &Tensor) -> Tensor {
        let (grid, [n, c]) = grid_for(self, x, self.0, None);
        let (pixels, size) = (grid.padded.area(), grid.output.area());
        let padded = grid.pad(&x.data(), f32::NEG_INFINITY);
        let (mut max, mut indices) = (vec![0.0; n * c * size], vec![0; n * c * size]);
        let targets = max.chunks_exact_mut(size).zip(indices.chunks_exact_mut(size));
        for (plane, (max, indices)) in padded.chunks_exact(pixels).zip(targets) {
            grid.max_with_indices(plane, max, indices);
        }
        let max = values(max, &[n, c, grid.output.rows, grid.output.columns]);
        custom("max_pool2d", max, &[x], MaxRule { grid, indices })
    }
}

impl Layer for AvgPool2d {
    fn name(&self) -> String {
        format!("AvgPool2d({}x{})", self.0.kernel.rows, self.0.kernel.columns)
    }

    fn forward(&self, x: &Tensor) -> Tensor {
        let (grid, [n, c]) = grid_for(self, x, self.0, None);
        let (pixels, size) = (grid.padded.area(), grid.output.area());
        let padded = grid.pad(&x.data(), 0.0);
        let mut means = vec![0.0; n * c * size];
        for (plane, means) in padded.chunks_exact(pixels).zip(means.chunks_exact_mut(size)) {
            grid.mean(plane, means);
        }
        let means = values(means, &[n, c, grid.output.rows, grid.output.columns]);
        custom("avg_pool2d", means, &[x], AvgRule(grid))
    }
}

/// The gradient rule of max pooling: for each output position, the index of the maximum in its padded
/// plane.
struct MaxRule {
    grid: Grid,
    indices: Vec<usize>,
}

struct AvgRule(Grid);

impl GradientRule for MaxRule {
    fn gradients(
        &self,
        grad_output: &Tensor,
        inputs: &[Tensor],
        _output: &Tensor,
    ) -> InputGradients {
        let (grad_output, size) = (grad_output.data(), self.grid.output.area());
        let planes = grad_output.chunks_exact(size).zip(self.indices.chunks_exact(size));
        let gradient = self.grid.by_plane(&inputs[0], planes, |(grads, indices), plane| {
            scatter_add(grads, indices, plane);
        });
        vec![Some(gradient)]
    }
}

impl GradientRule for AvgRule {
    fn gradients(
        &self,
        grad_output: &Tensor,
        inputs: &[Tensor],
        _output: &Tensor,
    ) -> InputGradients {
        let Self(grid) = self;
        let count = grid.window.kernel.area() as f32;
        let equal: Vec<f32> = grad_output.data().iter().map(|grad| grad / count).collect();
        let planes = equal.chunks_exact(grid.output.area());
        let gradient = grid.by_plane(&inputs[0], planes, |grads, plane| {
            grid.kernel_positions().for_each(|position| grid.fold_row(plane, position, grads));
        });
        vec![Some(gradient)]
    }
}

impl Grid {
    /// A gradient for `x`, plane by plane: `fill` gets the part that belongs to a plane, and the
    /// padded plane.
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

// %% nbgrader={"grade": false, "grade_id": "batchnorm-new", "locked": true, "schema_version": 3, "solution": false, "task": false}
impl BatchNorm2d {
    /// Scale 1, shift 0; running mean 0, running variance 1; eps 1e-5, momentum 0.1, as in PyTorch.
    pub fn new(channels: usize) -> Self {
        let running = RunningStats { mean: vec![0.0; channels], variance: vec![1.0; channels] };
        Self {
            weight: Tensor::ones(&[channels]),
            bias: Tensor::zeros(&[channels]),
            running: RefCell::new(running),
            training: true,
            eps: 1e-5,
            momentum: 0.1,
        }
    }

    /// Another number than 1e-5 under the square root. Panics unless it is 0 or more.
    pub fn eps(self, eps: f32) -> Self {
        assert!(
            eps >= 0.0 && eps.is_finite(),
            "{}: got eps {eps}, expected 0 or more",
            self.name()
        );
        Self { eps, ..self }
    }

    /// Another weight of a new batch than 0.1. Panics unless it is from 0 to 1.
    pub fn momentum(self, momentum: f32) -> Self {
        assert!(
            (0.0..=1.0).contains(&momentum),
            "{}: got momentum {momentum}, expected a number from 0 to 1",
            self.name()
        );
        Self { momentum, ..self }
    }

    /// The running statistics.
    pub fn running_stats(&self) -> RunningStats {
        self.running.borrow().clone()
    }

    /// Replaces the running statistics, for example with those of a saved model. Panics when there is
    /// not one mean and one variance for each channel.
    pub fn set_running_stats(&mut self, stats: RunningStats) {
        let (means, variances) = (stats.mean.len(), stats.variance.len());
        let channels = self.weight.numel();
        assert!(
            means == channels && variances == channels,
            "{}: got {means} means and {variances} variances, expected {channels} of each",
            self.name()
        );
        self.running.replace(stats);
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

// %% nbgrader={"grade": false, "grade_id": "spatial-explore", "locked": true, "schema_version": 3, "solution": false, "task": false}
/// A kernel slides over a digit.
///
/// Play it: the patch, its nine products with the kernel, and their sum, which is one number of the feature map.
/// Which strokes does each kernel find? What do stride and padding do to the size? `convolve_naive` computes the map.
pub fn explore_convolution(figure: &mut Explorer) {
    let class = figure.number("digit", 3.0, 0.0..=9.0, 1.0) as f32;
    let name = figure.choice("kernel", &["vertical edge", "horizontal edge", "blur", "sharpen"]);
    let kernel: [f32; 9] = match name {
        "vertical edge" => [1.0, 0.0, -1.0, 2.0, 0.0, -2.0, 1.0, 0.0, -1.0],
        "horizontal edge" => [1.0, 2.0, 1.0, 0.0, 0.0, 0.0, -1.0, -2.0, -1.0],
        "blur" => [0.0, 0.125, 0.0, 0.125, 0.5, 0.125, 0.0, 0.125, 0.0],
        _ => [0.0, -1.0, 0.0, -1.0, 5.0, -1.0, 0.0, -1.0, 0.0],
    };
    let stride = figure.number("stride", 1.0, 1.0..=3.0, 1.0) as usize;
    let padding = figure.number("padding", 0.0, 0.0..=2.0, 1.0) as usize;
    let grid = Grid::new(8, Window::new(3).stride(stride).padding(padding));
    let Some(grid) = grid.filter(|grid| grid.output.area() > 0) else {
        return figure.note("`output_size` says that a 3x3 window does not fit an 8x8 image.");
    };
    let Pair { rows, columns } = grid.output;
    let at = figure.play("position", rows * columns, 4);

    let image = grid.pad(&digit(class), 0.0);
    let mut map = vec![0.0; rows * columns];
    grid.convolve_naive(&image, &kernel, &mut map);
    let corner = Pair::from((at / columns * stride, at % columns * stride));
    let inside = |row: usize, column: usize| {
        (corner.rows..corner.rows + 3).contains(&row)
            && (corner.columns..corner.columns + 3).contains(&column)
    };
    let under = |index: usize| {
        image[(corner.rows + index / 3) * grid.padded.columns + corner.columns + index % 3]
    };
    // Adding 0 turns a product of -0 into 0.
    let products: Vec<f32> = (0..9).map(|index| under(index) * kernel[index] + 0.0).collect();
    let cell =
        |index: usize| format!("{} x {} = {}", under(index), kernel[index], products[index]).into();
    figure.table(Table {
        title: format!("Row {}, column {}: pixel x weight", at / columns, at % columns),
        columns: ["left", "middle", "right"].map(Column::plain).into(),
        rows: (0..3).map(|row| (3 * row..3 * row + 3).map(cell).collect()).collect(),
        origin: Origin::Computed("the patch times the kernel".into()),
    });
    let (sum, written) = (products.iter().sum::<f32>(), map[at]);
    figure.insight(products_insight(sum, written));

    let light = |row: usize, column: usize| {
        let pixel = image[row * grid.padded.columns + column] / 16.0;
        if inside(row, column) { 0.4 + 0.6 * pixel } else { 0.4 * pixel }
    };
    let (low, high) = map.iter().fold((f32::MAX, f32::MIN), |(l, h), v| (l.min(*v), h.max(*v)));
    let known = |row: usize, column: usize| match row * columns + column {
        index if index > at => 0.0,
        index => 0.2 + 0.8 * (map[index] - low) / (high - low).max(1e-6),
    };
    let title = "The digit, the patch bright; the map so far";
    side_by_side(figure, title, (grid.padded, &light), (grid.output, &known));
}

/// What the nine products show: their sum, and what `convolve_naive` wrote in this place.
pub fn products_insight(sum: f32, written: f32) -> String {
    if (sum - written).abs() < 1e-3 {
        format!("The nine products add up to {sum}, which is what `convolve_naive` wrote here.")
    } else {
        format!("The nine products add up to {sum}, but `convolve_naive` wrote {written} here.")
    }
}

/// The first digit of a class in the training set: its 64 levels from 0 to 16.
fn digit(class: f32) -> Vec<f32> {
    let train = digits(DigitShape::Image).expect("the digits are built in").train;
    let first = train.targets().data().iter().position(|target| *target == class).unwrap_or(0);
    train.inputs().data()[64 * first..64 * first + 64].iter().map(|level| 16.0 * level).collect()
}

/// Two pictures as one, each pixel three wide and high, with a gap between them.
fn side_by_side(
    figure: &mut Explorer,
    title: &str,
    (first, left): (Pair, &dyn Fn(usize, usize) -> f32),
    (second, right): (Pair, &dyn Fn(usize, usize) -> f32),
) {
    const SCALE: usize = 3;
    let (rows, gap) = (first.rows.max(second.rows), first.columns + 1);
    let width = gap + second.columns;
    let mut pixels = Vec::with_capacity(SCALE * SCALE * rows * width);
    for row in (0..SCALE * rows).map(|row| row / SCALE) {
        for column in (0..SCALE * width).map(|column| column / SCALE) {
            pixels.push(if column < first.columns && row < first.rows {
                left(row, column)
            } else if column >= gap && row < second.rows {
                right(row, column - gap)
            } else {
                0.0
            });
        }
    }
    figure.picture(Picture { title: title.into(), width: SCALE * width, pixels });
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
