//! `analytics`: where a class stops, from what its students share of their progress.

use super::arguments::{AnalyticsArguments, Format};
use super::context::Context;
use super::gradebook::write_new;
use super::printer::Printer;
use crate::classroom::StudentId;
use crate::classroom::analytics::{
    self, Analytics, FEWEST, Figures, OfError, OfExercise, OfLearner, OfTest,
};
use crate::classroom::shared::SharedRecord;
use crate::classroom::submission::Submissions;
use crate::error::{Error, count};
use crate::report::shared::{LINT, LONGEST_GAP, NO_CODE, Shared};
use crate::report::{human, json};
use crate::runner::Runner;
use tinytorch::report::{Column, Item, Origin, Table, Value};

/// Rows of a table of what stops learners; all are in the CSV file.
const MOST_ROWS: usize = 10;

/// Succeeds when all that was collected could be counted.
pub fn run(
    context: &Context,
    arguments: &AnalyticsArguments,
    out: &mut Printer,
) -> Result<bool, Error> {
    let submissions = Submissions::new(&arguments.collected);
    let students = submissions.students()?;
    let (shared, not_counted) = read(&submissions, &students);
    let found = analytics::analytics(context.course(), students.len(), &shared);
    let mut found = Analytics { not_counted, ..found };
    if arguments.names {
        found.learners = analytics::learners(context.course(), &shared);
    }
    if let Some(file) = &arguments.csv {
        write_new(file, &analytics::csv(&found)?)?;
    }
    match arguments.format {
        Format::Json => out.line(json::to_line(&found)),
        Format::Human => show(context, &found, out),
    }
    Ok(found.not_counted.is_empty())
}

/// What the students share. A file that is damaged is a problem beside the others.
fn read(
    submissions: &Submissions,
    students: &[StudentId],
) -> (Vec<(StudentId, Shared)>, Vec<String>) {
    let (mut shared, mut problems) = (vec![], vec![]);
    for student in students {
        match SharedRecord::find(submissions, student) {
            Ok(record) => shared.extend(record.map(|record| (record.student, record.shared))),
            Err(problem) => problems.push(problem.to_string()),
        }
    }
    (shared, problems)
}

fn show(context: &Context, found: &Analytics, out: &mut Printer) {
    let Analytics { students, sharing, not_counted, .. } = found;
    out.line(format!("{}; sharing their progress: {sharing}", count(*students, "student")));
    if *sharing > 0 {
        show_figures(context, found, out);
    } else {
        out.line("There is nothing to show: none of them agreed, or handed in what they share.");
    }
    for problem in not_counted {
        out.line(format!("  not counted  {problem}"));
    }
}

fn show_figures(context: &Context, found: &Analytics, out: &mut Printer) {
    if !found.exercises.is_empty() {
        out.line("");
        out.text(&exercises(&found.exercises));
        out.line(format!("\nExercises completed (#) and started (-), of {}", found.sharing));
        out.text(&chart(&found.exercises, found.sharing));
    }
    if !found.tests.is_empty() {
        out.line("");
        out.text(&tests(&found.tests));
    }
    if !found.errors.is_empty() {
        out.line("");
        out.text(&errors(&found.errors, context.runner().ok().as_ref()));
    }
    if !found.learners.is_empty() {
        out.line("");
        out.text(&learners(&found.learners));
    }
    out.line("");
    notes(found, out);
}

/// How the figures are to be read.
fn notes(found: &Analytics, out: &mut Printer) {
    let minutes = LONGEST_GAP / 60;
    out.line("Figures end with the first check that passed. Minutes: the gaps between checks");
    out.line(format!(
        "that are at most {minutes}; work before the first check of a session is missing."
    ));
    if !found.tests.is_empty() || !found.errors.is_empty() {
        out.line("Stopped: it failed in the last attempt, or in more than half of all.");
    }
    out.line(format!(
        "Of an exercise that fewer than {FEWEST} learners started, no figures are shown."
    ));
    if found.unknown > 0 {
        let figures = count(found.unknown, "figure");
        out.line(format!("{figures} left out: the exercise, test or error is unknown here."));
    }
}

fn table(title: &str, origin: &str, columns: &[&str], rows: Vec<Vec<Value>>) -> String {
    let columns = columns.iter().map(|name| Column::plain(*name)).collect();
    let (title, origin) = (title.to_owned(), Origin::Computed(origin.to_owned()));
    human::item(&Item::Table(Table { title, columns, rows, origin }))
}

fn exercises(exercises: &[OfExercise]) -> String {
    let row = |OfExercise { exercise, figures }: &OfExercise| {
        let cells = match figures {
            None => [&format!("<{FEWEST}"), "-", "-", "-", "-"].map(str::to_owned),
            Some(Figures { started, completed, minutes, attempts, hints }) => [
                started.to_string(),
                completed.to_string(),
                spread(*minutes),
                spread(*attempts),
                spread(*hints),
            ],
        };
        std::iter::once(exercise.clone()).chain(cells).map(Value::Text).collect()
    };
    table(
        "Exercises",
        "medians of those who started, quartiles in brackets",
        &["exercise", "started", "completed", "minutes", "attempts", "hints"],
        exercises.iter().map(row).collect(),
    )
}

/// A bar for each exercise.
fn chart(exercises: &[OfExercise], sharing: usize) -> String {
    let room = exercises.iter().map(|of| of.exercise.len()).max().unwrap_or(0);
    let line = |OfExercise { exercise, figures }: &OfExercise| {
        let (bar, label) = match figures {
            None => (human::bar([0, 0], sharing), format!("fewer than {FEWEST} started")),
            Some(Figures { started, completed, .. }) => {
                let percent = 100 * completed / started;
                let label = format!("{completed} of {started}, {percent} %");
                (human::bar([*completed, *started], sharing), label)
            }
        };
        format!("  {exercise:<room$} |{bar}| {label}\n")
    };
    exercises.iter().map(line).collect()
}

fn tests(tests: &[OfTest]) -> String {
    let row = |OfTest { exercise, test, stopped, failed }: &OfTest| {
        vec![Value::Text(format!("{exercise} {test}")), number(*stopped), number(*failed)]
    };
    table(
        "Tests that stop most learners",
        "numbers of learners",
        &["test", "stopped", "ever failed"],
        tests.iter().take(MOST_ROWS).map(row).collect(),
    )
}

fn errors(errors: &[OfError], runner: Option<&Runner>) -> String {
    let row = |OfError { error, stopped, failed }: &OfError| {
        let name = format!("{error}  {}", explained(error, runner));
        vec![Value::Text(name), number(*stopped), number(*failed)]
    };
    table(
        "Compiler errors that stop most learners",
        "numbers of learners",
        &["error", "stopped", "ever had"],
        errors.iter().take(MOST_ROWS).map(row).collect(),
    )
}

/// What an error is about: the first sentence of the compiler's own explanation, if there is a compiler.
fn explained(class: &str, runner: Option<&Runner>) -> String {
    const LONGEST: usize = 48;
    let text = match class {
        NO_CODE => "most are about syntax".to_owned(),
        LINT => "a lint that is denied".to_owned(),
        code => runner.and_then(|runner| runner.explain(code)).unwrap_or_default(),
    };
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}...", text[..end].trim_end()),
        None => text,
    }
}

fn learners(learners: &[OfLearner]) -> String {
    let row = |learner: &OfLearner| {
        let OfLearner { student, exercise, completed, seconds, attempts, hints } = learner;
        let completed = if *completed { "yes" } else { "no" };
        vec![
            Value::Text(format!("{student} {exercise}")),
            Value::Text(completed.into()),
            number(seconds.div_ceil(60) as usize),
            number(*attempts as usize),
            number(*hints as usize),
        ]
    };
    table(
        "Learners",
        "until each exercise was completed",
        &["learner", "completed", "minutes", "attempts", "hints"],
        learners.iter().map(row).collect(),
    )
}

fn number(number: usize) -> Value {
    Value::Int(i64::try_from(number).unwrap_or(i64::MAX))
}

/// `12 (8-20)`: the median, and the quartiles.
fn spread([low, median, high]: [f64; 3]) -> String {
    let short = |value: f64| ((value * 10.0).round() / 10.0).to_string();
    format!("{} ({}-{})", short(median), short(low), short(high))
}
