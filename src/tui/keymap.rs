//! The key bindings: one table, from which the help, the footer and the action of a key are read. Must not know
//! what an action does.

use super::keys::{self, bind, control, letter, plain, shown};
use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

/// One line of the help.
pub type Binding = keys::Binding<Action>;

/// The action of a key.
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
    /// Back to the place before the last jump.
    Back,
    /// Forward to the place before going back.
    Forward,
    /// To the beginning.
    Top,
    /// To the end.
    Bottom,
    /// To the next live block, or the next match of a search.
    Next,
    /// To the previous live block or match.
    Previous,
    /// To the next module.
    NextModule,
    /// To the previous module.
    PreviousModule,
    /// The list of modules.
    Modules,
    /// The headings and exercises of the lesson.
    Outline,
    /// The glossary.
    Glossary,
    /// The learner's cell beside the reference's.
    Compare,
    /// The welcome card.
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
    /// Open the block in focus: an answer, a milestone, a figure.
    Open,
    /// Decrease a control of a figure.
    Less,
    /// Increase a control of a figure.
    More,
    /// Show or hide the results.
    Results,
    /// The results in full screen.
    Zoom,
    /// Results one line down.
    ResultsDown,
    /// Results one line up.
    ResultsUp,
    /// Scroll wide diagrams to the left.
    PanLeft,
    /// Scroll wide diagrams to the right.
    PanRight,
    /// Use the learner's engine or the reference.
    Engine,
    /// Make the learner's file part of the engine.
    Complete,
    /// Reset the exercise to the starter.
    Reset,
    /// The help.
    Help,
    /// Close what is open.
    Close,
    /// Stop the run; without one, quit.
    Interrupt,
    /// Redraw the screen.
    Redraw,
    /// Suspend the tutor.
    Suspend,
    /// Quit the tutor.
    Quit,
}

/// A part of the help.
#[derive(Debug)]
pub struct Group {
    /// Its heading.
    pub name: &'static str,
    /// Its lines.
    pub bindings: &'static [Binding],
}

/// Every key of the tutor.
pub const KEYMAP: &[Group] = &[
    Group {
        name: "Work",
        bindings: &[
            shown(&[letter('e')], Action::Edit, "edit", "open the exercise in your editor"),
            shown(&[letter('h')], Action::Hint, "hint", "show the next hint"),
            shown(&[letter('r')], Action::Run, "run", "check the exercise now"),
            bind(&[letter('a')], Action::Analyse, "run the analyses now"),
            bind(&[plain(KeyCode::Enter)], Action::Open, "open an answer, prediction or figure"),
            bind(&[plain(KeyCode::Left)], Action::Less, "figure: decrease (↑ ↓ pick a control)"),
            bind(&[plain(KeyCode::Right)], Action::More, "figure: increase (Space plays)"),
            bind(&[letter('m')], Action::Engine, "switch engine: yours or the reference"),
            bind(&[letter('c')], Action::Complete, "complete: add it to your engine"),
            bind(&[letter('x')], Action::Reset, "reset the exercise (keeps a backup)"),
        ],
    },
    Group {
        name: "Move",
        bindings: &[
            shown(&[letter('n'), plain(KeyCode::Tab)], Action::Next, "next", "next block or match"),
            bind(
                &[letter('p'), letter('N'), plain(KeyCode::BackTab)],
                Action::Previous,
                "previous block or match",
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
            bind(&[control('o'), letter('H')], Action::Back, "jump back to where you were"),
            bind(&[letter('L')], Action::Forward, "jump forward again"),
            bind(&[letter('g'), plain(KeyCode::Home)], Action::Top, "start of the lesson"),
            bind(&[letter('G'), plain(KeyCode::End)], Action::Bottom, "end of the lesson"),
            bind(&[letter('/')], Action::Search, "search the lesson"),
        ],
    },
    Group {
        name: "View",
        bindings: &[
            shown(&[letter('l')], Action::Modules, "modules", "list of modules"),
            bind(&[letter('o')], Action::Outline, "outline: headings and exercises"),
            bind(&[letter('w')], Action::Glossary, "glossary: the terms on screen first"),
            bind(&[letter('=')], Action::Compare, "compare your cell with the reference"),
            bind(&[letter(']')], Action::NextModule, "next module"),
            bind(&[letter('[')], Action::PreviousModule, "previous module"),
            shown(&[letter('t')], Action::Results, "tests", "show or hide all results"),
            bind(&[letter('z'), letter('+')], Action::Zoom, "results in full screen"),
            bind(&[letter('J')], Action::ResultsDown, "results: line down"),
            bind(&[letter('K')], Action::ResultsUp, "results: line up"),
            bind(&[letter('>')], Action::PanRight, "scroll a wide diagram to the right"),
            bind(&[letter('<')], Action::PanLeft, "scroll a wide diagram to the left"),
        ],
    },
    Group {
        name: "General",
        bindings: &[
            shown(&[letter('?'), plain(KeyCode::F(1))], Action::Help, "help", "show every key"),
            bind(&[letter('i')], Action::Welcome, "show the welcome card"),
            bind(&[plain(KeyCode::Esc)], Action::Close, "close what is open"),
            bind(&[control('l')], Action::Redraw, "redraw the screen"),
            bind(&[control('z')], Action::Suspend, "suspend (the shell's fg resumes)"),
            bind(&[control('c')], Action::Interrupt, "stop the run; without one, quit"),
            shown(&[letter('q')], Action::Quit, "quit", "quit the tutor"),
        ],
    },
];

/// The action of a key, if it has one.
#[must_use]
pub fn action(event: KeyEvent) -> Option<Action> {
    bindings().find_map(|binding| binding.action(event))
}

/// The key that was typed after Esc, if both arrived together. A terminal sends Alt with a letter as Esc and the letter,
/// so Esc and a quick `o` cannot be told from Alt-O: no key is bound with Alt, and such a key counts as two. Esc and a
/// quick `[` remain one key, for they begin every escape sequence.
#[must_use]
pub fn after_escape(event: KeyEvent) -> Option<KeyEvent> {
    use KeyCode::{Backspace, Char, Enter, Tab};
    let can_follow = matches!(event.code, Char(_) | Enter | Tab | Backspace);
    let modifiers = event.modifiers.difference(KeyModifiers::ALT);
    (can_follow && modifiers != event.modifiers).then_some(KeyEvent { modifiers, ..event })
}

/// Every line of the help.
pub fn bindings() -> impl Iterator<Item = &'static Binding> {
    KEYMAP.iter().flat_map(|group| group.bindings)
}

/// The first key of an action, as shown.
#[must_use]
pub fn key(action: Action) -> String {
    let binding = bindings().find(|binding| binding.action == action);
    binding.map(Binding::name).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn no_key_is_bound_twice() {
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
    fn a_key_with_a_modifier_is_another_key() {
        for modifiers in [KeyModifiers::ALT, KeyModifiers::CONTROL] {
            assert_eq!(action(KeyEvent::new(KeyCode::Char('q'), modifiers)), None);
        }
    }
}
