//! The terminal: taken over, and always restored, on exit, on a panic, for an editor, on suspension. A page is drawn
//! as one synchronized update. Must not know what is drawn.

use crossterm::event::{
    DisableBracketedPaste, DisableMouseCapture, EnableBracketedPaste, EnableMouseCapture,
};
use crossterm::terminal::{
    BeginSynchronizedUpdate, Clear, ClearType, EndSynchronizedUpdate, EnterAlternateScreen,
    LeaveAlternateScreen, disable_raw_mode, enable_raw_mode,
};
use crossterm::{cursor, execute};
use ratatui::backend::CrosstermBackend;
use ratatui::{Frame, Terminal};
use std::io::{self, BufWriter, Stdout, Write};
use std::sync::Once;

/// The terminal while the tutor has it. Dropping it restores the terminal.
pub struct Screen {
    terminal: Terminal<Out>,
    /// Whether the terminal may no longer show the last frame.
    stale: bool,
}

type Out = CrosstermBackend<BufWriter<Stdout>>;

impl Screen {
    /// Takes over the terminal.
    pub fn enter() -> io::Result<Self> {
        restore_on_panic();
        // The theme obeys NO_COLOR; crossterm would also drop reverse video.
        crossterm::style::force_color_output(true);
        take()?;
        Ok(Self { terminal: blank().inspect_err(|_| restore())?, stale: false })
    }

    /// Columns and rows.
    pub fn size(&self) -> io::Result<(u16, u16)> {
        self.terminal.size().map(|size| (size.width, size.height))
    }

    /// Draws one frame as a synchronized update, so that it never shows in part.
    pub fn draw(&mut self, show: impl FnOnce(&mut Frame<'_>)) -> io::Result<()> {
        execute!(self.terminal.backend_mut(), BeginSynchronizedUpdate)?;
        if std::mem::take(&mut self.stale) {
            self.terminal = blank()?;
        }
        let drawn = self.terminal.draw(show).map(drop);
        execute!(self.terminal.backend_mut(), EndSynchronizedUpdate)?;
        drawn
    }

    /// Leaves the terminal to another program until it is reclaimed.
    pub fn release(&mut self) {
        restore();
    }

    /// Takes over a terminal that was released.
    pub fn reclaim(&mut self) -> io::Result<()> {
        self.redraw();
        take()
    }

    /// Forgets the last frame, so that every cell of the next one is drawn.
    pub const fn redraw(&mut self) {
        self.stale = true;
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        restore();
    }
}

/// A cleared terminal. Not by `Terminal::clear`: that queries the position of the cursor, and the input thread might
/// read the answer.
fn blank() -> io::Result<Terminal<Out>> {
    execute!(io::stdout(), Clear(ClearType::All))?;
    Terminal::new(CrosstermBackend::new(BufWriter::with_capacity(1 << 16, io::stdout())))
}

fn take() -> io::Result<()> {
    enable_raw_mode()?;
    execute!(
        io::stdout(),
        EnterAlternateScreen,
        EnableMouseCapture,
        EnableBracketedPaste,
        cursor::Hide
    )
    .inspect_err(|_| restore())
}

/// Restores the terminal. Errors are ignored: the terminal may be gone.
fn restore() {
    let _ = execute!(
        io::stdout(),
        EndSynchronizedUpdate,
        DisableBracketedPaste,
        DisableMouseCapture,
        LeaveAlternateScreen,
        cursor::Show
    );
    let _ = disable_raw_mode();
    let _ = io::stdout().flush();
}

/// Restores the terminal before a panic is printed, so that the message stays visible and the shell is not left in raw
/// mode.
fn restore_on_panic() {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let hook = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            restore();
            hook(panic);
        }));
    });
}

#[cfg(test)]
#[path = "../../tests/pty/terminal.rs"]
#[expect(dead_code, clippy::expect_used, reason = "other tests use more of it")]
mod pty;

#[cfg(test)]
mod tests {
    use super::*;

    /// Run by the test below, in a terminal of its own.
    #[test]
    #[ignore = "the inner half of another test"]
    fn panics_on_purpose() {
        let _screen = Screen::enter().unwrap();
        panic!("the words of the panic");
    }

    #[test]
    fn a_panic_is_printed_after_the_terminal_is_restored() {
        let program = std::env::current_exe().unwrap();
        let name = "tui::terminal::tests::panics_on_purpose";
        let arguments = ["--exact", name, "--ignored", "--nocapture"];
        let folder = std::env::temp_dir();
        let program = program.to_str().unwrap();
        let mut terminal = pty::Terminal::start(program, &arguments, &folder, (80, 24), &[]);
        let (_, written) = terminal.wait_for_end();
        let written = String::from_utf8_lossy(&written);
        let place = |words: &str| written.find(words);
        let (taken, left) = (place("\x1b[?1049h"), place("\x1b[?1049l"));
        let message = place("the words of the panic");
        assert!(taken.is_some() && taken < left && left < message, "{written}");
        assert_eq!(terminal.modes(), terminal.modes_before);
    }
}
