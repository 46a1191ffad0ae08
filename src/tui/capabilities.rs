//! What the terminal can show: by what the learner asked for, by the environment, and, for the background,
//! by asking the terminal. Must not know what is shown.

use super::model::Capabilities;
use super::palette::Theme;
use std::time::Duration;
use terminal_colorsaurus::{QueryOptions, ThemeMode, theme_mode};

/// A terminal that answers at all answers within this time, also over a slow connection. One that does
/// not know the question is recognised earlier, by its answer to a second one that all know.
const ANSWER: Duration = Duration::from_millis(500);

/// What the learner asked for.
#[derive(Debug, Clone, Copy, Default)]
pub struct Wishes {
    /// A theme; without one, the background decides.
    pub theme: Option<Theme>,
    /// ASCII, whatever the locale says.
    pub ascii: bool,
}

/// What the terminal can show. `background` asks the terminal, only where nothing else says it.
pub fn capabilities(
    wishes: Wishes,
    variable: impl Fn(&str) -> Option<String>,
    background: impl FnOnce() -> Theme,
) -> Capabilities {
    let set = |name: &str| variable(name).filter(|value| !value.is_empty());
    let locale = ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().find_map(set).unwrap_or_default();
    let locale = locale.to_ascii_lowercase();
    let term = set("TERM").unwrap_or_default();
    let console = term == "linux";
    let ascii = wishes.ascii || console || !(locale.contains("utf-8") || locale.contains("utf8"));
    let color = set("NO_COLOR").is_none();
    let few_colors = set("COLORTERM").is_none() && !term.contains("256color");
    let theme = match (wishes.theme, set("COLORFGBG")) {
        _ if !color => Theme::Terminal,
        (Some(theme), _) => theme,
        _ if few_colors => Theme::Terminal,
        (None, Some(colors)) => by_colors(&colors),
        (None, None) => background(),
    };
    Capabilities { ascii, color, theme }
}

/// What `COLORFGBG` says, such as `15;0` or `0;default;15`: the last is the background.
fn by_colors(colors: &str) -> Theme {
    match colors.rsplit(';').next().and_then(|background| background.parse::<u8>().ok()) {
        Some(7 | 15) => Theme::Light,
        Some(_) => Theme::Dark,
        None => Theme::Terminal,
    }
}

/// Asks the terminal for its background. The screen must not be open yet: its answer is no key.
#[must_use]
pub fn background() -> Theme {
    let mut options = QueryOptions::default();
    options.timeout = ANSWER;
    match theme_mode(options) {
        Ok(ThemeMode::Dark) => Theme::Dark,
        Ok(ThemeMode::Light) => Theme::Light,
        Err(_) => Theme::Terminal,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(wishes: Wishes, variables: &[(&str, &str)]) -> Capabilities {
        let find = |name: &str| variables.iter().find(|(known, _)| *known == name);
        capabilities(
            wishes,
            |name| find(name).map(|(_, value)| (*value).to_owned()),
            || Theme::Light,
        )
    }

    #[test]
    fn the_locale_decides_about_symbols_unless_ascii_is_asked_for() {
        for (variables, ascii) in [
            (&[("LANG", "en_US.UTF-8")][..], false),
            (&[("LANG", "de_DE.utf8")], false),
            (&[("LANG", "en_US.UTF-8"), ("LC_ALL", "C")], true),
            (&[("LC_ALL", ""), ("LC_CTYPE", "C.UTF-8")], false),
            (&[], true),
            (&[("LANG", "C.UTF-8"), ("TERM", "linux")], true),
        ] {
            assert_eq!(with(Wishes::default(), variables).ascii, ascii, "{variables:?}");
        }
        let wishes = Wishes { ascii: true, ..Wishes::default() };
        assert!(with(wishes, &[("LANG", "en_US.UTF-8")]).ascii);
    }

    #[test]
    fn an_empty_no_color_means_nothing() {
        assert!(with(Wishes::default(), &[("NO_COLOR", "")]).color);
        assert!(!with(Wishes::default(), &[("NO_COLOR", "1")]).color);
    }

    #[test]
    fn the_theme_is_the_one_asked_for_else_that_of_the_background() {
        const TERM: (&str, &str) = ("TERM", "xterm-256color");
        for (variables, theme) in [
            (&[TERM][..], Theme::Light),
            (&[TERM, ("COLORFGBG", "15;0")], Theme::Dark),
            (&[TERM, ("COLORFGBG", "0;default;15")], Theme::Light),
            (&[TERM, ("COLORFGBG", "15;default")], Theme::Terminal),
            (&[("TERM", "linux")], Theme::Terminal),
        ] {
            assert_eq!(with(Wishes::default(), variables).theme, theme, "{variables:?}");
        }
        let wishes = Wishes { theme: Some(Theme::HighContrast), ascii: false };
        assert_eq!(with(wishes, &[TERM, ("COLORFGBG", "0;15")]).theme, Theme::HighContrast);
    }
}
