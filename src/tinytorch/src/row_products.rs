//! A product of rows and columns that each lie in one piece: sums of products of two slices, which need no packing. It pays
//! where the slices are long and few, as in the gradient of a convolution's kernels, and for a single row. The other kernels
//! are in lesson 18.

use crate::backend::Matrix;
use crate::simd::{Kernel, multiply_add};
use std::array;

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
        let Self { a, b, out } = self;
        let (b, n) = (b.t(), b.columns);
        // At an edge the last row takes part twice, and is added once.
        let pair = |x: Matrix<'_>, first: usize| [first, (first + 1).min(x.rows - 1)];
        for i in (0..a.rows).step_by(2) {
            for j in (0..n).step_by(2) {
                let ([i0, i1], [j0, j1]) = (pair(a, i), pair(b, j));
                let (rows, columns) = ([a.row(i0), a.row(i1)], [b.row(j0), b.row(j1)]);
                let sums = two_by_two::<COLUMNS, FUSED>(rows, columns);
                for (r, i) in (i0..=i1).enumerate() {
                    for (c, j) in (j0..=j1).enumerate() {
                        out[i * n + j] += sums[r][c];
                    }
                }
            }
        }
    }
}

/// The sums of the products of each of two rows with each of two others, with many partial sums side by side.
#[inline(always)]
fn two_by_two<const WIDTH: usize, const FUSED: bool>(
    a: [&[f32]; 2],
    b: [&[f32]; 2],
) -> [[f32; 2]; 2] {
    let [(a0, a_rest0), (a1, a_rest1)] = a.map(|row| row.as_chunks::<WIDTH>());
    let [(b0, b_rest0), (b1, b_rest1)] = b.map(|row| row.as_chunks::<WIDTH>());
    let mut lanes = [[[0.0; WIDTH]; 2]; 2];
    for ((a0, a1), (b0, b1)) in a0.iter().zip(a1).zip(b0.iter().zip(b1)) {
        for l in 0..WIDTH {
            lanes[0][0][l] = multiply_add::<FUSED>(a0[l], b0[l], lanes[0][0][l]);
            lanes[0][1][l] = multiply_add::<FUSED>(a0[l], b1[l], lanes[0][1][l]);
            lanes[1][0][l] = multiply_add::<FUSED>(a1[l], b0[l], lanes[1][0][l]);
            lanes[1][1][l] = multiply_add::<FUSED>(a1[l], b1[l], lanes[1][1][l]);
        }
    }
    let (a, b) = ([a_rest0, a_rest1], [b_rest0, b_rest1]);
    let rest = |r: usize, c: usize| a[r].iter().zip(b[c]).map(|(a, b)| a * b).sum::<f32>();
    array::from_fn(|r| array::from_fn(|c| lanes[r][c].iter().sum::<f32>() + rest(r, c)))
}
