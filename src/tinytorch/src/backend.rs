//! The hook through which the engine's operations can run on other kernels than the loops of the lessons: a backend
//! offers kernels, [`with_backend`] makes it the current one of this thread, and given code of a lesson asks here before
//! it runs the plain loops. Outside of `with_backend` nothing changes. It knows arrays and slices, and no tensor.

mod parallel;

use crate::operations::{Elementwise, ElementwiseFunction, Op};
use crate::planes::{self, Grid};
use crate::shapes::{Values, count, row_major, values};
use crate::threads::map_in_parallel;
use parallel::{Parallel, piece, share};
use std::borrow::Cow;
use std::cell::RefCell;
use std::ops::Range;
use std::sync::Arc;

/// Kernels for the operations that cost most. Each has an answer for "not offered" as its default, `false` or `None`: the
/// plain loops then run instead. What a kernel computes must equal them up to rounding; a NaN must not vanish.
pub trait Backend: Send + Sync {
    /// What it is, for tables.
    fn name(&self) -> String;

    /// How many threads may run its kernels, each on some of the rows, images or matrices.
    fn threads(&self) -> usize {
        1
    }

    /// Adds the product of two matrices (m, k) and (k, n), neither of them empty, to `out` (m, n), row by row.
    fn matmul(&self, _a: Matrix<'_>, _b: Matrix<'_>, _out: &mut [f32]) -> bool {
        false
    }

    /// A function of each element.
    fn map(&self, _function: Elementwise, _x: &[f32]) -> Option<Vec<f32>> {
        None
    }

    /// The upstream gradient times the derivative of a function whose input is `x` and whose output is `y`.
    fn map_gradient(
        &self,
        _function: Elementwise,
        _upstream: &[f32],
        _x: &[f32],
        _y: &[f32],
    ) -> Option<Vec<f32>> {
        None
    }

    /// Turns each row of so many scores into probabilities. A row that is `-inf` throughout becomes `hidden` throughout.
    fn softmax(&self, _rows: &mut [f32], _width: usize, _hidden: f32) -> bool {
        false
    }

    /// Turns the upstream gradient of a softmax into that of its scores; `weights` are the probabilities.
    fn softmax_gradient(&self, _weights: &[f32], _width: usize, _gradient: &mut [f32]) -> bool {
        false
    }

    /// The logarithm of the sum of the powers of e of each row's scores.
    fn log_sum_exp(&self, _rows: &[f32], _width: usize) -> Option<Vec<f32>> {
        None
    }

    /// The probabilities of each row's scores, times a factor, from what [`Backend::log_sum_exp`] gave for the rows.
    fn probabilities(&self, rows: &[f32], log_sums: &[f32], factor: f32) -> Vec<f32> {
        let rows = rows.chunks_exact(rows.len() / log_sums.len()).zip(log_sums);
        rows.flat_map(|(row, log_sum)| row.iter().map(move |x| factor * (x - log_sum).exp()))
            .collect()
    }

    /// Each row, normalised to mean 0 (where the norm is centred) and mean square 1, times gamma plus beta.
    fn normalize(&self, _norm: Norm<'_>, _rows: &[f32]) -> Option<Vec<f32>> {
        None
    }

    /// The gradients of [`Backend::normalize`] with respect to the rows, gamma and beta.
    fn normalize_gradient(
        &self,
        _norm: Norm<'_>,
        _rows: &[f32],
        _upstream: &[f32],
    ) -> Option<[Vec<f32>; 3]> {
        None
    }

    /// Convolves images, planes of `grid.image`, with all kernels. Adds to `result`, which holds one plane for each image
    /// and each kernel.
    fn convolve(
        &self,
        _grid: &Grid,
        _images: &[f32],
        _kernels: Kernels<'_>,
        _result: &mut [f32],
    ) -> bool {
        false
    }

    /// The largest pixel under the window at each output position, and its index in the padded plane. Of equal pixels the
    /// first one counts; a NaN is larger than everything. `padded` has planes of `grid.padded`.
    fn max_pool(&self, _grid: &Grid, _padded: &[f32]) -> Option<(Vec<f32>, Vec<usize>)> {
        None
    }
}

/// The kernels of a convolution.
#[derive(Debug, Clone, Copy)]
pub struct Kernels<'a> {
    /// The number of input channels.
    pub inputs: usize,
    /// The number of output channels: there is one kernel for each.
    pub outputs: usize,
    /// All weights, kernel by kernel, in each channel by channel, and in each of these row by row.
    pub weights: &'a [f32],
}

/// A normalisation of rows of `gamma.len()` numbers.
#[derive(Debug, Clone, Copy)]
pub struct Norm<'a> {
    /// Whether the mean is subtracted: a layer norm, else an RMS norm.
    pub centred: bool,
    /// What is added to the variance.
    pub eps: f32,
    /// What each column is multiplied with.
    pub gamma: &'a [f32],
    /// What is added to each column.
    pub beta: &'a [f32],
}

thread_local! {
    static CURRENT: RefCell<Option<Arc<dyn Backend>>> = const { RefCell::new(None) };
}

/// Runs `work` with this backend: what the engine computes on this thread uses its kernels, on as many threads as it has,
/// where they pay. The backend before is restored afterwards, even when `work` panics. A thread that `work` starts begins
/// without one: give it [`current`] and call this function there.
pub fn with_backend<T>(backend: Arc<dyn Backend>, work: impl FnOnce() -> T) -> T {
    struct Restore(Option<Arc<dyn Backend>>);
    impl Drop for Restore {
        fn drop(&mut self) {
            CURRENT.set(self.0.take());
        }
    }
    let _restore = Restore(CURRENT.replace(Some(backend)));
    work()
}

/// Lets the process keep memory that it has freed, so that the next large result reuses it; call it once, at the start of a
/// program. Otherwise the system gives out every page again, filled with zeros, and fast kernels wait for it. It does
/// nothing where the C library is not glibc.
pub fn keep_freed_memory() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    {
        // Their numbers in glibc's malloc.h.
        const TRIM_THRESHOLD: i32 = -1;
        const TOP_PAD: i32 = -2;
        const MMAP_THRESHOLD: i32 = -3;
        #[expect(
            unsafe_code,
            reason = "a function of the C library that Rust is linked with anyway"
        )]
        // SAFETY: its declaration in malloc.h; it takes two numbers and may be called at any time.
        unsafe extern "C" {
            safe fn mallopt(parameter: i32, value: i32) -> i32;
        }
        mallopt(MMAP_THRESHOLD, 32 << 20);
        mallopt(TRIM_THRESHOLD, i32::MAX);
        mallopt(TOP_PAD, 64 << 20);
    }
}

/// The backend of this thread, if it runs inside of [`with_backend`].
#[must_use]
pub fn current() -> Option<Arc<dyn Backend>> {
    CURRENT.with_borrow(Clone::clone)
}

/// The kernels of this thread's backend, on all of its threads.
fn kernels() -> Option<Parallel> {
    current().map(Parallel)
}

/// A matrix inside a slice: where element (0, 0) is, and how far to go for a step down and for a step across. So a
/// transposed matrix and a part of a matrix need no copy.
#[derive(Debug, Clone, Copy)]
pub struct Matrix<'a> {
    /// The numbers, from element (0, 0) on.
    pub elements: &'a [f32],
    /// The number of rows.
    pub rows: usize,
    /// The number of columns.
    pub columns: usize,
    /// From an element to the one below it.
    pub down: usize,
    /// From an element to the next one in its row.
    pub across: usize,
}

impl<'a> Matrix<'a> {
    /// A matrix whose rows lie one after the other.
    ///
    /// # Panics
    /// When there are too few elements.
    #[must_use]
    pub fn new(elements: &'a [f32], rows: usize, columns: usize) -> Self {
        let given = elements.len();
        assert!(rows * columns <= given, "matrix: ({rows}, {columns}) of {given} elements");
        Self { elements, rows, columns, down: columns, across: 1 }
    }

    /// One element.
    #[inline(always)]
    #[must_use]
    pub fn at(&self, row: usize, column: usize) -> f32 {
        self.elements[row * self.down + column * self.across]
    }

    /// The same numbers with rows and columns swapped.
    #[must_use]
    pub fn t(self) -> Self {
        let Self { elements, rows, columns, down, across } = self;
        Self { elements, rows: columns, columns: rows, down: across, across: down }
    }

    /// The part of these rows and columns.
    #[must_use]
    pub fn part(self, rows: Range<usize>, columns: Range<usize>) -> Self {
        let start = rows.start * self.down + columns.start * self.across;
        let elements = self.elements.get(start..).unwrap_or_default();
        Self { elements, rows: rows.len(), columns: columns.len(), ..self }
    }

    /// A row as a slice, where its elements are neighbours.
    #[inline(always)]
    #[must_use]
    pub fn row(&self, row: usize) -> &'a [f32] {
        &self.elements[row * self.down..][..self.columns]
    }
}

/// The elements of an array with the stride of each axis: borrowed where all strides lead forwards through memory without
/// gaps, in whatever order, else copied into row-major order.
struct Stored<'a> {
    elements: Cow<'a, [f32]>,
    strides: Vec<usize>,
}

impl<'a> Stored<'a> {
    fn of(array: &'a Values) -> Self {
        let strides: Option<Vec<usize>> =
            array.strides().iter().map(|&stride| stride.try_into().ok()).collect();
        if let (Some(strides), Some(elements)) = (strides, array.as_slice_memory_order()) {
            return Self { elements: elements.into(), strides };
        }
        let mut strides: Vec<usize> = vec![1; array.ndim()];
        for axis in (1..array.ndim()).rev() {
            strides[axis - 1] = strides[axis] * array.shape()[axis];
        }
        Self { elements: row_major(array), strides }
    }
}

/// A stack of matrices: an array with at least two axes.
struct Stack<'a> {
    stored: Stored<'a>,
    shape: &'a [usize],
}

impl<'a> Stack<'a> {
    fn of(array: &'a Values) -> Self {
        Self { stored: Stored::of(array), shape: array.shape() }
    }

    /// The matrix that begins at this element.
    fn matrix(&self, start: usize) -> Matrix<'_> {
        let axes = self.shape.len();
        let [rows, columns] = [axes - 2, axes - 1].map(|axis| self.shape[axis]);
        let [down, across] = [axes - 2, axes - 1].map(|axis| self.stored.strides[axis]);
        Matrix { elements: &self.stored.elements[start..], rows, columns, down, across }
    }

    /// Where each matrix of a batch begins: leading axes that are missing or of size 1 stay where they are.
    fn starts(&self, batch: &[usize]) -> Vec<usize> {
        let own = self.shape.len() - 2;
        let mut strides = vec![0; batch.len()];
        for axis in 0..own {
            if self.shape[axis] != 1 {
                strides[batch.len() - own + axis] = self.stored.strides[axis];
            }
        }
        crate::shapes::offsets(batch, &strides)
    }

    /// All its matrices one below the other, as one: where the next one begins a step down after the last row.
    fn tall(&self) -> Option<Matrix<'_>> {
        let rows_of = |axes: &[usize]| count(axes);
        let axes = self.shape.len();
        let mut step = self.stored.strides[axes - 2] * self.shape[axes - 2];
        for axis in (0..axes - 2).rev().filter(|&axis| self.shape[axis] != 1) {
            if self.stored.strides[axis] != step {
                return None;
            }
            step *= self.shape[axis];
        }
        Some(Matrix { rows: rows_of(&self.shape[..axes - 1]), ..self.matrix(0) })
    }
}

/// The product of two stacks of matrices, whose leading axes broadcast to `batch`, on the current backend. `None` if
/// there is none, or if it does not offer products.
#[must_use]
pub fn matmul(a: &Values, b: &Values, batch: &[usize]) -> Option<Values> {
    let backend = kernels()?;
    let (m, n) = (a.shape()[a.ndim() - 2], b.shape()[b.ndim() - 1]);
    let mut out = vec![0.0; count(batch) * m * n];
    let is_empty = a.is_empty() || b.is_empty() || out.is_empty();
    let (a_stack, b_stack) = (Stack::of(a), Stack::of(b));
    let one_right = b_stack.shape[..b.ndim() - 2].iter().all(|&size| size == 1);
    let whole_left = count(batch) == count(&a.shape()[..a.ndim() - 2]);
    let tall = a_stack.tall().filter(|_| one_right && whole_left && !is_empty);
    let is_offered = match tall {
        _ if is_empty => true,
        // One matrix on the right for all rows of the left side: one large product instead of many small ones.
        Some(tall) => backend.matmul(tall, b_stack.matrix(0), &mut out),
        None => {
            let pairs: Vec<_> =
                a_stack.starts(batch).into_iter().zip(b_stack.starts(batch)).collect();
            let some = share(&backend, pairs.len(), m * n * a.shape()[a.ndim() - 1]);
            let parts = pairs.chunks(some).zip(out.chunks_mut(some * m * n));
            let is_offered = map_in_parallel(parts, |(pairs, out)| {
                pairs
                    .iter()
                    .zip(out.chunks_exact_mut(m * n))
                    .all(|(&(i, j), out)| backend.matmul(a_stack.matrix(i), b_stack.matrix(j), out))
            });
            !is_offered.contains(&false)
        }
    };
    is_offered.then(|| values(out, &[batch, &[m, n]].concat()))
}

/// The product of rows of any shape with a matrix, plus a bias, as one operation: the product is added to the bias, so
/// neither zeros nor a second pass are needed. `None` if the current backend offers no products, or if one side is empty.
#[must_use]
pub fn linear(x: &Values, weight: &Values, bias: &Values) -> Option<(Op, Values)> {
    let backend = kernels().filter(|_| !x.is_empty() && !weight.is_empty())?;
    let (rows, bias, weight) = (row_major(x), row_major(bias), Stack::of(weight));
    let (matrix, shape) = (weight.matrix(0), x.shape());
    let rows = Matrix::new(&rows, rows.len() / matrix.rows, matrix.rows);
    let mut sums = bias.repeat(rows.rows);
    let is_offered = backend.matmul(rows, matrix, &mut sums);
    let shape = [&shape[..shape.len() - 1], &[matrix.columns]].concat();
    is_offered.then(|| (fused("linear", LinearRule { backend }), values(sums, &shape)))
}

/// The gradients of [`linear`]: two products, and the sum of the upstream rows.
struct LinearRule {
    backend: Parallel,
}

impl FusedRule for LinearRule {
    fn gradients(&self, upstream: &Values, inputs: &[Input<'_>]) -> Vec<Option<Values>> {
        let (upstream, x, weight) = (row_major(upstream), row_major(inputs[0].0), inputs[1].0);
        let stack = Stack::of(weight);
        let matrix = stack.matrix(0);
        let count = x.len() / matrix.rows;
        let x = Matrix::new(&x, count, matrix.rows);
        let rows = Matrix::new(&upstream, count, matrix.columns);
        let product = |a: Matrix<'_>, b: Matrix<'_>| {
            let mut out = vec![0.0; a.rows * b.columns];
            self.backend.matmul(a, b, &mut out);
            out
        };
        let gradients: [&dyn Fn() -> Vec<f32>; 3] =
            [&|| product(rows, matrix.t()), &|| product(x.t(), rows), &|| {
                sum_rows(&upstream, matrix.columns)
            }];
        let pairs = gradients.iter().zip(inputs);
        pairs.map(|(of, (input, wanted))| wanted.then(|| values(of(), input.shape()))).collect()
    }
}

/// The sum of rows of so many numbers: of some of them at a time, so that a long sum does not lose small terms.
fn sum_rows(rows: &[f32], width: usize) -> Vec<f32> {
    let add = |sums: &mut [f32], row: &[f32]| {
        sums.iter_mut().zip(row).for_each(|(sum, number)| *sum += number);
    };
    let (mut sums, mut some) = (vec![0.0; width], vec![0.0; width]);
    for rows in rows.chunks(64 * width) {
        some.fill(0.0);
        rows.chunks_exact(width).for_each(|row| add(&mut some, row));
        add(&mut sums, &some);
    }
    sums
}

/// A function of every element: on the current backend, or one after the other.
pub fn map(function: &(impl ElementwiseFunction + ?Sized), x: &Values) -> Values {
    let elements = row_major(x);
    let offered = kernels().and_then(|backend| backend.map(function.kind(), &elements));
    let plain = || elements.iter().map(|&x| function.at(x)).collect();
    values(offered.unwrap_or_else(plain), x.shape())
}

/// Turns each row of scores into probabilities: on the current backend, or with `plain`. A row that is `-inf` throughout
/// becomes 0 throughout: nothing is seen.
pub fn softmax_rows(rows: &mut [f32], width: usize, plain: impl FnMut(&mut [f32])) {
    if !kernels().is_some_and(|backend| backend.softmax(rows, width, 0.0)) {
        rows.chunks_exact_mut(width).for_each(plain);
    }
}

/// Turns the upstream gradients of rows of probabilities into those of their scores: on the current backend, or with
/// `plain`.
pub fn softmax_gradients(
    weights: &[f32],
    width: usize,
    gradient: &mut [f32],
    plain: impl Fn(&[f32], &mut [f32]),
) {
    if !kernels().is_some_and(|backend| backend.softmax_gradient(weights, width, gradient)) {
        let rows = weights.chunks_exact(width).zip(gradient.chunks_exact_mut(width));
        rows.for_each(|(weights, gradient)| plain(weights, gradient));
    }
}

/// Probabilities along the last axis, if the current backend offers them. A row that is `-inf` throughout becomes NaN.
#[must_use]
pub fn softmax(scores: &Values, axis: usize) -> Option<Values> {
    let backend = kernels().filter(|_| axis + 1 == scores.ndim())?;
    let (rows, width) = (row_major(scores), scores.shape()[axis]);
    let softmax = |some: Range<usize>| {
        let mut done = Vec::with_capacity(some.len());
        // A few rows at a time: they are still in the cache after they were copied.
        for rows in rows[some].chunks(piece(width)) {
            let start = done.len();
            done.extend_from_slice(rows);
            if !backend.0.softmax(&mut done[start..], width, f32::NAN) {
                return None;
            }
        }
        Some(done)
    };
    backend.rows(rows.len(), width, softmax).map(|rows| values(rows, scores.shape()))
}

/// An input of an operation, and whether its gradient is wanted.
pub type Input<'a> = (&'a Values, bool);

/// How the gradients of an operation are computed that a backend fused out of several: from the upstream gradient, the
/// inputs. It keeps its backend, so it does not matter where it runs.
trait FusedRule: Send + Sync {
    fn gradients(&self, upstream: &Values, inputs: &[Input<'_>]) -> Vec<Option<Values>>;
}

/// A rule as lesson 05 finds it in a history.
struct Fused(Box<dyn FusedRule>);

/// An operation with a rule of its own.
fn fused(name: &'static str, rule: impl FusedRule + 'static) -> Op {
    Op::Custom { name, rule: Arc::new(Fused(Box::new(rule))) }
}

/// The gradients of an operation for those of its inputs that are wanted: if a backend fused it, or if the current one
/// offers a kernel for them.
#[must_use]
pub fn gradients(
    op: &Op,
    upstream: &Values,
    inputs: &[Input<'_>],
    output: &Values,
) -> Option<Vec<Option<Values>>> {
    match op {
        Op::Custom { rule, .. } => {
            let Fused(rule) = rule.downcast_ref()?;
            Some(rule.gradients(upstream, inputs))
        }
        Op::Map(function) => {
            let [upstream, x, y] = [upstream, inputs[0].0, output].map(row_major);
            let gradient = kernels()?.map_gradient(*function, &upstream, &x, &y)?;
            Some(vec![Some(values(gradient, inputs[0].0.shape()))])
        }
        _ => None,
    }
}

/// The mean cross entropy of rows of logits, for the rows that count and their classes, if the current backend offers it.
/// `None` too if no row counts, or if a class is not one of the columns: the plain loss has the message.
#[must_use]
pub fn cross_entropy(logits: &Values, counted: &[(usize, f32)]) -> Option<(Op, Values)> {
    let backend = kernels()?;
    let (width, rows) = (*logits.shape().last()?, row_major(logits));
    let is_class = |class: f32| class >= 0.0 && class < width as f32 && class.fract() == 0.0;
    if counted.is_empty() || !counted.iter().all(|&(_, class)| is_class(class)) {
        return None;
    }
    let log_sums = backend.log_sum_exp(&rows, width)?;
    let places: Vec<(usize, usize)> =
        counted.iter().map(|&(row, class)| (row, class as usize)).collect();
    let losses = places.iter().map(|&(row, class)| log_sums[row] - rows[row * width + class]);
    let total: f64 = losses.map(f64::from).sum();
    let loss = values(vec![(total / places.len() as f64) as f32], &[]);
    Some((fused("cross_entropy", CrossEntropyRule { backend, places, log_sums }), loss))
}

/// The gradient of the mean cross entropy: the probabilities, minus 1 at the class, divided by the number of rows that
/// count; 0 in the others.
struct CrossEntropyRule {
    backend: Parallel,
    places: Vec<(usize, usize)>,
    log_sums: Vec<f32>,
}

impl FusedRule for CrossEntropyRule {
    fn gradients(&self, upstream: &Values, inputs: &[Input<'_>]) -> Vec<Option<Values>> {
        let (logits, _) = inputs[0];
        let (width, rows) = (logits.shape()[1], row_major(logits));
        let factor = upstream.sum() / self.places.len() as f32;
        let mut gradient = self.backend.probabilities(&rows, &self.log_sums, factor);
        let mut counts = vec![false; self.log_sums.len()];
        for &(row, class) in &self.places {
            gradient[row * width + class] -= factor;
            counts[row] = true;
        }
        let rows = gradient.chunks_exact_mut(width).zip(counts);
        rows.filter(|(_, counts)| !counts).for_each(|(row, _)| row.fill(0.0));
        vec![Some(values(gradient, logits.shape()))]
    }
}

/// The planes of a convolution, if the current backend offers them. Its parts are the images (N, inputs, H, W), the kernels
/// (outputs, inputs, rows, columns) and, if there is one, the bias (outputs).
#[must_use]
pub fn convolve<'a>(grid: &Grid, parts: impl IntoIterator<Item = &'a Values>) -> Option<Vec<f32>> {
    let backend = kernels()?;
    let mut parts = parts.into_iter();
    let (x, weight, bias) = (parts.next()?, parts.next()?, parts.next());
    let (images, weights) = (row_major(x), row_major(weight));
    let (outputs, inputs, area) = (weight.shape()[0], weight.shape()[1], grid.output.area());
    let mut result = vec![0.0; x.shape()[0] * outputs * area];
    if let Some(bias) = bias {
        let planes = result.chunks_exact_mut(area).zip(bias.iter().cycle());
        planes.for_each(|(plane, bias)| plane.fill(*bias));
    }
    let kernels = Kernels { inputs, outputs, weights: &weights };
    backend.convolve(grid, &images, kernels, &mut result).then_some(result)
}

/// The gradient of a convolution's images: a convolution on the current backend, or image by image with `plain`, which
/// gets the grid, the image's upstream gradient, all kernels and the gradient of the padded image.
#[must_use]
pub fn image_gradient(
    grid: &Grid,
    weight: &Values,
    upstream: &[f32],
    plain: impl Fn(&Grid, &[f32], &[f32], &mut [f32]),
) -> Vec<f32> {
    let (outputs, inputs, weights) = (weight.shape()[0], weight.shape()[1], row_major(weight));
    let upstreams = upstream.chunks_exact(outputs * grid.output.area());
    if let (Some(backend), Some(back)) = (kernels(), grid.backwards()) {
        let mut gradient = vec![0.0; upstreams.len() * inputs * grid.image.area()];
        let weights = &planes::turned(&weights, grid.window.kernel.area(), inputs);
        let kernels = Kernels { inputs: outputs, outputs: inputs, weights };
        if backend.convolve(&back, upstream, kernels, &mut gradient) {
            return gradient;
        }
    }
    let image = inputs * grid.padded.area();
    let mut gradient = vec![0.0; upstreams.len() * image];
    for (gradient, upstream) in gradient.chunks_exact_mut(image).zip(upstreams) {
        plain(grid, upstream, &weights, gradient);
    }
    grid.crop(&gradient)
}

/// The gradient of a convolution's kernels: products on the current backend, or image by image with `plain`, which gets the
/// grid, the image's upstream gradient, the padded image and the gradient.
#[must_use]
pub fn kernel_gradient(
    grid: &Grid,
    weight: &Values,
    padded: &[f32],
    upstream: &[f32],
    plain: impl Fn(&Grid, &[f32], &[f32], &mut [f32]),
) -> Vec<f32> {
    /// How many output positions are unfolded at a time: the second cache holds them for some dozens of weights.
    const TOGETHER: usize = 512;
    let (outputs, image) = (weight.shape()[0], weight.shape()[1] * grid.padded.area());
    let (area, weights) = (grid.output.area(), weight.len() / outputs);
    let mut gradient = vec![0.0; weight.len()];
    let offered = |backend: Parallel, gradient: &mut [f32]| {
        let some = (TOGETHER / area).max(1);
        let mut groups = padded.chunks(some * image).zip(upstream.chunks(some * outputs * area));
        groups.all(|(images, upstream)| {
            let (pixels, columns) = (grid.unfold(images, image), upstream.len() / outputs);
            let upstream = planes::side_by_side(upstream, outputs, area);
            let upstream = Matrix::new(&upstream, outputs, columns);
            backend.matmul(upstream, Matrix::new(&pixels, weights, columns).t(), gradient)
        })
    };
    if !kernels().is_some_and(|backend| offered(backend, &mut gradient)) {
        let upstreams = upstream.chunks_exact(outputs * area);
        for (image, upstream) in padded.chunks_exact(image).zip(upstreams) {
            plain(grid, upstream, image, &mut gradient);
        }
    }
    gradient
}

/// The largest pixels under the window and their indices in each padded plane: on the current backend, or plane by plane
/// with `plain`.
#[must_use]
pub fn max_pool(
    grid: &Grid,
    padded: &[f32],
    plain: impl Fn(&Grid, &[f32], &mut [f32], &mut [usize]),
) -> (Vec<f32>, Vec<usize>) {
    if let Some(found) = kernels().and_then(|backend| backend.max_pool(grid, padded)) {
        return found;
    }
    let (planes, size) = (padded.chunks_exact(grid.padded.area()), grid.output.area());
    let (mut max, mut indices) = (vec![0.0; planes.len() * size], vec![0; planes.len() * size]);
    let results = max.chunks_exact_mut(size).zip(indices.chunks_exact_mut(size));
    planes.zip(results).for_each(|(plane, (max, indices))| plain(grid, plane, max, indices));
    (max, indices)
}

/// Rows that are normalised: on the current backend, or each with `normalize`, which writes the row and returns the
/// factor.
pub fn normalize(
    norm: Norm<'_>,
    rows: &[f32],
    normalize: impl Fn(&[f32], bool, f32, &mut [f32]) -> f32,
) -> Vec<f32> {
    if let Some(out) = kernels().and_then(|backend| backend.normalize(norm, rows)) {
        return out;
    }
    let Norm { centred, eps, gamma, beta } = norm;
    let mut all = vec![0.0; rows.len()];
    for (row, out) in rows.chunks_exact(gamma.len()).zip(all.chunks_exact_mut(gamma.len())) {
        normalize(row, centred, eps, out);
        for ((out, gamma), beta) in out.iter_mut().zip(gamma).zip(beta) {
            *out = *out * gamma + beta;
        }
    }
    all
}

/// The gradients of normalised rows with respect to the rows, gamma and beta: on the current backend, or row by row with
/// `normalize` and `gradient`, which gets the upstream gradient times gamma, the normalised row and its factor.
pub fn normalize_gradient(
    norm: Norm<'_>,
    [rows, upstream]: [&[f32]; 2],
    normalize: impl Fn(&[f32], bool, f32, &mut [f32]) -> f32,
    gradient: impl Fn(&[f32], &[f32], f32, bool, &mut [f32]),
) -> [Vec<f32>; 3] {
    if let Some(all) = kernels().and_then(|b| b.normalize_gradient(norm, rows, upstream)) {
        return all;
    }
    let dim = norm.gamma.len();
    let [mut for_gamma, mut for_beta, mut normalized, mut scaled] =
        [(); 4].map(|()| vec![0.0; dim]);
    let mut for_rows = vec![0.0; rows.len()];
    let pairs = rows.chunks_exact(dim).zip(upstream.chunks_exact(dim));
    for ((row, upstream), out) in pairs.zip(for_rows.chunks_exact_mut(dim)) {
        let factor = normalize(row, norm.centred, norm.eps, &mut normalized);
        for (at, &upstream) in upstream.iter().enumerate() {
            for_gamma[at] += upstream * normalized[at];
            for_beta[at] += upstream;
            scaled[at] = upstream * norm.gamma[at];
        }
        gradient(&scaled, &normalized, factor, norm.centred, out);
    }
    [for_rows, for_gamma, for_beta]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tensor::Tensor;
    use std::sync::Mutex;

    /// A backend that notes the products it is asked for, and computes them element by element.
    #[derive(Default)]
    struct Noting(Mutex<Vec<[usize; 3]>>);

    impl Backend for Noting {
        fn name(&self) -> String {
            "noting".to_owned()
        }

        fn matmul(&self, a: Matrix<'_>, b: Matrix<'_>, out: &mut [f32]) -> bool {
            self.0.lock().unwrap().push([a.rows, a.columns, b.columns]);
            for (place, sum) in out.iter_mut().enumerate() {
                let (i, j) = (place / b.columns, place % b.columns);
                *sum += (0..a.columns).map(|k| a.at(i, k) * b.at(k, j)).sum::<f32>();
            }
            true
        }
    }

    struct Nothing;

    impl Backend for Nothing {
        fn name(&self) -> String {
            "nothing".to_owned()
        }
    }

    fn numbers(shape: &[usize]) -> Tensor {
        Tensor::new(&(0..count(shape)).map(|i| (i % 7) as f32 - 3.0).collect::<Vec<_>>(), shape)
    }

    #[test]
    fn every_kind_of_product_equals_the_plain_one() {
        let noting = Arc::new(Noting::default());
        let matrix = numbers(&[4, 3]);
        for (a, b, products) in [
            (numbers(&[2, 3]), numbers(&[3, 4]), vec![[2, 3, 4]]),
            (numbers(&[2, 3]), matrix.t(), vec![[2, 3, 4]]),
            (matrix.t(), numbers(&[4, 2]), vec![[3, 4, 2]]),
            (numbers(&[5, 2, 3]), numbers(&[3, 4]), vec![[10, 3, 4]]),
            (numbers(&[5, 2, 3]), numbers(&[1, 3, 4]), vec![[10, 3, 4]]),
            (numbers(&[2, 3]), numbers(&[2, 3, 4]), vec![[2, 3, 4]; 2]),
            (numbers(&[2, 1, 2, 3]), numbers(&[3, 3, 4]), vec![[2, 3, 4]; 6]),
            (numbers(&[2, 4, 3]).transpose(0, 1), numbers(&[3, 2]), vec![[2, 3, 2]; 4]),
            (numbers(&[4, 6]).slice(&[1..3, 2..5]), numbers(&[3, 2]), vec![[2, 3, 2]]),
            (numbers(&[3]), numbers(&[3, 2]), vec![[1, 3, 2]]),
            (numbers(&[2, 0]), numbers(&[0, 2]), vec![]),
            (numbers(&[0, 3]), numbers(&[3, 2]), vec![]),
        ] {
            let wanted = a.matmul(&b);
            let yours = with_backend(noting.clone(), || a.matmul(&b));
            let shapes = (a.shape(), b.shape());
            assert_eq!(yours.shape(), wanted.shape(), "{shapes:?}");
            assert_eq!(yours.to_vec(), wanted.to_vec(), "{shapes:?}");
            assert_eq!(std::mem::take(&mut *noting.0.lock().unwrap()), products, "{shapes:?}");
        }
    }

    #[test]
    fn what_is_not_offered_runs_on_the_plain_loops() {
        let (a, b) = (numbers(&[2, 3]), numbers(&[3, 2]));
        let (product, exp) = with_backend(Arc::new(Nothing), || (a.matmul(&b), a.exp()));
        assert_eq!(product.to_vec(), a.matmul(&b).to_vec());
        assert_eq!(exp.to_vec(), a.exp().to_vec());
    }

    #[test]
    fn the_backend_before_is_restored_even_after_a_panic() {
        let name = || current().map(|backend| backend.name());
        assert_eq!(name(), None);
        with_backend(Arc::new(Nothing), || {
            let inner = || with_backend(Arc::new(Noting::default()), || panic!("on purpose"));
            assert!(std::panic::catch_unwind(inner).is_err());
            assert_eq!(name(), Some("nothing".to_owned()));
        });
        assert_eq!(name(), None);
    }

    #[test]
    fn another_thread_has_a_backend_only_if_it_is_given_one() {
        with_backend(Arc::new(Nothing), || {
            let backend = current();
            let name = || current().map(|backend| backend.name());
            std::thread::scope(|scope| {
                let started = scope
                    .spawn(move || (name(), backend.map(|backend| with_backend(backend, name))));
                assert_eq!(started.join().unwrap(), (None, Some(Some("nothing".to_owned()))));
            });
        });
    }
}
