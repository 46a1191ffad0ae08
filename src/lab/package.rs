//! The engine as an ordinary Cargo package: for rust-analyzer in a lab, and for a learner's exported
//! engine. Pure: the text of each module becomes files by their path.

use crate::curriculum::{Course, Module};
use std::path::PathBuf;
use tinytorch::sources;

/// The parts of the engine's manifest that only its own development needs.
const DEVELOPMENT: [&str; 5] = ["dev-dependencies", "bench", "test", "example", "features"];
/// The fields of its `[package]` that are about publishing it.
const PUBLISHING: [&str; 4] = ["include", "readme", "keywords", "categories"];

/// The package's files with the text that `source` gives for each module.
pub fn files(course: &Course, source: impl Fn(&Module) -> String) -> Vec<(PathBuf, Vec<u8>)> {
    let file = |name: &str, bytes: &[u8]| (PathBuf::from("src").join(name), bytes.to_vec());
    let text = |name: &str, reference: &str| {
        let module = course.modules().iter().find(|module| module.name == name);
        module.map_or_else(|| reference.to_owned(), &source)
    };
    let modules = sources::MODULES
        .iter()
        .map(|(name, reference)| file(&format!("{name}.rs"), text(name, reference).as_bytes()));
    let support = sources::SUPPORT.iter().map(|(name, text)| file(name, text.as_bytes()));
    let data = sources::DATA.iter().map(|(name, bytes)| file(name, bytes));
    modules.chain(support).chain(data).chain([file("lib.rs", root().as_bytes())]).collect()
}

/// The crate's root without the `sources` module, which only the tutor needs.
fn root() -> String {
    let offers = "#[cfg(feature = \"sources\")]\npub mod sources;\n";
    sources::ROOT.replace(offers, "")
}

/// The package's manifest, with `more` added, such as examples.
pub fn manifest(more: toml::Table) -> String {
    // The text was embedded when this program was built, and a test reads it.
    let mut manifest: toml::Table = sources::MANIFEST.parse().unwrap_or_default();
    for key in DEVELOPMENT {
        manifest.remove(key);
    }
    if let Some(package) = manifest.get_mut("package").and_then(toml::Value::as_table_mut) {
        package.retain(|key: &str, _| !PUBLISHING.contains(&key));
    }
    manifest.extend(more);
    format!("# Written by tinytorch-tutor.\n{manifest}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_manifest_keeps_what_the_engine_needs_and_nothing_else() {
        let manifest = manifest(toml::Table::new());
        assert!(manifest.contains("ndarray") && manifest.contains("name = \"tinytorch\""));
        for key in ["proptest", "[[example]]", "sources", "readme", "include"] {
            assert!(!manifest.contains(key), "{key} in {manifest}");
        }
    }

    #[test]
    fn every_module_of_the_root_has_its_file() {
        let files = files(Course::tinytorch(), |module| module.reference().to_owned());
        for line in root().lines() {
            let Some(name) = line.strip_prefix("pub mod ").and_then(|l| l.strip_suffix(';')) else {
                continue;
            };
            let names = [format!("src/{name}.rs"), format!("src/{name}/mod.rs")];
            let found = files.iter().any(|(path, _)| names.iter().any(|name| path.ends_with(name)));
            assert!(found, "{line}");
        }
    }
}
