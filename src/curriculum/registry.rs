//! The modules of the course, in teaching order: one slice, from which lists, help, chain and
//! milestones follow.

use crate::error::Error;
use serde::{Deserialize, Serialize};

/// A module's number: its place in [`MODULES`] and in the chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ModuleId(pub u8);

/// A numbered unit of the course.
#[derive(Debug, PartialEq, Eq)]
pub struct Module {
    /// Its number.
    pub id: ModuleId,
    /// `tensor`: the name of the engine's module and of its file.
    pub name: &'static str,
    /// `Tensor`: as a heading.
    pub title: &'static str,
    /// What it builds, in a few words.
    pub subtitle: &'static str,
    /// Modules whose code it stands on.
    pub prerequisites: &'static [u8],
    lesson: &'static str,
}

macro_rules! module {
    ($number:literal, $name:literal, $title:literal, $subtitle:literal, $prerequisites:expr) => {
        Module {
            id: ModuleId($number),
            name: $name,
            title: $title,
            subtitle: $subtitle,
            prerequisites: &$prerequisites,
            lesson: include_str!(concat!("../../lessons/0", $number, "_", $name, ".md")),
        }
    };
}

/// The course.
pub const MODULES: &[Module] = &[
    module!(0, "setup", "Setup", "The loop, and a stopwatch you can trust", []),
    module!(1, "tensor", "Tensor", "The array that everything else is made of", [0]),
    module!(2, "activations", "Activations", "Why layers need a bend between them", [1]),
    module!(3, "layers", "Layers", "Weights that know their shape", [1, 2]),
    module!(4, "losses", "Losses", "One number for how wrong a model is", [1, 2, 3]),
    module!(5, "autograd", "Autograd", "The walk back from the loss to every weight", [1, 2, 3, 4]),
    module!(6, "optimizers", "Optimizers", "How far to step, and what to remember", [1, 3, 4, 5]),
    module!(
        7,
        "training",
        "Training",
        "A loop that stops with a reason and survives a crash",
        [1, 2, 3, 4, 5, 6]
    ),
    module!(
        8,
        "dataloader",
        "DataLoader",
        "From files to batches, in an order that a seed decides",
        [1, 2, 3, 4, 6, 7]
    ),
    module!(
        9,
        "spatial",
        "Spatial",
        "Layers that know that a pixel has neighbours",
        [1, 2, 3, 4, 5, 6, 7, 8]
    ),
];

impl Module {
    /// `01_tensor`: the name of its lesson and exercise files.
    #[must_use]
    pub fn slug(&self) -> String {
        format!("{:02}_{}", self.id.0, self.name)
    }

    /// The lesson, as text.
    #[must_use]
    pub fn lesson(&self) -> &'static str {
        self.lesson
    }

    /// The module of that number.
    #[must_use]
    pub fn by_id(id: ModuleId) -> Option<&'static Self> {
        MODULES.get(usize::from(id.0))
    }

    /// The module that a person means by `15`, `memoization` or `15_memoization`.
    ///
    /// # Errors
    /// When there is none; the failure suggests the nearest name.
    pub fn named(word: &str) -> Result<&'static Self, Error> {
        let is_meant = |module: &&Module| {
            word == module.slug() || word == module.name || word.parse() == Ok(module.id.0)
        };
        MODULES.iter().find(is_meant).ok_or_else(|| unknown(word))
    }

    /// The reference solution, as text.
    #[must_use]
    pub fn reference(&self) -> &'static str {
        tinytorch::sources::MODULES
            .iter()
            .find(|(name, _)| *name == self.name)
            .map_or("", |(_, text)| text)
    }
}

fn unknown(word: &str) -> Error {
    let error = Error::usage(format!("unknown module \"{word}\""));
    let likeness = |module: &&Module| {
        let name = strsim::jaro_winkler(word, module.name);
        name.max(strsim::jaro_winkler(word, &module.slug()))
    };
    let nearest = MODULES.iter().max_by(|a, b| likeness(a).total_cmp(&likeness(b)));
    match nearest.filter(|module| likeness(module) > 0.6) {
        Some(module) => error.hint(format!("Did you mean \"{}\"?", module.slug())),
        None => error.hint("`tinytorch-tutor list` shows all modules."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_module_is_meant_by_number_name_or_both() {
        for word in ["1", "01", "tensor", "01_tensor"] {
            assert_eq!(Module::named(word).unwrap().id, ModuleId(1), "{word}");
        }
    }

    #[test]
    fn an_unknown_module_is_answered_with_the_nearest_name() {
        let error = Module::named("tensr").unwrap_err();
        assert_eq!(error.to_string(), "unknown module \"tensr\"\n  Did you mean \"01_tensor\"?");
        assert!(Module::named("99").unwrap_err().hints[0].contains("list"));
    }

    #[test]
    fn numbers_count_up_and_prerequisites_come_before() {
        for (index, module) in MODULES.iter().enumerate() {
            assert_eq!(usize::from(module.id.0), index);
            assert!(module.prerequisites.iter().all(|before| *before < module.id.0));
        }
    }
}
