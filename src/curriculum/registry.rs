//! The modules of the course, in teaching order: one slice, from which lists, help, chain and
//! milestones follow.

use serde::Serialize;

/// A module's number: its place in [`MODULES`] and in the chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
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
}

/// The course.
pub const MODULES: &[Module] = &[
    module(0, "setup", "Setup", "The loop, and a stopwatch you can trust", &[]),
    module(1, "tensor", "Tensor", "The array that everything else is made of", &[0]),
    module(2, "activations", "Activations", "Why layers need a bend between them", &[1]),
    module(3, "layers", "Layers", "Weights that know their shape", &[1, 2]),
    module(4, "losses", "Losses", "One number for how wrong a model is", &[1, 2, 3]),
];

const fn module(
    number: u8,
    name: &'static str,
    title: &'static str,
    subtitle: &'static str,
    prerequisites: &'static [u8],
) -> Module {
    Module { id: ModuleId(number), name, title, subtitle, prerequisites }
}

impl Module {
    /// `01_tensor`: the name of its lesson and exercise files.
    #[must_use]
    pub fn slug(&self) -> String {
        format!("{:02}_{}", self.id.0, self.name)
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
