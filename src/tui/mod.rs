//! The screen: model, messages, update, view, as in the Elm architecture. Must not know what a result
//! means.

mod app;
mod capabilities;
mod effects;
mod explorable;
#[cfg(test)]
mod fixture;
mod glossary;
mod highlight;
mod highlighted;
mod keymap;
mod keys;
mod layout;
pub mod marking;
mod message;
mod model;
mod module_state;
mod outline;
mod palette;
mod prose;
mod terminal;
mod theme;
mod update;
mod view;

pub use app::{Options, run};
pub use capabilities::Preferences;
pub use palette::Theme;
