//! A student's id, which is also the name of a folder: so it is safe as one, or it is refused. Must not know the roster.

use serde::{Deserialize, Serialize};
use std::fmt;

/// In characters.
const LONGEST: usize = 64;

/// The id of a student: ASCII letters, digits and `. _ - @ +`, beginning with a letter or a digit.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct StudentId(String);

impl StudentId {
    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for StudentId {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let is_part = |c: char| c.is_ascii_alphanumeric() || "._-@+".contains(c);
        let problem = match text.chars().next() {
            None => "the id of a student is empty".to_owned(),
            Some(first) if !first.is_ascii_alphanumeric() => {
                format!("the student id {text:?} must begin with a letter or a digit")
            }
            _ if text.chars().count() > LONGEST => {
                format!("a student id has at most {LONGEST} characters, and this one has more")
            }
            _ => match text.chars().find(|c| !is_part(*c)) {
                None => return Ok(Self(text)),
                Some(c) => format!(
                    "the student id {text:?} contains {c:?}: use ASCII letters, digits and . _ - @ +"
                ),
            },
        };
        Err(problem)
    }
}

impl From<StudentId> for String {
    fn from(id: StudentId) -> Self {
        id.0
    }
}

impl fmt::Display for StudentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_that_is_no_safe_name_of_a_folder_is_refused() {
        for text in
            ["", ".", "..", "-rf", "a/b", "a\\b", "a b", "a\0", "é", "=1+2", &"x".repeat(65)]
        {
            assert!(StudentId::try_from(text.to_owned()).is_err(), "{text:?}");
        }
        for text in ["s1234567", "ada.lovelace@example.org", "7", "a+b_c-d"] {
            assert_eq!(StudentId::try_from(text.to_owned()).unwrap().as_str(), text);
        }
    }
}
