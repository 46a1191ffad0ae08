//! Program text taken apart into tokens, as plain values. Must not know what colour a token has (`theme`), nor how
//! it is found (`highlight`).

use std::collections::HashMap;

/// What a piece of program text is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenKind {
    /// Nothing special.
    Plain,
    /// A comment.
    Comment,
    /// A string or character.
    Text,
    /// A number or a constant.
    Number,
    /// A word of the language.
    Keyword,
    /// The name of a type.
    Type,
    /// The name of a function or macro.
    Function,
}

/// Program texts in pieces, by the text: a list of pieces for each line.
pub type HighlightedCode = HashMap<String, Vec<Vec<(TokenKind, String)>>>;
