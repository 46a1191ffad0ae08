//! The code blocks and headings of a lesson's prose, as plain values for update and view. Must not know how
//! they look.

use pulldown_cmark::{CodeBlockKind, Event, Parser, Tag, TagEnd};

/// The code blocks of a CommonMark text that name a language, each with it.
pub fn code_blocks(text: &str) -> Vec<(String, String)> {
    let mut blocks = vec![];
    let mut language = None;
    let mut code = String::new();
    for event in Parser::new(text) {
        match event {
            Event::Start(Tag::CodeBlock(CodeBlockKind::Fenced(info))) => {
                language = first_word(&info).map(str::to_owned);
            }
            Event::Text(part) if language.is_some() => code.push_str(&part),
            Event::End(TagEnd::CodeBlock) => {
                let code = std::mem::take(&mut code);
                blocks.extend(language.take().map(|language| (language, code)));
            }
            _ => {}
        }
    }
    blocks
}

/// The language in the info string of a code block.
pub fn first_word(info: &str) -> Option<&str> {
    info.split([' ', ',']).next().filter(|word| !word.is_empty())
}

/// The headings of a CommonMark text as plain text, each with its level.
#[must_use]
pub fn headings(text: &str) -> Vec<(usize, String)> {
    let mut headings = vec![];
    let mut open = false;
    for event in Parser::new(text) {
        match event {
            Event::Start(Tag::Heading { level, .. }) => {
                open = true;
                headings.push((level as usize, String::new()));
            }
            Event::End(TagEnd::Heading(_)) => open = false,
            Event::Text(part) | Event::Code(part) if open => {
                if let Some((_, title)) = headings.last_mut() {
                    title.push_str(&part);
                }
            }
            _ => {}
        }
    }
    headings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_blocks_that_name_a_language_are_listed() {
        let blocks = code_blocks("a\n\n```rust,no_run\nfn a() {}\n```\n\n    indented\n");
        assert_eq!(blocks, [("rust".to_owned(), "fn a() {}\n".to_owned())]);
    }

    #[test]
    fn headings_are_plain_text_with_their_level() {
        let found = headings("# A\n\ntext\n\n## The `add` of *two*\n");
        assert_eq!(found, [(1, "A".to_owned()), (2, "The add of two".to_owned())]);
    }
}
