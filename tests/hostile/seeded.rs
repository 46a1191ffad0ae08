//! Outputs of the cells of the corpus's module, for inputs from a seed.

use crate::alpha as subject;
use subject::{double, triple};
use tinytorch::outputs::{Outputs, Seeded};
use tinytorch::random::Rng;

/// The functions, by their tests.
pub const ALL: &[Seeded] =
    &[("test_unit_double", test_unit_double), ("test_unit_triple", test_unit_triple)];

fn test_unit_double(rng: &mut Rng, out: &mut Outputs) {
    out.numbers("double", [(); 4].map(|()| double(rng.below(1000) as i32)));
}

fn test_unit_triple(rng: &mut Rng, out: &mut Outputs) {
    out.numbers("triple", [(); 4].map(|()| triple(rng.below(1000) as i32)));
}
