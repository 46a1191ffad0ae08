//! Tiles of sums whose right factor is read where it is, in a matrix or an image: for a convolution without unfolding, and
//! for the control that measures what packing is worth. The packed tile, and the kernels, are in lesson 18.

use crate::planes::Grid;
use crate::simd::multiply_add;

/// A tile with the lines of `b` wherever they are.
#[inline(always)]
#[must_use]
pub fn tile_of_lines<'b, const ROWS: usize, const COLUMNS: usize, const FUSED: bool>(
    a: &[[f32; ROWS]],
    b: impl Iterator<Item = &'b [f32; COLUMNS]>,
) -> [[f32; COLUMNS]; ROWS] {
    let mut sums = [[0.0; COLUMNS]; ROWS];
    for (a, b) in a.iter().zip(b) {
        for r in 0..ROWS {
            for c in 0..COLUMNS {
                sums[r][c] = multiply_add::<FUSED>(a[r], b[c], sums[r][c]);
            }
        }
    }
    sums
}

/// Where each weight of a kernel finds its first pixel in a padded image: planes of `grid.padded`, one after the other.
#[must_use]
pub fn first_pixels(grid: &Grid, inputs: usize) -> Vec<usize> {
    let (width, area) = (grid.padded.columns, grid.padded.area());
    let of_plane = |plane: usize| {
        grid.kernel_positions().map(move |at| plane * area + at.rows * width + at.columns)
    };
    (0..inputs).flat_map(of_plane).collect()
}

/// A tile whose lines of `b` are parts of an image, each from its own start on.
#[inline(always)]
#[must_use]
pub fn tile_of_image<const ROWS: usize, const COLUMNS: usize, const FUSED: bool>(
    a: &[[f32; ROWS]],
    image: &[f32],
    starts: &[usize],
) -> [[f32; COLUMNS]; ROWS] {
    let mut sums = [[0.0; COLUMNS]; ROWS];
    for (a, &start) in a.iter().zip(starts) {
        let b = &image[start..start + COLUMNS];
        for r in 0..ROWS {
            for c in 0..COLUMNS {
                sums[r][c] = multiply_add::<FUSED>(a[r], b[c], sums[r][c]);
            }
        }
    }
    sums
}

/// Adds sums of neighbouring positions, from position `at` on, to a plane. Its rows have `columns` numbers, and the positions
/// `width` for each row.
#[inline(always)]
pub fn add_rows(sums: &[f32], at: usize, [width, columns]: [usize; 2], plane: &mut [f32]) {
    let end = at + sums.len();
    for (row, out) in plane.chunks_exact_mut(columns).enumerate().skip(at / width) {
        let (first, last) = (at.max(row * width), end.min(row * width + columns));
        if row * width >= end {
            return;
        }
        if first < last {
            let out = &mut out[first - row * width..last - row * width];
            for (out, sum) in out.iter_mut().zip(&sums[first - at..last - at]) {
                *out += sum;
            }
        }
    }
}
