//! The outline of a lesson: its headings and its exercises, in order. Plain values for update and view.

use super::model::ModuleState;
use super::prose;
use crate::curriculum::lesson::Block;

/// One entry of the outline.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its index among all entries.
    pub index: usize,
    /// The piece of the lesson that it is in.
    pub piece: usize,
    /// What it is.
    pub kind: Kind,
}

/// What an entry of the outline is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// A heading of that level.
    Heading(usize, String),
    /// The exercise of a cell.
    Exercise(String),
}

/// The entries of a lesson that contain `filter`, ignoring case. The lesson's title is not one of them: the first
/// line of the screen shows it.
#[must_use]
pub fn entries(module_state: &ModuleState, filter: &str) -> Vec<Entry> {
    let filter = filter.to_lowercase();
    let is_wanted = |kind: &Kind| match kind {
        Kind::Heading(_, title) => title.to_lowercase().contains(&filter),
        Kind::Exercise(cell) => {
            cell.contains(&filter)
                || module_state.results(cell).any(|(test, ..)| test.contains(&filter))
        }
    };
    let blocks = module_state.lesson.blocks.iter().zip(1..);
    blocks
        .flat_map(|(block, piece)| {
            let kinds: Vec<Kind> = match block {
                Block::Prose { text } => prose::headings(text)
                    .into_iter()
                    .filter(|(level, _)| *level > 1)
                    .map(|(level, title)| Kind::Heading(level, title))
                    .collect(),
                Block::Exercise { cell, .. } => vec![Kind::Exercise(cell.clone())],
                _ => vec![],
            };
            kinds.into_iter().map(move |kind| (piece, kind))
        })
        .enumerate()
        .map(|(index, (piece, kind))| Entry { index, piece, kind })
        .filter(|entry| is_wanted(&entry.kind))
        .collect()
}
