//! Reports for continuous integration: JUnit XML, written by `quick-junit`.

use super::human;
use super::module_report::{ModuleReport, TestState};
use crate::runner::event::Verdict;
use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite, XmlString};

/// Checks of modules, each with its name, as one JUnit document.
#[must_use]
pub fn checks<'a>(reports: impl IntoIterator<Item = (&'a str, &'a ModuleReport)>) -> String {
    let mut document = Report::new("tinytorch-tutor");
    for (name, report) in reports {
        let mut suite = TestSuite::new(name);
        suite.add_test_cases(report.tests.iter().map(|test| case(name, test)));
        if report.tests.is_empty() || report.errors().next().is_some() {
            suite.add_test_case(build_failure(name, report));
        }
        document.add_test_suite(suite);
    }
    // The writer goes to memory; only a broken formatter could fail.
    document.to_string().unwrap_or_else(|error| format!("<!-- {error} -->"))
}

fn case(module: &str, test: &TestState) -> TestCase {
    let mut case = match &test.result {
        Some(result) if !test.old => {
            let mut case = TestCase::new(&*test.name, status(&result.verdict));
            case.set_time(result.took);
            if !result.output.text.is_empty() {
                case.set_system_out(&*result.output.text);
            }
            case
        }
        _ => TestCase::new(&*test.name, failure("did not run", "")),
    };
    case.set_classname(module);
    case
}

fn status(verdict: &Verdict) -> TestCaseStatus {
    match human::verdict(verdict) {
        _ if *verdict == Verdict::Passed => TestCaseStatus::success(),
        (word, more) => failure(word, &more),
    }
}

fn build_failure(module: &str, report: &ModuleReport) -> TestCase {
    let errors: Vec<String> =
        report.errors().map(|error| human::diagnostic(error, human::Colour::Off)).collect();
    let word = if errors.is_empty() { "no tests were run" } else { "does not compile" };
    let mut case = TestCase::new("build", failure(word, &errors.join("\n")));
    case.set_classname(module);
    case
}

fn failure(word: &str, more: &str) -> TestCaseStatus {
    let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
    status.set_message(XmlString::new(word));
    status.set_description(XmlString::new(more));
    status
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::curriculum::ModuleId;

    #[test]
    fn a_test_that_did_not_run_is_a_failure() {
        let mut report = ModuleReport::new(ModuleId(1));
        report.tests.push(TestState { name: "test_unit_add".into(), result: None, old: true });
        let text = checks([("01_tensor", &report)]);
        assert!(text.contains("failures=\"1\""), "{text}");
    }

    #[test]
    fn a_module_without_tests_is_a_failure() {
        let text = checks([("01_tensor", &ModuleReport::new(ModuleId(1)))]);
        assert!(text.contains("no tests were run"), "{text}");
    }
}
