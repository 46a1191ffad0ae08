//! What a learner wrote at an open task, and the sentence that shows it beside the result. Not here: where it is
//! stored, whether it is right.

use super::ModuleReport;
use super::figures::{amount, figure, number};
use crate::curriculum::lesson::{Lesson, Task, ValueName};
use std::collections::BTreeMap;
use tinytorch::report::{Item, Metric};

/// What a learner wrote at one task, in order. Nothing is ever removed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Written {
    /// The prediction, and what it was changed to.
    pub predictions: Vec<String>,
    /// The result, where the task names no measured value.
    pub results: Vec<String>,
}

/// Which of the two texts it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// What the learner expects.
    Prediction,
    /// What the learner observed.
    Result,
}

impl Part {
    /// Its name in the store.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Prediction => "prediction",
            Self::Result => "result",
        }
    }
}

impl Written {
    /// Adds a text, which counts from now on.
    pub fn add(&mut self, part: Part, text: String) {
        match part {
            Part::Prediction => self.predictions.push(text),
            Part::Result => self.results.push(text),
        }
    }

    /// The text that counts.
    #[must_use]
    pub fn last(&self, part: Part) -> Option<&str> {
        let texts = match part {
            Part::Prediction => &self.predictions,
            Part::Result => &self.results,
        };
        texts.last().map(String::as_str)
    }
}

impl ModuleReport {
    /// The metric that a task names, once it is reported, and whether it is of an earlier text.
    #[must_use]
    pub fn value(&self, name: &ValueName) -> Option<(&Metric, bool)> {
        let analysis = self.analyses.iter().find(|analysis| analysis.name == name.analysis)?;
        let metric = analysis.items.iter().find_map(|item| match item {
            Item::Metric(metric) if metric.name == name.metric => Some(metric),
            _ => None,
        });
        metric.map(|metric| (metric, analysis.old))
    }
}

/// The predictions at the open tasks of a lesson, each beside its result, one per line: `cost: you predicted 3x`.
#[must_use]
pub fn lines(
    lesson: &Lesson,
    written: &BTreeMap<String, Written>,
    report: &ModuleReport,
) -> String {
    let tasks = lesson.tasks().filter_map(|task| Some((task, written.get(&task.name)?)));
    let line = |(task, written): (&Task, &Written)| {
        let measured = task.value.as_ref().and_then(|name| report.value(name));
        let sentence = beside(task, written, measured.map(|(metric, _)| metric))?;
        Some(format!("{}: {sentence}\n", task.name))
    };
    tasks.filter_map(line).collect()
}

/// Text from elsewhere as one line without control characters.
#[must_use]
pub fn one_line(text: &str) -> String {
    let words = text.split(|c: char| c.is_whitespace() || c.is_control());
    words.filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
}

/// The prediction beside the result: `you predicted 3x (at first 5x), measured 1.40x; predicted / measured: 2.14`.
/// `None` before there is a prediction.
#[must_use]
pub fn beside(task: &Task, written: &Written, measured: Option<&Metric>) -> Option<String> {
    let unit = measured.map_or(task.unit.as_str(), |metric| &metric.unit);
    let shown = |text: &str| match amount(text, unit) {
        Some(_) => text.to_owned(),
        None => format!("\"{text}\""),
    };
    let last = written.last(Part::Prediction)?;
    let mut sentence = format!("you predicted {}", shown(last));
    if let Some(first) = written.predictions.first().filter(|first| *first != last) {
        sentence.push_str(&format!(" (at first {})", shown(first)));
    }
    if let Some(metric) = measured {
        sentence.push_str(&format!(", measured {}", figure(metric.value, unit)));
        let ratio = amount(last, unit).map(|predicted| predicted / metric.value);
        if let Some(ratio) = ratio.filter(|ratio| ratio.is_finite() && *ratio > 0.0) {
            sentence.push_str(&format!("; predicted / measured: {}", number(ratio)));
        }
    }
    if let Some(result) = written.last(Part::Result) {
        sentence.push_str(&format!(", your result: {}", shown(result)));
    }
    Some(sentence)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::curriculum::ModuleId;
    use crate::runner::event::RunEvent;
    use tinytorch::report::Origin;

    fn metric(value: f64, unit: &str) -> Metric {
        let (name, unit) = ("backward against forward".into(), unit.into());
        Metric { name, value, unit, target: None, origin: Origin::Measured }
    }

    fn sentence(predictions: &[&str], measured: Option<(f64, &str)>) -> Option<String> {
        let task = Task { unit: "x".into(), ..Task::default() };
        let predictions = predictions.iter().map(|&text| text.to_owned()).collect();
        let written = Written { predictions, results: vec![] };
        beside(&task, &written, measured.map(|(value, unit)| metric(value, unit)).as_ref())
    }

    #[test]
    fn a_prediction_is_shown_beside_the_measured_value_with_their_ratio() {
        assert_eq!(sentence(&[], Some((1.4, "x"))), None);
        assert_eq!(sentence(&["3x"], None).unwrap(), "you predicted 3x");
        assert_eq!(
            sentence(&["3x"], Some((1.4, "x"))).unwrap(),
            "you predicted 3x, measured 1.40x; predicted / measured: 2.14"
        );
        assert_eq!(
            sentence(&["2 ms"], Some((0.004, "s"))).unwrap(),
            "you predicted 2 ms, measured 4 ms; predicted / measured: 0.500"
        );
    }

    #[test]
    fn the_first_prediction_stays_in_view_when_it_is_changed() {
        assert_eq!(
            sentence(&["5x", "4x", "3x"], Some((3.0, "x"))).unwrap(),
            "you predicted 3x (at first 5x), measured 3x; predicted / measured: 1"
        );
        assert_eq!(sentence(&["3x", "4x", "3x"], None).unwrap(), "you predicted 3x");
    }

    #[test]
    fn words_and_values_without_a_ratio_are_still_shown_side_by_side() {
        let beside = |text, value| sentence(&[text], Some((value, "x"))).unwrap();
        assert_eq!(beside("a bit more", 1.4), "you predicted \"a bit more\", measured 1.40x");
        assert_eq!(beside("2x", 0.0), "you predicted 2x, measured 0x");
        assert_eq!(beside("-2x", 4.0), "you predicted -2x, measured 4x");
        assert_eq!(beside("2x", f64::NAN), "you predicted 2x, measured NaNx");
    }

    #[test]
    fn the_learners_own_note_is_the_result_where_no_value_is_named() {
        let mut written = Written::default();
        written.add(Part::Prediction, "30".into());
        written.add(Part::Result, "27, because `x` was read before".into());
        assert_eq!(
            beside(&Task::default(), &written, None).unwrap(),
            "you predicted 30, your result: \"27, because `x` was read before\""
        );
    }

    #[test]
    fn a_value_is_taken_from_the_analysis_that_the_task_names() {
        let mut report = ModuleReport::new(ModuleId(5));
        let name = |analysis: &str, metric: &str| ValueName {
            analysis: analysis.into(),
            metric: metric.into(),
        };
        for (analysis, value) in [("analyze_one", 1.0), ("analyze_two", 2.0)] {
            let item = Item::Metric(metric(value, "x"));
            report.apply(&RunEvent::Reported { analysis: analysis.into(), item });
        }
        let found = |analysis, name_| {
            report.value(&name(analysis, name_)).map(|(metric, old)| (metric.value, old))
        };
        assert_eq!(found("analyze_two", "backward against forward"), Some((2.0, false)));
        assert_eq!(found("analyze_two", "another"), None);
        assert_eq!(found("analyze_three", "backward against forward"), None);
        report.mark_old();
        let value = report.value(&name("analyze_one", "backward against forward"));
        assert!(value.is_some_and(|(_, old)| old));
    }
}
