//! A small module that follows every pattern, and one way to break each requirement.

use super::*;

const SOURCE: &str = r##"// ---
// jupyter:
//   jupytext:
//     text_representation:
//       extension: .rs
//       format_name: percent
//       format_version: '1.3'
//   kernelspec:
//     display_name: Rust
//     language: rust
//     name: rust
// ---

// %% nbgrader={"grade": false, "grade_id": "tensor-header", "locked": true, "schema_version": 3, "solution": false, "task": false}
//! Doubling.
use tinytorch::explore::Explorer;
use tinytorch::report::Reporter;
use tinytorch::setup::median;
use tinytorch::testing::Ratio;

// %% [markdown] nbgrader={"grade": false, "grade_id": "t-intro", "locked": true, "schema_version": 3, "solution": false, "task": false}
// # 🎯 Tensor

// %% nbgrader={"grade": false, "grade_id": "t-double", "locked": false, "schema_version": 3, "solution": true, "task": false}
/// TODO: double it.
///
/// APPROACH: add.
///
/// EXAMPLE: 2 becomes 4.
///
/// HINTS: one expression.
pub fn double(x: f32) -> f32 {
    // BEGIN SOLUTION
    x + x
    // END SOLUTION
}

// %% nbgrader={"grade": true, "grade_id": "test-t-double", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
/// 🔬 By hand.
#[test]
fn test_unit_double() {
    assert_eq!(double(2.0), 4.0);
}

// %% nbgrader={"grade": false, "grade_id": "t-analyses", "locked": true, "schema_version": 3, "solution": false, "task": false}
/// 📊 Purpose: see. Measured: time. Key insight: fast. Production context: everywhere.
pub fn analyze_one(out: &mut Reporter) {
    out.insight(twice_insight(double(1.0)));
}

/// What the double of 1 allows one to say.
fn twice_insight(twice: f32) -> String {
    format!("twice is {twice}")
}

/// 📊 Purpose: see. Measured: time. Key insight: slow. Production context: nowhere.
pub fn analyze_two(out: &mut Reporter) {
    let ratio = Ratio::of(vec![f64::from(double(double(1.0)))]);
    out.insight(ratio.took("one", "four"));
}

// %% nbgrader={"grade": true, "grade_id": "test-t-module", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
/// 🧪 Together.
#[test]
fn test_module() {
    assert_eq!(double(double(1.0)), 4.0);
}

// %% nbgrader={"grade": false, "grade_id": "t-explore", "locked": true, "schema_version": 3, "solution": false, "task": false}
/// Twice.
///
/// Double a number.
pub fn explore_twice(figure: &mut Explorer) {
    let x = figure.number("x", 1.0, 0.0..=9.0, 1.0);
    figure.insight(twice_insight(double(x as f32)));
}

// %% nbgrader={"grade": false, "grade_id": "t-main", "locked": true, "schema_version": 3, "solution": false, "task": false}
/// Runs all.
pub fn main() {
    analyze_one(&mut Reporter::stdout());
    analyze_two(&mut Reporter::stdout());
}

// %% nbgrader={"grade": false, "grade_id": "tensor-own", "locked": false, "schema_version": 3, "solution": false, "task": false}
// Yours.
"##;

const LESSON: &str = r#"+++
module = "01_tensor"
title = "Tensor"
subtitle = "Numbers"
time = "4-6 hours"
difficulty = 1
prerequisites = ["00_setup"]
+++

## 🧭 Before you start

Your file is `exercises/01_tensor.rs`; the engine has it as `tinytorch::tensor`.

```diagram Map
00 setup --> 01 tensor
```

## 🎯 Objectives

- one
- two
- three

## 💡 Motivation

It took 12 ms. In lesson 12 you will see why.

```diagram One
+--+
```

## A part

To double a number is to add it to itself. The sum of two equal numbers is exact in binary, since only the
exponent grows by one.

```exercise t-double
hint: A nudge.
hint: `x + x`.
```

```diagram Two
+--+
```

```diagram Three
+--+
```

## 📊 Measure

```analysis analyze_one
Look at the one.
```

```explorable explore_twice
```

```analysis analyze_two
Look at the two.
```

## 🧪 Module test

```exercise test-t-module
```

## 🤔 Questions

```question a
Q
---
A
```

```question b
Q
---
A
```

```question c
Q
---
A
```

```question d
Q
---
A
```

```question e
Q
---
A
```

## 🚀 In production

Everywhere.

## 🏁 Summary

You can double.

```figures
```

Next comes 02 activations.

## 📖 Quick reference

`double(x)`
"#;

fn reasons(source: &str, lesson: &str) -> Vec<(Pattern, usize, String)> {
    let misses =
        audit_texts(Course::tinytorch(), &Course::tinytorch().modules()[1], source, lesson);
    misses.into_iter().map(|miss| (miss.pattern, miss.line, miss.reason)).collect()
}

#[test]
fn a_module_that_follows_all_patterns_has_no_miss() {
    assert_eq!(reasons(SOURCE, LESSON), []);
}

/// Replaces `from` in the text and expects a miss of `pattern` whose reason holds `words`.
fn breaks(in_lesson: bool, from: &str, to: &str, pattern: Pattern, words: &str) {
    let text = if in_lesson { LESSON } else { SOURCE };
    assert!(text.contains(from), "the fixture has no {from:?}");
    let broken = text.replacen(from, to, 1);
    let found = if in_lesson { reasons(SOURCE, &broken) } else { reasons(&broken, LESSON) };
    let hit = found.iter().any(|(p, _, reason)| *p == pattern && reason.contains(words));
    assert!(hit, "{from:?} -> {to:?}: {found:#?}");
}

#[test]
fn an_empty_shell_does_not_pass() {
    use Pattern::{Analyses, Narrative, Scaffolding, UnitTests};
    let body = "    assert_eq!(double(2.0), 4.0);\n";
    breaks(false, body, "", UnitTests, "the test asserts nothing");
    breaks(
        false,
        body,
        "    let _ = double(2.0);\n    assert!(true);\n",
        UnitTests,
        "asserts nothing",
    );
    breaks(
        false,
        body,
        "    assert_eq!(2.0 + 2.0, 4.0);\n",
        UnitTests,
        "names no item of \"t-double\"",
    );
    let insight = "out.insight(twice_insight(double(1.0)));";
    let invented =
        "out.measured(\"speed\", 42.0, \"x\");\n    out.insight(\"It is 42 times as fast.\");";
    breaks(
        false,
        insight,
        invented,
        Analyses,
        "analyze_one: no insight is about what was measured",
    );
    breaks(false, insight, invented, Analyses, "nothing is measured");
    breaks(false, insight, "", Analyses, "analyze_one: no insight is about what was measured");
    let prose = "To double a number is to add it to itself. The sum of two equal numbers is exact in binary, since only the\nexponent grows by one.\n";
    let nonsense = format!("{}\n", "Word word. ".repeat(40));
    breaks(true, prose, "", Narrative, "\"A part\": a part of the lesson must explain");
    breaks(true, prose, &nonsense, Narrative, "\"A part\": a part of the lesson must explain");
    breaks(true, "hint: `x + x`.", "hint: A nudge.", Scaffolding, "two hints are the same");
}

/// All of it in one text: empty tests, invented figures, no prose.
#[test]
fn a_shell_misses_every_pattern_that_has_substance() {
    use Pattern::{Analyses, Narrative, Scaffolding, UnitTests};
    let source = SOURCE
        .replace("    assert_eq!(double(2.0), 4.0);\n", "")
        .replace("    assert_eq!(double(double(1.0)), 4.0);\n", "    assert!(true);\n")
        .replace("out.insight(twice_insight(double(1.0)));", "out.insight(\"It is fast.\");")
        .replace(
            "out.insight(ratio.took(\"one\", \"four\"));",
            "out.measured(\"speed\", 42.0, \"x\");",
        );
    let prose =
        LESSON.find("To double a number").unwrap()..LESSON.find("```exercise t-double").unwrap();
    let mut lesson = LESSON.replace("hint: `x + x`.", "hint: A nudge.");
    lesson.replace_range(prose, "Word word.\n\n");
    let missed: std::collections::BTreeSet<Pattern> =
        reasons(&source, &lesson).into_iter().map(|(pattern, ..)| pattern).collect();
    assert_eq!(missed, [Scaffolding, UnitTests, Analyses, Narrative].into());
}

#[test]
fn the_exercise_does_not_tell_the_answer_and_a_table_has_no_past_figures() {
    use Pattern::{Narrative, Scaffolding};
    let long = |code: &str| SOURCE.replace("    x + x\n", &format!("    {code}\n"));
    let code = "let sum = x + x;\n    sum * 1.00 + 0.00";
    assert_eq!(reasons(&long(code), LESSON), []);
    let told = long(code).replace("APPROACH: add.", "APPROACH: add: `sum * 1.00 + 0.00`.");
    let found = reasons(&told, LESSON);
    assert!(
        matches!(&found[..], [(Scaffolding, _, reason)] if reason.contains("code of the solution")),
        "{found:?}"
    );
    let given = LESSON.replace("`x + x`", "`let sum = x + x; sum * 1.00 + 0.00`");
    let found = reasons(&long(code), &given);
    assert!(
        matches!(&found[..], [(Scaffolding, _, reason)] if reason.contains("the whole solution")),
        "{found:?}"
    );
    let table = "Everywhere.\n\n| how | time |\n|---|---|\n| fast | 3.2 ms |\n";
    breaks(true, "Everywhere.\n", table, Narrative, "\"3.2 ms\" in a table is a past figure");
    let sizes = table.replace("3.2 ms", "(2, 3)");
    assert_eq!(reasons(SOURCE, &LESSON.replace("Everywhere.\n", &sizes)), []);
}

#[test]
fn an_insight_that_no_function_built_is_refused() {
    use Pattern::Analyses;
    let insight = "out.insight(twice_insight(double(1.0)));";
    let setup = "double(1.0); let text = String::new();";
    for offending in [
        "out.insight(\"It is faster.\");",
        "out.insight(\n        \"It is faster.\",\n    );",
        "out.insight(format!(\"twice is {}\", double(1.0)));",
        "out.insight(if double(1.0) > 1.0 { twice_insight(1.0) } else { String::new() });",
        "out.insight(text);",
        "out.insight(insight(double(1.0)));",
    ] {
        // Beside a correct insight, and in place of the only one.
        let beside = format!("{insight}\n    {setup}\n    {offending}");
        breaks(false, insight, &beside, Analyses, "report what is not a finding as a `note`");
        let only = format!("{setup}\n    {offending}");
        breaks(false, insight, &only, Analyses, "analyze_one: no insight is about");
    }
    let figure = "figure.insight(twice_insight(double(x as f32)));";
    breaks(
        false,
        figure,
        "figure.insight(\"Twice.\");",
        Analyses,
        "report what is not a finding as a `note`",
    );
    let constant = "fn twice_insight() -> String";
    breaks(false, "fn twice_insight(twice: f32) -> String", constant, Analyses, "a fixed sentence");
}

#[test]
fn a_note_is_not_a_finding() {
    let insight = "out.insight(twice_insight(double(1.0)));";
    let with = |note: &str| format!("{insight}\n    {note}");
    let compares = "a note says why there are no figures";
    for note in ["out.note(\"It is faster.\");", "out.note(format!(\"{} times\", double(1.0)));"] {
        breaks(false, insight, &with(note), Pattern::Analyses, compares);
    }
    let note = with("out.note(\"The digits could not be read.\"); let times = double(1.0);");
    assert_eq!(reasons(&SOURCE.replacen(insight, &note, 1), LESSON), []);
}

#[test]
fn the_form_of_the_notebook_is_checked() {
    use Pattern::Format;
    breaks(false, "//     name: rust\n", "", Format, "expected \"//     name: rust\"");
    breaks(
        false,
        "//   jupytext:\n",
        "//   jupytext:\n//     formats: ipynb\n",
        Format,
        "expected \"",
    );
    breaks(false, "rust\n// ---\n", "rust\n// ---\n// more\n", Format, "unexpected \"// more\"");
    breaks(
        false,
        "\"tensor-header\"",
        "\"t-imports\"",
        Format,
        "the first cell must be \"tensor-header\"",
    );
    breaks(false, "//! Doubling.\n", "", Format, "with the `//!` comment");
    breaks(
        false,
        "/// Runs all.",
        "use std::fmt;\n/// Runs all.",
        Format,
        "only in \"tensor-header\"",
    );
    breaks(false, "\"tensor-own\"", "\"t-own\"", Format, "the last cell must be \"tensor-own\"");
    breaks(false, "// Yours.", "fn mine() {}", Format, "the last cell must be \"tensor-own\"");
    breaks(
        false,
        "\"tensor-own\", \"locked\": false",
        "\"tensor-own\", \"locked\": true",
        Format,
        "the last cell",
    );
    breaks(
        false,
        "\"grade\": false, \"grade_id\": \"t-main\"",
        "\"grade_id\": \"t-main\"",
        Format,
        "not JSON",
    );
    breaks(false, "\"t-main\"", "\"t-intro\"", Format, "used twice");
    breaks(false, "\"points\": 5, ", "", Format, "no points");
    breaks(false, ", \"task\": false", "", Format, "task");
    breaks(
        false,
        "// %% nbgrader={\"grade\": false, \"grade_id\": \"t-main\", \"locked\": true, \"schema_version\": 3, \"solution\": false, \"task\": false}",
        "// %%",
        Format,
        "no nbgrader metadata",
    );
    breaks(false, "//! Doubling.", "// BEGIN SOLUTION", Format, "outside of a solution cell");
    breaks(true, "```figures", "```figurez", Format, "unknown block");
}

/// What the audit says of a lesson with these open tasks, on a source that reports two metrics.
fn of_tasks(tasks: &str) -> Vec<(Pattern, usize, String)> {
    let analysis = "pub fn analyze_one(out: &mut Reporter) {\n";
    assert!(SOURCE.contains(analysis));
    let metrics = "    out.measured(\"in turn / at once\", double(1.0), \"x\");\n    \
                   out.metric(Metric { name: \"time\".into(), unit: \"s\".into() });\n    \
                   out.measured_table(\"a table\", &[(\"n\", \"x\")], vec![]);\n";
    let source = SOURCE.replacen(analysis, &format!("{analysis}{metrics}"), 1);
    reasons(&source, &LESSON.replacen("## 📊 Measure\n", &format!("{tasks}## 📊 Measure\n"), 1))
}

#[test]
fn the_value_of_an_open_task_is_reported_in_its_unit() {
    let before = LESSON.lines().take_while(|line| *line != "## 📊 Measure").count();
    let task = |unit: &str, value: &str| {
        format!("```predict twice\nHow much?\n---\nunit: {unit}\nvalue: {value}\n```\n")
    };
    for (unit, value) in [("x", "analyze_one / in turn / at once"), ("s", "analyze_one / time")] {
        assert_eq!(of_tasks(&task(unit, value)), [], "{value}");
    }
    assert_eq!(of_tasks("```predict twice\nWhich?\n```\n"), []);
    for (unit, value, reason) in [
        ("x", "analyze_six / time", "twice: there is no analysis \"analyze_six\""),
        ("x", "analyze_one / speed", "twice: analyze_one reports no metric \"speed\""),
        ("x", "analyze_one / a table", "twice: analyze_one reports no metric \"a table\""),
        ("s", "analyze_one / in turn / at once", "in a unit other than \"s\""),
        ("", "analyze_one / time", "in a unit other than \"\""),
    ] {
        let found = of_tasks(&task(unit, value));
        let [(Pattern::Analyses, line, said)] = &found[..] else { panic!("{found:#?}") };
        assert!(said.contains(reason), "{found:#?}");
        assert_eq!(*line, before + 1, "{found:#?}");
    }
    let twice = "```predict twice\nWhich?\n```\n".repeat(2);
    assert!(of_tasks(&twice)[0].2.contains("two open tasks have the name \"twice\""));
}

#[test]
fn the_introduction_is_checked() {
    use Pattern::Introduction;
    breaks(true, "\"01_tensor\"", "\"02_tensor\"", Introduction, "module");
    breaks(true, "[\"00_setup\"]", "[]", Introduction, "prerequisites");
    breaks(true, "difficulty = 1", "difficulty = 5", Introduction, "difficulty");
    breaks(true, "```diagram Map", "```text", Introduction, "connection map");
    breaks(true, "`tinytorch::tensor`", "there", Introduction, "where the code lives");
    breaks(true, "- three\n", "", Introduction, "2 objectives");
}

#[test]
fn the_scaffolding_is_checked() {
    use Pattern::Scaffolding;
    for heading in ["TODO:", "APPROACH:", "EXAMPLE:", "HINTS:"] {
        breaks(false, heading, "Note", Scaffolding, "is missing");
    }
    breaks(false, "    // END SOLUTION\n", "", Scaffolding, "needs BEGIN SOLUTION");
    breaks(false, "    // BEGIN SOLUTION\n", "", Scaffolding, "do not alternate");
    breaks(true, "hint: A nudge.\n", "", Scaffolding, "1 hint;");
    breaks(true, "exercise t-double", "exercise t-other", Scaffolding, "no exercise block");
    breaks(true, "exercise t-double", "exercise t-other", Scaffolding, "there is no cell");
}

#[test]
fn explorables_and_their_places_are_checked() {
    use Pattern::Analyses;
    let other = "```explorable explore_thrice";
    breaks(
        true,
        "```explorable explore_twice",
        other,
        Analyses,
        "no explorable \"explore_thrice\"",
    );
    breaks(
        true,
        "```explorable explore_twice",
        "```text",
        Analyses,
        "no block of the lesson shows",
    );
    breaks(false, "/// Double a number.\n", "", Analyses, "explore_twice: its comment");
    breaks(false, "pub fn explore_twice", "fn explore_twice", Analyses, "there is no explorable");
}

#[test]
fn tests_and_analyses_are_checked() {
    use Pattern::{Analyses, UnitTests};
    breaks(false, "\"test-t-double\"", "\"t-double-test\"", UnitTests, "directly after");
    breaks(false, "fn test_unit_double", "fn doubles", UnitTests, "must be named test_unit_*");
    breaks(
        false,
        "/// 🧪 Together.",
        "#[test]\nfn test_unit_x() {}\n/// 🧪 Together.",
        UnitTests,
        "exactly one",
    );
    breaks(false, "pub fn analyze_two", "pub fn other_two", Analyses, "analyses: 1");
    breaks(
        false,
        "Key insight: slow",
        "So",
        Analyses,
        "analyze_two: its comment has no \"Key insight:\"",
    );
    breaks(
        true,
        "```analysis analyze_two",
        "```analysis analyze_three",
        Analyses,
        "no analysis block shows analyze_two",
    );
    breaks(
        true,
        "```analysis analyze_two",
        "```analysis analyze_three",
        Analyses,
        "there is no analysis",
    );
    breaks(true, "Look at the two.\n", "", Analyses, "what to look for");
}

#[test]
fn a_test_cell_names_only_what_its_own_crate_can_see() {
    use Pattern::UnitTests;
    breaks(false, "pub fn double", "fn double", UnitTests, "cannot see `double` of \"t-double\"");
    breaks(
        false,
        "fn test_module() {",
        "fn test_module() {\n    test_unit_double();",
        UnitTests,
        "cannot see `test_unit_double`",
    );
    for fine in ["// of double", "x.double();", "let s = \"double\";"] {
        let private = SOURCE.replace("double(2.0)", "2.0").replace("double(double(1.0))", "1.0");
        let private = private.replace("pub fn double", "fn double").replace("assert_eq!(2.0", fine);
        let found = reasons(&private, LESSON);
        let hidden = found.iter().any(|(.., reason)| reason.contains("cannot see"));
        assert!(!hidden, "{fine}: {found:?}");
    }
}

#[test]
fn what_need_not_be_read_comes_after_the_module_test() {
    use Pattern::FinalFour;
    let cell = |id: &str| SOURCE.split("\n// %%").find(|cell| cell.contains(id)).unwrap();
    let moved = |id: &str, before: &str| {
        let without = SOURCE.replacen(&format!("\n// %%{}", cell(id)), "", 1);
        let to = format!("\n// %%{}", cell(before));
        without.replacen(&to, &format!("\n// %%{}{to}", cell(id)), 1)
    };
    let broken = |source: &str, words: &str| {
        let found = reasons(source, LESSON);
        let hit = found.iter().any(|(p, _, reason)| *p == FinalFour && reason.contains(words));
        assert!(hit, "{words}: {found:#?}");
    };
    broken(&moved("t-analyses", "t-main"), "t-analyses: an analysis must come before");
    broken(&moved("t-main", "\"test-t-module"), "t-main: main must come after");
    broken(&moved("t-intro", "t-main"), "t-intro: only given cells");
}

#[test]
fn diagrams_and_length_are_checked() {
    breaks(true, "```diagram Two", "```text", Pattern::Diagrams, "3 diagrams");
    breaks(
        true,
        "```diagram One\n+--+",
        &format!("```diagram One\n{}", "-".repeat(77)),
        Pattern::Diagrams,
        "77 columns",
    );
    breaks(true, "Everywhere.\n", &"Everywhere.\n".repeat(1700), Pattern::Length, "at most 1700");
    let body = "    assert_eq!(double(2.0), 4.0);\n";
    breaks(false, body, &body.repeat(1700), Pattern::Length, "at most 1700 are allowed");
    let module = &Course::tinytorch().modules()[0];
    let lesson = LESSON.replace("Everywhere.\n", &"Everywhere.\n".repeat(1450));
    let misses = audit_texts(Course::tinytorch(), module, SOURCE, &lesson);
    let reason = |miss: &Miss| miss.reason.contains("at most 1500 are allowed");
    assert!(misses.iter().any(reason), "without a reason: {misses:#?}");
}

#[test]
fn the_final_parts_and_the_emoji_are_checked() {
    use Pattern::{Emoji, FinalFour};
    breaks(false, "fn test_module", "fn test_unit_module", FinalFour, "test_module");
    breaks(false, "pub fn main", "pub fn other", FinalFour, "main()` is missing");
    breaks(
        false,
        "    analyze_two(&mut Reporter::stdout());\n",
        "",
        FinalFour,
        "does not run analyze_two",
    );
    breaks(true, "```question e\nQ\n---\nA\n```\n", "", FinalFour, "4 questions");
    breaks(true, "```figures\n```\n", "", FinalFour, "own figures");
    breaks(true, "`double(x)`\n", "", FinalFour, "quick reference is empty");
    breaks(
        true,
        "```exercise test-t-module\n```\n",
        "",
        FinalFour,
        "no block of \"test-t-module\"",
    );
    for sign in ["🔬", "🧪", "📊", "🎯"] {
        breaks(false, sign, "", Emoji, sign);
    }
    breaks(true, "Everywhere.", "Everywhere 🎉", Emoji, "🎉 is not an emoji of the course");
}

#[test]
fn the_narrative_is_checked() {
    use Pattern::Narrative;
    breaks(true, "## 🚀 In production", "## Production", Narrative, "is missing");
    breaks(
        true,
        "It took 12 ms. In lesson 12 you will see why.",
        "It took long.",
        Narrative,
        "no figure",
    );
    breaks(
        true,
        "- one\n",
        "```exercise t-double\nhint: a\nhint: b\n```\n",
        Narrative,
        "before the motivation",
    );
    breaks(
        false,
        "use tinytorch::setup::median;",
        "use tinytorch::layers::Linear;",
        Narrative,
        "not an earlier module",
    );
    breaks(
        false,
        "use tinytorch::setup::median;",
        "use crate::setup::median;",
        Narrative,
        "not `crate::`",
    );
    breaks(
        false,
        "use tinytorch::setup::median;",
        "use tinytorch::{setup, report};",
        Narrative,
        "one `use` line",
    );
    breaks(true, "02 activations", "03 activations", Narrative, "activations is module 02, not 03");
    breaks(true, "02 activations", "13_attention", Narrative, "attention is module 12, not 13");
    breaks(true, "In lesson 12", "In lesson 25", Narrative, "no module 25");
    for fine in ["curves (02), layers (03)", "12 layers", "this lesson | 98 %"] {
        assert_eq!(reasons(SOURCE, &LESSON.replace("Everywhere.", fine)), [], "{fine}");
    }
    breaks(true, "It took", "With `use tinytorch::losses::Loss` it took", Narrative, "comes later");
    let swapped = LESSON.replace("```exercise t-double\n", "```exercise test-t-module\n");
    let swapped = swapped.replacen(
        "## 🧪 Module test\n",
        "## 🧪 Module test\n\n```exercise t-double\nhint: a\nhint: b\n```\n",
        1,
    );
    let found = reasons(SOURCE, &swapped);
    assert!(found.iter().any(|(_, _, reason)| reason.contains("comes before")), "{found:#?}");
}

#[test]
fn a_miss_names_file_and_line() {
    let broken = LESSON
        .replace("```diagram Two\n+--+", &format!("```diagram Two\n+--+\n{}", "-".repeat(80)));
    let misses =
        audit_texts(Course::tinytorch(), &Course::tinytorch().modules()[1], SOURCE, &broken);
    let line = 2 + broken.lines().position(|line| line == "```diagram Two").unwrap() + 1;
    assert_eq!((misses[0].file.as_str(), misses[0].line), ("lessons/01_tensor.md", line));
}

#[test]
fn modules_have_the_numbers_that_the_plan_of_the_course_gives_them() {
    let modules = Course::tinytorch().modules();
    for (module, planned) in modules.iter().zip(COURSE) {
        assert_eq!(module.name, planned, "module {}", module.id.0);
    }
}

#[test]
fn nothing_at_all_gives_misses_and_no_panic() {
    let found = reasons("", "");
    for pattern in [Pattern::Format, Pattern::Introduction, Pattern::Diagrams, Pattern::FinalFour] {
        assert!(found.iter().any(|(p, ..)| *p == pattern), "{pattern:?}");
    }
}
