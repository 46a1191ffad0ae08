//! What analyses compare the learner's code with: plain loops, and the product of `ndarray`. They know slices of numbers,
//! and no tensor.

use ndarray::ArrayView2;

/// The sum of each column of a square matrix, down one column after the other, in pieces of 64.
#[must_use]
pub fn sums_down_columns(data: &[f32], size: usize) -> Vec<f32> {
    let down = |column: usize| {
        let piece = |first: usize| {
            (first..size.min(first + 64)).fold(0.0, |sum, row| sum + data[row * size + column])
        };
        (0..size).step_by(64).map(piece).sum()
    };
    (0..size).map(down).collect()
}

/// Adds the product of two matrices (m, k) and (k, n) to `out`, as `matmul_2d` of lesson 01 does.
pub type Product = fn(&[f32], &[f32], usize, usize, &mut [f32]);

/// Three forms of i-j-k: b as it is, and a b that was transposed before with one sum and with 16.
pub const MATRIX_PRODUCTS: [(&str, Product); 3] = [
    ("i-j-k", ijk),
    ("b transposed, 1 sum", ijk_transposed::<1>),
    ("b transposed, 16 sums", ijk_transposed::<16>),
];

/// Each element of the result is finished before the next is begun: b is read down its columns.
fn ijk(a: &[f32], b: &[f32], k: usize, n: usize, out: &mut [f32]) {
    for (a_row, out_row) in a.chunks_exact(k).zip(out.chunks_exact_mut(n)) {
        for (j, element) in out_row.iter_mut().enumerate() {
            let products = a_row.iter().zip(b[j..].iter().step_by(n)).map(|(x, y)| x * y);
            *element += products.fold(0.0, |sum, product| sum + product);
        }
    }
}

/// The same order, for a `b` that was transposed before, with `SUMS` sums for each element.
fn ijk_transposed<const SUMS: usize>(a: &[f32], b: &[f32], k: usize, n: usize, out: &mut [f32]) {
    for (a_row, out_row) in a.chunks_exact(k).zip(out.chunks_exact_mut(n)) {
        for (element, b_row) in out_row.iter_mut().zip(b.chunks_exact(k)) {
            let mut sums = [0.0; SUMS];
            for (x, y) in a_row.chunks_exact(SUMS).zip(b_row.chunks_exact(SUMS)) {
                for ((sum, x), y) in sums.iter_mut().zip(x).zip(y) {
                    *sum += x * y;
                }
            }
            *element += sums.iter().sum::<f32>();
        }
    }
}

/// The product of two matrices (m, k) and (k, n), as `ndarray` computes it: with the kernels of `matrixmultiply`, tuned for
/// this CPU, on one thread.
///
/// # Panics
/// If the numbers do not fill the matrices.
#[must_use]
pub fn fast_product(a: &[f32], b: &[f32], [m, k, n]: [usize; 3]) -> Vec<f32> {
    let view = |numbers, shape| ArrayView2::from_shape(shape, numbers);
    match (view(a, (m, k)), view(b, (k, n))) {
        (Ok(a), Ok(b)) => a.dot(&b).into_raw_vec_and_offset().0,
        _ => panic!("product: {} and {} numbers for ({m}, {k}) times ({k}, {n})", a.len(), b.len()),
    }
}

/// Integers as numbers: each row has one column for each scale.
#[must_use]
pub fn scaled(integers: &[i8], scales: &[f32]) -> Vec<f32> {
    let rows = integers.chunks_exact(scales.len().max(1));
    rows.flat_map(|row| row.iter().zip(scales).map(|(&x, scale)| f32::from(x) * scale)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_computes_the_same_product() {
        let a: Vec<f32> = (0..256).map(|i| (i % 7) as f32).collect();
        let b: Vec<f32> = (0..256).map(|i| (i % 5) as f32).collect();
        let turned: Vec<f32> = (0..256).map(|i| b[i % 16 * 16 + i / 16]).collect();
        let [plain, one, many] = MATRIX_PRODUCTS.map(|(_, product)| product);
        let results = [(plain, &b), (one, &turned), (many, &turned)].map(|(product, b)| {
            let mut out = vec![1.0; 256];
            product(&a, b, 16, 16, &mut out);
            out
        });
        let wanted = 1.0 + (0..16).map(|k| a[16 + k] * b[k * 16 + 3]).sum::<f32>();
        assert_eq!(results[0][16 + 3], wanted);
        assert!(results[0] == results[1] && results[0] == results[2]);
        assert_eq!(sums_down_columns(&[1.0, 2.0, 3.0, 4.0], 2), [4.0, 6.0]);
    }
}
