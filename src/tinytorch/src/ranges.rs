//! Ranges of numbers, and what has none: for lesson 16.

/// The smallest and the largest of the numbers; 0 and 0 of none.
#[must_use]
pub fn whole_range(numbers: &[f32]) -> [f32; 2] {
    let widen = |[low, high]: [f32; 2], &x: &f32| [low.min(x), high.max(x)];
    numbers.iter().fold(numbers.first().map_or([0.0; 2], |&x| [x, x]), widen)
}

/// Refuses a range that has no steps.
///
/// # Panics
/// If an end or the distance between them is not finite, or the first end is above the second.
pub fn check_range([low, high]: [f32; 2]) {
    assert!(
        low <= high && (high - low).is_finite(),
        "quantize: a range from {low} to {high}: both must be finite, the first not above the second"
    );
}

/// Refuses numbers that have no range.
///
/// # Panics
/// Naming the place of the first number that is not finite.
pub fn check_finite(numbers: &[f32]) {
    if let Some((index, number)) = numbers.iter().enumerate().find(|(_, x)| !x.is_finite()) {
        panic!("quantize: {number} at index {index}: only finite numbers have a range");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::panic_message;

    #[test]
    fn a_range_is_from_the_smallest_to_the_largest_number() {
        assert_eq!(whole_range(&[]), [0.0, 0.0]);
        assert_eq!(whole_range(&[2.0]), [2.0, 2.0]);
        assert_eq!(whole_range(&[2.0, -1.0, 3.0]), [-1.0, 3.0]);
    }

    #[test]
    fn what_has_no_steps_is_refused_with_its_place() {
        let refused = panic_message(|| check_range([0.0, f32::NAN]));
        assert!(refused.contains("from 0 to NaN"), "{refused}");
        let refused = panic_message(|| check_range([-3e38, 3e38]));
        assert!(refused.contains("must be finite"), "{refused}");
        let refused = panic_message(|| check_finite(&[1.0, f32::INFINITY]));
        assert!(refused.contains("inf at index 1"), "{refused}");
        check_range([1.0, 1.0]);
        check_finite(&[1.0]);
    }
}
