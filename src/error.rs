//! The error type: a kind that decides the exit code, a message that names the thing, and hints that say how to fix it.
//! Also makes text safe to print on a terminal. Must not know IO.

use serde::Serialize;
use std::fmt;
use std::path::Path;
use std::process::ExitCode;

/// What kind of error it is, which decides the exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorKind {
    /// The work does not pass yet: a test fails, or the audit finds a problem. Exit code 1.
    Unmet,
    /// The command was not understood. Exit code 2.
    Usage,
    /// Something on this machine or in this folder is missing or does not work. Exit code 2.
    Environment,
}

/// An error to show to the user.
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

    /// The work does not pass yet.
    pub fn unmet(message: impl Into<String>) -> Self {
        Self { kind: ErrorKind::Unmet, message: message.into(), hints: vec![] }
    }

    /// A file operation failed: `failed to {what} "{path}": {error}`.
    pub fn io(what: &str, path: &Path, error: &std::io::Error) -> Self {
        Self::environment(format!("failed to {what} \"{}\": {error}", printable(path)))
    }

    /// The same error with one more hint.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }

    /// 1 for work that does not pass yet, 2 for everything else.
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

/// The text without anything that could control a terminal: control characters other than newline and tab, and
/// characters that change the writing direction, are replaced by symbols.
#[must_use]
pub fn harmless(text: &str) -> String {
    text.replace("\r\n", "\n").chars().map(symbol).collect()
}

fn symbol(c: char) -> char {
    match c {
        '\n' | '\t' => c,
        // The block from U+2400 has a symbol for each control character, in the same order.
        '\0'..='\u{1f}' => char::from_u32(0x2400 + c as u32).unwrap_or('\u{fffd}'),
        '\u{7f}' => '\u{2421}',
        '\u{80}'..='\u{9f}' | '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' => {
            '\u{fffd}'
        }
        '\u{2066}'..='\u{2069}' => '\u{fffd}',
        _ => c,
    }
}

/// A path as safe text on one line.
#[must_use]
pub fn printable(path: &Path) -> String {
    harmless(&path.to_string_lossy()).replace('\n', "\u{240a}").replace('\t', "\u{2409}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hints_are_printed_below_the_message() {
        let error = Error::usage("unknown module \"tensr\"").hint("Did you mean \"tensor\"?");
        assert_eq!(error.to_string(), "unknown module \"tensr\"\n  Did you mean \"tensor\"?");
    }

    #[test]
    fn control_characters_become_symbols() {
        assert_eq!(harmless("\x1b[2J\x07 a\r\nb\rc\td\u{9b}1m\x7f"), "␛[2J␇ a\nb␍c\td\u{fffd}1m␡");
        for mark in
            "\u{61c}\u{200e}\u{200f}\u{2028}\u{2029}\u{202a}\u{202e}\u{2066}\u{2069}".chars()
        {
            assert_eq!(harmless(&mark.to_string()), "\u{fffd}", "{mark:?}");
        }
        let refused = std::io::Error::other("no");
        let error = Error::io("read", Path::new("a\x1b[2J\nb"), &refused);
        assert_eq!(error.to_string(), "failed to read \"a␛[2J␊b\": no");
    }

    #[test]
    fn a_count_of_one_is_singular() {
        assert_eq!([count(0, "test"), count(1, "test")], ["0 tests", "1 test"]);
    }
}
