//! Tiles of sums of which one factor is read where it is, in a matrix or an image: for products with few columns, for a
//! convolution without unfolding, and for the control that measures what packing is worth. The packed tile, and the kernels,
//! are in lesson 18.

use crate::backend::Matrix;
use crate::planes::Grid;
use crate::simd::{multiply_add, touch};
use std::array;

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

/// A tile with the rows of `a` wherever they are, at most `ROWS` of them: its elements must be neighbours across. The sums of
/// missing rows repeat those of the last one.
#[inline(always)]
fn tile_of_rows<const ROWS: usize, const COLUMNS: usize, const FUSED: bool>(
    a: Matrix<'_>,
    b: &[[f32; COLUMNS]],
) -> [[f32; COLUMNS]; ROWS] {
    /// How many numbers of each row are checked to be there at a time.
    const STEPS: usize = 16;
    let rows: [_; ROWS] = array::from_fn(|r| a.row(r.min(a.rows - 1)).as_chunks::<STEPS>());
    let (pieces, rest) = b.as_chunks::<STEPS>();
    let mut sums = [[0.0; COLUMNS]; ROWS];
    for (at, b) in pieces.iter().enumerate() {
        let a: [&[f32; STEPS]; ROWS] = array::from_fn(|r| &rows[r].0[at]);
        for k in 0..STEPS {
            for r in 0..ROWS {
                for c in 0..COLUMNS {
                    sums[r][c] = multiply_add::<FUSED>(a[r][k], b[k][c], sums[r][c]);
                }
            }
        }
    }
    for (k, b) in rest.iter().enumerate() {
        for r in 0..ROWS {
            for c in 0..COLUMNS {
                sums[r][c] = multiply_add::<FUSED>(rows[r].1[k], b[c], sums[r][c]);
            }
        }
    }
    sums
}

/// Adds the product of two matrices to `out`, with the rows of `a`, neighbours across, read where they are: where `b` has few
/// columns, too few tiles share them to pay for packing. `pack` and `add` are those of lesson 18; `strip` is room for as many
/// lines of `b` as are packed at a time.
#[inline(always)]
pub fn multiply_rows<const ROWS: usize, const COLUMNS: usize, const FUSED: bool>(
    [a, b]: [Matrix<'_>; 2],
    strip: &mut [[f32; COLUMNS]],
    pack: impl Fn(Matrix<'_>, &mut [[f32; COLUMNS]]),
    add: impl Fn(&[[f32; COLUMNS]; ROWS], [usize; 2], usize, &mut [f32]),
    out: &mut [f32],
) {
    let n = b.columns;
    for k0 in (0..b.rows).step_by(strip.len()) {
        let ks = k0..b.rows.min(k0 + strip.len());
        let strip = &mut strip[..ks.len()];
        for j in (0..n).step_by(COLUMNS) {
            let columns = COLUMNS.min(n - j);
            pack(b.part(ks.clone(), j..j + columns), strip);
            let whole = in_whole_tiles::<ROWS>(a.rows);
            for i in (0..whole).step_by(ROWS).chain((whole..a.rows).step_by(LAST_ROWS)) {
                let rows = (a.rows - i).min(if i < whole { ROWS } else { LAST_ROWS });
                let (part, out) = (a.part(i..i + rows, ks.clone()), &mut out[i * n + j..]);
                touch(rows, columns, n, out);
                let mut sums = [[0.0; COLUMNS]; ROWS];
                if i < whole {
                    sums = tile_of_rows::<ROWS, COLUMNS, FUSED>(part, strip);
                } else {
                    let few = tile_of_rows::<LAST_ROWS, COLUMNS, FUSED>(part, strip);
                    sums[..LAST_ROWS].copy_from_slice(&few);
                }
                add(&sums, [rows, columns], n, out);
            }
        }
    }
}

/// The height of a tile for the last rows of a matrix. No instructions have a lower one.
pub const LAST_ROWS: usize = 4;

/// How many of so many rows belong to tiles of `ROWS` rows. The last ones go into tiles of [`LAST_ROWS`], unless a whole tile
/// would have fewer than that to spare.
#[inline(always)]
#[must_use]
pub fn in_whole_tiles<const ROWS: usize>(rows: usize) -> usize {
    let rest = rows % ROWS;
    if rest + LAST_ROWS > ROWS { rows } else { rows - rest }
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

/// The lines of a tile that are parts of an image, each from its own start on; the image must be that long.
#[inline(always)]
pub fn lines_of_image<'a, const COLUMNS: usize>(
    image: &'a [f32],
    starts: &[usize],
) -> impl Iterator<Item = &'a [f32; COLUMNS]> {
    starts
        .iter()
        .map(|&start| image[start..start + COLUMNS].first_chunk().unwrap_or(&[0.0; COLUMNS]))
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
