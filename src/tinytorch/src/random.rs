//! Seeded random numbers: the same seed gives the same numbers on every machine.
//! A thin wrapper around PCG (O'Neill, 2014), so that lessons say `rng.normal()` and nothing more.

use rand::distr::{Distribution, StandardUniform};
use rand::seq::SliceRandom;
use rand::{Rng as _, RngExt as _, SeedableRng};
use rand_distr::StandardNormal;
use rand_pcg::Pcg64;

/// A source of random numbers with a seed.
#[derive(Debug, Clone)]
pub struct Rng(Pcg64);

impl Rng {
    /// A source that always yields the same numbers for the same `seed`.
    #[must_use]
    pub fn seeded(seed: u64) -> Self {
        Self(Pcg64::seed_from_u64(seed))
    }

    /// A number from the standard normal distribution: mean 0, variance 1.
    pub fn normal(&mut self) -> f32 {
        StandardNormal.sample(&mut self.0)
    }

    /// A number from `[0, 1)`, each equally likely.
    pub fn uniform(&mut self) -> f32 {
        StandardUniform.sample(&mut self.0)
    }

    /// A whole number from `0..bound`. Panics when `bound` is 0.
    pub fn below(&mut self, bound: usize) -> usize {
        assert!(bound > 0, "below: the bound must be at least 1, got 0");
        self.0.random_range(0..bound)
    }

    /// Puts the items in a random order.
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        items.shuffle(&mut self.0);
    }

    /// A new source, seeded from this one: for a part that needs its own stream.
    pub fn fork(&mut self) -> Self {
        Self::seeded(self.0.next_u64())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_numbers_and_another_seed_others() {
        let draw = |seed| {
            let mut rng = Rng::seeded(seed);
            (rng.normal(), rng.uniform(), rng.below(1000), rng.fork().uniform())
        };
        assert_eq!(draw(7), draw(7));
        assert_ne!(draw(7), draw(8));
    }

    #[test]
    fn normal_numbers_have_mean_zero_and_variance_one() {
        let mut rng = Rng::seeded(1);
        let draws: Vec<f32> = (0..20_000).map(|_| rng.normal()).collect();
        let mean = draws.iter().sum::<f32>() / 20_000.0;
        let variance = draws.iter().map(|x| (x - mean).powi(2)).sum::<f32>() / 20_000.0;
        // Three standard errors of the mean are 3 / sqrt(20000) = 0.021.
        assert!(mean.abs() < 0.022, "{mean}");
        assert!((variance - 1.0).abs() < 0.035, "{variance}");
    }
}
