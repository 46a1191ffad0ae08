//! The leaderboard of a class: which entries of TinyMLPerf run again on one machine, and how they rank there. Input: a folder
//! with a file of entries for each student, read as hostile. Output: candidates with their code, then rows. What a file
//! claims decides only which entry of a student runs. Not here: running them.

use super::StudentId;
use super::export::inert;
use crate::error::{Error, harmless, printable};
use crate::report::mlperf::{self, Entry};
use csv::Writer;
use serde::Serialize;
use std::fs::{self, File};
use std::io::Read;
use std::path::Path;
use tinytorch::benchmarking::{Event, Interval, ranks};

/// In bytes: many entries with their code fit.
const LARGEST_FILE: u64 = 4 << 20;
/// In bytes: the course's own entry has a hundredth of it.
const LONGEST_CODE: usize = 256 << 10;
/// A baseline that took so many times as long as in the other runs is remarked: an entry may have slowed it down.
const SLOW: f64 = 1.5;

/// An entry that is to run again.
#[derive(Debug, Clone, PartialEq)]
pub struct Candidate {
    /// Whose it is.
    pub student: StudentId,
    /// The event.
    pub event: Event,
    /// What the student measured.
    pub entry: Entry,
    /// Its code.
    pub code: String,
}

/// A line of the leaderboard: an entry with its rank, or one that has none.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Row {
    /// The event; empty where the file could not be read.
    pub event: String,
    /// From 1; entries that cannot be told apart share it. None for an entry that did not run.
    pub rank: Option<usize>,
    /// The student's id, or the name of a file that is none.
    pub student: String,
    /// What the entry calls itself.
    pub name: String,
    /// How many times as fast as the baseline it is, measured here: low, estimate, high.
    pub score: Option<[f64; 3]>,
    /// An accuracy in percent, or a perplexity.
    pub quality: Option<f64>,
    /// What the entry does, as it was found.
    pub techniques: Vec<String>,
    /// The median time of the baseline beside it, in seconds.
    pub baseline: Option<f64>,
    /// The estimate that the student measured.
    pub claimed: Option<f64>,
    /// Why it has no rank, or what to look at.
    pub remark: String,
}

/// The entries that are to run again, by event and student: of each student the one with the best score in each event.
/// What cannot run is a row without a rank.
///
/// # Errors
/// When the folder cannot be read.
pub fn candidates(folder: &Path) -> Result<(Vec<Candidate>, Vec<Row>), Error> {
    let failed = |error: std::io::Error| Error::io("read the folder", folder, &error);
    let (mut found, mut refused) = (vec![], vec![]);
    for file in fs::read_dir(folder).map_err(failed)? {
        let path = file.map_err(failed)?.path();
        match read(&path) {
            Ok((student, entries)) => {
                for event in Event::ALL {
                    match best(&student, event, &entries) {
                        Some(Ok(candidate)) => found.push(candidate),
                        Some(Err(row)) => refused.push(row),
                        None => {}
                    }
                }
            }
            Err(reason) => {
                let name = path.file_name().map(Path::new).map(printable).unwrap_or_default();
                refused.push(Row { student: name.to_string(), remark: reason, ..Row::empty() });
            }
        }
    }
    found.sort_by(|a: &Candidate, b| (a.event.id(), &a.student).cmp(&(b.event.id(), &b.student)));
    refused.sort_by(|a, b| (&a.event, &a.student).cmp(&(&b.event, &b.student)));
    Ok((found, refused))
}

/// The student that a file is named after, and its entries.
fn read(path: &Path) -> Result<(StudentId, Vec<Entry>), String> {
    let text = |error: std::io::Error| error.to_string();
    if !fs::symlink_metadata(path).map_err(text)?.is_file() {
        return Err("it is not a regular file".into());
    }
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let id = name.strip_suffix(".json").ok_or("its name is not STUDENT.json")?;
    let student = StudentId::try_from(id.to_owned()).map_err(|problem| harmless(&problem))?;
    let mut content = String::new();
    let file = File::open(path).map_err(text)?;
    file.take(LARGEST_FILE + 1).read_to_string(&mut content).map_err(text)?;
    if content.len() as u64 > LARGEST_FILE {
        return Err(format!("it has more than {LARGEST_FILE} bytes"));
    }
    let entries = mlperf::from_file(&content).map_err(|error| harmless(&error.to_string()))?;
    Ok((student, entries))
}

/// The entry of a student that runs in an event, or why none does; nothing where there is no entry.
fn best(student: &StudentId, event: Event, entries: &[Entry]) -> Option<Result<Candidate, Row>> {
    let estimate = |entry: &&Entry| entry.interval().estimate;
    let own = entries.iter().filter(|entry| entry.event == event.id());
    let (with_code, without): (Vec<&Entry>, Vec<&Entry>) =
        own.partition(|entry| entry.code.is_some());
    let by_score = |a: &&Entry, b: &&Entry| estimate(a).total_cmp(&estimate(b));
    let entry = with_code.into_iter().max_by(by_score).or(without.into_iter().max_by(by_score))?;
    let candidate = |code: &str| Candidate {
        student: student.clone(),
        event,
        entry: entry.clone(),
        code: code.to_owned(),
    };
    Some(match &entry.code {
        Some(code) if code.len() <= LONGEST_CODE => Ok(candidate(code)),
        Some(_) => Err(candidate("").left_out(format!("its code has more than {LONGEST_CODE} bytes"))),
        None => Err(candidate("").left_out(
            "the file has no code: it was measured with an earlier version; run it again and export it".into(),
        )),
    })
}

impl Candidate {
    /// Its row when it did not run.
    #[must_use]
    pub fn left_out(&self, reason: String) -> Row {
        Row {
            event: self.event.id().to_owned(),
            student: self.student.to_string(),
            name: harmless(&self.entry.name),
            claimed: Some(self.entry.interval().estimate),
            remark: reason,
            ..Row::empty()
        }
    }
}

impl Row {
    fn empty() -> Self {
        Self {
            event: String::new(),
            rank: None,
            student: String::new(),
            name: String::new(),
            score: None,
            quality: None,
            techniques: vec![],
            baseline: None,
            claimed: None,
            remark: String::new(),
        }
    }
}

/// The rows of one event, best first, from what was measured here.
#[must_use]
pub fn rank(measured: &[(Candidate, Entry)]) -> Vec<Row> {
    let scores: Vec<Interval> = measured.iter().map(|(_, entry)| entry.interval()).collect();
    let baselines: Vec<f64> = measured.iter().map(|(_, entry)| baseline(entry)).collect();
    let usual = median(baselines.clone());
    let row = |(((candidate, entry), rank), baseline): ((&(Candidate, Entry), usize), f64)| {
        let times = baseline / usual;
        let remark = match times {
            SLOW.. => format!("its baseline took {times:.1} times as long as the others'"),
            _ => String::new(),
        };
        Row {
            rank: Some(rank),
            name: entry.name.clone(),
            score: Some(entry.score),
            quality: Some(entry.quality),
            techniques: entry.techniques.clone(),
            baseline: Some(baseline),
            ..candidate.left_out(remark)
        }
    };
    let mut rows: Vec<Row> = measured.iter().zip(ranks(&scores)).zip(baselines).map(row).collect();
    let estimate = |row: &Row| row.score.map_or(0.0, |[_, estimate, _]| estimate);
    rows.sort_by(|a, b| a.rank.cmp(&b.rank).then(estimate(b).total_cmp(&estimate(a))));
    rows
}

fn baseline(entry: &Entry) -> f64 {
    median(entry.pairs.iter().map(|[baseline, _]| *baseline).collect())
}

/// The middle one of the numbers; of an even count the upper of the two.
fn median(mut numbers: Vec<f64>) -> f64 {
    numbers.sort_by(f64::total_cmp);
    numbers.get(numbers.len() / 2).copied().unwrap_or(f64::NAN)
}

/// One row for each entry.
///
/// # Errors
/// When there is no memory left.
pub fn csv(rows: &[Row]) -> Result<String, Error> {
    #[derive(Serialize)]
    struct Line<'a> {
        event: &'a str,
        rank: Option<usize>,
        student_id: String,
        name: String,
        low: Option<f64>,
        score: Option<f64>,
        high: Option<f64>,
        quality: Option<f64>,
        techniques: String,
        baseline_seconds: Option<f64>,
        claimed: Option<f64>,
        remark: String,
    }
    let failed = |error: &dyn std::fmt::Display| Error::environment(format!("no CSV: {error}"));
    let mut writer = Writer::from_writer(vec![]);
    for row in rows {
        let bound = |at: usize| row.score.map(|score| score[at]);
        let line = Line {
            event: &row.event,
            rank: row.rank,
            student_id: inert(&row.student),
            name: inert(&row.name),
            low: bound(0),
            score: bound(1),
            high: bound(2),
            quality: row.quality,
            techniques: row.techniques.join(", "),
            baseline_seconds: row.baseline,
            claimed: row.claimed,
            remark: inert(&row.remark),
        };
        writer.serialize(line).map_err(|error| failed(&error))?;
    }
    let bytes = writer.into_inner().map_err(|error| failed(&error))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use tinytorch::submission::Evidence;

    /// An entry that is so many times as fast as a baseline of this many seconds.
    fn entry(name: &str, times: f64, baseline: f64, code: Option<&str>) -> Entry {
        let counted =
            Evidence { parameters: 9, bytes: 36, backend: "plain".into(), ..Evidence::default() };
        let pairs = (0..25).map(|run| f64::from(run).mul_add(1e-5, 1.0) * baseline);
        Entry {
            event: "mlp_sprint".into(),
            name: name.into(),
            at: 1000,
            machine: String::new(),
            pairs: pairs.map(|seconds| [seconds, seconds / times]).collect(),
            quality: 97.0,
            counted: [counted.clone(), counted],
            score: [times; 3],
            techniques: vec![],
            code: code.map(str::to_owned),
        }
    }

    fn id(text: &str) -> StudentId {
        text.to_owned().try_into().unwrap()
    }

    fn measured(student: &str, times: f64, baseline: f64) -> (Candidate, Entry) {
        let claimed = entry("claimed", 99.0, 1.0, Some("code"));
        let candidate = Candidate {
            student: id(student),
            event: Event::MlpSprint,
            entry: claimed,
            code: "code".into(),
        };
        (candidate, entry("here", times, baseline, None))
    }

    #[test]
    fn the_ranks_follow_from_what_was_measured_here_and_ties_share_one() {
        let all = [measured("ada", 2.0, 0.1), measured("bob", 3.0, 0.1), measured("eve", 2.0, 0.1)];
        let rows = rank(&all);
        let ranks: Vec<_> = rows.iter().map(|row| (row.rank.unwrap(), &*row.student)).collect();
        assert_eq!(ranks, [(1, "bob"), (2, "ada"), (2, "eve")]);
        assert_eq!((rows[0].claimed, rows[0].score.unwrap()[1]), (Some(99.0), 3.0));
        assert_eq!(rows[0].name, "here");
        assert!(rows.iter().all(|row| row.remark.is_empty()), "{rows:#?}");
    }

    #[test]
    fn a_baseline_that_an_entry_may_have_slowed_down_is_remarked() {
        let all = [measured("ada", 2.0, 0.1), measured("bob", 3.0, 0.2), measured("eve", 2.0, 0.1)];
        let remark = &rank(&all)[0].remark;
        assert_eq!(remark, "its baseline took 2.0 times as long as the others'");
    }

    #[test]
    fn the_best_entry_with_code_runs_and_one_without_is_named() {
        let entries = [
            entry("slow", 2.0, 1.0, Some("slow")),
            entry("old", 9.0, 1.0, None),
            entry("fast", 3.0, 1.0, Some("fast")),
        ];
        let candidate = best(&id("ada"), Event::MlpSprint, &entries).unwrap().unwrap();
        assert_eq!((&*candidate.entry.name, &*candidate.code), ("fast", "fast"));
        assert_eq!(best(&id("ada"), Event::CnnMarathon, &entries), None);
        let row = best(&id("ada"), Event::MlpSprint, &entries[1..2]).unwrap().unwrap_err();
        assert!(row.remark.contains("no code") && row.rank.is_none(), "{row:?}");
        let long = "x".repeat(LONGEST_CODE + 1);
        let entries = [entry("long", 2.0, 1.0, Some(&long))];
        let row = best(&id("ada"), Event::MlpSprint, &entries).unwrap().unwrap_err();
        assert!(row.remark.contains("more than 262144 bytes"), "{}", row.remark);
    }

    #[test]
    fn what_is_no_file_of_entries_is_a_row_with_its_reason() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &[u8]| fs::write(folder.path().join(name), text).unwrap();
        write("ada.json", mlperf::to_file(&[]).as_bytes());
        write("bob.json", b"{\"schema\": \"tinymlperf/9\"}");
        write("=cmd.json", b"{}");
        write("notes.txt", b"");
        fs::create_dir(folder.path().join("dir.json")).unwrap();
        std::os::unix::fs::symlink("ada.json", folder.path().join("eve.json")).unwrap();
        let (found, refused) = candidates(folder.path()).unwrap();
        assert!(found.is_empty(), "Ada has no entry: {found:?}");
        let reasons: Vec<(&str, &str)> =
            refused.iter().map(|row| (&*row.student, &*row.remark)).collect();
        let expected = [
            ("=cmd.json", "must begin with"),
            ("bob.json", "tinymlperf/9"),
            ("dir.json", "not a regular file"),
            ("eve.json", "not a regular file"),
            ("notes.txt", "STUDENT.json"),
        ];
        assert_eq!(reasons.len(), expected.len(), "{reasons:#?}");
        for ((student, reason), (file, part)) in reasons.iter().zip(expected) {
            assert!(*student == file && reason.contains(part), "{student}: {reason}");
        }
        let table = csv(&refused).unwrap();
        assert!(table.contains(",'=cmd.json,"), "{table}");
    }
}
