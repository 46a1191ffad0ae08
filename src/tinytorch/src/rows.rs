//! Means over rows of numbers, for the norms of lesson 13.

/// The mean of a row; NaN if it is empty.
#[must_use]
pub fn mean(row: &[f32]) -> f32 {
    mean_of(row, row, |x, _| x)
}

/// The mean of the products of two rows, element by element.
#[must_use]
pub fn mean_product(a: &[f32], b: &[f32]) -> f32 {
    mean_of(a, b, |x, y| x * y)
}

/// The mean of `f` over two rows, in 16 sums side by side: an addition must not wait for the one before it.
fn mean_of(a: &[f32], b: &[f32], f: impl Fn(f32, f32) -> f32) -> f32 {
    const LANES: usize = 16;
    let ((a_parts, a_rest), (b_parts, b_rest)) = (a.as_chunks::<LANES>(), b.as_chunks::<LANES>());
    let mut sums = [0.0; LANES];
    for (a, b) in a_parts.iter().zip(b_parts) {
        for (lane, sum) in sums.iter_mut().enumerate() {
            *sum += f(a[lane], b[lane]);
        }
    }
    let rest: f32 = a_rest.iter().zip(b_rest).map(|(&x, &y)| f(x, y)).sum();
    (sums.iter().sum::<f32>() + rest) / a.len() as f32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_element_counts_once_for_rows_of_any_length() {
        for length in [1, 15, 16, 17, 40] {
            let row: Vec<f32> = (1..=length).map(|x| x as f32).collect();
            let n = length as f32;
            assert!((mean(&row) - (n + 1.0) / 2.0).abs() < 1e-5, "{length}");
            let squares = (n + 1.0) * (2.0 * n + 1.0) / 6.0;
            assert!((mean_product(&row, &row) / squares - 1.0).abs() < 1e-6, "{length}");
        }
    }
}
