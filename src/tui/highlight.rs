//! Colours of program text, found by syntect on a thread of its own, so that the first frame does not
//! wait for the grammars. Comes in: texts with their languages. Goes out: a message with the ink of
//! each piece. Not here: what colour an ink is.

use super::message::Message;
use super::model::Inks;
use super::theme::Ink;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::Builder;
use syntect::parsing::{ParseState, Scope, ScopeStack, SyntaxReference, SyntaxSet};
use syntect::util::LinesWithEndings;

type Texts = Vec<(String, String)>;

/// Starts the thread; it loads the grammars when the first text comes, and ends with its sender.
pub fn start(messages: Sender<Message>) -> std::io::Result<Sender<Texts>> {
    let (sender, texts) = channel();
    Builder::new().name("highlight".into()).spawn(move || work(&texts, &messages))?;
    Ok(sender)
}

fn work(texts: &Receiver<Texts>, messages: &Sender<Message>) {
    let mut grammars = None;
    while let Ok(batch) = texts.recv() {
        let grammars = grammars.get_or_insert_with(SyntaxSet::load_defaults_newlines);
        let inks = inks(&batch, grammars);
        if messages.send(Message::Inked(inks)).is_err() {
            return;
        }
    }
}

fn inks(texts: &[(String, String)], grammars: &SyntaxSet) -> Inks {
    let palette = Palette::new();
    let find = |language: &str| grammars.find_syntax_by_token(language);
    texts
        .iter()
        .filter_map(|(language, text)| Some((find(language)?, text)))
        .map(|(syntax, text)| (text.clone(), lines(text, syntax, grammars, &palette)))
        .collect()
}

/// Each line as pieces of one ink. From a line that the grammar cannot read on, all is plain.
fn lines(
    text: &str,
    syntax: &SyntaxReference,
    grammars: &SyntaxSet,
    palette: &Palette,
) -> Vec<Vec<(Ink, String)>> {
    let mut state = ParseState::new(syntax);
    let mut scopes = ScopeStack::new();
    LinesWithEndings::from(text)
        .map(|line| {
            let changes = state.parse_line(line, grammars).unwrap_or_default();
            let mut pieces: Vec<(Ink, String)> = vec![];
            let mut from = 0;
            for (at, change) in &changes {
                push(&mut pieces, palette.ink(&scopes), &line[from..*at]);
                from = *at;
                if scopes.apply(change).is_err() {
                    scopes = ScopeStack::new();
                }
            }
            push(&mut pieces, palette.ink(&scopes), &line[from..]);
            pieces
        })
        .collect()
}

fn push(pieces: &mut Vec<(Ink, String)>, ink: Ink, text: &str) {
    let text = text.trim_end_matches(['\n', '\r']);
    match pieces.last_mut() {
        _ if text.is_empty() => {}
        Some((last, known)) if *last == ink => known.push_str(text),
        _ => pieces.push((ink, text.to_owned())),
    }
}

/// Which scope has which ink; the innermost scope that has one decides.
struct Palette(Vec<(Scope, Ink)>);

impl Palette {
    fn new() -> Self {
        let inks = [
            ("comment", Ink::Comment),
            ("string", Ink::Text),
            ("constant", Ink::Number),
            ("storage.type.numeric", Ink::Number),
            ("entity.name.function", Ink::Function),
            ("support.function", Ink::Function),
            ("support.macro", Ink::Function),
            ("entity.name.type", Ink::Type),
            ("entity.name.struct", Ink::Type),
            ("entity.name.enum", Ink::Type),
            ("entity.name.trait", Ink::Type),
            ("entity.name.impl", Ink::Type),
            ("support.type", Ink::Type),
            ("storage", Ink::Keyword),
            ("keyword.operator", Ink::Plain),
            ("keyword", Ink::Keyword),
        ];
        // A name that syntect cannot read would only lose its colour.
        let scope = |(name, ink)| Scope::new(name).ok().map(|scope| (scope, ink));
        Self(inks.into_iter().filter_map(scope).collect())
    }

    fn ink(&self, scopes: &ScopeStack) -> Ink {
        let of = |scope: &Scope| {
            self.0.iter().find(|(prefix, _)| prefix.is_prefix_of(*scope)).map(|(_, ink)| *ink)
        };
        scopes.as_slice().iter().rev().find_map(of).unwrap_or(Ink::Plain)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rust_gets_its_colours_and_keeps_its_text() {
        let grammars = SyntaxSet::load_defaults_newlines();
        let text = "// why\nlet x = \"a\";\n\nfn f() -> u8 { 7 }\n".to_owned();
        let unknown = ("klingon".to_owned(), "x".to_owned());
        let inks = inks(&[("rust".into(), text.clone()), unknown], &grammars);
        assert_eq!(inks.len(), 1);
        let lines = &inks[&text];
        let plain: Vec<String> = lines
            .iter()
            .map(|line| line.iter().map(|(_, piece)| piece.as_str()).collect())
            .collect();
        assert_eq!(plain, text.lines().collect::<Vec<_>>());
        let has = |line: usize, ink: Ink, text: &str| {
            lines[line].iter().any(|(i, piece)| *i == ink && piece.contains(text))
        };
        assert!(has(0, Ink::Comment, "why"), "{lines:?}");
        assert!(has(1, Ink::Keyword, "let"), "{lines:?}");
        assert!(has(1, Ink::Text, "a"), "{lines:?}");
        assert!(has(3, Ink::Function, "f"), "{lines:?}");
        assert!(has(3, Ink::Number, "7"), "{lines:?}");
    }
}
