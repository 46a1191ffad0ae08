//! Why something cannot be stored in the cache of lesson 15 or read from it. Plain numbers alone: no tensor, no model.

use crate::sampling::GenerateError;
use crate::shapes::shape_text;
use std::error::Error;
use std::fmt;

/// Why something cannot be stored in a cache or read from it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CacheError {
    /// There is no such layer.
    UnknownLayer {
        /// The one that was asked for.
        layer: usize,
        /// How many there are.
        layers: usize,
    },
    /// There is no room for more positions.
    Full {
        /// The positions that are filled.
        length: usize,
        /// Those that should be added.
        new: usize,
        /// Those that have room in all.
        context: usize,
    },
    /// A tensor has another shape than the cache needs.
    Shape {
        /// What the cache needs, in words.
        wanted: String,
        /// The shape that was given.
        found: Vec<usize>,
    },
}

impl fmt::Display for CacheError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownLayer { layer, layers } => {
                write!(
                    f,
                    "the cache has {layers} layers, counted from 0, and none with the number {layer}"
                )
            }
            Self::Full { length, new, context } => write!(
                f,
                "the cache has room for {context} positions, {length} are filled, and {new} more do not fit: reset it, \
                 cut the text, or build the model with a larger context"
            ),
            Self::Shape { wanted, found } => {
                write!(f, "the cache needs {wanted}, and was given {}", shape_text(found))
            }
        }
    }
}

impl Error for CacheError {}

impl From<CacheError> for GenerateError {
    fn from(error: CacheError) -> Self {
        Self(error.to_string())
    }
}
