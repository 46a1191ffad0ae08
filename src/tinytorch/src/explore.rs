//! Interactive figures. A function takes an [`Explorer`], asks it for its controls where it needs their values, and
//! reports the result, all in one place; it is called again whenever a control changes. Input: the settings of controls
//! by name. Output: items and the list of controls. Not here: how a control looks or which key changes it.

use crate::report::Reporter;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::ops::{Deref, DerefMut, RangeInclusive};

/// The settings of controls, by name, as a person would type them. A control that is not named keeps its default.
pub type Settings = BTreeMap<String, String>;

/// Something that the reader can change.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "control", rename_all = "snake_case")]
pub enum Control {
    /// A number in a range.
    Number {
        /// Its name.
        name: String,
        /// Its value.
        value: f64,
        /// The lowest value.
        low: f64,
        /// The highest value.
        high: f64,
        /// What one key press adds or takes away.
        step: f64,
    },
    /// One of several words.
    Choice {
        /// Its name.
        name: String,
        /// The word that is chosen.
        value: String,
        /// All words.
        options: Vec<String>,
    },
    /// A line of text.
    Text {
        /// Its name.
        name: String,
        /// The text.
        value: String,
    },
    /// A sequence of frames that can be played.
    Play {
        /// Its name.
        name: String,
        /// The frame, from 0.
        value: usize,
        /// How many frames there are.
        frames: usize,
        /// How many are played in a second.
        per_second: u32,
    },
}

impl Control {
    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Number { name, .. }
            | Self::Choice { name, .. }
            | Self::Text { name, .. }
            | Self::Play { name, .. } => name,
        }
    }

    /// Its setting; a number with as many decimals as its step has.
    #[must_use]
    pub fn setting(&self) -> String {
        match self {
            Self::Number { value, low, step, .. } => {
                format!("{value:.*}", decimals(*step).max(decimals(*low)))
            }
            Self::Choice { value, .. } | Self::Text { value, .. } => value.clone(),
            Self::Play { value, .. } => value.to_string(),
        }
    }

    /// Applies a setting: a number becomes the nearest one that the control can have, and so does a frame.
    ///
    /// # Errors
    /// When the setting is not a number where one is needed, or not one of the words. Then the control does not change.
    pub fn set(&mut self, setting: &str) -> Result<(), String> {
        match self {
            Self::Number { name, value, low, high, step } => {
                let wanted: f64 = setting.trim().parse().unwrap_or(f64::NAN);
                if !wanted.is_finite() {
                    return Err(format!(
                        "\"{name}\" is a number from {low} to {high}, not \"{setting}\""
                    ));
                }
                *value = nearest(wanted, (*low, *high), *step);
            }
            Self::Choice { name, value, options } => {
                let Some(option) = options.iter().find(|option| *option == setting) else {
                    return Err(format!(
                        "\"{name}\" is one of {}, not \"{setting}\"",
                        options.join(", ")
                    ));
                };
                value.clone_from(option);
            }
            Self::Text { value, .. } => setting.clone_into(value),
            Self::Play { name, value, frames, .. } => {
                let Ok(frame) = setting.trim().parse::<usize>() else {
                    let last = frames.saturating_sub(1);
                    return Err(format!(
                        "\"{name}\" is a frame from 0 to {last}, not \"{setting}\""
                    ));
                };
                *value = frame.min(frames.saturating_sub(1));
            }
        }
        Ok(())
    }

    /// Moves it by `steps`: a number and a frame stop at their ends, words wrap around. A text does not change.
    pub fn shift(&mut self, steps: i32) {
        match self {
            Self::Number { value, low, high, step, .. } => {
                *value = nearest(*value + f64::from(steps) * *step, (*low, *high), *step);
            }
            Self::Choice { value, options, .. } => {
                let count = options.len().max(1) as i64;
                let at = options.iter().position(|option| option == value).unwrap_or(0) as i64;
                let next = (at + i64::from(steps)).rem_euclid(count) as usize;
                if let Some(option) = options.get(next) {
                    value.clone_from(option);
                }
            }
            Self::Text { .. } => {}
            Self::Play { value, frames, .. } => {
                *value = value.saturating_add_signed(steps as isize).min(frames.saturating_sub(1));
            }
        }
    }
}

/// The settings of these controls.
#[must_use]
pub fn settings(controls: &[Control]) -> Settings {
    controls.iter().map(|control| (control.name().to_owned(), control.setting())).collect()
}

/// The value in the range that is nearest to `wanted`: whole steps from the lowest, or the highest itself. It is rounded
/// to the decimals that are shown: 0.3, not 0.30000000000000004.
fn nearest(wanted: f64, (low, high): (f64, f64), step: f64) -> f64 {
    let steps = ((wanted.clamp(low, high) - low) / step).round();
    let places = decimals(step).max(decimals(low));
    let value = format!("{:.*}", places, low + steps * step).parse().unwrap_or(low);
    if value > high { high } else { value }
}

/// How many decimals a number is written with.
fn decimals(number: f64) -> usize {
    number.to_string().split_once('.').map_or(0, |(_, decimals)| decimals.len())
}

/// Gives a figure its controls, and receives what it reports: it has every method of a [`Reporter`] too.
pub struct Explorer {
    reporter: Reporter,
    settings: Settings,
    controls: Vec<Control>,
}

impl Explorer {
    /// An explorer for one frame with these settings.
    #[must_use]
    pub fn new(settings: Settings, reporter: Reporter) -> Self {
        Self { reporter, settings, controls: vec![] }
    }

    /// The controls that were asked for so far, in order.
    #[must_use]
    pub fn controls(&self) -> &[Control] {
        &self.controls
    }

    /// A number in a range, which moves in steps.
    ///
    /// # Panics
    /// When the range is empty, the step is not above 0, or the name is taken.
    #[track_caller]
    pub fn number(
        &mut self,
        name: &str,
        default: f64,
        range: RangeInclusive<f64>,
        step: f64,
    ) -> f64 {
        let (low, high) = range.into_inner();
        let is_range = low.is_finite() && high.is_finite() && low < high;
        assert!(is_range, "control \"{name}\": the range {low} to {high} is empty or has no end");
        let is_step = step.is_finite() && step > 0.0;
        assert!(is_step, "control \"{name}\": the step is {step}, expected a number above 0");
        assert!(default.is_finite(), "control \"{name}\": the default is {default}");
        let value = nearest(default, (low, high), step);
        match self.add(Control::Number { name: name.to_owned(), value, low, high, step }) {
            Control::Number { value, .. } => *value,
            _ => value,
        }
    }

    /// One of several words; the first is the default.
    ///
    /// # Panics
    /// When there are no words, or the name is taken.
    #[track_caller]
    pub fn choice<'a>(&mut self, name: &str, options: &[&'a str]) -> &'a str {
        assert!(!options.is_empty(), "control \"{name}\": there is nothing to choose from");
        let words = options.iter().map(|&option| option.to_owned()).collect();
        let value = options[0].to_owned();
        let control = self.add(Control::Choice { name: name.to_owned(), value, options: words });
        let chosen = control.setting();
        options.iter().find(|option| **option == chosen).copied().unwrap_or(options[0])
    }

    /// A line of text.
    ///
    /// # Panics
    /// When the name is taken.
    #[track_caller]
    pub fn text(&mut self, name: &str, default: &str) -> String {
        let (name, value) = (name.to_owned(), default.to_owned());
        self.add(Control::Text { name, value }).setting()
    }

    /// The frame, from 0, of a sequence that can be played at this speed.
    ///
    /// # Panics
    /// When there are no frames, the speed is 0, or the name is taken.
    #[track_caller]
    pub fn play(&mut self, name: &str, frames: usize, per_second: u32) -> usize {
        assert!(frames > 0, "control \"{name}\": there are no frames to play");
        assert!(per_second > 0, "control \"{name}\": 0 frames in a second never move");
        match self.add(Control::Play { name: name.to_owned(), value: 0, frames, per_second }) {
            Control::Play { value, .. } => *value,
            _ => 0,
        }
    }

    /// Adds a control, with its setting. If the control cannot have that setting, because the figure's source changed, it
    /// keeps its default.
    #[track_caller]
    fn add(&mut self, mut control: Control) -> &Control {
        let name = control.name();
        let is_new = self.controls.iter().all(|known| known.name() != name);
        assert!(is_new, "control \"{name}\": it was asked for twice in one figure");
        if let Some(setting) = self.settings.get(name).cloned() {
            let _ = control.set(&setting);
        }
        self.controls.push(control);
        &self.controls[self.controls.len() - 1]
    }
}

impl Deref for Explorer {
    type Target = Reporter;

    fn deref(&self) -> &Reporter {
        &self.reporter
    }
}

impl DerefMut for Explorer {
    fn deref_mut(&mut self) -> &mut Reporter {
        &mut self.reporter
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::panic::{AssertUnwindSafe, catch_unwind};

    fn explorer(settings: &[(&str, &str)]) -> Explorer {
        let own = |&(name, value): &(&str, &str)| (name.to_owned(), value.to_owned());
        Explorer::new(settings.iter().map(own).collect(), Reporter::new(|_| ()))
    }

    #[test]
    fn a_control_has_its_default_until_it_is_set() {
        let ask = |settings: &[(&str, &str)]| {
            let mut figure = explorer(settings);
            let number = figure.number("rate", 0.05, 0.0..=0.5, 0.01);
            let choice = figure.choice("kind", &["SGD", "Adam"]);
            (number, choice, figure.text("text", "hello"), figure.play("window", 36, 6))
        };
        assert_eq!(ask(&[]), (0.05, "SGD", "hello".to_owned(), 0));
        let set = [("rate", "0.1"), ("kind", "Adam"), ("text", ""), ("window", "35")];
        assert_eq!(ask(&set), (0.1, "Adam", String::new(), 35));
    }

    #[test]
    fn a_setting_out_of_range_becomes_the_nearest_and_nonsense_the_default() {
        let number = |setting| explorer(&[("x", setting)]).number("x", 2.0, 1.0..=4.0, 0.5);
        assert_eq!(
            ["9", "-9", "2.7", "2.76", "NaN", "inf", "two"].map(number),
            [4.0, 1.0, 2.5, 3.0, 2.0, 2.0, 2.0]
        );
        assert_eq!(explorer(&[("p", "99")]).play("p", 36, 6), 35);
        assert_eq!(explorer(&[("c", "blue")]).choice("c", &["red", "green"]), "red");
    }

    #[test]
    fn each_key_press_gives_a_value_that_is_shown_as_another() {
        let mut figure = explorer(&[]);
        figure.number("rate", 0.15, 0.0..=0.5, 0.005);
        let mut control = figure.controls()[0].clone();
        let mut shown = vec![control.setting()];
        for _ in 0..2 {
            control.shift(1);
            shown.push(control.setting());
        }
        assert_eq!(shown, ["0.150", "0.155", "0.160"]);
    }

    #[test]
    fn a_number_stays_on_its_steps_and_reaches_both_ends() {
        let shifted = |value, range: (f64, f64), step, by| {
            let (name, (low, high)) = (String::new(), range);
            let mut control = Control::Number { name, value, low, high, step };
            control.shift(by);
            control.setting()
        };
        assert_eq!(shifted(0.1, (0.0, 1.0), 0.1, 2), "0.3");
        assert_eq!(shifted(0.98, (0.0, 0.99), 0.01, 5), "0.99");
        assert_eq!(shifted(0.01, (0.0, 0.99), 0.01, -5), "0.00");
        assert_eq!(shifted(3.0, (1.0, 4.0), 2.0, 9), "4", "no step falls on the end");
        assert_eq!(shifted(0.05, (0.05, 1.0), 0.1, 1), "0.15", "steps count from the lowest");
    }

    #[test]
    fn words_wrap_around_and_frames_stop_at_their_ends() {
        let mut figure = explorer(&[]);
        figure.choice("kind", &["a", "b", "c"]);
        figure.play("frame", 3, 1);
        let after = |control: &Control, by| {
            let mut control = control.clone();
            control.shift(by);
            control.setting()
        };
        assert_eq!([-1, 1, 3].map(|by| after(&figure.controls()[0], by)), ["c", "b", "a"]);
        assert_eq!([-1, 1, 9].map(|by| after(&figure.controls()[1], by)), ["0", "1", "2"]);
    }

    #[test]
    fn a_refused_setting_is_named_with_the_settings_that_are_possible() {
        let mut figure = explorer(&[]);
        figure.number("rate", 0.0, 0.0..=0.5, 0.1);
        figure.choice("kind", &["SGD", "Adam"]);
        figure.play("frame", 3, 1);
        let refused = |at: usize| figure.controls[at].clone().set("x").unwrap_err();
        assert_eq!(refused(0), "\"rate\" is a number from 0 to 0.5, not \"x\"");
        assert_eq!(refused(1), "\"kind\" is one of SGD, Adam, not \"x\"");
        assert_eq!(refused(2), "\"frame\" is a frame from 0 to 2, not \"x\"");
    }

    #[test]
    fn an_authors_mistake_names_the_control() {
        let message = |ask: &dyn Fn(&mut Explorer)| {
            let panic = catch_unwind(AssertUnwindSafe(|| ask(&mut explorer(&[])))).unwrap_err();
            panic.downcast_ref::<String>().cloned().unwrap_or_default()
        };
        let twice = message(&|figure| {
            figure.text("x", "");
            figure.play("x", 3, 1);
        });
        assert_eq!(twice, "control \"x\": it was asked for twice in one figure");
        for (words, wrong) in [
            ("range 1 to 1", message(&|figure| _ = figure.number("x", 1.0, 1.0..=1.0, 1.0))),
            ("the step is 0", message(&|figure| _ = figure.number("x", 1.0, 0.0..=1.0, 0.0))),
            ("nothing to choose", message(&|figure| _ = figure.choice("x", &[]))),
            ("no frames", message(&|figure| _ = figure.play("x", 0, 1))),
        ] {
            assert!(wrong.starts_with("control \"x\": ") && wrong.contains(words), "{wrong}");
        }
    }

    #[test]
    fn controls_survive_json_and_become_settings() {
        let mut figure = explorer(&[("rate", "0.3")]);
        figure.number("rate", 0.0, 0.0..=0.5, 0.1);
        figure.text("text", "a \"b\"");
        let line = serde_json::to_string(figure.controls()).unwrap();
        let back: Vec<Control> = serde_json::from_str(&line).unwrap();
        assert_eq!(back, figure.controls());
        let expected = [("rate", "0.3"), ("text", "a \"b\"")];
        assert_eq!(settings(&back), explorer(&expected).settings);
    }
}
