//! What a confined process may do: its limits, the rules of Landlock for files and connections, and the filter of seccomp
//! for system calls. Each applies to the calling process and cannot be undone. Must not know mounts or namespaces.

use super::plan::{Limits, Order, Task};
use super::root;
use landlock::{
    ABI, Access, AccessFs, AccessNet, CompatLevel, Compatible, Ruleset, RulesetAttr,
    RulesetCreatedAttr, RulesetStatus, Scope, path_beneath_rules,
};
use nix::libc;
use rustix::process::{Resource, Rlimit, setrlimit};
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter,
    SeccompRule, TargetArch, apply_filter,
};
use std::collections::BTreeMap;
use std::error::Error;
use std::io;
use std::path::{Path, PathBuf};

/// Descriptors that may be open at a time: rustc opens each crate that it reads.
const OPEN_FILES: u64 = 1024;

/// Sets the limits of the process.
pub(super) fn limit(limits: &Limits) -> io::Result<()> {
    let all = [
        (Resource::As, limits.memory),
        (Resource::Cpu, limits.processor_seconds),
        (Resource::Fsize, limits.file),
        (Resource::Nproc, limits.processes),
        (Resource::Nofile, OPEN_FILES),
        (Resource::Core, 0),
        (Resource::Memlock, 0),
    ];
    for (resource, most) in all {
        setrlimit(resource, Rlimit { current: Some(most), maximum: Some(most) })?;
    }
    Ok(())
}

/// Leaves the process the files of its plan, and no connection.
pub(super) fn restrict_files(order: &Order) -> Result<(), Box<dyn Error>> {
    let plan = &order.plan;
    // The newest version that this program knows; on an older kernel, what that one has.
    let abi = ABI::V6;
    let read = AccessFs::from_read(abi);
    let readable = plan.readable.iter().chain(&plan.folder);
    // A toolchain has a linker of its own.
    let execute = if plan.task == Task::Compiler { read } else { read & !AccessFs::Execute };
    let executable = root::system(plan.task).map(Path::to_owned).chain([plan.program.clone()]);
    let scratch = Path::new(root::SCRATCH);
    let own_scratch = order.has(super::Part::Namespaces).then_some(scratch);
    let writable = plan.writable.iter().map(PathBuf::as_path).chain(own_scratch);
    // What was written is not executed.
    let write = AccessFs::from_all(abi) & !AccessFs::Execute & !AccessFs::MakeSym;
    let status = Ruleset::default()
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(AccessFs::from_all(abi))?
        .handle_access(AccessNet::from_all(abi))?
        .scope(Scope::from_all(abi))?
        .create()?
        .add_rules(path_beneath_rules(executable, read))?
        .add_rules(path_beneath_rules(readable, execute))?
        .add_rules(path_beneath_rules(writable, write))?
        .restrict_self()?;
    match status.ruleset {
        RulesetStatus::NotEnforced => Err("the kernel does not have it".into()),
        _ => Ok(()),
    }
}

/// System calls that no confined process needs: they reach other processes, the network, mounts, keys or the kernel itself.
const NEVER: &[libc::c_long] = &[
    libc::SYS_ptrace,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_pidfd_getfd,
    libc::SYS_kcmp,
    libc::SYS_socket,
    libc::SYS_io_uring_setup,
    libc::SYS_io_uring_enter,
    libc::SYS_io_uring_register,
    libc::SYS_mount,
    libc::SYS_umount2,
    libc::SYS_pivot_root,
    libc::SYS_chroot,
    libc::SYS_move_mount,
    libc::SYS_open_tree,
    libc::SYS_fsopen,
    libc::SYS_fsmount,
    libc::SYS_fsconfig,
    libc::SYS_fspick,
    libc::SYS_mount_setattr,
    libc::SYS_unshare,
    libc::SYS_setns,
    libc::SYS_keyctl,
    libc::SYS_add_key,
    libc::SYS_request_key,
    libc::SYS_bpf,
    libc::SYS_perf_event_open,
    libc::SYS_userfaultfd,
    libc::SYS_open_by_handle_at,
    libc::SYS_name_to_handle_at,
    libc::SYS_personality,
    libc::SYS_init_module,
    libc::SYS_finit_module,
    libc::SYS_delete_module,
    libc::SYS_kexec_load,
    libc::SYS_quotactl,
    libc::SYS_acct,
    libc::SYS_syslog,
    libc::SYS_reboot,
];

/// What a program made from untrusted code does not need either: to start processes and to signal them.
const NOT_BY_A_PROGRAM: &[libc::c_long] = &[
    #[cfg(target_arch = "x86_64")]
    libc::SYS_fork,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_vfork,
    libc::SYS_execveat,
    libc::SYS_memfd_create,
    libc::SYS_setsid,
    libc::SYS_setpgid,
    libc::SYS_kill,
    libc::SYS_tkill,
    libc::SYS_pidfd_open,
    libc::SYS_pidfd_send_signal,
];

/// On x86-64, the bit of the same calls with 32-bit pointers.
const X32: libc::c_long = 0x4000_0000;

/// Filters the system calls of the process from now on. One that is refused fails with EPERM.
pub(super) fn filter_calls(task: Task) -> Result<(), Box<dyn Error>> {
    let only_of_programs = if task == Task::Program { NOT_BY_A_PROGRAM } else { &[] };
    let mut refused = BTreeMap::new();
    for call in NEVER.iter().chain(only_of_programs) {
        refused.insert(*call, vec![]);
        if cfg!(target_arch = "x86_64") {
            refused.insert(*call | X32, vec![]);
        }
    }
    refused.insert(libc::SYS_clone, clone_rules(task)?);
    // Its flags are in memory, where a filter cannot see them; without it, the C library uses `clone`.
    let unknown = BTreeMap::from([(libc::SYS_clone3, vec![])]);
    let filters = [program(unknown, libc::ENOSYS)?, program(refused, libc::EPERM)?];
    Ok(filters.iter().try_for_each(|filter| apply_filter(filter))?)
}

fn program(
    rules: BTreeMap<libc::c_long, Vec<SeccompRule>>,
    error: libc::c_int,
) -> Result<BpfProgram, Box<dyn Error>> {
    let action = SeccompAction::Errno(error.unsigned_abs());
    let arch = TargetArch::try_from(std::env::consts::ARCH)?;
    Ok(SeccompFilter::new(rules, SeccompAction::Allow, action, arch)?.try_into()?)
}

/// When `clone` is refused: always for a new namespace; for a program also without `CLONE_THREAD`.
fn clone_rules(task: Task) -> Result<Vec<SeccompRule>, Box<dyn Error>> {
    let namespaces = [
        libc::CLONE_NEWUSER,
        libc::CLONE_NEWPID,
        libc::CLONE_NEWNET,
        libc::CLONE_NEWNS,
        libc::CLONE_NEWIPC,
        libc::CLONE_NEWUTS,
        libc::CLONE_NEWCGROUP,
    ];
    let flag = |flag: libc::c_int| u64::from(flag.unsigned_abs());
    let no_thread = (task == Task::Program).then_some((flag(libc::CLONE_THREAD), 0));
    let when = namespaces.map(|it| (flag(it), flag(it))).into_iter().chain(no_thread);
    when.map(|(mask, value)| {
        let flags = SeccompCmpOp::MaskedEq(mask);
        let condition = SeccompCondition::new(0, SeccompCmpArgLen::Qword, flags, value)?;
        Ok(SeccompRule::new(vec![condition])?)
    })
    .collect()
}
