//! What an instructor decided for the lab of a class: its modules, their deadlines, whether hints and solutions are open.
//! It is part of the lab's mark. Closing is a courtesy: this program carries every solution, and the learner owns the
//! file. Not here: what the class hands in.

use super::Lab;
use super::paths::MARK;
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

/// The part of the mark that matters here.
#[derive(Deserialize)]
struct Mark {
    class: Option<Class>,
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
    /// The class that the lab was released for, if it was for one.
    ///
    /// # Errors
    /// When the lab's mark cannot be read.
    pub fn class(&self) -> Result<Option<Class>, Error> {
        let path = self.root().join(MARK);
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(Error::io("read", &path, &error)),
        };
        let mark: Result<Mark, _> = toml::from_str(&text);
        mark.map(|mark| mark.class).map_err(|error| {
            let message = error.message().replace('\n', "; ");
            Error::environment(format!("\"{}\" is damaged: {message}", path.display()))
                .hint("Copy the file of that name from the lab that you were given.")
        })
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
        let class = self.class()?;
        let is_in = |module: &&Module| {
            class.as_ref().is_none_or(|class: &Class| class.terms(module).is_some())
        };
        Ok(self.course().modules().iter().filter(is_in).collect())
    }
}
