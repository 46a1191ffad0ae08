//! The file system that a confined process sees: an empty one in memory, with what its plan names mounted in the same
//! places, read-only unless the plan says otherwise. There is no `/proc`. Must not know users or system calls.

use super::plan::{Order, Plan, Task};
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use rustix::fs::{StatVfsMountFlags, statvfs};
use rustix::process::pivot_root;
use std::fs;
use std::io;
use std::os::unix::fs::{lchown, symlink};
use std::path::{Path, PathBuf};

/// An empty folder of the process's own.
pub(super) const SCRATCH: &str = "/scratch";
/// The most files and folders in it: each uses memory of the kernel, an empty one too.
const FILES: u32 = 4096;
/// Where the new file system is while the old one is in its place.
const NEW: &str = "/tmp";
/// Where the old file system is while the new one is built.
const OLD: &str = "/old";

/// What a program needs of the system: the loader and the shared libraries.
const LIBRARIES: [&str; 6] =
    ["/lib", "/lib64", "/usr/lib", "/usr/lib64", "/etc/ld.so.cache", "/nix/store"];
/// What a compiler needs in addition: the linker, and what its name leads to.
const LINKER: [&str; 4] = ["/usr", "/bin", "/etc/alternatives", "/opt"];
const DEVICES: [&str; 2] = ["/dev/null", "/dev/urandom"];

/// The part of the system that a process may read and execute.
pub(super) fn system(task: Task) -> impl Iterator<Item = &'static Path> {
    let linker: &[&str] = if task == Task::Compiler { &LINKER } else { &[] };
    linker.iter().chain(&LIBRARIES).chain(&DEVICES).map(|path| Path::new(*path))
}

/// Moves this process, alone in its mount namespace, to the new file system.
pub(super) fn change(order: &Order) -> io::Result<()> {
    let plan = &order.plan;
    // Nothing that is mounted from here on is seen outside.
    mount(None::<&str>, "/", None::<&str>, MsFlags::MS_REC | MsFlags::MS_PRIVATE, None::<&str>)?;
    memory(NEW, "mode=0755,size=1m")?;
    fs::create_dir(format!("{NEW}{OLD}"))?;
    pivot_root(NEW, &*format!("{NEW}{OLD}"))?;
    std::env::set_current_dir("/")?;
    for path in shown(plan) {
        show(&path, plan.writable.contains(&path))
            .map_err(|error| io::Error::other(format!("{}: {error}", path.display())))?;
    }
    fs::create_dir(SCRATCH)?;
    let scratch = format!("mode=0700,size={},nr_inodes={FILES}", plan.limits.file);
    memory(SCRATCH, &scratch)?;
    lchown(SCRATCH, order.user, order.user)?;
    umount2(OLD, MntFlags::MNT_DETACH)?;
    fs::remove_dir(OLD)?;
    let read_only = MsFlags::MS_REMOUNT | MsFlags::MS_BIND | MsFlags::MS_RDONLY;
    mount(None::<&str>, "/", None::<&str>, read_only | MsFlags::MS_NOSUID, None::<&str>)?;
    Ok(())
}

/// An empty file system in memory.
fn memory(at: &str, options: &str) -> nix::Result<()> {
    let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV;
    mount(Some("tmpfs"), at, Some("tmpfs"), flags, Some(options))
}

/// Every path to show, a folder before what is in it.
fn shown(plan: &Plan) -> Vec<PathBuf> {
    let own = plan.readable.iter().chain(&plan.writable).chain([&plan.program]).chain(&plan.folder);
    let mut paths: Vec<PathBuf> =
        system(plan.task).map(Path::to_owned).chain(own.cloned()).collect();
    paths.sort();
    paths.dedup();
    let mut shown: Vec<PathBuf> = vec![];
    for path in paths {
        let covered = shown.iter().any(|above| path.starts_with(above));
        if !covered || plan.writable.contains(&path) {
            shown.push(path);
        }
    }
    shown
}

/// Shows one file or folder of the old file system; what is not there is passed over.
fn show(path: &Path, is_writable: bool) -> io::Result<()> {
    let old = Path::new(OLD).join(path.strip_prefix("/").unwrap_or(path));
    let Ok(metadata) = fs::symlink_metadata(&old) else { return Ok(()) };
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent)?;
    }
    if metadata.is_symlink() {
        return symlink(fs::read_link(&old)?, path);
    }
    if metadata.is_dir() {
        fs::create_dir_all(path)?;
    } else {
        fs::write(path, "")?;
    }
    mount(Some(&old), path, None::<&str>, MsFlags::MS_BIND | MsFlags::MS_REC, None::<&str>)?;
    let mut flags = MsFlags::MS_REMOUNT | MsFlags::MS_BIND | MsFlags::MS_NOSUID;
    if !is_writable {
        flags |= MsFlags::MS_RDONLY;
    }
    if !path.starts_with("/dev") {
        flags |= MsFlags::MS_NODEV;
    }
    // What the old mount forbids cannot be allowed again.
    if statvfs(path)?.f_flag.contains(StatVfsMountFlags::NOEXEC) {
        flags |= MsFlags::MS_NOEXEC;
    }
    mount(None::<&str>, path, None::<&str>, flags, None::<&str>)?;
    Ok(())
}
