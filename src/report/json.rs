//! Reports for programs: JSON, one value per line. The shapes are those of the types in
//! `runner::event`, `report` and `tinytorch::report`, written by serde; nothing is renamed here.

use super::module_report::{ModuleReport, Outcome};
use crate::error::Error;
use crate::runner::event::Frame;
use serde::Serialize;
use tinytorch::report::Item;

/// A check of one module as one line.
#[must_use]
pub fn check(report: &ModuleReport, name: &str) -> String {
    #[derive(Serialize)]
    struct Check<'a> {
        name: &'a str,
        outcome: Outcome,
        passed: usize,
        expected: usize,
        #[serde(flatten)]
        report: &'a ModuleReport,
    }
    let (passed, expected) = report.passed();
    to_line(&Check { name, outcome: report.outcome(), passed, expected, report })
}

/// One reported item as one line, with the analysis it belongs to.
#[must_use]
pub fn item(analysis: &str, item: &Item) -> String {
    #[derive(Serialize)]
    struct Reported<'a> {
        analysis: &'a str,
        #[serde(flatten)]
        item: &'a Item,
    }
    to_line(&Reported { analysis, item })
}

/// One frame of an explorable as one line.
#[must_use]
pub fn frame(name: &str, frame: &Frame) -> String {
    #[derive(Serialize)]
    struct Explored<'a> {
        explorable: &'a str,
        #[serde(flatten)]
        frame: &'a Frame,
    }
    to_line(&Explored { explorable: name, frame })
}

/// Why a command failed, as one line on standard error.
#[must_use]
pub fn error(error: &Error) -> String {
    #[derive(Serialize)]
    struct Failed<'a> {
        error: &'a Error,
    }
    to_line(&Failed { error })
}

/// Any value as one line.
#[must_use]
pub fn to_line(value: &impl Serialize) -> String {
    // Our types have string keys and no fallible serialisers, the only causes of an error here.
    serde_json::to_string(value).unwrap_or_else(|error| format!("{{\"error\":\"{error}\"}}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::curriculum::ModuleId;
    use serde_json::Value;

    #[test]
    fn a_check_is_one_line_that_says_its_outcome() {
        let line = check(&ModuleReport::new(ModuleId(1)), "01_tensor");
        let value: Value = serde_json::from_str(&line).unwrap();
        assert_eq!(value["outcome"], "unknown");
        assert_eq!(value["module"], 1);
        assert!(!line.contains('\n'));
    }

    #[test]
    fn a_figure_that_is_no_number_is_null_and_not_broken_json() {
        let metric = tinytorch::report::Metric {
            name: "loss".into(),
            value: f64::NAN,
            unit: String::new(),
            target: None,
            origin: tinytorch::report::Origin::Measured,
        };
        let value: Value = serde_json::from_str(&item("a", &Item::Metric(metric))).unwrap();
        assert!(value["value"].is_null());
        assert_eq!(value["type"], "metric");
    }
}
