//! The keys: one table, from which the help, the footer and the action of a key are read. The digits 1 to 9, one for each item of a
//! rubric, are not in it. Must not know what an action does.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

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

/// One line of the help.
#[derive(Debug)]
pub struct Binding {
    /// The keys as shown.
    pub name: &'static str,
    codes: &'static [KeyCode],
    /// Their action.
    pub action: Action,
    /// The action in words.
    pub help: &'static str,
    /// The word in the footer, if the key is shown there.
    pub footer: Option<&'static str>,
}

#[cfg(test)]
impl Binding {
    /// Its keys.
    pub fn keys(&self) -> impl Iterator<Item = KeyCode> {
        self.codes.iter().copied()
    }
}

const fn bind(
    name: &'static str,
    codes: &'static [KeyCode],
    action: Action,
    help: &'static str,
    footer: Option<&'static str>,
) -> Binding {
    Binding { name, codes, action, help, footer }
}

/// Every key but the digits of items.
pub const KEYMAP: &[Binding] = {
    use Action::*;
    use KeyCode::Char;
    &[
        bind("n", &[Char('n')], NextOpen, "next answer that is not graded", Some("next")),
        bind("N", &[Char('N')], PreviousOpen, "previous answer that is not graded", None),
        bind("p", &[Char('p')], Points, "type points", Some("points")),
        bind(
            "c",
            &[Char('c')],
            Comment,
            "type a comment, which the student reads",
            Some("comment"),
        ),
        bind("f", &[Char('f')], Full, "all points", None),
        bind("0", &[Char('0')], Zero, "no points", None),
        bind("x", &[Char('x')], TakeBack, "take the grade back: not graded", None),
        bind("u", &[Char('u')], Undo, "undo the last decision", Some("undo")),
        bind("] →", &[Char(']'), KeyCode::Right, Char('l')], Next, "next answer", None),
        bind("[ ←", &[Char('['), KeyCode::Left, Char('h')], Previous, "previous answer", None),
        bind("j ↓", &[Char('j'), KeyCode::Down], Down, "one line down", None),
        bind("k ↑", &[Char('k'), KeyCode::Up], Up, "one line up", None),
        bind("PgDn Space", &[KeyCode::PageDown, Char(' ')], PageDown, "one screen down", None),
        bind("PgUp", &[KeyCode::PageUp], PageUp, "one screen up", None),
        bind("Enter", &[KeyCode::Enter], Open, "open the answer under the cursor", None),
        bind("?", &[Char('?')], Help, "these keys", Some("keys")),
        bind("Esc", &[KeyCode::Esc], Close, "back to the list", Some("list")),
        bind("q", &[Char('q')], Quit, "quit; everything is saved", Some("quit")),
    ]
};

/// The action of a key.
#[must_use]
pub fn action(key: KeyEvent) -> Option<Action> {
    if key.modifiers.contains(KeyModifiers::CONTROL) {
        return (key.code == KeyCode::Char('c')).then_some(Action::Quit);
    }
    KEYMAP.iter().find(|binding| binding.codes.contains(&key.code)).map(|binding| binding.action)
}
