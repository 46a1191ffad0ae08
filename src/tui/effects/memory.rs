//! The thread that owns the store: what is written there is on the disk when a call returns, which
//! is not for the screen's thread to wait for. Comes in: facts to keep, modules to recall. Goes out:
//! messages. Dropping it waits until everything is written.

use crate::curriculum::lesson::Block;
use crate::curriculum::{Course, Module, ModuleId};
use crate::error::Error;
use crate::framework::{self, Engine};
use crate::lab::Lab;
use crate::progress::{self, Store};
use crate::report::Outcome;
use crate::runner::event::RunKind;
use crate::tui::message::{Fact, Message, Remembered};
use crate::tui::model::{ModuleStatus, ReadingPlace};
use std::collections::BTreeMap;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::{Builder, JoinHandle};

enum Order {
    Keep(Fact),
    Recall(&'static Module, String),
    Stand,
}

/// What is remembered between sessions.
pub struct Memory {
    orders: Option<Sender<Order>>,
    thread: Option<JoinHandle<()>>,
}

impl Memory {
    /// Starts the thread, which opens the store and tells how the modules stand.
    /// An engine that was asked for goes before the one chosen last.
    pub fn start(
        lab: Lab,
        engine: Option<Engine>,
        messages: Sender<Message>,
    ) -> std::io::Result<Self> {
        let (orders, inbox) = channel();
        let thread = Builder::new().name("store".into()).spawn(move || {
            if let Err(error) = work(&lab, engine, &inbox, &messages) {
                let text = format!("progress is not kept: {error}");
                let _ = messages.send(Message::Failed(text));
            }
        })?;
        Ok(Self { orders: Some(orders), thread: Some(thread) })
    }

    /// Remembers something.
    pub fn keep(&self, fact: Fact) {
        self.order(Order::Keep(fact));
    }

    /// Asks for what is remembered of a module whose exercise has that text.
    pub fn recall(&self, module: &'static Module, text: String) {
        self.order(Order::Recall(module, text));
    }

    /// Asks how all modules stand now.
    pub fn stand(&self) {
        self.order(Order::Stand);
    }

    fn order(&self, order: Order) {
        if let Some(orders) = &self.orders {
            // Without a store the thread is gone, which was said.
            let _ = orders.send(order);
        }
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        self.orders = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn work(
    lab: &Lab,
    engine: Option<Engine>,
    inbox: &Receiver<Order>,
    messages: &Sender<Message>,
) -> Result<(), Error> {
    let (mut store, aside) = Store::open(&lab.store())?;
    let send = |message| drop(messages.send(message));
    if let Some(aside) = aside {
        let path = aside.kept_as.display();
        let text =
            format!("the progress store was damaged and is set aside as {path}: {}", aside.reason);
        send(Message::Failed(text));
    }
    let last = store.get(ENGINE)?;
    let last = last.filter(|word| word == Engine::Reference.word()).map(|_| Engine::Reference);
    if let Some(engine) = engine.or(last) {
        send(Message::Chosen(engine));
    }
    let stand = |store: &Store| -> Result<(), Error> {
        send(Message::Statuses(statuses(lab, store)?));
        send(Message::Milestones(milestones(lab, store)?));
        Ok(())
    };
    if let Err(error) = stand(&store) {
        send(Message::Failed(error.to_string()));
    }
    while let Ok(order) = inbox.recv() {
        let done = match order {
            Order::Keep(fact) => keep(lab.course(), &mut store, fact),
            Order::Recall(module, text) => recall(lab, &mut store, module, &text).map(send),
            Order::Stand => stand(&store),
        };
        // One failure does not end the thread: the disk may have room again by the next fact.
        if let Err(error) = done {
            send(Message::Failed(error.to_string()));
        }
    }
    Ok(())
}

const ENGINE: &str = "engine";
const MODULE: &str = "module";

/// The module that was on screen last, if the lab remembers one.
pub fn last_module(lab: &Lab) -> Option<ModuleId> {
    let slug = progress::remembered(&lab.store(), MODULE)?;
    lab.course().by_slug(&slug).map(|module| module.id)
}

/// Where a module was read last, if the lab remembers it.
pub fn place(lab: &Lab, module: &Module) -> Option<ReadingPlace> {
    let words = progress::remembered(&lab.store(), &place_of(module))?;
    let (piece, line) = words.split_once(' ')?;
    Some(ReadingPlace { piece: piece.parse().ok()?, line: line.parse().ok()? })
}

fn place_of(module: &Module) -> String {
    format!("place {}", module.slug())
}

fn keep(course: &Course, store: &mut Store, fact: Fact) -> Result<(), Error> {
    match fact {
        Fact::Run { kind: RunKind::Check, report, text } => store.record_check(&report, &text),
        Fact::Run { report, text, .. } => report.analyses.iter().try_for_each(|analysis| {
            store.record_analysis(report.module, &analysis.name, &analysis.items, &text)
        }),
        Fact::Hint { module, cell, shown } => store.record_hint(module, &cell, shown),
        Fact::Answer { module, question } => store.record_answer(module, &question),
        Fact::Place { module, place } => match course.module(module) {
            Some(module) => {
                store.set(&place_of(module), &format!("{} {}", place.piece, place.line))
            }
            None => Ok(()),
        },
        Fact::Engine(engine) => store.set(ENGINE, engine.word()),
        Fact::Milestone { milestone, engine, fingerprint, ran } => {
            store.record_milestone(milestone, engine.word(), &fingerprint, &ran)
        }
    }
}

fn recall(
    lab: &Lab,
    store: &mut Store,
    module: &'static Module,
    text: &str,
) -> Result<Message, Error> {
    store.set(MODULE, &module.slug())?;
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
        measured: store.measurements(module.id, text)?,
    })
}

/// What came of every milestone on each engine, and whether that is of an engine that has changed since.
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

/// How every module stands, by its last check.
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
