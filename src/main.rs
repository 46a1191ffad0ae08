//! Parse, dispatch, and turn an error into text and an exit code.

fn main() {}
