//! Greyscale pictures: half blocks, two pixels in one cell, in the greys of the 16 colours; characters of
//! different density where there is no colour or no UTF-8. Must not know what a picture shows.

use super::text::{clip, wrap};
use crate::report::human;
use crate::tui::model::Capabilities;
use crate::tui::theme::{Role, style};
use ratatui::style::{Color, Style};
use ratatui::text::{Line, Span};
use tinytorch::report::Picture;

/// The greys that every terminal has, dark to light.
const GREYS: [Color; 4] = [Color::Black, Color::DarkGray, Color::Gray, Color::White];

/// The narrowest column of a picture, so that its title is readable.
const NARROWEST: usize = 16;
/// Columns between pictures.
const GAP: usize = 3;

/// Pictures side by side, as many in a row as fit the width.
#[must_use]
pub fn side_by_side(
    pictures: &[&Picture],
    width: usize,
    capabilities: Capabilities,
) -> Vec<Line<'static>> {
    let mut lines = vec![];
    let mut row: Vec<(Vec<Line<'static>>, usize)> = vec![];
    let mut used = 0;
    for picture in pictures {
        let one = one(picture, width, capabilities);
        let columns = one.iter().map(Line::width).max().unwrap_or(0);
        if !row.is_empty() && used + GAP + columns > width {
            lines.extend(joined(&std::mem::take(&mut row)));
            lines.push(Line::default());
            used = 0;
        }
        used += columns + if row.is_empty() { 0 } else { GAP };
        row.push((one, columns));
    }
    lines.extend(joined(&row));
    lines
}

/// A row of blocks, each with its columns.
fn joined(row: &[(Vec<Line<'static>>, usize)]) -> Vec<Line<'static>> {
    let height = row.iter().map(|(lines, _)| lines.len()).max().unwrap_or(0);
    let line = |number: usize| {
        let mut line = Line::default();
        let mut start = 0;
        for (lines, columns) in row {
            if let Some(part) = lines.get(number).filter(|part| part.width() > 0) {
                line.spans.push(Span::raw(" ".repeat(start - line.width())));
                line.spans.extend(part.spans.clone());
            }
            start += columns + GAP;
        }
        line
    };
    (0..height).map(line).collect()
}

/// A picture under its title.
fn one(picture: &Picture, width: usize, capabilities: Capabilities) -> Vec<Line<'static>> {
    let title = Span::styled(picture.title.clone(), style(Role::Strong));
    let pixel = if capabilities.color && !capabilities.ascii { 1 } else { 2 };
    let column = (pixel * picture.width).max(NARROWEST).min(width);
    let mut lines = wrap(&[title], column, &[], &[]);
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
        // The cast makes NaN 0: dark.
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
        let lines = one(
            &picture(),
            20,
            Capabilities { ascii: false, color: true, ..Capabilities::default() },
        );
        assert_eq!(lines.len(), 1 + 2);
        let first = &lines[1].spans[0];
        assert_eq!((first.style.fg, first.style.bg), (Some(Color::Black), Some(Color::White)));
    }

    #[test]
    fn pictures_are_side_by_side_and_wrap() {
        let wide = Picture { title: "a map of features".into(), width: 4, pixels: vec![0.5; 16] };
        let plain = Capabilities::default();
        let rows = side_by_side(&[&wide, &picture(), &wide], 20, plain);
        let text: Vec<String> = rows.iter().map(ToString::to_string).collect();
        assert_eq!(text[0], "a map of   edge");
        assert_eq!(text[1], "features     @@");
        assert_eq!(text.iter().filter(|line| line.contains("a map of")).count(), 2);
        assert!(rows.iter().all(|line| line.width() <= 20), "{text:#?}");
    }

    #[test]
    fn without_colour_characters_shade() {
        let lines = one(
            &picture(),
            20,
            Capabilities { ascii: true, color: false, ..Capabilities::default() },
        );
        assert_eq!(lines[1].to_string(), "  @@");
    }
}
