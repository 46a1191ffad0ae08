//! The sandbox end to end: a program that tries what it must not do, started by the real launcher. Where the kernel lacks a
//! part of the sandbox, the tests say so and pass.
#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "in a test a panic is the verdict, in its helpers too")]
#![expect(clippy::print_stderr, reason = "a test that is skipped says why")]

use std::io::{BufRead, BufReader, Read};
use std::os::unix::net::{UnixListener, UnixStream};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::LazyLock;
use tempfile::TempDir;
use tinytorch_tutor::sandbox::{Limits, Plan, Sandbox, Task};

/// What all tests use: the program that makes the attempts, and a sandbox, if this kernel has every part of one.
static SETUP: LazyLock<(TempDir, Option<Sandbox>)> = LazyLock::new(|| {
    let folder = tempfile::tempdir().unwrap();
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/sandbox/fixture/attempt.rs");
    let mut rustc = Command::new(std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()));
    rustc.args(["--edition", "2024", "-o"]).arg(folder.path().join("attempt")).arg(source);
    assert!(rustc.status().unwrap().success());
    let sandbox = Sandbox::probe(Path::new(env!("CARGO_BIN_EXE_tinytorch-tutor"))).unwrap();
    let lacks = sandbox.lacks();
    for part in &lacks {
        eprintln!("skipped: this machine lacks {part}");
    }
    (folder, lacks.is_empty().then_some(sandbox))
});

fn program() -> PathBuf {
    SETUP.0.path().join("attempt")
}

fn plan(arguments: &[&str]) -> Plan {
    Plan {
        task: Task::Program,
        program: program(),
        arguments: arguments.iter().map(|&it| it.to_owned()).collect(),
        environment: vec![],
        folder: None,
        readable: vec![],
        writable: vec![],
        limits: Limits { memory: 1 << 29, processor_seconds: 20, file: 8 << 20, processes: 32 },
    }
}

/// A shell in the sandbox of a compiler.
fn shell(script: &str) -> Plan {
    let arguments = vec!["-c".to_owned(), script.to_owned()];
    Plan { task: Task::Compiler, program: "/bin/sh".into(), arguments, ..plan(&[]) }
}

/// Starts the plan's program; none where there is no sandbox.
fn start(plan: Plan) -> Option<(Child, UnixStream)> {
    let sandbox = SETUP.1.as_ref()?;
    let (mut command, channel) = sandbox.command(plan).unwrap();
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    Some((command.spawn().unwrap(), channel))
}

fn run(plan: Plan) -> Option<Output> {
    let (child, _channel) = start(plan)?;
    Some(child.wait_with_output().unwrap())
}

fn printed(output: &Output) -> &str {
    std::str::from_utf8(&output.stdout).unwrap().trim()
}

fn is_printed(plan: Plan, expected: &str) {
    let Some(output) = run(plan.clone()) else { return };
    assert_eq!(printed(&output), expected, "{plan:?} {output:?}");
}

fn is_refused(arguments: &[&str]) {
    is_printed(plan(arguments), "refused");
}

fn is_possible(plan: Plan) {
    is_printed(plan, "possible");
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[test]
fn what_the_plan_names_can_be_read_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let (named, other) = (folder.path().join("named"), folder.path().join("other"));
    std::fs::create_dir(&named).unwrap();
    let file = named.join("file");
    std::fs::write(&file, "").unwrap();
    std::fs::write(&other, "").unwrap();
    is_possible(Plan { readable: vec![named.clone()], ..plan(&["read", text(&file)]) });
    is_printed(Plan { readable: vec![named], ..plan(&["read", text(&other)]) }, "refused");
    is_refused(&["read", text(&file)]);
    for path in ["/etc/passwd", "/etc/hostname", "/proc/self/maps", "/proc/self/fd/3", "/root"] {
        is_refused(&["read", path]);
    }
    for path in ["/", "/proc", "/dev", "/tmp", "/home"] {
        is_refused(&["list", path]);
    }
}

#[test]
fn only_its_own_empty_folder_and_what_the_plan_names_can_be_written() {
    let folder = tempfile::tempdir().unwrap();
    let writable = folder.path().join("writable");
    std::fs::create_dir(&writable).unwrap();
    let (inside, beside) = (writable.join("file"), folder.path().join("file"));
    let with = |arguments: &[&str]| Plan { writable: vec![writable.clone()], ..plan(arguments) };
    is_possible(with(&["write", text(&inside)]));
    assert!(SETUP.1.is_none() || inside.is_file());
    is_printed(with(&["write", text(&beside)]), "refused");
    assert!(!beside.exists());
    is_printed(with(&["link", text(&writable.join("link"))]), "refused");
    // Nor what is readable.
    let readable =
        |arguments: &[&str]| Plan { readable: vec![writable.clone()], ..plan(arguments) };
    is_printed(readable(&["write", text(&inside)]), "refused");
    is_printed(readable(&["chmod", text(&inside)]), "refused");

    is_possible(plan(&["write", "file"]));
    is_possible(plan(&["list", "."]));
    for path in ["/file", "/dev/file", "/lib/file", text(&program())] {
        is_refused(&["write", path]);
    }
}

#[test]
fn no_process_is_started_and_no_other_program_executed() {
    is_refused(&["spawn", "/bin/sh"]);
    is_refused(&["spawn", text(&program())]);
    is_refused(&["fork"]);
    is_refused(&["execute", "/bin/sh"]);
    // What it wrote is not executed either.
    let copy = "cp /bin/true copy && { ./copy && echo possible || echo refused; }";
    is_printed(Plan { folder: None, ..shell(copy) }, "refused");
}

#[test]
fn no_connection_is_made() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("socket");
    let _listener = UnixListener::bind(&socket).unwrap();
    let connect = plan(&["connect", text(&socket)]);
    is_printed(Plan { writable: vec![folder.path().to_owned()], ..connect }, "refused");
    for attempt in ["tcp", "udp", "listen"] {
        is_refused(&[attempt]);
    }
}

#[test]
fn other_processes_are_out_of_reach() {
    for attempt in ["signal", "trace", "namespace", "ring"] {
        is_refused(&[attempt]);
    }
    let Some(output) = run(plan(&["processes"])) else { return };
    assert!(printed(&output).parse::<u32>().unwrap() < 10, "{output:?}");
    is_printed(plan(&["environment"]), "1");
}

#[test]
fn each_program_runs_as_a_user_of_its_own_where_the_tutor_may_choose() {
    let Some(output) = run(plan(&["user"])) else { return };
    let user: u32 = printed(&output).parse().unwrap();
    assert_ne!(user, 0);
    let map = std::fs::read_to_string("/proc/self/uid_map").unwrap();
    let has_all = map.split_whitespace().nth(2) == Some("4294967295");
    if is_root() && has_all {
        assert!(user >= 2_000_000_000, "{user}");
        assert_ne!(printed(&run(plan(&["user"])).unwrap()), user.to_string());
    }
}

fn is_root() -> bool {
    std::fs::metadata("/proc/self").is_ok_and(|own| std::os::unix::fs::MetadataExt::uid(&own) == 0)
}

#[test]
fn memory_files_and_threads_are_limited() {
    for attempt in ["memory", "fill", "threads"] {
        is_refused(&[attempt]);
    }
    let file = Limits { file: 128 << 20, ..plan(&[]).limits };
    is_possible(Plan { limits: file, ..plan(&["fill"]) });
    let memory = Limits { memory: 2 << 30, ..plan(&[]).limits };
    is_possible(Plan { limits: memory, ..plan(&["memory"]) });
}

#[test]
fn only_a_program_gets_the_channel_and_no_other_descriptor() {
    let Some((child, channel)) = start(plan(&["channel"])) else { return };
    let output = child.wait_with_output().unwrap();
    assert_eq!(printed(&output), "2", "{output:?}");
    let lines: Vec<_> = BufReader::new(channel).lines().map(Result::unwrap).collect();
    assert_eq!(lines, ["up", "x"], "the launcher's line comes first");
    is_printed(plan(&["descriptor"]), "-1");
    is_printed(Plan { task: Task::Compiler, ..plan(&["channel"]) }, "-1");
}

#[test]
fn the_exit_code_or_the_signal_of_the_program_is_passed_on() {
    let code = |arguments: &[&str]| Some(run(plan(arguments))?.status.code());
    let (Some(seven), Some(abort)) = (code(&["exit", "7"]), code(&["abort"])) else { return };
    assert_eq!((seven, abort), (Some(7), Some(128 + 6)));
}

#[test]
fn a_program_that_cannot_be_started_never_says_that_the_sandbox_is_up() {
    let missing = Plan { folder: Some("/nowhere".into()), ..plan(&["exit", "0"]) };
    let Some((child, channel)) = start(missing) else { return };
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(125));
    assert!(String::from_utf8_lossy(&output.stderr).starts_with("the sandbox cannot be built: "));
    assert!(!tinytorch_tutor::sandbox::is_up(channel).unwrap());
}

/// Whether every process that held the other end has ended.
fn all_ended(mut held: UnixStream) {
    let mut rest = vec![];
    held.read_to_end(&mut rest).unwrap();
}

#[test]
fn when_the_program_ends_so_does_every_process_that_it_started() {
    let script = "setsid sh -c 'trap \"\" TERM; sleep 1000' & exit 3";
    let Some((mut child, channel)) = start(shell(script)) else { return };
    let mut output = child.stdout.take().unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(3));
    // Standard output is inherited by everything that the script started.
    assert_eq!(output.read(&mut [0]).unwrap(), 0, "an end of file: no process holds it");
    all_ended(channel);
}

#[test]
fn when_the_launcher_is_killed_the_program_ends() {
    let Some((mut child, channel)) = start(plan(&["wait"])) else { return };
    let mut lines = BufReader::new(channel.try_clone().unwrap()).lines();
    assert_eq!(lines.next().unwrap().unwrap(), "up");
    child.kill().unwrap();
    child.wait().unwrap();
    all_ended(channel);
}

/// The tutor's own command, started by root as an ordinary user, in a folder that this user can read. What it prints.
fn as_ordinary_user(before: &[&str]) -> Option<String> {
    if !is_root() {
        return None;
    }
    let folder = tempfile::tempdir().unwrap();
    let open = |path: &Path| {
        std::fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(0o777))
    };
    open(folder.path()).unwrap();
    let tutor = folder.path().join("tutor");
    std::fs::copy(env!("CARGO_BIN_EXE_tinytorch-tutor"), &tutor).unwrap();
    open(&tutor).unwrap();
    std::fs::create_dir(folder.path().join("in")).unwrap();
    let words: Vec<&str> = before.iter().copied().chain([text(&tutor)]).collect();
    let mut command = Command::new(words[0]);
    command.args(&words[1..]).args(["grade", "in", "--out", "out"]).current_dir(folder.path());
    command.env("TINYTORCH_CACHE", folder.path().join("cache"));
    let output = command.uid(NOBODY).gid(NOBODY).output().ok()?;
    Some([output.stdout, output.stderr].map(|it| String::from_utf8(it).unwrap()).concat())
}

const NOBODY: u32 = 65_534;

/// Whether an ordinary user may make namespaces here, according to another program; none without that program.
fn may_make_namespaces() -> Option<bool> {
    let mut unshare = Command::new("unshare");
    unshare.args(["--user", "--map-root-user", "--mount", "--pid", "--fork", "true"]);
    Some(unshare.uid(NOBODY).gid(NOBODY).status().ok()?.success())
}

const COMPLETE: &str = "sandbox: namespaces, Landlock, seccomp and limits, each tested";

#[test]
fn an_ordinary_user_has_a_complete_sandbox_where_namespaces_are_allowed() {
    let Some(may) = may_make_namespaces().filter(|_| SETUP.1.is_some()) else { return };
    let Some(printed) = as_ordinary_user(&[]) else { return };
    assert_eq!(printed.contains(COMPLETE), may, "{printed}");
    assert!(may || printed.contains("this machine lacks namespaces"), "{printed}");
    // As in a rootless container: root there, and no other user.
    let Some(printed) = as_ordinary_user(&["unshare", "-Ur"]) else { return };
    assert!(!may || printed.contains(COMPLETE), "{printed}");
}

#[test]
fn in_a_container_without_the_right_to_namespaces_what_lacks_is_named_before_anything_runs() {
    let Some(true) = may_make_namespaces().filter(|_| SETUP.1.is_some()) else { return };
    // The user has no number in it, so it cannot make another one.
    let Some(printed) = as_ordinary_user(&["unshare", "-U"]) else { return };
    assert!(printed.contains("this machine lacks namespaces"), "{printed}");
    assert!(!printed.contains("graded before"), "nothing was begun: {printed}");
}
