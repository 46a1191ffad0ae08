//! Made-up grades for tests. Must not know what is tested.

use super::grade::{CellGrade, Grade};
use super::result::Outcome;

/// A cell that is worth 5 points.
pub(super) fn cell(grade_id: &str, automatic: Option<u32>, outcome: Outcome) -> CellGrade {
    CellGrade {
        grade_id: grade_id.into(),
        max_points: 5,
        automatic,
        outcome: Some(outcome),
        message: String::new(),
        manual: None,
        comment: String::new(),
        rubric: vec![],
        is_answer: false,
    }
}

/// Ada's submission of the tensor module, after the deadline.
pub(super) fn grade(cells: Vec<CellGrade>) -> Grade {
    Grade {
        student: "ada".to_owned().try_into().unwrap(),
        module: "01_tensor".into(),
        submitted: 1_790_000_000,
        late: true,
        sandboxed: true,
        cells,
    }
}
