//! The folders of the cache, each published atomically: filled under another name, given a list with the hash of each
//! file, and renamed. A folder that is damaged later counts as missing, and is rebuilt. Beside them, folders for the
//! checkpoints of programs. Not here: what is in them.

use super::private::{Private, is_abandoned, is_older};
use crate::error::Error;
use std::collections::HashSet;
use std::fmt::Write;
use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

/// The list in each folder: a line `HASH SIZE NAME` for each other file.
const LIST: &str = "parts";
/// How long an unused folder is kept.
const KEPT: Duration = Duration::from_secs(60 * 60 * 24 * 30);
/// Has the folders in which files are compiled and run.
pub(super) const WORK: &str = "work";
/// Has the folders of checkpoints.
const CHECKPOINTS: &str = "checkpoints";
/// The cache's root, with the folders that were found intact since it was opened.
#[derive(Debug)]
pub(in crate::runner) struct Cache {
    root: PathBuf,
    intact: Mutex<HashSet<PathBuf>>,
}

impl Cache {
    /// Opens the cache, and creates its root if it is missing.
    pub(in crate::runner) fn open(root: PathBuf) -> Result<Self, Error> {
        make_root(&root)?;
        let root = root.canonicalize().map_err(|e| Error::io("open", &root, &e))?;
        sweep(&root);
        Ok(Self { root, intact: Mutex::default() })
    }

    /// The cache's folder.
    pub(in crate::runner) fn root(&self) -> &Path {
        &self.root
    }

    /// Creates the cache's folder again if it was removed meanwhile.
    pub(in crate::runner) fn make_root(&self) -> Result<(), Error> {
        make_root(&self.root)
    }

    /// The folder of that name, if it is intact. The first time its files are hashed; every time they must exist and
    /// have the right size.
    pub(in crate::runner) fn get(&self, name: &str) -> Option<PathBuf> {
        let folder = self.root.join(name);
        let known = self.known().contains(&folder);
        if !is_intact(&folder, !known) {
            self.known().remove(&folder);
            return None;
        }
        if !known {
            self.known().insert(folder.clone());
            // Only the sweep reads this date; if it cannot be set, the folder is rebuilt one day.
            let list = fs::File::options().append(true).open(folder.join(LIST));
            let _ = list.and_then(|list| list.set_modified(SystemTime::now()));
        }
        Some(folder)
    }

    /// A private folder beside the final ones; gone when dropped.
    pub(in crate::runner) fn scratch(&self) -> Result<Private, Error> {
        let make = || fs::create_dir_all(&self.root).and_then(|()| Private::new(&self.root));
        make().map_err(|error| {
            Error::io("create a folder in the cache", &self.root, &error).hint(
                "Is the disk full, or the cache read-only? Name another one with --cache DIR.",
            )
        })
    }

    /// Publishes the filled folder under that name. What is there already is either damaged or the same.
    pub(in crate::runner) fn put(&self, filled: &Path, name: &str) -> Result<PathBuf, Error> {
        let folder = self.root.join(name);
        let put = || -> io::Result<()> {
            if is_intact(&folder, true) {
                // Another process published it first, and may be using it by now.
                return Ok(());
            }
            fs::write(filled.join(LIST), list(filled)?)?;
            // The private folder was its owner's only; a compiler inside the sandbox is another user.
            fs::set_permissions(filled, fs::Permissions::from_mode(0o755))?;
            if let Some(parent) = folder.parent() {
                fs::create_dir_all(parent)?;
            }
            let rename = || match fs::rename(filled, &folder) {
                // Another process published it meanwhile, and may be using it by now.
                Err(_) if is_intact(&folder, true) => Ok(()),
                result => result,
            };
            // A rename does not replace a folder with files in it: here only a damaged one can be in the way.
            rename().or_else(|_| {
                let aside = Private::new(&self.root)?;
                // It may have been set aside by another process; then the last rename decides.
                let _ = fs::rename(&folder, aside.path().join("folder"));
                rename()
            })
        };
        put().map_err(|error| Error::io("write to the cache", &folder, &error))?;
        self.known().insert(folder.clone());
        Ok(folder)
    }

    /// The folder for the checkpoints of a program that is made from these inputs; it may not exist. Another text, engine or
    /// compiler has another folder: what a changed program trained is never continued.
    pub(in crate::runner) fn checkpoints(&self, inputs: &[&str]) -> PathBuf {
        let mut hasher = blake3::Hasher::new();
        for input in inputs {
            hasher.update(&input.len().to_le_bytes()).update(input.as_bytes());
        }
        self.root.join(CHECKPOINTS).join(hasher.finalize().to_hex().as_str())
    }

    fn known(&self) -> std::sync::MutexGuard<'_, HashSet<PathBuf>> {
        self.intact.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn make_root(root: &Path) -> Result<(), Error> {
    fs::create_dir_all(root).map_err(|error| {
        Error::io("create the cache folder", root, &error)
            .hint("Name another one with --cache DIR or the variable TINYTORCH_CACHE.")
    })
}

/// Removes the private folders of killed processes, and what was not used for a long time: modules whose text the
/// learner has changed since, checkpoints of a training that was not continued.
fn sweep(root: &Path) {
    for place in [root, &root.join("modules"), &root.join("probes"), &root.join(WORK)] {
        for entry in fs::read_dir(place).into_iter().flatten().flatten() {
            if is_abandoned(&entry.path()) || is_unused(&entry) {
                // If it cannot be removed now, the next sweep tries again.
                let _ = fs::remove_dir_all(entry.path());
            }
        }
    }
    for entry in fs::read_dir(root.join(CHECKPOINTS)).into_iter().flatten().flatten() {
        // Each new checkpoint is renamed into its folder, which sets the folder's date.
        if is_older(entry.metadata(), KEPT) {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

fn is_unused(entry: &fs::DirEntry) -> bool {
    is_older(fs::metadata(entry.path().join(LIST)), KEPT)
}

fn list(folder: &Path) -> io::Result<String> {
    let mut names: Vec<_> = fs::read_dir(folder)?.collect::<Result<_, _>>()?;
    names.sort_by_key(fs::DirEntry::file_name);
    let mut list = String::new();
    for entry in names {
        let (hash, size) = measure(&entry.path())?;
        let _ = writeln!(list, "{hash} {size} {}", entry.file_name().to_string_lossy());
    }
    // Without this, a list that was cut off after a line would seem complete.
    list.push_str("end\n");
    Ok(list)
}

fn measure(file: &Path) -> io::Result<(String, u64)> {
    let mut hasher = blake3::Hasher::new();
    let size = io::copy(&mut fs::File::open(file)?, &mut hasher)?;
    Ok((hasher.finalize().to_hex().to_string(), size))
}

fn is_intact(folder: &Path, hash: bool) -> bool {
    let Ok(list) = fs::read_to_string(folder.join(LIST)) else { return false };
    let Some(lines) = list.strip_suffix("end\n") else { return false };
    lines.lines().all(|line| {
        let mut words = line.splitn(3, ' ');
        let (Some(expected), Some(size), Some(name)) = (words.next(), words.next(), words.next())
        else {
            return false;
        };
        let file = folder.join(name);
        let Ok(found) = fs::metadata(&file) else { return false };
        found.len().to_string() == size
            && (!hash || measure(&file).is_ok_and(|(found, _)| found == expected))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(cache: &Cache) -> Private {
        let folder = cache.scratch().unwrap();
        fs::write(folder.path().join("a.rlib"), "four").unwrap();
        folder
    }

    fn cache() -> (tempfile::TempDir, Cache) {
        let root = tempfile::tempdir().unwrap();
        let cache = Cache::open(root.path().join("cache")).unwrap();
        (root, cache)
    }

    #[test]
    fn a_folder_can_be_read_once_it_is_published() {
        let (_root, cache) = cache();
        assert_eq!(cache.get("modules/k"), None);
        let put = cache.put(filled(&cache).path(), "modules/k").unwrap();
        assert_eq!(cache.get("modules/k"), Some(put.clone()));
        assert_eq!(cache.put(filled(&cache).path(), "modules/k").unwrap(), put, "twice is once");
        assert_eq!(fs::read_to_string(put.join("a.rlib")).unwrap(), "four");
    }

    #[test]
    fn a_published_folder_stays_while_others_publish_the_same() {
        let (_root, cache) = cache();
        let gone = std::sync::atomic::AtomicUsize::new(0);
        for round in 0..20 {
            let name = format!("modules/{round}");
            let barrier = std::sync::Barrier::new(8);
            std::thread::scope(|scope| {
                for _ in 0..8 {
                    scope.spawn(|| {
                        let made = filled(&cache);
                        fs::write(made.path().join("b.rlib"), vec![7; 1 << 20]).unwrap();
                        barrier.wait();
                        let file = cache.put(made.path(), &name).unwrap().join("a.rlib");
                        let seen = (0..500).all(|_| file.exists());
                        gone.fetch_add(usize::from(!seen), std::sync::atomic::Ordering::Relaxed);
                    });
                }
            });
        }
        assert_eq!(gone.into_inner(), 0);
    }

    #[test]
    fn every_kind_of_damage_is_detected() {
        let damages: [fn(&Path); 5] = [
            |folder| fs::remove_file(folder.join("a.rlib")).unwrap(),
            |folder| fs::write(folder.join("a.rlib"), "fou").unwrap(),
            |folder| fs::remove_file(folder.join(LIST)).unwrap(),
            |folder| fs::write(folder.join(LIST), "").unwrap(),
            |folder| fs::write(folder.join("a.rlib"), "five").unwrap(),
        ];
        for damage in damages {
            let (root, cache) = cache();
            let folder = cache.put(filled(&cache).path(), "k").unwrap();
            damage(&folder);
            let reopened = Cache::open(root.path().join("cache")).unwrap();
            assert_eq!(reopened.get("k"), None);
            reopened.put(filled(&reopened).path(), "k").unwrap();
            assert_eq!(reopened.get("k"), Some(folder));
        }
    }

    #[test]
    fn what_was_not_used_for_a_long_time_is_removed_and_use_keeps_it() {
        let (root, cache) = cache();
        let folder = cache.put(filled(&cache).path(), "modules/k").unwrap();
        let reopened = || Cache::open(root.path().join("cache")).unwrap();
        let age = || {
            let list = fs::File::options().append(true).open(folder.join(LIST)).unwrap();
            list.set_modified(SystemTime::now() - KEPT - Duration::from_secs(60)).unwrap();
        };
        let cache = reopened();
        age();
        assert_eq!(cache.get("modules/k"), Some(folder.clone()));
        assert_eq!(reopened().get("modules/k"), Some(folder.clone()), "it was used");
        age();
        assert_eq!(reopened().get("modules/k"), None);
    }

    #[test]
    fn a_program_has_its_own_checkpoints_which_are_kept_for_a_while() {
        let (root, cache) = cache();
        let folder = cache.checkpoints(&["engine", "program"]);
        for other in [["engine", "changed"], ["changed", "program"], ["enginep", "rogram"]] {
            assert_ne!(cache.checkpoints(&other), folder, "{other:?}");
        }
        fs::create_dir_all(&folder).unwrap();
        let is_kept_at = |age: Duration| {
            let date = SystemTime::now() - age;
            fs::File::open(&folder).unwrap().set_modified(date).unwrap();
            Cache::open(root.path().join("cache")).unwrap();
            folder.exists()
        };
        assert!(is_kept_at(KEPT - Duration::from_secs(60)));
        assert!(!is_kept_at(KEPT + Duration::from_secs(60)));
    }

    #[test]
    fn a_cache_that_cannot_be_created_is_an_error_that_says_how_to_fix_it() {
        let root = tempfile::tempdir().unwrap();
        let file = root.path().join("file");
        fs::write(&file, "").unwrap();
        let error = Cache::open(file.join("cache")).unwrap_err();
        assert!(error.to_string().contains("--cache"), "{error}");
    }
}
