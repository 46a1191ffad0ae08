//! Progress on standard error: a line when a long step begins, or on a terminal one line that is rewritten; and each text
//! that a model generates, while it does. Quick steps print nothing. Not here: results, which go to standard output.

use crate::curriculum::Course;
use crate::runner::event::RunEvent;
use std::io::{IsTerminal, Write, stderr};
use tinytorch::report::{Item, Text};
use unicode_width::UnicodeWidthStr;

const BAR: usize = 20;

/// Shows the progress of a run.
pub struct Meter {
    course: &'static Course,
    writer: Box<dyn Write>,
    /// The terminal's columns; `None` where there is none.
    columns: Option<usize>,
    /// Whether the terminal's last line is ours.
    drawn: bool,
    /// The step that was announced last.
    announced: String,
    /// The text that is being generated, as far as it is shown.
    live: Option<Text>,
}

/// One thing that can be shown.
struct Progress {
    /// `building the third-party crates of the engine, once`.
    step: String,
    done: usize,
    total: usize,
    /// `ndarray`.
    detail: String,
    /// Whether it takes long enough to be worth a line in a log.
    long: bool,
}

impl Meter {
    /// On standard error.
    #[must_use]
    pub fn stderr(course: &'static Course) -> Self {
        let simple = std::env::var_os("TERM").is_none_or(|term| term == "dumb");
        let terminal = stderr().is_terminal() && !simple;
        let columns = || crossterm::terminal::size().map_or(80, |(columns, _)| columns.into());
        Self::new(course, Box::new(stderr()), terminal.then(columns))
    }

    fn new(course: &'static Course, writer: Box<dyn Write>, columns: Option<usize>) -> Self {
        Self { course, writer, columns, drawn: false, announced: String::new(), live: None }
    }

    /// Shows the progress that an event reports, if it reports any.
    pub fn show(&mut self, event: &RunEvent) {
        if let RunEvent::Reported { item: Item::Text(text), .. } = event {
            return self.continue_text(text);
        }
        let progress = self.progress(event);
        if progress.is_some() && self.live.is_some() {
            self.clear();
        }
        match progress {
            Some(progress) if self.columns.is_some() => self.draw(&progress),
            Some(progress) if progress.long => self.announce(&progress),
            _ => {}
        }
    }

    /// Writes what is new in a text: all of it, unless it only grew.
    fn continue_text(&mut self, text: &Text) {
        let shown = self.live.as_ref().filter(|live| live.title == text.title);
        match shown.and_then(|live| text.text.strip_prefix(live.text.as_str())) {
            Some(new) => self.write(new),
            None => {
                self.clear();
                self.write(&format!("{}\n{}", text.title, text.text));
            }
        }
        self.live = Some(text.clone());
    }

    /// Clears the line, so that other output can follow.
    pub fn clear(&mut self) {
        if let Some(text) = self.live.take()
            && !text.text.ends_with('\n')
        {
            self.write("\n");
        }
        if std::mem::take(&mut self.drawn) {
            self.write("\r\x1b[K");
        }
    }

    fn progress(&self, event: &RunEvent) -> Option<Progress> {
        match event {
            RunEvent::Preparing { what, done, total } => {
                let (step, detail) = match self.course.by_slug(what) {
                    Some(_) => (format!("compiling {what}"), String::new()),
                    None => ("building the engine's third-party crates, once".into(), what.clone()),
                };
                Some(Progress { step, done: *done, total: *total, detail, long: true })
            }
            RunEvent::Reported { item: Item::Progress(progress), .. } => Some(Progress {
                step: progress.label.clone(),
                done: usize::try_from(progress.done).unwrap_or(0),
                total: usize::try_from(progress.total).unwrap_or(0),
                detail: String::new(),
                long: false,
            }),
            _ => None,
        }
    }

    fn draw(&mut self, progress: &Progress) {
        let Progress { step, done, total, detail, .. } = progress;
        let full = (BAR * done.min(total)).checked_div(*total).unwrap_or(0);
        let bar = "#".repeat(full) + &".".repeat(BAR - full);
        let mut line = format!("[{bar}] {done} of {total}  {step}  {detail}");
        let most = self.columns.unwrap_or(80).saturating_sub(1);
        while line.width() > most {
            line.pop();
        }
        self.drawn = true;
        self.write(&format!("\r\x1b[K{}", line.trim_end()));
    }

    fn announce(&mut self, progress: &Progress) {
        if self.announced != progress.step {
            self.announced.clone_from(&progress.step);
            self.write(&format!("{}...\n", progress.step));
        }
    }

    fn write(&mut self, text: &str) {
        // If standard error is closed, progress is not wanted.
        let _ = self.writer.write_all(text.as_bytes()).and_then(|()| self.writer.flush());
    }
}

impl Drop for Meter {
    fn drop(&mut self) {
        self.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::{Arc, Mutex};

    #[derive(Clone, Default)]
    struct Log(Arc<Mutex<Vec<u8>>>);

    impl Write for Log {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    fn shown(columns: Option<usize>) -> String {
        let log = Log::default();
        let mut meter = Meter::new(Course::tinytorch(), Box::new(log.clone()), columns);
        for (what, done) in
            [("tinytorch", 0), ("ndarray", 1), ("01_tensor", 0), ("02_activations", 2)]
        {
            meter.show(&RunEvent::Preparing { what: what.into(), done, total: 4 });
        }
        drop(meter);
        let bytes = log.0.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn a_log_gets_one_line_for_each_step() {
        let crates = "building the engine's third-party crates, once...\n";
        assert_eq!(
            shown(None),
            format!("{crates}compiling 01_tensor...\ncompiling 02_activations...\n")
        );
    }

    #[test]
    fn a_text_is_continued_while_it_grows_and_ended_before_anything_else() {
        let log = Log::default();
        let mut meter = Meter::new(Course::tinytorch(), Box::new(log.clone()), Some(80));
        let item = |title: &str, text: &str| RunEvent::Reported {
            analysis: "milestone".into(),
            item: Item::Text(Text { title: title.into(), text: text.into() }),
        };
        let building = RunEvent::Preparing { what: "01_tensor".into(), done: 0, total: 4 };
        for event in [
            building.clone(),
            item("one", "Q"),
            item("one", "Q: Hi."),
            item("one", "A"),
            item("two", "B\n"),
            building,
        ] {
            meter.show(&event);
        }
        let bytes = log.0.lock().unwrap().clone();
        let text = String::from_utf8(bytes).unwrap();
        let (_, text) = text.split_once("01_tensor").unwrap();
        let (live, _) = text.rsplit_once("\r\x1b[K[").unwrap();
        assert_eq!(live, "\r\x1b[Kone\nQ: Hi.\none\nA\ntwo\nB\n");
    }

    #[test]
    fn a_terminal_gets_one_line_that_is_rewritten_and_cleared() {
        let text = shown(Some(40));
        assert!(!text.contains('\n'), "{text}");
        assert!(text.contains("[#####...............] 1 of 4"), "{text}");
        assert!(text.ends_with("\r\x1b[K"), "{text}");
        assert!(text.split("\r\x1b[K").all(|line| line.len() < 40), "{text}");
    }
}
