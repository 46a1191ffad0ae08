//! Which file of the crate imports from which, read from the text: `use` lines and paths in code, followed through the
//! re-exports of a `mod.rs` to the file that defines the name.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// For each module (`runner::queue`) those that it imports from. Tests are left out.
pub type Graph = BTreeMap<String, BTreeSet<String>>;

/// The graph of all files below `src`, without the engine, which is a crate of its own.
pub fn graph(src: &Path) -> Graph {
    let modules = modules(src);
    let edges = |(name, text): (&String, &String)| {
        let used = paths(text).into_iter().filter_map(|path| target(name, &path, &modules));
        (name.clone(), used.filter(|other| !inside(other, name)).collect())
    };
    modules.iter().map(edges).collect()
}

/// Groups of modules that import from each other, each once.
pub fn cycles(graph: &Graph) -> Vec<Vec<String>> {
    let reached: BTreeMap<&String, BTreeSet<&String>> =
        graph.keys().map(|from| (from, reachable(graph, from))).collect();
    let mut groups: BTreeSet<Vec<String>> = BTreeSet::new();
    for (from, there) in &reached {
        let both = there.iter().filter(|to| reached[*to].contains(from));
        let group: BTreeSet<&String> = both.copied().chain([*from]).collect();
        if group.len() > 1 {
            groups.insert(group.into_iter().cloned().collect());
        }
    }
    groups.into_iter().collect()
}

fn reachable<'a>(graph: &'a Graph, from: &'a String) -> BTreeSet<&'a String> {
    let (mut seen, mut next) = (BTreeSet::new(), vec![from]);
    while let Some(module) = next.pop() {
        let new =
            graph.get(module).into_iter().flatten().filter(|other| graph.contains_key(*other));
        next.extend(new.filter(|other| seen.insert(*other)));
    }
    seen
}

/// Whether `name` is a parent of `other`, or the same: a parent lists its children, which is no import.
fn inside(other: &str, name: &str) -> bool {
    other == name || other.strip_prefix(name).is_some_and(|rest| rest.starts_with("::"))
}

/// Every module's text up to its tests, by its name.
fn modules(src: &Path) -> BTreeMap<String, String> {
    let (mut found, mut folders) = (BTreeMap::new(), vec![src.to_owned()]);
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_stem().unwrap().to_string_lossy().into_owned();
            if path.is_dir() && name != "tinytorch" && name != "fixture" {
                folders.push(path);
            } else if path.extension().is_some_and(|kind| kind == "rs")
                && !["main", "lib", "tests", "fixture"].contains(&name.as_str())
            {
                let text = std::fs::read_to_string(&path).unwrap();
                let text = text.split("\n#[cfg(test)]\nmod tests").next().unwrap_or_default();
                found.insert(module_name(src, &path), text.to_owned());
            }
        }
    }
    found
}

/// `src/runner/build/mod.rs` is `runner::build`.
fn module_name(src: &Path, path: &Path) -> String {
    let path: PathBuf = path.strip_prefix(src).unwrap().with_extension("");
    let parts: Vec<_> = path.iter().map(|part| part.to_string_lossy()).collect();
    let parts = if parts.last().is_some_and(|last| last == "mod") {
        &parts[..parts.len() - 1]
    } else {
        &parts[..]
    };
    parts.join("::")
}

/// The paths that begin with `crate`, `super` or `self` in a text, with groups in braces expanded.
fn paths(text: &str) -> Vec<String> {
    let code: String = text
        .lines()
        .map(|line| line.split("//").next().unwrap_or_default())
        .collect::<Vec<_>>()
        .join(" ");
    let mut found = vec![];
    for start in ["crate::", "super::", "self::"] {
        for (at, _) in code.match_indices(start) {
            let before = code[..at].chars().next_back();
            if before.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == ':') {
                continue;
            }
            found.extend(expand(&code[at..]));
        }
    }
    found
}

/// `a::{b, c::D}` as `a::b` and `a::c::D`.
fn expand(text: &str) -> Vec<String> {
    let end =
        text.find(|c: char| !c.is_alphanumeric() && c != '_' && c != ':').unwrap_or(text.len());
    let (head, rest) = text.split_at(end);
    let Some(group) = rest.strip_prefix('{').filter(|_| head.ends_with("::")) else {
        return vec![head.trim_end_matches(':').to_owned()];
    };
    let (mut depth, mut start, mut all) = (0, 0, vec![]);
    for (at, c) in group.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth > 0 => depth -= 1,
            ',' | '}' if depth == 0 => {
                let part = group[start..at].trim();
                let names = if part.is_empty() { vec![] } else { expand(part) };
                all.extend(names.into_iter().map(|name| format!("{head}{name}")));
                start = at + 1;
                if c == '}' {
                    return all;
                }
            }
            _ => {}
        }
    }
    all
}

/// The module in which the last name of a path is defined, seen from module `from`.
fn target(from: &str, path: &str, modules: &BTreeMap<String, String>) -> Option<String> {
    let mut here: Vec<&str> = from.split("::").collect();
    let mut parts = path.split("::").peekable();
    match parts.next()? {
        "crate" => here.clear(),
        "super" => drop(here.pop()),
        _ => {}
    }
    while parts.next_if_eq(&"super").is_some() {
        here.pop();
    }
    let mut module = here.join("::");
    for part in parts {
        let child = if module.is_empty() { part.to_owned() } else { format!("{module}::{part}") };
        if modules.contains_key(&child) {
            module = child;
            continue;
        }
        // Not a module: a name that this one defines, or re-exports from a child.
        let text = modules.get(&module)?;
        let exported = paths_of_exports(text)
            .into_iter()
            .find(|export| export.ends_with(&format!("::{part}")));
        return match exported {
            Some(export) => target(&format!("{module}::_"), &format!("super::{export}"), modules),
            None => Some(module),
        };
    }
    Some(module)
}

/// What a `mod.rs` re-exports from its children: `process::Cancel` for `pub use process::Cancel;`.
fn paths_of_exports(text: &str) -> Vec<String> {
    let lines = text.split(';').map(str::trim);
    let exports = lines.filter_map(|line| {
        let at = line.rfind("use ")?;
        let path = line[at + 4..].trim();
        let foreign =
            ["crate::", "super::", "std::", "self::"].iter().any(|start| path.starts_with(start));
        (!foreign).then(|| expand(path))
    });
    exports.flatten().collect()
}
