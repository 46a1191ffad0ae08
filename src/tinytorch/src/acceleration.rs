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

// %% nbgrader={"grade": false, "grade_id": "acceleration-header", "locked": true, "schema_version": 3, "solution": false, "task": false}
//! 18 Acceleration: kernels that use the caches, the vector instructions and the cores of this CPU, and a backend that
//! chooses among them. Input: matrices and rows of `f32`. Output: the numbers that the plain loops give, up to rounding.
//! Depends on 01 and 09; `tinytorch::backend` is the hook, `tinytorch::simd` compiles a kernel for each set of
//! instructions. By hand: one tile of 2x2 sums takes 4 products from 2 + 2 numbers. Not here: other number formats (16).

use std::array;
use std::cell::RefCell;
use std::ops::Range;
use std::sync::Arc;
use tinytorch::attention::masked_softmax;
use tinytorch::autograd::{Backward, no_grad, track};
use tinytorch::backend::{Backend, Kernels, Matrix, Norm, with_backend};
use tinytorch::baselines::MATRIX_PRODUCTS;
use tinytorch::embeddings::ids_tensor;
use tinytorch::insights::acceleration::{
    CONVOLUTIONS, ENGINE, KERNELS, LADDER, TAKEN_OUT, WHOLE, ladder_insight, pairs_insight,
    sizes_insight, steps_insight,
};
use tinytorch::layers::Layer;
use tinytorch::losses::{CrossEntropyLoss, Loss};
use tinytorch::planes::{Grid, LargestPixels};
use tinytorch::powers::{logistic, normal_cdf, scale_by_power, split_at_ln2};
use tinytorch::profiling::probe_machine;
use tinytorch::random::Rng;
use tinytorch::report::{Reporter, Target, Value};
use tinytorch::row_products::RowByRow;
use tinytorch::simd::{Kernel, Simd, aligned, halve, multiply_add, row_kernel, touch};
use tinytorch::spatial::{Conv2d, cnn_for_digits, convolve_naive, grid_of, pad, unfold_row};
use tinytorch::tensor::{Elementwise, Tensor, larger, matmul_2d};
use tinytorch::testing::{
    Comparison, Timing, Writes, climb, compare, compare_writing, memory, numbers,
};
use tinytorch::threads::{cores, in_parallel};
use tinytorch::transformers::{Gpt, GptConfig, LayerNorm};
use tinytorch::unpacked::{
    LAST_ROWS, add_rows, first_pixels, in_whole_tiles, lines_of_image, multiply_rows, tile_of_lines,
};

// %% [markdown] nbgrader={"grade": false, "grade_id": "acceleration-intro", "locked": true, "schema_version": 3, "solution": false, "task": false}
// # 🎯 Acceleration
//
// You build a matrix product in steps, each a reason for its speed: blocks for the caches, packed strips, a tile of sums in
// registers, threads. Then convolution and the element-wise kernels, and the backend that chooses.

// %% nbgrader={"grade": false, "grade_id": "acceleration-blocked", "locked": false, "schema_version": 3, "solution": true, "task": false}
/// Adds the product of `a` (m, k) and `b` (k, n) to `out` (m, n), all row-major: part by part of `b`, so that each part is
/// still in the cache when the next row of `a` needs it.
///
/// TODO: cut `b` into parts of at most `block` rows and `block` columns, and multiply with one part after the other.
///
/// APPROACH:
/// 1. Two loops with `step_by(block)`: the first row of a part, k0, and its first column, j0. The last part may be smaller.
/// 2. For every row i of `a`: the numbers k0 to k1 of that row, each times its row of the part, added to the columns j0 to
///    j1 of row i of `out`. These are the loops of `matmul_2d`, on parts of rows.
///
/// EXAMPLE: with `block` 2, a (3, 3) matrix `b` has four parts, of 2x2, 2x1, 1x2 and 1x1 numbers.
///
/// HINTS: the test sees the numbers; whether blocks pay, the analysis measures. The last part ends where the matrix does: `min`. Row r of a matrix of n columns begins at `r * n`.
pub fn matmul_blocked(a: &[f32], b: &[f32], [k, n]: [usize; 2], block: usize, out: &mut [f32]) {
    if k == 0 || n == 0 {
        return;
    }
    // BEGIN SOLUTION
    for k0 in (0..k).step_by(block) {
        let k1 = (k0 + block).min(k);
        for j0 in (0..n).step_by(block) {
            let j1 = (j0 + block).min(n);
            for (a_row, out_row) in a.chunks_exact(k).zip(out.chunks_exact_mut(n)) {
                for (x, b_row) in a_row[k0..k1].iter().zip(b[k0 * n..].chunks_exact(n)) {
                    for (sum, y) in out_row[j0..j1].iter_mut().zip(&b_row[j0..j1]) {
                        *sum += x * y;
                    }
                }
            }
        }
    }
    // END SOLUTION
}

// %% nbgrader={"grade": true, "grade_id": "test-acceleration-blocked", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
/// 🔬 Every block size gives the plain product, on top of what is there; a `NaN` does not vanish.
#[test]
fn test_unit_matmul_blocked() {
    use tinytorch::testing::{expect_call_close, expect_eq};

    for [m, k, n] in [[1, 1, 1], [3, 3, 3], [2, 5, 4], [4, 7, 9], [0, 2, 2], [2, 0, 2]] {
        let (a, b) = (numbers(m * k), numbers(k * n));
        let mut wanted = vec![1.0; m * n];
        matmul_2d(&a, &b, k, n, &mut wanted);
        for block in [1, 2, 4, 16] {
            let product = || {
                let mut out = vec![1.0; m * n];
                matmul_blocked(&a, &b, [k, n], block, &mut out);
                out
            };
            let input = format!("({m}, {k}) x ({k}, {n}) in blocks of {block}, on an `out` of 1");
            let idea = "each part of b meets its own columns of a and of out; what is in out stays";
            expect_call_close(input, product, &wanted, 1e-5, idea);
        }
    }
    let mut out = [0.0];
    matmul_blocked(&[0.0], &[f32::NAN], [1, 1], 4, &mut out);
    expect_eq("0 x NaN: is it NaN", out[0].is_nan(), true, "no product is left out");
}

// %% nbgrader={"grade": false, "grade_id": "acceleration-pack", "locked": false, "schema_version": 3, "solution": true, "task": false}
/// Copies a part of a matrix into a *strip*: one array of `WIDTH` neighbours for each of its rows, in the order in which the
/// tile reads them. Where the part has fewer columns, the rest of each array is 0.
///
/// TODO: fill the strip, in the way that suits how the part lies in memory.
///
/// APPROACH: column j of row k of `part` goes to `strip[k][j]`. The part has at most `WIDTH` columns.
/// 1. Where the elements of a row are neighbours (`across` is 1), copy each row: as an array if it fills the line
///    (`first_chunk`), else as a slice into a line of zeros.
/// 2. Where those of a column are (`down` is 1: a transposed matrix), make an array of `WIDTH` columns as slices, of
///    [`ZEROS`] behind the last one. Then line k is number k of each.
/// 3. Anything else: number by number, with `part.at(k, j)`.
///
/// EXAMPLE: the rows `1 2 3 | 4 5 6` in a strip of width 4 are `[1, 2, 3, 0]` and `[4, 5, 6, 0]`.
///
/// HINTS: `part.row(k)` is a row as a slice, `part.t().row(j)` a column. `array::from_fn` makes an array.
#[inline(always)]
pub fn pack<const WIDTH: usize>(part: Matrix<'_>, strip: &mut [[f32; WIDTH]]) {
    // BEGIN SOLUTION
    if part.across == 1 {
        for (k, line) in strip.iter_mut().enumerate() {
            match part.row(k).first_chunk() {
                Some(row) => *line = *row,
                None => {
                    *line = [0.0; WIDTH];
                    line[..part.columns].copy_from_slice(part.row(k));
                }
            }
        }
    } else if part.down == 1 && part.rows <= DEPTH {
        let zeros = &ZEROS[..part.rows];
        let columns: [&[f32]; WIDTH] =
            array::from_fn(|j| if j < part.columns { part.t().row(j) } else { zeros });
        for (k, line) in strip.iter_mut().enumerate() {
            for j in 0..WIDTH {
                line[j] = columns[j][k];
            }
        }
    } else {
        for (k, line) in strip.iter_mut().enumerate() {
            *line = array::from_fn(|j| if j < part.columns { part.at(k, j) } else { 0.0 });
        }
    }
    // END SOLUTION
}

// %% nbgrader={"grade": true, "grade_id": "test-acceleration-pack", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
/// 🔬 Whole, narrow, transposed and inner parts of a matrix.
#[test]
fn test_unit_pack() {
    use tinytorch::testing::{expect_call, expect_eq};

    let elements = numbers(30);
    let matrix = Matrix::new(&elements, 5, 6);
    for (name, part) in [
        ("4 whole columns", matrix.part(0..5, 1..5)),
        ("3 columns", matrix.part(1..3, 0..3)),
        ("4 columns of the transposed matrix", matrix.t().part(0..6, 0..4)),
        ("1 column of the transposed matrix", matrix.t().part(2..4, 4..5)),
    ] {
        let packed = || {
            let mut strip = vec![[9.0; 4]; part.rows];
            pack(part, &mut strip);
            strip
        };
        let row = |k| array::from_fn(|j| if j < part.columns { part.at(k, j) } else { 0.0 });
        let wanted: Vec<[f32; 4]> = (0..part.rows).map(row).collect();
        let idea = "a line of the strip is a row of the part, with zeros behind its last column";
        expect_call(name, packed, wanted, idea);
    }
    let mut empty: [[f32; 4]; 0] = [];
    pack(matrix.part(0..0, 0..4), &mut empty);
    expect_eq("no rows", empty.len(), 0, "nothing to do");
}

// %% nbgrader={"grade": false, "grade_id": "acceleration-tile", "locked": false, "schema_version": 3, "solution": true, "task": false}
/// `ROWS` x `COLUMNS` sums of products, which stay in registers all the way: the innermost loop of the fast product, the
/// *micro-kernel*. `a` is a strip of `ROWS` numbers for each k, `b` one of `COLUMNS` numbers.
///
/// TODO: for each pair of lines, add the product of every number of one with every number of the other to its sum.
///
/// APPROACH: one loop over both strips together; in it two loops over the indices r and c of `sums`, with `multiply_add`.
///
/// EXAMPLE: the lines `[1, 2]` and `[10, 20]` add `[[10, 20], [20, 40]]`.
///
/// HINTS: `FUSED` says whether the CPU has one instruction for a product and a sum (below). Use indices, `for r in 0..ROWS`:
/// their bounds are known to the compiler, so it writes out all sums and keeps each
/// `[f32; 16]` of them in one register. `multiply_add::<FUSED>(a, b, c)` is a * b + c.
#[inline(always)]
#[must_use]
pub fn tile<const ROWS: usize, const COLUMNS: usize, const FUSED: bool>(
    a: &[[f32; ROWS]],
    b: &[[f32; COLUMNS]],
) -> [[f32; COLUMNS]; ROWS] {
    let mut sums = [[0.0; COLUMNS]; ROWS];
    // BEGIN SOLUTION
    for (a, b) in a.iter().zip(b) {
        for r in 0..ROWS {
            for c in 0..COLUMNS {
                sums[r][c] = multiply_add::<FUSED>(a[r], b[c], sums[r][c]);
            }
        }
    }
    sums
    // END SOLUTION
}

// %% nbgrader={"grade": true, "grade_id": "test-acceleration-tile", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
/// 🔬 By hand, and a longer sum, with and without the fused instruction.
#[test]
fn test_unit_tile() {
    use tinytorch::testing::expect_eq;

    let idea =
        "every number of a line of a times every number of the line of b, summed over the lines";
    let one = tile::<2, 3, false>(&[[1.0, 2.0]], &[[10.0, 20.0, 30.0]]);
    expect_eq("[1, 2] and [10, 20, 30]", one, [[10.0, 20.0, 30.0], [20.0, 40.0, 60.0]], idea);
    let (a, b) = ([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]], [[1.0], [10.0], [100.0]]);
    let wanted = [[531.0], [642.0]];
    expect_eq("three lines", tile::<2, 1, false>(&a, &b), wanted, idea);
    expect_eq("three lines, fused", tile::<2, 1, true>(&a, &b), wanted, idea);
    let c = 1.0 + 1.0 / 4096.0;
    let once = tile::<1, 1, true>(&[[-1.0], [c]], &[[1.0], [c]]);
    let idea = "`multiply_add::<FUSED>` rounds a product and its sum once";
    expect_eq("c * c - 1, c = 1 + 2^-12, fused", once, [[c * c - 1.0 + 1.0 / 16_777_216.0]], idea);
    expect_eq("no lines", tile::<2, 1, true>(&[], &[]), [[0.0]; 2], "the sum of nothing is 0");
}

// %% nbgrader={"grade": false, "grade_id": "acceleration-add-tile", "locked": false, "schema_version": 3, "solution": true, "task": false}
/// Adds the part of a tile that belongs to the result, `rows` x `columns` sums, to `out`, whose rows begin `n` numbers apart.
///
/// TODO: add row by row. A tile at the edge of the matrix has more sums than the result has places.
///
/// APPROACH: walk over the rows of the sums together with the rows of `out`, no more than `rows` of them; in each, over the
/// first `columns` places.
///
/// EXAMPLE: of 2x2 sums with `rows` 1 and `columns` 2, the first row is added and the second left out.
///
/// HINTS: `chunks_mut(n)` cuts `out` into rows, of which the last may be shorter; `take(rows)`, then zip.
#[inline(always)]
pub fn add_tile<const ROWS: usize, const COLUMNS: usize>(
    sums: &[[f32; COLUMNS]; ROWS],
    [rows, columns]: [usize; 2],
    n: usize,
    out: &mut [f32],
) {
    // BEGIN SOLUTION
    for (row, out) in sums.iter().zip(out.chunks_mut(n)).take(rows) {
        for (sum, out) in row.iter().zip(&mut out[..columns]) {
            *out += sum;
        }
    }
    // END SOLUTION
}

// %% nbgrader={"grade": true, "grade_id": "test-acceleration-add-tile", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
/// 🔬 A whole tile, one at the right edge and one at the lower edge, on top of what is there.
#[test]
fn test_unit_add_tile() {
    use tinytorch::testing::expect_written;

    let sums = [[1.0, 2.0], [3.0, 4.0]];
    let idea = "sum (r, c) is added to place c of row r of out; sums beyond the edge are left out";
    for (size, wanted) in [
        ([2, 2], &[101.0, 102.0, 100.0, 103.0, 104.0][..]),
        ([2, 1], &[101.0, 100.0, 100.0, 103.0]),
        ([1, 2], &[101.0, 102.0, 100.0, 100.0, 100.0]),
    ] {
        let input = format!("{size:?} of the sums {sums:?}, rows 3 apart");
        expect_written(input, 100.0, |out| add_tile(&sums, size, 3, out), wanted, idea);
    }
}

// %% nbgrader={"grade": false, "grade_id": "acceleration-packed", "locked": false, "schema_version": 3, "solution": true, "task": false}
/// Adds the product of two matrices to `out`: packed strips, multiplied tile by tile.
///
/// TODO: write the two inner loops: rows of tiles, and the tiles of a row.
///
/// APPROACH: `ks` are the columns of `a`, and rows of `b`, of this block; `js` are the columns of `b` and of `out`; a row of
/// `out` has `n` numbers. `b_strips`, given, are the strips of the block: a line for each of `ks`, `COLUMNS` columns each.
/// 1. For every `ROWS` rows of `a`, from i on (fewer at the end), pack the part of `a` with these rows and the columns
///    `ks` into `a_strip`: transposed, so that a line of the strip has one number of each row.
/// 2. For every strip of `b`, compute a [`tile`] and add it with [`add_tile`] to `out`, at row i, column j. Before that,
///    `touch`, given, asks for these places, so that they are on their way from memory in the meantime.
///
/// EXAMPLE: (5, 7) x (7, 9) in tiles of 4 x 8: four tiles, of which one has 4 x 8 sums that count and one only 1 x 1.
///
/// HINTS: `part` cuts a matrix, `t` swaps its axes. Strip number s begins at column `js.start + s * COLUMNS`.
#[inline(always)]
pub fn multiply_block<const ROWS: usize, const COLUMNS: usize, const FUSED: bool>(
    a: Matrix<'_>,
    b_strips: &[[f32; COLUMNS]],
    [ks, js]: [Range<usize>; 2],
    a_strip: &mut [[f32; ROWS]],
    n: usize,
    out: &mut [f32],
) {
    // BEGIN SOLUTION
    for i in (0..a.rows).step_by(ROWS) {
        let rows = ROWS.min(a.rows - i);
        pack(a.part(i..i + rows, ks.clone()).t(), a_strip);
        for (strip, j) in b_strips.chunks_exact(ks.len()).zip(js.clone().step_by(COLUMNS)) {
            let columns = COLUMNS.min(js.end - j);
            let out = &mut out[i * n + j..];
            touch(rows, columns, n, out);
            add_tile(&tile::<ROWS, COLUMNS, FUSED>(a_strip, strip), [rows, columns], n, out);
        }
    }
    // END SOLUTION
}

// %% nbgrader={"grade": true, "grade_id": "test-acceleration-packed", "locked": true, "points": 10, "schema_version": 3, "solution": false, "task": false}
/// 🔬 Products of many shapes with all instructions of this CPU, whole and transposed, and a `NaN`.
#[test]
fn test_unit_matmul_packed() {
    use tinytorch::testing::{expect_call_close, expect_eq};

    let idea = "a tile for every strip of rows and every strip of columns, added at its place; at the edges fewer rows \
                and columns count";
    let (a, mut a_strip, mut out) = ([9.0, 1.0, 2.0, 9.0, 3.0, 4.0], [[0.0; 2]; 2], [0.0; 8]);
    let strips = [[5.0, 6.0], [7.0, 8.0]];
    let a = Matrix::new(&a, 2, 3);
    multiply_block::<2, 2, false>(a, &strips, [1..3, 2..4], &mut a_strip, 4, &mut out);
    expect_eq(
        "columns 1 and 2 of [[9, 1, 2], [9, 3, 4]] x [[5, 6], [7, 8]], to columns 2 and 3 of out",
        out,
        [0.0, 0.0, 19.0, 22.0, 0.0, 0.0, 43.0, 50.0],
        &format!("{idea}; strip number s begins at column js.start + s * COLUMNS of out"),
    );
    for simd in Simd::available() {
        for [m, k, n] in
            [[1, 1, 1], [4, 3, 8], [5, 7, 9], [13, 300, 33], [25, 2, 70], [3, 2, 1030], [2, 9, 1]]
        {
            let (a, b) = (numbers(m * k), numbers(k * n));
            let mut wanted = vec![1.0; m * n];
            matmul_2d(&a, &b, k, n, &mut wanted);
            let flipped = |x: &[f32], rows: usize, columns: usize| -> Vec<f32> {
                (0..x.len()).map(|place| x[place % rows * columns + place / rows]).collect()
            };
            let (a_flipped, b_flipped) = (flipped(&a, m, k), flipped(&b, k, n));
            let pairs = [
                ("", Matrix::new(&a, m, k), Matrix::new(&b, k, n)),
                (
                    ", both transposed",
                    Matrix::new(&a_flipped, k, m).t(),
                    Matrix::new(&b_flipped, n, k).t(),
                ),
            ];
            for (how, a, b) in pairs {
                let product = || {
                    let mut out = vec![1.0; m * n];
                    matmul_packed(simd, a, b, &mut out);
                    out
                };
                let input = format!("({m}, {k}) x ({k}, {n}){how}, {simd}, on an `out` of 1");
                expect_call_close(input, product, &wanted, 1e-3, idea);
            }
        }
        let mut out = [0.0];
        matmul_packed(simd, Matrix::new(&[0.0], 1, 1), Matrix::new(&[f32::NAN], 1, 1), &mut out);
        expect_eq("0 x NaN: is it NaN", out[0].is_nan(), true, "no product is left out");
    }
}

// %% nbgrader={"grade": false, "grade_id": "acceleration-threads", "locked": false, "schema_version": 3, "solution": true, "task": false}
/// Adds the product of two matrices to `out`, with several threads: each computes some of the rows.
///
/// TODO: cut the rows of `a` and of `out` into as many parts as there are threads, and multiply the parts in parallel.
///
/// APPROACH:
/// 1. A part has as many rows as a thread gets, rounded up: `div_ceil`.
/// 2. The parts are the pieces of `out.chunks_mut` of so many rows, each with its first row.
/// 3. [`in_parallel`] calls a closure for each part. Let it multiply these rows of `a` with `b` by [`matmul_one_thread`],
///    given: [`matmul_packed`], or for few columns a kernel without packing.
///
/// EXAMPLE: 5 rows and 2 threads: rows 0 to 2 and rows 3 to 4.
///
/// HINTS: `chunks_mut` gives parts that do not overlap, so no lock is needed. [`in_parallel`] waits for all parts. With
/// one thread, or none, call [`matmul_one_thread`] at once.
pub fn matmul_threaded(simd: Simd, threads: usize, a: Matrix<'_>, b: Matrix<'_>, out: &mut [f32]) {
    // BEGIN SOLUTION
    let rows = a.rows.div_ceil(threads.max(1));
    if rows == a.rows {
        return matmul_one_thread(simd, a, b, out);
    }
    let parts = out.chunks_mut(rows * b.columns).zip((0..a.rows).step_by(rows));
    in_parallel(parts, |(out, first)| {
        let part = a.part(first..a.rows.min(first + rows), 0..a.columns);
        matmul_one_thread(simd, part, b, out);
    });
    // END SOLUTION
}

// %% nbgrader={"grade": true, "grade_id": "test-acceleration-threads", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
/// 🔬 More and fewer threads than rows: the same product.
#[test]
fn test_unit_matmul_threaded() {
    use tinytorch::testing::expect_call_close;

    for (m, threads) in [(5, 2), (5, 1), (2, 3), (7, 7), (1, 4), (3, 0)] {
        let (a, b) = (numbers(m * 4), numbers(4 * 3));
        let mut wanted = vec![1.0; m * 3];
        matmul_2d(&a, &b, 4, 3, &mut wanted);
        let product = || {
            let mut out = vec![1.0; m * 3];
            let (a, b) = (Matrix::new(&a, m, 4), Matrix::new(&b, 4, 3));
            matmul_threaded(Simd::detect(), threads, a, b, &mut out);
            out
        };
        let idea = "each thread multiplies its own rows of a, and adds to the same rows of out";
        expect_call_close(format!("{m} rows, {threads} threads"), product, &wanted, 1e-5, idea);
    }
}

// %% nbgrader={"grade": false, "grade_id": "acceleration-fused", "locked": false, "schema_version": 3, "solution": true, "task": false}
/// A linear layer with its activation in one pass: `activation(x W + bias)`, for `x` (m, k) and `W` (k, n).
///
/// TODO: fuse the three steps, part by part of the rows.
///
/// APPROACH: for each [`FUSED_ROWS`] rows of the result (fewer at the end):
/// 1. Fill each row with the bias. The product is added to what is there, so the sum with the bias costs nothing.
/// 2. Add the product of these rows of `x` with `weight`.
/// 3. Replace each number by its activation while the rows are still in the cache.
///
/// EXAMPLE: `[1, 2] x [[1], [-2]]` with the bias 1 is -2, and after ReLU 0.
///
/// HINTS: `x.part(rows, 0..x.columns)`, [`matmul_packed`]; `bias.len()` is n. The test sees the numbers, not the parts: what
/// they are worth, `analyze_engine` measures.
pub fn linear_fused(
    simd: Simd,
    x: Matrix<'_>,
    weight: Matrix<'_>,
    bias: &[f32],
    activation: impl Fn(f32) -> f32,
) -> Vec<f32> {
    let mut result = vec![0.0; x.rows * bias.len()];
    // BEGIN SOLUTION
    let parts = result.chunks_mut((FUSED_ROWS * bias.len()).max(1));
    for (out, first) in parts.zip((0..x.rows).step_by(FUSED_ROWS)) {
        out.chunks_exact_mut(bias.len()).for_each(|row| row.copy_from_slice(bias));
        let rows = first..x.rows.min(first + FUSED_ROWS);
        matmul_packed(simd, x.part(rows, 0..x.columns), weight, out);
        out.iter_mut().for_each(|number| *number = activation(*number));
    }
    result
    // END SOLUTION
}

// %% nbgrader={"grade": true, "grade_id": "test-acceleration-fused", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
/// 🔬 By hand, and more rows than one part has.
#[test]
fn test_unit_linear_fused() {
    use tinytorch::testing::expect_call_close;

    let idea = "the bias first, the product of the same rows on top of it, the activation last, in every row";
    let (relu, weight) = (|x: f32| if x < 0.0 { 0.0 } else { x }, [1.0, -5.0, 2.0, 2.0]);
    for (rows, bias) in [(1, [-1.0, 3.0]), (1, [1.0, -6.0]), (150, [-4.0, 3.0])] {
        let x: Vec<f32> = (0..2 * rows).map(|place| (place % 7) as f32).collect();
        let mut wanted = bias.repeat(rows);
        matmul_2d(&x, &weight, 2, 2, &mut wanted);
        wanted.iter_mut().for_each(|number| *number = relu(*number));
        let layer = || {
            let (x, weight) = (Matrix::new(&x, rows, 2), Matrix::new(&weight, 2, 2));
            linear_fused(Simd::detect(), x, weight, &bias, relu)
        };
        let input = format!(
            "{rows} rows, [0, 1] first, x [[1, -5], [2, 2]] with the bias {bias:?} and ReLU"
        );
        expect_call_close(input, layer, &wanted, 1e-5, idea);
    }
}

// %% nbgrader={"grade": false, "grade_id": "acceleration-im2col", "locked": false, "schema_version": 3, "solution": true, "task": false}
/// A convolution as one matrix product: adds to `result`, which has one plane for each kernel. `image` is padded already
/// (lesson 09).
///
/// TODO: unfold the image into a matrix, then multiply.
///
/// APPROACH:
/// 1. Make a matrix with a row for each weight of a kernel and a column for each output position; [`unfold_row`] of
///    lesson 09 fills a row, for each of [`Grid::weights`].
/// 2. The kernels are a matrix too: a row for each kernel, a column for each weight. Multiply it with the unfolded one; the
///    product has a row for each kernel, which is its plane of the result.
///
/// EXAMPLE: 16 kernels of 8 x 3 x 3 on an image with 8 x 8 output positions: (16, 72) x (72, 64).
///
/// HINTS: `Matrix::new` makes a matrix of a slice. [`matmul_packed`] adds to `result`.
pub fn convolve_im2col(
    simd: Simd,
    grid: &Grid,
    image: &[f32],
    kernels: &[f32],
    result: &mut [f32],
) {
    let (positions, channels) = (grid.output.area(), image.len() / grid.padded.area());
    let weights = channels * grid.window.kernel.area();
    // BEGIN SOLUTION
    let mut unfolded = vec![0.0; weights * positions];
    let rows = unfolded.chunks_exact_mut(positions);
    for (row, (_, plane, position)) in rows.zip(grid.weights(image)) {
        unfold_row(grid, plane, position, row);
    }
    let kernels = Matrix::new(kernels, kernels.len() / weights, weights);
    matmul_packed(simd, kernels, Matrix::new(&unfolded, weights, positions), result);
    // END SOLUTION
}

// %% nbgrader={"grade": true, "grade_id": "test-acceleration-im2col", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
/// 🔬 The same numbers as the plain convolution, with channels, kernels, strides and a bias.
#[test]
fn test_unit_convolve_im2col() {
    use tinytorch::planes::Window;
    use tinytorch::spatial::{convolve_naive, grid_of};
    use tinytorch::testing::expect_written;

    for (channels, kernels, stride) in [(1, 1, (1, 1)), (2, 3, (1, 2)), (3, 5, (2, 1))] {
        let grid = grid_of((5, 6), Window::new((2, 3)).stride(stride)).unwrap();
        let (image, weights) = (numbers(channels * 30), numbers(kernels * channels * 6));
        let mut wanted = vec![0.5; kernels * grid.output.area()];
        convolve_naive(&grid, &image, &weights, &mut wanted);
        let input = format!("{channels} channels, {kernels} kernels of 2x3, stride {stride:?}");
        let idea = "a row for each weight of a kernel, a column for each output position; add to the result";
        let convolve = |result: &mut [f32]| {
            convolve_im2col(Simd::detect(), &grid, &image, &weights, result);
        };
        expect_written(input, 0.5, convolve, &wanted, idea);
    }
}

// %% nbgrader={"grade": false, "grade_id": "acceleration-exp", "locked": false, "schema_version": 3, "solution": true, "task": false}
/// e to the power of `x` without a branch and without a table, so that the compiler computes 16 at a time.
///
/// TODO: split `x` into a whole number of factors 2 and a rest, and sum a polynomial for the rest.
///
/// APPROACH: `whole`, given, is the whole number next to x / ln 2, and `rest` is x - whole ln 2, at most 0.35 away from 0.
/// 1. e^rest is 1 + rest + rest^2/2! + ... + rest^7/7!. Begin with the last coefficient, and for each one before it
///    multiply by `rest` and add: Horner's rule.
/// 2. e^x is that times 2^whole, which `scale_by_power` computes.
///
/// EXAMPLE: x = 1: 1 / ln 2 is 1.44, so whole is 1, rest 0.307; e^0.307 = 1.359, and 2^1 times that is 2.718.
///
/// HINTS: [`FACTORIALS`] has 1/7!, 1/6!, ..., 1/0!: a fold over it, or a loop.
#[inline(always)]
#[must_use]
pub fn fast_exp<const FUSED: bool>(x: f32) -> f32 {
    let (whole, rest) = split_at_ln2::<FUSED>(x);
    // BEGIN SOLUTION
    let mut sum = 0.0;
    for coefficient in FACTORIALS {
        sum = multiply_add::<FUSED>(sum, rest, coefficient);
    }
    scale_by_power(sum, whole)
    // END SOLUTION
}

// %% nbgrader={"grade": true, "grade_id": "test-acceleration-exp", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
/// 🔬 Known powers, both ends, what is no number, and 40,000 numbers against the standard library.
#[test]
fn test_unit_fast_exp() {
    use tinytorch::testing::{expect_close, expect_eq};

    let idea =
        "a polynomial in `rest`, with the coefficients from the last to the first, times 2^whole";
    for (x, wanted) in
        [(0.0, 1.0), (1.0, std::f32::consts::E), (-1.0, 0.367_879_45), (10.0, 22_026.465)]
    {
        expect_close(format!("e^{x}"), &[fast_exp::<false>(x)], &[wanted], 3e-7 * wanted, idea);
    }
    for (x, wanted) in [
        (f32::INFINITY, f32::INFINITY),
        (f32::NEG_INFINITY, 0.0),
        (-200.0, 0.0),
        (90.0, f32::INFINITY),
    ] {
        expect_eq(format!("e^{x}"), fast_exp::<true>(x), wanted, idea);
    }
    expect_eq("e^NaN: is it NaN", fast_exp::<true>(f32::NAN).is_nan(), true, "a NaN stays");
    for step in -20_000..20_000 {
        let x = step as f32 / 230.0;
        let (wanted, input) = (f64::from(x).exp() as f32, format!("e^{x}"));
        for yours in [fast_exp::<false>(x), fast_exp::<true>(x)] {
            expect_close(&input, &[yours], &[wanted], 4e-7 * wanted + 1e-44, idea);
        }
    }
}

// %% nbgrader={"grade": false, "grade_id": "acceleration-reduce", "locked": false, "schema_version": 3, "solution": true, "task": false}
/// One number of a whole row, with [`LANES`] partial results side by side: no step waits for the one before it, and the
/// compiler keeps them in vector registers.
///
/// TODO: fold the row in lanes, then join the lanes by halves.
///
/// APPROACH:
/// 1. Cut the row into pieces of `LANES` numbers. Element l of each piece goes to partial result l, by `f`. Each begins with
///    `start`, which must change nothing: 0 for a sum, `-inf` for a maximum.
/// 2. Fold the rest of the row, fewer than `LANES` numbers, one after the other, from `start` on.
/// 3. Join the partial results by halves, 32 to 16, to 8, 4, 2, 1: five steps. Then join the last one with the rest.
///
/// EXAMPLE: the sum of 70 ones with 32 lanes: each lane has 2, the rest 6; 32 times 2, and 6, are 70.
///
/// HINTS: `row.as_chunks::<LANES>()` gives the pieces and the rest. [`halve`], given, is one of the five steps.
#[inline(always)]
pub fn reduce_lanes(row: &[f32], start: f32, f: impl Fn(f32, f32) -> f32) -> f32 {
    // BEGIN SOLUTION
    let (pieces, rest) = row.as_chunks::<LANES>();
    let mut lanes = [start; LANES];
    for piece in pieces {
        for l in 0..LANES {
            lanes[l] = f(lanes[l], piece[l]);
        }
    }
    let rest = rest.iter().fold(start, |result, &x| f(result, x));
    let lanes: [f32; 8] = halve(halve::<LANES, 16>(lanes, &f), &f);
    let [first, second] = halve(halve::<8, 4>(lanes, &f), &f);
    f(rest, f(first, second))
    // END SOLUTION
}

// %% nbgrader={"grade": true, "grade_id": "test-acceleration-reduce", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
/// 🔬 Sums and maxima of rows of all lengths.
#[test]
fn test_unit_reduce_lanes() {
    use tinytorch::testing::expect_eq;

    let begins = "each number counts once: those in the lanes, and those of the rest; lanes begin with `start`, which changes \
                  nothing, and not with 0";
    let largest = reduce_lanes(&[-2.0; 64], f32::NEG_INFINITY, larger);
    expect_eq("the largest of 64 times -2", largest, -2.0, begins);
    let idea = "each number counts once: those in the lanes, and those of the rest";
    for length in [0, 1, 31, 32, 33, 64, 70, 100] {
        let row: Vec<f32> = (1..=length).map(|x| x as f32).collect();
        let input = if length == 0 { "an empty row".to_owned() } else { format!("1 to {length}") };
        let sum = (length * (length + 1) / 2) as f32;
        expect_eq(format!("the sum of {input}"), reduce_lanes(&row, 0.0, |x, y| x + y), sum, idea);
        let most = if length == 0 { f32::NEG_INFINITY } else { length as f32 };
        let largest = reduce_lanes(&row, f32::NEG_INFINITY, larger);
        expect_eq(format!("the largest of {input}"), largest, most, idea);
    }
    let chain = reduce_lanes(&[0.0; 320], 0.0, |x, y| x.max(y) + 1.0);
    let own = "each lane is a chain of its own: no step waits for those of other lanes";
    expect_eq("320 zeros: is the longest chain of steps below 60", chain < 60.0, true, own);
    let halves = "join the lanes by halves: five steps, not one for each lane";
    expect_eq("320 zeros: is the longest chain of steps below 20", chain < 20.0, true, halves);
    let largest = reduce_lanes(&[1.0, f32::NAN, 3.0], f32::NEG_INFINITY, larger);
    expect_eq("the largest of 1, NaN, 3: is it NaN", largest.is_nan(), true, "a NaN stays");
}

// %% nbgrader={"grade": false, "grade_id": "acceleration-softmax", "locked": false, "schema_version": 3, "solution": true, "task": false}
/// Turns a row of scores into probabilities, in place. A row that is `-inf` throughout becomes `hidden` throughout.
///
/// TODO: the largest score, the powers, their sum, the quotients: four loops that all run in vector registers.
///
/// APPROACH:
/// 1. The largest score with [`reduce_lanes`] and `larger`. If it is `-inf`, fill the row with `hidden` and return.
/// 2. Replace each score by `fast_exp` of its difference from the largest.
/// 3. Sum with [`reduce_lanes`], and multiply each power with 1 / sum: one division for the row.
///
/// EXAMPLE: `[1, 2, 3]` becomes `[0.0900, 0.2447, 0.6652]`.
///
/// HINTS: `reduce_lanes` takes the function that joins two numbers: `larger`, or a closure that adds.
#[inline(always)]
pub fn softmax_lanes<const FUSED: bool>(row: &mut [f32], hidden: f32) {
    // BEGIN SOLUTION
    let largest = reduce_lanes(row, f32::NEG_INFINITY, larger);
    if largest == f32::NEG_INFINITY {
        return row.fill(hidden);
    }
    for x in row.iter_mut() {
        *x = fast_exp::<FUSED>(*x - largest);
    }
    let factor = 1.0 / reduce_lanes(row, 0.0, |x, y| x + y);
    for x in row.iter_mut() {
        *x *= factor;
    }
    // END SOLUTION
}

// %% nbgrader={"grade": true, "grade_id": "test-acceleration-softmax", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
/// 🔬 Known probabilities, huge scores, a masked row and a `NaN`.
#[test]
fn test_unit_softmax_lanes() {
    use tinytorch::testing::{expect_close, expect_eq};

    let softmax = |row: &[f32], hidden| {
        let mut row = row.to_vec();
        softmax_lanes::<false>(&mut row, hidden);
        row
    };
    let wanted = [0.090_030_57, 0.244_728_48, 0.665_240_94];
    let idea = "e^(x - largest), divided by the sum of these powers";
    expect_close("[1, 2, 3]", &softmax(&[1.0, 2.0, 3.0], 0.0), &wanted, 1e-6, idea);
    expect_close("near 1000", &softmax(&[1000.0, 1001.0, 1002.0], 0.0), &wanted, 1e-6, idea);
    expect_close("70 equal scores", &softmax(&[3.0; 70], 0.0), &[1.0 / 70.0; 70], 1e-7, idea);
    let low = f32::NEG_INFINITY;
    expect_eq("[-inf, 0]", softmax(&[low, 0.0], 5.0), vec![0.0, 1.0], "e^-inf is 0");
    expect_eq("[-inf, -inf]", softmax(&[low; 2], 5.0), vec![5.0; 2], "nothing is seen: `hidden`");
    let broken = softmax(&[0.0, f32::NAN], 0.0);
    expect_eq("[0, NaN]: all NaN", broken.iter().all(|x| x.is_nan()), true, "a NaN stays");
}

// %% nbgrader={"grade": false, "grade_id": "acceleration-norm", "locked": false, "schema_version": 3, "solution": true, "task": false}
/// Normalises one row into `out` and returns the factor: 1 / the root of the mean square plus `eps`.
///
/// TODO: shift by the mean (if the norm is centred), then scale to mean square 1.
///
/// APPROACH:
/// 1. The mean is the sum, by [`reduce_lanes`], divided by the length; an RMS norm shifts by 0.
/// 2. Write the shifted row into `out`. The mean square is the sum of its squares divided by the length.
/// 3. Multiply `out` with the factor.
///
/// EXAMPLE: `[1, 3]` centred is `[-1, 1]`, of mean square 1.
///
/// HINTS: [`product_lanes`], given, is the sum of the products of two rows.
#[inline(always)]
pub fn normalize_lanes<const FUSED: bool>(
    row: &[f32],
    centred: bool,
    eps: f32,
    out: &mut [f32],
) -> f32 {
    // BEGIN SOLUTION
    let length = row.len() as f32;
    let shift = if centred { reduce_lanes(row, 0.0, |x, y| x + y) / length } else { 0.0 };
    for (out, x) in out.iter_mut().zip(row) {
        *out = x - shift;
    }
    let factor = 1.0 / (product_lanes::<FUSED>(out, out) / length + eps).sqrt();
    for out in out.iter_mut() {
        *out *= factor;
    }
    factor
    // END SOLUTION
}

// %% nbgrader={"grade": true, "grade_id": "test-acceleration-norm", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
/// 🔬 By hand, a longer row, and the norm without a mean.
#[test]
fn test_unit_normalize_lanes() {
    use tinytorch::testing::expect_close;

    let normalize = |row: &[f32], centred, eps| {
        let mut out = vec![9.0; row.len()];
        let factor = normalize_lanes::<false>(row, centred, eps, &mut out);
        out.push(factor);
        out
    };
    let idea =
        "minus the mean, times 1 / the root of the mean square plus eps; the factor is returned";
    expect_close(
        "[1, 5], centred",
        &normalize(&[1.0, 5.0], true, 0.0),
        &[-1.0, 1.0, 0.5],
        1e-6,
        idea,
    );
    expect_close(
        "[1, 5], eps 12",
        &normalize(&[1.0, 5.0], true, 12.0),
        &[-0.5, 0.5, 0.25],
        1e-6,
        idea,
    );
    let rms = "an RMS norm does not subtract the mean";
    expect_close("[1, 7], RMS", &normalize(&[1.0, 7.0], false, 0.0), &[0.2, 1.4, 0.2], 1e-6, rms);
    let long: Vec<f32> = (0..64).map(|x| if x < 32 { 1.0 } else { 3.0 }).collect();
    let wanted: Vec<f32> = long.iter().map(|x| x - 2.0).chain([1.0]).collect();
    expect_close("32 ones and 32 threes", &normalize(&long, true, 0.0), &wanted, 1e-6, idea);
}

// %% nbgrader={"grade": false, "grade_id": "acceleration-dispatch", "locked": false, "schema_version": 3, "solution": true, "task": false}
/// Which kernel multiplies (m, k) by (k, n).
///
/// TODO: choose by the number of rows and of multiplications.
///
/// APPROACH:
/// 1. Packing moves each number once; it pays when each is used several times. With a single row, or with fewer than
///    [`PACKED_FROM`] multiplications, the plain loops win.
/// 2. Handing a part to a waiting thread takes some microseconds. From [`THREADED_FROM`] multiplications on threads pay, if
///    there are several.
///
/// EXAMPLE: (2, 2) x (2, 2): plain. (64, 64) x (64, 64): packed. (512, 512) x (512, 512) on two threads: threaded.
///
/// HINTS: from the smallest products to the largest; m is the number of rows.
#[must_use]
pub fn choose_kernel([m, k, n]: [usize; 3], threads: usize) -> MatmulKernel {
    // BEGIN SOLUTION
    let products = m * k * n;
    if m == 1 || products < PACKED_FROM {
        MatmulKernel::Plain
    } else if products < THREADED_FROM || threads < 2 {
        MatmulKernel::Packed
    } else {
        MatmulKernel::Threaded
    }
    // END SOLUTION
}

// %% nbgrader={"grade": true, "grade_id": "test-acceleration-dispatch", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
/// 🔬 Small, middle and large products, with one thread and with two.
#[test]
fn test_unit_choose_kernel() {
    use MatmulKernel::{Packed, Plain, Threaded};
    use tinytorch::testing::expect_eq;

    for (shape, threads, wanted, idea) in [
        ([2, 2, 2], 2, Plain, "small products do not pay for packing"),
        ([1, 512, 512], 2, Plain, "a single row uses each number of b once: packing cannot pay"),
        ([64, 64, 64], 2, Packed, "between both limits: packed"),
        ([512, 512, 512], 2, Threaded, "large products pay for threads"),
        ([512, 512, 512], 1, Packed, "one thread cannot be divided"),
        ([2, PACKED_FROM / 4 - 1, 2], 2, Plain, "count m x k x n: fewer than PACKED_FROM"),
        ([2, PACKED_FROM / 4, 2], 2, Packed, "count m x k x n: PACKED_FROM are not fewer"),
        ([2, THREADED_FROM / 4 - 1, 2], 2, Packed, "from THREADED_FROM on, and not before"),
        ([2, THREADED_FROM / 4, 2], 2, Threaded, "from THREADED_FROM on: exactly as many too"),
    ] {
        let input = format!("{shape:?} on {threads} threads");
        expect_eq(input, choose_kernel(shape, threads), wanted, idea);
    }
}

// %% nbgrader={"grade": false, "grade_id": "acceleration-debug", "locked": false, "schema_version": 3, "solution": true, "task": false}
/// Adds `x` times a row of `b` to a row of `out`: the innermost loop of a product that is too small for packing.
///
/// TODO: find the fault in these lines, which a colleague wrote to save work, and write them correctly. Since then a
/// network whose weights became NaN keeps predicting, and no error says so.
///
/// ```text
/// if x != 0.0 {
///     for (sum, y) in out.iter_mut().zip(row) {
///         *sum += x * y;
///     }
/// }
/// ```
///
/// APPROACH:
/// 1. What is 0 times NaN, and 0 times infinity?
/// 2. Which work can be left out without changing any result?
///
/// EXAMPLE: x = 0 and the row `[1, NaN]` on top of `[5, 5]` give `[5, NaN]`.
///
/// HINTS: a test of a branch also costs time, and vector instructions have no use for it.
#[inline(always)]
pub fn add_row(x: f32, row: impl Iterator<Item = f32>, out: &mut [f32]) {
    // BEGIN SOLUTION
    for (sum, y) in out.iter_mut().zip(row) {
        *sum += x * y;
    }
    // END SOLUTION
}

// %% nbgrader={"grade": true, "grade_id": "test-acceleration-debug", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
/// 🔬 Numbers, zeros, NaN and infinity.
#[test]
fn test_unit_add_row() {
    use tinytorch::testing::expect_eq;

    let idea = "0 times NaN and 0 times infinity are NaN: no product may be left out";
    for (x, row, wanted) in [
        (2.0, [1.0, -3.0], "[7.0, -1.0]"),
        (0.0, [1.0, 2.0], "[5.0, 5.0]"),
        (0.0, [1.0, f32::NAN], "[5.0, NaN]"),
        (0.0, [f32::INFINITY, 1.0], "[NaN, 5.0]"),
        (f32::NAN, [1.0, 0.0], "[NaN, NaN]"),
    ] {
        let mut out = [5.0; 2];
        add_row(x, row.into_iter(), &mut out);
        expect_eq(
            format!("{x} times {row:?}, on top of [5, 5]"),
            format!("{out:?}"),
            wanted.to_owned(),
            idea,
        );
    }
}

// %% nbgrader={"grade": false, "grade_id": "acceleration-analyze-ladder", "locked": true, "schema_version": 3, "solution": false, "task": false}
/// 📊 Which steps make a matrix product fast?
///
/// Purpose: give each step its share, instead of all the credit to the last one. Measured: products of two 512 x 512
/// matrices, each step in turn with the one before it; then the packed kernel on one thread, in turn with itself after one
/// step alone was taken out. Key insight: the steps need each other: wide registers help little while the numbers for them
/// are late. Production context: BLAS libraries are built of the same steps, for each processor again.
pub fn analyze_ladder(out: &mut Reporter) {
    let (simd, portable, cores) = (Simd::detect(), Simd::available()[0], cores());
    let (a, b) = (numbers(N * N), numbers(N * N));
    let [left, right] = [&a, &b].map(|x| Matrix::new(x, N, N));
    let steps: [(&str, Writes); 6] = [
        (LADDER[0], &|out| MATRIX_PRODUCTS[0].1(&a, &b, N, N, out)),
        ("i-k-j loops", &|out| matmul_2d(&a, &b, N, N, out)),
        ("blocks of 128", &|out| matmul_blocked(&a, &b, [N, N], 128, out)),
        ("packed tiles, narrow registers", &|out| matmul_packed(portable, left, right, out)),
        ("packed tiles, widest registers", &|out| matmul_packed(simd, left, right, out)),
        (LADDER[1], &|out| matmul_threaded(simd, cores, left, right, out)),
    ];
    let beside = |slow, fast| compare_writing(N * N, slow, fast);
    let (climbed, whole) = (climb(N * N, &steps), beside(steps[0].1, steps[5].1));
    let kernel: Writes = &|out| matmul_packed(simd, left, right, out);
    let without: [Writes; 3] = [
        &|out| simd.run(Unpacked(Product { a: left, b: right, out })),
        &|out| simd.run(OneRow(Product { a: left, b: right, out })),
        &|out| matmul_packed(portable, left, right, out),
    ];
    let taken_out = without.map(|multiply| beside(multiply, kernel));

    let peak = probe_machine().peak_flops;
    let times = climbed.iter().map(|step| step.2.first).chain([climbed[4].2.second]);
    let row = |((name, _), time): (&(&str, Writes), Timing)| -> Vec<Value> {
        let rate = 2.0 * (N as f64).powi(3) / time.median;
        vec![(*name).into(), time.into(), rate.into(), (100.0 * rate / peak).into()]
    };
    let columns =
        [("product", ""), ("time", "s"), ("rate", "FLOP/s"), ("of the peak of one core", "%")];
    out.measured_table(
        "Six products of two 512 x 512 matrices",
        &columns,
        steps.iter().zip(times).map(row).collect(),
    );
    out.compared("Each step in turn with the one before it", &climbed);
    out.insight(steps_insight(&climbed));
    out.compared("The whole ladder", &[(LADDER[0], LADDER[1], whole)]);
    let pairs = TAKEN_OUT.into_iter().zip(taken_out).map(|(name, pair)| (name, WHOLE, pair));
    out.compared("One step taken out, on one thread", &pairs.collect::<Vec<_>>());
    out.aimed("matmul_speedup_512", whole.ratio.median, "x", Target::AtLeast(25.0));
    out.measured(
        "the kernel without a tile against the whole kernel",
        taken_out[1].ratio.median,
        "x",
    );
    out.insight(ladder_insight(&whole.ratio, taken_out.map(|pair| pair.ratio)));
}

// %% nbgrader={"grade": false, "grade_id": "acceleration-analyze-sizes", "locked": true, "schema_version": 3, "solution": false, "task": false}
/// 📊 From which size on does packing pay, and when do threads?
///
/// Purpose: see why a backend must choose. Measured: plain loops and packed tiles in turn, from 16 x 16 on; one thread and
/// one for each core in turn, up to 1,024 x 1,024. Key insight: each step has a price that a small product cannot pay.
/// Production context: a server that runs small models on many threads can be slower than on one.
pub fn analyze_sizes(out: &mut Reporter) {
    let (simd, cores) = (Simd::detect(), cores());
    // Small products are repeated, so that the clock sees at least some 100 microseconds.
    type Kernels<'a> = [&'a dyn Fn([Matrix<'_>; 2], &mut [f32]); 2];
    let timed = |n: usize, kernels: Kernels| {
        let (a, b) = (numbers(n * n), numbers(n * n));
        let many = |kernel: usize, out: &mut [f32]| {
            let factors = [&a, &b].map(|x| Matrix::new(x, n, n));
            (0..(1usize << 20).div_ceil(n * n * n)).for_each(|_| kernels[kernel](factors, out));
        };
        (n, compare_writing(n * n, &|out| many(0, out), &|out| many(1, out)))
    };
    let one: &dyn Fn([Matrix<'_>; 2], &mut [f32]) = &|[a, b], out| matmul_packed(simd, a, b, out);
    let packed = [16, 32, 64, 128, 256]
        .map(|n| timed(n, [&|[a, b], out| matmul_2d(a.elements, b.elements, n, n, out), one]));
    let threads = [64, 128, 256, 512, 1024]
        .map(|n| timed(n, [one, &|[a, b], out| matmul_threaded(simd, cores, a, b, out)]));
    let names = ["n", "plain loops", "packed tiles", "plain / packed"];
    out.compared_by_size(
        ["Plain loops and packed tiles", "Plain loops and packed tiles by size"],
        names,
        &packed,
    );
    let names = ["n", "one thread", "all cores", "one / all"];
    out.compared_by_size(
        ["One thread and all cores", "One thread and all cores by size"],
        names,
        &threads,
    );
    out.measured("cores", cores as f64, "");
    out.measured("one thread against all cores, n = 1024", threads[4].1.ratio.median, "x");
    let ratios = |timed: [(usize, Comparison); 5]| timed.map(|(n, pair)| (n, pair.ratio));
    out.insight(sizes_insight(&ratios(packed), &ratios(threads), cores));
}

// %% nbgrader={"grade": false, "grade_id": "acceleration-analyze-engine", "locked": true, "schema_version": 3, "solution": false, "task": false}
/// 📊 What do the other kernels gain, and what does the whole engine?
///
/// Purpose: see what is left of a fast kernel in a whole model. Measured: in turn, a fused layer, softmax, e^x and layer
/// norm beside their plain forms; a ladder of convolutions, and the memory of three; the CNN of lesson 09 and a training
/// step of a GPT, as they were and on the backend. Key insight: a model gains less than its best kernel, since the rest
/// stays as it was (lesson 14). Production context: frameworks dispatch every operation to a backend in this way.
pub fn analyze_engine(out: &mut Reporter) {
    let simd = Simd::detect();
    let (x, weight, bias) = (numbers(2048 * 64), numbers(64 * 1024), numbers(1024));
    let (x, weight) = (Matrix::new(&x, 2048, 64), Matrix::new(&weight, 64, 1024));
    let relu = |x: f32| if x < 0.0 { 0.0 } else { x };
    let three_passes = || {
        let mut result = vec![0.0; 2048 * 1024];
        matmul_packed(simd, x, weight, &mut result);
        for row in result.chunks_exact_mut(1024) {
            row.iter_mut().zip(&bias).for_each(|(number, bias)| *number += bias);
        }
        result.iter_mut().for_each(|number| *number = relu(*number));
        result
    };
    let fused = compare(9, three_passes, || linear_fused(simd, x, weight, &bias, relu));

    let rng = &mut Rng::seeded(1);
    let scores = Tensor::randn(&[256, 256], rng);
    let (conv, images) = (Conv2d::new(16, 32, 3, rng), Tensor::randn(&[4, 16, 32, 32], rng));
    let convolve = || no_grad(|| conv.forward(&images));
    let (kernels, pixels) = (conv.weight.to_vec(), images.to_vec());
    let grid = grid_of((32, 32), conv.window).expect("the window fits");
    let size = 4 * 32 * grid.output.area();
    let each = |convolve: &dyn Fn(&[f32], &mut [f32]), out: &mut [f32]| {
        let images = pixels.chunks_exact(16 * grid.padded.area());
        images.zip(out.chunks_exact_mut(size / 4)).for_each(|(image, out)| convolve(image, out));
    };
    let unfold = |simd: Simd, out: &mut [f32]| {
        each(&|image, out| convolve_im2col(simd, &grid, image, &kernels, out), out);
    };
    let one = || with_backend(Arc::new(OptimizedBackend::detect().with_threads(1)), convolve);
    let steps: [(&str, Writes); 6] = [
        (CONVOLUTIONS[0], &|out| {
            each(&|image, out| convolve_naive(&grid, image, &kernels, out), out);
        }),
        (CONVOLUTIONS[1], &|_| drop(convolve())),
        (CONVOLUTIONS[2], &|out| unfold(Simd::available()[0], out)),
        (CONVOLUTIONS[3], &|out| unfold(simd, out)),
        (CONVOLUTIONS[4], &|_| drop(one())),
        (CONVOLUTIONS[5], &|_| drop(on_backend(convolve))),
    ];
    let convolutions = climb(size, &steps);
    let norm = LayerNorm::new(256);
    let normalize = || norm.forward(&scores);
    let kernels = [
        fused,
        compare(21, || masked_softmax(&scores), || on_backend(|| masked_softmax(&scores))),
        compare(21, || scores.exp(), || on_backend(|| scores.exp())),
        compare(21, normalize, || on_backend(normalize)),
    ];

    let (cnn, digits) = (cnn_for_digits(rng), Tensor::randn(&[64, 1, 8, 8], rng));
    let read = || no_grad(|| cnn.forward(&digits));
    let config = GptConfig { vocab_size: 300, context: 32, dim: 64, layers: 2, heads: 4 };
    let mut gpt = Gpt::new(config, rng);
    track(gpt.parameters_mut());
    let tokens: Vec<u32> = (0..8 * 32).map(|i| i % 300).collect();
    let (ids, targets) = (ids_tensor(&tokens, &[8, 32]), ids_tensor(&tokens, &[8 * 32]));
    let step = || CrossEntropyLoss.forward(&Layer::forward(&gpt, &ids), &targets).backward();
    let engine = [compare(9, read, || on_backend(read)), compare(5, step, || on_backend(step))];

    let pairs = |names: &[[&'static str; 2]], timed: &[Comparison]| -> Vec<_> {
        names.iter().zip(timed).map(|(&[first, second], &pair)| (first, second, pair)).collect()
    };
    out.compared("Kernel by kernel", &pairs(&KERNELS, &kernels));
    out.insight(pairs_insight(KERNELS, kernels.map(|pair| pair.ratio)));
    out.compared("A convolution, each step in turn with the one before it", &convolutions);
    out.insight(steps_insight(&convolutions));
    let unfolded = || unfold(simd, &mut vec![0.0; size]);
    let peaks = [memory(convolve).1, memory(unfolded).1, memory(|| on_backend(convolve)).1];
    for (at, used) in [1, 3, 5].into_iter().zip(peaks).filter_map(|(at, used)| Some((at, used?))) {
        out.measured(format!("peak memory: {}", CONVOLUTIONS[at]), used.peak as f64, "B");
    }
    out.compared(
        "The same code on the engine's loops and on the backend",
        &pairs(&ENGINE, &engine),
    );
    out.measured("a GPT step on plain loops against the backend", engine[1].ratio.median, "x");
    out.insight(pairs_insight(ENGINE, engine.map(|pair| pair.ratio)));
}

// %% nbgrader={"grade": true, "grade_id": "test-acceleration-module", "locked": true, "points": 10, "schema_version": 3, "solution": false, "task": false}
/// 🧪 All together: products, functions, softmax and convolution of tensors run on the backend, and give the same numbers.
#[test]
fn test_module() {
    use std::sync::Arc;
    use tinytorch::activations::{Gelu, ReLU};
    use tinytorch::backend::with_backend;
    use tinytorch::layers::{Layer, Linear};
    use tinytorch::random::Rng;
    use tinytorch::spatial::Conv2d;
    use tinytorch::tensor::Tensor;
    use tinytorch::testing::expect_call_close;

    let rng = &mut Rng::seeded(1);
    let (linear, conv) = (Linear::new(20, 30, rng), Conv2d::new(2, 3, 3, rng));
    let (x, images) = (Tensor::randn(&[4, 5, 20], rng), Tensor::randn(&[2, 2, 6, 7], rng));
    let compute = || {
        let hidden = Gelu.forward(&linear.forward(&x));
        let scores = hidden.matmul(&hidden.t()).exp();
        [scores.to_vec(), ReLU.forward(&conv.forward(&images)).to_vec()].concat()
    };
    let wanted = compute();
    let fast = || with_backend(Arc::new(OptimizedBackend::detect()), compute);
    let largest = wanted.iter().copied().fold(1.0, larger);
    let idea = "the backend computes what the plain loops compute, up to rounding";
    expect_call_close("a small network", fast, &wanted, 1e-5 * largest, idea);
}

// %% nbgrader={"grade": false, "grade_id": "acceleration-given", "locked": true, "schema_version": 3, "solution": false, "task": false}
// What the kernels above use, and how they are called.

/// How many rows of `b` a block of strips has at most: a strip of them, and one of `a`, stay in the first cache.
pub const DEPTH: usize = 256;
/// A column of zeros, as long as a strip may be.
pub const ZEROS: [f32; DEPTH] = [0.0; DEPTH];
/// How many columns of `b` are packed at a time: what stays in the second cache.
const BLOCK_COLUMNS: usize = 1024;
/// How many rows [`linear_fused`] computes at a time.
pub const FUSED_ROWS: usize = 96;
/// How many partial results [`reduce_lanes`] has: two registers of the widest instructions.
pub const LANES: usize = 32;
/// Up to so many columns of `b`, the rows of `a` are not packed.
const FEW_COLUMNS: usize = 256;
/// From so many multiplications on, packing pays.
pub const PACKED_FROM: usize = 1 << 9;
/// From so many multiplications on, threads pay.
pub const THREADED_FROM: usize = 1 << 19;
/// 1/7!, 1/6!, ..., 1/0!: the coefficients of e^x, from the last to the first.
pub const FACTORIALS: [f32; 8] =
    [1.0 / 5040.0, 1.0 / 720.0, 1.0 / 120.0, 1.0 / 24.0, 1.0 / 6.0, 1.0 / 2.0, 1.0, 1.0];

/// The kernels for a matrix product, from the smallest products to the largest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MatmulKernel {
    /// Three loops.
    Plain,
    /// Packed strips and tiles of sums.
    Packed,
    /// The same in several threads.
    Threaded,
}

thread_local! {
    /// Room for the strips of `a` and of `b`: each thread keeps its own.
    static STRIPS: RefCell<[Vec<f32>; 2]> = const { RefCell::new([vec![], vec![]]) };
}

/// The product of two matrices as a kernel.
struct Product<'a, 'b> {
    a: Matrix<'a>,
    b: Matrix<'a>,
    out: &'b mut [f32],
}

impl Kernel for Product<'_, '_> {
    type Output = ();

    #[inline(always)]
    fn run<const ROWS: usize, const COLUMNS: usize, const FUSED: bool>(self) {
        let Self { a, b, out } = self;
        let (k, n) = (b.rows, b.columns);
        let mut strips = STRIPS.take();
        let [a_room, b_room] = &mut strips;
        let a_room = aligned(a_room, DEPTH * ROWS.max(LAST_ROWS));
        let b_room = aligned(b_room, DEPTH * BLOCK_COLUMNS);
        let whole = in_whole_tiles::<ROWS>(a.rows);
        let (most, last) = (a.part(0..whole, 0..k), a.part(whole..a.rows, 0..k));
        // Blocks of about the same depth: a last one of few rows would not pay for its packing.
        let depth = k.div_ceil(k.div_ceil(DEPTH).max(1)).max(1);
        for k0 in (0..k).step_by(depth) {
            let ks = k0..k.min(k0 + depth);
            for j0 in (0..n).step_by(BLOCK_COLUMNS) {
                let js = j0..n.min(j0 + BLOCK_COLUMNS);
                let lines = js.len().div_ceil(COLUMNS) * ks.len();
                let b_strips = &mut b_room.as_chunks_mut::<COLUMNS>().0[..lines];
                for (strip, j) in
                    b_strips.chunks_exact_mut(ks.len()).zip(js.clone().step_by(COLUMNS))
                {
                    pack(b.part(ks.clone(), j..js.end.min(j + COLUMNS)), strip);
                }
                let (parts, (out, last_out)) = ([ks.clone(), js], out.split_at_mut(whole * n));
                let a_strip = &mut a_room.as_chunks_mut().0[..ks.len()];
                multiply_block::<ROWS, COLUMNS, FUSED>(
                    most,
                    b_strips,
                    parts.clone(),
                    a_strip,
                    n,
                    out,
                );
                let a_strip = &mut a_room.as_chunks_mut().0[..ks.len()];
                multiply_block::<LAST_ROWS, COLUMNS, FUSED>(
                    last, b_strips, parts, a_strip, n, last_out,
                );
            }
        }
        STRIPS.set(strips);
    }
}

/// The side of the matrices of the first analysis.
const N: usize = 512;

/// Runs `work` on the backend of this module.
pub fn on_backend<T>(work: impl FnOnce() -> T) -> T {
    with_backend(Arc::new(OptimizedBackend::detect()), work)
}

/// The kernel that packs only `a`: the tile reads `b` where it is. The columns must be whole tiles.
struct Unpacked<'a, 'b>(Product<'a, 'b>);

impl Kernel for Unpacked<'_, '_> {
    type Output = ();

    #[inline(always)]
    fn run<const ROWS: usize, const COLUMNS: usize, const FUSED: bool>(self) {
        let Product { a, b, out } = self.0;
        let n = b.columns;
        let (lines, _) = b.elements.as_chunks::<COLUMNS>();
        let mut a_room = [[0.0; ROWS]; DEPTH];
        for k0 in (0..b.rows).step_by(DEPTH) {
            let ks = k0..b.rows.min(k0 + DEPTH);
            let a_strip = &mut a_room[..ks.len()];
            for i in (0..a.rows).step_by(ROWS) {
                let rows = ROWS.min(a.rows - i);
                pack(a.part(i..i + rows, ks.clone()).t(), a_strip);
                for j in (0..n).step_by(COLUMNS) {
                    let lines = lines[(ks.start * n + j) / COLUMNS..].iter().step_by(n / COLUMNS);
                    let sums = tile_of_lines::<ROWS, COLUMNS, FUSED>(a_strip, lines);
                    add_tile(&sums, [rows, COLUMNS], n, &mut out[i * n + j..]);
                }
            }
        }
    }
}

/// The kernel that packs only `b`, for products with few columns.
struct FewColumns<'a, 'b>(Product<'a, 'b>);

impl Kernel for FewColumns<'_, '_> {
    type Output = ();

    #[inline(always)]
    fn run<const ROWS: usize, const COLUMNS: usize, const FUSED: bool>(self) {
        let Product { a, b, out } = self.0;
        let mut strips = STRIPS.take();
        let strip = aligned(&mut strips[1], DEPTH * COLUMNS).as_chunks_mut().0;
        multiply_rows::<ROWS, COLUMNS, FUSED>([a, b], strip, pack, add_tile, out);
        STRIPS.set(strips);
    }
}

/// The kernel with a tile of one row: each number of `b` that is loaded is used once.
struct OneRow<'a, 'b>(Product<'a, 'b>);

impl Kernel for OneRow<'_, '_> {
    type Output = ();

    #[inline(always)]
    fn run<const ROWS: usize, const COLUMNS: usize, const FUSED: bool>(self) {
        self.0.run::<1, COLUMNS, FUSED>();
    }
}

/// Adds the product of two matrices to `out`, with [`multiply_block`] compiled for these instructions.
pub fn matmul_packed(simd: Simd, a: Matrix<'_>, b: Matrix<'_>, out: &mut [f32]) {
    simd.run(Product { a, b, out });
}

/// Adds the product of two matrices to `out`, on this thread: by [`matmul_packed`], or, where `b` has few columns, with the
/// rows of `a` read where they are.
pub fn matmul_one_thread(simd: Simd, a: Matrix<'_>, b: Matrix<'_>, out: &mut [f32]) {
    if a.across == 1 && b.columns <= FEW_COLUMNS {
        simd.run(FewColumns(Product { a, b, out }));
    } else {
        matmul_packed(simd, a, b, out);
    }
}

/// The sum of the products of two rows, in lanes.
#[inline(always)]
#[must_use]
pub fn product_lanes<const FUSED: bool>(a: &[f32], b: &[f32]) -> f32 {
    let ((a, a_rest), (b, b_rest)) = (a.as_chunks::<LANES>(), b.as_chunks::<LANES>());
    let mut lanes = [0.0; LANES];
    for (a, b) in a.iter().zip(b) {
        for l in 0..LANES {
            lanes[l] = multiply_add::<FUSED>(a[l], b[l], lanes[l]);
        }
    }
    let mut sum = reduce_lanes(&lanes, 0.0, |x, y| x + y);
    for (a, b) in a_rest.iter().zip(b_rest) {
        sum = multiply_add::<FUSED>(*a, *b, sum);
    }
    sum
}

/// A convolution of stride 1 without unfolding. The pixels under one weight, at neighbouring output positions, are neighbours
/// in the padded image: so the image itself, from the weight's first pixel on, is its row of the unfolded matrix. A row of
/// the image is longer than one of the output; what is computed beyond the output's last column is left out.
struct Direct<'a, 'b> {
    grid: &'a Grid,
    images: &'a [f32],
    kernels: Kernels<'a>,
    result: &'b mut [f32],
}

impl Kernel for Direct<'_, '_> {
    type Output = ();

    #[inline(always)]
    fn run<const ROWS: usize, const COLUMNS: usize, const FUSED: bool>(self) {
        /// Kernels that are computed together. Most layers have a multiple of 4.
        const TOGETHER: usize = 4;
        let Self { grid, images, kernels: Kernels { inputs, outputs, weights }, result } = self;
        let (width, area, columns) = (grid.padded.columns, grid.output.area(), grid.output.columns);
        let starts = first_pixels(grid, inputs);
        let kernels = Matrix::new(weights, outputs, starts.len());
        let mut strips = vec![[0.0; TOGETHER]; starts.len() * outputs.div_ceil(TOGETHER)];
        for (strip, first) in
            strips.chunks_exact_mut(starts.len()).zip((0..outputs).step_by(TOGETHER))
        {
            let last = outputs.min(first + TOGETHER);
            pack(kernels.part(first..last, 0..starts.len()).t(), strip);
        }
        let images = images.chunks_exact(inputs * grid.image.area());
        for (image, planes) in images.zip(result.chunks_exact_mut(outputs * area)) {
            let mut padded = pad(grid, image, 0.0);
            padded.resize(padded.len() + COLUMNS + width, 0.0); // The last tile reads beyond the image.
            for at in (0..grid.output.rows * width).step_by(COLUMNS) {
                let strips = strips.chunks_exact(starts.len());
                for (strip, planes) in strips.zip(planes.chunks_mut(TOGETHER * area)) {
                    let lines = lines_of_image(&padded[at..], &starts);
                    let sums = tile_of_lines::<TOGETHER, COLUMNS, FUSED>(strip, lines);
                    for (sums, plane) in sums.iter().zip(planes.chunks_exact_mut(area)) {
                        add_rows(sums, at, [width, columns], plane);
                    }
                }
            }
        }
    }
}

/// Results are appended in pieces of this size, without zeros first; short ones overlap computing with writing.
const PIECE: usize = 64;
/// The steepness of `QuickGelu`.
const STEEPNESS: f32 = 1.702;
/// The density of the standard normal distribution at 0: 1 / the root of 2 pi.
const NORMAL_PEAK: f32 = 0.398_942_3;

row_kernel!(Map { function: Elementwise, x: &'a [f32] } -> Option<Vec<f32>>, FUSED, {
    let (mut out, mut values) = (Vec::with_capacity(x.len()), [0.0; PIECE]);
    macro_rules! each {
        ($number:ident, $value:expr) => {
            for x in x.chunks(PIECE) {
                for (value, &$number) in values.iter_mut().zip(x) {
                    *value = $value;
                }
                out.extend_from_slice(&values[..x.len()]);
            }
        };
    }
    match function {
        Elementwise::Exp => each!(x, fast_exp::<FUSED>(x)),
        Elementwise::Sqrt => each!(x, x.sqrt()),
        Elementwise::ReLU => each!(x, if x < 0.0 { 0.0 } else { x }),
        Elementwise::Sigmoid => each!(x, logistic(x, fast_exp::<FUSED>)),
        Elementwise::Gelu => each!(x, x * normal_cdf::<FUSED>(x, fast_exp::<FUSED>(-0.5 * x * x))),
        Elementwise::QuickGelu => each!(x, x * logistic(STEEPNESS * x, fast_exp::<FUSED>)),
        Elementwise::Log | Elementwise::Tanh => return None,
    }
    Some(out)
});

row_kernel!(SoftmaxRows { rows: &'a mut [f32], width: usize, hidden: f32 } -> (), FUSED, {
    for row in rows.chunks_exact_mut(width) {
        softmax_lanes::<FUSED>(row, hidden);
    }
});

row_kernel!(LogSumExp { rows: &'a [f32], width: usize } -> Vec<f32>, FUSED, {
    let mut powers = vec![0.0; width];
    let mut sums = vec![0.0; rows.len() / width];
    for (row, sum) in rows.chunks_exact(width).zip(&mut sums) {
        let largest = reduce_lanes(row, f32::NEG_INFINITY, larger);
        for (power, x) in powers.iter_mut().zip(row) {
            *power = fast_exp::<FUSED>(x - largest);
        }
        *sum = largest + reduce_lanes(&powers, 0.0, |x, y| x + y).ln();
    }
    sums
});

row_kernel!(Probabilities { rows: &'a [f32], log_sums: &'a [f32], factor: f32 } -> Vec<f32>, FUSED, {
    let (mut all, mut line) = (Vec::with_capacity(rows.len()), vec![0.0; rows.len() / log_sums.len()]);
    for (row, log_sum) in rows.chunks_exact(line.len()).zip(log_sums) {
        for (out, x) in line.iter_mut().zip(row) {
            *out = factor * fast_exp::<FUSED>(x - log_sum);
        }
        all.extend_from_slice(&line);
    }
    all
});

row_kernel!(NormRows { norm: Norm<'a>, rows: &'a [f32] } -> Vec<f32>, FUSED, {
    let Norm { centred, eps, gamma, beta } = norm;
    let (mut all, mut line) = (Vec::with_capacity(rows.len()), vec![0.0; gamma.len()]);
    for row in rows.chunks_exact(gamma.len()) {
        normalize_lanes::<FUSED>(row, centred, eps, &mut line);
        for ((out, gamma), beta) in line.iter_mut().zip(gamma).zip(beta) {
            *out = multiply_add::<FUSED>(*out, *gamma, *beta);
        }
        all.extend_from_slice(&line);
    }
    all
});

row_kernel!(MapGradient { function: Elementwise, upstream: &'a [f32], x: &'a [f32], y: &'a [f32] } -> Option<Vec<f32>>, FUSED, {
    let (mut gradient, mut values) = (Vec::with_capacity(x.len()), [0.0; PIECE]);
    macro_rules! each {
        ($given:ident, $number:ident, $derivative:expr) => {
            for (upstream, given) in upstream.chunks(PIECE).zip($given.chunks(PIECE)) {
                for ((value, upstream), &$number) in values.iter_mut().zip(upstream).zip(given) {
                    *value = upstream * $derivative;
                }
                gradient.extend_from_slice(&values[..given.len()]);
            }
        };
    }
    match function {
        Elementwise::Exp => each!(y, y, y),
        Elementwise::Log => each!(x, x, 1.0 / x),
        Elementwise::Sqrt => each!(y, y, 0.5 / y),
        Elementwise::ReLU => each!(x, x, if x > 0.0 { 1.0 } else { 0.0 }),
        Elementwise::Sigmoid => each!(y, y, y * (1.0 - y)),
        Elementwise::Tanh => each!(y, y, 1.0 - y * y),
        Elementwise::Gelu => each!(x, x, {
            let power = fast_exp::<FUSED>(-0.5 * x * x);
            multiply_add::<FUSED>(x * NORMAL_PEAK, power, normal_cdf::<FUSED>(x, power))
        }),
        Elementwise::QuickGelu => each!(x, x, {
            let gate = logistic(STEEPNESS * x, fast_exp::<FUSED>);
            gate + STEEPNESS * x * gate * (1.0 - gate)
        }),
    }
    Some(gradient)
});

row_kernel!(SoftmaxGradients { weights: &'a [f32], width: usize, gradient: &'a mut [f32] } -> (), FUSED, {
    for (weights, gradient) in weights.chunks_exact(width).zip(gradient.chunks_exact_mut(width)) {
        let mean = product_lanes::<FUSED>(weights, gradient);
        for (gradient, weight) in gradient.iter_mut().zip(weights) {
            *gradient = weight * (*gradient - mean);
        }
    }
});

row_kernel!(NormGradients { norm: Norm<'a>, rows: &'a [f32], upstream: &'a [f32] } -> [Vec<f32>; 3], FUSED, {
    let width = norm.gamma.len();
    let [mut for_gamma, mut for_beta, mut normalized, mut scaled] = [(); 4].map(|()| vec![0.0; width]);
    let mut for_rows = vec![0.0; rows.len()];
    let pairs = rows.chunks_exact(width).zip(upstream.chunks_exact(width));
    for ((row, upstream), out) in pairs.zip(for_rows.chunks_exact_mut(width)) {
        let factor = normalize_lanes::<FUSED>(row, norm.centred, norm.eps, &mut normalized);
        let sums = for_gamma.iter_mut().zip(&mut for_beta).zip(&mut scaled);
        for ((sums, (&n, &g)), &gamma) in sums.zip(normalized.iter().zip(upstream)).zip(norm.gamma) {
            let ((for_gamma, for_beta), scaled) = sums;
            *for_gamma = multiply_add::<FUSED>(g, n, *for_gamma);
            *for_beta += g;
            *scaled = g * gamma;
        }
        let mean = |sum: f32| sum / width as f32;
        let shift = if norm.centred { mean(reduce_lanes(&scaled, 0.0, |x, y| x + y)) } else { 0.0 };
        let stretch = mean(product_lanes::<FUSED>(&scaled, &normalized));
        for ((out, g), n) in out.iter_mut().zip(&scaled).zip(&normalized) {
            *out = factor * (g - shift - stretch * n);
        }
    }
    [for_rows, for_gamma, for_beta]
});

/// The kernels of this module, for the instructions of this CPU: choose by shape, and let the whole engine run on them with
/// `tinytorch::backend::with_backend`.
#[derive(Debug, Clone, Copy)]
pub struct OptimizedBackend {
    simd: Simd,
    threads: usize,
}

impl OptimizedBackend {
    /// The widest instructions of this CPU, and as many threads as it has cores.
    #[must_use]
    pub fn detect() -> Self {
        Self { simd: Simd::detect(), threads: cores() }
    }

    /// Another number of threads.
    #[must_use]
    pub fn with_threads(self, threads: usize) -> Self {
        Self { threads, ..self }
    }

    /// Other instructions.
    #[must_use]
    pub fn with_simd(self, simd: Simd) -> Self {
        Self { simd, ..self }
    }
}

impl Backend for OptimizedBackend {
    fn name(&self) -> String {
        format!("{}, threads: {}", self.simd, self.threads)
    }

    fn threads(&self) -> usize {
        self.threads
    }

    fn matmul(&self, a: Matrix<'_>, b: Matrix<'_>, out: &mut [f32]) -> bool {
        // Slices that are few and long, or met once: packing would cost as much as the product.
        let is_by_rows = a.rows == 1 || a.rows * b.columns <= 4 * a.columns;
        if is_by_rows && a.across == 1 && b.down == 1 {
            self.simd.run(RowByRow { a, b, out });
            return true;
        }
        match choose_kernel([a.rows, a.columns, b.columns], self.threads) {
            MatmulKernel::Plain => self.simd.run(PlainLoops(Product { a, b, out })),
            MatmulKernel::Packed => matmul_one_thread(self.simd, a, b, out),
            MatmulKernel::Threaded => matmul_threaded(self.simd, self.threads, a, b, out),
        }
        true
    }

    fn map(&self, function: Elementwise, x: &[f32]) -> Option<Vec<f32>> {
        self.simd.run(Map { function, x })
    }

    fn map_gradient(
        &self,
        function: Elementwise,
        upstream: &[f32],
        x: &[f32],
        y: &[f32],
    ) -> Option<Vec<f32>> {
        self.simd.run(MapGradient { function, upstream, x, y })
    }

    fn softmax_gradient(&self, weights: &[f32], width: usize, gradient: &mut [f32]) -> bool {
        self.simd.run(SoftmaxGradients { weights, width, gradient });
        true
    }

    fn normalize_gradient(
        &self,
        norm: Norm<'_>,
        rows: &[f32],
        upstream: &[f32],
    ) -> Option<[Vec<f32>; 3]> {
        Some(self.simd.run(NormGradients { norm, rows, upstream }))
    }

    fn log_sum_exp(&self, rows: &[f32], width: usize) -> Option<Vec<f32>> {
        Some(self.simd.run(LogSumExp { rows, width }))
    }

    fn probabilities(&self, rows: &[f32], log_sums: &[f32], factor: f32) -> Vec<f32> {
        self.simd.run(Probabilities { rows, log_sums, factor })
    }

    fn softmax(&self, rows: &mut [f32], width: usize, hidden: f32) -> bool {
        self.simd.run(SoftmaxRows { rows, width, hidden });
        true
    }

    fn normalize(&self, norm: Norm<'_>, rows: &[f32]) -> Option<Vec<f32>> {
        Some(self.simd.run(NormRows { norm, rows }))
    }

    fn convolve(
        &self,
        grid: &Grid,
        images: &[f32],
        kernels: Kernels<'_>,
        result: &mut [f32],
    ) -> bool {
        let Kernels { inputs, outputs, weights } = kernels;
        if grid.window.stride == 1.into() {
            self.simd.run(Direct { grid, images, kernels, result });
            return true;
        }
        let size = grid.output.area() * outputs;
        let images = images.chunks_exact(inputs * grid.image.area());
        for (image, result) in images.zip(result.chunks_exact_mut(size)) {
            convolve_im2col(self.simd, grid, &pad(grid, image, 0.0), weights, result);
        }
        true
    }

    fn max_pool(&self, grid: &Grid, padded: &[f32]) -> Option<(Vec<f32>, Vec<usize>)> {
        Some(self.simd.run(LargestPixels { grid, padded }))
    }
}

/// Three loops over matrices that are read where they are.
struct PlainLoops<'a, 'b>(Product<'a, 'b>);

impl Kernel for PlainLoops<'_, '_> {
    type Output = ();

    #[inline(always)]
    fn run<const ROWS: usize, const COLUMNS: usize, const FUSED: bool>(self) {
        let Product { a, b, out } = self.0;
        for (i, out) in out.chunks_exact_mut(b.columns).enumerate() {
            for k in 0..a.columns {
                if b.across == 1 {
                    add_row(a.at(i, k), b.row(k).iter().copied(), out);
                } else {
                    add_row(a.at(i, k), (0..b.columns).map(|j| b.at(k, j)), out);
                }
            }
        }
    }
}

// %% nbgrader={"grade": false, "grade_id": "acceleration-main", "locked": true, "schema_version": 3, "solution": false, "task": false}
/// Runs the analyses and prints what they report.
pub fn main() {
    let out = &mut Reporter::stdout();
    analyze_ladder(out);
    analyze_sizes(out);
    analyze_engine(out);
}

// %% nbgrader={"grade": false, "grade_id": "acceleration-own", "locked": false, "schema_version": 3, "solution": false, "task": false}
// Yours: helper functions and tests of your own go here. The tutor runs each `#[test]` function of this cell and
// shows it as yours; it is never graded.
