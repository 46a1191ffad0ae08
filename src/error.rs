//! What went wrong: a kind, which decides the exit code; a message, which names the thing; hints, which say how to fix
//! it. Not here: IO.

use serde::Serialize;
use std::fmt;
use std::process::ExitCode;

/// What kind of error it is, which decides the exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorKind {
    /// The work is not right yet: a test failed, a pattern is missed. Exit code 1.
    Unmet,
    /// The command was not understood. Exit code 2.
    Usage,
    /// Something on this machine or in this folder is missing or does not work. Exit code 2.
    Environment,
}

/// An error on its way to a person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Error {
    /// Decides the exit code.
    pub kind: ErrorKind,
    /// A fragment that names the thing, lower case, without a period.
    pub message: String,
    /// Sentences that say how to fix it.
    pub hints: Vec<String>,
}

impl Error {
    /// The command was not understood.
    pub fn usage(message: impl Into<String>) -> Self {
        Self { kind: ErrorKind::Usage, message: message.into(), hints: vec![] }
    }

    /// Something on this machine or in this folder is missing or does not work.
    pub fn environment(message: impl Into<String>) -> Self {
        Self { kind: ErrorKind::Environment, message: message.into(), hints: vec![] }
    }

    /// The work is not right yet.
    pub fn unmet(message: impl Into<String>) -> Self {
        Self { kind: ErrorKind::Unmet, message: message.into(), hints: vec![] }
    }

    /// A file could not be read, written, made ...: `failed to {what} "{path}": {error}`.
    pub fn io(what: &str, path: &std::path::Path, error: &std::io::Error) -> Self {
        Self::environment(format!("failed to {what} \"{}\": {error}", path.display()))
    }

    /// The same error with one more hint.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }

    /// 1 for work that is not right yet, 2 for the rest.
    #[must_use]
    pub fn exit_code(&self) -> ExitCode {
        ExitCode::from(if self.kind == ErrorKind::Unmet { 1 } else { 2 })
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        for hint in &self.hints {
            write!(f, "\n  {hint}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Error {}

/// `1 test`, `2 tests`.
#[must_use]
pub fn count(number: usize, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hints_stand_below_the_message() {
        let error = Error::usage("unknown module \"tensr\"").hint("Did you mean \"tensor\"?");
        assert_eq!(error.to_string(), "unknown module \"tensr\"\n  Did you mean \"tensor\"?");
    }

    #[test]
    fn one_is_singular() {
        assert_eq!([count(0, "test"), count(1, "test")], ["0 tests", "1 test"]);
    }
}
