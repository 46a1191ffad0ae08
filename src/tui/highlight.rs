//! Splits source code into tokens with syntect, on a thread of its own, so that the first frame does not
//! wait for the grammars. Must not know what colour a token has.

use super::highlighted::{HighlightedCode, TokenKind};
use super::message::Message;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::Builder;
use syntect::parsing::{ParseState, Scope, ScopeStack, SyntaxReference, SyntaxSet};
use syntect::util::LinesWithEndings;

type Texts = Vec<(String, String)>;

/// Starts the thread. It loads the grammars when the first text arrives, and ends when its sender is dropped.
pub fn start(messages: Sender<Message>) -> std::io::Result<Sender<Texts>> {
    let (sender, texts) = channel();
    Builder::new().name("highlight".into()).spawn(move || work(&texts, &messages))?;
    Ok(sender)
}

fn work(texts: &Receiver<Texts>, messages: &Sender<Message>) {
    let mut grammars = None;
    while let Ok(batch) = texts.recv() {
        let grammars = grammars.get_or_insert_with(SyntaxSet::load_defaults_newlines);
        let highlighted = highlighted(&batch, grammars);
        if messages.send(Message::Highlighted(highlighted)).is_err() {
            return;
        }
    }
}

fn highlighted(texts: &[(String, String)], grammars: &SyntaxSet) -> HighlightedCode {
    let tokens = Tokens::new();
    let find = |language: &str| grammars.find_syntax_by_token(language);
    texts
        .iter()
        .filter_map(|(language, text)| Some((find(language)?, text)))
        .map(|(syntax, text)| (text.clone(), lines(text, syntax, grammars, &tokens)))
        .collect()
}

/// Each line as pieces, one token each. A line that the grammar cannot parse is a single piece.
fn lines(
    text: &str,
    syntax: &SyntaxReference,
    grammars: &SyntaxSet,
    tokens: &Tokens,
) -> Vec<Vec<(TokenKind, String)>> {
    let mut state = ParseState::new(syntax);
    let mut scopes = ScopeStack::new();
    LinesWithEndings::from(text)
        .map(|line| {
            let changes = state.parse_line(line, grammars).unwrap_or_default();
            let mut pieces: Vec<(TokenKind, String)> = vec![];
            let mut from = 0;
            for (at, change) in &changes {
                push(&mut pieces, tokens.token(&scopes), &line[from..*at]);
                from = *at;
                if scopes.apply(change).is_err() {
                    scopes = ScopeStack::new();
                }
            }
            push(&mut pieces, tokens.token(&scopes), &line[from..]);
            pieces
        })
        .collect()
}

fn push(pieces: &mut Vec<(TokenKind, String)>, token: TokenKind, text: &str) {
    let text = text.trim_end_matches(['\n', '\r']);
    match pieces.last_mut() {
        _ if text.is_empty() => {}
        Some((last, known)) if *last == token => known.push_str(text),
        _ => pieces.push((token, text.to_owned())),
    }
}

/// The token of each scope; the innermost scope that has one decides.
struct Tokens(Vec<(Scope, TokenKind)>);

impl Tokens {
    fn new() -> Self {
        let tokens = [
            ("comment", TokenKind::Comment),
            ("string", TokenKind::Text),
            ("constant", TokenKind::Number),
            ("storage.type.numeric", TokenKind::Number),
            ("entity.name.function", TokenKind::Function),
            ("support.function", TokenKind::Function),
            ("support.macro", TokenKind::Function),
            ("entity.name.type", TokenKind::Type),
            ("entity.name.struct", TokenKind::Type),
            ("entity.name.enum", TokenKind::Type),
            ("entity.name.trait", TokenKind::Type),
            ("entity.name.impl", TokenKind::Type),
            ("support.type", TokenKind::Type),
            ("storage", TokenKind::Keyword),
            ("keyword.operator", TokenKind::Plain),
            ("keyword", TokenKind::Keyword),
        ];
        // A name that syntect cannot parse only loses its colour.
        let scope = |(name, token)| Scope::new(name).ok().map(|scope| (scope, token));
        Self(tokens.into_iter().filter_map(scope).collect())
    }

    fn token(&self, scopes: &ScopeStack) -> TokenKind {
        let of = |scope: &Scope| {
            self.0.iter().find(|(prefix, _)| prefix.is_prefix_of(*scope)).map(|(_, token)| *token)
        };
        scopes.as_slice().iter().rev().find_map(of).unwrap_or(TokenKind::Plain)
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
        let highlighted = highlighted(&[("rust".into(), text.clone()), unknown], &grammars);
        assert_eq!(highlighted.len(), 1);
        let lines = &highlighted[&text];
        let plain: Vec<String> = lines
            .iter()
            .map(|line| line.iter().map(|(_, piece)| piece.as_str()).collect())
            .collect();
        assert_eq!(plain, text.lines().collect::<Vec<_>>());
        let has = |line: usize, token: TokenKind, text: &str| {
            lines[line].iter().any(|(i, piece)| *i == token && piece.contains(text))
        };
        assert!(has(0, TokenKind::Comment, "why"), "{lines:?}");
        assert!(has(1, TokenKind::Keyword, "let"), "{lines:?}");
        assert!(has(1, TokenKind::Text, "a"), "{lines:?}");
        assert!(has(3, TokenKind::Function, "f"), "{lines:?}");
        assert!(has(3, TokenKind::Number, "7"), "{lines:?}");
    }
}
