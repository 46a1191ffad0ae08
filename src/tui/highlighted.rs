//! Source code split into tokens, as plain values. Must not know what colour a token has (`theme`) or how tokens are
//! found (`highlight`).

use std::collections::HashMap;

/// The kind of a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenKind {
    /// Anything else.
    Plain,
    /// A comment.
    Comment,
    /// A string or character.
    Text,
    /// A number or a constant.
    Number,
    /// A keyword.
    Keyword,
    /// The name of a type.
    Type,
    /// The name of a function or macro.
    Function,
}

/// Tokens by source text: a list for each line.
pub type HighlightedCode = HashMap<String, Vec<Vec<(TokenKind, String)>>>;
