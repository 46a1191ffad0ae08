//! The grade of a submission: what the tests gave it and what the instructor changed. Plain data. Must not know where it is
//! kept.

use super::CourseFile;
use super::result::Outcome;
use super::rubric::Item;
use super::student::StudentId;
use serde::Serialize;

/// The grade of one student's submission of one module.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Grade {
    /// The student.
    pub student: StudentId,
    /// The module's slug.
    pub module: String,
    /// When it was submitted, in seconds since 1970.
    pub submitted: i64,
    /// Whether that was after the deadline.
    pub late: bool,
    /// Whether its tests ran inside the sandbox.
    pub sandboxed: bool,
    /// Its cells: those of the submission in file order, then those that only the instructor graded.
    pub cells: Vec<CellGrade>,
}

/// The grade of one cell.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CellGrade {
    /// nbgrader's name of the cell.
    pub grade_id: String,
    /// The points that it is worth.
    pub max_points: u32,
    /// The points from its tests, 0 where there is no answer; `None` while it has no grade.
    pub automatic: Option<u32>,
    /// What happened to its tests; `None` where only the instructor graded it.
    pub outcome: Option<Outcome>,
    /// Why, for the student; what the student wrote, where it is an answer.
    pub message: String,
    /// The points that the instructor gave: they replace those from the tests.
    pub manual: Option<f64>,
    /// What the instructor wrote.
    pub comment: String,
    /// The items of the rubric that the instructor chose.
    pub rubric: Vec<Item>,
    /// Whether it is free text, which only the instructor can grade: then `message` is what the student wrote.
    pub is_answer: bool,
}

/// The points of a grade.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize)]
pub struct Score {
    /// What it got so far.
    pub points: f64,
    /// What its cells are worth.
    pub max_points: u32,
    /// How many cells have no grade yet.
    pub ungraded: usize,
}

impl Grade {
    /// The points of all cells.
    #[must_use]
    pub fn score(&self) -> Score {
        self.cells.iter().fold(Score::default(), |score, cell| Score {
            points: score.points + cell.score().unwrap_or(0.0),
            max_points: score.max_points.saturating_add(cell.max_points),
            ungraded: score.ungraded + usize::from(cell.score().is_none()),
        })
    }

    /// What it counts in a course where the module is worth that many points.
    fn scaled(&self, points: u32) -> f64 {
        let score = self.score();
        match score.max_points {
            0 => 0.0,
            all => score.points / f64::from(all) * f64::from(points),
        }
    }
}

/// What a student's grades count in the course, and what all its modules are worth.
#[must_use]
pub fn in_course(grades: &[Grade], course: &CourseFile) -> (f64, u32) {
    let of = |grade: &Grade| Some(grade.scaled(course.assignment(&grade.module)?.points));
    let all = course.assignments.iter().map(|assignment| assignment.points).sum();
    (grades.iter().filter_map(of).sum(), all)
}

impl CellGrade {
    /// Its points: the instructor's, else those of the tests. `None` while it has no grade.
    #[must_use]
    pub fn score(&self) -> Option<f64> {
        match (self.manual, self.outcome) {
            (Some(points), _) => Some(points),
            // A comment on a cell without tests.
            (None, None) if !self.is_answer => Some(0.0),
            (None, _) => self.automatic.map(f64::from),
        }
    }

    /// Whether it has all its points.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.score().is_some_and(|points| points >= f64::from(self.max_points))
    }
}
