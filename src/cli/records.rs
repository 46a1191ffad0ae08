//! The store as commands use it. If it cannot be opened or written (a read-only lab, a full disk), progress is not
//! saved: one warning on standard error says so, and the command continues.

use crate::curriculum::Module;
use crate::error::Error;
use crate::lab::Lab;
use crate::progress::{SetAside, Store};
use crate::report::ModuleReport;
use crate::runner::event::RunEvent;
use std::ops::Deref;

/// An open store.
pub struct Records {
    store: Store,
    warned: bool,
}

impl Records {
    /// The lab's store, or a copy of it that is removed when the command ends.
    ///
    /// # Errors
    /// When neither can be opened.
    pub fn open(lab: &Lab) -> Result<Self, Error> {
        match store(lab) {
            Ok(store) => Ok(Self { store, warned: false }),
            Err(error) => {
                warn(&error);
                Ok(Self { store: Store::temporary_copy(&lab.store())?, warned: true })
            }
        }
    }

    /// Writes something.
    pub fn keep(&mut self, write: impl FnOnce(&mut Store) -> Result<(), Error>) {
        if let Err(error) = write(&mut self.store)
            && !std::mem::replace(&mut self.warned, true)
        {
            warn(&error);
        }
    }

    /// Writes what the command was called for.
    ///
    /// # Errors
    /// When it cannot be written, or only to a copy that is removed.
    pub fn keep_or_fail<T>(
        &mut self,
        write: impl FnOnce(&mut Store) -> Result<T, Error>,
    ) -> Result<T, Error> {
        if self.warned {
            return Err(Error::environment("nothing was added: this lab cannot be written"));
        }
        write(&mut self.store)
    }

    /// What the analyses of a module reported about `text`.
    pub fn measured(&self, module: &Module, text: &str) -> ModuleReport {
        let mut report = ModuleReport::new(module.id);
        for (analysis, item) in self.store.measurements(module.id, text).unwrap_or_default() {
            report.apply(&RunEvent::Reported { analysis, item });
        }
        report
    }
}

impl Deref for Records {
    type Target = Store;

    fn deref(&self) -> &Store {
        &self.store
    }
}

/// The lab's store itself, for what must not be lost.
///
/// # Errors
/// When it cannot be opened.
pub fn store(lab: &Lab) -> Result<Store, Error> {
    let (store, set_aside) = Store::open(&lab.store())?;
    set_aside.iter().for_each(warn_set_aside);
    Ok(store)
}

#[expect(clippy::print_stderr, reason = "a warning beside the output of a command")]
fn warn(error: &Error) {
    eprintln!("warning: progress is not saved: {error}");
}

#[expect(clippy::print_stderr, reason = "a warning beside the output of a command")]
fn warn_set_aside(aside: &SetAside) {
    eprintln!(
        "warning: the progress store was damaged ({}): it was renamed to \"{}\", and a new one was created",
        aside.reason,
        aside.kept_as.display()
    );
}
