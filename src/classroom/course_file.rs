//! The instructor's course file: which modules a class takes, until when, for how many points. Every error names the key,
//! its line, and the fix. Must not know submissions.
//!
//! ```toml
//! title = "Machine learning systems, autumn 2026"
//! hidden_tests = "hidden"                    # a folder beside this file with tests in NN_name.rs; optional
//!
//! [[module]]
//! name = "01_tensor"
//! points = 20                                # what it counts in the course; by default the points of its tests
//! deadline = 2026-11-30T23:59:00+01:00       # optional
//! hints = true                               # by default true
//! solutions = false                          # by default false
//! ```

use super::toml_source::Source;
use crate::curriculum::cells::{self, Mistake};
use crate::curriculum::{Course, Module, ModuleId};
use crate::error::{Error, harmless, printable};
use jiff::Timestamp;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use toml::Spanned;
use toml::value::Datetime;

/// For an error.
const KEYS: &str = "The keys are title, hidden_tests and, below each [[module]], name, points, deadline, hints, solutions.";

/// More points than any module is worth.
const MOST_POINTS: i64 = 10_000;

/// What the instructor decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CourseFile {
    /// The course's title.
    pub title: String,
    /// The folder of tests that students do not get.
    pub hidden_tests: Option<PathBuf>,
    /// These tests, as text.
    pub hidden: BTreeMap<ModuleId, String>,
    /// The modules that the class takes, in the order of the file.
    pub assignments: Vec<Assignment>,
}

/// One module of a class.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assignment {
    /// Its number.
    pub module: ModuleId,
    /// Its slug, such as `01_tensor`.
    pub slug: String,
    /// What it counts in the course.
    pub points: u32,
    /// Until when it is on time, in seconds since 1970; `None` where there is no deadline.
    pub deadline: Option<i64>,
    /// The same as it was written.
    pub written_deadline: Option<Datetime>,
    /// Whether students see the hints.
    pub hints: bool,
    /// Whether students see the reference solutions.
    pub solutions: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    title: Spanned<String>,
    hidden_tests: Option<Spanned<PathBuf>>,
    #[serde(default, rename = "module")]
    modules: Vec<WrittenModule>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenModule {
    name: Spanned<String>,
    points: Option<Spanned<i64>>,
    deadline: Option<Spanned<Datetime>>,
    #[serde(default = "open")]
    hints: bool,
    #[serde(default)]
    solutions: bool,
}

fn open() -> bool {
    true
}

impl CourseFile {
    /// Reads the file at `path` as students have it: without the hidden tests.
    ///
    /// # Errors
    /// When it cannot be read, or has a mistake.
    pub fn read_terms(path: &Path, course: &Course) -> Result<Self, Error> {
        let text =
            std::fs::read_to_string(path).map_err(|error| Error::io("read", path, &error))?;
        Self::parse(&text, course).map_err(|error| Error {
            message: format!("\"{}\" {}", printable(path), error.message),
            ..error
        })
    }

    /// Reads the file at `path`, and the hidden tests beside it.
    ///
    /// # Errors
    /// When it or a test cannot be read, or has a mistake.
    pub fn read(path: &Path, course: &Course) -> Result<Self, Error> {
        let mut file = Self::read_terms(path, course)?;
        let beside = path.parent().unwrap_or(Path::new(""));
        file.hidden_tests = file.hidden_tests.map(|folder| beside.join(folder));
        if let Some(folder) = &file.hidden_tests {
            file.hidden = hidden(folder, path, &file.assignments, course)?;
        }
        Ok(file)
    }

    /// Reads the text of a course file.
    ///
    /// # Errors
    /// When it has a mistake: the first one, with its line.
    pub fn parse(text: &str, course: &Course) -> Result<Self, Error> {
        let source = Source(text);
        let written: Written =
            toml::from_str(text).map_err(|error| source.malformed(&error, KEYS))?;
        if written.title.get_ref().trim().is_empty() {
            let error = source.error("title", &written.title.span(), "is empty");
            return Err(error.hint("Write the name of the course."));
        }
        if let Some(folder) = &written.hidden_tests
            && !is_below(folder.get_ref())
        {
            let error = source.error("hidden_tests", &folder.span(), "leads out of the course");
            return Err(error.hint("Name a folder beside the course file, such as \"hidden\"."));
        }
        let mut lines = BTreeMap::new();
        let mut assignments = vec![];
        for written in &written.modules {
            let assignment = source.assignment(written, course)?;
            let (slug, span) = (assignment.slug.clone(), written.name.span());
            if let Some(line) = lines.insert(slug.clone(), source.line(&span)) {
                let problem = format!("{slug} is there already, in line {line}");
                return Err(source.error("name", &span, &problem).hint("Remove one of the two."));
            }
            assignments.push(assignment);
        }
        if assignments.is_empty() {
            let error = Error::usage("has no module");
            return Err(error.hint("Add `[[module]]` and below it `name = \"01_tensor\"`."));
        }
        let title = harmless(written.title.get_ref());
        let hidden_tests = written.hidden_tests.map(Spanned::into_inner);
        Ok(Self { title, hidden_tests, hidden: BTreeMap::new(), assignments })
    }

    /// The course with the hidden tests.
    #[must_use]
    pub fn course(&self, course: &'static Course) -> &'static Course {
        if self.hidden.is_empty() {
            return course;
        }
        course.with_hidden(|module| self.hidden.get(&module.id).map(String::as_str))
    }

    /// The assignment of a module, by its slug.
    #[must_use]
    pub fn assignment(&self, slug: &str) -> Option<&Assignment> {
        self.assignments.iter().find(|assignment| assignment.slug == slug)
    }
}

impl Assignment {
    /// A module with the points of its tests, without a deadline.
    #[must_use]
    pub fn of(module: &Module) -> Self {
        Self {
            module: module.id,
            slug: module.slug(),
            points: cells::points(module.reference()),
            deadline: None,
            written_deadline: None,
            hints: true,
            solutions: false,
        }
    }

    /// Whether a submission at that time, in seconds since 1970, is late.
    #[must_use]
    pub fn is_late(&self, submitted: i64) -> bool {
        self.deadline.is_some_and(|deadline| submitted > deadline)
    }
}

/// The hidden tests in a folder: each Rust file in it, checked.
fn hidden(
    folder: &Path,
    course_file: &Path,
    assignments: &[Assignment],
    course: &Course,
) -> Result<BTreeMap<ModuleId, String>, Error> {
    let failed = |error: std::io::Error| Error::io("read", folder, &error);
    if !folder.is_dir() {
        return Err(Error::usage(format!(
            "\"{}\": hidden_tests: there is no folder \"{}\"",
            printable(course_file),
            printable(folder)
        ))
        .hint("Create it, or remove the key `hidden_tests`."));
    }
    let mut tests = BTreeMap::new();
    for entry in std::fs::read_dir(folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        if path.extension().is_none_or(|kind| kind != "rs") {
            continue;
        }
        let is_its = |known: &&Assignment| path.file_stem() == Some(known.slug.as_ref());
        let module = assignments.iter().find(is_its).and_then(|known| course.module(known.module));
        let module = module.ok_or_else(|| {
            let slugs: Vec<&str> = assignments.iter().map(|known| &*known.slug).collect();
            Error::usage(format!(
                "\"{}\" belongs to no module of the course file",
                printable(&path)
            ))
            .hint(format!("Its modules are {}: name the file after one.", slugs.join(", ")))
        })?;
        let text =
            std::fs::read_to_string(&path).map_err(|error| Error::io("read", &path, &error))?;
        if let Some(Mistake { line, problem, fix }) =
            cells::mistake_in_hidden(&text, module.reference())
        {
            let place = printable(&path);
            return Err(
                Error::usage(format!("\"{place}\" line {line}: {}", harmless(&problem))).hint(fix)
            );
        }
        tests.insert(module.id, text);
    }
    Ok(tests)
}

/// Whether a path stays below the folder that it starts from.
fn is_below(path: &Path) -> bool {
    let mut parts = path.components();
    parts.all(|part| matches!(part, std::path::Component::Normal(_))) && path != Path::new("")
}

impl Source<'_> {
    fn assignment(&self, written: &WrittenModule, course: &Course) -> Result<Assignment, Error> {
        let module = course.named(written.name.get_ref()).map_err(|error| Error {
            hints: error.hints,
            ..self.error("name", &written.name.span(), &error.message)
        })?;
        let mut assignment = Assignment::of(module);
        if let Some(points) = &written.points {
            let value = u32::try_from(*points.get_ref()).ok();
            let value = value.filter(|value| i64::from(*value) <= MOST_POINTS);
            assignment.points = value.ok_or_else(|| {
                self.error("points", &points.span(), &format!("is {}", points.get_ref()))
                    .hint(format!("Write a whole number from 0 to {MOST_POINTS}."))
            })?;
        }
        if let Some(deadline) = &written.deadline {
            assignment.deadline = Some(self.time(deadline)?);
            assignment.written_deadline = Some(*deadline.get_ref());
        }
        assignment.hints = written.hints;
        assignment.solutions = written.solutions;
        Ok(assignment)
    }

    fn time(&self, deadline: &Spanned<Datetime>) -> Result<i64, Error> {
        let text = deadline.get_ref().to_string();
        let time: Result<Timestamp, _> = text.parse();
        time.map(Timestamp::as_second).map_err(|_| {
            let problem = format!("{text} is not a point in time");
            self.error("deadline", &deadline.span(), &problem).hint(
                "Write date, time and the offset from UTC, such as 2026-11-30T23:59:00+01:00.",
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::classroom::toml_source::assert_named;

    const FILE: &str = "title = \"ML systems\"\nhidden_tests = \"hidden\"\n
[[module]]\nname = \"01_tensor\"\npoints = 20\ndeadline = 2026-11-30T23:59:00+01:00\nhints = false\n
[[module]]\nname = \"activations\"\n";

    fn parse(text: &str) -> Result<CourseFile, Error> {
        CourseFile::parse(text, Course::tinytorch())
    }

    #[test]
    fn modules_have_what_is_written_and_defaults_for_the_rest() {
        let file = parse(FILE).unwrap();
        assert_eq!((&*file.title, file.hidden_tests), ("ML systems", Some("hidden".into())));
        let [tensor, activations] = &file.assignments[..] else { panic!("two modules") };
        assert_eq!((tensor.points, tensor.hints, tensor.solutions), (20, false, false));
        let deadline: Timestamp = "2026-11-30T22:59:00Z".parse().unwrap();
        assert_eq!(tensor.deadline, Some(deadline.as_second()));
        assert!(!tensor.is_late(deadline.as_second()) && tensor.is_late(deadline.as_second() + 1));
        assert_eq!((&*activations.slug, activations.deadline), ("02_activations", None));
        let reference = Course::tinytorch().named("02").unwrap().reference();
        assert_eq!(activations.points, cells::points(reference));
        assert!(activations.hints && !activations.is_late(i64::MAX));
    }

    #[test]
    fn every_mistake_is_named_with_its_key_its_line_and_the_fix() {
        let mistakes = [
            ["\"ML systems\"", "\" \"", "line 1: title: is empty", "name of the course"],
            ["\"hidden\"", "\"../all\"", "line 2: hidden_tests: leads out", "beside"],
            ["\"hidden\"", "\"/etc\"", "line 2: hidden_tests: leads out", "beside"],
            ["01_tensor", "01_tensr", "line 5: name: unknown module", "Did you mean"],
            ["= 20", "= -20", "line 6: points: is -20", "whole number from 0"],
            ["= 20", "= 4294967297", "line 6: points: is 4294967297", "whole number from 0"],
            ["= 20", "= \"many\"", "line 6: points: invalid type", "The keys are"],
            ["+01:00", "", "line 7: deadline: 2026-11-30T23:59:00 is not", "offset from UTC"],
            ["T23:59:00+01:00", "", "line 7: deadline: 2026-11-30 is not", "offset from UTC"],
            ["hints", "hnts", "line 8: hnts: unknown field `hnts`", "The keys are"],
            ["name = \"activations\"", "", "line 10: missing field `name`", "The keys are"],
            ["activations", "1", "line 11: name: 01_tensor is there already, in line 5", "Remove"],
            ["title = ", "title ", "line 1: ", "The keys are"],
        ];
        assert_named(FILE, parse, &mistakes);
        assert_eq!(parse("title = \"a\"").unwrap_err().message, "has no module");
    }

    #[test]
    fn a_folder_of_hidden_tests_that_is_not_there_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("course.toml");
        std::fs::write(&path, FILE).unwrap();
        let error = CourseFile::read(&path, Course::tinytorch()).unwrap_err();
        assert!(error.message.contains("hidden_tests: there is no folder"), "{error}");
        std::fs::create_dir(folder.path().join("hidden")).unwrap();
        let file = CourseFile::read(&path, Course::tinytorch()).unwrap();
        assert_eq!(file.hidden_tests, Some(folder.path().join("hidden")));
    }

    #[test]
    fn hidden_tests_are_checked_and_count_for_their_module() {
        let folder = tempfile::tempdir().unwrap();
        let write =
            |path: &str, text: &str| std::fs::write(folder.path().join(path), text).unwrap();
        std::fs::create_dir(folder.path().join("hidden")).unwrap();
        write("course.toml", FILE);
        let read = || CourseFile::read(&folder.path().join("course.toml"), Course::tinytorch());
        write("hidden/notes.txt", "why");
        assert!(read().unwrap().hidden.is_empty());
        write("hidden/03_layers.rs", TEST);
        let error = read().unwrap_err().to_string();
        assert!(error.contains("03_layers.rs\" belongs to no module"), "{error}");
        assert!(error.contains("01_tensor, 02_activations"), "{error}");
        std::fs::remove_file(folder.path().join("hidden/03_layers.rs")).unwrap();
        write("hidden/01_tensor.rs", &TEST.replace("test-sum-hidden", "test-tensor-new"));
        let error = read().unwrap_err().to_string();
        assert!(error.contains("01_tensor.rs\" line 1: the id \"test-tensor-new\""), "{error}");
        write("hidden/01_tensor.rs", TEST);
        let (plain, file) = (Course::tinytorch(), read().unwrap());
        let course = file.course(plain);
        let [before, after] = [plain, course].map(|course| course.named("01").unwrap());
        assert_eq!(cells::points(after.graded()), 7 + cells::points(before.graded()));
        assert_eq!(after.reference(), before.reference(), "what students get has none of it");
    }

    const TEST: &str = "// %% nbgrader={\"grade\": true, \"grade_id\": \"test-sum-hidden\", \"locked\": true, \"points\": 7, \"schema_version\": 3, \"solution\": false, \"task\": false}\n#[test]\nfn test_unit_sum_hidden() {\n    assert_eq!(Tensor::ones(&[3]).sum().item(), 3.0);\n}\n";
}
