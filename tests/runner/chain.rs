//! The chain: the learner's own files below later modules, when the reference is used instead, and what is rebuilt.

use super::*;

fn with_alpha(text: &str) -> ModuleSources {
    let file = "exercises/00_alpha.rs".into();
    ModuleSources([(ALPHA, ModuleSource::Learner { file, text: text.into() })].into())
}

/// An alpha that passes its own tests but returns another type than beta needs.
fn wide() -> String {
    let signature = "pub fn double(x: impl Into<i64>) -> i64 {";
    with_body("x.into() * 2").replace("pub fn double(x: i32) -> i32 {", signature)
}

fn check_beta(sources: ModuleSources) -> Vec<RunEvent> {
    let request = Request { sources, ..request(BETA, RunKind::Check, BETA_TEXT) };
    events(&runner(), &request)
}

#[test]
fn a_later_module_runs_on_the_learners_own_module() {
    let events = check_beta(with_alpha(&with_body("x + x")));
    assert_eq!(verdict(&events, "test_unit_four_times"), &Verdict::Passed);

    let text = with_body("panic!(\"mine\")");
    let events = check_beta(with_alpha(&text));
    let file = "exercises/00_alpha.rs".into();
    let at = Some(Place { file, line: line_of(&text, "panic!"), column: 5 });
    let failed = Verdict::Failed { message: "mine".into(), at };
    assert_eq!(verdict(&events, "test_unit_four_times"), &failed);
}

#[test]
fn a_module_that_does_not_compile_is_replaced_by_the_reference() {
    let events = check_beta(with_alpha(&with_body("no_such_thing")));
    let [Notice::FellBack { module: ALPHA, at: ALPHA, reason }] = notices(&events)[..] else {
        panic!("{events:#?}")
    };
    assert!(reason.contains("no_such_thing"), "{reason}");
    assert_eq!(verdict(&events, "test_unit_four_times"), &Verdict::Passed);
}

#[test]
fn a_module_on_which_the_next_one_does_not_compile_is_replaced_too() {
    let events = check_beta(with_alpha(&wide()));
    let [Notice::FellBack { module: ALPHA, at: BETA, reason }] = notices(&events)[..] else {
        panic!("{events:#?}")
    };
    assert_eq!(reason, "mismatched types: expected `i32`, found `i64`, in `double(double(x))`");
    assert_eq!(verdict(&events, "test_unit_four_times"), &Verdict::Passed);
}

#[test]
fn a_module_cannot_use_a_later_one() {
    let text = with_body("tinytorch::beta::four_times(x)");
    let events = check(&text);
    let [error] = diagnostics(&events)[..] else { panic!("{events:#?}") };
    assert_eq!(error.code.as_deref(), Some("E0433"), "{error:#?}");
}

#[test]
fn a_cached_chain_prepares_nothing_and_a_damaged_crate_is_rebuilt() {
    let cache = cache();
    // A text of its own, so that no other test uses the crate that is damaged here.
    let sources = with_alpha(&with_body("x + x // damaged soon"));
    let prepared = |sources: &ModuleSources| {
        let mut what = vec![];
        let runner = Runner::new(cache.clone(), course(vec![alpha(), beta()])).unwrap();
        let keep = &mut |event| match event {
            RunEvent::Preparing { what: part, .. } => what.push(part),
            other => panic!("{other:?}"),
        };
        runner.prepare(BETA, sources, &Cancel::default(), keep).unwrap();
        what
    };
    // Cached crates of that text, of this run or an earlier one on another base.
    let folders = || -> Vec<PathBuf> {
        let entries = std::fs::read_dir(cache.join("modules")).into_iter().flatten();
        let soon = |folder: &PathBuf| {
            let source = std::fs::read_to_string(folder.join("00_alpha.rs"));
            source.is_ok_and(|source| source.contains("damaged soon"))
        };
        entries.map(|entry| entry.unwrap().path()).filter(soon).collect()
    };
    folders().iter().for_each(|folder| std::fs::remove_dir_all(folder).unwrap());
    prepared(&with_alpha(&with_body("x + x")));
    prepared(&sources);
    assert_eq!(prepared(&sources), Vec::<String>::new());
    let [damaged] = &folders()[..] else { panic!("one crate") };
    std::fs::write(damaged.join("libtt_alpha.rlib"), "half a fi").unwrap();
    assert_eq!(prepared(&sources), ["00_alpha"]);
    assert_eq!(prepared(&sources), Vec::<String>::new());
}

#[test]
fn a_cache_that_cannot_be_written_is_an_error_that_says_how_to_fix_it() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    std::fs::write(&file, "").unwrap();
    let error: Error = Runner::new(file.join("cache"), course(vec![alpha(), beta()])).unwrap_err();
    assert!(error.to_string().contains("--cache"), "{error}");
}

const GAMMA_TEXT: &str = r##"// %% nbgrader={"grade": false, "grade_id": "eight", "locked": false, "schema_version": 3, "solution": true, "task": false}
pub fn eight_times(x: i32) -> i32 {
    tinytorch::alpha::double(tinytorch::beta::four_times(x))
}

// %% nbgrader={"grade": true, "grade_id": "test-eight", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
#[test]
fn test_unit_eight_times() {
    assert_eq!(eight_times(1), 8);
}
"##;

#[test]
fn of_two_modules_only_the_incompatible_one_is_replaced() {
    let gamma = ModuleId(2);
    let modules = vec![alpha(), beta(), Module::new(gamma, "gamma", "", GAMMA_TEXT)];
    let runner = Runner::new(cache(), course(modules)).unwrap();

    // The learner's beta does not use alpha, so it compiles on any alpha; gamma does not.
    let beta = BETA_TEXT.replace("double(double(x))", "println!(\"my beta\"); x * 4");
    let mut sources = with_alpha(&wide());
    sources.0.insert(BETA, ModuleSource::Learner { file: "01_beta.rs".into(), text: beta });
    let request = Request { sources, ..request(gamma, RunKind::Check, GAMMA_TEXT) };
    let events = events(&runner, &request);
    let [Notice::FellBack { module: ALPHA, .. }] = notices(&events)[..] else {
        panic!("{events:#?}")
    };
    let [result] = results(&events)[..] else { panic!("{events:#?}") };
    assert_eq!((&result.verdict, result.output.text.as_str()), (&Verdict::Passed, "my beta\n"));
}

#[test]
fn a_crate_that_is_rebuilt_after_damage_fits_the_one_above_it() {
    let text = with_body("x + x /* to be damaged */");
    let milestone = "pub fn milestone(out: &mut tinytorch::report::Reporter) {\n    \
                     out.insight(tinytorch::beta::four_times(1).to_string());\n}\n";
    let request =
        Request { sources: with_alpha(&text), ..request(BETA, RunKind::Milestone, milestone) };
    let is_fine = |events: Vec<RunEvent>| built(&events) && notices(&events).is_empty();
    assert!(is_fine(events(&runner(), &request)));

    let crates =
        std::fs::read_dir(cache().join("modules")).unwrap().map(|krate| krate.unwrap().path());
    let is_alpha = |krate: &PathBuf| {
        let source = std::fs::read_to_string(krate.join("00_alpha.rs"));
        source.is_ok_and(|source| source.contains("to be damaged"))
    };
    // Those of an earlier run on another base may be damaged already.
    let removed = crates
        .filter(is_alpha)
        .filter(|alpha| std::fs::remove_file(alpha.join("libtt_alpha.rlib")).is_ok());
    assert!(removed.count() > 0);
    assert!(is_fine(events(&runner(), &request)), "rebuilt in another folder, it is the same");
}
