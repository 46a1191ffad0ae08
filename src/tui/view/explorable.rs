//! An interactive figure: its sliders, and what the engine computes for their values. Must not know how
//! a slider moves.

use super::analysis;
use super::block::{self, framed, head, say};
use super::text::clip;
use crate::explore::{self, Slider};
use crate::report::figures;
use crate::tui::keymap::{self, Action};
use crate::tui::model::{Capabilities, ModuleState};
use crate::tui::theme::{Role, style};
use ratatui::text::{Line, Span};

/// Cells of a slider's track.
const TRACK: usize = 24;

/// The block of an explorable.
#[must_use]
pub fn lines(
    module_state: &ModuleState,
    name: &str,
    capabilities: Capabilities,
    (width, focused): (usize, bool),
) -> Vec<Line<'static>> {
    let inner = width.saturating_sub(block::BAR);
    let Some((known, state)) = explore::find(name).zip(module_state.explorables.get(name)) else {
        let word = vec![Span::styled("! no such figure", style(Role::Wait))];
        return framed(vec![head("explorable", name, word, inner)], Role::Wait, focused);
    };
    let mut keys = vec![];
    for (action, word) in
        [(Action::Less, ""), (Action::More, " move  "), (Action::Slider, " next slider")]
    {
        keys.push(Span::styled(keymap::key(action), style(Role::Key)));
        keys.push(Span::styled(word, style(Role::Dim)));
    }
    let mut lines = vec![head("", known.title, keys, inner)];
    lines.extend(say(known.about, Role::Text, inner));
    lines.push(Line::default());
    let names = known.sliders.iter().map(|slider| slider.name.chars().count()).max().unwrap_or(0);
    for (index, (slider, value)) in known.sliders.iter().zip(&state.values).enumerate() {
        lines.push(clip(&self::slider(slider, *value, names, index == state.slider), inner));
    }
    lines.extend(analysis::items(&state.items, inner, capabilities));
    framed(lines, Role::Live, focused)
}

fn slider(slider: &Slider, value: f64, names: usize, chosen: bool) -> Vec<Span<'static>> {
    let share = ((value - slider.min) / (slider.max - slider.min)).clamp(0.0, 1.0);
    let at = (share * (TRACK - 1) as f64).round() as usize;
    let role = if chosen { Role::Key } else { Role::Dim };
    vec![
        Span::styled(if chosen { "▸ " } else { "  " }, style(Role::Key)),
        Span::raw(format!("{:<names$}  ", slider.name)),
        Span::styled("━".repeat(at), style(role)),
        Span::styled("●", style(role)),
        Span::styled("─".repeat(TRACK - 1 - at), style(Role::Dim)),
        Span::styled(
            format!("  {}", figures::figure(value, slider.unit)),
            style(if chosen { Role::Strong } else { Role::Text }),
        ),
    ]
}
