//! The roster: a CSV file with the columns `id`, `name` and `email`, of which only `id` is required; other columns are
//! ignored. Finds the student whom the name of a folder or of an archive means. Must not know submissions.

use super::student::StudentId;
use crate::error::{Error, harmless, printable};
use csv::{ReaderBuilder, StringRecord, Trim};
use std::collections::BTreeMap;
use std::path::Path;

/// In bytes: a roster of 100,000 students is smaller.
const LARGEST: u64 = 16 * 1024 * 1024;

/// The students of a class.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Roster {
    /// In the order of the file.
    pub students: Vec<Student>,
}

/// One student.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Student {
    /// What submissions are filed under.
    pub id: StudentId,
    /// For people; empty where the roster has none.
    pub name: String,
    /// Empty where the roster has none.
    pub email: String,
}

/// Where the columns are.
struct Columns {
    id: usize,
    name: Option<usize>,
    email: Option<usize>,
}

impl Roster {
    /// Reads the file at `path`.
    ///
    /// # Errors
    /// When it cannot be read, or a line has a mistake.
    pub fn read(path: &Path) -> Result<Self, Error> {
        let failed = |error: std::io::Error| Error::io("read", path, &error);
        let size = path.metadata().map_err(failed)?.len();
        if size > LARGEST {
            let message = format!("\"{}\" has {size} bytes: is it a roster?", printable(path));
            return Err(
                Error::usage(message).hint(format!("A roster has at most {LARGEST} bytes."))
            );
        }
        let bytes = std::fs::read(path).map_err(failed)?;
        Self::parse(&bytes).map_err(|error| Error {
            message: format!("\"{}\" {}", printable(path), error.message),
            ..error
        })
    }

    /// Reads the text of a roster.
    ///
    /// # Errors
    /// When a line has a mistake: the first one.
    pub fn parse(bytes: &[u8]) -> Result<Self, Error> {
        // Spreadsheets write a mark at the beginning.
        let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
        let mut reader = ReaderBuilder::new().trim(Trim::All).from_reader(bytes);
        let columns = columns(reader.headers().map_err(|error| malformed(&error))?)?;
        let (mut students, mut lines) = (vec![], BTreeMap::new());
        for record in reader.records() {
            let record = record.map_err(|error| malformed(&error))?;
            let line = record.position().map_or(0, csv::Position::line);
            let student = student(&record, &columns, line)?;
            // Ids are names of folders, and some file systems ignore capitals.
            if let Some(first) = lines.insert(student.id.as_str().to_ascii_lowercase(), line) {
                let message = format!(
                    "line {line}: the id {:?} is there already, in line {first}",
                    student.id.as_str()
                );
                return Err(Error::usage(message).hint("Remove one of the two lines."));
            }
            students.push(student);
        }
        if students.is_empty() {
            let error = Error::usage("has no students");
            return Err(error.hint("Write a line for each below the line of column names."));
        }
        Ok(Self { students })
    }

    /// The student of that id.
    #[must_use]
    pub fn student(&self, id: &StudentId) -> Option<&Student> {
        self.students.iter().find(|student| student.id == *id)
    }

    /// The student whom the name of a folder or archive means: the id, the e-mail address, or, as Moodle names them, the
    /// full name before the first `_`. `None` where no student is meant, or more than one.
    #[must_use]
    pub fn owner(&self, name: &str) -> Option<&Student> {
        let by_id = self.students.iter().find(|student| student.id.as_str() == name);
        let full = name.split('_').next().unwrap_or(name).trim();
        by_id
            .or_else(|| self.only(|student| student.email.eq_ignore_ascii_case(name)))
            .or_else(|| self.only(|student| student.name.to_lowercase() == full.to_lowercase()))
            .filter(|_| !full.is_empty())
    }

    fn only(&self, is_meant: impl Fn(&Student) -> bool) -> Option<&Student> {
        let mut meant = self.students.iter().filter(|student| is_meant(student));
        meant.next().filter(|_| meant.next().is_none())
    }
}

fn columns(header: &StringRecord) -> Result<Columns, Error> {
    let column = |names: &[&str]| {
        header.iter().position(|cell| names.iter().any(|name| cell.eq_ignore_ascii_case(name)))
    };
    let id = column(&["id"]).ok_or_else(|| {
        let found: Vec<String> = header.iter().take(9).map(harmless).collect();
        Error::usage(format!("line 1: there is no column \"id\" among {}", found.join(", ")))
            .hint("The first line names the columns: id,name,email")
    })?;
    Ok(Columns { id, name: column(&["name"]), email: column(&["email", "e-mail"]) })
}

fn student(record: &StringRecord, columns: &Columns, line: u64) -> Result<Student, Error> {
    let cell = |column: Option<usize>| {
        harmless(column.and_then(|column| record.get(column)).unwrap_or_default())
            .replace('\n', " ")
    };
    let id = StudentId::try_from(record.get(columns.id).unwrap_or_default().to_owned());
    let id = id.map_err(|problem| {
        Error::usage(format!("line {line}: {problem}")).hint("Correct the column \"id\".")
    })?;
    Ok(Student { id, name: cell(columns.name), email: cell(columns.email) })
}

fn malformed(error: &csv::Error) -> Error {
    let line = error.position().map_or(String::new(), |place| format!("line {}: ", place.line()));
    let problem = match error.kind() {
        csv::ErrorKind::Utf8 { .. } => "not UTF-8".to_owned(),
        csv::ErrorKind::UnequalLengths { expected_len, len, .. } => {
            format!("{len} columns, and the first line has {expected_len}")
        }
        _ => error.to_string(),
    };
    Error::usage(format!("{line}{problem}")).hint("Save the roster as CSV with commas, in UTF-8.")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Roster, Error> {
        Roster::parse(text.as_bytes())
    }

    #[test]
    fn columns_are_found_by_name_whatever_their_order() {
        let roster =
            parse("\u{feff}Section,Email,ID,Name\nA,ada@x.org,s1,\"Lovelace, Ada\"\nB,,s2,Zoë\n");
        let students = roster.unwrap().students;
        assert_eq!(students[0].id.as_str(), "s1");
        assert_eq!((&*students[0].name, &*students[0].email), ("Lovelace, Ada", "ada@x.org"));
        assert_eq!((students[1].id.as_str(), &*students[1].name), ("s2", "Zoë"));
    }

    #[test]
    fn a_mistake_is_refused_with_its_line() {
        let mistakes = [
            ("id,name\ns1,Ada\n,Bob\n", "line 3: the id of a student is empty"),
            (
                "id,name\ns1,Ada\ns2,Bob\nS1,Eve\n",
                "line 4: the id \"S1\" is there already, in line 2",
            ),
            ("id,name\n../s1,Ada\n", "line 2: the student id \"../s1\" must begin with"),
            ("id,name\n=cmd(),Ada\n", "line 2: the student id \"=cmd()\" must begin with"),
            ("id,name\ns1,Ada,x\n", "line 2: 3 columns, and the first line has 2"),
            ("name\nAda\n", "line 1: there is no column \"id\" among name"),
            ("id\n", "has no students"),
            ("", "line 1: there is no column \"id\""),
        ];
        for (text, problem) in mistakes {
            let error = parse(text).unwrap_err();
            assert!(error.message.starts_with(problem), "{text:?}: {error}");
            assert!(!error.hints.is_empty(), "{text:?}");
        }
        let error = Roster::parse(b"id,name\ns1,Zo\xeb\n").unwrap_err();
        assert_eq!(error.message, "line 2: not UTF-8");
        assert!(Roster::parse(b"\xff\xfei\0d\0\n\0").is_err());
    }

    #[test]
    fn a_name_means_a_student_by_id_by_address_or_as_moodle_writes_it() {
        let roster =
            parse("id,name,email\ns1,Ada Lovelace,ada@x.org\ns2,Bob,\ns3,bob,b@x.org\ns4,,\n");
        let roster = roster.unwrap();
        let owner = |name| roster.owner(name).map(|student| student.id.as_str());
        assert_eq!(owner("s1"), Some("s1"));
        assert_eq!(owner("ADA@x.org"), Some("s1"));
        assert_eq!(owner("Ada Lovelace_123456_assignsubmission_file_"), Some("s1"));
        assert_eq!(owner("Bob_1"), None, "two students have this name");
        assert_eq!([owner(""), owner("_"), owner("S1"), owner("s9")], [None; 4]);
    }

    #[test]
    fn control_characters_in_names_become_symbols() {
        let roster = parse("id,name\ns1,\"\x1b[2JAda\nB\"\n").unwrap();
        assert_eq!(roster.students[0].name, "␛[2JAda B");
    }
}
