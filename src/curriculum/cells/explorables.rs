//! The interactive figures of a module: given functions named `explore_*`, each with a doc comment that is shown to
//! the learner. Not here: what they compute.

use super::{CellKind, function, parse};

/// An interactive figure, as its doc comment describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explorable {
    /// The function: `explore_learning_rate`.
    pub name: String,
    /// The first line of the doc comment, without its full stop.
    pub title: String,
    /// The rest of it: what to try.
    pub about: String,
    /// The function's line, from 1.
    pub line: usize,
}

/// The interactive figures of a text, in file order.
#[must_use]
pub fn explorables(text: &str) -> Vec<Explorable> {
    let mut found = vec![];
    for cell in parse(text).iter().filter(|cell| cell.kind == CellKind::Given) {
        let lines: Vec<&str> = cell.text.lines().collect();
        for (index, line) in lines.iter().enumerate() {
            if line.starts_with("pub fn explore_") {
                let name = function(line).unwrap_or_default().to_owned();
                let (title, about) = comment(&lines[..index]);
                found.push(Explorable { name, title, about, line: cell.first_line + index });
            }
        }
    }
    found
}

/// The doc comment at the end of these lines: its first line, and the rest as one paragraph.
fn comment(above: &[&str]) -> (String, String) {
    let start = above.iter().rposition(|line| !line.starts_with("///")).map_or(0, |at| at + 1);
    let mut lines = above[start..].iter().map(|line| line.trim_start_matches('/').trim());
    let title = lines.next().unwrap_or_default().trim_end_matches('.').to_owned();
    (title, lines.collect::<Vec<_>>().join(" ").trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_figure_has_a_title_and_what_to_try() {
        let text = "// %% nbgrader={\"grade\": false, \"grade_id\": \"t-explore\", \"locked\": true, \
            \"schema_version\": 3, \"solution\": false, \"task\": false}\n/// No part of it.\nstruct X;\n\n\
            /// Learning rate.\n///\n/// Find a rate\n/// that arrives.\n\
            pub fn explore_rate(figure: &mut Explorer) {}\n\nfn explore_hidden() {}\n";
        let expected = Explorable {
            name: "explore_rate".into(),
            title: "Learning rate".into(),
            about: "Find a rate that arrives.".into(),
            line: 9,
        };
        assert_eq!(explorables(text), [expected]);
        let own = text.replace("\"locked\": true", "\"locked\": false");
        assert_eq!(explorables(&own), [], "a learner's own function is not a figure of the lesson");
    }
}
