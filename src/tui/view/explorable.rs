//! An interactive figure: its controls, whose code computed it, and its last frame. Must not know how a control
//! changes.

use super::analysis;
use super::block::{self, framed, head, say};
use super::text::clip;
use crate::report::{explorable, human};
use crate::runner::event::Verdict;
use crate::tui::explorable::Change;
use crate::tui::keymap::{self, Action};
use crate::tui::model::{Explorable, Model, ModuleState};
use crate::tui::theme::{Role, style};
use ratatui::text::{Line, Span};
use tinytorch::explore::Control;

/// The width of a slider.
const TRACK: usize = 24;

/// The block of an explorable.
#[must_use]
pub fn lines(
    model: &Model,
    module_state: &ModuleState,
    name: &str,
    (width, focused): (usize, bool),
) -> Vec<Line<'static>> {
    let inner = width.saturating_sub(block::BAR);
    let Some(state) = module_state.explorables.get(name) else {
        let word = vec![Span::styled("! no such figure", style(Role::Wait))];
        return framed(vec![head("explorable", name, word, inner)], Role::Wait, focused);
    };
    let open =
        model.figure.as_ref().filter(|open| open.module == model.module && open.name == name);
    if open.is_none() {
        let mut lines = vec![head("figure", &state.title, opens(), inner)];
        lines.extend(say(&state.about, Role::Text, inner));
        return framed(lines, Role::Dim, focused);
    }
    let mut lines = vec![head("figure", &state.title, keys(state), inner)];
    lines.extend(say(&state.about, Role::Dim, inner));
    lines.extend(whose(model, state, inner));
    lines.extend(controls(state, inner));
    lines.extend(analysis::items(&state.items, inner, model.capabilities));
    lines.extend(broken(state, inner));
    framed(lines, Role::Live, focused)
}

/// The open figure, for the full screen.
#[must_use]
pub fn zoomed(
    model: &Model,
    module_state: &ModuleState,
    width: usize,
) -> Option<Vec<Line<'static>>> {
    let open = model.figure.as_ref()?;
    Some(lines(model, module_state, &open.name, (width, true)))
}

fn opens() -> Vec<Span<'static>> {
    vec![
        Span::styled(keymap::key(Action::Open), style(Role::Key)),
        Span::styled(" opens it", style(Role::Dim)),
    ]
}

/// The keys that the figure uses now.
fn keys(state: &Explorable) -> Vec<Span<'static>> {
    let has_text = state.controls.iter().any(|control| matches!(control, Control::Text { .. }));
    let known = [
        (state.controls.len() > 1, "↑↓", "pick"),
        (!state.controls.is_empty(), "←→", "set"),
        (has_text, "Enter", "type"),
        (state.player().is_some(), "Space", if state.playing { "pause" } else { "play" }),
        (true, "Esc", "close"),
    ];
    let shown = known.into_iter().filter(|(is_shown, ..)| *is_shown);
    let spans = shown.flat_map(|(_, key, word)| {
        [Span::styled(key, style(Role::Key)), Span::styled(format!(" {word}  "), style(Role::Dim))]
    });
    spans.collect()
}

/// Whose code computes the figure, where that is not the learner's, and whether it is being compiled.
fn whose(model: &Model, state: &Explorable, width: usize) -> Vec<Line<'static>> {
    let slug = model.course.slug(model.module);
    if let Some(error) = &state.error {
        return say(&format!("✗ {error}"), Role::Bad, width);
    }
    if state.compiling {
        return say(&format!("◐ compiling {slug}{}", early(state)), Role::Busy, width);
    }
    let unfinished = state.unfinished.as_ref();
    let words = unfinished.map(|unfinished| explorable::unfinished(unfinished, &slug));
    words.map_or_else(Vec::new, |words| say(&format!("! {words}"), Role::Wait, width))
}

/// The changes that wait for the first frame, as the keys that were pressed.
fn early(state: &Explorable) -> String {
    let key = |change: &Change| match change {
        Change::Choose(steps) if *steps < 0 => "↑",
        Change::Choose(_) => "↓",
        Change::Shift(steps) if *steps < 0 => "←",
        Change::Shift(_) => "→",
        Change::Play => "Space",
    };
    let keys: Vec<&str> = state.early.iter().map(key).collect();
    if keys.is_empty() { String::new() } else { format!(", then {}", keys.join(" ")) }
}

fn controls(state: &Explorable, width: usize) -> Vec<Line<'static>> {
    let length = |control: &Control| Span::raw(control.name().to_owned()).width();
    let names = state.controls.iter().map(length).max().unwrap_or(0);
    let line = |(index, control): (usize, &Control)| {
        let chosen = index == state.chosen;
        let pad = " ".repeat(names - length(control) + 2);
        let mut spans = vec![
            Span::styled(if chosen { "▸ " } else { "  " }, style(Role::Key)),
            Span::raw(format!("{}{pad}", control.name())),
        ];
        spans.extend(setting(control, state, chosen));
        clip(&spans, width)
    };
    let mut lines = vec![Line::default()];
    lines.extend(state.controls.iter().enumerate().map(line));
    lines
}

/// The value of a control, among its possible values.
fn setting(control: &Control, state: &Explorable, chosen: bool) -> Vec<Span<'static>> {
    let strong = style(if chosen { Role::Strong } else { Role::Text });
    let dim = style(Role::Dim);
    match control {
        Control::Number { value, low, high, .. } => {
            let mut spans = track((value - low) / (high - low), chosen);
            spans.push(Span::styled(format!("  {}", control.setting()), strong));
            spans.push(Span::styled(format!("  {low} to {high}"), dim));
            spans
        }
        Control::Choice { value, options, .. } => {
            let option = |option: &String| match option == value {
                true => Span::styled(format!("[{option}] "), style(Role::Strong)),
                false => Span::styled(format!(" {option}  "), dim),
            };
            options.iter().map(option).collect()
        }
        Control::Text { value, .. } => {
            let typed = Span::styled(value.clone(), strong);
            let cursor = if chosen && state.typing { "█" } else { "" };
            vec![
                Span::styled("│", dim),
                typed,
                Span::styled(cursor, style(Role::Key)),
                Span::styled("│", dim),
            ]
        }
        Control::Play { value, frames, .. } => {
            let last = frames.saturating_sub(1);
            let mut spans = track(*value as f64 / last.max(1) as f64, chosen);
            let glyph = if state.playing { "▶" } else { "⏸" };
            spans.push(Span::styled(format!("  {glyph} {value}"), strong));
            spans.push(Span::styled(format!(" of {last}"), dim));
            spans
        }
    }
}

fn track(share: f64, chosen: bool) -> Vec<Span<'static>> {
    let at = (share.clamp(0.0, 1.0) * (TRACK - 1) as f64).round() as usize;
    let role = style(if chosen { Role::Key } else { Role::Dim });
    vec![
        Span::styled("━".repeat(at), role),
        Span::styled("●", role),
        Span::styled("─".repeat(TRACK - 1 - at), style(Role::Dim)),
    ]
}

/// Why the last frame is incomplete.
fn broken(state: &Explorable, width: usize) -> Vec<Line<'static>> {
    let Some(verdict) = state.verdict.as_ref().filter(|verdict| **verdict != Verdict::Passed)
    else {
        return vec![];
    };
    let (word, more) = human::verdict(verdict);
    let mut lines = vec![Line::default()];
    lines.extend(say(&format!("✗ {word}: {more}"), Role::Bad, width));
    lines
}
