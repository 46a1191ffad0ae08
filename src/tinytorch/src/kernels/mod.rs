//! Loops that are written for one kind of CPU each, chosen while the program runs. They know slices only, no tensor and no
//! module; each result equals that of the portable loop.

pub mod int8;
