//! The course as a value: its modules in teaching order, and its milestones. Everything that lists, names or
//! numbers modules is passed a course; tests make a small one of their own. Not here: disk, processes.

use super::cells::Explorable;
use super::glossary::{self, Glossary};
use super::milestones::{self, Milestone};
use super::module::{Module, ModuleId};
use crate::error::Error;
use std::sync::LazyLock;

/// The lessons of the course, in teaching order. Their engine modules are listed in the engine's `lib.rs`.
const LESSONS: &[&str] = &[
    include_str!("../../lessons/00_setup.md"),
    include_str!("../../lessons/01_tensor.md"),
    include_str!("../../lessons/02_activations.md"),
    include_str!("../../lessons/03_layers.md"),
    include_str!("../../lessons/04_losses.md"),
    include_str!("../../lessons/05_autograd.md"),
    include_str!("../../lessons/06_optimizers.md"),
    include_str!("../../lessons/07_training.md"),
    include_str!("../../lessons/08_dataloader.md"),
    include_str!("../../lessons/09_spatial.md"),
    include_str!("../../lessons/10_tokenization.md"),
    include_str!("../../lessons/11_embeddings.md"),
    include_str!("../../lessons/12_attention.md"),
    include_str!("../../lessons/13_transformers.md"),
    include_str!("../../lessons/14_profiling.md"),
    include_str!("../../lessons/15_memoization.md"),
    include_str!("../../lessons/16_quantization.md"),
    include_str!("../../lessons/17_compression.md"),
    include_str!("../../lessons/18_acceleration.md"),
    include_str!("../../lessons/19_benchmarking.md"),
    include_str!("../../lessons/20_capstone.md"),
];

/// The terms of the course.
const GLOSSARY: &str = include_str!("../../lessons/glossary.md");

/// Modules in teaching order, and the milestones that run on them. It lives as long as the program.
#[derive(Debug, PartialEq, Eq)]
pub struct Course {
    modules: Vec<Module>,
    milestones: &'static [Milestone],
    glossary: Glossary,
}

impl Course {
    /// A course of these modules, numbered from 0 without gaps, with these milestones and the text of a glossary.
    #[must_use]
    pub fn new(modules: Vec<Module>, milestones: &'static [Milestone], glossary: &str) -> Self {
        let glossary = glossary::parse(glossary, modules.len());
        Self { modules, milestones, glossary }
    }

    /// The course that this program carries.
    #[must_use]
    pub fn tinytorch() -> &'static Self {
        static COURSE: LazyLock<Course> = LazyLock::new(|| {
            let sources = tinytorch::sources::MODULES.iter().zip(0..);
            let modules = sources.zip(LESSONS).map(|((&(name, reference), number), &lesson)| {
                Module::new(ModuleId(number), name, lesson, reference)
            });
            Course::new(modules.collect(), milestones::ALL, GLOSSARY)
        });
        &COURSE
    }

    /// The same course with the hidden tests that `tests` returns for a module. It lives as long as the program, too.
    #[must_use]
    pub fn with_hidden<'a>(&self, tests: impl Fn(&Module) -> Option<&'a str>) -> &'static Self {
        let with = |module: &Module| {
            tests(module).map_or_else(|| module.clone(), |tests| module.with_hidden(tests))
        };
        let modules = self.modules.iter().map(with).collect();
        Box::leak(Box::new(Self { modules, glossary: self.glossary.clone(), ..*self }))
    }

    /// All modules, in teaching order.
    #[must_use]
    pub fn modules(&self) -> &[Module] {
        &self.modules
    }

    /// All milestones, in the order of history.
    #[must_use]
    pub fn milestones(&self) -> &'static [Milestone] {
        self.milestones
    }

    /// The terms of the course.
    #[must_use]
    pub fn glossary(&self) -> &Glossary {
        &self.glossary
    }

    /// The module of that number.
    #[must_use]
    pub fn module(&self, id: ModuleId) -> Option<&Module> {
        self.modules.get(usize::from(id.0))
    }

    /// The slug of that module; its number where the course has no such module.
    #[must_use]
    pub fn slug(&self, id: ModuleId) -> String {
        self.module(id).map_or_else(|| id.0.to_string(), Module::slug)
    }

    /// The module of that slug.
    #[must_use]
    pub fn by_slug(&self, slug: &str) -> Option<&Module> {
        self.modules.iter().find(|module| module.slug() == slug)
    }

    /// All interactive figures, each with its module, in teaching order.
    pub fn explorables(&self) -> impl Iterator<Item = (&Module, Explorable)> {
        self.modules.iter().flat_map(|module| {
            module.explorables().into_iter().map(move |explorable| (module, explorable))
        })
    }

    /// The milestone of that id.
    #[must_use]
    pub fn milestone(&self, id: &str) -> Option<&'static Milestone> {
        self.milestones.iter().find(|milestone| milestone.id == id)
    }

    /// The module that a person means by `15`, `memoization` or `15_memoization`.
    ///
    /// # Errors
    /// When there is none; the error suggests the nearest name.
    pub fn named(&self, word: &str) -> Result<&Module, Error> {
        let is_meant = |module: &&Module| {
            word == module.slug() || word == module.name || word.parse() == Ok(module.id.0)
        };
        self.modules.iter().find(is_meant).ok_or_else(|| self.unknown(word))
    }

    fn unknown(&self, word: &str) -> Error {
        let error = Error::usage(format!("unknown module \"{word}\""));
        let likeness = |module: &&Module| {
            let name = strsim::jaro_winkler(word, &module.name);
            name.max(strsim::jaro_winkler(word, &module.slug()))
        };
        let nearest = self.modules.iter().max_by(|a, b| likeness(a).total_cmp(&likeness(b)));
        match nearest.filter(|module| likeness(module) > 0.6) {
            Some(module) => error.hint(format!("Did you mean \"{}\"?", module.slug())),
            None => error.hint("`tinytorch-tutor list` shows all modules."),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::curriculum::lesson;

    #[test]
    fn a_module_is_named_by_number_name_or_both() {
        for word in ["1", "01", "tensor", "01_tensor"] {
            assert_eq!(Course::tinytorch().named(word).unwrap().id, ModuleId(1), "{word}");
        }
    }

    #[test]
    fn the_error_for_an_unknown_module_suggests_the_nearest_name() {
        let error = Course::tinytorch().named("tensr").unwrap_err();
        assert_eq!(error.to_string(), "unknown module \"tensr\"\n  Did you mean \"01_tensor\"?");
        assert!(Course::tinytorch().named("99").unwrap_err().hints[0].contains("list"));
    }

    #[test]
    fn every_engine_module_has_its_lesson_and_comes_after_its_prerequisites() {
        let course = Course::tinytorch();
        assert_eq!(course.modules().len(), LESSONS.len());
        assert_eq!(course.modules().len(), tinytorch::sources::MODULES.len());
        for module in course.modules() {
            let head = lesson::parse(module.lesson()).head;
            assert_eq!(head.module, module.slug(), "the engine's order and LESSONS agree");
            assert_eq!(head.prerequisites.len(), module.prerequisites.len(), "{}", module.slug());
            assert!(module.prerequisites.iter().all(|before| *before < module.id));
        }
    }
}
