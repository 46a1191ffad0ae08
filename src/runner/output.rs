//! What a child prints, with a limit and safe to show: the first and the last part of a flood, control characters as
//! symbols. Pure.

use super::event::Output;
use crate::error::harmless;
use std::collections::VecDeque;
use std::io::BufRead;

/// Bytes kept from the start of an output.
const HEAD: usize = 32 << 10;
/// Bytes kept from its end.
const TAIL: usize = 8 << 10;

/// The head and the tail of an output of any length.
#[derive(Debug, Default)]
pub(super) struct Capped {
    head: Vec<u8>,
    tail: VecDeque<u8>,
    cut: usize,
}

impl Capped {
    /// Adds what was printed next.
    pub(super) fn push(&mut self, bytes: &[u8]) {
        let (head, rest) = bytes.split_at(bytes.len().min(HEAD - self.head.len()));
        self.head.extend_from_slice(head);
        self.tail.extend(rest);
        let surplus = self.tail.len().saturating_sub(TAIL);
        self.tail.drain(..surplus);
        self.cut += surplus;
    }

    /// What is kept, as text.
    pub(super) fn output(&self) -> Output {
        let (a, b) = self.tail.as_slices();
        let mut text = harmless(&String::from_utf8_lossy(&self.head));
        if self.cut == 0 {
            text = harmless(&String::from_utf8_lossy(&[&self.head, a, b].concat()));
        } else {
            text.push('\n');
            text.push_str(&harmless(&String::from_utf8_lossy(&[a, b].concat())));
        }
        Output { text, cut: self.cut }
    }
}

/// Passes each line, without its newline, to `take` until it returns false or the stream ends. What a line has beyond
/// `longest` is dropped. A last line without a newline is passed on too.
pub(super) fn for_each_line(
    mut reader: impl BufRead,
    longest: usize,
    mut take: impl FnMut(Vec<u8>) -> bool,
) {
    let mut line = Vec::new();
    while let Ok(buffer) = reader.fill_buf() {
        if buffer.is_empty() {
            break;
        }
        let end = buffer.iter().position(|byte| *byte == b'\n');
        let part = &buffer[..end.unwrap_or(buffer.len())];
        line.extend_from_slice(&part[..part.len().min(longest - line.len())]);
        let used = end.map_or(buffer.len(), |end| end + 1);
        reader.consume(used);
        if end.is_some() && !take(std::mem::take(&mut line)) {
            return;
        }
    }
    if !line.is_empty() {
        take(line);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn capped(parts: &[&[u8]]) -> Output {
        let mut capped = Capped::default();
        parts.iter().for_each(|part| capped.push(part));
        capped.output()
    }

    #[test]
    fn a_flood_keeps_its_head_and_its_tail_and_counts_the_rest() {
        let output = capped(&[&[b'a'; HEAD], &[b'b'; 100], &[b'c'; TAIL]]);
        assert_eq!(output.cut, 100);
        assert_eq!(output.text, format!("{}\n{}", "a".repeat(HEAD), "c".repeat(TAIL)));
    }

    #[test]
    fn a_character_that_arrives_in_two_parts_or_across_head_and_tail_is_not_split() {
        assert_eq!(capped(&[b"\xc3", b"\xa9"]).text, "é");
        let output = capped(&[&[b'a'; HEAD - 1], "é".as_bytes()]);
        assert_eq!(output.text, format!("{}é", "a".repeat(HEAD - 1)));
    }

    #[test]
    fn output_that_is_not_utf_8_is_still_shown() {
        assert_eq!(capped(&[b"\xff\xfeok\x1b"]).text, "\u{fffd}\u{fffd}ok␛");
    }

    #[test]
    fn lines_end_at_newlines_and_long_ones_are_cut() {
        let mut lines = vec![];
        for_each_line(&b"one\n\ntwo and more\nlast"[..], 5, |line| {
            lines.push(String::from_utf8(line).unwrap());
            true
        });
        assert_eq!(lines, ["one", "", "two a", "last"]);
    }

    proptest! {
        #[test]
        fn no_output_has_a_control_character_or_is_longer_than_the_limit(
            parts in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..20_000), 0..6)
        ) {
            let total: usize = parts.iter().map(Vec::len).sum();
            let mut capped = Capped::default();
            parts.iter().for_each(|part| capped.push(part));
            prop_assert_eq!(capped.head.len() + capped.tail.len() + capped.cut, total);
            prop_assert!(capped.head.len() + capped.tail.len() <= HEAD + TAIL);
            let text = capped.output().text;
            prop_assert!(!text.chars().any(|c| c.is_control() && c != '\n' && c != '\t'));
        }
    }
}
