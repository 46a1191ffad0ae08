//! A kit for machines without internet: files with their checksums in one archive. The same files give the same bytes.
//! Must not know what is packed or why.

use crate::error::{Error, printable};
use crate::lab::atomic;
use flate2::Compression;
use flate2::write::GzEncoder;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// The folder that the archive contains.
const ROOT: &str = "tinytorch-kit";
/// The checksums of all files, for `sha256sum -c`.
const SUMS: &str = "SHA256SUMS";

/// The files of a kit by their paths.
#[derive(Debug, Default)]
pub struct Kit {
    files: BTreeMap<String, Packed>,
}

#[derive(Debug)]
struct Packed {
    content: Content,
    is_executable: bool,
}

#[derive(Debug)]
enum Content {
    Text(String),
    Disk(PathBuf),
}

impl Kit {
    /// Adds a text.
    pub fn add_text(&mut self, path: &str, text: impl Into<String>) {
        let content = Content::Text(text.into());
        self.files.insert(path.to_owned(), Packed { content, is_executable: false });
    }

    /// Adds a file of the disk.
    ///
    /// # Errors
    /// When there is no such file.
    pub fn add_file(&mut self, path: &str, file: &Path) -> Result<(), Error> {
        let meta = std::fs::metadata(file).map_err(|error| Error::io("read", file, &error))?;
        let is_executable = meta.permissions().mode() & 0o111 != 0;
        let content = Content::Disk(file.to_owned());
        self.files.insert(path.to_owned(), Packed { content, is_executable });
        Ok(())
    }

    /// Adds the files of a folder and of the folders in it, under `path`.
    ///
    /// # Errors
    /// When a folder cannot be read, or a name in it is not UTF-8.
    pub fn add_folder(&mut self, path: &str, folder: &Path) -> Result<(), Error> {
        let failed = |error: io::Error| Error::io("read", folder, &error);
        for entry in std::fs::read_dir(folder).map_err(failed)? {
            let inside = entry.map_err(failed)?.path();
            let name = inside.file_name().and_then(|name| name.to_str()).ok_or_else(|| {
                Error::environment(format!("the name \"{}\" is not UTF-8", printable(&inside)))
            })?;
            let path = format!("{path}/{name}");
            match inside.is_dir() {
                true => self.add_folder(&path, &inside)?,
                false => self.add_file(&path, &inside)?,
            }
        }
        Ok(())
    }

    /// How many files it has.
    #[must_use]
    pub fn len(&self) -> usize {
        self.files.len()
    }

    /// Whether it has no file.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.files.is_empty()
    }

    /// Writes the archive, and its own checksum beside it; returns the size in bytes.
    ///
    /// # Errors
    /// When a file cannot be read, or the archive exists or cannot be written.
    pub fn write(mut self, archive: &Path) -> Result<u64, Error> {
        let sums = self.sums()?;
        self.add_text(SUMS, sums);
        let failed = |error: io::Error| Error::io("write", archive, &error);
        let file = File::create_new(archive).map_err(failed)?;
        // No name and no time: they would differ from run to run.
        let mut tar = tar::Builder::new(GzEncoder::new(file, Compression::default()));
        for (path, packed) in &self.files {
            packed.append(path, &mut tar)?;
        }
        let file = tar.into_inner().and_then(GzEncoder::finish).map_err(failed)?;
        file.sync_all().map_err(failed)?;
        let size = file.metadata().map_err(failed)?.len();
        let name = archive.file_name().map(|name| name.to_string_lossy()).unwrap_or_default();
        let sum = sum(archive)?;
        let mut beside = archive.as_os_str().to_owned();
        beside.push(".sha256");
        atomic::write(Path::new(&beside), format!("{sum}  {name}\n").as_bytes())?;
        Ok(size)
    }

    fn sums(&self) -> Result<String, Error> {
        let line = |(path, packed): (&String, &Packed)| {
            let sum = match &packed.content {
                Content::Text(text) => hex(Sha256::new_with_prefix(text)),
                Content::Disk(file) => sum(file)?,
            };
            Ok(format!("{sum}  {path}\n"))
        };
        self.files.iter().map(line).collect()
    }
}

impl Packed {
    fn append(&self, path: &str, tar: &mut tar::Builder<impl Write>) -> Result<(), Error> {
        let failed = |error: io::Error| Error::io("pack", Path::new(path), &error);
        let (content, size): (Box<dyn Read>, u64) = match &self.content {
            Content::Text(text) => (Box::new(text.as_bytes()), text.len() as u64),
            Content::Disk(file) => {
                let file = File::open(file).map_err(failed)?;
                let size = file.metadata().map_err(failed)?.len();
                (Box::new(file), size)
            }
        };
        let mut header = tar::Header::new_gnu();
        header.set_size(size);
        header.set_mode(if self.is_executable { 0o755 } else { 0o644 });
        header.set_mtime(0);
        tar.append_data(&mut header, format!("{ROOT}/{path}"), content).map_err(failed)
    }
}

/// The checksum of a file.
fn sum(file: &Path) -> Result<String, Error> {
    let failed = |error: io::Error| Error::io("read", file, &error);
    let mut hasher = Sha256::new();
    io::copy(&mut File::open(file).map_err(failed)?, &mut hasher).map_err(failed)?;
    Ok(hex(hasher))
}

fn hex(hasher: Sha256) -> String {
    format!("{:x}", hasher.finalize())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;
    use std::process::Command;

    fn kit(folder: &Path) -> Kit {
        let mut kit = Kit::default();
        kit.add_text("notes.txt", "read me\n");
        kit.add_folder("lab", folder).unwrap();
        kit
    }

    #[test]
    fn the_same_files_give_the_same_archive_and_its_sums_are_those_of_sha256sum() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        std::fs::create_dir_all(path("lab/inside")).unwrap();
        for name in ["lab/b", "lab/a", "lab/inside/run"] {
            std::fs::write(path(name), name).unwrap();
        }
        let executable = std::fs::Permissions::from_mode(0o700);
        std::fs::set_permissions(path("lab/inside/run"), executable).unwrap();
        let archives = ["one.tar.gz", "two.tar.gz"].map(|name| {
            kit(&path("lab")).write(&path(name)).unwrap();
            // Other times, and another order on the disk.
            std::fs::write(path("lab/new"), "").unwrap();
            std::fs::remove_file(path("lab/new")).unwrap();
            std::fs::write(path("lab/a"), "lab/a").unwrap();
            std::fs::read(path(name)).unwrap()
        });
        assert_eq!(archives[0], archives[1]);
        assert!(kit(&path("lab")).write(&path("one.tar.gz")).is_err(), "nothing is overwritten");

        let gz = flate2::read::GzDecoder::new(&*archives[0]);
        tar::Archive::new(gz).unpack(folder.path()).unwrap();
        let root = path(ROOT);
        assert_eq!(std::fs::read(root.join("lab/inside/run")).unwrap(), b"lab/inside/run");
        let mode = |name: &str| std::fs::metadata(root.join(name)).unwrap().permissions().mode();
        assert_eq!((mode("lab/inside/run") & 0o777, mode("lab/a") & 0o777), (0o755, 0o644));
        let sums = std::fs::read_to_string(root.join(SUMS)).unwrap();
        let named: BTreeSet<&str> = sums.lines().map(|line| &line[66..]).collect();
        assert_eq!(named, BTreeSet::from(["lab/a", "lab/b", "lab/inside/run", "notes.txt"]));
        // SHA-256 of "lab/a", as coreutils print it.
        assert!(sums.contains(&format!("{}  lab/a\n", sum(&path("lab/a")).unwrap())), "{sums}");
        if let Ok(checked) =
            Command::new("sha256sum").args(["-c", SUMS]).current_dir(&root).output()
        {
            assert!(checked.status.success(), "{checked:?}");
        }
    }
}
