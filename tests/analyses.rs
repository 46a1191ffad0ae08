//! Whether what the analyses say holds for what they measured. `tests/analyses.sh` runs them and has their records
//! checked here; the tests below show that the check can fail.
#![expect(clippy::unwrap_used, reason = "in a test a panic is the verdict, in its helpers too")]

#[path = "analyses/figures.rs"]
mod figures;
#[path = "analyses/wording.rs"]
mod wording;

use figures::Figures;
use std::collections::BTreeMap;
use tinytorch::report::{Insight, Item, Value};
use wording::{Reading, Words};

/// What was said of one analysis, and each contradiction.
struct Checked {
    said: Vec<(String, Reading)>,
    contradictions: Vec<String>,
}

/// Holds the sentences of an analysis against words that are made from its figures: those that hold are in the
/// sentences, those that do not are in none, and no sentence is without words.
fn check(figures: &Figures) -> Checked {
    let words = match wording::of(figures) {
        Ok(words) => words,
        Err(reason) => return Checked { said: vec![], contradictions: vec![reason] },
    };
    let texts: Vec<String> = figures.insights().map(str::to_lowercase).collect();
    let is_said = |words: &Words| {
        let words = words.text.to_lowercase();
        texts.iter().any(|text| text.contains(&words))
    };
    let mut found = vec![];
    for words in words.iter().filter(|words| words.holds != is_said(words)) {
        let reason =
            if words.holds { "holds and is not said" } else { "is said and does not hold" };
        found.push(format!("{}: \"{}\" {reason}", words.about, words.text));
    }
    let true_words: Vec<String> =
        words.iter().filter(|words| words.holds).map(|words| words.text.to_lowercase()).collect();
    for sentence in texts.iter().flat_map(|text| text.split_inclusive(". ")) {
        let sentence = sentence.trim_end();
        let is_part = |words: &&String| sentence.contains(*words) || words.contains(sentence);
        if !true_words.iter().any(|words| is_part(&words)) {
            found.push(format!("no figures say: \"{sentence}\""));
        }
    }
    let said = words.into_iter().filter(|words| words.holds);
    let said = said.filter_map(|words| Some((words.about, words.says?))).collect();
    let contradictions =
        found.into_iter().map(|found| format!("{}: {found}", figures.analysis)).collect();
    Checked { said, contradictions }
}

/// What the files of a folder say, and how often each reading came out in quiet and in busy runs.
#[derive(Default)]
struct Summary {
    analyses: usize,
    insights: usize,
    readings: BTreeMap<Reading, usize>,
    by_subject: BTreeMap<String, BTreeMap<Reading, usize>>,
    contradictions: Vec<String>,
}

impl Summary {
    fn add(&mut self, figures: &Figures) {
        let checked = check(figures);
        self.analyses += 1;
        self.insights += figures.insights().count();
        for (about, reading) in checked.said {
            *self.readings.entry(reading).or_default() += 1;
            let subject = format!("{}: {about}", figures.analysis);
            *self.by_subject.entry(subject).or_default().entry(reading).or_default() += 1;
        }
        self.contradictions.extend(checked.contradictions);
    }

    fn print(&self, kind: &str) {
        println!(
            "{kind}: {} analyses, {} insights, readings {:?}",
            self.analyses, self.insights, self.readings
        );
        for (subject, readings) in self.by_subject.iter().filter(|(_, readings)| readings.len() > 1)
        {
            println!("  {subject}: {readings:?}");
        }
        println!("  contradictions: {}", self.contradictions.len());
        self.contradictions.iter().for_each(|found| println!("    {found}"));
    }
}

/// The records that `tests/analyses.sh` has made: a file for each run, named `quiet-N` or `busy-N`.
#[test]
#[ignore = "tests/analyses.sh runs it on the records that it has made"]
fn no_insight_is_contradicted_by_its_own_figures() {
    let folder =
        std::env::var("TINYTORCH_RECORDS").expect("TINYTORCH_RECORDS names a folder of records");
    let mut kinds: BTreeMap<String, Summary> = BTreeMap::new();
    for file in std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().path()) {
        let name = file.file_name().unwrap().to_string_lossy().into_owned();
        let summary = kinds.entry(name.split('-').next().unwrap().to_owned()).or_default();
        for figures in figures::read(&std::fs::read_to_string(&file).unwrap()).unwrap() {
            summary.add(&figures);
        }
    }
    kinds.iter().for_each(|(kind, summary)| summary.print(kind));
    let runs: usize = kinds.values().map(|summary| summary.analyses).sum();
    assert!(runs > 0, "there are no records");
    assert!(kinds.values().all(|summary| summary.contradictions.is_empty()), "see above");
}

/// One run of every analysis, made by `tests/fixtures/analyses.py`.
fn recorded() -> Vec<Figures> {
    figures::read(include_str!("fixtures/analyses.jsonl")).unwrap()
}

/// The same figures with another text in the place of one insight.
fn with_text(figures: &Figures, from: &str, to: &str) -> Figures {
    let mut changed = figures.clone();
    let insights = changed.items.iter_mut().filter_map(|item| match item {
        Item::Insight(insight) => Some(insight),
        _ => None,
    });
    insights.filter(|insight| insight.text == from).for_each(|i| i.text = to.to_owned());
    changed
}

#[test]
fn what_the_engine_says_of_a_recorded_run_holds() {
    for figures in recorded() {
        assert_eq!(check(&figures).contradictions, [] as [String; 0], "{}", figures.analysis);
    }
}

/// Words of an insight, and words that say something else of the same figures.
const INVERSIONS: &[(&str, &str)] = &[
    ("Most of that is the clock, not the addition", "Here the clock hides nothing"),
    (
        "A single measurement could have been that one.",
        "The machine was quiet: a single measurement would have been enough.",
    ),
    ("\"down the columns\" took", "\"columns, line by line\" took"),
    ("the order of access makes the difference", "the order of access makes none"),
    ("do not wait for each other either", "wait for each other"),
    ("\"i-j-k\" took", "\"yours\" took"),
    ("copying the bias first took", "broadcasting took"),
    ("took 1.99 times", "took 0.50 times"),
    (
        "It needs an exponential and a division, ReLU a comparison.",
        "The exponential hides behind it.",
    ),
    ("times smaller than", "times larger than"),
    ("every output has a weight for every input", "more than one weight for each pair explains"),
    ("is 4.7 times the squared error", "is only 0.21 times the squared error"),
    ("for two classes agree", "for two classes do not agree: one of them is wrong"),
    (
        "log_softmax is finite for every s that was tried",
        "log_softmax is infinite or NaN from s = 300 on",
    ),
    (" A stable softmax alone is not enough", " A stable softmax alone is enough"),
    ("more stays allocated", "less stays allocated"),
    ("The factor grew with the number of parameters", "The factor did not clearly grow here"),
    ("bytes with a history and", "bytes without a history and"),
    (
        "That is more than the matrix products alone:",
        "That agrees with the number of matrix products:",
    ),
    ("one buffer against two", "no clear difference, though Adam should have one buffer more"),
    ("SGD + momentum settled 1.5 times as early", "SGD + momentum made no clear difference"),
    ("lies between them", "does not"),
    ("the loss fell", "the loss grew"),
    (": overfitting.", ": no overfitting can be seen here."),
    (
        "not clearly different from the last ones in test accuracy",
        "better than the last ones on the test set",
    ),
    ("it did harm here", "it helped here"),
    ("The whole batch needed", "The smallest pieces needed"),
    (
        "a fixed cost that a large batch divides among",
        "the opposite of what a fixed cost would give among",
    ),
    ("most of the work is overhead", "little of the work is overhead"),
    ("no clear difference here between", "a clear difference here between"),
    ("sorted, each batch holds one class", "sorted, each batch holds all classes"),
    ("shuffled 94.4 %", "shuffled 33.3 %"),
    ("and rose to", "and fell to"),
    ("the generalization gap", "not clearly larger than chance"),
    ("Both do the same multiplications.", "Reordering did not pay off here."),
    ("gradient descent on the loss found them", "that is no better than guessing"),
    ("the dense layer has", "the convolution has"),
    ("the convolutional one fell from", "the convolutional one rose from"),
    ("the convolutional network read more", "neither network clearly read more"),
    ("one core", "no core"),
    ("order was lost, and positions bring it back", "here positions made it worse"),
    ("only the distance counts", "the place counts too"),
    ("the table learned it from the words around them", "the training drove them apart"),
    ("179 times as small with neither", "179 times as large with neither"),
    ("the norms alone would carry the gradient", "the first block needs the gradient"),
    ("among 3.0 tokens", "among 30.0 tokens"),
    ("No earlier epoch was clearly better", "Some earlier epoch was clearly better"),
    ("the larger model learned more", "the smaller model learned more"),
    ("each was computed 104 times", "none was computed twice"),
    ("it grows linearly", "it grows faster than the text"),
    (
        "the matrices of the blocks grow with the square",
        "here the cache grows faster than the parameters",
    ),
    ("the more the cache saves", "the less the cache saves"),
    ("The tokens are the same in every run", "But 3 answers have other tokens"),
    ("an operation takes less time there", "an operation takes longer there"),
    ("an operation takes about as long there", "an operation takes longer there"),
    ("parts of its kind, attention", "parts of its kind, norm"),
    ("An operation takes the longest in ", "An operation takes the longest in output, not in "),
    ("times as long. The profile has medians", "times as short. The profile has medians"),
    ("the roof is that of memory: ", "the roof is that of memory: matmul 256, "),
    ("where neither limit is reached: ", "where neither limit is reached: addition, "),
    ("Above the roof of memory: ", "Above the roof of memory: matmul 256, "),
    ("less than twice the largest cache", "at least twice the largest cache"),
    ("a single timing without a warm-up would have shown this", "it was like the others"),
    ("One run in 20 took at least", "19 runs in 20 took at most"),
    ("which matter less the more weights it has", "the two hardly differ"),
    ("as expected, 20 log10", "more than 20 log10"),
    ("dB above", "dB below"),
    ("360 digits show no clear difference", "8 bits lost 5.0 points"),
    ("no clear difference on 360 digits", "the exception is worth its bytes"),
    ("training learned weights that survive", "here it did harm"),
    ("the same within 2 %", "40 % higher"),
    (
        "Training with the zeros repaired a part of what pruning broke",
        "Here training with the zeros did harm",
    ),
    ("which is no clear difference, so this task did not", "so training the small one would have"),
    ("so there is no clear difference", "so the teacher helped"),
    ("the sparse layer is faster", "the sparse layer is not clearly faster"),
    ("The sparse form needs less memory from", "The sparse form needs more memory from"),
    ("models are dominated", "models are not dominated"),
    ("Without a model, and by which figure", "None is left without a model"),
    (
        "Which of these steps is missed most, these pairs do not say",
        "None of these steps is clearly missed here",
    ),
    (
        "Packed tiles were not clearly faster than the plain loops at the largest size",
        "From n = 32 on, packed tiles were clearly faster than the plain loops",
    ),
    ("At the largest size 2 threads were not", "From n = 64 on, 2 threads were"),
    ("that is about the -0.5 of the law", "that is faster than the -0.5 of the law"),
    ("found a difference, and 0 with", "found a difference, and still 3 with"),
    ("the runs of one size disagree too much", "larger products use the core better, for some"),
    ("most of what this core could do is not asked for", "there is little left to gain"),
    ("in agreement with the 3 of counting", "more than 3, the power of counting"),
    ("less than 2: at small sizes", "more than 2: at small sizes"),
    ("they save partly the same work", "each makes the other worth more"),
    ("most of it depends on KV cache", "most of it depends on int8"),
    ("No clear effect on speed: int8", "Slower with it than without: int8"),
    ("within the limit", "above the limit"),
    ("it grows with the power", "here it falls with the power"),
    ("which the start did not", "as the start did"),
    ("Still missed: a sensor", "Lost: a sensor"),
];

#[test]
fn an_inverted_sentence_is_a_contradiction() {
    for figures in recorded() {
        let texts: Vec<String> = figures.insights().map(str::to_owned).collect();
        for text in texts {
            let mut inverted: Vec<String> = vec![];
            for (from, to) in INVERSIONS.iter().filter(|(from, _)| text.contains(from)) {
                inverted.push(text.replacen(from, to, 1));
            }
            // What was timed in turn: each name in the place of the other one.
            for pair in figures.pairs().unwrap() {
                let [first, second] = &pair.names;
                let swapped = text.to_lowercase().replace(&first.to_lowercase(), "\0");
                let swapped = swapped.replace(&second.to_lowercase(), &first.to_lowercase());
                let swapped = swapped.replace('\0', &second.to_lowercase());
                inverted.extend((swapped != text.to_lowercase()).then_some(swapped));
            }
            assert!(!inverted.is_empty(), "no inversion is known of: {text}");
            for other in inverted {
                let found = check(&with_text(&figures, &text, &other)).contradictions;
                assert!(!found.is_empty(), "{other:?} passes in the place of {text:?}");
            }
        }
    }
}

#[test]
fn each_analysis_contradicts_its_figures_turned_upside_down() {
    let turn = |value: &mut Value| match value {
        Value::Spread { median, low, high } => {
            (*median, *low, *high) = (1.0 / *median, 1.0 / *high, 1.0 / *low);
        }
        Value::Float(number) => *number = 1.0 / *number,
        Value::Int(number) => *value = Value::Float(1.0 / *number as f64),
        Value::Text(_) => {}
    };
    for mut figures in recorded() {
        for item in &mut figures.items {
            match item {
                Item::Table(table) => table.rows.iter_mut().flatten().for_each(turn),
                Item::Chart(chart) => {
                    let points = chart.series.iter_mut().flat_map(|series| &mut series.points);
                    points.for_each(|point| point.y = 1.0 / point.y);
                }
                Item::Metric(metric) => metric.value = 1.0 / metric.value,
                _ => {}
            }
        }
        let found = check(&figures).contradictions;
        assert!(!found.is_empty(), "{} says the same of the opposite", figures.analysis);
    }
}

#[test]
fn a_sentence_without_figures_and_one_that_is_missing_are_contradictions() {
    for figures in recorded() {
        let insight = Item::Insight(Insight { text: "It is faster.".to_owned() });
        let mut more = figures.clone();
        more.items.push(insight);
        assert!(check(&more).contradictions[0].contains("no figures say: \"it is faster.\""));
        let mut silent = figures.clone();
        silent.items.retain(|item| !matches!(item, Item::Insight(_)));
        let found = check(&silent).contradictions;
        assert!(found.iter().any(|found| found.contains("holds and is not said")), "{found:?}");
    }
}

#[test]
fn times_that_contradict_their_quotient_are_found() {
    let all = recorded();
    let mut figures = all.into_iter().find(|f| f.analysis == "analyze_activation_cost").unwrap();
    let tables = figures.items.iter_mut().filter_map(|item| match item {
        Item::Table(table) if table.title == "Timed in turn" => Some(table),
        _ => None,
    });
    tables.for_each(|table| table.rows[0].swap(1, 3));
    let found = check(&figures).contradictions;
    assert!(found[0].contains("and their quotient is"), "{found:?}");
}

#[test]
fn every_insight_function_is_tested_on_made_up_values() {
    let tests = include_str!("../src/tinytorch/tests/insights.rs");
    for module in tinytorch_tutor::curriculum::Course::tinytorch().modules() {
        let functions =
            module.reference().split("fn ").skip(1).filter_map(|rest| rest.split('(').next());
        for function in functions.filter(|name| name.ends_with("_insight")) {
            let called = format!("{function}(");
            let is_passed = format!("({function}, ");
            let is_tested = tests.contains(&called) || tests.contains(&is_passed);
            assert!(is_tested, "{}: {function} is not in tests/insights.rs", module.slug());
        }
    }
}
