//! Explorables: interactive figures that a lesson places with an `explorable` block. Positions of
//! sliders come in; tables, charts and pictures go out, computed by the engine at that moment. To add
//! one: a file here, its name in [`EXPLORABLES`]. Not here: how sliders are moved and figures drawn.

mod convolution;
mod learning_rate;

use tinytorch::report::Item;

/// An interactive figure.
#[derive(Debug)]
pub struct Explorable {
    /// What a lesson calls it: `learning-rate`.
    pub id: &'static str,
    /// Its heading.
    pub title: &'static str,
    /// What to try, and where the figures come from: one or two sentences.
    pub about: &'static str,
    /// What can be moved.
    pub sliders: &'static [Slider],
    figure: fn(&[f64]) -> Vec<Item>,
}

/// A number that a person can move.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Slider {
    /// What it is.
    pub name: &'static str,
    /// Lowest value.
    pub min: f64,
    /// Highest value.
    pub max: f64,
    /// What one key press adds or takes away.
    pub step: f64,
    /// Where it stands at first.
    pub default: f64,
    /// A unit as in [`tinytorch::report::Column::unit`].
    pub unit: &'static str,
}

/// All of them.
pub const EXPLORABLES: &[Explorable] = &[learning_rate::EXPLORABLE, convolution::EXPLORABLE];

/// The explorable that a lesson calls `id`.
#[must_use]
pub fn find(id: &str) -> Option<&'static Explorable> {
    EXPLORABLES.iter().find(|explorable| explorable.id == id)
}

impl Explorable {
    /// Where the sliders stand at first.
    #[must_use]
    pub fn defaults(&self) -> Vec<f64> {
        self.sliders.iter().map(|slider| slider.default).collect()
    }

    /// The figure for these positions, one for each slider. A missing one is the default, one out of
    /// range the nearest in it.
    #[must_use]
    pub fn figure(&self, values: &[f64]) -> Vec<Item> {
        let given = values.iter().copied().map(Some).chain(std::iter::repeat(None));
        let values: Vec<f64> = self
            .sliders
            .iter()
            .zip(given)
            .map(|(slider, value)| slider.nearest(value.unwrap_or(slider.default)))
            .collect();
        (self.figure)(&values)
    }
}

impl Slider {
    /// A slider for a number without a unit.
    const fn plain(name: &'static str, [min, max, step, default]: [f64; 4]) -> Self {
        Self { name, min, max, step, default, unit: "" }
    }

    /// The position `steps` key presses away from `value`.
    #[must_use]
    pub fn moved(&self, value: f64, steps: i32) -> f64 {
        self.nearest(value + f64::from(steps) * self.step)
    }

    /// The position nearest to `value`: whole steps from the lowest, within the range.
    fn nearest(&self, value: f64) -> f64 {
        let value = if value.is_finite() { value } else { self.default };
        let steps = ((value.clamp(self.min, self.max) - self.min) / self.step).round();
        (self.min + steps * self.step).min(self.max)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn each_can_be_found_and_opens_with_a_figure() {
        let ids: BTreeSet<&str> = EXPLORABLES.iter().map(|explorable| explorable.id).collect();
        assert_eq!(ids.len(), EXPLORABLES.len(), "ids must differ");
        for explorable in EXPLORABLES {
            assert!(find(explorable.id).is_some_and(|found| found.title == explorable.title));
            let items = explorable.figure(&explorable.defaults());
            assert!(items.iter().any(|item| matches!(item, Item::Chart(_))), "{}", explorable.id);
        }
        assert!(find("no-such-figure").is_none());
    }

    #[test]
    fn every_corner_of_every_slider_gives_finite_figures() {
        for explorable in EXPLORABLES {
            let sliders = explorable.sliders;
            for corner in 0..1_u32 << sliders.len() {
                let at = |(bit, slider): (usize, &Slider)| match corner >> bit & 1 {
                    0 => slider.min,
                    _ => slider.max,
                };
                let values: Vec<f64> = sliders.iter().enumerate().map(at).collect();
                let items = explorable.figure(&values);
                assert!(!items.is_empty(), "{} at {values:?}", explorable.id);
                for item in items {
                    let Item::Chart(chart) = item else { continue };
                    let points = chart.series.iter().flat_map(|series| &series.points);
                    let sound = points.clone().all(|p| p.x.is_finite() && p.y.is_finite());
                    assert!(sound, "{} at {values:?}: {}", explorable.id, chart.title);
                    assert!(points.count() > 0, "{} at {values:?}", explorable.id);
                }
            }
        }
    }

    #[test]
    fn a_slider_stays_on_its_steps_and_in_its_range() {
        let slider = Slider::plain("momentum", [0.0, 0.99, 0.01, 0.9]);
        assert!((slider.moved(0.9, 3) - 0.93).abs() < 1e-12);
        assert_eq!(slider.moved(0.98, 5), 0.99);
        assert_eq!(slider.moved(0.01, -5), 0.0);
        let coarse = Slider::plain("stride", [1.0, 4.0, 2.0, 1.0]);
        assert_eq!(coarse.moved(1.0, 1), 3.0);
        assert_eq!(coarse.moved(3.0, 9), 4.0, "the end can be reached though no step falls on it");
    }

    #[test]
    fn missing_and_senseless_positions_are_mended() {
        for explorable in EXPLORABLES {
            let expected = explorable.figure(&explorable.defaults());
            assert_eq!(explorable.figure(&[]), expected);
            let senseless = vec![f64::NAN; explorable.sliders.len()];
            assert_eq!(explorable.figure(&senseless), expected);
            assert!(!explorable.figure(&vec![1e9; explorable.sliders.len()]).is_empty());
        }
    }
}
