//! The top-level items of a module and the names that a piece of code uses, read line by line from text in
//! rustfmt's form: items begin at column 0. Not here: what only the compiler knows, such as whether a field is public.

/// A top-level item.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Item<'a> {
    /// What it is called.
    pub name: &'a str,
    /// The word that declares it: `fn`, `struct`, `trait`.
    pub keyword: &'a str,
    /// Whether other crates can name it.
    pub is_public: bool,
}

const KEYWORDS: [&str; 9] =
    ["fn", "struct", "enum", "union", "trait", "type", "static", "mod", "macro_rules!"];

/// The items that begin in a text, in file order.
pub fn items(text: &str) -> impl Iterator<Item = Item<'_>> {
    text.lines().filter_map(item)
}

/// The item that begins on this line.
#[must_use]
pub fn item(line: &str) -> Option<Item<'_>> {
    let (is_public, rest) = match line.strip_prefix("pub") {
        Some(rest) if rest.starts_with(' ') => (true, rest.trim_start()),
        Some(rest) if rest.starts_with('(') => (false, rest.split_once(") ")?.1),
        _ => (false, line),
    };
    let mut words = rest.split(' ').skip_while(|word| ["unsafe", "async"].contains(word));
    let (keyword, next) = (words.next()?, words.next()?);
    let (keyword, name) = match (keyword, next) {
        ("const", "fn") => ("fn", words.next()?),
        ("const", name) => ("const", name),
        (keyword, name) if KEYWORDS.contains(&keyword) => (keyword, name),
        _ => return None,
    };
    let name = name.split(|c: char| !is_part(c)).next().filter(|name| !name.is_empty())?;
    Some(Item { name, keyword, is_public })
}

/// The lines of a text that belong to its top-level `use` declarations, counted from 0.
#[must_use]
pub fn use_lines(text: &str) -> Vec<usize> {
    let mut inside = false;
    let of_use = |(index, line): (usize, &str)| {
        inside |= line.starts_with("use ") || line.starts_with("pub use ");
        let is_part = inside;
        inside &= !line.trim_end().ends_with(';');
        is_part.then_some(index)
    };
    text.lines().enumerate().filter_map(of_use).collect()
}

fn is_part(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// The names that code uses, without fields, methods and later segments of a path, which need no import,
/// and without comments and strings.
#[must_use]
pub fn names(code: &str) -> Vec<&str> {
    let free = identifiers(code).into_iter().filter(|(_, is_member)| !is_member);
    free.map(|(name, _)| name).collect()
}

/// All identifiers of code, without comments and strings; whether each is a field, a method or a later
/// segment of a path.
#[must_use]
pub fn identifiers(code: &str) -> Vec<(&str, bool)> {
    let is_member =
        |before: &str| (before.ends_with('.') && !before.ends_with("..")) || before.ends_with("::");
    words(code).into_iter().map(|word| (word.name, is_member(word.before))).collect()
}

/// An identifier with the code around it.
#[derive(Debug, Clone, Copy)]
pub struct Word<'a> {
    /// What it is.
    pub name: &'a str,
    /// All code before it.
    pub before: &'a str,
    /// All code after it.
    pub after: &'a str,
}

/// All identifiers of code, without comments and strings, each with the code around it.
#[must_use]
pub fn words(code: &str) -> Vec<Word<'_>> {
    let mut found = vec![];
    let mut rest = code;
    while let Some(first) = rest.chars().next() {
        let length = match first {
            '/' if rest.starts_with("//") => rest.find('\n').unwrap_or(rest.len()),
            '"' => string(rest),
            '\'' => character(rest),
            _ if is_part(first) => rest.find(|c| !is_part(c)).unwrap_or(rest.len()),
            _ => first.len_utf8(),
        };
        let (name, after) = rest.split_at(length);
        if is_part(first) && !first.is_ascii_digit() {
            found.push(Word { name, before: &code[..code.len() - rest.len()], after });
        }
        rest = after;
    }
    found
}

/// The length of the string literal that `text` begins with.
fn string(text: &str) -> usize {
    let mut escaped = false;
    let is_end = |(_, c): &(usize, char)| {
        let is_end = *c == '"' && !escaped;
        escaped = *c == '\\' && !escaped;
        is_end
    };
    text.char_indices().skip(1).find(is_end).map_or(text.len(), |(end, _)| end + 1)
}

/// The length of the character literal that `text` begins with; of the quote alone before a lifetime.
fn character(text: &str) -> usize {
    let mut rest = text.char_indices().skip(1);
    let close = match rest.next() {
        Some((_, '\\')) => rest.skip(1).find(|(_, c)| *c == '\''),
        Some(_) => rest.next().filter(|(_, c)| *c == '\''),
        None => None,
    };
    close.map_or(1, |(end, _)| end + 1)
}
