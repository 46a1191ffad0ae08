//! The keys: one table, from which the help, the footer and the action of a key are read. The digits 1 to 9, one for each item of a
//! rubric, are not in it. Must not know what an action does.

use crate::tui::keys::{Binding, bind, control, letter, plain, shown};
use crossterm::event::{KeyCode, KeyEvent};

/// The action of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// One line, or one answer of the list, down.
    Down,
    /// One line, or one answer of the list, up.
    Up,
    /// One screen down.
    PageDown,
    /// One screen up.
    PageUp,
    /// The answer under the cursor.
    Open,
    /// The list of answers.
    Close,
    /// The next answer.
    Next,
    /// The previous answer.
    Previous,
    /// The next answer that is to be graded.
    NextOpen,
    /// The previous answer that is to be graded.
    PreviousOpen,
    /// Type points.
    Points,
    /// Type a comment.
    Comment,
    /// All points.
    Full,
    /// No points.
    Zero,
    /// No grade.
    TakeBack,
    /// The last decision is taken back.
    Undo,
    /// The keys.
    Help,
    /// The end.
    Quit,
}

/// Every key but the digits of items.
pub const KEYMAP: &[Binding<Action>] = {
    use Action::*;
    &[
        shown(&[letter('n')], NextOpen, "next", "next answer that is not graded"),
        bind(&[letter('N')], PreviousOpen, "previous answer that is not graded"),
        shown(&[letter('p')], Points, "points", "type points"),
        shown(&[letter('c')], Comment, "comment", "type a comment, which the student reads"),
        bind(&[letter('f')], Full, "all points"),
        bind(&[letter('0')], Zero, "no points"),
        bind(&[letter('x')], TakeBack, "take the grade back: not graded"),
        shown(&[letter('u')], Undo, "undo", "undo the last decision"),
        bind(&[letter(']'), plain(KeyCode::Right), letter('l')], Next, "next answer"),
        bind(&[letter('['), plain(KeyCode::Left), letter('h')], Previous, "previous answer"),
        bind(&[letter('j'), plain(KeyCode::Down)], Down, "one line down"),
        bind(&[letter('k'), plain(KeyCode::Up)], Up, "one line up"),
        bind(&[plain(KeyCode::PageDown), letter(' ')], PageDown, "one screen down"),
        bind(&[plain(KeyCode::PageUp)], PageUp, "one screen up"),
        bind(&[plain(KeyCode::Enter)], Open, "open the answer under the cursor"),
        shown(&[letter('?')], Help, "keys", "these keys"),
        shown(&[plain(KeyCode::Esc)], Close, "list", "back to the list"),
        shown(&[letter('q'), control('c')], Quit, "quit", "quit; everything is saved"),
    ]
};

/// The action of a key.
#[must_use]
pub fn action(key: KeyEvent) -> Option<Action> {
    KEYMAP.iter().find_map(|binding| binding.action(key))
}
