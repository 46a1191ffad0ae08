//! The outline of a lesson: its headings and its exercises, in order. Plain values for update and view.

use super::model::ModuleState;
use super::prose;
use crate::curriculum::lesson::Block;

/// One entry of the outline.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
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

/// The entries of a lesson. Its title is on the first line of the screen.
#[must_use]
pub fn entries(module_state: &ModuleState) -> Vec<Entry> {
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
            kinds.into_iter().map(move |kind| Entry { piece, kind })
        })
        .collect()
}
