//! Mutants: plausible wrong solutions of a module's cells, each with the idea that it misses. A test that lets one
//! pass is too weak; a failure that does not name the idea teaches nothing. They are in
//! `src/tinytorch/mutants/NN_name.toml`, for authors only. Pure. Not here: running them (`cli::mutants`).

use super::cells::{self, CellKind};
use serde::Deserialize;

/// How many wrong solutions each solution cell needs at least.
pub const PER_CELL: usize = 3;

/// A module's mutants, as they are written.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mutants {
    /// The wrong solutions.
    #[serde(default, rename = "mutant")]
    pub mutants: Vec<Mutant>,
    /// Cells that compute nothing worth getting wrong, with the reason.
    #[serde(default, rename = "exempt")]
    pub exempt: Vec<Exemption>,
}

/// One wrong solution.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mutant {
    /// The solution cell with the mistake.
    pub cell: String,
    /// What is done wrong, in a few words.
    pub mistake: String,
    /// Words of the idea that is missed: the failure of the cell's own test must contain them.
    pub idea: String,
    /// The part of the solution that is replaced; it occurs exactly once. Without it, all of the solution is.
    pub replace: Option<String>,
    /// The wrong code.
    pub with: String,
}

/// A cell that needs no mutants.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Exemption {
    /// The solution cell.
    pub cell: String,
    /// Why.
    pub reason: String,
}

/// Reads a file of mutants.
///
/// # Errors
/// When the text does not have this form; the TOML error names the line.
pub fn parse(text: &str) -> Result<Mutants, String> {
    toml::from_str(text).map_err(|error| error.to_string())
}

impl Mutants {
    /// The solution cells of `reference` that have fewer than [`PER_CELL`] mutants and no exemption, each with the
    /// number that it has.
    #[must_use]
    pub fn lacking(&self, reference: &str) -> Vec<(String, usize)> {
        let cells = cells::parse(reference).into_iter();
        let solutions = cells.filter(|cell| cell.kind == CellKind::Solution);
        let ids = solutions.filter_map(|cell| cell.grade_id);
        let exempt = |id: &String| self.exempt.iter().any(|exempt| exempt.cell == *id);
        let counted = ids.filter(|id| !exempt(id)).map(|id| {
            let number = self.mutants.iter().filter(|mutant| mutant.cell == id).count();
            (id, number)
        });
        counted.filter(|(_, number)| *number < PER_CELL).collect()
    }
}

impl Mutant {
    /// The reference with this mistake in it.
    ///
    /// # Errors
    /// When there is no such cell, or the part to replace does not occur exactly once in its solution.
    pub fn apply(&self, reference: &str) -> Result<String, String> {
        let parsed = cells::parse(reference);
        let is_its = |cell: &&cells::Cell| cell.grade_id.as_deref() == Some(&*self.cell);
        let cell = parsed.iter().filter(|cell| cell.kind == CellKind::Solution).find(is_its);
        let cell = cell.ok_or_else(|| format!("there is no solution cell \"{}\"", self.cell))?;
        let place = cells::solution(cell.text)
            .ok_or_else(|| format!("the cell \"{}\" has no solution region", self.cell))?;
        let solution = self.wrong(&cell.text[place.clone()])?;
        let text = format!("{}{solution}{}", &cell.text[..place.start], &cell.text[place.end..]);
        Ok(cells::replace(reference, &self.cell, &text))
    }

    /// The solution with the mistake in it.
    fn wrong(&self, solution: &str) -> Result<String, String> {
        let Some(part) = &self.replace else { return Ok(format!("{}\n", self.with.trim_end())) };
        match solution.matches(part).count() {
            1 => Ok(solution.replace(part, &self.with)),
            0 => Err(format!("the solution of \"{}\" does not contain {part:?}", self.cell)),
            many => {
                Err(format!("the solution of \"{}\" contains {part:?} {many} times", self.cell))
            }
        }
    }

    /// The name of the test that must fail: the one directly after the cell.
    #[must_use]
    pub fn test(&self, reference: &str) -> Option<String> {
        let id = format!("test-{}", self.cell);
        let cells = cells::parse(reference);
        let test = cells.iter().find(|cell| cell.grade_id.as_deref() == Some(&*id))?;
        test.tests().first().map(|&name| name.to_owned())
    }

    /// Whether a failure names the idea; capitals do not matter, nor how lines are broken.
    #[must_use]
    pub fn is_named(&self, failure: &str) -> bool {
        let plain =
            |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase();
        plain(failure).contains(&plain(&self.idea))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const REFERENCE: &str = r##"// %% nbgrader={"grade": false, "grade_id": "t-double", "locked": false, "schema_version": 3, "solution": true, "task": false}
pub fn double(x: f32) -> f32 {
    // BEGIN SOLUTION
    let sum = x + x;
    sum
    // END SOLUTION
}

// %% nbgrader={"grade": true, "grade_id": "test-t-double", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
#[test]
fn test_unit_double() {
    assert_eq!(double(2.0), 4.0);
}
"##;

    const MUTANTS: &str = r#"
[[mutant]]
cell = "t-double"
mistake = "squares"
idea = "Twice  the number"
replace = "x + x"
with = "x * x"

[[mutant]]
cell = "t-double"
mistake = "nothing at all"
idea = "twice"
with = "x"
"#;

    #[test]
    fn a_mutant_changes_its_part_of_the_solution_and_nothing_else() {
        let mutants = parse(MUTANTS).unwrap().mutants;
        let wrong = mutants[0].apply(REFERENCE).unwrap();
        assert_eq!(wrong, REFERENCE.replace("x + x", "x * x"));
        let wrong = mutants[1].apply(REFERENCE).unwrap();
        assert!(wrong.contains("// BEGIN SOLUTION\nx\n    // END SOLUTION"), "{wrong}");
        assert_eq!(mutants[0].test(REFERENCE).as_deref(), Some("test_unit_double"));
    }

    #[test]
    fn a_part_that_does_not_occur_exactly_once_is_refused() {
        let mut mutant = parse(MUTANTS).unwrap().mutants.remove(0);
        mutant.replace = Some("y".into());
        assert!(mutant.apply(REFERENCE).unwrap_err().contains("does not contain \"y\""));
        mutant.replace = Some("sum".into());
        assert!(mutant.apply(REFERENCE).unwrap_err().contains("2 times"));
        mutant.cell = "t-triple".into();
        assert!(mutant.apply(REFERENCE).unwrap_err().contains("t-triple"));
    }

    #[test]
    fn a_failure_names_the_idea_whatever_its_capitals_and_line_breaks() {
        let mutants = parse(MUTANTS).unwrap();
        assert!(mutants.mutants[0].is_named("got 9: twice\n  the number is x + x"));
        assert!(!mutants.mutants[0].is_named("left: 9, right: 6"));
    }

    #[test]
    fn a_cell_with_too_few_mutants_is_listed_unless_it_is_exempt() {
        let mutants = parse(MUTANTS).unwrap();
        assert_eq!(mutants.lacking(REFERENCE), [("t-double".to_owned(), 2)]);
        let exempt = format!("{MUTANTS}[[exempt]]\ncell = \"t-double\"\nreason = \"a test\"\n");
        assert_eq!(parse(&exempt).unwrap().lacking(REFERENCE), []);
        assert!(parse("[[mutant]]\ncell = 1").unwrap_err().contains("line 2"));
    }
}
