//! The figures of a class for spreadsheets and statistics programs: one figure on each row. Pure.
//!
//! | column | what it has |
//! |---|---|
//! | `kind` | `class`, `exercise`, `test`, `error`, `learner` |
//! | `exercise` | its slug; empty for `class` and `error` |
//! | `name` | the test, the error's code, the learner's id; else empty |
//! | `figure` | what the value is: `minutes_q1`, `minutes_median` and `minutes_q3` are quartiles |
//! | `value` | a number; empty where fewer than five learners started the exercise |

use super::{Analytics, OfError, OfExercise, OfLearner, OfTest};
use crate::error::Error;
use csv::Writer;
use std::fmt::Display;

/// The figures as CSV.
///
/// # Errors
/// When there is no memory left.
pub fn csv(analytics: &Analytics) -> Result<String, Error> {
    let failed = |error: &dyn Display| Error::environment(format!("no CSV: {error}"));
    let mut writer = Writer::from_writer(vec![]);
    let header = ["kind", "exercise", "name", "figure", "value"].map(str::to_owned);
    for row in std::iter::once(header).chain(rows(analytics)) {
        writer.write_record(&row).map_err(|error| failed(&error))?;
    }
    let bytes = writer.into_inner().map_err(|error| failed(&error))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

type Row = [String; 5];

fn rows(analytics: &Analytics) -> Vec<Row> {
    let mut rows = vec![
        row("class", "", "", "students", analytics.students),
        row("class", "", "", "sharing", analytics.sharing),
    ];
    analytics.exercises.iter().for_each(|exercise| rows.extend(of_exercise(exercise)));
    for OfTest { exercise, test, stopped, failed } in &analytics.tests {
        rows.push(row("test", exercise, test, "stopped", stopped));
        rows.push(row("test", exercise, test, "failed", failed));
    }
    for OfError { error, stopped, failed } in &analytics.errors {
        rows.push(row("error", "", error, "stopped", stopped));
        rows.push(row("error", "", error, "failed", failed));
    }
    for learner in &analytics.learners {
        let OfLearner { student, exercise, completed, seconds, attempts, hints } = learner;
        let mut add = |figure: &str, value: f64| {
            rows.push(row("learner", exercise, student.as_str(), figure, value));
        };
        add("completed", f64::from(u8::from(*completed)));
        add("minutes", f64::from(*seconds) / 60.0);
        add("attempts", f64::from(*attempts));
        add("hints", f64::from(*hints));
    }
    rows
}

fn of_exercise(OfExercise { exercise, figures }: &OfExercise) -> Vec<Row> {
    let Some(figures) = figures else {
        return vec![row("exercise", exercise, "", "started", "")];
    };
    let mut rows = vec![
        row("exercise", exercise, "", "started", figures.started),
        row("exercise", exercise, "", "completed", figures.completed),
    ];
    for (what, [low, median, high]) in
        [("minutes", figures.minutes), ("attempts", figures.attempts), ("hints", figures.hints)]
    {
        for (part, value) in [("q1", low), ("median", median), ("q3", high)] {
            rows.push(row("exercise", exercise, "", &format!("{what}_{part}"), value));
        }
    }
    rows
}

fn row(kind: &str, exercise: &str, name: &str, figure: &str, value: impl Display) -> Row {
    [kind.into(), exercise.into(), name.into(), figure.into(), value.to_string()]
}
