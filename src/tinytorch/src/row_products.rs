//! A product of rows and columns that each lie in one piece: sums of products of two slices, which need no packing. It pays
//! where the slices are long and few, as in the gradient of a convolution's kernels, and for a single row. The other kernels
//! are in lesson 18.

use crate::backend::Matrix;
use crate::simd::{Kernel, multiply_add};
use std::array;
use std::hint::black_box;

/// Adds the product of `a`, whose rows are slices, and `b`, whose columns are slices, to `out`.
pub struct RowByRow<'a, 'b> {
    /// (m, k), with neighbours across.
    pub a: Matrix<'a>,
    /// (k, n), with neighbours down.
    pub b: Matrix<'a>,
    /// (m, n), row by row.
    pub out: &'b mut [f32],
}

impl Kernel for RowByRow<'_, '_> {
    type Output = ();

    #[inline(always)]
    fn run<const ROWS: usize, const COLUMNS: usize, const FUSED: bool>(self) {
        if self.a.rows == 1 {
            self.in_tiles::<1, 4, COLUMNS, FUSED>();
        } else {
            self.in_tiles::<2, 2, COLUMNS, FUSED>();
        }
    }
}

impl RowByRow<'_, '_> {
    /// Multiplies `R` rows of `a` with `C` columns of `b` at a time.
    #[inline(always)]
    fn in_tiles<const R: usize, const C: usize, const WIDTH: usize, const FUSED: bool>(self) {
        let Self { a, b, out } = self;
        let (b, n) = (b.t(), b.columns);
        for i in (0..a.rows).step_by(R) {
            // At an edge the last row takes part several times, and is added once.
            let rows = array::from_fn(|r| a.row((i + r).min(a.rows - 1)));
            for j in (0..n).step_by(C) {
                let columns = array::from_fn(|c| b.row((j + c).min(n - 1)));
                let sums = products::<R, C, WIDTH, FUSED>(rows, columns);
                for (sums, out) in sums.iter().zip(out[i * n..].chunks_mut(n)) {
                    out[j..].iter_mut().zip(sums).for_each(|(out, sum)| *out += sum);
                }
            }
        }
    }
}

/// The sums of the products of each of `R` rows with each of `C` others, with many partial sums side by side.
#[inline(always)]
fn products<const R: usize, const C: usize, const WIDTH: usize, const FUSED: bool>(
    a: [&[f32]; R],
    b: [&[f32]; C],
) -> [[f32; C]; R] {
    /// How many partial sums there are for the rest of a row, which is shorter than `WIDTH`.
    const NARROW: usize = 8;
    let (a, b) = (a.map(|row| row.as_chunks::<WIDTH>()), b.map(|row| row.as_chunks::<WIDTH>()));
    let mut lanes = [[[0.0; WIDTH]; C]; R];
    for k in 0..a[0].0.len() {
        let (x, y): ([_; R], [_; C]) =
            (array::from_fn(|r| &a[r].0[k]), array::from_fn(|c| &b[c].0[k]));
        for l in 0..WIDTH {
            for r in 0..R {
                for c in 0..C {
                    lanes[r][c][l] = multiply_add::<FUSED>(x[r][l], y[c][l], lanes[r][c][l]);
                }
            }
        }
    }
    // Read from memory: otherwise the compiler orders the lanes for their sum, in the loop before it too.
    let lanes = black_box(lanes);
    let (a, b) = (a.map(|(_, rest)| rest), b.map(|(_, rest)| rest));
    array::from_fn(|r| array::from_fn(|c| sum_of(&lanes[r][c]) + rest::<NARROW, FUSED>(a[r], b[c])))
}

/// The sum of the products of two short rows.
#[inline(always)]
fn rest<const WIDTH: usize, const FUSED: bool>(a: &[f32], b: &[f32]) -> f32 {
    let ((a, a_rest), (b, b_rest)) = (a.as_chunks::<WIDTH>(), b.as_chunks::<WIDTH>());
    let mut lanes = [0.0; WIDTH];
    for (a, b) in a.iter().zip(b) {
        for l in 0..WIDTH {
            lanes[l] = multiply_add::<FUSED>(a[l], b[l], lanes[l]);
        }
    }
    sum_of(&lanes) + a_rest.iter().zip(b_rest).map(|(a, b)| a * b).sum::<f32>()
}

/// The sum of the lanes, four at a time: one after the other, each addition would wait for the one before it.
#[inline(always)]
fn sum_of(lanes: &[f32]) -> f32 {
    let mut sums = [0.0; 4];
    for some in lanes.as_chunks::<4>().0 {
        for l in 0..4 {
            sums[l] += some[l];
        }
    }
    (sums[0] + sums[2]) + (sums[1] + sums[3])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simd::Simd;
    use crate::tensor::matmul_2d;
    use crate::testing::numbers;

    #[test]
    fn every_row_meets_every_column_once_on_top_of_what_is_there() {
        for [m, k, n] in
            [[1, 1, 1], [1, 64, 9], [1, 77, 4], [2, 33, 1], [3, 100, 5], [5, 7, 3], [4, 16, 8]]
        {
            let (a, b) = (numbers(m * k), numbers(k * n));
            let mut wanted = vec![0.5; m * n];
            matmul_2d(&a, &b, k, n, &mut wanted);
            let flipped: Vec<f32> = (0..k * n).map(|at| b[at % k * n + at / k]).collect();
            for simd in Simd::available() {
                let mut out = vec![0.5; m * n];
                let (a, b) = (Matrix::new(&a, m, k), Matrix::new(&flipped, n, k).t());
                simd.run(RowByRow { a, b, out: &mut out });
                for (yours, wanted) in out.iter().zip(&wanted) {
                    assert!((yours - wanted).abs() < 1e-4, "{simd} {m}x{k}x{n}: {yours} {wanted}");
                }
            }
        }
    }
}
