//! Every key with its action, from the key map. Must not know which lines of it are in view.

use crate::tui::keymap::{Binding, Group, KEYMAP};
use crate::tui::theme::{Role, style};
use ratatui::text::{Line, Span};

/// Columns of the keys.
const KEYS: usize = 18;
/// Columns of a group.
const COLUMN: usize = 58;

/// The help, group by group: below each other where that fits the height or where the screen is narrow,
/// else in as many columns as needed.
#[must_use]
pub fn lines(width: usize, height: usize) -> Vec<Line<'static>> {
    let groups: Vec<Vec<Line<'static>>> = KEYMAP.iter().map(group).collect();
    let most = (width / COLUMN).clamp(1, groups.len());
    let layouts = (1..=most).map(|columns| in_columns(&groups, columns));
    let mut layouts: Vec<_> = layouts.collect();
    let fitting = layouts.iter().position(|lines| lines.len() <= height);
    layouts.swap_remove(fitting.unwrap_or(most - 1))
}

/// The groups in columns of about the same height; no group is split.
fn in_columns(groups: &[Vec<Line<'static>>], columns: usize) -> Vec<Line<'static>> {
    let total: usize = groups.iter().map(Vec::len).sum();
    let mut stacks: Vec<Vec<Line<'static>>> = vec![vec![]];
    for group in groups {
        let is_full =
            stacks.last().is_some_and(|stack| stack.len() + group.len() / 2 > total / columns);
        if is_full && stacks.len() < columns {
            stacks.push(vec![]);
        }
        if let Some(stack) = stacks.last_mut() {
            stack.extend(group.iter().cloned());
        }
    }
    let height = stacks.iter().map(Vec::len).max().unwrap_or(0);
    let row = |row: usize| {
        let mut line = Line::default();
        for (column, stack) in stacks.iter().enumerate() {
            let pad = (column * COLUMN).saturating_sub(line.width());
            line.spans.push(Span::raw(" ".repeat(pad)));
            line.spans.extend(stack.get(row).cloned().unwrap_or_default().spans);
        }
        line
    };
    let mut lines: Vec<_> = (0..height).map(row).collect();
    lines.push(Line::from(Span::styled(
        " Shift-drag with the mouse selects text",
        style(Role::Dim),
    )));
    lines
}

fn group(group: &Group) -> Vec<Line<'static>> {
    let heading = Line::from(Span::styled(format!(" {}", group.name), style(Role::Subheading)));
    let bindings = group.bindings.iter().map(line);
    [heading].into_iter().chain(bindings).chain([Line::default()]).collect()
}

fn line(binding: &Binding) -> Line<'static> {
    let keys = format!("  {:<KEYS$} ", binding.names());
    Line::from(vec![Span::styled(keys, style(Role::Key)), Span::raw(binding.help)])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tui::keymap::bindings;

    #[test]
    fn every_key_is_in_the_help_whatever_its_columns() {
        for (width, height) in [(58, 18), (118, 28), (180, 18)] {
            let text: Vec<String> = lines(width, height).iter().map(ToString::to_string).collect();
            for binding in bindings() {
                let line = text.iter().find(|line| line.contains(&line_of(binding)));
                assert!(line.is_some(), "{}: {text:#?}", binding.help);
            }
        }
    }

    fn line_of(binding: &Binding) -> String {
        line(binding).to_string()
    }

    #[test]
    fn a_wide_screen_has_columns_only_if_the_height_needs_them() {
        let height = |width, height| lines(width, height).len();
        let all = height(58, 18);
        assert_eq!(height(180, all), all, "all of it fits");
        assert!(height(118, 28) <= all / 2 + 8, "two columns");
        assert!(lines(118, 18).iter().all(|line| line.width() <= 118));
    }

    #[test]
    fn a_line_fits_the_smallest_screen_and_its_columns_are_aligned() {
        for binding in bindings() {
            let line = line(binding);
            assert!(line.width() <= COLUMN, "{line}");
            assert_eq!(line.spans[0].width(), KEYS + 3, "{line}");
        }
    }
}
