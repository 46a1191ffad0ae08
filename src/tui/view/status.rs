//! The lines around the lesson: title, status, keys, the question before a reset. Must not know what a key
//! does.

use super::alert;
use super::text::{both_ends, clip};
use crate::curriculum::{Course, ModuleId};
use crate::error::count;
use crate::report::figures::figure;
use crate::report::{ModuleReport, Outcome, Phase, human};
use crate::runner::event::{RunKind, Verdict};
use crate::tui::keymap::{self, Action, bindings};
use crate::tui::model::{
    Cause, Completing, Engine, Exercise, Model, ModuleState, ModuleStatus, Owner, Run, Stage,
};
use crate::tui::theme::{Role, style};
use crate::watch;
use ratatui::text::{Line, Span};
use std::time::Duration;

/// A run shows its time after this long: a shorter one would only flicker.
const SHOW_TIME: Duration = Duration::from_millis(500);
/// From this width on the status line has room for what is less important.
const ROOMY: u16 = 90;

/// From this width on it has room for two messages.
const WIDE: u16 = 110;

/// The first line: the module, and its progress.
#[must_use]
pub fn title(model: &Model) -> Line<'static> {
    let width = usize::from(model.size.0);
    let module = model.course.module(model.module);
    let name = module.map_or_else(String::new, |m| format!("{:02} {}", m.id.0, m.title));
    let left = vec![
        Span::styled(" tinytorch ", style(Role::Dim)),
        Span::styled(name, style(Role::Heading)),
    ];
    let mut right = vec![];
    if let Some((passed, tests, old)) =
        model.module_state().map(ModuleState::last_passed).filter(|(_, tests, _)| *tests > 0)
    {
        let done = passed * 10 / tests;
        // During a run its results replace the old ones one by one.
        let old = if old && model.run_here().is_none() { ", old" } else { "" };
        right = vec![
            Span::styled(
                "━".repeat(done),
                style(if old.is_empty() { Role::Good } else { Role::Dim }),
            ),
            Span::styled("─".repeat(10 - done), style(Role::Dim)),
            Span::raw(format!(" {passed} of {tests} tests{old} ")),
        ];
    }
    both_ends(left, right, width)
}

/// The line above the keys: what runs and why, or its result; the engine, the watcher.
#[must_use]
pub fn line(model: &Model) -> Line<'static> {
    let width = usize::from(model.size.0);
    let mut left = vec![Span::raw(" ")];
    left.extend(state(model));
    both_ends(left, surroundings(model), width)
}

fn state(model: &Model) -> Vec<Span<'static>> {
    let wide = model.size.0 >= WIDE;
    let first = match (&model.run, model.module_state()) {
        (Some(run), _) => running(model, run),
        (None, Some(module_state)) if wide => vec![outcome(model, module_state)],
        (None, Some(module_state)) => ended(model, module_state),
        (None, None) => vec![],
    };
    let checks = model.run.as_ref().is_some_and(|run| run.kind == RunKind::Check);
    match (model.completing.first(), model.module_state()) {
        (Some(one), _) => {
            let second = completing(one, model.completing.len() - 1, model.course);
            match wide {
                true => first.into_iter().chain([Span::raw("  ")]).chain(second).collect(),
                // Only one of them fits: the check, which is over soon.
                false if checks => first,
                false => second,
            }
        }
        (None, Some(module_state)) if model.run.is_none() => ended(model, module_state),
        (None, _) => first,
    }
}

/// A completion that runs.
pub(super) fn completing(
    first: &Completing,
    waiting: usize,
    course: &Course,
) -> Vec<Span<'static>> {
    let slug = |id: ModuleId| course.slug(id);
    let what = match (first.stage, first.rebuilt.last()) {
        (Stage::Waiting, _) => "waiting for its turn".to_owned(),
        (Stage::Checking, _) => "running its tests".to_owned(),
        (Stage::Rebuilding, None) => "building the modules above it".to_owned(),
        (Stage::Rebuilding, Some((link, took))) => {
            format!("{} rebuilt in {}", slug(*link), figure(took.as_secs_f64(), "s"))
        }
        (Stage::Proving(later), _) => format!("checking {}", slug(later)),
    };
    let more = if waiting == 0 { String::new() } else { format!("  {waiting} more waiting") };
    vec![
        Span::styled("◐ ", style(Role::Busy)),
        Span::raw(format!("completing {}: {what}", slug(first.module))),
        Span::styled(more, style(Role::Dim)),
    ]
}

fn running(model: &Model, run: &Run) -> Vec<Span<'static>> {
    let report = match run.milestone {
        Some(id) => model.milestones.get(&(id, run.engine)).map(|trained| &trained.report),
        None => model.module_states.get(&run.module).map(|module_state| &module_state.report),
    };
    let phase = match report.map(|report| &report.phase) {
        Some(Phase::Preparing { what, done, total }) => {
            format!("preparing {what}, {done} of {total}")
        }
        Some(Phase::Testing) if run.kind == RunKind::Check => tested(report),
        Some(Phase::Measuring) => match (run.milestone, run.engine) {
            (None, _) => "measuring".to_owned(),
            (Some(id), Engine::Mine) => format!("training {id} on your engine"),
            (Some(id), Engine::Reference) => format!("training {id} on the reference"),
        },
        _ if run.kind == RunKind::Check => "compiling".to_owned(),
        _ => "compiling, optimised".to_owned(),
    };
    let took = model.now.saturating_sub(run.since);
    let elapsed =
        if took < SHOW_TIME { String::new() } else { format!(" {:.1} s", took.as_secs_f64()) };
    let cause = match run.cause {
        Cause::Opened => "  because the lesson opened",
        Cause::Saved => "  because the file was saved",
        Cause::Asked => "",
        Cause::Passed => "  because every test passes",
        Cause::Engine => "  because the engine changed",
        Cause::Comparison => "  to compare",
    };
    vec![
        Span::styled("◐ ", style(Role::Busy)),
        Span::raw(format!("{phase}{elapsed}")),
        Span::styled(cause, style(Role::Dim)),
    ]
}

fn tested(report: Option<&ModuleReport>) -> String {
    let fresh = |report: &ModuleReport| report.graded().filter(|test| !test.old).count();
    report.map_or_else(String::new, |report| {
        format!("testing, {} of {}", fresh(report), report.graded().count())
    })
}

fn ended(model: &Model, module_state: &ModuleState) -> Vec<Span<'static>> {
    let more = model.status().and_then(|status| link(module_state, status));
    let more = more.map(|text| Span::styled(format!("  {text}"), style(Role::Dim)));
    [outcome(model, module_state)].into_iter().chain(more).collect()
}

/// Whether the learner's engine uses the module.
fn link(module_state: &ModuleState, status: &ModuleStatus) -> Option<String> {
    let complete = keymap::key(Action::Complete);
    let passes = module_state.report.outcome() == Outcome::Passed;
    Some(match &status.owner {
        _ if status.fails_now() => "completed, but fails now".to_owned(),
        Owner::Reference if passes => format!("{complete} adds it to your engine"),
        Owner::Reference => return None,
        Owner::Rejected { .. } => "but the reference is used instead".to_owned(),
        Owner::Learner if passes && status.edited => {
            format!("edited since; {complete} completes it again")
        }
        Owner::Learner => "in your engine".to_owned(),
    })
}

fn outcome(model: &Model, module_state: &ModuleState) -> Span<'static> {
    if matches!(module_state.exercise, Exercise::Missing(_)) {
        return Span::styled("✗ the exercise cannot be read", style(Role::Bad));
    }
    if module_state.error.is_some() {
        return Span::styled("✗ the check could not run", style(Role::Bad));
    }
    let (passed, tests) = module_state.report.passed();
    let (text, role) = match module_state.report.outcome() {
        Outcome::Unknown => return Span::styled("not checked yet", style(Role::Dim)),
        Outcome::Passed => (format!("✓ all {} pass", count(tests, "test")), Role::Good),
        Outcome::DoesNotCompile => {
            let errors = count(module_state.report.errors().count(), "error");
            (format!("✗ does not compile: {errors}"), Role::Bad)
        }
        Outcome::NotStarted if model.has_editor => {
            let key = keymap::key(Action::Edit);
            (format!("○ not started: {key} opens your editor"), Role::Wait)
        }
        Outcome::NotStarted => (format!("○ not started: edit {}", module_state.file), Role::Wait),
        Outcome::Unfinished if tests == 0 => ("✗ no tests were run".to_owned(), Role::Bad),
        Outcome::Unfinished => {
            let red = red(module_state).map(|red| format!(": {red}")).unwrap_or_default();
            (format!("{passed} of {} pass{red}", count(tests, "test")), Role::Wait)
        }
    };
    Span::styled(text, style(role))
}

/// The first graded test that failed, by name, and how many more did.
fn red(module_state: &ModuleState) -> Option<String> {
    let failed = module_state.report.graded().filter_map(|test| test.result.as_ref());
    let mut failed = failed
        .filter(|result| !matches!(result.verdict, Verdict::Passed | Verdict::NotStarted { .. }));
    let first = failed.next()?;
    let (word, _) = human::verdict(&first.verdict);
    let more = match failed.count() {
        0 => String::new(),
        more => format!(", {more} more"),
    };
    Some(format!("{} {word}{more}", first.name))
}

fn surroundings(model: &Model) -> Vec<Span<'static>> {
    let mine = |status: &&ModuleStatus| status.owner == Owner::Learner;
    let engine = match (model.engine, model.statuses.values().filter(mine).count()) {
        (Engine::Reference, _) => "engine reference".to_owned(),
        (Engine::Mine, mine) if model.size.0 >= WIDE => {
            format!("engine: mine ({mine} of {} yours)", model.course.modules().len())
        }
        (Engine::Mine, mine) => format!("engine mine {mine}/{}", model.course.modules().len()),
    };
    let watching = match &model.watch_mode {
        Some(watch::WatchMode::Native) if model.size.0 >= ROOMY => "  watching",
        None | Some(watch::WatchMode::Native) => "",
        Some(watch::WatchMode::Polling(_)) => "  polling",
    };
    vec![Span::styled(format!("{engine}{watching} "), style(Role::Dim))]
}

/// Keys of the last line by importance: where there is no room, the last one is dropped first.
const IMPORTANT: [Action; 6] =
    [Action::Edit, Action::Next, Action::Hint, Action::Results, Action::Modules, Action::Run];

/// The last line: the keys while a prediction is written, what is typed, else a note, else the state of a search, else the
/// keys that matter now.
#[must_use]
pub fn last_line(model: &Model) -> Line<'static> {
    let width = usize::from(model.size.0);
    let search = &model.search;
    let words = |text: String| vec![Span::styled(format!(" {text}"), style(Role::Key))];
    match short_note(model, width) {
        _ if model.writing.is_some() => {
            both_ends(words("Enter saves  Esc cancels".into()), vec![], width)
        }
        _ if search.typing => {
            let letters = Span::raw(search.text.clone());
            let cursor = Span::styled("▏", style(Role::Key));
            both_ends([words("/".into()), vec![letters, cursor]].concat(), vec![], width)
        }
        Some(note) => both_ends(words(note.to_owned()), vec![], width),
        None if !search.text.is_empty() => both_ends(words(found(model)), vec![], width),
        None => keys(model, width),
    }
}

/// Which match of how many.
fn found(model: &Model) -> String {
    let matches = &model.measured.matches;
    let at = model.search.at.and_then(|at| matches.iter().position(|line| *line == at));
    let which = match (at, matches.len()) {
        (_, 0) => "no match".to_owned(),
        (Some(at), all) => format!("match {} of {all}", at + 1),
        (None, all) => count(all, "line"),
    };
    format!("/{}  {which}  n next  N previous  Esc ends", model.search.text)
}

/// A note that fits in the line; any other is an alert.
fn short_note(model: &Model, width: usize) -> Option<&str> {
    let (note, _) = model.note.as_ref()?;
    Some(note.text.as_str()).filter(|text| !note.bad && alert::fits(text, width))
}

/// The keys that matter now. If some of them do not fit, the key of the help says that there are more.
fn keys(model: &Model, width: usize) -> Line<'static> {
    let key = |action: Action, word: &str| {
        let name = Span::styled(format!(" {}", keymap::key(action)), style(Role::Key));
        [name, Span::styled(format!(" {word} "), style(Role::Dim))]
    };
    let runs = model.run.is_some() || !model.completing.is_empty();
    let stop = runs.then_some((Action::Interrupt, "stop"));
    let shown = bindings().filter_map(|binding| Some((binding.action, binding.footer?)));
    let always = |action: &Action| matches!(action, Action::Help | Action::Quit);
    let mut left: Vec<_> =
        stop.into_iter().chain(shown.filter(|(action, _)| !always(action))).collect();
    let right = |help| [key(Action::Help, help), key(Action::Quit, "quit")].concat();
    let length = |keys: &[(Action, &str)], help| {
        let left = keys.iter().flat_map(|(action, word)| key(*action, word));
        left.chain(right(help)).map(|span| span.width()).sum::<usize>()
    };
    let mut help = "help";
    for action in IMPORTANT.iter().rev() {
        if length(&left, help) < width {
            break;
        }
        help = "more keys";
        left.retain(|(shown, _)| shown != action);
    }
    both_ends(
        left.iter().flat_map(|(action, word)| key(*action, word)).collect(),
        right(help),
        width,
    )
}

/// A rule across the screen with a name in it.
#[must_use]
pub fn rule(name: &str, width: usize) -> Line<'static> {
    let line = format!("── {name} {}", "─".repeat(width));
    clip(&[Span::styled(line.chars().take(width).collect::<String>(), style(Role::Dim))], width)
}

/// The question before a reset.
#[must_use]
pub fn reset(model: &Model) -> Vec<Line<'static>> {
    let file =
        model.module_state().map_or_else(String::new, |module_state| module_state.file.clone());
    let key = |name: &'static str| Span::styled(name, style(Role::Key));
    vec![
        Line::raw(format!(" Replace {file} with the starter?")),
        Line::styled(" A backup of your file is kept.", style(Role::Dim)),
        Line::default(),
        Line::from(vec![key(" y"), Span::raw(" reset   "), key("n"), Span::raw(" keep my work")]),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_is_as_wide_as_asked() {
        assert_eq!(rule("results", 14).to_string(), "── results ───");
        assert_eq!(rule("results", 3).to_string(), "── ");
    }
}
