//! A module of the course: its number, its names, the texts of its lesson and of its reference solution.

use super::cells::{self, Explorable};
use super::lesson::{self, Head};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;

/// A module's number: its place in the course and in the chain of crates.
#[derive(
    Debug, Default, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct ModuleId(pub u8);

/// A numbered unit of the course.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Module {
    /// Its number.
    pub id: ModuleId,
    /// `tensor`: the name of the engine's module and of its file.
    pub name: String,
    /// `Tensor`: as a heading.
    pub title: String,
    /// What it builds, in a few words.
    pub subtitle: String,
    /// Modules whose code it uses.
    pub prerequisites: Vec<ModuleId>,
    lesson: Cow<'static, str>,
    reference: Cow<'static, str>,
    /// The reference with hidden tests, where there are some.
    graded: Option<String>,
}

impl Module {
    /// Module `id`, called `name` in the engine; the rest is read from the head of its lesson.
    #[must_use]
    pub fn new(
        id: ModuleId,
        name: &str,
        lesson: impl Into<Cow<'static, str>>,
        reference: impl Into<Cow<'static, str>>,
    ) -> Self {
        let (lesson, reference) = (lesson.into(), reference.into());
        let Head { title, subtitle, prerequisites, .. } = lesson::parse(&lesson).head;
        let prerequisites = prerequisites.iter().filter_map(|slug| number(slug)).collect();
        Self {
            id,
            name: name.to_owned(),
            title,
            subtitle,
            prerequisites,
            lesson,
            reference,
            graded: None,
        }
    }

    /// `01_tensor`: the name of its lesson and exercise files.
    #[must_use]
    pub fn slug(&self) -> String {
        format!("{:02}_{}", self.id.0, self.name)
    }

    /// The lesson, as text.
    #[must_use]
    pub fn lesson(&self) -> &str {
        &self.lesson
    }

    /// Its interactive figures, in file order.
    #[must_use]
    pub fn explorables(&self) -> Vec<Explorable> {
        cells::explorables(self.reference())
    }

    /// The reference solution, as text.
    #[must_use]
    pub fn reference(&self) -> &str {
        &self.reference
    }

    /// The text whose tests count: the reference, followed by the hidden tests where there are some.
    #[must_use]
    pub fn graded(&self) -> &str {
        self.graded.as_deref().unwrap_or(&self.reference)
    }

    /// How many of these tests are hidden.
    #[must_use]
    pub fn hidden_tests(&self) -> usize {
        cells::tests(self.graded()).len() - cells::tests(&self.reference).len()
    }

    /// The same module with hidden tests.
    #[must_use]
    pub fn with_hidden(&self, tests: &str) -> Self {
        Self { graded: Some(cells::with_hidden(&self.reference, tests)), ..self.clone() }
    }
}

/// The number in a slug such as `01_tensor`.
fn number(slug: &str) -> Option<ModuleId> {
    slug.split_once('_')?.0.parse().ok().map(ModuleId)
}
