//! The screen: model, messages, update, view, as in the Elm architecture. Comes in: a lab. Goes out:
//! frames, and effects that other rooms do. Not here: what a result means.

mod app;
mod effects;
#[cfg(test)]
mod fixture;
mod highlight;
mod keymap;
mod layout;
mod message;
mod model;
mod module_state;
mod terminal;
mod theme;
mod update;
mod view;

pub use app::{Options, run};
