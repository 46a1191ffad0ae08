//! Running what was built: one process per test, analysis or explorable, and the verdict on each. Not here: building
//! the program.

pub(super) mod explorable;
pub(super) mod program;
