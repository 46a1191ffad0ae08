//! From texts to a program: the toolchain, the cache, the chain of crates below a module, and calls of rustc. Not here:
//! running what was built.

pub(super) mod cache;
pub(super) mod chain;
mod diagnostics;
pub(super) mod exercise;
pub(super) mod installed;
pub(super) mod module_crate;
pub(super) mod prepared_source;
mod private;
pub(super) mod rustc;
pub(super) mod third_party;
pub(super) mod toolchain;
pub(super) mod work_dir;
