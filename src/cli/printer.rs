//! Standard output: lines, colours where they are wanted, and a reader that may close it at any time.

use crate::error::Error;
use crate::report::human::Colour;
use std::io::{self, ErrorKind, IsTerminal, Write};

/// Where lines go.
pub struct Printer {
    writer: Box<dyn Write>,
    colour: Colour,
    error: Option<io::Error>,
}

impl Printer {
    /// Standard output. Coloured on a terminal, unless `NO_COLOR` is set or the terminal is a simple one.
    #[must_use]
    pub fn stdout() -> Self {
        let set = |name| std::env::var_os(name).filter(|value| !value.is_empty());
        let plain = set("NO_COLOR").is_some() || set("TERM").is_some_and(|term| term == "dumb");
        let coloured = io::stdout().is_terminal() && !plain;
        let colour = if coloured { Colour::On } else { Colour::Off };
        Self { writer: Box::new(io::stdout()), colour, error: None }
    }

    /// Whether lines may carry colours.
    #[must_use]
    pub fn colour(&self) -> Colour {
        self.colour
    }

    /// Writes a line, or several.
    pub fn line(&mut self, text: impl AsRef<str>) {
        self.text(text.as_ref());
        self.text("\n");
    }

    /// Writes text that ends its own lines.
    pub fn text(&mut self, text: &str) {
        if self.error.is_none() {
            let written = self.writer.write_all(text.as_bytes()).and_then(|()| self.writer.flush());
            self.error = written.err();
        }
    }

    /// Whether the output is closed, so that nothing more needs to be computed.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.error.is_some()
    }

    /// Reports a failed write. A reader that closes the output early is not an error.
    ///
    /// # Errors
    /// When the output could not be written, for example on a full disk.
    pub fn finish(self) -> Result<(), Error> {
        match self.error {
            Some(error) if error.kind() != ErrorKind::BrokenPipe => {
                Err(Error::environment(format!("failed to write the output: {error}")))
            }
            _ => Ok(()),
        }
    }
}
