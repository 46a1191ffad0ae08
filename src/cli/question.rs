//! A question at the terminal whose answer is yes or no.

use crate::error::Error;
use std::io::{IsTerminal, stdin};

/// Whether there is a terminal to ask at.
pub fn can_ask() -> bool {
    stdin().is_terminal()
}

/// Asks on standard error. Anything but a yes, such as the end of the input, is a no.
///
/// # Errors
/// When the answer cannot be read.
#[expect(clippy::print_stderr, reason = "a question is no output")]
pub fn ask(question: &str) -> Result<bool, Error> {
    eprint!("{question} [y/N] ");
    let mut answer = String::new();
    let read = stdin().read_line(&mut answer);
    read.map_err(|error| Error::environment(format!("failed to read the answer: {error}")))?;
    Ok(["y", "yes"].contains(&answer.trim().to_lowercase().as_str()))
}
