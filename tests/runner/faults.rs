//! Damaged files of the compiler, and a learner who saves faster than a test can run.

use super::*;
use std::sync::Arc;
use std::sync::mpsc::channel;
use std::time::Duration;
use tinytorch_tutor::runner::{Queue, RunMessage};

#[test]
fn damaged_incremental_state_of_rustc_changes_no_verdict() {
    // A name of its own, and so a work directory of its own.
    let damaged = Module::new(ALPHA, "damaged", "", ALPHA_TEXT);
    let runner = Runner::new(cache(), course(vec![damaged])).unwrap();
    let work = cache().join("work/00_damaged-check-0");
    let request = request(ALPHA, RunKind::Check, ALPHA_TEXT);
    for damaged in [".o", "dep-graph.bin", "query-cache.bin", "work-products.bin"] {
        assert_eq!(verdict(&events(&runner, &request), "test_module"), &Verdict::Passed);
        let mut touched = 0;
        for file in files(&work.join("incremental")) {
            if file.to_str().unwrap().ends_with(damaged) {
                let mut bytes = std::fs::read(&file).unwrap();
                let half = bytes.len() / 2;
                bytes[half..].iter_mut().take(200).for_each(|byte| *byte ^= 0x5a);
                std::fs::write(&file, bytes).unwrap();
                touched += 1;
            }
        }
        assert!(touched > 0, "there is no file to damage: {damaged}");
        let events = events(&runner, &request);
        assert_eq!(diagnostics(&events), Vec::<&Diagnostic>::new(), "{damaged}");
        assert_eq!(verdict(&events, "test_module"), &Verdict::Passed, "{damaged}");
    }
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

#[test]
fn of_many_saves_only_the_newest_sends_events_and_no_process_is_left() {
    let folder = tempfile::tempdir().unwrap();
    let fifo = fifo(&folder);
    let limits = Limits { test: Duration::from_secs(600), ..Limits::default() };
    let runner = Arc::new(runner().with_limits(limits));
    let (sent, messages) = channel();
    let queue = Queue::new(runner, move |generation, message| {
        let _ = sent.send((generation, message));
    });

    let mut hanging = request(ALPHA, RunKind::Check, &hanging(&fifo));
    hanging.only = vec!["test_unit_double".into()];
    queue.submit(0, hanging.clone());
    // Opening waits for the grandchild; from here on a test hangs.
    let mut held = std::fs::File::open(&fifo).unwrap();
    std::io::Read::read_exact(&mut held, &mut [0]).unwrap();
    for generation in 1..1000 {
        queue.submit(generation, hanging.clone());
    }
    queue.submit(1000, request(ALPHA, RunKind::Check, ALPHA_TEXT));
    // The end of the file comes when no grandchild of any generation is left.
    std::io::Read::read_to_end(&mut held, &mut vec![]).unwrap();

    let mut passed = 0;
    for (generation, message) in messages {
        match message {
            RunMessage::Event(RunEvent::Test(test)) => {
                assert_eq!((generation, test.verdict), (1000, Verdict::Passed));
                passed += 1;
            }
            RunMessage::Event(RunEvent::Finished) => break,
            RunMessage::Event(_) => {}
            RunMessage::Failed(error) => panic!("{error}"),
        }
    }
    assert_eq!(passed, 2);
}

#[test]
fn dropping_the_queue_ends_what_runs() {
    let folder = tempfile::tempdir().unwrap();
    let fifo = fifo(&folder);
    let limits = Limits { test: Duration::from_secs(600), ..Limits::default() };
    let queue = Queue::new(Arc::new(runner().with_limits(limits)), |_, _| ());
    let mut hanging = request(ALPHA, RunKind::Check, &hanging(&fifo));
    hanging.only = vec!["test_unit_double".into()];
    queue.submit(0, hanging);
    let mut held = std::fs::File::open(&fifo).unwrap();
    std::io::Read::read_exact(&mut held, &mut [0]).unwrap();
    drop(queue);
    assert_eq!(std::io::Read::read(&mut held, &mut [0]).unwrap(), 0, "the grandchild has ended");
}
