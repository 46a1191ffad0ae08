//! The style of each role of a text, in the 16 ANSI colours. Every state is also a glyph and a word, so
//! that nothing is lost without colour; [`finish`] gives a finished frame a theme's colours, or removes
//! colours and non-ASCII symbols from it. Must not know where on the screen anything is.

use crate::tui::highlighted::TokenKind;
use crate::tui::model::Capabilities;
use crate::tui::palette::Theme;
use ratatui::buffer::{Buffer, Cell};
use ratatui::style::{Color, Modifier, Style};
use unicode_width::UnicodeWidthStr;

/// What a piece of text is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Running text.
    Text,
    /// Secondary text.
    Dim,
    /// The title of the lesson, and a section.
    Heading,
    /// A smaller heading.
    Subheading,
    /// Strong emphasis.
    Strong,
    /// Emphasis.
    Emphasis,
    /// A name or a piece of code in the text.
    Code,
    /// A link, or a key to press.
    Key,
    /// Passed, met, measured well.
    Good,
    /// Failed.
    Bad,
    /// Old, warned, waiting for the learner.
    Wait,
    /// In progress.
    Busy,
    /// Live blocks without a state.
    Live,
    /// The line under a cursor.
    Selected,
    /// A match of the search.
    Match,
}

/// The style of a role.
#[must_use]
pub const fn style(role: Role) -> Style {
    let base = Style::new();
    match role {
        Role::Text => base,
        Role::Dim => base.add_modifier(Modifier::DIM),
        Role::Heading => base.fg(Color::Cyan).add_modifier(Modifier::BOLD),
        Role::Subheading | Role::Strong => base.add_modifier(Modifier::BOLD),
        Role::Emphasis => base.add_modifier(Modifier::ITALIC),
        Role::Code => base.fg(Color::Yellow),
        Role::Key => base.fg(Color::Cyan),
        Role::Good => base.fg(Color::Green),
        Role::Bad => base.fg(Color::Red),
        Role::Wait => base.fg(Color::Yellow),
        Role::Busy => base.fg(Color::Blue),
        Role::Live => base.fg(Color::Magenta),
        Role::Selected => base.add_modifier(Modifier::REVERSED),
        Role::Match => base.add_modifier(Modifier::REVERSED.union(Modifier::BOLD)),
    }
}

/// The colour of a series of a chart, which has a mark of its own too.
#[must_use]
pub const fn series(index: usize) -> Color {
    const COLORS: [Color; 6] =
        [Color::Cyan, Color::Yellow, Color::Magenta, Color::Green, Color::Blue, Color::Red];
    COLORS[index % COLORS.len()]
}

/// The style of a token.
#[must_use]
pub const fn token(token: TokenKind) -> Style {
    let base = Style::new();
    match token {
        TokenKind::Plain => base,
        TokenKind::Comment => base.add_modifier(Modifier::DIM.union(Modifier::ITALIC)),
        TokenKind::Text => base.fg(Color::Green),
        TokenKind::Number => base.fg(Color::Magenta),
        TokenKind::Keyword => base.fg(Color::Blue).add_modifier(Modifier::BOLD),
        TokenKind::Type => base.fg(Color::Yellow),
        TokenKind::Function => base.fg(Color::Cyan),
    }
}

/// Gives a finished frame the theme's colours, and removes what the terminal cannot or should not show.
pub fn finish(buffer: &mut Buffer, capabilities: Capabilities) {
    for cell in &mut buffer.content {
        if capabilities.color {
            color(cell, capabilities.theme);
        } else {
            let kept = cell.modifier;
            cell.set_style(Style::reset()).modifier = kept;
        }
        if capabilities.ascii && !cell.symbol().is_ascii() {
            let plain = ascii(cell.symbol());
            cell.set_char(plain);
        }
    }
    if capabilities.ascii {
        widen(buffer);
    }
}

/// A cell in the theme's colours.
fn color(cell: &mut Cell, theme: Theme) {
    cell.fg = theme.color(cell.fg);
    cell.bg = theme.color(cell.bg);
    if let Some(dim) = theme.dim().filter(|_| cell.modifier.contains(Modifier::DIM)) {
        // Terminals dim by different amounts, some not at all.
        cell.modifier.remove(Modifier::DIM);
        cell.fg = if cell.fg == Color::Reset { dim } else { cell.fg };
    }
    if let Some((text, background)) = theme.base() {
        cell.fg = if cell.fg == Color::Reset { text } else { cell.fg };
        cell.bg = if cell.bg == Color::Reset { background } else { cell.bg };
    }
}

/// A wide symbol that became one character leaves an empty cell behind it: that cell becomes a space.
fn widen(buffer: &mut Buffer) {
    for cell in &mut buffer.content {
        if cell.symbol().width() == 0 {
            cell.set_char(' ');
        }
    }
}

/// The ASCII character that looks most like a symbol, else `?`.
fn ascii(symbol: &str) -> char {
    let Some(first) = symbol.chars().next() else { return ' ' };
    match first {
        '\u{a0}' => ' ',
        '─' | '╌' | '┄' | '–' | '—' | '‐' | '−' | '╴' | '╶' => '-',
        '━' | '═' => '=',
        '│' | '┃' | '║' | '▎' | '▏' | '┆' | '╎' | '▕' => '|',
        '┌' | '┐' | '└' | '┘' | '├' | '┤' | '┬' | '┴' | '┼' | '╭' | '╮' | '╯' | '╰' | '╔' | '╗'
        | '╚' | '╝' | '╠' | '╣' | '╦' | '╩' | '╬' => '+',
        '╱' => '/',
        '╲' => '\\',
        // The marks of a chart, all different.
        '●' => '*',
        '▲' => '^',
        '■' => '#',
        '◆' => 'o',
        '▼' => 'v',
        '✚' => '+',
        '✖' => 'x',
        '◈' => '&',
        '→' | '▶' | '▸' | '►' | '›' | '»' => '>',
        '←' | '◀' | '◂' | '◄' | '‹' | '«' => '<',
        '↑' | '▴' => '^',
        '↓' | '▾' => 'v',
        '↔' | '⇒' | '≈' => '=',
        '✓' | '✔' => '+',
        '✗' | '✘' | '×' | '⨯' => 'x',
        '•' | '·' | '∙' => '*',
        '○' | '◌' | '◯' => 'o',
        '◐' | '◓' | '◑' | '◒' => '@',
        '…' | '⋯' | '⋮' => '~',
        '“' | '”' => '"',
        '‘' | '’' => '\'',
        '█' | '▇' | '▆' | '▓' | '▉' | '▊' | '▋' | '▌' => '#',
        '▅' | '▄' | '▀' | '▒' | '▐' => '=',
        '▃' | '▂' | '▁' | '░' | '▍' | '□' => '-',
        '🔬' | '🧪' => 'T',
        '📊' | '📈' => 'M',
        '🎯' | '💡' | '🧭' | '🚀' | '🏁' | '📖' | '🏆' => '*',
        '🤔' => '?',
        'µ' | 'μ' => 'u',
        '±' => '~',
        '²' => '2',
        '³' => '3',
        '\u{2800}' => ' ',
        '\u{2801}'..='\u{28ff}' => braille(first),
        _ => '?',
    }
}

/// Braille dots in the upper half, the lower half, or both.
fn braille(symbol: char) -> char {
    let dots = (symbol as u32) - 0x2800;
    match (dots & 0b0001_1011 != 0, dots & 0b1110_0100 != 0) {
        (true, true) => ':',
        (true, false) => '\'',
        _ => '.',
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ratatui::layout::Rect;

    fn frame(text: &str) -> Buffer {
        let mut buffer = Buffer::empty(Rect::new(0, 0, 12, 1));
        buffer.set_string(0, 0, text, style(Role::Good));
        buffer
    }

    fn text(buffer: &Buffer) -> String {
        buffer.content.iter().map(|cell| cell.symbol()).collect()
    }

    #[test]
    fn ascii_keeps_every_column_in_its_place() {
        let mut buffer = frame("🔬 ✓ ─│ ⡇x");
        finish(&mut buffer, Capabilities { ascii: true, color: true, ..Capabilities::default() });
        assert_eq!(text(&buffer), "T  + -| :x  ");
        assert_eq!(buffer[(3, 0)].fg, Color::Green);
    }

    #[test]
    fn symbols_with_different_meanings_differ_in_ascii() {
        let plain =
            |text: &str| text.chars().map(|symbol| ascii(&symbol.to_string())).collect::<String>();
        for pair in ["━─", "█░", "▌▏", "✓✗", "●○"] {
            let pair = plain(pair);
            assert_ne!(pair.chars().next(), pair.chars().last(), "{pair}");
        }
        let mut marks: Vec<char> = plain("●▲■◆▼✚✖◈").chars().collect();
        assert!(!marks.contains(&'?'), "{marks:?}");
        marks.sort_unstable();
        marks.dedup();
        assert_eq!(marks.len(), 8);
        assert_eq!(plain("\u{a0}"), " ");
    }

    #[test]
    fn a_theme_gives_every_colour_its_shade_and_dim_text_a_grey() {
        let mut buffer = frame("ab");
        buffer[(1, 0)].set_style(Style::reset().patch(style(Role::Dim)));
        let dark = Capabilities { color: true, theme: Theme::Dark, ..Capabilities::default() };
        finish(&mut buffer, dark);
        assert_eq!(buffer[(0, 0)].fg, Theme::Dark.color(Color::Green));
        assert_eq!(
            (Some(buffer[(1, 0)].fg), buffer[(1, 0)].modifier),
            (Theme::Dark.dim(), Modifier::empty())
        );
        let mut buffer = frame("a");
        finish(&mut buffer, Capabilities { theme: Theme::HighContrast, ..dark });
        assert!(
            buffer.content.iter().all(|cell| cell.bg == Color::Indexed(16)),
            "every cell is painted"
        );
    }

    #[test]
    fn without_colour_only_modifiers_stay() {
        let mut buffer = frame("old");
        buffer[(0, 0)].set_style(style(Role::Selected));
        finish(&mut buffer, Capabilities { ascii: false, color: false, ..Capabilities::default() });
        assert_eq!(
            (buffer[(0, 0)].fg, buffer[(0, 0)].modifier),
            (Color::Reset, Modifier::REVERSED)
        );
        assert_eq!(buffer[(1, 0)].fg, Color::Reset);
    }
}
