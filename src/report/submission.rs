//! Submissions of lesson 20: taken from a report, read from a file with everything checked that can be checked without
//! measuring, and held against a second measurement. Input: a report, the bytes of a file. Output: plain values. Not
//! here: files, running the pipeline.

use super::ModuleReport;
use serde_json::{Map, Value};
use tinytorch::benchmarking::Interval;
use tinytorch::capstone::{check, confirms};
use tinytorch::report::Item;
use tinytorch::submission::{Evidence, Fault, SCHEMA, Submission};

/// The analysis of lesson 20 that measures a submission, and the title of the text that holds it.
pub const ANALYSIS: &str = "analyze_integration";
const TITLE: &str = "Submission";
/// By which factor the scores of two machines may differ, and by which the perplexities, which are the same up to
/// rounding.
pub const BOUND: f64 = 2.0;
const QUALITY_BOUND: f64 = 1.1;

/// The submission that an analysis reported, as it was written.
#[must_use]
pub fn reported(report: &ModuleReport) -> Option<&str> {
    let items = report.analyses.iter().flat_map(|analysis| &analysis.items);
    items.rev().find_map(|item| match item {
        Item::Text(text) if text.title == TITLE => Some(text.text.as_str()),
        _ => None,
    })
}

/// What a file holds, if it can be believed.
///
/// # Errors
/// Every fault that was found, each with its field. A field that is missing, unknown or of another type hides the others'
/// contents, and so does a checksum that does not fit.
pub fn read(bytes: &[u8]) -> Result<Submission, Vec<Fault>> {
    let text = std::str::from_utf8(bytes).map_err(|error| {
        vec![Fault::new(
            "the file",
            format!("it is not text in UTF-8: {error}; export the submission again"),
        )]
    })?;
    let json = serde_json::from_str(text).map_err(|error| {
        vec![Fault::new(
            "the file",
            format!("it is not complete JSON: {error}; export the submission again"),
        )]
    })?;
    let Value::Object(found) = json else {
        return Err(vec![Fault::new(
            "the file",
            "it is JSON, but not an object; export the submission again",
        )]);
    };
    // The schema first: another one may have other fields.
    if let Some(Value::String(other)) = found.get("schema").filter(|schema| *schema != SCHEMA) {
        let reason = format!("\"{other}\" is unknown: {SCHEMA} can be read");
        return Err(vec![Fault::new("schema", reason)]);
    }
    let misfits = misfits(&found);
    if !misfits.is_empty() {
        return Err(misfits);
    }
    let submission = Submission::from_json(text).map_err(|fault| vec![fault])?;
    let is_sealed = submission.checksum == submission.content_checksum();
    // Claims are computed from the counts: these first, but not those of an edited file.
    let mut faults = if is_sealed { impossible(&submission) } else { vec![] };
    if faults.is_empty() {
        faults = check(&submission);
    }
    if faults.is_empty() { Ok(submission) } else { Err(faults) }
}

/// The fields that are missing, unknown or of another type: each is tried by itself in a submission that fits.
fn misfits(found: &Map<String, Value>) -> Vec<Fault> {
    let Ok(Value::Object(example)) = serde_json::to_value(Submission::example()) else {
        return vec![];
    };
    let missing = example.keys().filter(|field| !found.contains_key(*field));
    let missing = missing.map(|field| Fault::new(field, "it is missing"));
    let misfit = |(field, value): (&String, &Value)| {
        let mut tried = example.clone();
        tried.insert(field.clone(), value.clone());
        let error = serde_json::from_value::<Submission>(Value::Object(tried)).err()?;
        Some(Fault::new(field, error.to_string()))
    };
    missing.chain(found.iter().filter_map(misfit)).collect()
}

/// Counts and allowances that no run can have.
fn impossible(submission: &Submission) -> Vec<Fault> {
    let Submission { tokens, allowed, counted, .. } = submission;
    let mut faults = vec![];
    if *tokens == 0 {
        faults.push(Fault::new("tokens", "0 tokens take no time: at least 1 is generated"));
    }
    if !(0.0..=1.0).contains(allowed) {
        let reason = format!("{allowed} is no loss that a guard allows: it is from 0 to 1");
        faults.push(Fault::new("allowed", reason));
    }
    for (side, counted) in counted.iter().enumerate() {
        let Evidence { parameters, zeros, bytes, positions, .. } = counted;
        let mut fault = |field: &str, reason: String| {
            faults.push(Fault::new(format!("counted[{side}].{field}"), reason));
        };
        if zeros > parameters {
            fault("zeros", format!("{zeros} zeros among {parameters} parameters"));
        }
        if counted.stored() > *parameters {
            let stored = counted.stored();
            fault("stored", format!("{stored} numbers are stored of {parameters} parameters"));
        }
        if *bytes == 0 {
            fault("bytes", "0 bytes hold no model".to_owned());
        }
        if !(positions.is_finite() && *positions > 0.0) {
            fault("positions", format!("{positions} positions for each token"));
        }
    }
    faults
}

/// What a second measurement, `again`, does not confirm of the first one. Where another task was measured, only that is
/// said: nothing can be compared.
#[must_use]
pub fn differences(first: &Submission, again: &Submission) -> Vec<Fault> {
    let other = |field: &str, there: String, here: String| {
        let reason = format!("{there} there, {here} here: another task was measured");
        (there != here).then(|| Fault::new(field, reason))
    };
    let quoted = |text: &str| format!("\"{text}\"");
    let parameters = |of: &Submission| of.counted[0].parameters.to_string();
    let tasks = [
        other("task", quoted(&first.task), quoted(&again.task)),
        other("data", quoted(&first.data), quoted(&again.data)),
        other("seeds", format!("{:?}", first.seeds), format!("{:?}", again.seeds)),
        other("tokens", first.tokens.to_string(), again.tokens.to_string()),
        other("allowed", first.allowed.to_string(), again.allowed.to_string()),
        other("counted[0].parameters", parameters(first), parameters(again)),
    ];
    let mut faults: Vec<Fault> = tasks.into_iter().flatten().collect();
    if !faults.is_empty() {
        return faults;
    }
    if !confirms(interval(first), interval(again), BOUND) {
        let reason =
            format!("{} there, {} here: more than {BOUND} times apart", score(first), score(again));
        faults.push(Fault::new("score", reason));
    }
    for (at, (there, here)) in first.quality.iter().zip(&again.quality).enumerate() {
        let ratio = here / there;
        if ratio.max(1.0 / ratio) > QUALITY_BOUND {
            let reason =
                format!("{there:.2} there, {here:.2} here: more than {QUALITY_BOUND} times apart");
            faults.push(Fault::new(format!("quality[{at}]"), reason));
        }
    }
    if first.techniques != again.techniques {
        let reason = format!("{:?} there, {:?} here", first.techniques, again.techniques);
        faults.push(Fault::new("techniques", reason));
    }
    faults
}

/// Why two measurements of one task may differ by a little: another version of the course, or another trained model.
#[must_use]
pub fn remark(first: &Submission, again: &Submission) -> Option<String> {
    let version = |of: &Submission| {
        let found = of.engine.split_once(", ").map(|(version, _)| version.to_owned());
        found.unwrap_or_else(|| "a version without a name".to_owned())
    };
    let (there, here) = (version(first), version(again));
    if there != here {
        return Some(format!(
            "{there} there, {here} here: its code may train and run differently."
        ));
    }
    let is_other = first.engine != again.engine;
    is_other.then(|| {
        "The trained model has other bits here: another processor, or other code, rounds in another order.".to_owned()
    })
}

fn interval(of: &Submission) -> Interval {
    let [low, estimate, high] = of.score;
    Interval { low, estimate, high }
}

/// `512 x (498 to 530)`.
#[must_use]
pub fn score(of: &Submission) -> String {
    let [low, estimate, high] = of.score.map(|factor| match factor {
        factor if factor < 100.0 => format!("{factor:.2}"),
        factor => format!("{factor:.0}"),
    });
    format!("{estimate} x ({low} to {high})")
}

#[cfg(test)]
mod tests {
    use super::*;
    use tinytorch::capstone::{detected, scored, sealed};

    /// A submission that can be believed, after a change whose claims and checksum were made to fit.
    fn forged(change: impl FnOnce(&mut Submission)) -> Submission {
        let mut submission = Submission::example();
        change(&mut submission);
        (submission.score, submission.techniques) = (scored(&submission), detected(&submission));
        sealed(submission)
    }

    fn honest() -> Submission {
        forged(|_| ())
    }

    fn fields(faults: &[Fault]) -> Vec<&str> {
        faults.iter().map(|fault| fault.field.as_str()).collect()
    }

    /// The fields at fault in a text.
    fn refused(text: &str) -> Vec<String> {
        let faults = read(text.as_bytes()).unwrap_err();
        fields(&faults).into_iter().map(str::to_owned).collect()
    }

    #[test]
    fn what_was_exported_is_read_back() {
        assert_eq!(read(honest().to_json().as_bytes()), Ok(honest()));
    }

    #[test]
    fn a_truncated_an_edited_and_a_foreign_file_are_refused_by_the_field_at_fault() {
        let text = honest().to_json();
        for end in [0, 1, text.len() / 2, text.len() - 1] {
            assert_eq!(refused(&text[..end]), ["the file"], "{end} bytes are left");
        }
        assert_eq!(refused(&text.replace("\"tokens\": 100", "\"tokens\": 101")), ["checksum"]);
        assert_eq!(refused(&text.replace("\"tokens\": 100,", "")), ["tokens"]);
        assert_eq!(refused(&text.replace("\"seeds\"", "\"seed\"")), ["seeds", "seed"]);
        assert_eq!(refused(&text.replace("\"tokens\": 100", "\"tokens\": -1")), ["tokens"]);
        assert_eq!(refused(&text.replace("\"training\": 1", "\"training\": []")), ["seeds"]);
        assert_eq!(refused(&text.replace("\"allowed\": 0.05", "\"allowed\": null")), ["allowed"]);
        let twice = text.replace("\"tokens\": 100", "\"tokens\": 100, \"tokens\": 100");
        assert_eq!(refused(&twice), ["tokens"]);
        assert_eq!(refused(&text.replacen(',', ";", 1)), ["the file"]);
        assert_eq!(refused("{\"schema\": \"tinymlperf/1\", \"entries\": []}"), ["schema"]);
        assert_eq!(refused("[1, 2]"), ["the file"]);
        assert_eq!(fields(&read(b"\xff\xfe").unwrap_err()), ["the file"]);
    }

    #[test]
    fn what_no_run_can_have_counted_is_refused() {
        let faults = |change: fn(&mut Submission)| {
            let mut submission = honest();
            change(&mut submission);
            refused(&sealed(submission).to_json())
        };
        assert_eq!(faults(|s| s.tokens = 0), ["tokens"]);
        assert_eq!(faults(|s| s.allowed = 1e6), ["allowed"]);
        assert_eq!(faults(|s| s.counted[0].zeros = 101), ["counted[0].zeros"]);
        assert_eq!(faults(|s| s.counted[1].stored = Some(101)), ["counted[1].stored"]);
        assert_eq!(faults(|s| s.counted[1].bytes = 0), ["counted[1].bytes"]);
        assert_eq!(faults(|s| s.counted[1].positions = -1.0), ["counted[1].positions"]);
        let several = |s: &mut Submission| (s.tokens, s.allowed) = (0, 2.0);
        assert_eq!(faults(several), ["tokens", "allowed"]);
    }

    #[test]
    fn a_second_measurement_confirms_the_first_or_names_what_differs() {
        let first = honest();
        let found = |change: fn(&mut Submission)| differences(&first, &forged(change));
        assert_eq!(found(|_| ()), []);
        assert_eq!(found(|s| s.machine = "another".into()), [], "machines differ");
        assert_eq!(found(|s| s.engine = "model 00000000".into()), [], "rounding differs");
        let scaled =
            |by: f64| move |s: &mut Submission| s.pairs.iter_mut().for_each(|pair| pair[0] *= by);
        assert_eq!(differences(&first, &forged(scaled(1.9))), []);
        for by in [2.1, 1.0 / 2.1] {
            let found = differences(&first, &forged(scaled(by)));
            assert_eq!(fields(&found), ["score"], "{by}");
            assert!(found[0].reason.contains("there") && found[0].reason.contains("2 times"));
        }
        assert_eq!(fields(&found(|s| s.quality[1] = 7.4)), ["quality[1]"]);
        assert_eq!(fields(&found(|s| s.quality = [7.0, 7.1])), ["quality[0]", "quality[1]"]);
        assert_eq!(fields(&found(|s| s.counted[1].zeros = 80)), ["techniques"]);
    }

    #[test]
    fn another_version_or_another_model_is_remarked_upon() {
        let of = |engine: &str| forged(|s| s.engine = engine.to_owned());
        let remark = |there, here| remark(&of(there), &of(here));
        assert_eq!(remark("tinytorch 1.2, model aa", "tinytorch 1.2, model aa"), None);
        let model = remark("tinytorch 1.2, model aa", "tinytorch 1.2, model bb").unwrap();
        assert!(model.contains("other bits"), "{model}");
        let version = remark("tinytorch 1.1, model aa", "tinytorch 1.2, model aa").unwrap();
        assert!(version.starts_with("tinytorch 1.1 there, tinytorch 1.2 here"), "{version}");
        let older = remark("model aa", "tinytorch 1.2, model aa").unwrap();
        assert!(older.starts_with("a version without a name there, tinytorch 1.2 here"), "{older}");
    }

    #[test]
    fn of_another_task_nothing_but_that_is_compared() {
        let first = honest();
        let found = |change: fn(&mut Submission)| {
            let other = forged(|s| {
                s.pairs.iter_mut().for_each(|pair| pair[0] *= 9.0);
                change(s);
            });
            differences(&first, &other).into_iter().map(|fault| fault.field).collect::<Vec<_>>()
        };
        assert_eq!(found(|s| s.task = "200 tokens".into()), ["task"]);
        assert_eq!(found(|s| s.data = "another".into()), ["data"]);
        assert_eq!(found(|s| s.seeds.training = 2), ["seeds"]);
        assert_eq!(found(|s| (s.tokens, s.allowed) = (200, 0.5)), ["tokens", "allowed"]);
        assert_eq!(found(|s| s.counted[0].parameters = 200), ["counted[0].parameters"]);
    }
}
