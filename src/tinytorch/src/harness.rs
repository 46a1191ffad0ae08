//! Runs one test or one analysis of an exercise in a process of its own, or computes the frames of one
//! explorable, and reports the result. Input: the exercise's tables, and on the command line a Unix socket, a name,
//! and for a milestone the folder of its checkpoints; for an explorable also one line of [`Settings`] per frame.
//! Output: one [`Record`] a line over that socket. Not here: what a record, or the lack of one, means to the tutor.
//!
//! The harness connects before it runs anything, and the tutor accepts one connection only, so nothing else can send a
//! record. The verdict is sent after the body has returned, and then the process exits at once. When the tutor ends, the
//! connection closes, and this process exits too.

use crate::explore::{Control, Explorer, Settings};
use crate::outputs::{Outputs, Seeded};
use crate::random::Rng;
use crate::report::{Item, Reporter};
use serde::{Deserialize, Serialize};
use std::any::Any;
use std::cell::RefCell;
use std::convert::identity;
use std::ffi::{OsStr, OsString};
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::panic::{AssertUnwindSafe, PanicHookInfo, catch_unwind};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

/// One line on the socket.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "record", rename_all = "snake_case")]
pub enum Record {
    /// An analysis reported something.
    Item {
        /// What it reported.
        item: Item,
    },
    /// A frame of an explorable asked for these controls; the verdict on the frame follows.
    Controls {
        /// The controls, in the order in which the figure asked for them.
        controls: Vec<Control>,
    },
    /// The body returned.
    Returned,
    /// A `todo!` was reached, even if its panic was caught.
    Todo {
        /// The message of the `todo!`.
        message: String,
    },
    /// The body panicked.
    Panicked {
        /// The panic's message.
        message: String,
        /// The source file as the compiler was given it, empty if not known.
        file: String,
        /// The line, from 1.
        line: u32,
        /// The column, from 1.
        column: u32,
    },
}

/// The record of what ran in a sandbox, with the secret that the tutor sent for it alone.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Signed {
    /// The secret.
    pub secret: String,
    /// What it reported.
    pub items: Vec<Item>,
    /// How the test ended.
    pub record: Record,
    /// Whether it ended while it worked on inputs that were drawn from the seed.
    pub is_seeded: bool,
    /// What was returned for them.
    pub outputs: Outputs,
}

/// A function that reports, with its name.
pub type Analysis<'a> = (&'a str, fn(&mut Reporter));

/// A function that computes the frames of an explorable, with its name.
pub type Explorable<'a> = (&'a str, fn(&mut Explorer));

/// The stack of a body: that of a main thread on Linux.
const STACK: usize = 8 << 20;
/// The longest panic message that is passed on, in bytes. JSON makes six of a control character, and a record in the
/// sandbox has at most 64 KiB.
const LONGEST_MESSAGE: usize = 8 << 10;

thread_local! {
    /// The last two panics of this thread, the newer one second: a destructor can panic while an
    /// earlier panic unwinds.
    static PANICS: RefCell<[Option<Record>; 2]> = const { RefCell::new([None, None]) };
}
/// The last panic of any thread, which says more than "a scoped thread panicked".
static LAST_ANYWHERE: Mutex<Option<Record>> = Mutex::new(None);
/// The message of the first `todo!` that was reached, in any thread.
static TODO: Mutex<Option<String>> = Mutex::new(None);
/// Where the verdict goes: from the body's thread, or from the hook of a panic that cannot unwind.
static VERDICT: Mutex<Option<Sender<Record>>> = Mutex::new(None);

/// The `main` of every program made from an exercise: `PROGRAM SOCKET NAME [FOLDER]` runs the test, analysis
/// or explorable of that name. What reports may keep checkpoints in the folder. Ends the process.
#[expect(clippy::print_stderr, reason = "a person who starts the program by hand should know")]
pub fn run(tests: &[(&str, fn())], analyses: &[Analysis<'_>], explorables: &[Explorable<'_>]) -> ! {
    let arguments: Vec<OsString> = std::env::args_os().skip(1).collect();
    let [socket, name, folder @ ..] = arguments.as_slice() else {
        eprintln!("usage: PROGRAM SOCKET NAME [FOLDER]");
        leave(2);
    };
    let Ok((stream, lifeline)) = connect(socket) else {
        eprintln!("no tutor listens on {socket:?}");
        leave(2);
    };
    let (name, folder) = (name.to_string_lossy(), folder.first().cloned());
    if let Some((_, figure)) = explorables.iter().find(|(known, _)| **known == *name) {
        let figure = *figure;
        let (send, settings) = channel();
        thread::spawn(move || receive(lifeline, &send));
        explore(stream, settings, figure);
    }
    thread::spawn(move || end_with(lifeline));
    if let Some((_, test)) = tests.iter().find(|(known, _)| **known == *name) {
        let test = *test;
        run_body(stream, identity, move |_| test());
    } else if let Some((_, analysis)) = analyses.iter().find(|(known, _)| **known == *name) {
        let analysis = *analysis;
        run_body(stream, identity, move |stream| {
            let out = Reporter::new(move |item| send_record(&stream, &Record::Item { item }));
            analysis(&mut match folder {
                Some(folder) => out.with_checkpoints(folder),
                None => out,
            });
        });
    }
    eprintln!("there is no test, analysis or explorable \"{name}\"");
    leave(2);
}

/// The `main` of a program that runs in a sandbox: `PROGRAM NAME` runs the test or analysis of that name. The channel is inherited,
/// so there is no path at which another process could listen; the secret and the seed are read from it before the body
/// runs. After a test that returned, the function of `seeded` with its name runs. Ends the process.
#[expect(clippy::print_stderr, reason = "the tutor shows why there is no verdict")]
pub fn run_confined(
    channel: UnixStream,
    tests: &[(&str, fn())],
    analyses: &[Analysis<'_>],
    seeded: &[Seeded],
) -> ! {
    // A duplicate is closed when another program is executed; what was inherited is not.
    let duplicates = channel.try_clone().and_then(|own| Ok((own.try_clone()?, own)));
    drop(channel);
    let Ok((lifeline, stream)) = duplicates else { leave(4) };
    let (secret, seed) = (line(&stream), line(&stream).parse().unwrap_or_default());
    let name = std::env::args_os().nth(1).unwrap_or_default();
    let test = tests.iter().find(|(known, _)| **known == *name).map(|(_, test)| *test);
    let analysis = analyses.iter().find(|(known, _)| **known == *name).map(|(_, body)| *body);
    if test.is_none() && analysis.is_none() {
        eprintln!("there is no test or analysis {name:?}");
        leave(2);
    }
    let seeded = seeded.iter().find(|(known, _)| *known == name).map(|(_, run)| *run);
    thread::spawn(move || end_with(lifeline));
    // None until the body has returned.
    let outputs: Arc<Mutex<Option<Outputs>>> = Arc::default();
    let items: Arc<Mutex<Vec<Item>>> = Arc::default();
    let (collected, reported) = (Arc::clone(&outputs), Arc::clone(&items));
    // One record for everything: what else is sent is a forgery.
    let sealed = move |record| {
        let (outputs, items) = (lock(&outputs).take(), std::mem::take(&mut *lock(&items)));
        Signed {
            secret,
            items,
            record,
            is_seeded: outputs.is_some(),
            outputs: outputs.unwrap_or_default(),
        }
    };
    run_body(stream, sealed, move |_| {
        if let Some(analysis) = analysis {
            analysis(&mut Reporter::new(move |item| lock(&reported).push(item)));
        }
        let Some(test) = test else { return };
        test();
        let Some(seeded) = seeded else { return };
        *lock(&collected) = Some(Outputs::default());
        let mut outputs = Outputs::default();
        seeded(&mut Rng::seeded(seed), &mut outputs);
        *lock(&collected) = Some(outputs);
    });
}

/// The next line on the channel. Nothing is read beyond it.
fn line(mut stream: &UnixStream) -> String {
    let (mut line, mut byte) = (String::new(), [0]);
    while stream.read_exact(&mut byte).is_ok() && byte != *b"\n" {
        line.push(char::from(byte[0]));
    }
    line
}

fn connect(socket: &OsStr) -> std::io::Result<(UnixStream, UnixStream)> {
    let stream = UnixStream::connect(socket)?;
    let lifeline = stream.try_clone()?;
    Ok((stream, lifeline))
}

/// Exits when the tutor has ended: it never writes, so a read returns only then.
fn end_with(mut lifeline: UnixStream) {
    let _ = lifeline.read(&mut [0]);
    leave(3);
}

/// Runs the body on a thread with a known stack, sends its verdict in the form that `sealed` gives it, and exits. The
/// body's thread never ends, so no destructor of its thread-locals runs between the verdict and the exit.
fn run_body<T: Serialize>(
    stream: UnixStream,
    sealed: impl FnOnce(Record) -> T,
    body: impl FnOnce(UnixStream) + Send + 'static,
) -> ! {
    let (send, verdict) = channel();
    *lock(&VERDICT) = Some(send);
    let work = {
        let stream = stream.try_clone();
        move || match stream {
            Ok(own) => hand_over(judge(|| body(own))),
            Err(error) => {
                hand_over(panicked(format!("the harness lost its socket: {error}"), None))
            }
        }
    };
    let started = thread::Builder::new().stack_size(STACK).spawn(work);
    if started.is_ok()
        && let Ok(verdict) = verdict.recv()
    {
        send_record(&stream, &sealed(verdict));
        leave(0);
    }
    leave(4);
}

/// Hands over the verdict, once, and waits for the exit. An explorable has no such verdict, since its process keeps
/// running.
fn hand_over(verdict: Record) {
    let Some(send) = lock(&VERDICT).take() else { return };
    drop(send.send(verdict));
    loop {
        thread::park();
    }
}

/// Passes on each line of settings. When the tutor has ended, this process exits, even in the middle of a frame.
fn receive(lifeline: UnixStream, settings: &Sender<Settings>) {
    for line in BufReader::new(lifeline).lines().map_while(Result::ok) {
        match serde_json::from_str(&line) {
            Ok(line) => drop(settings.send(line)),
            Err(_) => break,
        }
    }
    leave(3);
}

/// Computes a frame for each line of settings, on a thread with a known stack. A frame that panics gets its verdict, and
/// the next one is computed as usual.
fn explore(stream: UnixStream, settings: Receiver<Settings>, figure: fn(&mut Explorer)) -> ! {
    let work = move || {
        for settings in settings {
            let Ok(own) = stream.try_clone() else { leave(3) };
            let reporter = Reporter::new(move |item| send_record(&own, &Record::Item { item }));
            let mut explorer = Explorer::new(settings, reporter);
            let verdict = judge(|| figure(&mut explorer));
            send_record(&stream, &Record::Controls { controls: explorer.controls().to_vec() });
            send_record(&stream, &verdict);
        }
        leave(0);
    };
    drop(thread::Builder::new().stack_size(STACK).spawn(work).map(thread::JoinHandle::join));
    leave(4);
}

/// Runs the body and returns how it ended.
fn judge(body: impl FnOnce()) -> Record {
    std::panic::set_hook(Box::new(note));
    // An earlier frame may have left a panic that its body caught.
    PANICS.take();
    lock(&LAST_ANYWHERE).take();
    lock(&TODO).take();
    let returned = catch_unwind(AssertUnwindSafe(body));
    if let Some(message) = lock(&TODO).take() {
        return Record::Todo { message };
    }
    match returned {
        Ok(()) => Record::Returned,
        Err(payload) => {
            // The payload is the learner's: its destructor could do anything.
            std::mem::forget(payload);
            let [_, own] = PANICS.take();
            let elsewhere = lock(&LAST_ANYWHERE).take();
            match own {
                Some(own) if !is_an_echo(&own) => own,
                own => elsewhere.or(own).unwrap_or_else(|| panicked(String::new(), None)),
            }
        }
    }
}

/// Whether a panic only repeats that another thread panicked.
fn is_an_echo(record: &Record) -> bool {
    matches!(record, Record::Panicked { message, .. }
        if message == "a scoped thread panicked" || message.ends_with("Any { .. }"))
}

/// The panic hook: records the message and the place. The tutor shows them; nothing is printed.
fn note(panic: &PanicHookInfo<'_>) {
    let message = message(panic.payload());
    if message == IN_DESTRUCTOR || message == IN_FOREIGN_FUNCTION {
        hand_over(aborting(&message));
    }
    if let Some(message) = message.strip_prefix("not yet implemented") {
        let message = message.trim_start_matches(": ").to_owned();
        lock(&TODO).get_or_insert(message);
    }
    let record = panicked(message, panic.location());
    PANICS.with_borrow_mut(|[earlier, last]| *earlier = last.replace(record.clone()));
    if !is_an_echo(&record) {
        *lock(&LAST_ANYWHERE) = Some(record);
    }
}

/// The standard library's messages before it aborts: after them nothing more could be reported.
const IN_DESTRUCTOR: &str = "panic in a destructor during cleanup";
const IN_FOREIGN_FUNCTION: &str = "panic in a function that cannot unwind";

/// The verdict on a body whose panic cannot unwind. When a destructor panicked while an earlier panic unwound, it has
/// both messages, and the place of the earlier panic, which is the cause.
fn aborting(why: &str) -> Record {
    if let Some(message) = lock(&TODO).take() {
        return Record::Todo { message };
    }
    match PANICS.take() {
        [
            Some(Record::Panicked { message, file, line, column }),
            Some(Record::Panicked { message: second, .. }),
        ] if why == IN_DESTRUCTOR => {
            let message = format!("{message}\nwhile unwinding, a destructor panicked: {second}");
            Record::Panicked { message, file, line, column }
        }
        [_, last] => last.unwrap_or_else(|| panicked(why.to_owned(), None)),
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn panicked(message: String, at: Option<&std::panic::Location<'_>>) -> Record {
    Record::Panicked {
        message,
        file: at.map(|at| at.file().to_owned()).unwrap_or_default(),
        line: at.map_or(0, std::panic::Location::line),
        column: at.map_or(0, std::panic::Location::column),
    }
}

fn message(payload: &(dyn Any + Send)) -> String {
    let text = payload
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| payload.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("a panic whose payload is not text");
    if text.len() <= LONGEST_MESSAGE {
        return text.to_owned();
    }
    let end = (0..=LONGEST_MESSAGE).rev().find(|end| text.is_char_boundary(*end));
    format!("{}...", &text[..end.unwrap_or(0)])
}

fn send_record(mut stream: &UnixStream, record: &impl Serialize) {
    let line = serde_json::to_string(record).map(|line| line + "\n");
    if line.is_err() || stream.write_all(line.unwrap_or_default().as_bytes()).is_err() {
        leave(3);
    }
}

#[expect(clippy::disallowed_methods, reason = "to exit at once, without destructors, is the point")]
fn leave(code: i32) -> ! {
    std::process::exit(code)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The hook and what it records belong to the process, so all cases are in one test.
    #[test]
    fn a_body_is_judged_by_how_it_ends_and_by_every_todo_it_reached() {
        let before = std::panic::take_hook();
        let returned = judge(|| ());
        let caught = judge(|| drop(catch_unwind(|| panic!("expected by the test"))));
        let failed = judge(|| assert_eq!(1 + 1, 3, "sum"));
        let unwritten = judge(|| todo!("tensor-add"));
        let swallowed = judge(|| drop(catch_unwind(|| todo!("tensor-mul"))));
        let nameless = judge(|| todo!());
        let threaded = judge(|| {
            thread::scope(|scope| {
                scope.spawn(|| panic!("inside"));
            });
        });
        let joined = judge(|| thread::spawn(|| panic!("joined")).join().unwrap());
        let odd = judge(|| std::panic::panic_any(5));
        let long = judge(|| panic!("{}", "é".repeat(LONGEST_MESSAGE)));
        std::panic::set_hook(before);

        assert_eq!([&returned, &caught], [&Record::Returned; 2]);
        let Record::Panicked { message, file, line, column } = failed else { panic!("{failed:?}") };
        assert_eq!(message, "assertion `left == right` failed: sum\n  left: 2\n right: 3");
        assert!(file.ends_with("harness.rs") && line > 200 && column > 1, "{file}:{line}:{column}");
        let waits = |message: &str| Record::Todo { message: message.to_owned() };
        assert_eq!(unwritten, waits("tensor-add"));
        assert_eq!(swallowed, waits("tensor-mul"), "a caught todo is still a todo");
        assert_eq!(nameless, waits(""));
        let message = |record: &Record| match record {
            Record::Panicked { message, .. } => message.clone(),
            other => panic!("{other:?}"),
        };
        assert_eq!(message(&threaded), "inside");
        assert_eq!(message(&joined), "joined");
        assert_eq!(message(&odd), "a panic whose payload is not text");
        assert_eq!(message(&long).len(), LONGEST_MESSAGE + 3);
    }
}
