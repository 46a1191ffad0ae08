//! The type of a table of keys, from which the help, the footer and the action of a key are read. Must not know which actions
//! there are.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

/// One key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Key {
    /// Without modifiers.
    pub code: KeyCode,
    /// Those held with it.
    pub modifiers: KeyModifiers,
}

/// One line of the help.
#[derive(Debug)]
pub struct Binding<Action: 'static> {
    /// The keys; the first one is shown where there is room for one.
    pub keys: &'static [Key],
    /// Their action.
    pub action: Action,
    /// The action in words.
    pub help: &'static str,
    /// The word in the footer, if the key is shown there.
    pub footer: Option<&'static str>,
}

/// A key without modifiers.
pub const fn plain(code: KeyCode) -> Key {
    Key { code, modifiers: KeyModifiers::NONE }
}

/// The key of a letter.
pub const fn letter(letter: char) -> Key {
    plain(KeyCode::Char(letter))
}

/// A letter with Ctrl.
pub const fn control(letter: char) -> Key {
    Key { code: KeyCode::Char(letter), modifiers: KeyModifiers::CONTROL }
}

/// A key that only the help shows.
pub const fn bind<Action: Copy>(
    keys: &'static [Key],
    action: Action,
    help: &'static str,
) -> Binding<Action> {
    Binding { keys, action, help, footer: None }
}

/// A key that the footer shows too.
pub const fn shown<Action: Copy>(
    keys: &'static [Key],
    action: Action,
    footer: &'static str,
    help: &'static str,
) -> Binding<Action> {
    Binding { keys, action, help, footer: Some(footer) }
}

impl<Action: Copy> Binding<Action> {
    /// Its action, if the key is one of its keys.
    #[must_use]
    pub fn action(&self, event: KeyEvent) -> Option<Action> {
        // Shift is part of the letter or of the key's name.
        let modifiers =
            event.modifiers.intersection(KeyModifiers::CONTROL.union(KeyModifiers::ALT));
        let pressed = Key { code: event.code, modifiers };
        self.keys.contains(&pressed).then_some(self.action)
    }

    /// Its keys, as shown.
    #[must_use]
    pub fn names(&self) -> String {
        self.keys.iter().map(|key| key.name()).collect::<Vec<_>>().join(" ")
    }

    /// The first of them.
    #[must_use]
    pub fn name(&self) -> String {
        self.keys.first().map(|key| key.name()).unwrap_or_default()
    }
}

impl Key {
    /// As shown: `j`, `Ctrl-C`, `PgDn`.
    #[must_use]
    pub fn name(self) -> String {
        let name = match self.code {
            KeyCode::Char(' ') => "Space".to_owned(),
            KeyCode::Char(letter) if !self.modifiers.is_empty() => {
                letter.to_ascii_uppercase().to_string()
            }
            KeyCode::Char(letter) => letter.to_string(),
            KeyCode::F(number) => format!("F{number}"),
            KeyCode::Left => "←".to_owned(),
            KeyCode::Right => "→".to_owned(),
            KeyCode::Up => "↑".to_owned(),
            KeyCode::Down => "↓".to_owned(),
            KeyCode::PageUp => "PgUp".to_owned(),
            KeyCode::PageDown => "PgDn".to_owned(),
            KeyCode::BackTab => "Shift-Tab".to_owned(),
            other => format!("{other:?}"),
        };
        match self.modifiers {
            KeyModifiers::CONTROL => format!("Ctrl-{name}"),
            _ => name,
        }
    }
}
