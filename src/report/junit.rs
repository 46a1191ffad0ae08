//! Reports for continuous integration: JUnit XML, escaped and written by `quick-xml`.

use super::human;
use super::module_report::{ModuleReport, TestState};
use crate::runner::event::Verdict;
use quick_xml::Writer;
use quick_xml::events::{BytesDecl, BytesText, Event};
use std::io::{self, Write};
use std::time::Duration;

/// Checks of modules, each with its name, as one JUnit document.
#[must_use]
pub fn checks<'a>(reports: impl IntoIterator<Item = (&'a str, &'a ModuleReport)>) -> String {
    let suites: Vec<Suite> =
        reports.into_iter().map(|(name, report)| Suite { name, cases: cases(report) }).collect();
    document(&suites)
}

/// Suites of tests as one JUnit document.
#[must_use]
pub fn document(suites: &[Suite<'_>]) -> String {
    let mut document = Writer::new_with_indent(vec![], b' ', 4);
    // The writer goes to memory: nothing can fail but the allocator.
    let written = write_document(&mut document, suites);
    written.map_or_else(
        |error| format!("<!-- {error} -->"),
        |()| String::from_utf8_lossy(&document.into_inner()).into_owned() + "\n",
    )
}

/// One module.
#[derive(Debug)]
pub struct Suite<'a> {
    /// What it is called.
    pub name: &'a str,
    /// Its tests.
    pub cases: Vec<Case<'a>>,
}

/// One test, or the build.
#[derive(Debug)]
pub struct Case<'a> {
    /// What it is called.
    pub name: &'a str,
    /// How long it took.
    pub took: Duration,
    /// For anything but a pass.
    pub failure: Option<Failure>,
    /// What it printed.
    pub output: &'a str,
}

/// Why a test did not pass.
#[derive(Debug)]
pub struct Failure {
    /// The element: `failure`, or `error` where the tested code is not the reason.
    pub element: &'static str,
    /// What happened, in a few words.
    pub word: String,
    /// The details.
    pub more: String,
}

impl Failure {
    fn new(word: impl Into<String>, more: impl Into<String>) -> Self {
        Self { element: "failure", word: word.into(), more: more.into() }
    }
}

fn cases(report: &ModuleReport) -> Vec<Case<'_>> {
    let mut cases: Vec<Case> = report.graded().map(case).collect();
    if report.graded().next().is_none() || report.errors().next().is_some() {
        cases.push(build_failure(report));
    }
    cases
}

fn case(test: &TestState) -> Case<'_> {
    let name = &*test.name;
    match &test.result {
        Some(result) if !test.old => {
            let failure = match human::verdict(&result.verdict) {
                _ if result.verdict == Verdict::Passed => None,
                (word, more) => Some(Failure::new(word, more)),
            };
            Case { name, took: result.took, failure, output: &result.output.text }
        }
        _ => {
            let failure = Some(Failure::new("did not run", ""));
            Case { name, took: Duration::ZERO, failure, output: "" }
        }
    }
}

fn build_failure(report: &ModuleReport) -> Case<'_> {
    let errors: Vec<String> =
        report.errors().map(|error| human::diagnostic(error, human::Colour::Off)).collect();
    let word = if errors.is_empty() { "no tests were run" } else { "does not compile" };
    let failure = Some(Failure::new(word, errors.join("\n")));
    Case { name: "build", took: Duration::ZERO, failure, output: "" }
}

fn write_document<W: Write>(document: &mut Writer<W>, suites: &[Suite]) -> io::Result<()> {
    document.write_event(Event::Decl(BytesDecl::new("1.0", Some("UTF-8"), None)))?;
    let all = || suites.iter().flat_map(|suite| &suite.cases);
    let element = document.create_element("testsuites");
    let element = element.with_attribute(("name", "tinytorch-tutor"));
    let counts = counts(all());
    element.with_attributes(pairs(&counts)).write_inner_content(|document| {
        suites.iter().try_for_each(|suite| write_suite(document, suite))
    })?;
    Ok(())
}

fn write_suite<W: Write>(document: &mut Writer<W>, suite: &Suite) -> io::Result<()> {
    let element = document.create_element("testsuite").with_attribute(("name", suite.name));
    let counts = counts(suite.cases.iter());
    element.with_attributes(pairs(&counts)).write_inner_content(|document| {
        suite.cases.iter().try_for_each(|case| write_case(document, suite.name, case))
    })?;
    Ok(())
}

fn write_case<W: Write>(document: &mut Writer<W>, module: &str, case: &Case) -> io::Result<()> {
    let seconds = format!("{:.3}", case.took.as_secs_f64());
    let element = document.create_element("testcase").with_attributes([
        ("name", case.name),
        ("classname", module),
        ("time", &seconds),
    ]);
    if case.failure.is_none() && case.output.is_empty() {
        element.write_empty()?;
        return Ok(());
    }
    element.write_inner_content(|document| {
        if let Some(Failure { element, word, more }) = &case.failure {
            let failure = document.create_element(*element);
            failure
                .with_attribute(("message", word.as_str()))
                .write_text_content(BytesText::new(more))?;
        }
        if !case.output.is_empty() {
            let output = document.create_element("system-out");
            output.write_text_content(BytesText::new(case.output))?;
        }
        Ok(())
    })?;
    Ok(())
}

/// What JUnit counts in a document and in each suite.
fn counts<'a>(cases: impl Iterator<Item = &'a Case<'a>>) -> [(&'static str, String); 4] {
    let (mut tests, mut failures, mut errors, mut took) = (0, 0, 0, Duration::ZERO);
    for case in cases {
        tests += 1_usize;
        let is = |element| case.failure.as_ref().is_some_and(|why| why.element == element);
        failures += usize::from(is("failure"));
        errors += usize::from(is("error"));
        took += case.took;
    }
    let seconds = format!("{:.3}", took.as_secs_f64());
    [
        ("tests", tests.to_string()),
        ("failures", failures.to_string()),
        ("time", seconds),
        ("errors", errors.to_string()),
    ]
}

fn pairs<'a>(counts: &'a [(&'static str, String); 4]) -> [(&'a str, &'a str); 4] {
    counts.each_ref().map(|(name, value)| (*name, value.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::curriculum::ModuleId;
    use crate::runner::event::{Expected, Output, TestResult};

    #[test]
    fn a_test_that_did_not_run_is_a_failure() {
        let mut report = ModuleReport::new(ModuleId(1));
        report.tests.push(TestState::new(&Expected::new("test_unit_add")));
        let text = checks([("01_tensor", &report)]);
        assert!(
            text.contains("<testsuite name=\"01_tensor\" tests=\"1\" failures=\"1\""),
            "{text}"
        );
        assert!(text.contains("<failure message=\"did not run\">"), "{text}");
    }

    #[test]
    fn a_module_without_tests_is_a_failure() {
        let text = checks([("01_tensor", &ModuleReport::new(ModuleId(1)))]);
        assert!(text.contains("no tests were run"), "{text}");
    }

    #[test]
    fn what_a_test_prints_cannot_break_the_document() {
        let mut report = ModuleReport::new(ModuleId(1));
        let result = TestResult {
            name: "test_unit_add".into(),
            verdict: Verdict::Passed,
            output: Output { text: "</testcase> & \"]]>\"".into(), cut: 0 },
            took: Duration::from_millis(1500),
        };
        let expected = TestState::new(&Expected::new("test_unit_add"));
        report.tests.push(TestState { result: Some(result), old: false, ..expected });
        let text = checks([("01_tensor", &report)]);
        assert!(text.contains("failures=\"0\" time=\"1.500\""), "{text}");
        assert!(text.contains("&lt;/testcase&gt; &amp; "), "{text}");
        assert_eq!(text.matches("</testcase>").count(), 1, "{text}");
    }
}
