//! The learner's own engine: whose code each module is, how a module is completed, and the proof that later modules
//! still pass on it. Not here: screen, store.

mod complete;
mod export;
mod milestone;

pub use complete::{Completion, Step, complete};
pub use export::export;
pub use milestone::{Trial, confined_event, event_trial, trial};

use crate::curriculum::{Module, ModuleId, cells};
use crate::error::Error;
use crate::lab::Lab;
use crate::runner::{ModuleSource, ModuleSources};
use serde::Serialize;
use std::collections::BTreeMap;

/// The engine that a module runs on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Engine {
    /// The modules that the learner completed; the reference for the rest.
    #[default]
    Mine,
    /// The reference for every module.
    Reference,
}

impl Engine {
    /// `mine` or `reference`: how it is typed and stored.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Mine => "mine",
            Self::Reference => "reference",
        }
    }
}

/// Whose code a module of the engine is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "owner", rename_all = "snake_case")]
pub enum Owner {
    /// The learner's.
    Learner,
    /// The reference's: the module is not completed.
    Reference,
    /// The reference's, although the module is completed.
    Rejected {
        /// How a later module fails on the learner's.
        reason: String,
    },
}

/// The sources of the chain for an engine.
///
/// # Errors
/// When a completed module cannot be read.
pub fn sources(lab: &Lab, engine: Engine) -> Result<ModuleSources, Error> {
    if engine == Engine::Reference {
        return Ok(ModuleSources::default());
    }
    let completed = lab.completed()?;
    let usable = completed.into_iter().filter(|(id, _)| lab.refused(*id).is_none());
    let source = |(id, text)| Some((id, learners(lab, lab.course().module(id)?, text)));
    Ok(ModuleSources(usable.filter_map(source).collect()))
}

/// A completed text as a source of the chain. Places in it are shown in the exercise while the two are the same.
fn learners(lab: &Lab, module: &Module, text: String) -> ModuleSource {
    let same = lab.read_exercise(module).is_ok_and(|exercise| exercise == text);
    let file = if same { lab.exercise(module) } else { lab.mine(module) };
    ModuleSource::Learner { file, text }
}

/// Whose code each module of the chain is, in teaching order.
///
/// # Errors
/// When a completed module cannot be read.
pub fn owners(lab: &Lab, engine: Engine) -> Result<BTreeMap<ModuleId, Owner>, Error> {
    let completed = match engine {
        Engine::Mine => lab.completed()?,
        Engine::Reference => BTreeMap::new(),
    };
    let owner = |module: &Module| match (completed.get(&module.id), lab.refused(module.id)) {
        (None, _) => Owner::Reference,
        (Some(_), Some(reason)) => Owner::Rejected { reason },
        (Some(_), None) => Owner::Learner,
    };
    Ok(lab.course().modules().iter().map(|module| (module.id, owner(module))).collect())
}

/// What the chain compiles of a learner's text: their cells, with the locked ones restored.
fn swapped_in(module: &Module, text: &str) -> String {
    cells::with_locked(text, module.reference())
}

/// Whether the module is completed and its exercise, which now has `text`, differs from the completed text.
#[must_use]
pub fn edited_since(lab: &Lab, module: &Module, text: &str) -> bool {
    let completed = std::fs::read_to_string(lab.mine(module));
    // Both with today's locked cells: the completed text may have those of an earlier tutor.
    completed.is_ok_and(|completed| swapped_in(module, &completed) != swapped_in(module, text))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::curriculum::Course;
    use crate::lab::{Filled, create};

    #[test]
    fn the_chain_is_mine_where_completed_and_usable() {
        let folder = tempfile::tempdir().unwrap();
        let lab =
            create(&folder.path().join("lab"), Course::tinytorch(), Filled::Solutions).unwrap().0;
        lab.complete(&lab.course().modules()[1], "text").unwrap();
        lab.refuse(&lab.course().modules()[2], "text", "03_layers does not compile").unwrap();
        let ids: Vec<ModuleId> = sources(&lab, Engine::Mine).unwrap().0.into_keys().collect();
        assert_eq!(ids, [ModuleId(1)]);
        assert_eq!(sources(&lab, Engine::Reference).unwrap(), ModuleSources::default());
        let owners = owners(&lab, Engine::Mine).unwrap();
        assert_eq!(owners[&ModuleId(0)], Owner::Reference);
        assert_eq!(owners[&ModuleId(1)], Owner::Learner);
        let reason = "03_layers does not compile".to_owned();
        assert_eq!(owners[&ModuleId(2)], Owner::Rejected { reason });
        lab.complete(&lab.course().modules()[2], "better").unwrap();
        assert!(
            sources(&lab, Engine::Mine).unwrap().0.contains_key(&ModuleId(2)),
            "no longer refused"
        );
    }

    #[test]
    fn a_module_is_edited_where_the_learner_writes_and_nowhere_else() {
        let folder = tempfile::tempdir().unwrap();
        let lab =
            create(&folder.path().join("lab"), Course::tinytorch(), Filled::Solutions).unwrap().0;
        let (module, text) = (&lab.course().modules()[1], lab.course().modules()[1].reference());
        assert!(!edited_since(&lab, module, text), "it is not completed");
        // Completed with an earlier tutor, whose locked cells were different.
        let earlier = text.replacen("Runs every analysis", "Runs each analysis", 1);
        assert_ne!(earlier, text);
        lab.complete(module, &earlier).unwrap();
        assert!(!edited_since(&lab, module, text));
        let edited = text.replacen("// BEGIN SOLUTION\n", "// BEGIN SOLUTION\n// new\n", 1);
        assert!(edited_since(&lab, module, &edited));
    }
}
