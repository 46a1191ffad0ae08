//! Feedback for one student: a self-contained HTML page without scripts, and the same as text. Pure. Must not know the
//! gradebook.

use super::grade::{CellGrade, Grade, in_course};
use super::result::Outcome;
use super::{CourseFile, Student};
use crate::error::{count, harmless};
use jiff::Timestamp;
use quick_xml::escape::escape;

const STYLE: &str = include_str!("feedback.css");

/// What a student gets to read.
#[derive(Debug, Clone, Copy)]
pub struct Feedback<'a> {
    /// Who it is for.
    pub student: &'a Student,
    /// The student's grades.
    pub grades: &'a [Grade],
    /// The course, for its title and for what each module counts.
    pub course: Option<&'a CourseFile>,
}

impl Feedback<'_> {
    /// The page.
    #[must_use]
    pub fn html(&self) -> String {
        let (title, name) = (safe(self.title()), safe(self.name()));
        let total = self.total().map_or_else(String::new, |total| {
            format!("<p class=\"score\">Course: {}</p>\n", safe(&total))
        });
        let modules: String = self.grades.iter().map(section).collect();
        format!(
            "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
             <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n\
             <title>{title}: {name}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n<main>\n\
             <h1>{name}</h1>\n<p class=\"soft\">{title}</p>\n{total}{modules}</main>\n</body>\n</html>\n"
        )
    }

    /// The text.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = format!("{}\n{}\n", self.name(), self.title());
        if let Some(total) = self.total() {
            text.push_str(&format!("Course: {total}\n"));
        }
        for grade in self.grades {
            text.push_str(&format!("\n{}: {}\n{}\n", grade.module, score(grade), submitted(grade)));
            grade.cells.iter().for_each(|cell| text.push_str(&lines(cell)));
        }
        harmless(&text)
    }

    fn title(&self) -> &str {
        self.course.map_or("Feedback", |course| &course.title)
    }

    fn name(&self) -> &str {
        if self.student.name.is_empty() { self.student.id.as_str() } else { &self.student.name }
    }

    /// The points in the course, where it is known what each module counts.
    fn total(&self) -> Option<String> {
        let (earned, all) = in_course(self.grades, self.course?);
        let is_final = self.grades.iter().all(|grade| grade.score().ungraded == 0);
        let so_far = if is_final { "" } else { " so far" };
        Some(format!("{earned:.1} of {}{so_far}", points(all)))
    }
}

fn section(grade: &Grade) -> String {
    let total = grade.score();
    let (module, score) = (safe(&grade.module), safe(&score(grade)));
    let cells: String = grade.cells.iter().map(item).collect();
    format!(
        "<section>\n<div class=\"head\"><h2>{module}</h2><span class=\"score\">{score}</span></div>\n\
         <p class=\"soft\">{}</p>\n\
         <meter min=\"0\" max=\"{max}\" low=\"{low}\" high=\"{high}\" optimum=\"{max}\" value=\"{}\">{score}</meter>\n\
         <ul>\n{cells}</ul>\n</section>\n",
        safe(&submitted(grade)),
        total.points,
        max = total.max_points.max(1),
        low = f64::from(total.max_points) * 0.4,
        high = f64::from(total.max_points) * 0.8,
    )
}

fn item(cell: &CellGrade) -> String {
    let class = match cell.score() {
        _ if cell.is_full() => "good",
        Some(0.0) => "bad",
        _ => "part",
    };
    let part = |open: &str, text: &str, close: &str| match text {
        "" => String::new(),
        text => format!("\n{open}{}{close}", safe(text)),
    };
    let items: String =
        cell.rubric.iter().map(|it| part("<p class=\"item\">", &it.to_string(), "</p>")).collect();
    format!(
        "<li><div class=\"head\"><span><span class=\"id\">{}</span> <span class=\"{class}\">{}</span></span>\
         <span class=\"score\">{}</span></div>{}{items}{}</li>\n",
        safe(&cell.grade_id),
        happened(cell),
        cell_score(cell),
        part("<pre>", cell.message.trim_end(), "</pre>"),
        part("<blockquote>", &cell.comment, "</blockquote>"),
    )
}

fn lines(cell: &CellGrade) -> String {
    let mut text = format!("  {}: {}, {}\n", cell.grade_id, cell_score(cell), happened(cell));
    let mut indented = |mark: &str, part: &str| {
        part.lines().for_each(|line| text.push_str(&format!("    {mark}{line}\n")));
    };
    indented("", &cell.message);
    cell.rubric.iter().for_each(|item| indented("* ", &item.to_string()));
    indented("> ", &cell.comment);
    text
}

/// What happened, in the student's words.
fn happened(cell: &CellGrade) -> &'static str {
    match (cell.manual, cell.outcome) {
        (Some(_), _) => "graded by hand",
        (None, None) if cell.is_answer => "not graded yet",
        (None, None) => "comment",
        (None, Some(_)) if cell.is_answer => "not answered",
        (None, Some(Outcome::Passed)) => "passed",
        (None, Some(Outcome::Failed)) => "failed",
        (None, Some(Outcome::DidNotCompile)) => "does not compile",
        (None, Some(Outcome::TimedOut)) => "took too long",
        (None, Some(Outcome::Attack)) => "rejected: it tampers with the grader",
        (None, Some(Outcome::NotAttempted)) => "not attempted",
        (None, Some(Outcome::GraderFault)) => "not graded yet: the grader failed, not your code",
    }
}

fn cell_score(cell: &CellGrade) -> String {
    let max = points(cell.max_points);
    cell.score().map_or_else(|| format!("? of {max}"), |score| format!("{score} of {max}"))
}

fn score(grade: &Grade) -> String {
    let total = grade.score();
    let again = match total.ungraded {
        0 => String::new(),
        some => format!(", {} not graded yet", count(some, "cell")),
    };
    format!("{} of {}{again}", total.points, points(total.max_points))
}

fn points(number: u32) -> String {
    count(number as usize, "point")
}

fn submitted(grade: &Grade) -> String {
    let time = Timestamp::from_second(grade.submitted).map_or_else(
        |_| "at an unknown time".to_owned(),
        |time| time.strftime("%Y-%m-%d %H:%M UTC").to_string(),
    );
    let late = if grade.late { ", after the deadline" } else { "" };
    let sandbox = if grade.sandboxed { "" } else { "; the tests ran without a sandbox" };
    format!("Submitted {time}{late}{sandbox}")
}

/// Text that is neither markup nor able to change the direction of what is around it.
fn safe(text: &str) -> String {
    escape(harmless(text)).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::classroom::rubric::Item;
    use crate::classroom::samples::{cell, grade};
    use crate::curriculum::Course;

    fn student(name: &str) -> Student {
        let id = "ada".to_owned().try_into().unwrap();
        Student { id, name: name.into(), email: String::new() }
    }

    #[test]
    fn a_student_reads_points_reasons_and_comments() {
        let by_hand = CellGrade {
            manual: Some(2.5),
            comment: "A good try.".into(),
            message: "left: 1\nright: 2".into(),
            ..cell("test-failed", Some(0), Outcome::Failed)
        };
        let message = "the disk is full".into();
        let fault = CellGrade { message, ..cell("test-fault", None, Outcome::GraderFault) };
        let passed = cell("test-passed", Some(5), Outcome::Passed);
        let item = Item { text: "names a & b".into(), points: 2.0 };
        let answer = CellGrade {
            is_answer: true,
            outcome: None,
            message: "Rows lie\nin order.".into(),
            ..cell("answer-rows", None, Outcome::Passed)
        };
        let graded = CellGrade { manual: Some(2.0), rubric: vec![item], ..answer.clone() };
        let grades = [grade(vec![passed, by_hand, fault, graded, answer])];
        let text = "title = \"ML systems\"\n[[module]]\nname = \"01\"\npoints = 30\n";
        let course = CourseFile::parse(text, Course::tinytorch()).unwrap();
        let ada = student("Ada Lovelace");
        let feedback = Feedback { student: &ada, grades: &grades, course: Some(&course) };
        insta::assert_snapshot!(feedback.text(), @r"
        Ada Lovelace
        ML systems
        Course: 11.4 of 30 points so far

        01_tensor: 9.5 of 25 points, 2 cells not graded yet
        Submitted 2026-09-21 14:13 UTC, after the deadline
          test-passed: 5 of 5 points, passed
          test-failed: 2.5 of 5 points, graded by hand
            left: 1
            right: 2
            > A good try.
          test-fault: ? of 5 points, not graded yet: the grader failed, not your code
            the disk is full
          answer-rows: 2 of 5 points, graded by hand
            Rows lie
            in order.
            * +2 names a & b
          answer-rows: ? of 5 points, not graded yet
            Rows lie
            in order.
        ");
        let html = feedback.html();
        for part in [
            "<h1>Ada Lovelace</h1>",
            "left: 1\nright: 2</pre>",
            "A good try.</blockquote>",
            "<p class=\"item\">+2 names a &amp; b</p>",
        ] {
            assert!(html.contains(part), "{part}: {html}");
        }
    }

    #[test]
    fn nothing_that_a_student_wrote_becomes_markup() {
        const HOSTILE: &str = "</pre><script>alert(1)</script>\"'& \u{202e}\x1b[2J";
        let mut hostile = cell(HOSTILE, Some(0), Outcome::Failed);
        (hostile.message, hostile.comment) = (HOSTILE.into(), HOSTILE.into());
        let grades = [Grade { module: HOSTILE.into(), ..grade(vec![hostile]) }];
        let mallory = student(HOSTILE);
        let feedback = Feedback { student: &mallory, grades: &grades, course: None };
        let html = feedback.html();
        assert!(!html.contains("<script") && !html.contains('\u{202e}') && !html.contains('\x1b'));
        assert_eq!(html.matches("</pre>").count(), 1);
        assert!(html.contains("&lt;script&gt;"), "{html}");
        assert!(!feedback.text().contains('\x1b'));
    }

    #[test]
    fn a_page_loads_nothing_from_elsewhere() {
        let ada = student("");
        let grades = [grade(vec![cell("test-a", Some(5), Outcome::Passed)])];
        let html = Feedback { student: &ada, grades: &grades, course: None }.html();
        for word in ["http://", "https://", "src=", "href=", "@import", "url("] {
            assert!(!html.contains(word), "{word}");
        }
        assert!(html.contains("default-src 'none'") && html.contains("<h1>ada</h1>"));
    }
}
