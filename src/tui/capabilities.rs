//! What the terminal can show, from the learner's preferences, the environment and, for the background colour,
//! a query to the terminal. Must not know what is shown.

use super::model::Capabilities;
use super::palette::Theme;
use crossterm::event::{Event, KeyCode, KeyModifiers};
use std::time::Duration;
use terminal_colorsaurus::{Color, QueryOptions, background_color};

/// How long the first frame waits for the terminal's answer. A terminal that does not support the query is
/// recognised earlier, by its answer to a second query that nearly all support (DA1). An answer that arrives
/// later, over a slow connection, is a [`LateAnswer`].
const ANSWER: Duration = Duration::from_millis(80);

/// The learner's preferences.
#[derive(Debug, Clone, Copy, Default)]
pub struct Preferences {
    /// The theme; without one, the background decides.
    pub theme: Option<Theme>,
    /// ASCII only, whatever the locale.
    pub ascii: bool,
}

/// What the terminal can show. `background` queries the terminal; it is called only if nothing else decides.
pub fn capabilities(
    preferences: Preferences,
    variable: impl Fn(&str) -> Option<String>,
    background: impl FnOnce() -> Theme,
) -> Capabilities {
    let set = |name: &str| variable(name).filter(|value| !value.is_empty());
    let locale = ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().find_map(set).unwrap_or_default();
    let locale = locale.to_ascii_lowercase();
    let term = set("TERM").unwrap_or_default();
    let console = term == "linux";
    let ascii =
        preferences.ascii || console || !(locale.contains("utf-8") || locale.contains("utf8"));
    let color = set("NO_COLOR").is_none();
    let few_colors = set("COLORTERM").is_none() && !term.contains("256color");
    let theme = match (preferences.theme, set("COLORFGBG")) {
        _ if !color => Theme::Terminal,
        (Some(theme), _) => theme,
        _ if few_colors => Theme::Terminal,
        (None, Some(colors)) => by_colors(&colors),
        (None, None) => background(),
    };
    Capabilities { ascii, color, theme }
}

/// The theme by `COLORFGBG`, such as `15;0` or `0;default;15`: its last field is the background.
fn by_colors(colors: &str) -> Theme {
    match colors.rsplit(';').next().and_then(|background| background.parse::<u8>().ok()) {
        Some(7 | 15) => Theme::Light,
        Some(_) => Theme::Dark,
        None => Theme::Terminal,
    }
}

/// Queries the terminal's background colour. To be called before the input thread starts, which would read the answer
/// as keys.
#[must_use]
pub fn background() -> Theme {
    let mut options = QueryOptions::default();
    options.timeout = ANSWER;
    background_color(options).map_or(Theme::Terminal, |color| by_background(&color))
}

fn by_background(color: &Color) -> Theme {
    if color.perceived_lightness() > 0.5 { Theme::Light } else { Theme::Dark }
}

/// Recognises an answer to [`background`] that arrives when the screen is open: crossterm reads it as keys, Alt-]
/// and the letters of `11;rgb:1e1e/1e1e/1e1e`, each of which would do something.
#[derive(Debug, Default)]
pub struct LateAnswer {
    /// What has been read of the answer so far.
    read: Option<String>,
}

impl LateAnswer {
    /// `None` for an event that is not part of the answer, such as a key press; `Some(None)` for a part of it; at its
    /// end the theme for the background that it names, if any.
    pub fn take(&mut self, event: &Event) -> Option<Option<Theme>> {
        let Event::Key(key) = event else { return None };
        let read = self.read.take();
        match (key.code, key.modifiers, read) {
            (KeyCode::Char(']'), KeyModifiers::ALT, _) => self.read = Some(String::new()),
            (KeyCode::Char('g'), KeyModifiers::CONTROL, Some(read))
            | (KeyCode::Char('\\'), KeyModifiers::ALT, Some(read)) => {
                return Some(answered(&read).as_ref().map(by_background));
            }
            (KeyCode::Char(letter), _, Some(read)) if is_of_answer(read.len(), letter) => {
                self.read = Some(read + letter.encode_utf8(&mut [0; 4]));
            }
            _ => return None,
        }
        Some(None)
    }
}

/// Whether an answer can have this letter at this position.
fn is_of_answer(place: usize, letter: char) -> bool {
    match "11;rgb".chars().nth(place) {
        Some(wanted) => letter == wanted,
        None => letter.is_ascii_hexdigit() || matches!(letter, ':' | '/'),
    }
}

/// The colour of `11;rgb:1e1e/2e2e/3e3e`; a channel has one to four digits.
fn answered(answer: &str) -> Option<Color> {
    let (_, channels) = answer.split_once(':')?;
    let channel = |digits: &str| {
        let most = 16u32.checked_pow(u32::try_from(digits.len()).ok()?)?.checked_sub(1)?;
        let value = u32::from(u16::from_str_radix(digits, 16).ok()?);
        u16::try_from(value * u32::from(u16::MAX) / most).ok()
    };
    let mut channels = channels.split('/').map(channel);
    Some(Color::rgb(channels.next()??, channels.next()??, channels.next()??))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crossterm::event::KeyEvent;

    fn with(preferences: Preferences, variables: &[(&str, &str)]) -> Capabilities {
        let find = |name: &str| variables.iter().find(|(known, _)| *known == name);
        capabilities(
            preferences,
            |name| find(name).map(|(_, value)| (*value).to_owned()),
            || Theme::Light,
        )
    }

    #[test]
    fn the_locale_decides_whether_symbols_are_ascii_unless_ascii_is_requested() {
        for (variables, ascii) in [
            (&[("LANG", "en_US.UTF-8")][..], false),
            (&[("LANG", "de_DE.utf8")], false),
            (&[("LANG", "en_US.UTF-8"), ("LC_ALL", "C")], true),
            (&[("LC_ALL", ""), ("LC_CTYPE", "C.UTF-8")], false),
            (&[], true),
            (&[("LANG", "C.UTF-8"), ("TERM", "linux")], true),
        ] {
            assert_eq!(with(Preferences::default(), variables).ascii, ascii, "{variables:?}");
        }
        let preferences = Preferences { ascii: true, ..Preferences::default() };
        assert!(with(preferences, &[("LANG", "en_US.UTF-8")]).ascii);
    }

    /// What [`LateAnswer`] makes of each of these keys.
    fn taken(keys: &[(KeyModifiers, &str)]) -> Vec<Option<Option<Theme>>> {
        let mut answer = LateAnswer::default();
        let key = |modifiers, letter| Event::Key(KeyEvent::new(KeyCode::Char(letter), modifiers));
        keys.iter()
            .flat_map(|(modifiers, letters)| letters.chars().map(|letter| key(*modifiers, letter)))
            .map(|event| answer.take(&event))
            .collect()
    }

    #[test]
    fn a_late_answer_is_not_read_as_keys_and_still_sets_the_theme() {
        const NONE: KeyModifiers = KeyModifiers::NONE;
        const START: (KeyModifiers, &str) = (KeyModifiers::ALT, "]");
        for (answer, end, theme) in [
            ("11;rgb:1e1e/2E2E/1f1f", (KeyModifiers::CONTROL, "g"), Some(Theme::Dark)),
            ("11;rgba:fdfd/f6f6/e3e3/ffff", (KeyModifiers::ALT, "\\"), Some(Theme::Light)),
            ("11;rgb:f/f/f", (KeyModifiers::CONTROL, "g"), Some(Theme::Light)),
            ("11;rgb:fffff/0/", (KeyModifiers::CONTROL, "g"), None),
        ] {
            let mut found = taken(&[START, (NONE, answer), end, (NONE, "e1r")]);
            assert_eq!(found.split_off(answer.len() + 2), [None; 3], "{answer}");
            assert_eq!(found.pop(), Some(Some(theme)), "{answer}");
            assert!(found.iter().all(|taken| *taken == Some(None)), "{answer}: {found:?}");
        }
        assert_eq!(taken(&[(NONE, "11;rgb/")]), [None; 7]);
        assert_eq!(taken(&[START, (NONE, "e1")]), [Some(None), None, None]);
        assert_eq!(taken(&[(KeyModifiers::CONTROL, "g")]), [None]);
    }

    #[test]
    fn the_terminal_is_queried_only_where_nothing_else_decides() {
        let preferences = Preferences { theme: Some(Theme::Dark), ascii: false };
        let asked = |preferences, variables: &[(&str, &str)]| {
            let find = |name: &str| variables.iter().find(|(known, _)| *known == name);
            let mut asked = false;
            let variable = |name: &str| find(name).map(|(_, value)| (*value).to_owned());
            capabilities(preferences, variable, || {
                asked = true;
                Theme::Dark
            });
            asked
        };
        const TERM: (&str, &str) = ("TERM", "xterm-256color");
        assert!(asked(Preferences::default(), &[TERM]));
        assert!(!asked(preferences, &[TERM]));
        for other in [("NO_COLOR", "1"), ("COLORFGBG", "15;0"), ("TERM", "linux")] {
            assert!(!asked(Preferences::default(), &[other, TERM]), "{other:?}");
        }
    }

    #[test]
    fn an_empty_no_color_is_ignored() {
        assert!(with(Preferences::default(), &[("NO_COLOR", "")]).color);
        assert!(!with(Preferences::default(), &[("NO_COLOR", "1")]).color);
    }

    #[test]
    fn a_requested_theme_takes_precedence_over_the_background() {
        const TERM: (&str, &str) = ("TERM", "xterm-256color");
        for (variables, theme) in [
            (&[TERM][..], Theme::Light),
            (&[TERM, ("COLORFGBG", "15;0")], Theme::Dark),
            (&[TERM, ("COLORFGBG", "0;default;15")], Theme::Light),
            (&[TERM, ("COLORFGBG", "15;default")], Theme::Terminal),
            (&[("TERM", "linux")], Theme::Terminal),
        ] {
            assert_eq!(with(Preferences::default(), variables).theme, theme, "{variables:?}");
        }
        let preferences = Preferences { theme: Some(Theme::HighContrast), ascii: false };
        assert_eq!(with(preferences, &[TERM, ("COLORFGBG", "0;15")]).theme, Theme::HighContrast);
    }
}
