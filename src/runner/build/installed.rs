//! What a kit installed beside this program: `DIR/bin/tinytorch-tutor`, and beside `bin` the sources of the third-party
//! crates and perhaps a toolchain. Not here: how they are used.

use std::path::{Path, PathBuf};

/// The folder of that name in the kit that this program was installed from.
pub(in crate::runner) fn folder(name: &str) -> Option<PathBuf> {
    beside(&std::env::current_exe().ok()?.canonicalize().ok()?, name)
}

fn beside(program: &Path, name: &str) -> Option<PathBuf> {
    let bin = program.parent().filter(|folder| folder.ends_with("bin"))?;
    // Only a kit has its checksums there.
    let kit = bin.parent().filter(|kit| kit.join("SHA256SUMS").is_file())?;
    Some(kit.join(name)).filter(|folder| folder.is_dir())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn what_lies_beside_a_program_belongs_to_it_only_in_a_kit() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        fs::create_dir(path("crates")).unwrap();
        let program = path("bin/tinytorch-tutor");
        assert_eq!(beside(&program, "crates"), None, "/usr/local/crates is no kit's");
        fs::write(path("SHA256SUMS"), "").unwrap();
        assert_eq!(beside(&program, "crates"), Some(path("crates")));
        assert_eq!(beside(&program, "toolchain"), None);
        assert_eq!(beside(&path("debug/tinytorch-tutor"), "crates"), None);
    }
}
