//! Running what was built: one process per test or analysis, and the verdict on each. Not here: how the
//! program was made.

pub(super) mod program;
