//! The rules of the architecture that the compiler does not check: which component may use which, as `ARCHITECTURE.md`
//! says; no import cycles, not even inside a component; what a file must never name; a header in every file; a reason
//! for every dependency.
#![expect(clippy::unwrap_used, reason = "helpers of tests; a panic there is the verdict")]

#[path = "architecture/imports.rs"]
mod imports;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: impl AsRef<Path>) -> String {
    let path = root().join(path);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Every Rust file below a folder of the repository.
fn rust_files(folder: &str) -> Vec<PathBuf> {
    let mut files = vec![];
    let mut folders = vec![root().join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            // A fixture is data: what a test needs, not part of the architecture.
            if path.is_dir() && !path.ends_with("fixture") && !path.ends_with("fixtures") {
                folders.push(path);
            } else if path.extension().is_some_and(|kind| kind == "rs") {
                files.push(path);
            }
        }
    }
    files.sort();
    files
}

/// The rows of the table under a heading, as cells without surrounding spaces.
fn table(heading: &str) -> Vec<Vec<String>> {
    let map = read("ARCHITECTURE.md");
    let part = map.split(&format!("\n## {heading}\n")).nth(1).expect("the heading is there");
    let rows = part.lines().skip_while(|line| !line.starts_with('|'));
    let rows = rows.take_while(|line| line.starts_with('|')).skip(2);
    rows.map(|row| row.split('|').map(|cell| cell.trim().to_owned()).collect()).collect()
}

/// Each component with the components that it may use.
fn allowed() -> BTreeMap<String, BTreeSet<String>> {
    let mut components: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for row in table("Components") {
        let component = row[1].trim_matches('`').to_owned();
        let (allowed, excluded) = row[3].split_once(" but ").unwrap_or((&row[3], ""));
        let names = |text: &str, name: &str| words(text).any(|word| word == name);
        let above = components.keys().filter(|other| !names(excluded, other));
        let may: BTreeSet<String> = match allowed {
            text if text.starts_with("every component above") => above.cloned().collect(),
            text => above.filter(|other| names(text, other)).cloned().collect(),
        };
        components.insert(component, may);
    }
    components
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !c.is_alphanumeric() && c != '_').filter(|word| !word.is_empty())
}

/// The components that a line of code names, as in `use crate::lab::Lab;`.
fn named(line: &str) -> impl Iterator<Item = &str> {
    let code = line.split("//").next().unwrap_or_default();
    code.split("crate::").skip(1).filter_map(|path| words(path).next())
}

#[test]
fn no_component_uses_what_the_map_does_not_allow() {
    let components = allowed();
    let may_use = |component: &str, other: &str| components[component].contains(other);
    assert!(may_use("runner", "curriculum") && !may_use("cli", "tui"), "{components:#?}");
    let mut violations = vec![];
    for (component, may) in &components {
        let folder = root().join("src").join(component);
        let mut files = vec![folder.with_extension("rs")];
        if folder.is_dir() {
            files.extend(rust_files(&format!("src/{component}")));
        }
        for file in files.iter().filter(|file| file.is_file()) {
            let text = read(file);
            for (index, line) in product(file, &text).lines().enumerate() {
                let foreign = named(line).find(|other| {
                    components.contains_key(*other) && *other != component && !may.contains(*other)
                });
                if let Some(other) = foreign {
                    let place = format!("{}:{}", file.display(), index + 1);
                    violations
                        .push(format!("{place}: {component} uses {other}; the map allows {may:?}"));
                }
            }
        }
    }
    assert!(violations.is_empty(), "{}", violations.join("\n"));
}

/// The part of a file that is not a test: tests may use what they need from anywhere.
fn product<'a>(file: &Path, text: &'a str) -> &'a str {
    let inside = file.strip_prefix(root()).unwrap_or(file);
    let is_test = inside.components().any(|part| {
        let part = part.as_os_str();
        part == "tests" || part == "tests.rs"
    });
    if is_test { "" } else { text.split("\n#[cfg(test)]\nmod tests").next().unwrap_or_default() }
}

#[test]
fn every_component_of_the_crate_is_on_the_map() {
    let components = allowed();
    let root = read("src/lib.rs");
    let declared = root.lines().filter_map(|line| line.strip_prefix("pub mod ")?.strip_suffix(';'));
    for name in declared {
        assert!(components.contains_key(name), "`{name}` has no row in ARCHITECTURE.md");
    }
}

#[test]
fn each_component_is_imported_on_a_line_of_its_own() {
    for file in rust_files("src") {
        assert!(
            !read(&file).contains("use crate::{"),
            "{}: one `use crate::COMPONENT` per line",
            file.display()
        );
    }
}

#[test]
fn no_file_imports_from_one_that_imports_from_it() {
    let graph = imports::graph(&root().join("src"));
    assert!(graph["runner::queue"].contains("runner::runner"), "the graph: {graph:#?}");
    let cycles: Vec<String> =
        imports::cycles(&graph).into_iter().map(|cycle| cycle.join(" -> ")).collect();
    assert!(cycles.is_empty(), "import cycles:\n{}", cycles.join("\n"));
}

#[test]
fn no_file_names_what_it_must_not_know() {
    let mut violations = vec![];
    for row in table("What a file must never name") {
        let place = row[1].trim_matches('`');
        let never: Vec<&str> = row[2].split('`').skip(1).step_by(2).collect();
        let folder = root().join("src").join(place);
        let files =
            if folder.is_dir() { rust_files(&format!("src/{place}")) } else { vec![folder] };
        assert!(!never.is_empty() && !files.is_empty(), "the row of {place} has no effect");
        for file in files {
            let text = read(&file);
            for (index, line) in product(&file, &text).lines().enumerate() {
                let code = line.split("//").next().unwrap_or_default();
                let named = never.iter().find(|word| code.contains(**word));
                if let Some(word) = named {
                    violations.push(format!("{}:{} names {word}", file.display(), index + 1));
                }
            }
        }
    }
    assert!(violations.is_empty(), "{}", violations.join("\n"));
}

#[test]
fn every_file_says_what_it_is() {
    let mut without_header = vec![];
    for file in ["src", "tests", "examples", "benches"].into_iter().flat_map(rust_files) {
        let text = read(&file);
        // An engine module begins with its notebook's head.
        let mut lines = text.lines().filter(|line| {
            !line.is_empty() && (!line.starts_with("//") || line.starts_with("//!"))
        });
        let first = lines.next().unwrap_or_default();
        if !first.starts_with("//! ") {
            without_header
                .push(format!("{}: begins with {first:?}, not with `//!`", file.display()));
        }
    }
    assert!(without_header.is_empty(), "{}", without_header.join("\n"));
}

#[test]
fn every_dependency_has_its_reason() {
    let reasons: BTreeSet<String> = table("Dependencies, each with its reason")
        .iter()
        .flat_map(|row| words(&row[1].replace('-', "_")).map(str::to_owned).collect::<Vec<_>>())
        .collect();
    for manifest in ["Cargo.toml", "src/tinytorch/Cargo.toml"] {
        let manifest: toml::Table = read(manifest).parse().unwrap();
        let targets = manifest.get("target").and_then(toml::Value::as_table).into_iter().flatten();
        let tables = [&manifest["dependencies"], &manifest["dev-dependencies"]]
            .into_iter()
            .chain(targets.map(|(_, target)| &target["dependencies"]));
        for table in tables {
            for name in table.as_table().unwrap().keys().filter(|name| *name != "tinytorch") {
                let known = reasons.contains(&name.replace('-', "_"));
                assert!(known, "{name} has no row in ARCHITECTURE.md: what is it for?");
            }
        }
    }
}
