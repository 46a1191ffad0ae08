//! What the functions of a cell return for inputs that are drawn from a seed: a test in the sandbox sends it, and the grader
//! compares it with what the reference returns for the same seed. So an answer that only knows the visible inputs does
//! not pass, and no code of a student's takes part in the comparison.

use crate::random::Rng;
use ndarray::{ArcArray, IxDyn};
use serde::{Deserialize, Serialize};

/// A test's name, and a function that draws inputs and collects outputs.
pub type Seeded = (&'static str, fn(&mut Rng, &mut Outputs));

/// The numbers of all outputs that are kept at most: a record in the sandbox is limited. A longer output still differs in
/// its count.
const MOST: usize = 2000;
/// The furthest that two numbers may be apart, where the expected one is at most 1; above, it is relative.
const TOLERANCE: f64 = 1e-4;

/// The low end, the middle and the high end of a drawn interval, somewhere around 1.
pub fn interval(rng: &mut Rng) -> [f64; 3] {
    let [low, size] = [rng.uniform() + 0.5, rng.uniform()].map(f64::from);
    [low, low + size / 3.0, low + size]
}

/// The outputs of one cell, in order.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outputs(Vec<Output>);

/// Numbers with a name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Output {
    name: String,
    count: usize,
    /// The bits of each: JSON has neither infinity nor NaN.
    bits: Vec<u64>,
}

impl Outputs {
    /// Adds numbers.
    pub fn numbers<T: Into<f64>>(&mut self, name: &str, numbers: impl IntoIterator<Item = T>) {
        let kept: usize = self.0.iter().map(|output| output.bits.len()).sum();
        let mut numbers = numbers.into_iter();
        let bits: Vec<u64> =
            numbers.by_ref().take(MOST - kept).map(|number| number.into().to_bits()).collect();
        // What never ends is not counted to its end.
        let count = bits.len() + numbers.take(MOST).count();
        self.0.push(Output { name: name.to_owned(), count, bits });
    }

    /// Adds one number.
    pub fn number(&mut self, name: &str, number: impl Into<f64>) {
        self.numbers(name, [number]);
    }

    /// Adds whole numbers, such as a shape.
    pub fn counts(&mut self, name: &str, counts: impl IntoIterator<Item = usize>) {
        self.numbers(name, counts.into_iter().map(|count| count as f64));
    }

    /// Adds the shape and the elements of a tensor's array.
    pub fn array(&mut self, name: &str, array: &ArcArray<f32, IxDyn>) {
        self.counts(name, array.shape().iter().copied());
        self.numbers(name, array.iter().copied());
    }

    /// Adds a text, byte by byte.
    pub fn text(&mut self, name: &str, text: &str) {
        self.numbers(name, text.bytes());
    }

    /// The first difference from what is wanted, in words; none if every number is close.
    #[must_use]
    pub fn difference(&self, wanted: &Self) -> Option<String> {
        let pairs = self.0.iter().zip(&wanted.0);
        let found = pairs.filter_map(|(own, wanted)| own.difference(wanted)).next();
        found.or_else(|| (self.0.len() != wanted.0.len()).then(|| "outputs are missing".to_owned()))
    }
}

impl Output {
    fn difference(&self, wanted: &Self) -> Option<String> {
        let name = &wanted.name;
        if self.name != *name {
            return Some(format!("{name}: there is no such output"));
        }
        if self.count != wanted.count || self.bits.len() != wanted.bits.len() {
            return Some(format!("{name}: {} values, not {}", self.count, wanted.count));
        }
        let pairs = self.bits.iter().zip(&wanted.bits).enumerate();
        let mut values = pairs.map(|(i, (a, b))| (i, f64::from_bits(*a), f64::from_bits(*b)));
        let (index, got, wanted) = values.find(|(_, got, wanted)| !is_close(*got, *wanted))?;
        Some(format!("{name}: value {index} is {got}, not {wanted}"))
    }
}

fn is_close(got: f64, wanted: f64) -> bool {
    let is_same = got == wanted || (got.is_nan() && wanted.is_nan());
    is_same || (got - wanted).abs() <= TOLERANCE * wanted.abs().clamp(1.0, f64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(numbers: &[f32]) -> Outputs {
        let mut outputs = Outputs::default();
        outputs.numbers("it", numbers.iter().copied());
        outputs
    }

    #[test]
    fn a_difference_is_named_and_rounding_is_none() {
        let wanted = of(&[1.0, -3000.0, f32::INFINITY, f32::NAN]);
        let difference = |numbers: &[f32]| of(numbers).difference(&wanted);
        assert_eq!(difference(&[1.00001, -3000.1, f32::INFINITY, f32::NAN]), None);
        let named = |numbers: &[f32]| difference(numbers).unwrap();
        assert_eq!(named(&[1.0, 2.0, f32::INFINITY, f32::NAN]), "it: value 1 is 2, not -3000");
        assert!(named(&[f32::NAN, -3000.0, f32::INFINITY, f32::NAN]).contains("value 0 is NaN"));
        assert!(named(&[1.0, -3000.0, f32::MAX, f32::NAN]).contains("value 2"));
        assert!(named(&[1.0, -3000.0, f32::INFINITY, 0.0]).contains("value 3"));
        assert_eq!(named(&[1.0]), "it: 1 values, not 4");
        assert!(Outputs::default().difference(&wanted).is_some(), "nothing is not enough");
        assert!(wanted.difference(&Outputs::default()).is_some(), "more is too much");
    }

    #[test]
    fn an_output_of_any_length_fits_into_a_record() {
        let long = |count: usize| {
            let mut outputs = Outputs::default();
            outputs.numbers("long", std::iter::repeat_n(f64::MIN_POSITIVE, count));
            outputs.text("text", &"x".repeat(count));
            outputs
        };
        assert!(serde_json::to_vec(&long(1 << 20)).unwrap().len() < 60 << 10);
        assert_eq!(long(3000).difference(&long(3000)), None);
        assert!(long(3000).difference(&long(3001)).is_some());
        let mut endless = Outputs::default();
        endless.numbers("endless", std::iter::repeat(1.0));
    }
}
