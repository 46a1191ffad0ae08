//! A TOML file that an instructor writes: every error names the line and the key. Must not know what the file is for.

use crate::error::{Error, harmless};
use std::ops::Range;

/// The text, to find lines in.
pub(super) struct Source<'a>(pub(super) &'a str);

impl Source<'_> {
    /// A problem with the value of a key.
    pub(super) fn error(&self, key: &str, place: &Range<usize>, problem: &str) -> Error {
        Error::usage(format!("line {}: {key}: {problem}", self.line(place)))
    }

    /// What TOML or serde found: the message names an unknown or missing key; otherwise the line does.
    pub(super) fn malformed(&self, error: &toml::de::Error, keys: &str) -> Error {
        let place = error.span().unwrap_or(0..0);
        let line = self.line(&place);
        let written = self.0.lines().nth(line - 1).unwrap_or_default();
        let key = written.split_once('=').map_or("", |(key, _)| key.trim());
        let key = if key.is_empty() { String::new() } else { format!("{}: ", harmless(key)) };
        let message = harmless(error.message()).replace('\n', "; ");
        Error::usage(format!("line {line}: {key}{message}")).hint(keys)
    }

    /// The line of a place, from 1.
    pub(super) fn line(&self, place: &Range<usize>) -> usize {
        let before = self.0.as_bytes().iter().take(place.start);
        1 + before.filter(|byte| **byte == b'\n').count()
    }
}

/// Makes each mistake, a text in the place of another, alone: the error must begin with the place and the problem, and have
/// the fix among its hints.
#[cfg(test)]
pub(super) fn assert_named<T: std::fmt::Debug>(
    file: &str,
    parse: impl Fn(&str) -> Result<T, Error>,
    mistakes: &[[&str; 4]],
) {
    for [from, to, problem, fix] in mistakes {
        let text = file.replacen(from, to, 1);
        assert_ne!(text, file);
        let result = parse(&text);
        let is_named = result.as_ref().is_err_and(|error| {
            error.message.starts_with(problem) && error.hints.iter().any(|hint| hint.contains(fix))
        });
        assert!(is_named, "{from} -> {to}: {result:?}");
    }
}
