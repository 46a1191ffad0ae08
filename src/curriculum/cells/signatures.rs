//! The types of a module's public functions, as constants that compile only while the types are the same. So a result
//! in a test has the type that the reference returns, not a type of the learner's that equals everything. Read line by
//! line from text in rustfmt's form. Not here: generic functions and the types of fields.

use super::items::{item, items};
use std::collections::HashSet;

/// For each public function that is not generic, of those that are free and those of a public type: the line, counted
/// from 0, on which its signature begins, and the constant.
pub fn signatures(reference: &str) -> Vec<(usize, String)> {
    let public: HashSet<&str> =
        items(reference).filter(|item| item.is_public).map(|item| item.name).collect();
    let lines: Vec<&str> = reference.lines().collect();
    let mut of: Option<Block<'_>> = None;
    let mut found = vec![];
    for (index, line) in lines.iter().enumerate() {
        if line.starts_with("impl") {
            of = block(line).filter(|block| public.contains(block.of));
        } else if line.starts_with('}') {
            of = None;
        }
        let free = item(line).is_some_and(|item| item.keyword == "fn" && item.is_public);
        let is_public =
            |block: &&Block<'_>| block.of_trait.is_some() || line.starts_with("    pub ");
        let method = of.as_ref().filter(is_public).filter(|_| line.starts_with("    "));
        let signature = match (free, method) {
            (true, _) => constant(&lines[index..], None),
            (_, Some(block)) if !line.starts_with("     ") => {
                constant(&lines[index..], Some(block))
            }
            _ => None,
        };
        found.extend(signature.map(|signature| (index, signature)));
    }
    found
}

/// An `impl` block of one type, neither of them generic.
struct Block<'a> {
    of: &'a str,
    of_trait: Option<&'a str>,
}

impl Block<'_> {
    /// The path of a function; of a trait's by its name, since the type may have a function of the same name.
    fn path(&self, function: &str) -> String {
        let of = self.of;
        match self.of_trait {
            Some(of_trait) => format!("<{of} as {of_trait}>::{function}"),
            None => format!("{of}::{function}"),
        }
    }
}

fn block(line: &str) -> Option<Block<'_>> {
    let header = line.strip_prefix("impl ")?.strip_suffix(" {")?;
    let (of_trait, of) = match header.split_once(" for ") {
        // A destructor cannot be named.
        Some((name, of)) => (Some(name).filter(|name| is_name(name) && *name != "Drop"), of),
        None => (None, header),
    };
    let fits = is_name(of) && (of_trait.is_some() || of.len() == header.len());
    fits.then_some(Block { of, of_trait })
}

fn is_name(text: &str) -> bool {
    text.chars().all(|c| c.is_alphanumeric() || c == '_')
}

/// `const _: fn(&Tensor) -> f32 = { let _ = Tensor::item; Tensor::item };` for the function that begins on the first of
/// these lines. A function that has become generic does not compile without its use: its result could be one type
/// here and another one in a test.
fn constant(lines: &[&str], of: Option<&Block<'_>>) -> Option<String> {
    let first = lines.first()?.trim_start();
    let rest = first.strip_prefix("pub ").unwrap_or(first);
    let rest = rest.strip_prefix("const ").unwrap_or(rest).strip_prefix("fn ")?;
    let (name, _) = rest.split_once('(').filter(|(name, _)| is_name(name))?;
    let last = lines.iter().position(|line| line.ends_with(['{', ';', '}']))?;
    let joined = lines[..=last].iter().map(|line| line.trim()).collect::<Vec<_>>().join(" ");
    let (_, rest) = joined.split_once('(')?;
    let (signature, _) = rest.split_once(" {")?;
    if ["impl ", " where ", "Self::", "'a"].iter().any(|part| signature.contains(part)) {
        return None;
    }
    let end = top_level(signature, ')').next()?;
    let (parameters, result) = (&signature[..end], &signature[end + 1..]);
    let mut from = 0;
    let mut types = vec![];
    for comma in top_level(parameters, ',').chain([parameters.len()]) {
        types.extend(parameter(parameters[from..comma].trim()));
        from = (comma + 1).min(parameters.len());
    }
    let by_reference = parameters.trim_start().starts_with('&');
    // What a method borrows, it borrows from `self`.
    let result = match by_reference {
        true => result.replace('&', "&'s ").replace("'_", "'s"),
        false => result.to_owned(),
    };
    let bound = if by_reference { "for<'s> " } else { "" };
    let path = of.map_or_else(|| name.to_owned(), |block| block.path(name));
    let types = format!("{bound}fn({}){result}", types.join(", "));
    let types = types.replace("Self", of.map_or("Self", |block| block.of));
    Some(format!("const _: {types} = {{ let _ = {path}; {path} }};"))
}

/// The type of a parameter; of `self` too.
fn parameter(text: &str) -> Option<String> {
    match text {
        "" => None,
        "self" | "mut self" => Some("Self".to_owned()),
        "&self" => Some("&'s Self".to_owned()),
        "&mut self" => Some("&'s mut Self".to_owned()),
        _ => text.split_once(": ").map(|(_, of)| of.to_owned()),
    }
}

/// Where a character occurs outside all brackets. A closing bracket without an opening one is outside.
fn top_level(text: &str, wanted: char) -> impl Iterator<Item = usize> {
    let mut depth = 0;
    let mut before = ' ';
    text.char_indices().filter_map(move |(index, c)| {
        let is_outside = depth == 0 && c == wanted;
        match c {
            '(' | '[' | '<' => depth += 1,
            '>' if before == '-' => {}
            ')' | ']' | '>' => depth -= 1,
            _ => {}
        }
        before = c;
        is_outside.then_some(index)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_public_function_that_is_not_generic_must_keep_its_types() {
        let reference = "\
pub fn scale(values: &[f32], by: (f32, f32)) -> Vec<f32> {
fn private() {}
pub fn generic<T>(it: T) -> T {
pub fn open(it: impl Into<f32>) {
pub struct Grid;
struct Hidden;
impl Grid {
    pub fn rows(&self, of: &Grid) -> Option<&Grid> {
    pub fn join(
        mut self,
        other: &mut Self,
    ) -> Result<Self, fmt::Error> {
    fn inner(&self) {}
}
impl Layer for Grid {
    fn name(&self) -> String {
}
impl Hidden {
    pub fn x(&self) {}
}
impl fmt::Debug for Grid {
    fn fmt(&self) {
}
";
        let bound =
            |types: &str, path: &str| format!("const _: {types} = {{ let _ = {path}; {path} }};");
        let expected = [
            (0, bound("fn(&[f32], (f32, f32)) -> Vec<f32>", "scale")),
            (7, bound("for<'s> fn(&'s Grid, &Grid) -> Option<&'s Grid>", "Grid::rows")),
            (8, bound("fn(Grid, &mut Grid) -> Result<Grid, fmt::Error>", "Grid::join")),
            (15, bound("for<'s> fn(&'s Grid) -> String", "<Grid as Layer>::name")),
        ];
        assert_eq!(signatures(reference), expected);
    }
}
