//! The engine's own source files as text: what a lab is made from, and what the chain compiles.

/// Each module's source, by name, in teaching order.
pub const MODULES: &[(&str, &str)] = &[("tensor", include_str!("tensor.rs"))];

/// The files that every module may use and nobody has to write, by file name.
pub const SUPPORT: &[(&str, &str)] = &[
    ("report.rs", include_str!("report.rs")),
    ("testing.rs", include_str!("testing.rs")),
    ("random.rs", include_str!("random.rs")),
    ("data/mod.rs", include_str!("data/mod.rs")),
];
