//! What commands share: the lab, the cache, the runner. Each is opened when a command needs it.

use super::Arguments;
use crate::classroom::CourseFile;
use crate::curriculum::{Course, Module};
use crate::error::Error;
use crate::framework::Engine;
use crate::lab::Lab;
use crate::runner::{Cancel, Runner};
use std::path::PathBuf;

/// The lab, cache and engine that a command works with.
#[derive(Debug, Clone)]
pub struct Context {
    course: &'static Course,
    lab: Option<PathBuf>,
    cache: Option<PathBuf>,
    /// The engine that was asked for, if one was.
    pub engine: Option<Engine>,
    /// Whether to print whose code runs and how long each step takes.
    pub verbose: bool,
    /// Cancels what the command runs.
    pub cancel: Cancel,
}

impl Context {
    /// From the command line.
    #[must_use]
    pub fn new(arguments: &Arguments) -> Self {
        Self {
            course: Course::tinytorch(),
            lab: arguments.lab.clone(),
            cache: arguments.cache.clone(),
            engine: arguments.engine.map(Engine::from),
            verbose: arguments.verbose,
            cancel: Cancel::default(),
        }
    }

    /// The same context for a class: its course has the hidden tests of the course file.
    pub fn of_class(&self, file: &CourseFile) -> Self {
        Self { course: file.course(self.course), ..self.clone() }
    }

    /// The lab.
    ///
    /// # Errors
    /// When there is none.
    pub fn lab(&self) -> Result<Lab, Error> {
        match &self.lab {
            Some(folder) => Lab::find(folder, self.course),
            None => {
                let here = std::env::current_dir().map_err(|error| {
                    Error::environment(format!("failed to find the current folder: {error}"))
                })?;
                Lab::find(&here, self.course)
            }
        }
    }

    /// Where compiled modules are kept: the option, else `XDG_CACHE_HOME`, else `~/.cache`.
    ///
    /// # Errors
    /// When there is no such folder.
    pub fn cache(&self) -> Result<PathBuf, Error> {
        if let Some(cache) = &self.cache {
            return std::path::absolute(cache).map_err(|e| Error::io("find", cache, &e));
        }
        let of = |name: &str| {
            std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute())
        };
        let folder = of("XDG_CACHE_HOME").or_else(|| of("HOME").map(|home| home.join(".cache")));
        folder.map(|folder| folder.join("tinytorch-tutor")).ok_or_else(|| {
            Error::environment("no folder for the cache: HOME is not set")
                .hint("Name one with `--cache DIR`.")
        })
    }

    /// The runner.
    ///
    /// # Errors
    /// When the toolchain or the cache cannot be used.
    pub fn runner(&self) -> Result<Runner, Error> {
        Runner::new(self.cache()?, self.course)
    }

    /// The course.
    #[must_use]
    pub fn course(&self) -> &'static Course {
        self.course
    }

    /// The modules that were named; all of them when none was.
    ///
    /// # Errors
    /// When a name is unknown.
    pub fn modules(&self, words: &[String]) -> Result<Vec<&'static Module>, Error> {
        if words.is_empty() {
            return Ok(self.course.modules().iter().collect());
        }
        words.iter().map(|word| self.course.named(word)).collect()
    }

    /// The modules that were named; when none was, those of the lab.
    ///
    /// # Errors
    /// When a name is unknown, or there is no lab.
    pub fn modules_of_lab(&self, words: &[String]) -> Result<Vec<&'static Module>, Error> {
        if words.is_empty() { self.lab()?.modules() } else { self.modules(words) }
    }

    /// The engine that was asked for, by default the learner's own.
    #[must_use]
    pub fn engine(&self) -> Engine {
        self.engine.unwrap_or_default()
    }
}
