//! Grey-level pictures: half blocks, two pixels in one cell, in sixteen-colour greys; shaded letters
//! where there is no colour or no UTF-8. Comes in: a picture. Goes out: lines.

use super::text::clip;
use crate::report::human;
use crate::tui::model::Capabilities;
use crate::tui::theme::{Role, style};
use ratatui::style::{Color, Style};
use ratatui::text::{Line, Span};
use tinytorch::report::Picture;

/// The greys that every terminal has, dark to light.
const GREYS: [Color; 4] = [Color::Black, Color::DarkGray, Color::Gray, Color::White];

/// A picture under its title.
#[must_use]
pub fn lines(picture: &Picture, width: usize, capabilities: Capabilities) -> Vec<Line<'static>> {
    let title = Span::styled(picture.title.clone(), style(Role::Strong));
    let mut lines = vec![clip(&[title], width)];
    if capabilities.color && !capabilities.ascii {
        lines.extend(half_blocks(picture, width));
    } else {
        let rows = human::shades(picture);
        lines.extend(rows.into_iter().map(|row| clip(&[Span::raw(row)], width)));
    }
    lines
}

fn half_blocks(picture: &Picture, width: usize) -> Vec<Line<'static>> {
    let rows: Vec<Vec<Color>> = greys(picture);
    rows.chunks(2)
        .map(|pair| {
            let (upper, lower) = (&pair[0], pair.get(1));
            let cell = |(index, top): (usize, &Color)| {
                let bottom = lower.and_then(|row| row.get(index)).copied();
                let style = Style::new().fg(*top).bg(bottom.unwrap_or(Color::Reset));
                Span::styled("▀", style)
            };
            clip(&upper.iter().enumerate().map(cell).collect::<Vec<_>>(), width)
        })
        .collect()
}

fn greys(picture: &Picture) -> Vec<Vec<Color>> {
    let finite = || picture.pixels.iter().copied().filter(|pixel| pixel.is_finite());
    let (low, high) =
        (finite().fold(f32::INFINITY, f32::min), finite().fold(f32::NEG_INFINITY, f32::max));
    let grey = |pixel: &f32| {
        let share = if high > low { (pixel - low) / (high - low) } else { 0.0 };
        // A value that is not a number becomes 0 by the cast: dark.
        GREYS[((share * GREYS.len() as f32) as usize).min(GREYS.len() - 1)]
    };
    let width = picture.width.max(1);
    picture.pixels.chunks(width).map(|row| row.iter().map(grey).collect()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn picture() -> Picture {
        Picture { title: "edge".into(), width: 2, pixels: vec![0.0, 1.0, 1.0, f32::NAN, 0.5, 0.0] }
    }

    #[test]
    fn two_rows_of_pixels_share_a_line() {
        let lines = lines(&picture(), 20, Capabilities { ascii: false, color: true });
        assert_eq!(lines.len(), 1 + 2);
        let first = &lines[1].spans[0];
        assert_eq!((first.style.fg, first.style.bg), (Some(Color::Black), Some(Color::White)));
    }

    #[test]
    fn without_colour_letters_shade() {
        let lines = lines(&picture(), 20, Capabilities { ascii: true, color: false });
        assert_eq!(lines[1].to_string(), "  @@");
    }
}
