//! `gradebook`: results come in, points and comments are given, grades go to other programs.

use super::arguments::{ExportFormat, GradebookArguments, GradebookCommand};
use super::context::Context;
use super::printer::Printer;
use crate::classroom::grade::{Grade, Score, in_course};
use crate::classroom::gradebook::{Answer, Change, Gradebook, Imported, Manual, Regraded};
use crate::classroom::result::{CellResult, Outcome};
use crate::classroom::{CourseFile, Roster, StudentId, export, results};
use crate::curriculum::{Module, cells};
use crate::error::{Error, count, printable};
use crate::lab::atomic;
use std::path::{Path, PathBuf};

/// Succeeds when everything that was asked for was done.
pub fn run(
    context: &Context,
    arguments: &GradebookArguments,
    out: &mut Printer,
) -> Result<bool, Error> {
    let path = &arguments.gradebook;
    match &arguments.command {
        GradebookCommand::Import { results } => {
            import(context, &mut Gradebook::open(path)?, results, out)
        }
        GradebookCommand::Show { student, course } => {
            let course = course.as_deref().map(|file| CourseFile::read(file, context.course()));
            let grades = existing(path)?.grades()?;
            match student {
                Some(student) => cell_by_cell(&grades, &id(student)?, out),
                None => totals(&grades, course.transpose()?.as_ref(), out),
            }
        }
        GradebookCommand::Give { student, module, cell, points, comment, take_back } => {
            let mut book = existing(path)?;
            let (student, module) = (id(student)?, context.course().named(module)?);
            let max_points = worth(&book, &student, module, cell)?;
            let (module, grade_id, comment) = (module.slug(), cell.clone(), comment.clone());
            let points = *points;
            let manual = Manual { student, module, grade_id, max_points, points, comment };
            if *take_back {
                book.take_back(&manual.student, &manual.module, cell)?;
            }
            book.give(&manual)?;
            Ok(true)
        }
        // `main` opens the screen, which this component does not know.
        GradebookCommand::Mark { .. } => Ok(true),
        GradebookCommand::Regrade { cell, results } => {
            regrade(context, &mut existing(path)?, cell, results, out)
        }
        GradebookCommand::Changes => {
            for change in existing(path)?.changes()? {
                out.line(format!("{}  {}", export::timestamp(change.at), described(&change)));
            }
            Ok(true)
        }
        GradebookCommand::Export { format, out: to, roster } => {
            let roster = roster.as_deref().map(Roster::read).transpose()?;
            write(&existing(path)?.grades()?, *format, to, roster.as_ref(), out)
        }
    }
}

/// Opens a gradebook that is there: a mistyped name does not create an empty one.
pub(super) fn existing(path: &Path) -> Result<Gradebook, Error> {
    if !path.is_file() {
        let error = Error::usage(format!("there is no gradebook \"{}\"", printable(path)));
        return Err(error.hint(
            "`tinytorch-tutor gradebook import RESULTS` creates one; `--gradebook FILE` names another.",
        ));
    }
    Gradebook::open(path)
}

/// The id of a student.
pub(super) fn id(text: &str) -> Result<StudentId, Error> {
    StudentId::try_from(text.to_owned()).map_err(Error::usage)
}

fn import(
    context: &Context,
    book: &mut Gradebook,
    paths: &[PathBuf],
    out: &mut Printer,
) -> Result<bool, Error> {
    let (mut new, mut replaced, mut older, mut problems) = (0, 0, 0, 0);
    for file in results::files(paths)? {
        // A result that cannot be read does not keep the others out.
        let result = match results::read(context.course(), &file) {
            Ok(result) => result,
            Err(error) => {
                out.line(format!("  refused  \"{}\": {error}", printable(&file)));
                problems += 1;
                continue;
            }
        };
        match book.import(&result)? {
            Imported::New => new += 1,
            Imported::Replaced => replaced += 1,
            Imported::Older => {
                let (student, module) = (&result.student, &result.module);
                out.line(format!("  older    {student} {module}: a later one was imported before"));
                older += 1;
            }
        }
    }
    out.line(format!("new: {new}; replaced: {replaced}; older: {older}; refused: {problems}"));
    Ok(problems == 0)
}

/// Takes over one cell of every result, and lists what changed and what could not be taken over.
fn regrade(
    context: &Context,
    book: &mut Gradebook,
    cell: &str,
    paths: &[PathBuf],
    out: &mut Printer,
) -> Result<bool, Error> {
    let (mut changed, mut same, mut problems) = (0, 0, 0);
    for file in results::files(paths)? {
        let read = results::read(context.course(), &file);
        let done = read.map(|result| (book.regrade(&result, cell), result));
        let (who, reason) = match done {
            Ok((done, result)) => {
                let who = format!("{} {}", result.student, result.module);
                match done? {
                    Regraded::Changed(change) => {
                        out.line(format!("  {}", described(&change)));
                        changed += 1;
                        continue;
                    }
                    Regraded::Same => {
                        same += 1;
                        continue;
                    }
                    // Results of other modules lie beside those of this cell's.
                    Regraded::NoSuchCell if !has_cell(context, &result.module, cell) => continue,
                    Regraded::NoSuchCell => (who, format!("the result has no cell {cell}")),
                    Regraded::OtherText => {
                        (who, "the gradebook has another text: import its result".to_owned())
                    }
                    Regraded::Fault(reason) => (who, format!("the grader failed: {reason}")),
                }
            }
            Err(error) => (format!("\"{}\"", printable(&file)), error.to_string()),
        };
        out.line(format!("  kept     {who}: {reason}"));
        problems += 1;
    }
    out.line(format!(
        "{cell}: changed: {changed}; same as before: {same}; not taken over: {problems}"
    ));
    Ok(problems == 0)
}

fn has_cell(context: &Context, module: &str, cell: &str) -> bool {
    let module = context.course().by_slug(module);
    let cells = module.map(|module| cells::parse(module.reference())).unwrap_or_default();
    cells.iter().any(|known| known.grade_id.as_deref() == Some(cell))
}

/// `ada 01_tensor test-tensor-add: 0 of 5 (failed) before, 5 of 5 (passed) now`.
fn described(Change { student, module, before, after, .. }: &Change) -> String {
    let result = |cell: &CellResult| {
        let points = cell.points.map_or("-".to_owned(), |points| points.to_string());
        format!("{points} of {} ({})", cell.max_points, cell.outcome.word())
    };
    let before = before.as_ref().map_or("no such cell".to_owned(), result);
    format!("{student} {module} {}: {before} before, {} now", after.grade_id, result(after))
}

fn totals(grades: &[Grade], course: Option<&CourseFile>, out: &mut Printer) -> Result<bool, Error> {
    for student in grades.chunk_by(|a, b| a.student == b.student) {
        for grade in student {
            out.line(format!(
                "{:<24} {:<20} {}{}",
                grade.student,
                grade.module,
                points(grade.score()),
                notes(grade)
            ));
        }
        if let (Some(course), Some(first)) = (course, student.first()) {
            let (earned, all) = in_course(student, course);
            out.line(format!("{:<24} {:<20} {earned:.1} of {all}", first.student, "course"));
        }
    }
    Ok(true)
}

/// `7.5 of 11, 1 cell not graded yet`.
fn points(Score { points, max_points, ungraded }: Score) -> String {
    let again = match ungraded {
        0 => String::new(),
        some => format!(", {} not graded yet", count(some, "cell")),
    };
    format!("{points} of {max_points}{again}")
}

fn notes(grade: &Grade) -> String {
    let attack = grade.cells.iter().any(|cell| cell.outcome == Some(Outcome::Attack));
    let notes = [(grade.late, "late"), (!grade.sandboxed, "no sandbox"), (attack, "attack")];
    notes.iter().filter(|(is, _)| *is).map(|(_, word)| format!(", {word}")).collect()
}

fn cell_by_cell(grades: &[Grade], student: &StudentId, out: &mut Printer) -> Result<bool, Error> {
    let mut own = grades.iter().filter(|grade| grade.student == *student).peekable();
    if own.peek().is_none() {
        return Err(Error::usage(format!("the gradebook has no result of {student}")));
    }
    for grade in own {
        out.line(format!("{} {}{}", grade.module, points(grade.score()), notes(grade)));
        for cell in &grade.cells {
            let score = cell.score().map_or("-".to_owned(), |points| points.to_string());
            let by = if cell.manual.is_some() { "by hand" } else { "" };
            let outcome = cell.outcome.map_or("", Outcome::word);
            let (id, max) = (&cell.grade_id, cell.max_points);
            let line =
                format!("  {id:<36} {score:>5} of {max:<3} {outcome:<16} {by:<8} {}", cell.comment);
            out.line(line.trim_end());
        }
    }
    Ok(true)
}

/// The points that a cell of the module, or an answer of the student, is worth.
fn worth(book: &Gradebook, student: &StudentId, module: &Module, cell: &str) -> Result<u32, Error> {
    let known = cells::parse(module.reference());
    let found = known.iter().find(|known| known.grade_id.as_deref() == Some(cell));
    if let Some(found) = found {
        return Ok(found.points);
    }
    let answers = book.answers()?.into_iter().map(|marked| marked.answer);
    let answers: Vec<Answer> = answers
        .filter(|answer| answer.student == *student && answer.module == module.slug())
        .collect();
    if let Some(answer) = answers.iter().find(|answer| answer.grade_id == cell) {
        return Ok(answer.max_points);
    }
    let graded = known.iter().filter(|known| known.points > 0);
    let ids: Vec<&str> = graded
        .filter_map(|known| known.grade_id.as_deref())
        .chain(answers.iter().map(|answer| &*answer.grade_id))
        .collect();
    Err(Error::usage(format!("{} has no cell \"{cell}\"", module.slug()))
        .hint(format!("Its graded cells are {}.", ids.join(", "))))
}

fn write(
    grades: &[Grade],
    format: ExportFormat,
    to: &Path,
    roster: Option<&Roster>,
    out: &mut Printer,
) -> Result<bool, Error> {
    let text = match format {
        ExportFormat::Csv => export::csv(grades, roster)?,
        ExportFormat::Json => export::json(grades),
        ExportFormat::Junit => export::junit(grades),
        ExportFormat::Gradescope => return write_each(grades, export::gradescope, to, out),
        ExportFormat::Github => return write_each(grades, export::github, to, out),
    };
    write_new(to, &text)?;
    out.line(format!("Wrote {} to {}", count(grades.len(), "grade"), to.display()));
    Ok(true)
}

/// Writes a file for each student and module, `STUDENT/MODULE/results.json`. One that has no grade yet is named.
fn write_each(
    grades: &[Grade],
    form: fn(&Grade) -> Result<String, Error>,
    to: &Path,
    out: &mut Printer,
) -> Result<bool, Error> {
    let mut written = 0;
    for grade in grades {
        match form(grade) {
            Ok(text) => {
                let folder = to.join(grade.student.as_str()).join(&grade.module);
                write_new(&folder.join("results.json"), &text)?;
                written += 1;
            }
            Err(error) => out.line(format!("  left out  {error}")),
        }
    }
    out.line(format!("Wrote {} to {}", count(written, "file"), to.display()));
    Ok(written == grades.len())
}

/// Writes a file that is not there yet.
pub(super) fn write_new(path: &Path, text: &str) -> Result<(), Error> {
    if atomic::write_new(path, text.as_bytes())? {
        return Ok(());
    }
    Err(exists_already(path))
}

/// The error about a file that would have to be overwritten.
pub(super) fn exists_already(path: &Path) -> Error {
    let error = Error::usage(format!("\"{}\" exists already", printable(path)));
    error.hint("Name a new place; this file was not changed.")
}
