//! A submission of lesson 20 as data: what was measured, with everything that is needed to check it and to measure it
//! again, as JSON and back. A field that is missing, unknown or of another type is refused by its name. Not here: whether
//! what it claims follows from its measurements; lesson 20 decides that.

use crate::bytes::checksum;
use serde::{Deserialize, Serialize};
use std::fmt;

/// The course, by its version. Written out: what a lab compiles, it compiles without cargo, which would know it.
pub const ENGINE: &str = "tinytorch 0.1.0";

/// The form of a file; another one is refused.
pub const SCHEMA: &str = "tinytorch-capstone/1";

/// A pipeline that ran, beside its naive start. The names are those of an entry of TinyMLPerf.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Submission {
    /// The form of this file.
    pub schema: String,
    /// Checksum of everything else, as [`Submission::content_checksum`] computes it.
    pub checksum: String,
    /// What was measured, in words.
    pub task: String,
    /// The data, by a fingerprint.
    pub data: String,
    /// The course by its version, and the trained model by a fingerprint.
    pub engine: String,
    /// Where it ran, for people.
    pub machine: String,
    /// What the random numbers began with.
    pub seeds: Seeds,
    /// New tokens of each run.
    pub tokens: usize,
    /// Seconds for them: the naive start and the end of the pipeline, in turn.
    pub pairs: Vec<[f64; 2]>,
    /// Perplexities on the test set: at the start and at the end.
    pub quality: [f64; 2],
    /// By which fraction the perplexity may be higher at the end.
    pub allowed: f64,
    /// What was counted in both.
    pub counted: [Evidence; 2],
    /// How many times as many tokens in a second: low, estimate, high.
    pub score: [f64; 3],
    /// The techniques that were detected.
    pub techniques: Vec<String>,
}

/// What the random numbers began with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Seeds {
    /// Weights and order of the training.
    pub training: u64,
    /// The resamples of the interval.
    pub bootstrap: u64,
}

/// What was counted in a model and in its run. Nothing here is a description.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Evidence {
    /// Numbers that were learned.
    pub parameters: usize,
    /// How many of them are exactly 0. In layers of integers: those that are 0 for another reason than rounding.
    pub zeros: usize,
    /// How many numbers the bytes hold. Where it is missing, all that are not 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stored: Option<usize>,
    /// The bytes of the weights, with scales and indices.
    pub bytes: usize,
    /// Positions that passed through the model for each new token; 0 where nothing is generated.
    pub positions: f64,
    /// The backend that computed the products.
    pub backend: String,
}

impl Evidence {
    /// How many numbers the bytes hold: dense layers hold their zeros too, sparse ones do not.
    #[must_use]
    pub fn stored(&self) -> usize {
        self.stored.unwrap_or(self.parameters.saturating_sub(self.zeros))
    }
}

/// A field that is not what it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// Its name: `pairs[2]`, `score`.
    pub field: String,
    /// What is wrong with it.
    pub reason: String,
}

impl Fault {
    /// A fault of this field.
    pub fn new(field: impl Into<String>, reason: impl Into<String>) -> Self {
        Self { field: field.into(), reason: reason.into() }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.field, self.reason)
    }
}

impl Submission {
    /// The checksum of everything but the field of that name, as eight hexadecimal digits. It finds accidents and careless
    /// edits; who computes it again is found by the claims that do not follow.
    #[must_use]
    pub fn content_checksum(&self) -> String {
        let content = Self { checksum: String::new(), ..self.clone() };
        format!("{:08x}", checksum(content.to_json().as_bytes()))
    }

    /// As a text of several lines. What is not a number becomes `null`, which nothing reads back.
    #[must_use]
    pub fn to_json(&self) -> String {
        serde_json::to_string_pretty(self).unwrap_or_default()
    }

    /// What a text holds.
    ///
    /// # Errors
    /// Names the place, and the field that is missing, unknown or of another type.
    pub fn from_json(text: &str) -> Result<Self, Fault> {
        serde_json::from_str(text).map_err(|error| {
            let message = error.to_string();
            let field = message.split('`').nth(1).unwrap_or("the file").to_owned();
            Fault::new(field, format!("{message}; write the submission again"))
        })
    }

    /// A made-up one for tests, which fits together: 9 pairs of 1 to 9 s beside 0.01 s, so a score around 500.
    #[must_use]
    pub fn example() -> Self {
        let counted = |bytes, positions, backend: &str| Evidence {
            parameters: 100,
            zeros: 0,
            stored: None,
            bytes,
            positions,
            backend: backend.to_owned(),
        };
        Self {
            schema: SCHEMA.to_owned(),
            checksum: String::new(),
            task: "100 tokens".to_owned(),
            data: "0badf00d".to_owned(),
            engine: format!("{ENGINE}, model 0badf00d"),
            machine: "linux x86_64, 2 cores".to_owned(),
            seeds: Seeds { training: 1, bootstrap: 2 },
            tokens: 100,
            pairs: (1..=9).map(|seconds| [f64::from(seconds), 0.01]).collect(),
            quality: [8.0, 8.2],
            allowed: 0.05,
            counted: [counted(400, 60.0, "plain"), counted(100, 1.1, "fast")],
            score: [0.0; 3],
            techniques: vec![],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_is_that_of_the_package() {
        assert_eq!(ENGINE, concat!("tinytorch ", env!("CARGO_PKG_VERSION")));
    }

    #[test]
    fn what_is_written_is_read_back_to_the_last_bit() {
        let one = Submission { score: [1.0 / 3.0, 2.0 / 3.0, 1e9], ..Submission::example() };
        assert_eq!(Submission::from_json(&one.to_json()), Ok(one));
    }

    #[test]
    fn a_missing_an_unknown_and_a_wrong_field_are_named() {
        let text = Submission::example().to_json();
        let fault = |text: &str| Submission::from_json(text).unwrap_err();
        assert_eq!(fault(&text.replace("\"tokens\": 100,", "")).field, "tokens");
        assert_eq!(fault(&text.replace("\"tokens\"", "\"token\"")).field, "token");
        let wrong = fault(&text.replace("\"tokens\": 100", "\"tokens\": -1"));
        assert!(wrong.reason.contains("-1") && wrong.reason.contains("line"), "{wrong}");
        assert!(fault("").reason.contains("EOF"));
    }

    #[test]
    fn what_is_not_a_number_is_not_read_back() {
        let text = Submission { allowed: f64::NAN, ..Submission::example() }.to_json();
        assert!(Submission::from_json(&text).unwrap_err().reason.contains("null"));
    }

    #[test]
    fn the_checksum_covers_every_field_but_itself() {
        let one = Submission::example();
        let other = Submission { machine: "another".to_owned(), ..one.clone() };
        assert_ne!(one.content_checksum(), other.content_checksum());
        let sealed = Submission { checksum: one.content_checksum(), ..one.clone() };
        assert_eq!(one.content_checksum(), sealed.content_checksum());
    }
}
