//! The launcher: the tutor's program, started three times in a row, each from the one before. *outside* makes the
//! namespaces; *first* is the first process of the new ones, whose end ends all others; *inside* takes every right away
//! and becomes the program. Input: an order as JSON. Output: an exit code, that of the program, or 128 plus the signal
//! that ended it. Must not know what the program is.

use super::plan::{COMMAND, Order, Part, Task};
use super::{CHANNEL, NOT_STARTED, UP, root, rules, self_test};
use nix::sched::{CloneFlags, unshare};
use nix::sys::prctl;
use nix::sys::signal::Signal;
use nix::unistd::{Gid, Uid, getegid, geteuid, setgroups, setresgid, setresuid};
use rustix::fs::{Mode, OFlags};
use rustix::io::{FdFlags, fcntl_dupfd_cloexec, fcntl_setfd};
use rustix::thread::{
    CapabilitySet, capabilities, clear_ambient_capability_set, configure_capability_in_ambient_set,
    set_capabilities,
};
use std::convert::Infallible;
use std::ffi::OsString;
use std::fs;
use std::io;
use std::ops::Range;
use std::os::fd::AsRawFd;
use std::os::unix::fs::lchown;
use std::os::unix::process::{CommandExt, ExitStatusExt, parent_id};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

/// The users of confined processes begin here: no system gives these numbers to people or services.
const FIRST_USER: u32 = 2_000_000_000;
/// `nobody`, where a container does not have the numbers above.
const NOBODY: u32 = 65_534;

/// Does one stage; none when the arguments are not the launcher's. To be called before anything else, while the process
/// has one thread.
#[expect(clippy::print_stderr, reason = "who started the launcher reads why it failed")]
pub fn run(arguments: impl Iterator<Item = OsString>) -> Option<ExitCode> {
    let arguments: Vec<OsString> = arguments.skip(1).collect();
    let [command, stage, order] = arguments.as_slice() else { return None };
    if command != COMMAND {
        return None;
    }
    let done = match stage.to_str() {
        Some(self_test::STAGE) => return Some(self_test::run(order)),
        Some(stage) => parse(order).and_then(|order| run_stage(stage, order)),
        None => Err(io::Error::other("unknown stage")),
    };
    Some(ExitCode::from(done.unwrap_or_else(|error| {
        eprintln!("the sandbox cannot be built: {error}");
        NOT_STARTED
    })))
}

fn parse(order: &OsString) -> io::Result<Order> {
    Ok(serde_json::from_slice(order.as_encoded_bytes())?)
}

fn run_stage(stage: &str, order: Order) -> io::Result<u8> {
    match stage {
        "outside" => outside(order),
        "first" => {
            end_with_parent()?;
            next("inside", &order)
        }
        "inside" => match inside(&order) {
            Ok(never) => match never {},
            Err(error) => Err(error),
        },
        _ => Err(io::Error::other("unknown stage")),
    }
}

/// Leaves the namespaces of the caller.
fn outside(mut order: Order) -> io::Result<u8> {
    // Of all processes, those in the sandbox are the first to be killed when memory runs out.
    let _ = fs::write("/proc/self/oom_score_adj", "1000");
    let (user, group) = (geteuid(), getegid());
    if user.is_root() {
        order.user = free_user();
    }
    if order.has(Part::Namespaces) {
        let mut namespaces = CloneFlags::CLONE_NEWPID
            | CloneFlags::CLONE_NEWNET
            | CloneFlags::CLONE_NEWIPC
            | CloneFlags::CLONE_NEWNS
            | CloneFlags::CLONE_NEWUTS;
        if order.user.is_none() {
            namespaces |= CloneFlags::CLONE_NEWUSER;
        }
        unshare(namespaces).map_err(|error| because("make namespaces", error))?;
        if order.user.is_none() {
            become_nobody(user, group).map_err(|error| because("map the user", error))?;
            keep_right_to_mount().map_err(|error| because("keep the right to mount", error))?;
        }
    }
    end_with_parent()?;
    if parent_id() != order.from {
        return Err(io::Error::other("the process that started it has ended"));
    }
    next("first", &order)
}

/// A user that no other process has: the number of this one is in it. So the limit on processes counts this sandbox's only.
/// None where this namespace has no such user, and not `nobody` either.
fn free_user() -> Option<u32> {
    let wanted = FIRST_USER + std::process::id();
    let map = fs::read_to_string("/proc/self/uid_map").unwrap_or_default();
    let range = |line: &str| -> Option<Range<u64>> {
        let numbers: Vec<u64> = line.split_whitespace().flat_map(str::parse).collect();
        let [inside, _, count] = numbers[..] else { return None };
        Some(inside..inside + count)
    };
    let ranges: Vec<Range<u64>> = map.lines().filter_map(range).collect();
    let is_there = |user: &u32| ranges.iter().any(|range| range.contains(&u64::from(*user)));
    [wanted, NOBODY].into_iter().find(is_there)
}

/// In a user namespace of its own, the process's user has the number of `nobody`: never 0, which would get every right
/// again with each program that is executed.
fn become_nobody(user: Uid, group: Gid) -> io::Result<()> {
    fs::write("/proc/self/setgroups", "deny")?;
    fs::write("/proc/self/uid_map", format!("{NOBODY} {user} 1"))?;
    fs::write("/proc/self/gid_map", format!("{NOBODY} {group} 1"))
}

/// The later stages build the file system; a user other than root loses the right to when the next one is executed.
fn keep_right_to_mount() -> io::Result<()> {
    let mut own = capabilities(None)?;
    own.inheritable |= CapabilitySet::SYS_ADMIN;
    set_capabilities(None, own)?;
    Ok(configure_capability_in_ambient_set(CapabilitySet::SYS_ADMIN, true)?)
}

fn end_with_parent() -> io::Result<()> {
    prctl::set_pdeathsig(Signal::SIGKILL).map_err(|error| because("end with its parent", error))
}

/// Starts the next stage and waits for it.
fn next(stage: &str, order: &Order) -> io::Result<u8> {
    let status =
        Command::new(&order.launcher).args(order.arguments(stage)?).env_clear().status()?;
    let code = status.code().or(status.signal().map(|signal| 128 + signal));
    Ok(code.and_then(|code| u8::try_from(code).ok()).unwrap_or(NOT_STARTED))
}

/// Takes every right away, says so on the channel, and becomes the program.
fn inside(order: &Order) -> io::Result<Infallible> {
    let plan = &order.plan;
    let channel = fcntl_dupfd_cloexec(io::stdin(), CHANNEL)?;
    if channel.as_raw_fd() != CHANNEL {
        return Err(io::Error::other("the channel's descriptor is taken"));
    }
    for folder in plan.writable.iter().filter(|_| order.user.is_some()) {
        give(folder, order.user).map_err(|error| because("give the folder away", error))?;
    }
    // What is made from here on can be read by another user.
    rustix::process::umask(Mode::from_raw_mode(0o022));
    if order.has(Part::Namespaces) {
        root::change(order).map_err(|error| because("build its file system", error))?;
    }
    let nowhere = if order.has(Part::Namespaces) { root::SCRATCH } else { "/" };
    std::env::set_current_dir(plan.folder.as_deref().unwrap_or(Path::new(nowhere)))?;
    let null = rustix::fs::open("/dev/null", OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?;
    rustix::stdio::dup2_stdin(null)?;
    if let Some(user) = order.user {
        become_user(user).map_err(|error| because("change the user", error))?;
    }
    // The program gets none.
    clear_ambient_capability_set().map_err(|error| because("give up rights", error))?;
    rules::limit(&plan.limits).map_err(|error| because("set limits", error))?;
    if order.has(Part::Landlock) {
        rules::restrict_files(order).map_err(|error| because("use Landlock", error))?;
    }
    if order.has(Part::Seccomp) {
        rules::filter_calls(plan.task).map_err(|error| because("use seccomp", error))?;
    }
    rustix::io::write(&channel, format!("{UP}\n").as_bytes())?;
    if plan.task == Task::Program {
        fcntl_setfd(&channel, FdFlags::empty())?;
    }
    // A linker needs a folder for its temporary files: without one of the process's own, that of its output.
    let own = order.has(Part::Namespaces).then_some(Path::new(nowhere));
    let temporary = own.or(plan.writable.first().map(PathBuf::as_path));
    let mut program = Command::new(&plan.program);
    program.args(&plan.arguments).env_clear();
    program.env("TMPDIR", temporary.unwrap_or(Path::new(nowhere)));
    program.envs(plan.environment.iter().cloned());
    Err(because("execute the program", program.exec()))
}

/// Makes a folder and what is in it the user's. Links are not followed.
fn give(folder: &Path, user: Option<u32>) -> io::Result<()> {
    lchown(folder, user, user)?;
    fs::read_dir(folder)?.try_for_each(|entry| lchown(entry?.path(), user, user))
}

fn become_user(user: u32) -> nix::Result<()> {
    let (uid, gid) = (Uid::from_raw(user), Gid::from_raw(user));
    setgroups(&[])?;
    setresgid(gid, gid, gid)?;
    setresuid(uid, uid, uid)
}

fn because(what: &str, error: impl std::fmt::Display) -> io::Error {
    io::Error::other(format!("failed to {what}: {error}"))
}
