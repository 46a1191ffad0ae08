//! Children that misbehave in every way. No test sleeps: each waits for an end of file or an event.

use super::*;
use std::fs::File;
use std::os::unix::process::ExitStatusExt;

const LONG: Duration = Duration::from_secs(60);

fn shell(script: &str) -> Command {
    let mut command = command("/bin/sh", Path::new("/"));
    command.args(["-c", script]);
    command
}

fn end(script: &str, limit: Duration) -> End {
    Process::spawn(shell(script), Lines::Neither, limit, &Cancel::default()).unwrap().end().unwrap()
}

fn lines(process: &mut Process) -> Vec<String> {
    let mut lines = vec![];
    while let Next::Line(line) = process.next() {
        lines.push(String::from_utf8(line).unwrap());
    }
    lines
}

#[test]
fn output_arrives_in_order_with_nothing_on_standard_input_and_no_environment() {
    let end = end("cat; echo out; echo err >&2; echo out; echo ${HOME-none}; exit 3", LONG);
    assert_eq!(end.output.text, "out\nerr\nout\nnone\n");
    assert_eq!((end.status.code(), end.timed_out), (Some(3), false));
}

#[test]
fn a_watched_stream_comes_line_by_line_and_the_other_is_collected() {
    let command = shell("echo one; echo other >&2; printf two");
    let cancel = Cancel::default();
    let mut process = Process::spawn(command, Lines::Stdout, LONG, &cancel).unwrap();
    assert_eq!(lines(&mut process), ["one", "two"]);
    assert_eq!(process.end().unwrap().output.text, "other\n");
}

#[test]
fn a_child_that_takes_too_long_is_killed_with_its_children() {
    // The grandchild holds the pipe: the output ends only when it is dead too.
    let end = end("echo begun; sleep 1000 & sleep 1000", Duration::from_millis(50));
    assert!(end.timed_out);
    assert_eq!(end.status.signal(), Some(9));
}

/// Starts a child whose grandchild holds a named pipe open; returns the read end once the grandchild runs.
fn with_grandchild(script: &str, cancel: &Cancel) -> (Process, File) {
    let folder = tempfile::tempdir().unwrap();
    let fifo = folder.path().join("fifo");
    // Not `mkfifoat`, which macOS does not have.
    assert!(Command::new("mkfifo").arg(&fifo).status().unwrap().success());
    let mut command = shell(script);
    command.env("HELD", &fifo);
    let process = Process::spawn(command, Lines::Neither, LONG, cancel).unwrap();
    let mut reader = File::open(&fifo).unwrap();
    reader.read_exact(&mut [0]).unwrap();
    (process, reader)
}

const GRANDCHILD: &str = "exec 9>$HELD; sleep 1000 & echo >&9; wait";

#[test]
fn cancel_and_drop_kill_grandchildren() {
    let cancel = Cancel::default();
    let (process, mut held) = with_grandchild(GRANDCHILD, &cancel);
    cancel.cancel();
    assert_eq!(held.read(&mut [0]).unwrap(), 0, "no process holds the pipe");
    drop(process);

    let (process, mut held) = with_grandchild(GRANDCHILD, &Cancel::default());
    drop(process);
    assert_eq!(held.read(&mut [0]).unwrap(), 0, "no process holds the pipe");
}

#[test]
fn what_a_child_leaves_behind_is_killed_when_it_ends() {
    let cancel = Cancel::default();
    let (process, mut held) = with_grandchild("exec 9>$HELD; sleep 1000 & echo >&9", &cancel);
    assert_eq!(process.end().unwrap().status.code(), Some(0));
    assert_eq!(held.read(&mut [0]).unwrap(), 0, "no process holds the pipe");
}

// Found by /proc, which other systems do not have.
#[cfg(target_os = "linux")]
#[test]
fn a_descendant_that_left_the_group_does_not_delay_the_end_and_is_killed_with_the_run() {
    // `setsid` leaves the group; its standard error stays open. The first byte comes after that.
    let cancel = Cancel::default();
    let script = "exec 9>$HELD; { setsid sh -c 'echo; exec sleep 1000' & } | read line; echo >&9";
    let (process, mut held) = with_grandchild(script, &cancel);
    assert!(!process.end().unwrap().timed_out);
    cancel.beside().kill_strays();
    let strays = || strays::processes_with(&cancel.marker);
    assert_eq!(strays().len(), 1, "a run beside it leaves it alone");
    cancel.kill_strays();
    assert_eq!(held.read(&mut [0]).unwrap(), 0, "it no longer holds the pipe");
    assert_eq!(strays(), []);
}

#[test]
fn a_flood_of_lines_does_not_outlast_the_limit() {
    let command = shell("while :; do echo line; done");
    let limit = Duration::from_millis(50);
    let mut process = Process::spawn(command, Lines::Stdout, limit, &Cancel::default()).unwrap();
    while let Next::Line(_) = process.next() {}
    assert!(process.end().unwrap().timed_out);
}

#[test]
fn a_process_of_a_cancelled_run_is_killed_as_it_starts() {
    let cancel = Cancel::default();
    cancel.cancel();
    let process = Process::spawn(shell("sleep 1000"), Lines::Neither, LONG, &cancel).unwrap();
    assert_eq!(process.end().unwrap().status.signal(), Some(9));
}

#[test]
fn a_child_that_never_connects_still_ends() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("s");
    let listener = UnixListener::bind(&path).unwrap();
    let mut process =
        Process::spawn(shell("exit 0"), Lines::Neither, LONG, &Cancel::default()).unwrap();
    process.listen(listener, path).unwrap();
    assert!(matches!(process.next(), Next::Ended));
}

#[test]
fn only_the_first_connection_is_read() {
    use std::io::Write;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("s");
    let listener = UnixListener::bind(&path).unwrap();
    let mut process =
        Process::spawn(shell("sleep 1000"), Lines::Neither, LONG, &Cancel::default()).unwrap();
    let mut first = UnixStream::connect(&path).unwrap();
    let mut second = UnixStream::connect(&path).unwrap();
    process.listen(listener, path).unwrap();
    // The second writes before the first does: it is not read at all, not merely later.
    let _ = second.write_all(b"second\n");
    drop(second);
    first.write_all(b"first\n").unwrap();
    let Next::Line(line) = process.next() else { panic!("a line") };
    assert_eq!(line, b"first");
    drop(first);
    process.cancel.cancel();
    assert_eq!(lines(&mut process), Vec::<String>::new());
}

#[cfg(target_os = "linux")]
#[test]
fn the_machines_memory_is_read_and_gibberish_is_not() {
    assert_eq!(memory("MemTotal:       24567 kB\nMemFree: 1 kB\n"), Some(24567 * 1024));
    assert_eq!(memory("MemTotal: much\n"), None);
    assert_eq!(memory(""), None);
}
