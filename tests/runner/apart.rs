//! Separate tests: compiled as a crate of their own, so that the learner's file cannot change what they mean.

use super::*;
use tinytorch_tutor::curriculum::Course;

fn apart(text: &str) -> Vec<RunEvent> {
    let request = Request { separate_tests: true, ..request(ALPHA, RunKind::Check, text) };
    events(&runner(), &request)
}

#[test]
fn every_reference_passes_with_separate_tests() {
    let runner = Runner::new(cache(), Course::tinytorch()).unwrap();
    for module in Course::tinytorch().modules() {
        let request = request(module.id, RunKind::Check, module.reference());
        let found = events(&runner, &Request { separate_tests: true, ..request });
        assert_eq!(diagnostics(&found), Vec::<&Diagnostic>::new(), "{}", module.slug());
        assert!(!results(&found).is_empty());
        for result in results(&found) {
            assert_eq!(result.verdict, Verdict::Passed, "{} {}", module.slug(), result.name);
        }
    }
}

#[test]
fn right_and_wrong_solutions_have_their_verdicts_and_places() {
    let text = with_body("x * 3");
    let events = apart(&text);
    let at = Some(place(line_of(&text, "assert_eq!(double(4)"), 5));
    let message = "assertion `left == right` failed: twice four\n  left: 12\n right: 8".into();
    assert_eq!(verdict(&events, "test_unit_double"), &Verdict::Failed { message, at });
    let text = with_body("panic!(\"inside\")");
    let at = Some(place(line_of(&text, "panic!"), 5));
    let failed = Verdict::Failed { message: "inside".into(), at };
    assert_eq!(verdict(&apart(&text), "test_unit_double"), &failed);
    let starter = tinytorch_tutor::curriculum::cells::starter(ALPHA_TEXT);
    let waits = Verdict::NotStarted { waits_for: "double".into() };
    assert_eq!(verdict(&apart(&starter), "test_unit_double"), &waits);
}

/// Asserts that no test of a file passes.
fn no_pass(text: &str) {
    let events = apart(text);
    let passed = results(&events).into_iter().any(|result| result.verdict == Verdict::Passed);
    assert!(!passed, "{events:#?}");
    assert!(!results(&events).is_empty() || !built(&events), "{events:#?}");
}

const IGNORES: &str = "{ ($($any:tt)*) => {}; }";

#[test]
fn a_macro_in_the_solution_does_not_reach_the_tests() {
    let wrong = with_body("x * 3");
    let before = |code: &str| wrong.replacen("pub fn double", &format!("{code}\npub fn double"), 1);
    let shadow = before(&format!("macro_rules! assert_eq {IGNORES}"));
    let events = check(&shadow);
    assert_eq!(verdict(&events, "test_unit_double"), &Verdict::Passed, "in one crate it does");
    no_pass(&shadow);
    no_pass(&before(&format!("#[macro_export]\nmacro_rules! assert_eq {IGNORES}")));
    no_pass(&before(&format!(
        "#[macro_export]\nmacro_rules! assert_eq {IGNORES}\n#[macro_export]\nmacro_rules! assert {IGNORES}"
    )));
    no_pass(&before("pub mod std { pub mod prelude { pub mod rust_2024 {} } }\npub mod core {}"));
    no_pass(&format!("#![no_implicit_prelude]\n{wrong}"));
}

#[test]
fn tests_that_are_removed_or_disabled_still_run() {
    let wrong = with_body("x * 3");
    no_pass(&wrong.replace("#[test]", "#[cfg(any())]\n#[test]"));
    no_pass(&wrong.replace("assert_eq!(double(4), 8, \"twice four\");", ""));
    let (before, after) = wrong.split_once("// %% nbgrader={\"grade\": true").unwrap();
    no_pass(&format!("{before}/*\n// %% nbgrader={{\"grade\": true{after}*/\n"));
    no_pass(before);
}

/// The exercise with another `double`, and items before it.
fn with_double(items: &str, signature: &str, body: &str) -> String {
    with_body(body).replace("pub fn double(x: i32) -> i32 {", &format!("{items}\n{signature}"))
}

/// Asserts that it does not compile with separate tests, and that the compiler names the line of this signature.
fn is_refused_at(text: &str, signature: &str) {
    let events = apart(text);
    assert!(!built(&events) && results(&events).is_empty(), "{events:#?}");
    let places = diagnostics(&events).into_iter().filter_map(|it| it.at.clone());
    let lines: Vec<usize> = places.map(|at| at.line).collect();
    assert!(lines.contains(&line_of(text, signature)), "{lines:?} {events:#?}");
}

const LIAR: &str = "#[derive(Debug, Clone, Copy)]
pub struct Liar;
impl PartialEq<std::primitive::i32> for Liar {
    fn eq(&self, _: &std::primitive::i32) -> bool {
        true
    }
}
impl std::fmt::Display for Liar {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(stringify!(8))
    }
}
pub trait Any: std::fmt::Debug {}
impl<T: std::fmt::Debug> Any for T {}
";

#[test]
fn a_result_that_equals_everything_is_refused_at_its_function() {
    let signature = "pub fn double(_: impl Any) -> Liar {";
    let own_type = with_double(LIAR, signature, "Liar");
    assert_eq!(verdict(&check(&own_type), "test_unit_double"), &Verdict::Passed, "in one crate");
    is_refused_at(&own_type, signature);

    let signature = "pub fn double(_: impl Any) -> i32 {";
    let alias = format!("{LIAR}#[allow(non_camel_case_types)]\ntype i32 = Liar;");
    let shadowed = with_double(&alias, signature, "Liar");
    assert_eq!(verdict(&check(&shadowed), "test_unit_double"), &Verdict::Passed, "in one crate");
    is_refused_at(&shadowed, signature);
}

#[test]
fn a_function_whose_result_depends_on_its_caller_is_refused() {
    let items = format!(
        "{LIAR}pub trait Doubled {{ type Out; fn out(self) -> Self::Out; }}
impl Doubled for i32 {{ type Out = i32; fn out(self) -> i32 {{ self * 2 }} }}
impl Doubled for u8 {{ type Out = Liar; fn out(self) -> Liar {{ Liar }} }}
"
    );
    let signature = "pub fn double<T: Doubled>(x: T) -> T::Out {";
    is_refused_at(&with_double(&items, signature, "x.out()"), signature);
}

#[test]
fn an_item_that_the_tests_need_and_the_file_does_not_have_is_named() {
    let events = apart(&ALPHA_TEXT.replace("pub fn double", "fn double"));
    assert!(!built(&events));
    assert!(diagnostics(&events)[0].message.contains("double"), "{:#?}", diagnostics(&events));
}
