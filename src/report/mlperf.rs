//! Entries of TinyMLPerf: made of a report, written to a file, read from one with every claim checked, and ranked. Input:
//! a report or a text. Output: plain values. Not here: running an event, the store, the clock.

use super::ModuleReport;
use crate::error::{Error, harmless};
use serde::{Deserialize, Serialize};
use tinytorch::benchmarking::{BenchmarkResult, Event, Interval, Pair, ranks, score, techniques};
use tinytorch::random::Rng;
use tinytorch::report::{Item, Table, Value};
use tinytorch::submission::Evidence;

/// The form of a file; another one is refused.
pub const SCHEMA: &str = "tinymlperf/3";
/// The forms before it, which are read too: without the count of stored numbers, and before that without code.
const OLDER: [&str; 2] = ["tinymlperf/2", "tinymlperf/1"];

/// Pairs that an event measures; a file with fewer is no run of it.
const PAIRS: usize = 25;

/// An entry that ran. Its measurements are all it claims: the score and the techniques follow from them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// The event's id.
    pub event: String,
    /// What the entry calls itself.
    pub name: String,
    /// Seconds since 1970, as the machine's clock had it.
    pub at: i64,
    /// Where it ran, for people: `linux x86_64, 2 cores`.
    pub machine: String,
    /// The baseline and the entry in seconds, in turn.
    pub pairs: Vec<[f64; 2]>,
    /// The quality of the entry: an accuracy in percent, or a perplexity.
    pub quality: f64,
    /// What was counted in the baseline and in the entry.
    pub counted: [Evidence; 2],
    /// How many times as fast as the baseline it is: low, estimate, high.
    pub score: [f64; 3],
    /// The techniques that were found.
    pub techniques: Vec<String>,
    /// The entry's file, so that it can run on another machine; none before entries carried it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
}

/// A file of entries.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    schema: String,
    /// BLAKE3 of the entries as JSON without spaces.
    checksum: String,
    entries: Vec<Entry>,
}

/// The event of this id, or of its first word: `mlp_sprint`, `mlp`, `sprint`.
#[must_use]
pub fn event(word: &str) -> Option<Event> {
    let word = word.replace('-', "_").to_lowercase();
    let is_meant = |event: &Event| event.id() == word || event.id().split('_').any(|w| w == word);
    Event::ALL.into_iter().find(is_meant)
}

impl Entry {
    /// The entry that a program reported.
    ///
    /// # Errors
    /// When the program did not report everything, or what it measured allows no score.
    pub fn of(
        event: Event,
        report: &ModuleReport,
        at: i64,
        machine: String,
        code: String,
    ) -> Result<Self, Error> {
        let items: Vec<&Item> = report.analyses.iter().flat_map(|program| &program.items).collect();
        let noted = items.iter().find_map(|item| match item {
            Item::Note(note) => Some(note.text.clone()),
            _ => None,
        });
        let incomplete = |what: &str| {
            let reason = noted.clone().unwrap_or_else(|| format!("it reported no {what}"));
            Error::unmet(format!("{} has no result: {reason}", event.id()))
        };
        let table = |title: &str| {
            let found = items.iter().find_map(|item| match item {
                Item::Table(table) if table.title == title => Some(table),
                _ => None,
            });
            found.ok_or_else(|| incomplete(title))
        };
        let name = items.iter().find_map(|item| match item {
            Item::Text(text) if text.title == "Entry" => Some(text.text.clone()),
            _ => None,
        });
        let quality = items.iter().find_map(|item| match item {
            Item::Metric(metric) if metric.name == "quality of the entry" => Some(metric.value),
            _ => None,
        });
        let entry = Self {
            event: event.id().to_owned(),
            name: name.ok_or_else(|| incomplete("name"))?,
            at,
            machine,
            quality: quality.ok_or_else(|| incomplete("quality"))?,
            pairs: times(table("Pairs of runs")?),
            counted: counts(table("What was counted")?).ok_or_else(|| incomplete("counts"))?,
            score: [0.0; 3],
            techniques: vec![],
            code: Some(code),
        };
        let (score, techniques) =
            entry.judged().map_err(|reason| Error::unmet(format!("no score: {reason}")))?;
        Ok(Self { score, techniques, ..entry })
    }

    /// The score and the techniques that follow from the measurements, or why there are none.
    fn judged(&self) -> Result<([f64; 3], Vec<String>), String> {
        let event = Event::ALL.into_iter().find(|event| event.id() == self.event);
        let event = event.ok_or_else(|| format!("there is no event \"{}\"", self.event))?;
        if self.pairs.len() != PAIRS {
            return Err(format!("{} pairs, and an event measures {PAIRS}", self.pairs.len()));
        }
        for (side, of) in ["baseline", "entry"].into_iter().enumerate() {
            let times: Vec<f64> = self.pairs.iter().map(|pair| pair[side]).collect();
            BenchmarkResult::new(&format!("times of the {of}"), "s", &times)
                .map_err(|error| error.to_string())?;
            if let Some(pair) = times.iter().position(|&time| time <= 0.0) {
                return Err(format!("times of the {of}: run {} took no time", pair + 1));
            }
        }
        let pairs: Vec<Pair> =
            self.pairs.iter().map(|&[baseline, entry]| Pair { baseline, entry }).collect();
        let [baseline, entry] = &self.counted;
        for counted in [baseline, entry] {
            let (parameters, stored) = (counted.parameters, counted.stored());
            if counted.zeros > parameters {
                return Err(format!("{} zeros among {parameters} parameters", counted.zeros));
            }
            if stored > parameters {
                return Err(format!("{stored} numbers are stored of {parameters} parameters"));
            }
            if !(counted.positions.is_finite() && counted.positions >= 0.0) {
                return Err(format!("{} positions for each token", counted.positions));
            }
        }
        let found = score(&pairs, self.quality, event.floor(), &mut Rng::seeded(19))
            .map_err(|error| error.to_string())?;
        let used = techniques(entry, baseline);
        let used = used.into_iter().map(|technique| format!("{technique:?}")).collect();
        Ok(([found.low, found.estimate, found.high], used))
    }

    /// Why this entry cannot be what it claims; nothing where all of it follows from its measurements.
    fn contradiction(&self) -> Option<String> {
        let (score, techniques) = match self.judged() {
            Ok(judged) => judged,
            Err(reason) => return Some(reason),
        };
        let differs = |(a, b): (&f64, &f64)| a.is_nan() || (a - b).abs() > 1e-9 * b.abs();
        if self.score.iter().zip(&score).any(differs) {
            let [low, estimate, high] = score;
            return Some(format!(
                "score {:?} does not follow from its pairs of times, which give {estimate:.3} ({low:.3} to {high:.3})",
                self.score
            ));
        }
        (self.techniques != techniques).then(|| {
            format!(
                "techniques {:?} do not follow from its counts, which give {techniques:?}",
                self.techniques
            )
        })
    }

    /// Identifies it: the same run has the same fingerprint, wherever it is.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        checksum(std::slice::from_ref(self))
    }

    /// The interval of the score.
    #[must_use]
    pub fn interval(&self) -> Interval {
        let [low, estimate, high] = self.score;
        Interval { low, estimate, high }
    }
}

fn number(value: &Value) -> Option<f64> {
    match value {
        Value::Float(number) => Some(*number),
        Value::Int(number) => Some(*number as f64),
        Value::Text(_) | Value::Spread { .. } => None,
    }
}

/// Both columns of times; NaN where there is no number, which `judged` refuses.
fn times(table: &Table) -> Vec<[f64; 2]> {
    let time = |row: &[Value], at: usize| row.get(at).and_then(number).unwrap_or(f64::NAN);
    table.rows.iter().map(|row| [time(row, 0), time(row, 1)]).collect()
}

fn counts(table: &Table) -> Option<[Evidence; 2]> {
    let of = |side: usize| {
        let value = |row: usize| table.rows.get(row)?.get(side);
        let count = |row: usize| number(value(row)?).map(|count| count as usize);
        let Value::Text(backend) = value(5)? else { return None };
        Some(Evidence {
            parameters: count(0)?,
            zeros: count(1)?,
            stored: Some(count(2)?),
            bytes: count(3)?,
            positions: number(value(4)?)?,
            backend: backend.clone(),
        })
    };
    Some([of(1)?, of(2)?])
}

fn checksum(entries: &[Entry]) -> String {
    blake3::hash(super::json::to_line(&entries).as_bytes()).to_hex().to_string()
}

/// A file with these entries.
#[must_use]
pub fn to_file(entries: &[Entry]) -> String {
    let file =
        File { schema: SCHEMA.into(), checksum: checksum(entries), entries: entries.to_vec() };
    serde_json::to_string_pretty(&file).unwrap_or_default() + "\n"
}

/// The entries of a file, if every one of them is what it claims to be.
///
/// # Errors
/// Names the first place that is wrong, and why: no JSON of this form, another schema, another checksum, a measurement
/// that is none, or a claim that does not follow from the measurements.
pub fn from_file(text: &str) -> Result<Vec<Entry>, Error> {
    let refused = |reason: String| Error::unmet(format!("the file is refused: {reason}"));
    let unreadable = |error: serde_json::Error| {
        let error = refused(format!("it is not complete JSON of this form: {error}"));
        error.hint("It was cut off or changed: ask for a new export.")
    };
    let json: serde_json::Value = serde_json::from_str(text).map_err(unreadable)?;
    match json.get("schema").and_then(|schema| schema.as_str()) {
        Some(schema) if schema == SCHEMA || OLDER.contains(&schema) => {}
        Some(other) => {
            let reason = format!("its schema is \"{other}\", and this program reads \"{SCHEMA}\"");
            return Err(refused(reason).hint("Export the entries with the same version."));
        }
        None => return Err(refused(format!("it has no \"schema\": \"{SCHEMA}\""))),
    }
    let file: File = serde_json::from_str(text).map_err(unreadable)?;
    for (index, entry) in file.entries.iter().enumerate() {
        if let Some(reason) = entry.contradiction() {
            let place = format!("entry {} (\"{}\")", index + 1, entry.name);
            return Err(refused(format!("{place}: {reason}")));
        }
    }
    if file.checksum != checksum(&file.entries) {
        let error = refused("its checksum is not that of its content".into());
        return Err(error.hint("It was changed after it was exported: ask for a new export."));
    }
    Ok(file.entries)
}

/// Whether the clock was right when an entry ran.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Clock {
    /// Nothing speaks against it.
    Plausible,
    /// It is later than now.
    Ahead,
    /// It is earlier than an entry that this lab recorded before.
    WentBack,
}

/// An entry as the store keeps it.
#[derive(Debug, Clone, PartialEq)]
pub struct Kept {
    /// The entry.
    pub entry: Entry,
    /// Whether it came from a file.
    pub imported: bool,
}

/// A line of the leaderboard.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Place {
    /// The event.
    pub event: String,
    /// From 1; entries that cannot be told apart share it.
    pub rank: usize,
    /// What the entry calls itself.
    pub name: String,
    /// Low, estimate, high.
    pub score: [f64; 3],
    /// An accuracy in percent, or a perplexity.
    pub quality: f64,
    /// What the entry does, as it was found.
    pub techniques: Vec<String>,
    /// How many techniques were found.
    pub innovation: usize,
    /// Where it ran.
    pub machine: String,
    /// Seconds since 1970.
    pub at: i64,
    /// Whether that can be right.
    pub clock: Clock,
    /// Whether it came from a file.
    pub imported: bool,
}

/// The leaderboard of an event, best first. `kept` is in the order in which the entries were recorded, `now` is the
/// clock's time in seconds since 1970.
#[must_use]
pub fn leaderboard(event: Event, kept: &[Kept], now: i64) -> Vec<Place> {
    let (mut latest, mut clocks) = (i64::MIN, vec![]);
    for Kept { entry, imported } in kept {
        clocks.push(match entry.at {
            at if at > now => Clock::Ahead,
            at if !imported && at < latest => Clock::WentBack,
            _ => Clock::Plausible,
        });
        if !imported && entry.at <= now {
            latest = latest.max(entry.at);
        }
    }
    let taking_part = kept.iter().zip(clocks).filter(|(kept, _)| kept.entry.event == event.id());
    let (taking_part, clocks): (Vec<&Kept>, Vec<Clock>) = taking_part.unzip();
    let scores: Vec<Interval> = taking_part.iter().map(|kept| kept.entry.interval()).collect();
    let place = |((kept, clock), rank): ((&Kept, Clock), usize)| {
        let entry = kept.entry.clone();
        Place {
            rank,
            clock,
            imported: kept.imported,
            innovation: entry.techniques.len(),
            event: entry.event,
            name: harmless(&entry.name),
            score: entry.score,
            quality: entry.quality,
            techniques: entry.techniques,
            machine: harmless(&entry.machine),
            at: entry.at,
        }
    };
    let mut places: Vec<Place> =
        taking_part.into_iter().zip(clocks).zip(ranks(&scores)).map(place).collect();
    places.sort_by(|a, b| a.rank.cmp(&b.rank).then(b.score[1].total_cmp(&a.score[1])));
    places
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(name: &str, times: f64) -> Entry {
        let counted = Evidence {
            parameters: 100,
            zeros: 0,
            stored: Some(100),
            bytes: 400,
            positions: 0.0,
            backend: "plain".into(),
        };
        let entry = Entry {
            event: "mlp_sprint".into(),
            name: name.into(),
            at: 1000,
            machine: "linux x86_64, 2 cores".into(),
            pairs: (0..25).map(|run| [0.004 + 1e-5 * f64::from(run), 0.004 / times]).collect(),
            quality: 97.5,
            counted: [counted.clone(), Evidence { bytes: 100, ..counted }],
            score: [0.0; 3],
            techniques: vec![],
            code: Some("pub fn entry() {}\n".into()),
        };
        let (score, techniques) = entry.judged().unwrap();
        Entry { score, techniques, ..entry }
    }

    /// What is said of a file with a changed entry whose checksum was made to fit.
    fn forged(change: impl FnOnce(&mut Entry)) -> String {
        let mut changed = entry("fast", 2.0);
        change(&mut changed);
        from_file(&to_file(&[entry("honest", 1.5), changed])).unwrap_err().to_string()
    }

    #[test]
    fn what_is_exported_is_imported() {
        let entries = [entry("a", 2.0), entry("b", 3.0)];
        assert_eq!(from_file(&to_file(&entries)).unwrap(), entries);
        assert_eq!(from_file(&to_file(&[])).unwrap(), []);
    }

    #[test]
    fn a_file_from_before_entries_had_code_or_a_count_of_stored_numbers_is_still_read() {
        for schema in OLDER {
            let mut old = Entry { code: None, ..entry("a", 2.0) };
            old.counted.iter_mut().for_each(|counted| counted.stored = None);
            let text = to_file(std::slice::from_ref(&old)).replace(SCHEMA, schema);
            assert!(!text.contains("\"code\"") && !text.contains("\"stored\""), "{text}");
            assert_eq!(from_file(&text).unwrap(), [old]);
        }
    }

    #[test]
    fn a_score_is_computed_from_the_times_and_techniques_from_the_counts() {
        let entry = entry("a", 2.0);
        let [low, estimate, high] = entry.score;
        assert!(low <= estimate && estimate <= high && (2.0..2.2).contains(&estimate));
        assert_eq!(entry.techniques, ["Quantization"]);
    }

    #[test]
    fn a_claim_that_does_not_follow_from_the_measurements_is_refused_with_its_place() {
        let said = forged(|entry| entry.score[1] = 9.0);
        assert!(
            said.contains("entry 2 (\"fast\"): score [") && said.contains("give 2.0"),
            "{said}"
        );
        let said = forged(|entry| entry.techniques.push("Pruning".into()));
        assert!(said.contains("entry 2 (\"fast\"): techniques"), "{said}");
        let said = forged(|entry| entry.quality = 12.0);
        assert!(said.contains("quality is 12") && said.contains("at least 95"), "{said}");
        let said = forged(|entry| entry.pairs[6][1] = -0.5);
        assert!(said.contains("times of the entry: run 7 is -0.5"), "{said}");
        let said = forged(|entry| entry.pairs[6][0] = 0.0);
        assert!(said.contains("times of the baseline: run 7 took no time"), "{said}");
        assert!(forged(|entry| entry.pairs.truncate(3)).contains("3 pairs, and"));
        assert!(forged(|entry| entry.event = "javelin".into()).contains("no event \"javelin\""));
        let said = forged(|entry| entry.counted[1].zeros = 101);
        assert!(said.contains("101 zeros among 100 parameters"), "{said}");
        let said = forged(|entry| entry.counted[1].stored = Some(101));
        assert!(said.contains("101 numbers are stored of 100 parameters"), "{said}");
        assert!(forged(|entry| entry.counted[1].positions = -1.0).contains("-1 positions"));
    }

    #[test]
    fn a_number_that_json_cannot_hold_is_refused_with_its_line() {
        for (from, to) in
            [("\"quality\": 97.5", "\"quality\": NaN"), ("97.5", "null"), ("97.5", "1e999")]
        {
            let text = to_file(&[entry("a", 2.0)]).replace(from, to);
            let said = from_file(&text).unwrap_err().to_string();
            assert!(said.contains("line "), "{to}: {said}");
        }
    }

    #[test]
    fn a_file_that_was_edited_is_refused_even_where_no_figure_was() {
        let text = to_file(&[entry("honest", 2.0)]);
        let said = from_file(&text.replace("honest", "famous")).unwrap_err().to_string();
        assert!(
            said.contains("checksum") && said.contains("changed after it was exported"),
            "{said}"
        );
        let said = from_file(&text.replace("linux", "amiga")).unwrap_err().to_string();
        assert!(said.contains("checksum"), "{said}");
        assert!(from_file(&text.replace("\"at\"", "\"when\"")).is_err());
        assert!(from_file("").unwrap_err().to_string().contains("EOF"));
    }

    #[test]
    fn another_schema_is_refused_by_its_name() {
        let text = to_file(&[]).replace(SCHEMA, "tinymlperf/9");
        let said = from_file(&text).unwrap_err().to_string();
        assert!(said.contains("tinymlperf/9") && said.contains(SCHEMA), "{said}");
        assert!(from_file("{}").unwrap_err().to_string().contains("no \"schema\""));
    }

    fn kept(entry: Entry) -> Kept {
        Kept { entry, imported: false }
    }

    #[test]
    fn entries_that_cannot_be_told_apart_share_a_rank() {
        let entries = [entry("slow", 1.0), entry("one", 3.0), entry("two", 2.99)].map(kept);
        let places = leaderboard(Event::MlpSprint, &entries, 2000);
        let ranks: Vec<(usize, &str)> =
            places.iter().map(|place| (place.rank, place.name.as_str())).collect();
        assert_eq!(ranks, [(1, "one"), (1, "two"), (3, "slow")]);
        assert!(leaderboard(Event::CnnMarathon, &entries, 2000).is_empty());
    }

    #[test]
    fn a_clock_that_is_ahead_or_went_back_is_marked_and_changes_no_rank() {
        let at = |at, times| kept(Entry { at, ..entry("a", times) });
        let entries = [at(1000, 4.0), at(900, 3.0), at(9999, 2.0), at(1500, 1.0)];
        let places = leaderboard(Event::MlpSprint, &entries, 2000);
        let found: Vec<(usize, Clock)> = places.iter().map(|p| (p.rank, p.clock)).collect();
        let (fine, back, ahead) = (Clock::Plausible, Clock::WentBack, Clock::Ahead);
        assert_eq!(found, [(1, fine), (2, back), (3, ahead), (4, fine)]);
        let imported = [at(1000, 4.0), Kept { imported: true, ..at(900, 3.0) }];
        let places = leaderboard(Event::MlpSprint, &imported, 2000);
        assert_eq!(places[1].clock, fine, "another machine's entry may be older");
    }

    #[test]
    fn an_event_is_named_by_a_word_of_its_id() {
        for word in ["mlp_sprint", "sprint", "MLP", "mlp-sprint"] {
            assert_eq!(event(word), Some(Event::MlpSprint), "{word}");
        }
        assert_eq!(event("decathlon"), Some(Event::TransformerDecathlon));
        assert_eq!(event("javelin"), None);
    }
}
