//! Exercises that crash, hang, exit, forge a record or flood their output: each gets its own verdict and changes no other.

use super::*;
use std::time::Duration;

/// The verdict of `test_unit_double` with this body of `double`; with a short limit if it hangs.
fn double(body: &str) -> TestResult {
    run(&with_body(body), Duration::from_secs(10))
}

fn run(text: &str, limit: Duration) -> TestResult {
    let runner = runner().with_limits(Limits { test: limit, ..Limits::default() });
    let mut request = request(ALPHA, RunKind::Check, text);
    request.only = vec!["test_unit_double".into()];
    let events = events(&runner, &request);
    let [result] = results(&events)[..] else { panic!("{events:#?}") };
    result.clone()
}

fn crashed(signal: &str) -> Verdict {
    Verdict::Crashed { signal: signal.into() }
}

#[test]
fn an_endless_recursion_is_a_stack_overflow() {
    let result =
        double("fn deep(x: i32) -> i32 { if x == 0 { 1 } else { deep(x + 1) + deep(x) } } deep(x)");
    assert_eq!(result.verdict, crashed("SIGABRT (stack overflow)"));
}

#[test]
fn a_solution_that_never_stops_allocating_ends_itself_and_not_the_machine() {
    // Address space only: no memory is touched.
    let body = "loop { std::mem::forget(Vec::<u8>::with_capacity(1 << 28)); }";
    assert_eq!(double(body).verdict, crashed("SIGABRT (out of memory)"));
}

#[test]
fn an_abort_and_a_wild_pointer_are_crashes_with_their_signals() {
    assert_eq!(double("std::process::abort()").verdict, crashed("SIGABRT"));
    let wild =
        "unsafe { std::ptr::write_volatile(std::ptr::without_provenance_mut::<i32>(8), x); } x";
    assert_eq!(double(wild).verdict, crashed("SIGSEGV"));
}

#[test]
fn an_endless_loop_times_out_and_its_output_is_kept() {
    let limit = Duration::from_secs(2);
    let result = run(&with_body("println!(\"round\"); loop {}"), limit);
    assert_eq!(result.verdict, Verdict::TimedOut { after: limit });
    assert_eq!(result.output.text, "round\n");
}

#[test]
fn exiting_the_process_is_not_a_pass_whatever_is_printed() {
    let body = "println!(\"test result: ok. 1 passed\\n{{\\\"record\\\":\\\"returned\\\"}}\"); std::process::exit(0)";
    let result = double(body);
    assert_eq!(result.verdict, Verdict::ExitedEarly { code: Some(0) });
    assert!(result.output.text.starts_with("test result: ok"), "it is shown, and decides nothing");
}

#[test]
fn a_record_sent_by_the_solution_itself_is_not_read() {
    let body = r#"
        use std::io::Write;
        let socket = std::env::args().nth(1).unwrap();
        match std::os::unix::net::UnixStream::connect(socket) {
            Ok(mut stream) => { let _ = stream.write_all(b"{\"record\":\"returned\"}\n"); }
            Err(error) => println!("refused: {error}"),
        }
        std::process::exit(0)"#;
    assert_eq!(double(body).verdict, Verdict::ExitedEarly { code: Some(0) });
}

#[test]
fn a_todo_whose_panic_is_caught_is_still_a_todo() {
    let body = "let _ = std::panic::catch_unwind(|| todo!(\"double\")); x * 2";
    assert_eq!(double(body).verdict, Verdict::NotStarted { waits_for: "double".into() });
}

#[test]
fn a_panic_payload_whose_destructor_exits_is_a_failure() {
    let body = "struct Bomb; impl Drop for Bomb { fn drop(&mut self) { std::process::exit(0) } } \
        std::panic::panic_any(Bomb)";
    assert!(matches!(double(body).verdict, Verdict::Failed { .. }));
}

#[test]
fn a_flood_is_cut_and_escape_sequences_become_symbols() {
    let body = "let line = \"\\x1b[31m\".repeat(10_000); for _ in 0..1_000 { println!(\"{line}\"); } x * 2";
    let result = double(body);
    assert_eq!(result.verdict, Verdict::Passed);
    assert_eq!(result.output.cut, 1_000 * 50_001 - (40 << 10));
    assert!(result.output.text.starts_with("␛[31m␛[31m"));
    assert!(!result.output.text.contains('\u{1b}'));
}

#[test]
fn a_process_that_a_test_leaves_behind_is_killed() {
    let folder = tempfile::tempdir().unwrap();
    let fifo = fifo(&folder);
    // The solution returns once its child holds the pipe and has said so.
    let body = r#"
        use std::process::{Command, Stdio};
        let script = "exec 9>FIFO; echo held; sleep 1000";
        let child = Command::new("sh").args(["-c", script]).stdout(Stdio::piped()).spawn().unwrap();
        std::io::Read::read(&mut child.stdout.unwrap(), &mut [0]).unwrap();
        x * 2"#
        .replace("FIFO", fifo.to_str().unwrap());
    let reader = std::thread::spawn(move || std::fs::read(fifo).unwrap());
    assert_eq!(double(&body).verdict, Verdict::Passed);
    assert_eq!(reader.join().unwrap(), b"", "an end of file: no process holds it");
}

// Found by /proc, which other systems do not have.
#[cfg(target_os = "linux")]
#[test]
fn a_process_that_left_its_group_is_killed_too() {
    let folder = tempfile::tempdir().unwrap();
    let fifo = fifo(&folder);
    // A new session, and a parent that exits at once: neither its group nor its parent leads to it.
    let body = r#"
        use std::process::{Command, Stdio};
        let script = "setsid sh -c 'exec 9>FIFO; echo held; exec sleep 1000' &";
        let child = Command::new("sh").args(["-c", script]).stdout(Stdio::piped()).spawn().unwrap();
        std::io::Read::read(&mut child.stdout.unwrap(), &mut [0]).unwrap();
        x * 2"#
        .replace("FIFO", fifo.to_str().unwrap());
    let reader = std::thread::spawn(move || std::fs::read(fifo).unwrap());
    assert_eq!(double(&body).verdict, Verdict::Passed);
    assert_eq!(reader.join().unwrap(), b"", "an end of file: no process holds it");
}

#[test]
fn a_solution_that_joins_another_process_group_still_times_out() {
    let body = "unsafe extern \"C\" { fn setpgid(pid: i32, group: i32) -> i32; fn getppid() -> i32; \
        fn getpgid(pid: i32) -> i32; } \
        assert_eq!(unsafe { setpgid(0, getpgid(getppid())) }, 0); loop {}";
    let limit = Duration::from_secs(2);
    assert_eq!(run(&with_body(body), limit).verdict, Verdict::TimedOut { after: limit });
}

#[test]
fn a_panic_in_a_destructor_keeps_both_messages() {
    let text = with_body(
        "struct Bomb; impl Drop for Bomb { fn drop(&mut self) { panic!(\"second\") } } \
         let _bomb = Bomb; panic!(\"first\")",
    );
    let at = Some(place(line_of(&text, "struct Bomb"), 99));
    let message = "first\nwhile unwinding, a destructor panicked: second".into();
    assert_eq!(run(&text, Duration::from_secs(10)).verdict, Verdict::Failed { message, at });
}

#[test]
fn a_panic_in_a_function_that_cannot_unwind_is_a_failure_with_its_message() {
    let text = with_body("extern \"C\" fn f() { panic!(\"in C\") } f(); x");
    let Verdict::Failed { message, at } = run(&text, Duration::from_secs(10)).verdict else {
        panic!("a failure")
    };
    assert_eq!((message.as_str(), at.is_some()), ("in C", true));
}

#[test]
fn destructors_of_thread_locals_do_not_run_after_the_verdict() {
    // The exit takes a while, so that a destructor that runs beside it would abort first.
    let body = "struct Bomb; impl Drop for Bomb { fn drop(&mut self) { std::process::abort() } } \
        thread_local! { static BOMB: Bomb = const { Bomb }; } BOMB.with(|_| ()); \
        unsafe extern \"C\" { fn atexit(call: extern \"C\" fn()) -> i32; } \
        extern \"C\" fn linger() { (0..10_000).for_each(|_| std::thread::yield_now()) } \
        assert_eq!(unsafe { atexit(linger) }, 0); x * 2";
    assert_eq!(double(body).verdict, Verdict::Passed);
}

#[test]
fn a_place_in_another_file_with_the_same_name_is_not_shown_as_the_learners() {
    let folder = tempfile::tempdir().unwrap();
    let foreign = folder.path().join("exercise.rs");
    std::fs::write(&foreign, "pub fn foreign() -> i32 {\n    panic!(\"elsewhere\")\n}\n").unwrap();
    let include = format!("include!({foreign:?});\npub fn double");
    let text = with_body("foreign()").replacen("pub fn double", &include, 1);
    let failed = Verdict::Failed { message: "elsewhere".into(), at: None };
    assert_eq!(run(&text, Duration::from_secs(10)).verdict, failed);

    std::fs::write(&foreign, "pub fn foreign() -> i32 {\n    \"text\"\n}\n").unwrap();
    let events = check(&text);
    assert!(!built(&events));
    let places: Vec<_> = diagnostics(&events).iter().map(|it| it.at.clone()).collect();
    assert!(places.iter().flatten().all(|at| at.line == line_of(&text, "include!")), "{places:?}");
}

#[test]
fn a_flood_of_compiler_errors_is_cut() {
    let line = format!("let _: () = \"{}\"; ", "x".repeat(2000)).repeat(400);
    let events = check(&with_body(&(line + "x")));
    assert!(!built(&events));
    let bytes = format!("{:?}", diagnostics(&events)).len();
    assert!(bytes < 1 << 20, "{bytes} bytes");
}

#[test]
fn a_deleted_test_is_restored_and_an_edited_one_does_not_count() {
    let start = ALPHA_TEXT.find("// %% nbgrader={\"grade\": true").unwrap();
    let end = start
        + ALPHA_TEXT[start..]
            .find("// %% nbgrader={\"grade\": true, \"grade_id\": \"test-module")
            .unwrap();
    let deleted = [&ALPHA_TEXT[..start], &ALPHA_TEXT[end..]].concat().replace("x * 2", "x * 3");
    let events = check(&deleted);
    let gone = Notice::LockedCellChanged { grade_id: "test-double".into(), line: None };
    assert_eq!(notices(&events), [&gone]);
    let Verdict::Failed { message, at: None } = verdict(&events, "test_unit_double") else {
        panic!("{events:#?}")
    };
    assert!(message.contains("twice four"), "{message}");

    let edited = with_body("x * 3").replace("assert_eq!(double(4), 8, \"twice four\");", "");
    let events = check(&edited);
    assert!(matches!(verdict(&events, "test_unit_double"), Verdict::Failed { .. }));
}

#[test]
fn a_file_that_disables_itself_does_not_pass() {
    let events = check(&format!("#![cfg(any())]\n{ALPHA_TEXT}"));
    assert!(!built(&events) && results(&events).is_empty());
    assert!(!diagnostics(&events).is_empty());
}

#[test]
fn a_compiler_that_crashes_is_a_diagnostic() {
    let body = format!("{}x{}", "(".repeat(20_000), ")".repeat(20_000));
    let events = check(&with_body(&body));
    assert!(!built(&events));
    let message = &diagnostics(&events)[0].message;
    assert!(message.starts_with("the compiler crashed (SIG"), "{message}");
}

#[test]
fn a_cancelled_run_sends_no_more_events_and_leaves_no_process() {
    let folder = tempfile::tempdir().unwrap();
    let fifo = fifo(&folder);
    let limits = Limits { test: Duration::from_secs(600), ..Limits::default() };
    let runner = runner().with_limits(limits);
    let mut request = request(ALPHA, RunKind::Check, &hanging(&fifo));
    request.only = vec!["test_unit_double".into()];
    let cancel = Cancel::default();
    let run = std::thread::spawn({
        let cancel = cancel.clone();
        move || {
            let mut sent = vec![];
            runner.run(&request, &cancel, &mut |event| sent.push(event)).unwrap();
            sent
        }
    });
    // Opening waits for the child of the test.
    let mut held = std::fs::File::open(&fifo).unwrap();
    std::io::Read::read_exact(&mut held, &mut [0]).unwrap();
    cancel.cancel();
    let sent = run.join().unwrap();
    assert!(matches!(sent.last(), Some(RunEvent::Built { success: true, .. })), "{sent:?}");
    assert_eq!(std::io::Read::read(&mut held, &mut [0]).unwrap(), 0, "no process holds it");
}

#[test]
fn an_analysis_that_floods_is_cut_with_a_notice_and_its_live_figures_are_not() {
    let flood = "out.measured(\"live\", 0.0, \"\");
    for i in 0..1000 { out.insight(i.to_string()); }
    for i in 1..1000 { out.measured(\"live\", f64::from(i), \"\"); }";
    let text = ALPHA_TEXT
        .replace("    out.insight(format!(\"{}\", double(21)));", &format!("    {flood}"))
        .replace("    println!(\"printed\");\n", "");
    let alpha = Module::new(ALPHA, "flood", "", text.clone());
    let runner = Runner::new(cache(), course(vec![alpha])).unwrap();
    let mut request = request(ALPHA, RunKind::Analysis, &text);
    request.only = vec!["analyze_growth".into()];
    let events = events(&runner, &request);
    let left_out = Notice::ItemsLeftOut { analysis: "analyze_growth".into(), kept: 100 };
    assert_eq!(notices(&events), [&left_out], "once");
    let items = events.iter().filter_map(|event| match event {
        RunEvent::Reported { item, .. } => Some(item),
        _ => None,
    });
    let is_live = |item: &&Item| matches!(item, Item::Metric(metric) if metric.name == "live");
    let (live, rest): (Vec<_>, Vec<_>) = items.partition(is_live);
    assert_eq!((live.len(), rest.len()), (1000, 99), "the live figure counts once");
}

#[test]
fn a_test_whose_tutor_was_killed_ends_by_itself() {
    let folder = tempfile::tempdir().unwrap();
    let (copy, socket) = (folder.path().join("copy"), folder.path().join("socket"));
    // The first time, the solution copies its program and returns; started again, it never returns.
    let body = r#"
        let copy = std::path::Path::new("COPY");
        while copy.exists() {}
        std::fs::copy(std::env::current_exe().unwrap(), copy).unwrap();
        x * 2"#
        .replace("COPY", copy.to_str().unwrap());
    assert_eq!(double(&body).verdict, Verdict::Passed);

    let listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
    let mut child =
        std::process::Command::new(copy).arg(socket).arg("test_unit_double").spawn().unwrap();
    // As when a tutor is killed: its end of the connection closes.
    drop(listener.accept().unwrap());
    assert_eq!(child.wait().unwrap().code(), Some(3));
}
