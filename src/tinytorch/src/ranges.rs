//! Ranges of numbers, what has none, and numbers to try: for lesson 16.

use crate::random::Rng;

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

/// Kinds of numbers that a layer meets.
pub const EXAMPLES: [&str; 4] = ["weights", "after ReLU", "far from 0", "one outlier"];

/// Two thousand random numbers of one of these kinds.
#[must_use]
pub fn example(kind: &str, rng: &mut Rng) -> Vec<f32> {
    let number = |at: usize| match (kind, rng.normal()) {
        ("weights", x) => 0.3 * x,
        ("after ReLU", x) => x.max(0.0),
        ("far from 0", x) => 2.0 + 0.3 * x,
        (_, _) if at == 0 => 12.0,
        (_, x) => x,
    };
    (0..2000).map(number).collect()
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
    fn examples_are_what_they_are_called() {
        let range = |kind| whole_range(&example(kind, &mut Rng::seeded(1)));
        let [weights, relu, far, outlier] = EXAMPLES.map(range);
        assert!(weights[0] < -0.5 && weights[1] > 0.5, "{weights:?}");
        assert!(relu[0] == 0.0 && relu[1] > 2.0, "{relu:?}");
        assert!(far[0] > 0.5, "{far:?}");
        assert_eq!(outlier[1], 12.0);
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
