//! A milestone, or an event of TinyMLPerf, on an engine: what is compiled, and whose code each of its modules is.

use super::{Engine, Owner, owners, sources};
use crate::curriculum::{Course, Milestone, ModuleId};
use crate::error::Error;
use crate::lab::Lab;
use crate::report::RanModule;
use crate::runner::event::RunKind;
use crate::runner::{ModuleSource, ModuleSources, Request};
use std::path::PathBuf;
use tinytorch::benchmarking::Event;
use tinytorch::sources::{MLPERF_ENTRY, MLPERF_EVENTS};

/// A program that is about to run.
#[derive(Debug, Clone, PartialEq)]
pub struct Trial {
    /// What the runner is asked for.
    pub request: Request,
    /// Whose code it will run on, module by module.
    pub modules: Vec<RanModule>,
    /// Identifies the program and every text of the learner's that it runs on: two trials with the same fingerprint
    /// measure the same thing.
    pub fingerprint: String,
}

/// The trial of a milestone, which runs on its last prerequisite and all modules before that.
///
/// # Errors
/// When a completed module cannot be read, or the milestone has no prerequisites.
pub fn trial(lab: &Lab, milestone: &Milestone, engine: Engine) -> Result<Trial, Error> {
    let last = *milestone.prerequisites.iter().max().ok_or_else(|| {
        Error::environment(format!("{} needs no module of this course", milestone.id))
    })?;
    let file = PathBuf::from(format!("src/tinytorch/milestones/{}.rs", milestone.id));
    on_engine(lab, last, file, milestone.source().to_owned(), engine)
}

/// The trial of an event of TinyMLPerf with an entry, which is the course's own where no file is given. It runs on the
/// module of this event and all before it.
///
/// # Errors
/// When a completed module cannot be read.
pub fn event_trial(
    lab: &Lab,
    event: Event,
    entry: Option<(PathBuf, String)>,
    engine: Engine,
) -> Result<Trial, Error> {
    let module = benchmarking(lab.course())?;
    let (file, entry) = entry.unwrap_or_else(|| {
        (PathBuf::from("src/tinytorch/mlperf/optimised.rs"), MLPERF_ENTRY.to_owned())
    });
    on_engine(lab, module, file, event_program(event, &entry), engine)
}

/// The program of an event. The entry comes first, so that errors in it are reported at its own lines. Where the type of
/// its function is wrong, the compiler shows the line that passes it on, and so what it should be.
fn event_program(event: Event, entry: &str) -> String {
    format!(
        "{entry}\n\nmod tinymlperf {{\n{MLPERF_EVENTS}\n}}\n\n\
         pub fn milestone(out: &mut tinytorch::report::Reporter) {{\n    \
         tinymlperf::run(tinytorch::benchmarking::Event::{event:?}, entry, out); \
         // Your file ends in: pub fn entry(start: Start) -> Box<dyn Entry>\n}}\n"
    )
}

/// An event with an entry that is not trusted, on the reference: the entry, and the program that imports it as a crate. So
/// the baseline and the measurement are the same for every entry.
///
/// # Errors
/// When the course has no such module.
pub fn confined_event(
    course: &Course,
    event: Event,
    entry: &str,
    file: PathBuf,
) -> Result<(Request, String), Error> {
    let request = Request {
        module: benchmarking(course)?,
        kind: RunKind::Milestone,
        only: vec![],
        file,
        text: entry.to_owned(),
        sources: ModuleSources::default(),
        separate_tests: true,
    };
    Ok((request, event_program(event, "use subject::entry;")))
}

fn benchmarking(course: &Course) -> Result<ModuleId, Error> {
    let module = course.modules().iter().find(|module| module.name == "benchmarking");
    module
        .map(|module| module.id)
        .ok_or_else(|| Error::environment("this course has no benchmarking"))
}

/// The trial of a program that runs on the modules up to `last`.
fn on_engine(
    lab: &Lab,
    last: ModuleId,
    file: PathBuf,
    text: String,
    engine: Engine,
) -> Result<Trial, Error> {
    let mut sources = sources(lab, engine)?;
    sources.0.retain(|id, _| *id <= last);
    let owners = owners(lab, engine)?;
    let whose = |(module, owner): (ModuleId, Owner)| RanModule {
        module,
        mine: owner == Owner::Learner,
        reason: match owner {
            Owner::Rejected { reason } => Some(reason),
            Owner::Learner | Owner::Reference => None,
        },
    };
    let mut hasher = blake3::Hasher::new();
    hasher.update(text.as_bytes());
    for (id, source) in &sources.0 {
        let ModuleSource::Learner { text, .. } = source else { continue };
        hasher.update(&[0, id.0]).update(text.as_bytes());
    }
    Ok(Trial {
        modules: owners.into_iter().filter(|(id, _)| *id <= last).map(whose).collect(),
        fingerprint: hasher.finalize().to_hex().to_string(),
        request: Request {
            module: last,
            kind: RunKind::Milestone,
            only: vec![],
            file,
            text,
            sources,
            separate_tests: false,
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lab::{Filled, create};

    #[test]
    fn a_trial_changes_with_the_learners_text_below_it_and_with_no_other() {
        let folder = tempfile::tempdir().unwrap();
        let lab =
            create(&folder.path().join("lab"), Course::tinytorch(), Filled::Solutions).unwrap().0;
        let xor = Course::tinytorch().milestone("1969_xor").unwrap();
        let on = |engine| trial(&lab, xor, engine).unwrap();
        let empty = on(Engine::Mine);
        assert!(empty.modules.iter().all(|module| !module.mine));
        lab.complete(&lab.course().modules()[1], "mine").unwrap();
        let mine = on(Engine::Mine);
        assert_ne!(mine.fingerprint, empty.fingerprint);
        assert!(mine.modules[1].mine && !mine.modules[2].mine);
        assert_eq!(on(Engine::Reference).fingerprint, empty.fingerprint);
        lab.complete(&lab.course().modules()[9], "above it").unwrap();
        assert_eq!(on(Engine::Mine), mine);
        lab.refuse(&lab.course().modules()[1], "text", "02 fails on it").unwrap();
        let refused = on(Engine::Mine).modules[1].clone();
        assert_eq!((refused.mine, refused.reason.as_deref()), (false, Some("02 fails on it")));
    }
}
