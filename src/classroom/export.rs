//! Grades in the forms of other programs. Pure: a grade becomes text. Must not know the gradebook.

use super::Roster;
use super::grade::{CellGrade, Grade};
use super::result::Outcome;
use crate::error::Error;
use crate::report::junit::{self, Case, Failure, Suite};
use csv::Writer;
use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Value, json};
use std::time::Duration;

/// One row for each student, module and cell, with nbgrader's names for the columns that nbgrader has.
///
/// # Errors
/// When there is no memory left.
pub fn csv(grades: &[Grade], roster: Option<&Roster>) -> Result<String, Error> {
    #[derive(Serialize)]
    struct Line<'a> {
        assignment: &'a str,
        student_id: &'a str,
        name: String,
        email: String,
        timestamp: String,
        late: bool,
        sandboxed: bool,
        grade_id: String,
        auto_score: Option<u32>,
        manual_score: Option<f64>,
        score: Option<f64>,
        max_score: u32,
        outcome: &'static str,
        comment: String,
        rubric: String,
    }
    let failed = |error: &dyn std::fmt::Display| Error::environment(format!("no CSV: {error}"));
    let mut writer = Writer::from_writer(vec![]);
    for grade in grades {
        let student = roster.and_then(|roster| roster.student(&grade.student));
        for cell in &grade.cells {
            let line = Line {
                assignment: &grade.module,
                student_id: grade.student.as_str(),
                name: inert(student.map_or("", |student| &student.name)),
                email: inert(student.map_or("", |student| &student.email)),
                timestamp: timestamp(grade.submitted),
                late: grade.late,
                sandboxed: grade.sandboxed,
                grade_id: inert(&cell.grade_id),
                auto_score: cell.automatic,
                manual_score: cell.manual,
                score: cell.score(),
                max_score: cell.max_points,
                outcome: cell.outcome.map_or("", Outcome::word),
                comment: inert(&cell.comment),
                rubric: inert(&items(cell).join("; ")),
            };
            writer.serialize(line).map_err(|error| failed(&error))?;
        }
    }
    let bytes = writer.into_inner().map_err(|error| failed(&error))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// Text that no spreadsheet takes for a formula.
pub(super) fn inert(text: &str) -> String {
    match text.trim_start().chars().next() {
        Some('=' | '+' | '-' | '@') => format!("'{text}"),
        _ => text.to_owned(),
    }
}

/// A point in time as RFC 3339, in UTC.
#[must_use]
pub fn timestamp(seconds: i64) -> String {
    Timestamp::from_second(seconds).map_or_else(|_| String::new(), |time| time.to_string())
}

/// One JSON value per line, for each student and module.
#[must_use]
pub fn json(grades: &[Grade]) -> String {
    let line = |grade: &Grade| {
        let score = grade.score();
        json!({"grade": grade, "score": score}).to_string() + "\n"
    };
    grades.iter().map(line).collect()
}

/// A suite for each student and module, a test for each cell. A cell without a grade is an error, not a failure.
#[must_use]
pub fn junit(grades: &[Grade]) -> String {
    let names: Vec<String> =
        grades.iter().map(|grade| format!("{}.{}", grade.student, grade.module)).collect();
    let suites: Vec<Suite> = names
        .iter()
        .zip(grades)
        .map(|(name, grade)| Suite { name, cases: grade.cells.iter().map(case).collect() })
        .collect();
    junit::document(&suites)
}

fn case(cell: &CellGrade) -> Case<'_> {
    let failure = match cell.score() {
        _ if cell.is_full() => None,
        None => Some(Failure {
            element: "error",
            word: "not graded yet".into(),
            more: cell.message.clone(),
        }),
        Some(points) => Some(Failure {
            element: "failure",
            word: format!("{points} of {} points", cell.max_points),
            more: cell.message.clone(),
        }),
    };
    Case { name: &cell.grade_id, took: Duration::ZERO, failure, output: &cell.comment }
}

/// The `results.json` of a Gradescope autograder.
///
/// # Errors
/// When a cell has no grade yet: Gradescope would show no points.
pub fn gradescope(grade: &Grade) -> Result<String, Error> {
    let test = |(number, cell): (usize, &CellGrade)| {
        Ok(json!({
            "name": cell.grade_id,
            "number": number.to_string(),
            "score": points(grade, cell)?,
            "max_score": cell.max_points,
            "status": if cell.is_full() { "passed" } else { "failed" },
            "output": output(cell),
            "output_format": "text",
            "visibility": "visible",
        }))
    };
    let tests: Result<Vec<Value>, Error> = (1..).zip(&grade.cells).map(test).collect();
    let tests = tests?;
    let output = if grade.sandboxed { "" } else { "The tests ran without a sandbox." };
    let value = json!({"score": grade.score().points, "output": output, "tests": tests});
    Ok(format!("{value:#}\n"))
}

/// The result of a GitHub Classroom autograding step, before it is encoded in base64.
///
/// # Errors
/// When a cell has no grade yet.
pub fn github(grade: &Grade) -> Result<String, Error> {
    let word = |is_full: bool| if is_full { "pass" } else { "fail" };
    let test = |cell: &CellGrade| {
        Ok(json!({
            "name": cell.grade_id,
            "status": word(cell.is_full()),
            "score": points(grade, cell)?,
            "max_score": cell.max_points,
            "message": output(cell),
            "test_code": "",
            "filename": format!("{}.rs", grade.module),
            "line_no": 0,
        }))
    };
    let tests: Result<Vec<Value>, Error> = grade.cells.iter().map(test).collect();
    let value = json!({
        "version": 1,
        "status": word(grade.cells.iter().all(CellGrade::is_full)),
        "max_score": grade.score().max_points,
        "tests": tests?,
    });
    Ok(format!("{value:#}\n"))
}

/// What a student reads below a cell.
fn output(cell: &CellGrade) -> String {
    let parts = [cell.message.clone(), items(cell).join("\n"), cell.comment.clone()];
    parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("\n\n")
}

fn items(cell: &CellGrade) -> Vec<String> {
    cell.rubric.iter().map(ToString::to_string).collect()
}

fn points(grade: &Grade, cell: &CellGrade) -> Result<f64, Error> {
    cell.score().ok_or_else(|| {
        let Grade { student, module, .. } = grade;
        let id = &cell.grade_id;
        Error::environment(format!(
            "{student} {module}: {id} has no grade yet"
        ))
        .hint(if cell.is_answer {
            "Grade the answer with `gradebook mark`."
        } else {
            "The grader failed: grade it again and import the result, or give points with `gradebook give`."
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::classroom::rubric::Item;
    use crate::classroom::samples;
    use quick_xml::Reader;
    use quick_xml::events::Event;

    /// As hostile as a message can be in XML and JSON.
    fn cell(grade_id: &str, automatic: Option<u32>, outcome: Outcome) -> CellGrade {
        let message = "left <1> & \"right\" ]]>".into();
        CellGrade { message, ..samples::cell(grade_id, automatic, outcome) }
    }

    fn grade(cells: Vec<CellGrade>) -> Grade {
        Grade { sandboxed: false, ..samples::grade(cells) }
    }

    fn graded() -> Grade {
        let mut by_hand = cell("test-b", Some(0), Outcome::Failed);
        by_hand.manual = Some(2.5);
        by_hand.comment = "=HYPERLINK(\"x\")".into();
        by_hand.rubric = vec![Item { text: "half".into(), points: 2.5 }];
        grade(vec![cell("test-a", Some(5), Outcome::Passed), by_hand])
    }

    fn with_a_fault() -> Grade {
        grade(vec![
            cell("test-a", Some(5), Outcome::Passed),
            cell("test-b", None, Outcome::GraderFault),
        ])
    }

    #[test]
    fn a_csv_row_has_nbgraders_columns_and_no_formula() {
        let roster = Roster::parse(b"id,name,email\nada,\"=1+1, Ada\",@x.org\n").unwrap();
        let text = csv(&[graded(), with_a_fault()], Some(&roster)).unwrap();
        let mut reader = csv::Reader::from_reader(text.as_bytes());
        let header = reader.headers().unwrap().clone();
        let rows: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
        let value = |row: usize, name: &str| {
            rows[row][header.iter().position(|column| column == name).unwrap()].to_owned()
        };
        assert_eq!(rows.len(), 4);
        assert_eq!(value(0, "assignment") + &value(0, "student_id"), "01_tensorada");
        assert_eq!(value(0, "name") + &value(0, "email"), "'=1+1, Ada'@x.org");
        assert_eq!(value(0, "timestamp"), "2026-09-21T14:13:20Z");
        let scores = ["auto_score", "manual_score", "score", "max_score"];
        assert_eq!(scores.map(|name| value(1, name)), ["0", "2.5", "2.5", "5"]);
        assert_eq!(value(1, "comment"), "'=HYPERLINK(\"x\")");
        assert_eq!(value(1, "rubric"), "'+2.5 half");
        assert_eq!(scores.map(|name| value(3, name)), ["", "", "", "5"], "a fault is not 0");
    }

    #[test]
    fn junit_tells_a_failure_from_a_fault_of_the_grader() {
        let text = junit(&[graded(), with_a_fault()]);
        let mut reader = Reader::from_str(&text);
        let mut found = vec![];
        loop {
            match reader.read_event().unwrap() {
                Event::Start(element) | Event::Empty(element) => {
                    found.push(String::from_utf8_lossy(element.name().as_ref()).into_owned());
                }
                Event::Eof => break,
                _ => {}
            }
        }
        let count = |name: &str| found.iter().filter(|found| *found == name).count();
        assert_eq!(["testsuite", "testcase", "failure", "error"].map(count), [2, 4, 1, 1]);
        assert!(text.contains("name=\"ada.01_tensor\""), "{text}");
        assert!(text.contains("message=\"2.5 of 5 points\""), "{text}");
    }

    #[test]
    fn gradescope_and_github_get_every_cell_with_its_points() {
        let value: Value = serde_json::from_str(&gradescope(&graded()).unwrap()).unwrap();
        assert_eq!(value["score"], 7.5);
        assert_eq!(value["tests"][1]["name"], "test-b");
        assert_eq!(value["tests"][1]["score"], 2.5);
        assert_eq!(value["tests"][0]["status"], "passed");
        let output = value["tests"][1]["output"].as_str().unwrap();
        assert!(output.contains("\n\n+2.5 half\n\n=HYPERLINK"), "{output}");
        assert_eq!(value["output"], "The tests ran without a sandbox.");
        let value: Value = serde_json::from_str(&github(&graded()).unwrap()).unwrap();
        assert_eq!((&value["status"], &value["max_score"]), (&json!("fail"), &json!(10)));
        assert_eq!(value["tests"][1]["score"], 2.5);
    }

    #[test]
    fn a_cell_without_a_grade_is_never_exported_as_zero_points() {
        for error in [gradescope(&with_a_fault()), github(&with_a_fault())] {
            assert!(error.unwrap_err().message.contains("ada 01_tensor: test-b has no grade"));
        }
        let value: Value = serde_json::from_str(&json(&[with_a_fault()])).unwrap();
        assert!(value["grade"]["cells"][1]["automatic"].is_null());
        assert_eq!(value["score"]["ungraded"], 1);
    }
}
