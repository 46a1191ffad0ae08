//! What the patterns require of an engine module: the file that is reference, exercise and notebook at once.

use super::{Found, Texts, earlier, form, id, in_source, line_of};
use crate::curriculum::cells::{self, Cell, CellKind, section};
use std::collections::HashSet;

/// Modules of the engine that every lesson may use and no learner writes.
const SUPPORT: &[&str] = &[
    "backend",
    "baselines",
    "bytes",
    "cache",
    "counters",
    "data",
    "explore",
    "flate2",
    "footprints",
    "harness",
    "insights",
    "kernels",
    "libm",
    "ndarray",
    "operations",
    "packed",
    "planes",
    "powers",
    "probe",
    "random",
    "ranges",
    "report",
    "row_products",
    "rows",
    "sampling",
    "shapes",
    "simd",
    "submission",
    "testing",
    "threads",
    "trace",
    "unpacked",
];

fn solutions<'a>(texts: &'a Texts) -> impl Iterator<Item = &'a Cell<'a>> {
    texts.cells.iter().filter(|cell| cell.kind == CellKind::Solution)
}

pub(super) fn scaffolding(texts: &Texts) -> Vec<Found> {
    solutions(texts).flat_map(scaffold).collect()
}

fn scaffold(cell: &Cell) -> Vec<Found> {
    let missing = |heading: &&&str| section(cell, heading).is_none_or(|lines| lines.is_empty());
    let mut found: Vec<Found> = ["TODO", "APPROACH", "EXAMPLE", "HINTS"]
        .iter()
        .filter(missing)
        .map(|heading| in_source(cell.first_line, format!("{}: {heading} is missing", id(cell))))
        .collect();
    let (mut open, mut regions) = (false, 0);
    for (index, line) in cell.text.lines().enumerate() {
        let (line, number) = (line.trim_start(), cell.first_line + index);
        let (begins, ends) =
            (line.starts_with("// BEGIN SOLUTION"), line.starts_with("// END SOLUTION"));
        if (begins && open) || (ends && !open) {
            found.push(in_source(number, "BEGIN SOLUTION and END SOLUTION do not alternate"));
        }
        let headed = ["/// TODO:", "/// APPROACH:", "/// EXAMPLE:", "/// HINTS:"];
        if open && headed.iter().any(|heading| line.starts_with(heading)) {
            found.push(in_source(number, "scaffolding inside the region is cut with it"));
        }
        open = begins || (open && !ends);
        regions += usize::from(begins);
    }
    if open || regions == 0 {
        let reason = format!("{}: needs BEGIN SOLUTION and END SOLUTION", id(cell));
        found.push(in_source(cell.first_line, reason));
    }
    found
}

pub(super) fn unit_tests(texts: &Texts) -> Vec<Found> {
    let code: Vec<&Cell> =
        texts.cells.iter().filter(|cell| cell.kind != CellKind::Markdown).collect();
    let untested = code.iter().enumerate().filter(|(_, cell)| cell.kind == CellKind::Solution);
    let untested = untested.filter_map(|(index, cell)| {
        let wanted = format!("test-{}", id(cell));
        let next = code.get(index + 1).filter(|next| next.kind == CellKind::Test);
        let reason = match next {
            Some(next) if id(next) == wanted => return None,
            _ => format!("{}: its test \"{wanted}\" must come directly after it", id(cell)),
        };
        Some(in_source(cell.first_line, reason))
    });
    let tests = code.iter().filter(|cell| cell.kind == CellKind::Test);
    let misnamed = tests.filter_map(|cell| match cell.tests()[..] {
        [name] if name == "test_module" || name.starts_with("test_unit_") => None,
        [name] => Some(in_source(
            cell.first_line,
            format!("{name}: a unit test must be named test_unit_*"),
        )),
        _ => Some(in_source(
            cell.first_line,
            format!("{}: a test cell must have exactly one test", id(cell)),
        )),
    });
    untested.chain(misnamed).chain(unseen(texts)).collect()
}

/// What the test cells name although it cannot be seen from a separate crate.
fn unseen(texts: &Texts) -> Vec<Found> {
    let tests = texts.cells.iter().filter(|cell| cell.kind == CellKind::Test);
    tests.flat_map(|test| unseen_in(test, texts)).collect()
}

fn unseen_in(test: &Cell, texts: &Texts) -> Vec<Found> {
    let reason = |(name, cell)| {
        format!(
            "{}: the tests are compiled as a crate of their own, which cannot see `{name}` of \"{cell}\": \
             make it `pub`, or move it into the test",
            id(test)
        )
    };
    let unseen = cells::unseen(test, &texts.cells).into_iter();
    unseen.map(|place| in_source(test.first_line, reason(place))).collect()
}

pub(super) fn analyses(texts: &Texts) -> Vec<Found> {
    let there: Vec<(&Cell, &str)> = texts
        .cells
        .iter()
        .flat_map(|cell| cell.analyses().into_iter().map(move |name| (cell, name)))
        .collect();
    let mut found = vec![];
    if !(2..=3).contains(&there.len()) {
        let number = there.len();
        found.push(in_source(1, format!("analyses: {number}; two or three are required")));
    }
    for (cell, name) in there {
        let comment = doc_comment(cell.text, name).to_lowercase();
        let line = line_of(texts.source, &format!("pub fn {name}("));
        for part in ["Purpose", "Measured", "Key insight", "Production context"] {
            if !comment.contains(&format!("{}:", part.to_lowercase())) {
                found.push(in_source(line, format!("{name}: its comment has no \"{part}:\"")));
            }
        }
    }
    found
}

/// The doc comment over a function, as one line.
fn doc_comment(text: &str, function: &str) -> String {
    let head = format!("pub fn {function}(");
    let above: Vec<&str> = text.lines().take_while(|line| !line.starts_with(&head)).collect();
    let lines = above.iter().rev().take_while(|line| line.starts_with("///"));
    let lines: Vec<&str> = lines.map(|line| line.trim_start_matches('/').trim()).collect();
    lines.into_iter().rev().collect::<Vec<_>>().join(" ")
}

pub(super) fn final_cells(texts: &Texts) -> Vec<Found> {
    let mut found = vec![];
    let tests: Vec<&str> = texts.cells.iter().flat_map(Cell::tests).collect();
    if tests.iter().filter(|name| **name == "test_module").count() != 1 {
        found.push(in_source(1, "one test cell must have test_module"));
    }
    let Some(main) = texts.cells.iter().find(|cell| cell.text.contains("\npub fn main() {")) else {
        found.push(in_source(1, "`pub fn main()` is missing"));
        return found;
    };
    let body = main.text.split("pub fn main() {").nth(1).unwrap_or_default();
    let names = texts.cells.iter().flat_map(Cell::analyses);
    let uncalled = names.filter(|name| !body.contains(&format!("{name}(")));
    found.extend(
        uncalled.map(|name| in_source(main.first_line, format!("main does not run {name}"))),
    );
    found.extend(form::order(texts));
    found
}

pub(super) fn emoji(texts: &Texts) -> Vec<Found> {
    let mut found = vec![];
    for cell in &texts.cells {
        let tests = cell.tests().into_iter().filter(|_| cell.kind == CellKind::Test).map(|name| {
            (name, if name == "test_module" { "🧪" } else { "🔬" }, cell.text.to_owned())
        });
        let analyses = cell.analyses().into_iter();
        let analyses =
            analyses.map(|name| (name, "📊", format!("/// {}", doc_comment(cell.text, name))));
        for (name, sign, text) in tests.chain(analyses) {
            if !text.contains(&format!("/// {sign} ")) {
                found.push(in_source(
                    cell.first_line,
                    format!("{name}: its comment must begin with {sign}"),
                ));
            }
        }
    }
    let first = texts.cells.iter().find(|cell| cell.kind == CellKind::Markdown);
    if !first.is_some_and(|cell| cell.text.contains("\n// # 🎯 ")) {
        let line = first.map_or(1, |cell| cell.first_line);
        found.push(in_source(line, "the first markdown cell must begin with \"# 🎯 ...\""));
    }
    found
}

pub(super) fn imports(texts: &Texts) -> Vec<Found> {
    let known: HashSet<&str> = earlier(texts).chain(SUPPORT.iter().copied()).collect();
    let is_allowed = |name: &str| {
        let number = texts
            .course
            .modules()
            .iter()
            .find(|module| module.name == name)
            .map(|module| module.id);
        number.is_none_or(|number| texts.module.prerequisites.contains(&number))
    };
    let mut found = vec![];
    for (index, line) in texts.source.lines().enumerate() {
        let code = line.split("//").next().unwrap_or_default();
        for path in code.split("tinytorch::").skip(1) {
            let name =
                path.split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap_or_default();
            let reason = match name {
                "" => "write one `use` line for each module: `use tinytorch::NAME::...`".to_owned(),
                name if !known.contains(name) => {
                    format!("`tinytorch::{name}` is not an earlier module")
                }
                name if !is_allowed(name) => {
                    format!("{name} is not among the module's prerequisites")
                }
                _ => continue,
            };
            found.push(in_source(index + 1, reason));
        }
        if code.contains("crate::") {
            found
                .push(in_source(index + 1, "name earlier modules as `tinytorch::`, not `crate::`"));
        }
    }
    found
}
