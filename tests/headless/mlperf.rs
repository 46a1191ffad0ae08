//! TinyMLPerf as a learner runs it: an event, the leaderboard, files, and a kill in mid-run.

use super::{Desk, code, lines, out, said};
use std::os::unix::net::UnixListener;
use std::process::Stdio;
use tinytorch_tutor::report::mlperf::to_file;

/// An entry that tells this test when it begins to work, and never ends.
fn endless(socket: &str) -> String {
    format!(
        "use tinytorch::benchmarking::{{Entry, Plain, Start}};\n\
         pub fn entry(start: Start) -> Box<dyn Entry> {{\n\
         \x20   let _connected = std::os::unix::net::UnixStream::connect({socket:?});\n\
         \x20   loop {{ std::hint::black_box(&start); }}\n\
         \x20   #[expect(unreachable_code)]\n\
         \x20   match start {{\n\
         \x20       Start::Digits(model, _) => Box::new(Plain(\"endless\".into(), model)),\n\
         \x20       Start::Text(gpt, _) => Box::new(Plain(\"endless\".into(), gpt)),\n\
         \x20   }}\n\
         }}\n"
    )
}

#[test]
fn an_entry_is_measured_ranked_exported_and_imported_and_a_kill_in_mid_run_changes_nothing() {
    let desk = Desk::new();
    let ran = desk.at_lab(&["mlperf", "run", "sprint"]);
    assert_eq!(code(&ran), 0, "{}", said(&ran));
    assert!(out(&ran).contains("rank 1 of 1"), "{}", said(&ran));
    let board = || desk.at_lab(&["mlperf", "leaderboard", "--format", "json"]);
    let places = lines(&board());
    assert_eq!((places.len(), &places[0]["clock"]), (1, &"plausible".into()), "{places:?}");
    assert_eq!(places[0]["event"], "mlp_sprint");

    let file = desk.folder.path().join("entries.json");
    let path = file.to_str().unwrap();
    let exported = desk.at_lab(&["mlperf", "export", path]);
    assert_eq!(code(&exported), 0, "{}", said(&exported));
    let again = desk.at_lab(&["mlperf", "export", path]);
    assert!(code(&again) == 2 && said(&again).contains("exists already"), "{}", said(&again));
    let import = || desk.at_lab(&["mlperf", "import", path]);
    assert!(out(&import()).contains("Added 0 entries; already there: 1"), "{}", said(&import()));
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, text.replace("\"fast kernels\"", "\"faster kernels\"")).unwrap();
    let refused = import();
    assert_eq!(code(&refused), 1, "{}", said(&refused));
    assert!(said(&refused).contains("entries.json") && said(&refused).contains("checksum"));

    let socket = desk.folder.path().join("begun");
    let listener = UnixListener::bind(&socket).unwrap();
    let entry = desk.folder.path().join("endless.rs");
    std::fs::write(&entry, endless(socket.to_str().unwrap())).unwrap();
    let lab = desk.lab();
    let arguments = ["--lab", lab.to_str().unwrap(), "mlperf", "run", "sprint", "--entry"];
    let mut command = desk.command(&arguments);
    let mut tutor =
        command.arg(&entry).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    listener.accept().unwrap();
    tutor.kill().unwrap();
    tutor.wait().unwrap();
    assert_eq!(lines(&board()), places, "a run is written when it has ended, or not at all");
}

#[test]
fn an_unknown_event_a_missing_file_and_a_file_of_another_kind_are_named() {
    let desk = Desk::new();
    let unknown = desk.at_lab(&["mlperf", "run", "javelin"]);
    assert!(code(&unknown) == 2 && said(&unknown).contains("mlp_sprint"), "{}", said(&unknown));
    let missing = desk.at_lab(&["mlperf", "import", "nothing.json"]);
    assert!(code(&missing) == 2 && said(&missing).contains("nothing.json"), "{}", said(&missing));
    let file = desk.folder.path().join("other.json");
    std::fs::write(&file, "{\"schema\": \"tinymlperf/9\"}").unwrap();
    let other = desk.at_lab(&["mlperf", "import", file.to_str().unwrap()]);
    assert!(code(&other) == 1 && said(&other).contains("tinymlperf/9"), "{}", said(&other));
    for (text, reason) in
        [("", "not complete JSON"), ("{\"schema\": \"tinymlperf/3\"}", "missing field")]
    {
        std::fs::write(&file, text).unwrap();
        let refused = desk.at_lab(&["mlperf", "import", file.to_str().unwrap()]);
        assert!(code(&refused) == 1 && said(&refused).contains(reason), "{}", said(&refused));
        assert!(said(&refused).contains("ask for a new export"), "{}", said(&refused));
    }
    let endless = desk.at_lab(&["mlperf", "import", "/dev/zero"]);
    assert!(code(&endless) == 2 && said(&endless).contains("16 MiB"), "{}", said(&endless));
    let entry = desk.at_lab(&["mlperf", "run", "sprint", "--entry", file.to_str().unwrap()]);
    assert!(code(&entry) == 1 && said(&entry).contains("no function `entry`"), "{}", said(&entry));
    std::fs::write(&file, "pub fn entry() {}\n").unwrap();
    let other = desk.at_lab(&["mlperf", "run", "sprint", "--entry", file.to_str().unwrap()]);
    let wanted = "ends in: pub fn entry(start: Start) -> Box<dyn Entry>";
    assert!(code(&other) == 1 && said(&other).contains(wanted), "{}", said(&other));
    let list = desk.at_lab(&["mlperf", "list"]);
    assert_eq!((code(&list), out(&list).lines().count()), (0, 3), "{}", said(&list));
    assert!(out(&list).contains("no entry yet"), "{}", said(&list));
}

#[test]
fn an_import_that_cannot_be_kept_adds_nothing_and_says_so() {
    let desk = Desk::new();
    let file = desk.folder.path().join("entries.json");
    std::fs::write(&file, to_file(&[])).unwrap();
    let import = || desk.at_lab(&["mlperf", "import", file.to_str().unwrap()]);
    assert!(out(&import()).contains("Added 0 entries; already there: 0"), "{}", said(&import()));
    // A folder in the place of the lock: it cannot be opened for writing, not even by root.
    let _ = std::fs::remove_file(desk.lab().join(".tinytorch/progress.lock"));
    std::fs::create_dir(desk.lab().join(".tinytorch/progress.lock")).unwrap();
    let refused = import();
    assert_eq!((code(&refused), out(&refused).as_str()), (2, ""), "{}", said(&refused));
    assert!(said(&refused).contains("nothing was added"), "{}", said(&refused));
}
