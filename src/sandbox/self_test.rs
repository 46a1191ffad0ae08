//! Tries from inside the sandbox what it must refuse. It runs before anything is graded, so a sandbox that exists in name only
//! is found. Must not know how the sandbox is built.

use super::plan::{COMMAND, Limits, Part, Plan, Task};
use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs;
use std::net::UdpSocket;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::process::{Command, ExitCode};

/// The launcher's stage that runs it.
pub(super) const STAGE: &str = "self-test";

/// A plan that runs it in a sandbox of these parts.
pub(super) fn plan(launcher: &Path, parts: &BTreeSet<Part>) -> Plan {
    let parts = serde_json::to_string(parts).unwrap_or_default();
    Plan {
        task: Task::Program,
        program: launcher.to_owned(),
        arguments: vec![COMMAND.to_owned(), STAGE.to_owned(), parts],
        environment: vec![],
        folder: None,
        readable: vec![],
        writable: vec![],
        limits: Limits { memory: 1 << 30, processor_seconds: 10, file: 1 << 20, processes: 16 },
    }
}

/// Prints each thing that was possible and must not be with these parts. Exit code 0: there is none.
#[expect(clippy::print_stdout, reason = "who started it reads what it prints")]
pub(super) fn run(parts: &OsStr) -> ExitCode {
    let parts: BTreeSet<Part> =
        serde_json::from_slice(parts.as_encoded_bytes()).unwrap_or(Part::ALL.into());
    let own_program = std::env::args_os().next().unwrap_or_default();
    let attempts = [
        (Part::Namespaces, "see the processes of the machine", Path::new("/proc/1").exists()),
        (Part::Namespaces, "see the files of the machine", Path::new("/etc/passwd").exists()),
        (Part::Namespaces, "see the network of the machine", has_network()),
        (Part::Landlock, "list the files of the machine", fs::read_dir("/").is_ok()),
        (Part::Seccomp, "open a socket", UnixDatagram::unbound().is_ok()),
        (Part::Seccomp, "start a process", Command::new(own_program).spawn().is_ok()),
    ];
    let possible = attempts.iter().filter(|(part, _, done)| *done && parts.contains(part));
    let possible: Vec<&str> = possible.map(|(_, what, _)| *what).collect();
    possible.iter().for_each(|what| println!("inside the sandbox it is possible to {what}"));
    ExitCode::from(u8::from(!possible.is_empty()))
}

/// Whether the loopback interface is up: in a new namespace it is not.
fn has_network() -> bool {
    UdpSocket::bind("127.0.0.1:0")
        .is_ok_and(|socket| socket.local_addr().is_ok_and(|own| socket.send_to(b"x", own).is_ok()))
}
