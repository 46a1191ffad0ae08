//! Compile a learner's file and run it. Comes in: a request. Goes out: [`event::RunEvent`]s.
//! Not here: what is shown, what is stored.

pub mod event;
