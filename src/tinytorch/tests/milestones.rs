//! What the milestones say of made-up figures, and that the one of 2017 can be interrupted. They are programs of their
//! own, so their source is included.

use olympics::Measured;
use std::cell::RefCell;
use std::collections::HashSet;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use tinytorch::benchmarking::Interval;
use tinytorch::random::Rng;
use tinytorch::report::{Item, Reporter};
use tinytorch::tokenization::{CharTokenizer, Tokenizer};
use tinytorch::training::{History, Trainer};
use tinytorch::transformers::{Gpt, GptConfig};
use transformer::{Example, Study, answer};

#[path = "../milestones/1998_cnn.rs"]
#[expect(dead_code, reason = "only the insight is tested")]
mod cnn;
#[path = "../milestones/1986_mlp.rs"]
#[expect(dead_code, reason = "only the insight is tested")]
mod mlp;
#[path = "../milestones/2018_olympics.rs"]
#[expect(dead_code, reason = "only the insights are tested")]
mod olympics;
#[path = "../milestones/1957_perceptron.rs"]
#[expect(dead_code, reason = "only the insight is tested")]
mod perceptron;
#[path = "../milestones/2017_transformer.rs"]
#[expect(dead_code, reason = "the whole of it takes minutes")]
mod transformer;
#[path = "../milestones/1969_xor.rs"]
#[expect(dead_code, reason = "only the insight is tested")]
mod xor;

#[test]
fn a_network_is_called_better_only_beyond_the_sample_error() {
    let said =
        |dense, convolutional| cnn::comparison_insight((dense, 2410), (convolutional, 1898), 360);
    let names = ["The convolutional network read more", "The dense network read more"];
    let same =
        "There is no clear difference: they are 0.9 points apart, with a standard error of 1.2";
    for (dense, convolutional) in [(0.969, 0.978), (0.978, 0.969)] {
        let text = said(dense, convolutional);
        assert!(text.contains("96.9 % +- 0.9") && text.contains("97.8 % +- 0.8"), "{text}");
        assert!(text.contains(same) && !names.iter().any(|name| text.contains(name)), "{text}");
    }
    let better = said(0.90, 0.97);
    assert!(better.contains(names[0]) && !better.contains(names[1]), "{better}");
    assert!(better.contains("Dense network: 2410 parameters, 90.0 % +- 1.6."), "{better}");
    let worse = said(0.97, 0.90);
    assert!(worse.contains(names[1]) && !worse.contains(names[0]), "{worse}");
    for text in [better, worse] {
        assert!(text.contains("7.0 points apart, with a standard error of 1.8"), "{text}");
        assert!(!text.contains("no clear difference"), "{text}");
    }
}

#[test]
fn an_accuracy_carries_its_error_and_guessing_is_called_so() {
    let read = mlp::accuracy_insight(0.969, 360);
    assert!(read.contains("+- 0.9") && read.contains("hidden units: backpropagation"), "{read}");
    assert!(mlp::accuracy_insight(0.11, 360).contains("not clearly better than guessing"));
    let learned = perceptron::accuracy_insight(0.97, 200);
    assert!(learned.contains("+- 1.2") && learned.contains("a line"), "{learned}");
    assert!(perceptron::accuracy_insight(0.52, 200).contains("not clearly better than guessing"));
}

#[test]
fn one_layer_and_two_are_judged_by_what_they_reached() {
    let expected = xor::layers_insight(75.0, 100.0);
    assert!(expected.contains("at most three") && expected.contains("all four"), "{expected}");
    assert!(xor::layers_insight(100.0, 100.0).contains("no straight line can"));
    assert!(xor::layers_insight(75.0, 75.0).contains("did not from most seeds"));
}

/// A contestant of 2018 with these figures.
fn measured(name: &str, bytes: f64, quality: f64, [low, estimate, high]: [f64; 3]) -> Measured {
    let speed = Interval { low, estimate, high };
    Measured { name: name.to_owned(), bytes, quality, speed }
}

#[test]
fn a_speed_up_is_called_so_only_where_the_pairs_agree() {
    let baseline = measured("baseline", 2000.0, 0.96, [0.99, 1.0, 1.01]);
    let said = |speed| {
        olympics::together_insight("Reading", &baseline, &measured("all", 100.0, 0.95, speed))
    };
    let words = ["and it is 3.00", "it is slower", "by less than 5 %", "no clear difference"];
    for (speed, word) in [
        ([2.8, 3.0, 3.2], words[0]),
        ([0.4, 0.5, 0.6], words[1]),
        ([1.01, 1.02, 1.03], words[2]),
        ([0.9, 1.1, 1.3], words[3]),
        ([f64::NAN; 3], words[3]),
    ] {
        let text = said(speed);
        assert!(text.contains("5.0 % of the baseline's bytes"), "{text}");
        let found: Vec<&&str> = words.iter().filter(|word| text.contains(**word)).collect();
        assert_eq!(found, [&word], "{text}");
    }
}

#[test]
fn the_baseline_beside_itself_shows_how_far_the_other_figures_can_be_trusted() {
    let said = |[low, estimate, high]: [f64; 3]| {
        olympics::itself_insight("Reading", Interval { low, estimate, high })
    };
    let quiet = said([0.98, 1.0, 1.02]);
    assert!(quiet.contains("1.00 times as fast (0.98 to 1.02), as it must be"), "{quiet}");
    assert!(said([0.5, 1.1, 1.9]).contains("the machine was busy"));
    for speed in [[1.2, 1.3, 1.4], [0.5, 0.6, 0.7], [f64::NAN; 3]] {
        assert!(said(speed).contains("which cannot be"), "{speed:?}");
    }
}

#[test]
fn what_the_techniques_cost_in_quality_is_judged_beyond_the_sample_error() {
    let finding = |all| olympics::accuracy_insight(0.96, all, 360);
    assert!(finding(0.95).contains("96.0 % +- 1.0") && finding(0.95).contains("no clear"));
    assert!(finding(0.90).contains("fewer digits are read"));
    assert!(finding(0.999).contains("more digits are read"));
    // A loss of 3 points, of which the difference of two such accuracies may have 1.47 by chance.
    assert!((olympics::points_lost(0.96, 0.93, 360) - 1.3035).abs() < 1e-3);
    let perplexity = |after| olympics::perplexity_insight([10.0, after]);
    assert!(perplexity(10.5).contains("10.00 before and 10.50 after: 5 % higher"));
    assert!(perplexity(9.5).contains("5 % lower"));
    assert!(perplexity(10.1).contains("the same within 2 %"));
    assert!(perplexity(f64::NAN).contains("the model is broken"));
    let beside = |small| {
        let [small, all] = [small, 0.95].map(|right| measured("", 1.0, right, [1.0; 3]));
        olympics::control_insight(&small, &all, 360)
    };
    assert!(beside(0.80).contains("80.0 %, the compressed one 95.0 %: compressing the large"));
    assert!(beside(0.99).contains("training the small one would have been better"));
    assert!(beside(0.95).contains("no clear difference, so this task"));
}

#[test]
fn promises_of_single_techniques_are_held_against_all_together() {
    let alone = [("int8", 4.0), ("kernels", 3.0)].map(|(name, x)| measured(name, 1.0, 1.0, [x; 3]));
    let said = |x| olympics::promise_insight(&alone, &measured("all", 1.0, 1.0, [x; 3]));
    assert!(
        said(12.0).contains("alone: int8 4.00, kernels 3.00; multiplied 12.00. Together 12.00")
    );
    assert!(said(12.0).contains("about as promised"));
    assert!(said(6.0).contains("that is less"));
    assert!(said(24.0).contains("that is more"));
    assert!(said(f64::NAN).contains("no time that the clock can see"));
}

#[test]
fn no_held_out_sequence_is_taught_not_even_backwards() {
    // 81 sequences of which 45 differ from each other backwards too: without a rule, many would be drawn twice.
    let sets = transformer::sequences("ABC", 4, [25, 10, 10], &mut Rng::seeded(1));
    assert_eq!(sets.each_ref().map(Vec::len), [25, 10, 10]);
    let mut known = HashSet::new();
    for sequence in sets.iter().flatten() {
        let backwards: String = sequence.chars().rev().collect();
        assert!(!known.contains(&backwards), "{sequence} is taught backwards");
        assert!(known.insert(sequence.clone()), "{sequence} is there twice");
    }
}

const STUDY: Study = Study {
    name: "test",
    model: GptConfig { vocab_size: 9, context: 8, dim: 8, layers: 1, heads: 2 },
    chooses: true,
    rate: 0.01,
    seed: 5,
    epochs: 4,
    hidden: 0.2,
};

/// Questions of three ids whose answer is the first of them, then 1.
fn examples() -> Vec<Example> {
    let example =
        |id: u32| Example { question: vec![2 + id % 7, 2, 3], answer: vec![2 + id % 7, 1] };
    (0..40).map(example).collect()
}

/// Everything that a training leaves, and what it said.
struct Trained {
    weights: Vec<Vec<f32>>,
    history: History,
    notes: Vec<String>,
}

/// Trains, and stops as a killed process does after this epoch has its checkpoint.
fn train(study: &Study, folder: Option<&Path>, killed_after: Option<usize>) -> Option<Trained> {
    let notes = Rc::new(RefCell::new(vec![]));
    let kept = Rc::clone(&notes);
    let out = Reporter::new(move |item| {
        if let Item::Note(note) = item {
            kept.borrow_mut().push(note.text);
        }
    });
    let mut out = match folder {
        Some(folder) => out.with_checkpoints(folder),
        None => out,
    };
    let examples = examples();
    let run = catch_unwind(AssertUnwindSafe(|| {
        study.train([&examples, &examples[..8]], &mut out, &mut |_, epoch, _| {
            assert_ne!(Some(epoch), killed_after, "as if killed");
        })
    }));
    let Trainer { model, history, .. } = run.ok()?.expect("trained").trainer;
    let weights = model.parameters().into_iter().map(|weight| weight.to_vec()).collect();
    Some(Trained { weights, history, notes: notes.take() })
}

fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    if folder.exists() {
        fs::remove_dir_all(&folder).expect("removed");
    }
    folder
}

fn checkpoint(folder: &Path) -> PathBuf {
    let mut files =
        fs::read_dir(folder).expect("a folder").map(|file| file.expect("a file").path());
    files.next().expect("a checkpoint")
}

#[test]
fn an_interrupted_training_ends_as_one_that_never_stopped_to_the_last_bit() {
    let straight = train(&STUDY, None, None).expect("it ends");
    assert!(straight.notes.is_empty(), "{:?}", straight.notes);
    let folder = folder("interrupted");
    for epoch in [1, 3] {
        assert!(train(&STUDY, Some(&folder), Some(epoch)).is_none(), "killed after epoch {epoch}");
    }
    let resumed = train(&STUDY, Some(&folder), None).expect("it ends");
    assert!(resumed.notes[0].contains("after epoch 3 of 4"), "{:?}", resumed.notes);
    assert_eq!(resumed.weights, straight.weights);
    assert_eq!(resumed.history, straight.history);
    let again = train(&STUDY, Some(&folder), None).expect("it has ended already");
    assert_eq!((again.weights, again.history), (straight.weights, straight.history));
}

#[test]
fn a_checkpoint_that_is_damaged_or_of_something_else_is_reported_and_not_used() {
    let straight = train(&STUDY, None, None).expect("it ends");
    let folder = folder("damaged");
    let other = Study { hidden: 0.5, ..STUDY };
    train(&other, Some(&folder), Some(2));
    let file = checkpoint(&folder);
    let other = fs::read(&file).expect("read");
    fs::remove_file(&file).expect("removed");
    train(&STUDY, Some(&folder), Some(2));
    let whole = fs::read(&file).expect("the name does not depend on what is hidden");
    let mut flipped = whole.clone();
    flipped[whole.len() / 2] ^= 1;
    for (bytes, words) in [
        (flipped.as_slice(), "is damaged"),
        (&whole[..whole.len() / 2], "was truncated"),
        (b"a text, and no checkpoint", "is not a checkpoint"),
        (&other, "belongs to another training"),
    ] {
        fs::write(&file, bytes).expect("written");
        let run = train(&STUDY, Some(&folder), None).expect("it ends");
        let note = &run.notes[0];
        assert!(note.contains(words) && note.contains("began again"), "{words}: {note}");
        assert_eq!(
            (run.weights, run.history),
            (straight.weights.clone(), straight.history.clone())
        );
    }
}

#[test]
fn without_a_choice_queries_and_keys_stay_where_they_began() {
    let mean = train(&Study { chooses: false, ..STUDY }, None, None).expect("it ends");
    let still = mean.weights.iter().filter(|weight| weight.iter().all(|number| *number == 0.0));
    assert_eq!(still.count(), 4, "weight and bias of the queries and of the keys");
    let other = train(&STUDY, None, None).expect("it ends");
    assert!(other.weights.iter().all(|weight| weight.iter().any(|number| *number != 0.0)));
}

#[test]
fn the_longest_answer_has_room_for_its_end() {
    let tokenizer = CharTokenizer::new("ab>\n");
    let question = tokenizer.encode("ab>");
    let config =
        GptConfig { vocab_size: tokenizer.vocab_size(), context: 5, dim: 8, layers: 1, heads: 1 };
    let endless = (0..).map(|seed| Gpt::new(config, &mut Rng::seeded(seed))).find_map(|model| {
        let mut shown = vec![];
        let given = answer(&model, &tokenizer, &question, |text| shown.push(text.to_owned()));
        let given = given.expect("an answer");
        (!given.contains(&tokenizer.encode("\n")[0])).then_some((given, shown))
    });
    let (given, shown) = endless.expect("a model that finds no end");
    assert_eq!(given.len(), 3, "a context of 5 holds the question and two of three tokens");
    assert_eq!(shown.last(), tokenizer.decode(&given).ok().as_ref());
}

#[test]
fn attention_and_a_lookup_are_judged_beyond_the_sample_error() {
    let better = transformer::attention_insight(0.99, 0.05, 500);
    assert!(better.contains("99.0 % +- 0.4") && better.contains("Only attention"), "{better}");
    assert!(transformer::attention_insight(0.05, 0.99, 500).contains("The mean was better"));
    assert!(transformer::attention_insight(0.5, 0.51, 500).contains("no clear difference"));
    let better = transformer::dialogue_insight(0.6, 0.4, 96);
    assert!(better.contains("60.0 % +- 5.0") && better.contains("does more"), "{better}");
    assert!(transformer::dialogue_insight(0.4, 0.6, 96).contains("by heart"));
    assert!(transformer::dialogue_insight(0.5, 0.45, 96).contains("no clear difference"));
}
