//! A real pseudo-terminal with an emulator behind it: starts a program, types into it, and waits for
//! what its screen shows. Shared by the end-to-end tests, the benchmark of the first frame, and the
//! script that takes the picture in the README. No sleeping: each wait ends when the screen changes.

use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};
use std::io::{Read, Write};
use std::num::NonZero;
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

/// Long enough for the slowest machine; a test that passes never waits that long.
pub const PATIENCE: Duration = Duration::from_secs(300);

/// A program in a terminal of its own.
pub struct Terminal {
    screen: Arc<Screen>,
    writer: Keyboard,
    master: Box<dyn MasterPty + Send>,
    /// The terminal's modes before the program started.
    pub modes_before: String,
    /// The program.
    pub child: Box<dyn Child + Send + Sync>,
}

/// What the program reads: keys, and the answers of the emulator.
type Keyboard = Arc<Mutex<Box<dyn Write + Send>>>;

struct Screen {
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    parser: vt100::Parser<Answers>,
    raw: Vec<u8>,
    closed: bool,
}

impl Terminal {
    /// Starts `program` with `arguments` in `folder`, on a screen of `columns` by `rows`.
    pub fn start(
        program: &str,
        arguments: &[&str],
        folder: &Path,
        (columns, rows): (u16, u16),
        variables: &[(&str, &str)],
    ) -> Self {
        let size = PtySize { rows, cols: columns, pixel_width: 0, pixel_height: 0 };
        let pair = native_pty_system().openpty(size).expect("a pseudo-terminal");
        let mut command = CommandBuilder::new(program);
        command.args(arguments);
        command.cwd(folder);
        for (name, value) in [("TERM", "xterm-256color"), ("LANG", "C.UTF-8")] {
            command.env(name, value);
        }
        for name in ["NO_COLOR", "COLORFGBG"] {
            command.env_remove(name);
        }
        variables.iter().for_each(|(name, value)| command.env(name, value));
        let modes_before = format!("{:?}", pair.master.get_termios());
        let child = pair.slave.spawn_command(command).expect("the program starts");
        drop(pair.slave);
        let screen = Arc::new(Screen {
            state: Mutex::new(State {
                parser: vt100::Parser::new_with_callbacks(
                    cells(rows),
                    cells(columns),
                    0,
                    Answers::default(),
                ),
                raw: vec![],
                closed: false,
            }),
            changed: Condvar::new(),
        });
        let reader = pair.master.try_clone_reader().expect("a reader");
        let behind = Arc::clone(&screen);
        let writer: Keyboard = Arc::new(Mutex::new(pair.master.take_writer().expect("a writer")));
        let keyboard = Arc::clone(&writer);
        std::thread::spawn(move || behind.follow(reader, &keyboard));
        Self { screen, writer, master: pair.master, modes_before, child }
    }

    /// The terminal's modes: line editing, echo, signals by keys.
    pub fn modes(&self) -> String {
        format!("{:?}", self.master.get_termios())
    }

    /// Types keys.
    pub fn send(&mut self, keys: &str) {
        type_into(&self.writer, keys.as_bytes()).expect("the terminal takes keys");
    }

    /// Changes the size.
    pub fn resize(&self, (columns, rows): (u16, u16)) {
        let size = PtySize { rows, cols: columns, pixel_width: 0, pixel_height: 0 };
        self.screen
            .state
            .lock()
            .expect("a screen")
            .parser
            .screen_mut()
            .set_size(cells(rows), cells(columns));
        self.master.resize(size).expect("the terminal takes a size");
    }

    /// Waits until the screen shows what `wanted` looks for; panics with the screen when it does not.
    #[track_caller]
    pub fn wait_for(&self, what: &str, wanted: impl Fn(&str) -> bool) -> String {
        self.wait_until(what, |screen| wanted(&screen.contents()))
    }

    /// The same with the emulator's screen, for colours and the like.
    #[track_caller]
    pub fn wait_until(&self, what: &str, wanted: impl Fn(&vt100::Screen) -> bool) -> String {
        let end = Instant::now() + PATIENCE;
        let mut state = self.screen.state.lock().expect("a screen");
        loop {
            let text = state.parser.screen().contents();
            if wanted(state.parser.screen()) {
                return text;
            }
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() || state.closed {
                // The thread that follows the screen still needs the lock.
                drop(state);
                panic!("waited for {what}; the screen is\n{text}");
            }
            state = self.screen.changed.wait_timeout(state, left).expect("a screen").0;
        }
    }

    /// Waits until the screen contains `text`.
    #[track_caller]
    pub fn wait_for_text(&self, text: &str) -> String {
        self.wait_for(&format!("\"{text}\""), |screen| screen.contains(text))
    }

    /// Waits until the program has ended and all its output is read; returns that.
    pub fn wait_for_end(&mut self) -> (portable_pty::ExitStatus, Vec<u8>) {
        let status = self.child.wait().expect("an exit status");
        let mut state = self.screen.state.lock().expect("a screen");
        while !state.closed {
            state = self.screen.changed.wait(state).expect("a screen");
        }
        (status, state.raw.clone())
    }

    /// Reads something from the emulator's screen.
    pub fn look<T>(&self, look: impl FnOnce(&vt100::Screen) -> T) -> T {
        look(self.screen.state.lock().expect("a screen").parser.screen())
    }
}

impl Screen {
    fn follow(&self, mut reader: Box<dyn Read + Send>, keyboard: &Keyboard) {
        let mut bytes = [0; 8192];
        loop {
            // At the end of the program the terminal answers with an error on Linux.
            let read = reader.read(&mut bytes).unwrap_or(0);
            let mut state = self.state.lock().expect("a screen");
            state.parser.process(&bytes[..read]);
            state.raw.extend_from_slice(&bytes[..read]);
            state.closed = read == 0;
            let answers = std::mem::take(&mut state.parser.callbacks_mut().0);
            self.changed.notify_all();
            drop(state);
            // The program may have ended meanwhile.
            let _ = type_into(keyboard, &answers);
            if read == 0 {
                return;
            }
        }
    }
}

/// The emulator's answers to a program: its background is black, and it is a VT220.
#[derive(Default)]
struct Answers(Vec<u8>);

impl vt100::Callbacks for Answers {
    fn unhandled_osc(&mut self, _: &mut vt100::Screen, question: &[&[u8]]) {
        if question == [b"11", b"?".as_slice()] {
            self.0.extend_from_slice(b"\x1b]11;rgb:0000/0000/0000\x07");
        }
    }

    fn unhandled_csi(
        &mut self,
        _: &mut vt100::Screen,
        first: Option<u8>,
        _: Option<u8>,
        _: &[&[u16]],
        last: char,
    ) {
        if (first, last) == (None, 'c') {
            self.0.extend_from_slice(b"\x1b[?62c");
        }
    }
}

fn type_into(keyboard: &Keyboard, bytes: &[u8]) -> std::io::Result<()> {
    let mut keyboard = keyboard.lock().expect("a keyboard");
    keyboard.write_all(bytes)?;
    keyboard.flush()
}

fn cells(count: u16) -> NonZero<u16> {
    NonZero::new(count).expect("a screen has at least one cell")
}
