//! The thread that owns the store: a write waits for the disk, which the main thread must not do. Takes
//! records to save and modules to recall, sends messages, and checks once a second whether another
//! terminal changed the store or the learner's engine. Must not know what the screen does with them.

use super::worker::Worker;
use crate::curriculum::lesson::Block;
use crate::curriculum::{Course, Module, ModuleId, cells};
use crate::error::Error;
use crate::framework::{self, Engine};
use crate::lab::Lab;
use crate::progress::{self, Store};
use crate::report::Outcome;
use crate::runner::event::RunKind;
use crate::tui::message::{Message, Record, Remembered};
use crate::tui::model::{ModuleStatus, ReadingPosition};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender};
use std::time::{Duration, SystemTime};

/// How often to look for another terminal's changes: this costs one pragma and the time of one file.
const POLL: Duration = Duration::from_secs(1);

/// A command for the store's thread.
pub enum StoreCommand {
    /// Save a record.
    Keep(Record),
    /// Send what the store has about a module whose exercise has this text.
    Recall(&'static Module, String),
    /// Send the status of every module.
    Refresh,
}

/// Starts the thread, which opens the store and sends the status of every module. A requested engine
/// takes precedence over the one chosen last. Dropping the worker waits until everything is written.
pub fn start(
    lab: Lab,
    engine: Option<Engine>,
    messages: Sender<Message>,
) -> std::io::Result<Worker<StoreCommand>> {
    Worker::start("store", move |inbox| {
        let send = |message| drop(messages.send(message));
        let opened = StoreThread::open(&lab, engine, &send);
        if let Err(error) = opened.map(|mut thread| thread.work(&inbox)) {
            send(Message::Failed(format!("progress is not saved: {error}")));
        }
    })
}

struct StoreThread<'a> {
    lab: &'a Lab,
    store: Store,
    send: &'a dyn Fn(Message),
    /// The module that was recalled last, and its text.
    recalled: Option<(&'static Module, String)>,
    seen: Stamp,
}

/// Changes when another process changes the store, or any process the learner's engine.
type Stamp = (i64, Option<SystemTime>);

impl<'a> StoreThread<'a> {
    fn open(
        lab: &'a Lab,
        engine: Option<Engine>,
        send: &'a dyn Fn(Message),
    ) -> Result<Self, Error> {
        let (store, aside) = Store::open(&lab.store())?;
        if let Some(aside) = aside {
            let path = aside.kept_as.display();
            let reason = aside.reason;
            send(Message::Failed(format!(
                "the progress store was damaged and is set aside as {path}: {reason}"
            )));
        }
        let last = store.get(ENGINE)?;
        let last = last.filter(|word| word == Engine::Reference.word()).map(|_| Engine::Reference);
        if let Some(engine) = engine.or(last) {
            send(Message::Chosen(engine));
        }
        let seen = stamp(lab, &store)?;
        Ok(Self { lab, store, send, recalled: None, seen })
    }

    fn work(&mut self, inbox: &Receiver<StoreCommand>) {
        let mut done = self.refresh();
        loop {
            // One failure does not end the thread: the disk may have space again for the next record.
            if let Err(error) = done {
                (self.send)(Message::Failed(error.to_string()));
            }
            done = match inbox.recv_timeout(POLL) {
                Ok(StoreCommand::Keep(record)) => keep(self.lab.course(), &mut self.store, record),
                Ok(StoreCommand::Recall(module, text)) => self.open_module(module, text),
                Ok(StoreCommand::Refresh) => self.refresh(),
                Err(RecvTimeoutError::Timeout) => self.poll(),
                Err(RecvTimeoutError::Disconnected) => return,
            };
        }
    }

    /// Sends everything again if another terminal changed it.
    fn poll(&mut self) -> Result<(), Error> {
        // A store that cannot be read reports an error when it is used.
        let Ok(stamp) = stamp(self.lab, &self.store) else { return Ok(()) };
        if std::mem::replace(&mut self.seen, stamp) == stamp {
            return Ok(());
        }
        self.refresh()?;
        self.recall()
    }

    fn refresh(&self) -> Result<(), Error> {
        (self.send)(Message::Statuses(statuses(self.lab, &self.store)?));
        (self.send)(Message::Milestones(milestones(self.lab, &self.store)?));
        Ok(())
    }

    fn open_module(&mut self, module: &'static Module, text: String) -> Result<(), Error> {
        self.recalled = Some((module, text));
        self.store.set(MODULE, &module.slug())?;
        self.recall()
    }

    fn recall(&self) -> Result<(), Error> {
        let Some((module, text)) = &self.recalled else { return Ok(()) };
        (self.send)(recall(self.lab, &self.store, module, text)?);
        Ok(())
    }
}

fn stamp(lab: &Lab, store: &Store) -> Result<Stamp, Error> {
    let module = lab.course().modules().first();
    let engine = module.and_then(|module| lab.mine(module).parent().map(Path::to_owned));
    let changed = |folder: std::path::PathBuf| folder.metadata().and_then(|m| m.modified()).ok();
    Ok((store.version()?, engine.and_then(changed)))
}

const ENGINE: &str = "engine";
const MODULE: &str = "module";
const WELCOMED: &str = "welcomed";

/// Whether the welcome card was closed in this lab before.
pub fn is_welcomed(lab: &Lab) -> bool {
    progress::remembered(&lab.store(), WELCOMED).is_some()
}

/// The module that was on screen last, if the store has one.
pub fn last_module(lab: &Lab) -> Option<ModuleId> {
    let slug = progress::remembered(&lab.store(), MODULE)?;
    lab.course().by_slug(&slug).map(|module| module.id)
}

/// The reading position in a module, if the store has one.
pub fn place(lab: &Lab, module: &Module) -> Option<ReadingPosition> {
    let words = progress::remembered(&lab.store(), &place_of(module))?;
    let (piece, line) = words.split_once(' ')?;
    Some(ReadingPosition { piece: piece.parse().ok()?, line: line.parse().ok()? })
}

fn place_of(module: &Module) -> String {
    format!("place {}", module.slug())
}

fn keep(course: &Course, store: &mut Store, record: Record) -> Result<(), Error> {
    match record {
        Record::Run { kind: RunKind::Check, report, text } => store.record_check(&report, &text),
        Record::Run { report, text, .. } => report.analyses.iter().try_for_each(|analysis| {
            store.record_analysis(report.module, &analysis.name, &analysis.items, &text)
        }),
        Record::Hint { module, cell, shown } => store.record_hint(module, &cell, shown),
        Record::Answer { module, question } => store.record_answer(module, &question),
        Record::Written { module, task, part, text } => {
            store.record_written(module, &task, part, &text)
        }
        Record::Place { module, place } => match course.module(module) {
            Some(module) => {
                store.set(&place_of(module), &format!("{} {}", place.piece, place.line))
            }
            None => Ok(()),
        },
        Record::Welcomed => store.set(WELCOMED, "yes"),
        Record::Engine(engine) => store.set(ENGINE, engine.word()),
        Record::Milestone { milestone, engine, fingerprint, ran } => {
            store.record_milestone(milestone, engine.word(), &fingerprint, &ran)
        }
    }
}

fn recall(lab: &Lab, store: &Store, module: &Module, text: &str) -> Result<Message, Error> {
    let mut hints = BTreeMap::new();
    for block in lab.read_lesson(module).blocks {
        if let Block::Exercise { cell, .. } = block {
            let shown = store.hints_shown(module.id, &cell)?;
            hints.insert(cell, shown);
        }
    }
    Ok(Message::Recalled {
        module: module.id,
        hints,
        answered: store.answered(module.id)?,
        written: store.written(module.id)?,
        measured: store.measurements(module.id, text)?,
    })
}

/// The results of every milestone on each engine, and whether that engine has changed since.
fn milestones(lab: &Lab, store: &Store) -> Result<Vec<Remembered>, Error> {
    let mut all = vec![];
    for milestone in lab.course().milestones() {
        for engine in [Engine::Mine, Engine::Reference] {
            if let Some((fingerprint, ran)) = store.milestone(milestone.id, engine.word())? {
                let old = framework::trial(lab, milestone, engine)?.fingerprint != fingerprint;
                let milestone = milestone.id;
                all.push(Remembered { milestone, engine, ran, fingerprint, old });
            }
        }
    }
    Ok(all)
}

/// What these tests of a module are worth in points.
fn points(module: &Module, tests: &[String]) -> u32 {
    let passes = |test: &&str| tests.iter().any(|known| known == test);
    let cells = cells::parse(module.reference());
    cells.iter().filter(|cell| cell.tests().iter().any(passes)).map(|cell| cell.points).sum()
}

/// The status of every module, from its last check.
fn statuses(lab: &Lab, store: &Store) -> Result<BTreeMap<ModuleId, ModuleStatus>, Error> {
    let mut statuses = BTreeMap::new();
    for (id, owner) in framework::owners(lab, Engine::Mine)? {
        let Some(module) = lab.course().module(id) else { continue };
        let text = lab.read_exercise(module).unwrap_or_default();
        let edited = framework::edited_since(lab, module, &text);
        let mut status = ModuleStatus { owner, edited, ..ModuleStatus::default() };
        if let Some(last) = store.last_check(module.id, &text)? {
            status.passed = last.passed;
            status.tests = last.expected;
            status.points = points(module, &store.passing(module.id)?);
            status.outcome = match last.outcome.as_str() {
                _ if !last.current => Outcome::Unknown,
                "passed" => Outcome::Passed,
                "unfinished" => Outcome::Unfinished,
                "does_not_compile" => Outcome::DoesNotCompile,
                "not_started" => Outcome::NotStarted,
                _ => Outcome::Unknown,
            };
        }
        statuses.insert(module.id, status);
    }
    Ok(statuses)
}
