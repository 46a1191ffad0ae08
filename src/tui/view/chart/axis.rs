//! One axis of a chart: where a value lies on it, and its ticks, at measured values where these are
//! few, otherwise at round numbers. Must not know how an axis is drawn.

use crate::report::figures;
use tinytorch::report::{Axis, Scale};

/// The most measured values to use as ticks; more are too close to each other.
const FEW: usize = 12;
/// The most ticks of an axis.
const MOST: usize = 12;

/// A labelled place on an axis.
#[derive(Debug, Clone, PartialEq)]
pub struct Tick {
    /// How far along the axis, 0 to 1.
    pub share: f64,
    /// Its value; with a unit only if the ticks do not share one.
    pub label: String,
}

/// The ticks of an axis.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Ticks {
    /// The places.
    pub list: Vec<Tick>,
    /// The unit that all labels share, if any.
    pub unit: String,
}

/// An axis with its range.
#[derive(Debug, Clone)]
pub struct Ruler<'a> {
    axis: &'a Axis,
    low: f64,
    high: f64,
}

/// A value's place along an axis: its logarithm on a logarithmic scale, where zero and negative values
/// have no place. Nor have values so large that the difference of two overflows.
#[must_use]
pub fn place(axis: &Axis, value: f64) -> f64 {
    match axis.scale {
        _ if value.abs() > f64::MAX / 4.0 => f64::NAN,
        Scale::Linear => value,
        Scale::Log if value > 0.0 => value.log10(),
        Scale::Log => f64::NAN,
    }
}

impl<'a> Ruler<'a> {
    /// An axis from the lowest to the highest of some places; a flat curve gets room on both sides.
    #[must_use]
    pub fn over(axis: &'a Axis, places: impl Iterator<Item = f64>) -> Option<Self> {
        let (low, high) = places.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), place| {
            (low.min(place), high.max(place))
        });
        if low > high {
            return None;
        }
        let flat = high - low <= high.abs().max(low.abs()) * 1e-12;
        let room = match axis.scale {
            _ if !flat => 0.0,
            Scale::Log => 0.5,
            Scale::Linear if low == 0.0 => 1.0,
            Scale::Linear => low.abs() * 0.1,
        };
        Some(Self { axis, low: low - room, high: high + room })
    }

    /// The same axis, its range extended to round numbers.
    #[must_use]
    pub fn rounded(mut self, most: usize) -> Self {
        if self.axis.scale == Scale::Linear
            && let Some(step) =
                self.steps().find(|step| (self.high - self.low) / step <= most as f64)
        {
            self.low = (self.low / step).floor() * step;
            self.high = (self.high / step).ceil() * step;
        }
        self
    }

    /// How far along the axis a place is, 0 to 1.
    #[must_use]
    pub fn share(&self, place: f64) -> f64 {
        ((place - self.low) / (self.high - self.low)).clamp(0.0, 1.0)
    }

    /// The ticks: the first choice that `fits`. `measured` are the values of the points.
    #[must_use]
    pub fn ticks(&self, measured: &[f64], fits: impl Fn(&[Tick]) -> bool) -> Ticks {
        let chosen = self.of_measured(measured).chain(self.of_powers()).chain(self.of_steps());
        let ticks = chosen.map(|values| self.labelled(&values));
        // One tick says nothing about a scale.
        let mut enough = ticks.filter(|ticks| ticks.list.len() > 1 || measured.len() == 1);
        enough.find(|ticks| fits(&ticks.list)).unwrap_or_default()
    }

    fn labelled(&self, values: &[f64]) -> Ticks {
        let (labels, unit) = figures::ticks(values, &self.axis.unit);
        let share = |value: &f64| self.share(place(self.axis, *value));
        let ticks = values.iter().map(share).zip(labels);
        Ticks { list: ticks.map(|(share, label)| Tick { share, label }).collect(), unit }
    }

    /// The measured values if they are few and have few digits: all, every second, every third, as long as they cover the
    /// axis.
    fn of_measured(&self, measured: &[f64]) -> impl Iterator<Item = Vec<f64>> {
        let mut distinct: Vec<f64> = measured.to_vec();
        distinct.sort_by(f64::total_cmp);
        distinct.dedup();
        let short = |value: &f64| {
            let rounded: f64 = format!("{value:.3e}").parse().unwrap_or(*value);
            rounded == *value || value.fract() == 0.0
        };
        let few = distinct.len() <= FEW && distinct.iter().all(short);
        let most = if few { distinct.len() } else { 0 };
        // Fewer than three say less than round numbers, unless they are all there is.
        (1..=most)
            .map(move |every| distinct.iter().copied().step_by(every).collect::<Vec<_>>())
            .enumerate()
            .filter(|(left_out, values)| *left_out == 0 || values.len() >= 3 && self.cover(values))
            .map(|(_, values)| values)
    }

    /// Whether no quarter of the axis at its ends is without a value.
    fn cover(&self, values: &[f64]) -> bool {
        let mut shares = values.iter().map(|value| self.share(place(self.axis, *value)));
        shares.clone().any(|share| share <= 0.25) && shares.any(|share| share >= 0.75)
    }

    /// Powers and their simple multiples within a logarithmic axis, the densest first.
    fn of_powers(&self) -> impl Iterator<Item = Vec<f64>> {
        let binary = figures::is_binary(&self.axis.unit);
        let base = if binary { 2f64 } else { 10.0 };
        let is_log = self.axis.scale == Scale::Log;
        let spacings: &[i32] =
            if binary { &[1, 2, 5, 10, 20] } else { &[0, 1, 2, 3, 5, 10, 50, 100] };
        spacings.iter().filter(move |_| is_log).map(move |spacing| {
            let multiples: &[f64] = if *spacing == 0 { &[1.0, 2.0, 5.0] } else { &[1.0] };
            let spacing = (*spacing).max(1);
            let exponent = |place: f64| (place / base.log10()).floor() as i32;
            let (first, last) = (exponent(self.low).div_euclid(spacing), exponent(self.high));
            (first..=last.div_euclid(spacing))
                .flat_map(|power| multiples.iter().map(move |m| m * base.powi(power * spacing)))
                .filter(|value| self.contains(place(self.axis, *value)))
                .collect()
        })
    }

    /// Round numbers at equal distances, the densest first.
    fn of_steps(&self) -> impl Iterator<Item = Vec<f64>> + use<'a> {
        let (low, high) = (self.value(self.low), self.value(self.high));
        self.steps().map(move |step| {
            let first = (low / step - 1e-9).ceil();
            let values = (0..=MOST).map(|number| (first + number as f64) * step);
            values.take_while(|value| *value <= high + step * 1e-9).collect()
        })
    }

    /// 1, 2, 5, 10 ... of the unit as it is shown, from a tenth of the axis on.
    fn steps(&self) -> impl Iterator<Item = f64> + use<'a> {
        let (low, high) = (self.value(self.low), self.value(self.high));
        let (size, _) = figures::prefix(&self.axis.unit, low.abs().max(high.abs()));
        let power = ((high - low) / size / MOST as f64).log10().floor();
        let power = if power.is_finite() { power as i32 } else { 0 };
        (power..power + 4)
            .flat_map(move |power| [1.0, 2.0, 5.0].map(|digit| digit * 10f64.powi(power) * size))
            .filter(move |step| step.is_finite() && (high - low) / step < MOST as f64)
    }

    fn contains(&self, place: f64) -> bool {
        let room = (self.high - self.low) * 1e-9;
        (self.low - room..=self.high + room).contains(&place)
    }

    fn value(&self, place: f64) -> f64 {
        if self.axis.scale == Scale::Log { 10f64.powf(place) } else { place }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(axis: &Axis, measured: &[f64], most: usize) -> Vec<String> {
        let places = measured.iter().map(|value| place(axis, *value));
        let ruler = Ruler::over(axis, places).unwrap();
        let ticks = ruler.ticks(measured, |ticks| ticks.len() <= most);
        ticks.list.into_iter().map(|tick| tick.label).collect()
    }

    fn round(axis: &Axis, low: f64, high: f64, most: usize) -> Vec<String> {
        let ruler = Ruler::over(axis, [low, high].into_iter().map(|value| place(axis, value)));
        let ticks = ruler.unwrap().rounded(most).ticks(&[], |ticks| ticks.len() <= most + 1);
        ticks.list.into_iter().map(|tick| tick.label).collect()
    }

    #[test]
    fn few_measured_values_are_the_ticks() {
        let axis = Axis::log("n", "");
        assert_eq!(labels(&axis, &[16.0, 1024.0, 64.0, 256.0], 6), ["16", "64", "256", "1,024"]);
        let many: Vec<f64> = (0..9).map(|power| 2f64.powi(power)).collect();
        assert_eq!(labels(&axis, &many, 5), ["1", "4", "16", "64", "256"]);
    }

    #[test]
    fn measured_values_that_leave_an_end_of_the_axis_bare_are_no_ticks() {
        let measured = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 14.0, 199.0];
        assert_eq!(labels(&Axis::linear("n", ""), &measured, 3), ["50", "100", "150"]);
        assert_eq!(labels(&Axis::log("n", ""), &measured, 3), ["1", "10", "100"]);
    }

    #[test]
    fn otherwise_ticks_are_round_numbers() {
        let linear = Axis::linear("time", "s");
        assert_eq!(round(&linear, 0.000_083, 0.000_53, 4), ["0", "200", "400", "600"]);
        assert_eq!(
            round(&Axis::linear("y", ""), -0.7, 1.3, 5),
            ["-1.0", "-0.5", "0.0", "0.5", "1.0", "1.5"]
        );
        assert_eq!(round(&Axis::linear("m", "B"), 0.0, 15.3e6, 5), ["0", "5", "10", "15"]);
    }

    #[test]
    fn ticks_of_a_logarithmic_axis_are_powers() {
        let axis = Axis::log("loss", "");
        assert_eq!(round(&axis, 0.0004, 30.0, 5), ["0.001", "0.01", "0.1", "1", "10"]);
        assert_eq!(round(&axis, 1.5, 30.0, 5), ["2", "5", "10", "20"]);
        assert_eq!(round(&axis, 3.1, 3.4, 3), ["3.1", "3.2", "3.3", "3.4"]);
        assert_eq!(round(&Axis::log("peak", "B"), 3000.0, 5e6, 3), ["32 KiB", "1 MiB"]);
    }

    #[test]
    fn one_value_alone_is_labelled_with_room_around_it() {
        for axis in [Axis::linear("n", ""), Axis::log("n", "")] {
            assert_eq!(labels(&axis, &[7.0], 5), ["7"]);
        }
        let axis = Axis::linear("n", "");
        let ruler = Ruler::over(&axis, [7.0].into_iter()).unwrap();
        assert_eq!(ruler.share(7.0), 0.5);
    }
}
