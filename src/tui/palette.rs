//! The colours of the themes. A frame is drawn in the 16 ANSI colours, each of which has one purpose;
//! a theme gives each a shade that is readable on its background. Must not know what has which colour.

use ratatui::style::Color;

/// A colour theme.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Theme {
    /// The 16 colours as the terminal shows them: its background is not known.
    #[default]
    Terminal,
    /// For a dark background.
    Dark,
    /// For a light background.
    Light,
    /// White and bright colours on black, whatever the terminal's own colours are.
    HighContrast,
}

/// The shades of a theme, from the indexed colours that are the same in every terminal.
struct Shades {
    red: u8,
    green: u8,
    yellow: u8,
    blue: u8,
    magenta: u8,
    cyan: u8,
    dim: u8,
}

const DARK: Shades =
    Shades { red: 210, green: 114, yellow: 221, blue: 111, magenta: 176, cyan: 80, dim: 248 };
const LIGHT: Shades =
    Shades { red: 160, green: 22, yellow: 94, blue: 25, magenta: 90, cyan: 23, dim: 240 };
const HIGH_CONTRAST: Shades =
    Shades { red: 217, green: 120, yellow: 226, blue: 153, magenta: 219, cyan: 51, dim: 252 };
const BLACK: u8 = 16;
const WHITE: u8 = 231;

impl Theme {
    fn shades(self) -> Option<&'static Shades> {
        match self {
            Self::Terminal => None,
            Self::Dark => Some(&DARK),
            Self::Light => Some(&LIGHT),
            Self::HighContrast => Some(&HIGH_CONTRAST),
        }
    }

    /// The theme's shade of a colour.
    #[must_use]
    pub fn color(self, color: Color) -> Color {
        let Some(shades) = self.shades() else { return color };
        Color::Indexed(match color {
            Color::Red => shades.red,
            Color::Green => shades.green,
            Color::Yellow => shades.yellow,
            Color::Blue => shades.blue,
            Color::Magenta => shades.magenta,
            Color::Cyan => shades.cyan,
            // The greys of pictures.
            Color::Black => BLACK,
            Color::DarkGray => 240,
            Color::Gray => 250,
            Color::White => WHITE,
            other => return other,
        })
    }

    /// The colour of secondary text; without one, it is dimmed.
    #[must_use]
    pub fn dim(self) -> Option<Color> {
        self.shades().map(|shades| Color::Indexed(shades.dim))
    }

    /// The colours of plain text and background, if the theme sets them.
    #[must_use]
    pub const fn base(self) -> Option<(Color, Color)> {
        match self {
            Self::HighContrast => Some((Color::Indexed(WHITE), Color::Indexed(BLACK))),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Rgb = [u8; 3];

    /// Common backgrounds of terminals: black to Solarized, One Dark and Nord; white to Solarized Light.
    const DARK_BACKGROUNDS: [Rgb; 5] =
        [[0, 0, 0], [0x1e, 0x1e, 0x1e], [0, 0x2b, 0x36], [0x28, 0x2c, 0x34], [0x2e, 0x34, 0x40]];
    const LIGHT_BACKGROUNDS: [Rgb; 3] = [[255, 255, 255], [0xfd, 0xf6, 0xe3], [0xee, 0xee, 0xee]];
    const COLORS: [Color; 6] =
        [Color::Red, Color::Green, Color::Yellow, Color::Blue, Color::Magenta, Color::Cyan];

    fn rgb(color: Color) -> Rgb {
        let Color::Indexed(index) = color else { panic!("{color} has no fixed value") };
        if index >= 232 {
            return [8 + 10 * (index - 232); 3];
        }
        let level = |step: u8| if step == 0 { 0 } else { 55 + 40 * step };
        let cube = index - 16;
        [level(cube / 36), level(cube / 6 % 6), level(cube % 6)]
    }

    /// Relative luminance, as WCAG 2 defines it.
    fn luminance(rgb: Rgb) -> f64 {
        let linear = |channel: u8| {
            let share = f64::from(channel) / 255.0;
            if share <= 0.040_45 { share / 12.92 } else { ((share + 0.055) / 1.055).powf(2.4) }
        };
        let [red, green, blue] = rgb.map(linear);
        0.2126 * red + 0.7152 * green + 0.0722 * blue
    }

    fn contrast(one: Rgb, other: Rgb) -> f64 {
        let (one, other) = (luminance(one) + 0.05, luminance(other) + 0.05);
        one.max(other) / one.min(other)
    }

    fn texts(theme: Theme) -> Vec<Color> {
        let texts = COLORS.iter().map(|color| theme.color(*color));
        texts.chain(theme.dim()).chain(theme.base().map(|(text, _)| text)).collect()
    }

    #[test]
    fn every_text_is_readable_on_its_background() {
        let backgrounds: [(Theme, &[Rgb], f64); 3] = [
            (Theme::Dark, &DARK_BACKGROUNDS, 4.5),
            (Theme::Light, &LIGHT_BACKGROUNDS, 4.5),
            (Theme::HighContrast, &DARK_BACKGROUNDS[..1], 7.0),
        ];
        for (theme, backgrounds, least) in backgrounds {
            for background in backgrounds {
                for text in texts(theme) {
                    let contrast = contrast(rgb(text), *background);
                    assert!(contrast >= least, "{theme:?} {text} on {background:?}: {contrast:.2}");
                }
            }
        }
    }

    /// For readers who cannot tell red from green.
    #[test]
    fn passed_and_failed_differ_in_lightness() {
        for theme in [Theme::Dark, Theme::Light, Theme::HighContrast] {
            let [passed, failed] = [Color::Green, Color::Red].map(|color| rgb(theme.color(color)));
            assert!(contrast(passed, failed) >= 1.25, "{theme:?} {}", contrast(passed, failed));
        }
    }

    #[test]
    fn the_terminals_own_colours_stay() {
        assert_eq!(Theme::Terminal.color(Color::Cyan), Color::Cyan);
        assert_eq!((Theme::Terminal.dim(), Theme::Terminal.base()), (None, None));
    }
}
