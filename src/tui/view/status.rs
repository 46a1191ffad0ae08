//! The lines around the lesson: title, what goes on, keys, questions to the learner.

use super::text::{both_ends, clip};
use crate::curriculum::MODULES;
use crate::failure::count;
use crate::report::{ModuleReport, Outcome, Phase};
use crate::runner::event::RunKind;
use crate::tui::keymap::{self, Action, bindings};
use crate::tui::model::{Cause, Engine, Exercise, Model, Run, Sheet};
use crate::tui::theme::{Role, style};
use crate::watch;
use ratatui::text::{Line, Span};
use std::time::Duration;

/// A run shows its time from here on: shorter ones would only flicker.
const SHOW_TIME: Duration = Duration::from_millis(500);

/// The first line: where we are, and how far.
#[must_use]
pub fn title(model: &Model) -> Line<'static> {
    let width = usize::from(model.size.0);
    let module = MODULES.iter().find(|module| module.id == model.module);
    let name = module.map_or_else(String::new, |m| format!("{:02} {}", m.id.0, m.title));
    let left = vec![
        Span::styled(" tinytorch ", style(Role::Dim)),
        Span::styled(name, style(Role::Heading)),
    ];
    let mut right = vec![];
    if let Some((passed, tests)) =
        model.sheet().map(|sheet| sheet.report.passed()).filter(|(_, tests)| *tests > 0)
    {
        let done = passed * 10 / tests;
        right = vec![
            Span::styled("━".repeat(done), style(Role::Good)),
            Span::styled("─".repeat(10 - done), style(Role::Dim)),
            Span::raw(format!(" {passed} of {tests} tests ")),
        ];
    }
    both_ends(left, right, width)
}

/// The line above the keys: what goes on and why, or what came of it; the engine, the watcher.
#[must_use]
pub fn line(model: &Model) -> Line<'static> {
    let width = usize::from(model.size.0);
    let mut left = vec![Span::raw(" ")];
    if model.search.typing {
        left.extend([
            Span::styled("/", style(Role::Key)),
            Span::raw(model.search.text.clone()),
            Span::styled("▏", style(Role::Key)),
        ]);
    } else if let Some((note, _)) = &model.note {
        let role = if note.bad { Role::Bad } else { Role::Key };
        left.push(Span::styled(note.text.replace('\n', "  "), style(role)));
    } else {
        left.extend(state(model));
    }
    both_ends(left, surroundings(model), width)
}

fn state(model: &Model) -> Vec<Span<'static>> {
    if !model.search.text.is_empty() {
        let found = count(model.measured.matches.len(), "line");
        let text = format!("/{}  {found}, n next, N previous, Esc ends", model.search.text);
        return vec![Span::styled(text, style(Role::Key))];
    }
    match (&model.run, model.sheet()) {
        (Some(run), _) => running(model, run),
        (None, Some(sheet)) => vec![ended(sheet)],
        (None, None) => vec![],
    }
}

fn running(model: &Model, run: &Run) -> Vec<Span<'static>> {
    let report = model.sheets.get(&run.module).map(|sheet| &sheet.report);
    let phase = match report.map(|report| &report.phase) {
        Some(Phase::Preparing { what, done, total }) => {
            format!("preparing {what}, {done} of {total}")
        }
        Some(Phase::Testing) if run.kind == RunKind::Check => tested(report),
        Some(Phase::Measuring) => "measuring".to_owned(),
        _ if run.kind == RunKind::Check => "compiling".to_owned(),
        _ => "compiling, optimised".to_owned(),
    };
    let took = model.now.saturating_sub(run.since);
    let elapsed =
        if took < SHOW_TIME { String::new() } else { format!(" {:.1} s", took.as_secs_f64()) };
    let cause = match run.cause {
        Cause::Opened => "  opened",
        Cause::Saved => "  because the file was saved",
        Cause::Asked => "",
        Cause::Passed => "  because every test passes",
        Cause::Engine => "  because the engine was switched",
    };
    vec![
        Span::styled("◐ ", style(Role::Busy)),
        Span::raw(format!("{phase}{elapsed}")),
        Span::styled(cause, style(Role::Dim)),
    ]
}

fn tested(report: Option<&ModuleReport>) -> String {
    let fresh = |report: &ModuleReport| report.tests.iter().filter(|test| !test.old).count();
    report.map_or_else(String::new, |report| {
        format!("testing, {} of {}", fresh(report), report.tests.len())
    })
}

fn ended(sheet: &Sheet) -> Span<'static> {
    if let Exercise::Missing(reason) = &sheet.exercise {
        return Span::styled(format!("✗ {}: {reason}", sheet.file), style(Role::Bad));
    }
    if sheet.trouble.is_some() {
        return Span::styled("✗ could not run: see the top of the lesson", style(Role::Bad));
    }
    let (passed, tests) = sheet.report.passed();
    let (text, role) = match sheet.report.outcome() {
        Outcome::Unknown => return Span::styled("not checked yet", style(Role::Dim)),
        Outcome::Passed => (format!("✓ all {} pass", count(tests, "test")), Role::Good),
        Outcome::DoesNotCompile => {
            let errors = count(sheet.report.errors().count(), "error");
            (format!("✗ does not compile: {errors}"), Role::Bad)
        }
        Outcome::NotStarted => ("○ not started: e opens your editor".to_owned(), Role::Wait),
        Outcome::Unfinished if tests == 0 => ("✗ no tests were run".to_owned(), Role::Bad),
        Outcome::Unfinished => (format!("{passed} of {} pass", count(tests, "test")), Role::Wait),
    };
    Span::styled(text, style(role))
}

fn surroundings(model: &Model) -> Vec<Span<'static>> {
    let engine = match model.engine {
        Engine::Mine => "engine mine",
        Engine::Reference => "engine reference",
    };
    let watching = match &model.noticing {
        None => "",
        Some(watch::Kind::Native) => "  watching",
        Some(watch::Kind::Polling(_)) => "  polling",
    };
    vec![Span::styled(format!("{engine}{watching} "), style(Role::Dim))]
}

/// The last line: the keys that matter now.
#[must_use]
pub fn keys(model: &Model) -> Line<'static> {
    let width = usize::from(model.size.0);
    let key = |action: Action, word: &str| {
        let name = Span::styled(format!(" {}", keymap::key(action)), style(Role::Key));
        [name, Span::styled(format!(" {word} "), style(Role::Dim))]
    };
    let always = |action: Action| matches!(action, Action::Help | Action::Quit);
    let (mut left, mut right) = (vec![], vec![]);
    if model.run.is_some() {
        left.extend(key(Action::Interrupt, "stop"));
    }
    for binding in bindings() {
        if let Some(word) = binding.footer {
            let side = if always(binding.action) { &mut right } else { &mut left };
            side.extend(key(binding.action, word));
        }
    }
    // What does not fit whole is left out: the help has every key.
    let room = width.saturating_sub(right.iter().map(Span::width).sum::<usize>() + 1);
    while left.iter().map(Span::width).sum::<usize>() > room {
        left.truncate(left.len().saturating_sub(2));
    }
    both_ends(left, right, width)
}

/// A rule across the screen with a name in it.
#[must_use]
pub fn rule(name: &str, width: usize) -> Line<'static> {
    let line = format!("── {name} {}", "─".repeat(width));
    clip(&[Span::styled(line.chars().take(width).collect::<String>(), style(Role::Dim))], width)
}

/// Whether to reset.
#[must_use]
pub fn reset(model: &Model) -> Vec<Line<'static>> {
    let file = model.sheet().map_or_else(String::new, |sheet| sheet.file.clone());
    let key = |name: &'static str| Span::styled(name, style(Role::Key));
    vec![
        Line::raw(format!(" Put {file} back to its start?")),
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
