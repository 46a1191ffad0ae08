//! What an instructor decided for the lab of a class: its modules, their deadlines, whether hints and solutions are open.
//! It is part of the lab's mark. Closing is a courtesy: this program carries every solution, and the learner owns the
//! file. Not here: what the class hands in.

use super::paths::MARK;
use super::{Lab, atomic};
use crate::curriculum::{Module, lesson};
use crate::error::Error;
use serde::{Deserialize, Serialize};
use toml::value::Datetime;

/// A class, as its labs know it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Class {
    /// The course's title.
    pub title: String,
    /// Its modules.
    #[serde(rename = "module", default)]
    pub modules: Vec<Terms>,
}

/// The terms of one module.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Terms {
    /// Its slug.
    pub name: String,
    /// What it counts in the course.
    pub points: u32,
    /// Until when it is on time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deadline: Option<Datetime>,
    /// Whether the hints are open.
    pub hints: bool,
    /// Whether the reference solutions are open.
    pub solutions: bool,
}

/// Help that an instructor can close.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Help {
    /// The hints of its exercises.
    Hints,
    /// The reference solutions.
    Solutions,
}

/// What a lab says about itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    /// How it is written.
    #[serde(default)]
    format: u8,
    /// The version of this program that made it, or brought it up to date.
    #[serde(default)]
    pub made_by: String,
    /// The class that it was released for, if it was for one.
    pub class: Option<Class>,
}

impl Mark {
    /// The mark of a lab that this version makes.
    #[must_use]
    pub fn new(class: Option<&Class>) -> Self {
        let made_by = env!("CARGO_PKG_VERSION").to_owned();
        Self { format: 1, made_by, class: class.cloned() }
    }

    pub(super) fn to_toml(&self) -> Result<String, Error> {
        let fields = toml::to_string(self)
            .map_err(|error| Error::environment(format!("failed to describe the lab: {error}")))?;
        Ok(format!("# This folder is a lab of tinytorch-tutor.\n{fields}"))
    }
}

impl Class {
    /// The terms of a module, if the class takes it.
    #[must_use]
    pub fn terms(&self, module: &Module) -> Option<&Terms> {
        self.modules.iter().find(|terms| terms.name == module.slug())
    }

    /// The lesson that a class hands out: where its hints are closed, without them.
    pub(super) fn lesson(class: Option<&Self>, module: &Module) -> String {
        match class.map(|class| class.allow(Help::Hints, module)) {
            Some(Err(closed)) => lesson::without_hints(module.lesson(), &closed.message),
            None | Some(Ok(())) => module.lesson().to_owned(),
        }
    }

    /// Refuses help that the instructor closed.
    ///
    /// # Errors
    /// When it is closed, or the class does not take the module.
    pub fn allow(&self, help: Help, module: &Module) -> Result<(), Error> {
        let slug = module.slug();
        let Some(terms) = self.terms(module) else {
            return Err(Error::environment(format!("{slug} is not part of your class")));
        };
        let (is_open, what) = match help {
            Help::Hints => (terms.hints, "hints"),
            Help::Solutions => (terms.solutions, "solutions"),
        };
        match is_open {
            true => Ok(()),
            false => {
                Err(Error::environment(format!("your instructor has closed the {what} of {slug}")))
            }
        }
    }
}

impl Lab {
    /// The lab's mark; an empty one where there is none, as in the project's clone.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn mark(&self) -> Result<Mark, Error> {
        let path = self.root().join(MARK);
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
            Err(error) => return Err(Error::io("read", &path, &error)),
        };
        toml::from_str(&text).map_err(|error| {
            let message = error.message().replace('\n', "; ");
            Error::environment(format!("\"{}\" is damaged: {message}", path.display()))
                .hint("Copy the file of that name from the lab that you were given.")
        })
    }

    /// Writes the lab's mark.
    ///
    /// # Errors
    /// When it cannot be written; then the earlier one stays.
    pub fn write_mark(&self, mark: &Mark) -> Result<(), Error> {
        atomic::write(&self.root().join(MARK), mark.to_toml()?.as_bytes())
    }

    /// The class that the lab was released for, if it was for one.
    ///
    /// # Errors
    /// When the lab's mark cannot be read.
    pub fn class(&self) -> Result<Option<Class>, Error> {
        self.mark().map(|mark| mark.class)
    }

    /// The lesson: the lab's own file, so that an author sees an edit at once, or the one that the lab was made with.
    #[must_use]
    pub fn read_lesson(&self, module: &Module) -> lesson::Lesson {
        match std::fs::read(self.lesson(module)) {
            Ok(bytes) => lesson::parse(&String::from_utf8_lossy(&bytes)),
            Err(_) => {
                let class = self.class().unwrap_or_default();
                lesson::parse(&Class::lesson(class.as_ref(), module))
            }
        }
    }

    /// The modules of the lab: those of its class, or all.
    ///
    /// # Errors
    /// When the lab's mark cannot be read.
    pub fn modules(&self) -> Result<Vec<&'static Module>, Error> {
        self.class().map(|class| self.modules_of(class.as_ref()))
    }

    /// The modules that a lab of this class has.
    #[must_use]
    pub fn modules_of(&self, class: Option<&Class>) -> Vec<&'static Module> {
        let is_in = |module: &&Module| class.is_none_or(|class| class.terms(module).is_some());
        self.course().modules().iter().filter(is_in).collect()
    }
}
