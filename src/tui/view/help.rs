//! Every key with what it does, from the key map.

use crate::tui::keymap::{Binding, KEYMAP};
use crate::tui::theme::{Role, style};
use ratatui::text::{Line, Span};

/// Columns of the keys.
const KEYS: usize = 18;

/// The help, group by group.
#[must_use]
pub fn lines() -> Vec<Line<'static>> {
    let mut lines = vec![];
    for group in KEYMAP {
        lines.push(Line::styled(format!(" {}", group.name), style(Role::Subheading)));
        lines.extend(group.bindings.iter().map(line));
        lines.push(Line::default());
    }
    lines.push(Line::styled(" Shift and the mouse select text", style(Role::Dim)));
    lines
}

fn line(binding: &Binding) -> Line<'static> {
    let names: Vec<String> = binding.keys.iter().map(|key| key.name()).collect();
    let keys = format!("  {:<KEYS$} ", names.join(" "));
    Line::from(vec![Span::styled(keys, style(Role::Key)), Span::raw(binding.help)])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tui::keymap::bindings;

    #[test]
    fn every_key_is_in_the_help() {
        let text: Vec<String> = lines().iter().map(ToString::to_string).collect();
        for binding in bindings() {
            let line = text.iter().find(|line| line.ends_with(binding.help)).expect(binding.help);
            for key in binding.keys {
                let name = key.name();
                assert!(line.split_whitespace().any(|word| word == name), "{name}: {line}");
            }
        }
    }

    #[test]
    fn a_line_fits_the_smallest_screen_and_its_words_stand_below_each_other() {
        for binding in bindings() {
            let line = line(binding);
            assert!(line.width() <= 58, "{line}");
            assert_eq!(line.spans[0].width(), KEYS + 3, "{line}");
        }
    }
}
