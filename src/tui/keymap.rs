//! The keys: one slice, from which the help, the footer and the meaning of a key are read. Must not know
//! what an action does.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

/// What a key asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// One line down.
    Down,
    /// One line up.
    Up,
    /// One screen down.
    PageDown,
    /// One screen up.
    PageUp,
    /// Half a screen down.
    HalfDown,
    /// Half a screen up.
    HalfUp,
    /// To where the view was before it jumped.
    Back,
    /// To where the view was before it went back.
    Forward,
    /// To the beginning.
    Top,
    /// To the end.
    Bottom,
    /// To the next live block, or the next match of a search.
    Next,
    /// To the one before.
    Previous,
    /// To the next module.
    NextModule,
    /// To the module before.
    PreviousModule,
    /// The list of modules.
    Modules,
    /// The headings and exercises of the lesson.
    Outline,
    /// The learner's cell beside the reference's.
    Compare,
    /// How to begin.
    Welcome,
    /// Search for text.
    Search,
    /// Check now.
    Run,
    /// Measure now.
    Analyse,
    /// Open the editor.
    Edit,
    /// One more hint.
    Hint,
    /// What the block in focus offers.
    Open,
    /// The control of a figure to a smaller value.
    Less,
    /// The control of a figure to a larger value.
    More,
    /// Show or hide the results.
    Results,
    /// The results on all of the screen.
    Zoom,
    /// Results one line down.
    ResultsDown,
    /// Results one line up.
    ResultsUp,
    /// Wide diagrams to the left.
    PanLeft,
    /// Wide diagrams to the right.
    PanRight,
    /// Use the learner's engine or the reference.
    Engine,
    /// Make the learner's file part of the engine.
    Complete,
    /// Put the exercise back to its start.
    Reset,
    /// Every key.
    Help,
    /// Close what is open.
    Close,
    /// End the run; without one, the tutor.
    Interrupt,
    /// Draw the whole screen again.
    Redraw,
    /// Suspend the tutor.
    Suspend,
    /// End the tutor.
    Quit,
}

/// One key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Key {
    code: KeyCode,
    modifiers: KeyModifiers,
}

/// One line of the help.
#[derive(Debug)]
pub struct Binding {
    /// The keys, the one to show first at the front.
    pub keys: &'static [Key],
    /// What they ask for.
    pub action: Action,
    /// What that is, in words.
    pub help: &'static str,
    /// The word in the footer, if the key is shown there.
    pub footer: Option<&'static str>,
}

/// A part of the help.
#[derive(Debug)]
pub struct Group {
    /// Its heading.
    pub name: &'static str,
    /// Its lines.
    pub bindings: &'static [Binding],
}

const fn plain(code: KeyCode) -> Key {
    Key { code, modifiers: KeyModifiers::NONE }
}

const fn letter(letter: char) -> Key {
    plain(KeyCode::Char(letter))
}

const fn control(letter: char) -> Key {
    Key { code: KeyCode::Char(letter), modifiers: KeyModifiers::CONTROL }
}

const fn alt(letter: char) -> Key {
    Key { code: KeyCode::Char(letter), modifiers: KeyModifiers::ALT }
}

const fn bind(keys: &'static [Key], action: Action, help: &'static str) -> Binding {
    Binding { keys, action, help, footer: None }
}

const fn shown(
    keys: &'static [Key],
    action: Action,
    footer: &'static str,
    help: &'static str,
) -> Binding {
    Binding { keys, action, help, footer: Some(footer) }
}

/// Every key of the tutor.
pub const KEYMAP: &[Group] = &[
    Group {
        name: "Do",
        bindings: &[
            shown(&[letter('e')], Action::Edit, "edit", "open your editor at this place"),
            shown(&[letter('h')], Action::Hint, "hint", "the next hint of the cell to do"),
            shown(&[letter('r')], Action::Run, "run", "check the exercise now"),
            bind(&[letter('a')], Action::Analyse, "run the analyses now"),
            bind(&[plain(KeyCode::Enter)], Action::Open, "open an answer, prediction or figure"),
            bind(&[plain(KeyCode::Left)], Action::Less, "figure: less (↑ ↓ choose a control)"),
            bind(&[plain(KeyCode::Right)], Action::More, "figure: more (Space plays, Esc ends)"),
            bind(&[letter('m')], Action::Engine, "use your engine or the reference"),
            bind(&[letter('c')], Action::Complete, "complete: it joins your engine"),
            bind(&[letter('x')], Action::Reset, "reset (asks; keeps a backup)"),
        ],
    },
    Group {
        name: "Move",
        bindings: &[
            shown(
                &[letter('n'), plain(KeyCode::Tab)],
                Action::Next,
                "next",
                "next live block, or match",
            ),
            bind(
                &[letter('p'), letter('N'), plain(KeyCode::BackTab)],
                Action::Previous,
                "previous live block, or match",
            ),
            bind(&[letter('j'), plain(KeyCode::Down)], Action::Down, "line down"),
            bind(&[letter('k'), plain(KeyCode::Up)], Action::Up, "line up"),
            bind(
                &[plain(KeyCode::PageDown), letter(' '), control('f')],
                Action::PageDown,
                "page down",
            ),
            bind(&[plain(KeyCode::PageUp), control('b')], Action::PageUp, "page up"),
            bind(&[letter('d'), control('d')], Action::HalfDown, "half a page down"),
            bind(&[letter('u'), control('u')], Action::HalfUp, "half a page up"),
            bind(&[control('o')], Action::Back, "back to where you were"),
            bind(&[alt('o')], Action::Forward, "forward again"),
            bind(&[letter('g'), plain(KeyCode::Home)], Action::Top, "beginning"),
            bind(&[letter('G'), plain(KeyCode::End)], Action::Bottom, "end"),
            bind(&[letter('/')], Action::Search, "search in the lesson"),
        ],
    },
    Group {
        name: "See",
        bindings: &[
            shown(&[letter('l')], Action::Modules, "modules", "list of modules"),
            bind(&[letter('o')], Action::Outline, "outline: headings and exercises"),
            bind(&[letter('=')], Action::Compare, "the reference beside a passing cell"),
            bind(&[letter(']')], Action::NextModule, "next module"),
            bind(&[letter('[')], Action::PreviousModule, "previous module"),
            shown(&[letter('t')], Action::Results, "tests", "show or hide all results"),
            bind(&[letter('z'), letter('+')], Action::Zoom, "results on all of the screen"),
            bind(&[letter('J')], Action::ResultsDown, "results: line down"),
            bind(&[letter('K')], Action::ResultsUp, "results: line up"),
            bind(&[letter('>')], Action::PanRight, "see the right of a wide diagram"),
            bind(&[letter('<')], Action::PanLeft, "see the left of a wide diagram"),
        ],
    },
    Group {
        name: "Leave",
        bindings: &[
            shown(&[letter('?'), plain(KeyCode::F(1))], Action::Help, "help", "this list"),
            bind(&[letter('i')], Action::Welcome, "how to begin"),
            bind(&[plain(KeyCode::Esc)], Action::Close, "close what is open"),
            bind(&[control('l')], Action::Redraw, "draw the whole screen again"),
            bind(&[control('z')], Action::Suspend, "suspend (fg brings it back)"),
            bind(&[control('c')], Action::Interrupt, "stop the run; without one, quit"),
            shown(&[letter('q')], Action::Quit, "quit", "end the tutor"),
        ],
    },
];

/// What a key asks for, if anything.
#[must_use]
pub fn action(event: KeyEvent) -> Option<Action> {
    // A letter or a name says by itself whether Shift was held.
    let modifiers = event.modifiers.intersection(KeyModifiers::CONTROL.union(KeyModifiers::ALT));
    let pressed = Key { code: event.code, modifiers };
    bindings().find(|binding| binding.keys.contains(&pressed)).map(|binding| binding.action)
}

/// Every line of the help.
pub fn bindings() -> impl Iterator<Item = &'static Binding> {
    KEYMAP.iter().flat_map(|group| group.bindings)
}

/// The first key of an action, as shown.
#[must_use]
pub fn key(action: Action) -> String {
    let binding = bindings().find(|binding| binding.action == action);
    binding.and_then(|binding| binding.keys.first()).map(|key| key.name()).unwrap_or_default()
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
            KeyModifiers::ALT => format!("Alt-{name}"),
            _ => name,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn no_key_means_two_things() {
        let mut seen = HashSet::new();
        for key in bindings().flat_map(|binding| binding.keys) {
            assert!(seen.insert(key.name()), "{} is bound twice", key.name());
        }
    }

    #[test]
    fn every_key_finds_its_action() {
        for binding in bindings() {
            for key in binding.keys {
                let event = KeyEvent::new(key.code, key.modifiers | KeyModifiers::SHIFT);
                assert_eq!(action(event), Some(binding.action));
            }
        }
    }

    #[test]
    fn a_modifier_makes_another_key() {
        for modifiers in [KeyModifiers::ALT, KeyModifiers::CONTROL] {
            assert_eq!(action(KeyEvent::new(KeyCode::Char('q'), modifiers)), None);
        }
    }
}
