//! Reports for programs: JSON, one value per line. The forms are those of the types in `runner::event`, `report` and
//! `tinytorch::report`, written by serde; nothing is renamed here. Programs rely on the names of these fields: one may
//! be added, but none is renamed or removed without an entry in `CHANGELOG.md`. A test checks them.
//!
//! | command | one line for each | fields |
//! |---|---|---|
//! | `check` | module | `name`, `module`, `outcome`, `passed`, `expected`, `compiles`, `diagnostics`, `notices`, `tests`, `follows_from` |
//! | `analyze` | item reported | `analysis`, `type` (`table`, `chart`, `metric`, `picture`, `tokens`, `text`, `trace`, `insight`, `note`) and its own |
//! | `list` | module | `number`, `name`, `title`, `prerequisites`, `points`, `state`, `passed`, `tests`, `completed`, `owner`, `edited_since` |
//! | `milestone list` | milestone | `id`, `year`, `title`, `needs`, `outcome`, `achieved` |
//! | `milestone run` | item, module, at last the result | items as above; `module`, `mine`, `reason`; `milestone`, `engine`, `outcome`, `achieved`, `seconds` |
//! | `mlperf list` | event | `event`, `required`, `entries`, `best` |
//! | `mlperf run` | the entry | `event`, `name`, `at`, `machine`, `pairs`, `quality`, `counted`, `score`, `techniques` |
//! | `mlperf leaderboard` | entry, best first | `event`, `rank`, `name`, `score`, `quality`, `techniques`, `innovation`, `machine`, `at`, `clock`, `imported` |
//! | `capstone validate`, `capstone reproduce` | the file | `file`, `outcome` (`valid`, `not_valid`, `confirmed`, `not_confirmed`), `faults` with `field`, `reason` |
//! | `complete` | module | `module`, `completed` (`yes`, `rejected`, `not_yet`, `cancelled`), `reason` |
//! | `predict` | open task | `task`, `question`, `unit`, `predictions`, `results`, `measured` |
//! | `glossary` | term | `term`, `text`, `lesson` |
//! | `hint` | hint | `cell`, `number`, `of`, `hint` |
//! | `collect` | run | `collected`, `duplicates`, `misnamed`, `refused`, `missing`, `shared` |
//! | `similarity` | module | `module`, `compared`, `pairs`, `of_reference`, `too_short` |
//! | `analytics` | run | `students`, `sharing`, `exercises`, `tests`, `errors`, `unknown`; with `--names` `learners`; `not_counted` where something could not be read |
//! | `share` | run | `schema`, `exercises` |
//! | `restore --list` | backup | `number`, `file`, `age`, `lines` |
//! | any, on standard error | error | `error` with `kind` (`unmet`, `usage`, `environment`), `message`, `hints` |

use super::module_report::{ModuleReport, Outcome};
use crate::error::Error;
use crate::runner::event::Frame;
use serde::Serialize;
use std::collections::BTreeMap;
use tinytorch::report::Item;

/// A check of one module as one line. `passed` and `expected` count the course's tests; `tests` has the
/// learner's own too, with `"owner": "learner"` and no points. `follows_from` has, for each test that fails because an
/// earlier cell fails, the id of that cell.
#[must_use]
pub fn check(report: &ModuleReport, name: &str) -> String {
    #[derive(Serialize)]
    struct Check<'a> {
        name: &'a str,
        outcome: Outcome,
        passed: usize,
        expected: usize,
        follows_from: BTreeMap<&'a str, &'a str>,
        #[serde(flatten)]
        report: &'a ModuleReport,
    }
    let (passed, expected) = report.passed();
    let blamed = report.graded().filter_map(|test| Some((&*test.name, report.blames(test)?)));
    let (outcome, follows_from) = (report.outcome(), blamed.collect());
    to_line(&Check { name, outcome, passed, expected, follows_from, report })
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
    use crate::runner::event::{Expected, Owner, RunEvent, RunKind};
    use serde_json::{Value, json};

    #[test]
    fn a_check_is_one_line_with_its_outcome() {
        let line = check(&ModuleReport::new(ModuleId(1)), "01_tensor");
        let value: Value = serde_json::from_str(&line).unwrap();
        assert_eq!(value["outcome"], "unknown");
        assert_eq!(value["module"], 1);
        assert!(!line.contains('\n'));
    }

    #[test]
    fn each_test_of_a_check_has_its_cell_its_points_and_its_owner() {
        let mut report = ModuleReport::new(ModuleId(1));
        let graded = Expected {
            grade_id: Some("test-tensor-add".into()),
            points: 5,
            ..Expected::new("test_unit_add")
        };
        let own = Expected { owner: Owner::Learner, ..Expected::new("own::test_mine") };
        let expected = vec![graded, own];
        report.apply(&RunEvent::Started { module: report.module, kind: RunKind::Check, expected });
        let value: Value = serde_json::from_str(&check(&report, "01_tensor")).unwrap();
        assert_eq!(value["expected"], 1, "the learner's own do not count");
        let tests = json!([
            {"name": "test_unit_add", "grade_id": "test-tensor-add", "points": 5, "needs": [],
             "owner": "course", "result": null, "old": true},
            {"name": "own::test_mine", "grade_id": null, "points": 0, "needs": [],
             "owner": "learner", "result": null, "old": true},
        ]);
        assert_eq!(value["tests"], tests);
    }

    #[test]
    fn a_figure_that_is_not_a_number_is_null_and_not_broken_json() {
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
