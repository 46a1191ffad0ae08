//! What the analyses and the figure of lesson 17 say of their figures.

use crate::footprints::{DENSE_FORMS, Footprint};
use crate::testing::{Comparison, Ratio, Reading, compare_accuracies, sample_error};

/// What pruning lost at a sparsity of 0.95, at once and while training: accuracies of `n` samples.
pub fn pruning_insight(dense: f64, once: f64, gradual: f64, n: usize) -> String {
    let beside = |right| match compare_accuracies(right, dense, n) {
        Reading::Smaller => "clearly fewer",
        Reading::Larger => "clearly more",
        _ => "not clearly more or fewer",
    };
    let [whole, at_once, trained] = [dense, once, gradual].map(|part| 100.0 * part);
    let repaired = match compare_accuracies(gradual, once, n) {
        Reading::Larger if compare_accuracies(gradual, dense, n) != Reading::Smaller => {
            "Training with the zeros repaired what pruning broke."
        }
        Reading::Larger => "Training with the zeros repaired a part of what pruning broke.",
        Reading::Smaller => "Here training with the zeros did harm.",
        _ => "Training with the zeros made no clear difference.",
    };
    format!(
        "The dense network reads {whole:.1} % of the digits. Without 95 % of its weights, pruned at once, it reads \
         {at_once:.1} %, {} than dense; pruned while it trains, {trained:.1} %, {} than dense. {repaired}",
        beside(once),
        beside(gradual)
    )
}

/// What the file is worth: how many times smaller it is, and the accuracies of the dense model, of the one in the file,
/// and of a small dense one in a file of the same size, each of `n` samples.
pub fn ratio_insight(ratio: f64, [dense, small, control]: [f64; 3], n: usize) -> String {
    let size = match ratio {
        ratio if ratio > 1.0 => format!("{ratio:.1} times smaller than the dense one"),
        ratio => format!("{:.1} times larger than the dense one", 1.0 / ratio),
    };
    let lost = match compare_accuracies(small, dense, n) {
        Reading::Smaller => "clearly fewer than",
        Reading::Larger => "clearly more than",
        _ => "not clearly more or fewer than",
    };
    let needed = match compare_accuracies(control, small, n) {
        Reading::Smaller => "so the large network, compressed, is the better use of these bytes",
        Reading::Larger => "so training the small one would have been better",
        _ => "which is no clear difference, so this task did not need the large network",
    };
    let [whole, left, beside] = [dense, small, control].map(|part| 100.0 * part);
    format!(
        "The file is {size}. The model in it reads {left:.1} % of the test digits, {lost} the dense one's {whole:.1} %. \
         A small dense network in a file of the same size reads {beside:.1} %, {needed}."
    )
}

/// From which sparsity on the sparse layer was faster than each of [`DENSE_FORMS`], by rising sparsity.
pub fn speedup_insight(batch: usize, found: &[(f64, [Comparison; 2])]) -> String {
    let inputs = if batch == 1 { "1 input".to_owned() } else { format!("{batch} inputs") };
    let said = |form: usize| {
        let ratios: Vec<_> = found.iter().map(|(at, both)| (*at, both[form].ratio)).collect();
        format!("With {inputs} the sparse layer is {}", faster_than(DENSE_FORMS[form], &ratios))
    };
    format!("{} {}", said(0), said(1))
}

/// From which sparsity on the sparse layer was faster than this one: quotients of the times, dense by sparse.
fn faster_than(dense: &str, found: &[(f64, Ratio)]) -> String {
    // Where three quarters of the pairs agree that the dense layer took longer, though perhaps not how many times.
    let faster = |ratio: &Ratio| ratio.low > 1.05;
    let start = found.iter().rposition(|(_, ratio)| !faster(ratio)).map_or(0, |last| last + 1);
    let Some((sparsity, ratio)) = found.get(start) else {
        return format!(
            "not clearly faster than {dense} at the highest sparsity that was measured: its zeros save work, but no time."
        );
    };
    let Ratio { median, low, high } = ratio;
    let times = match ratio.reading() {
        Reading::Larger => format!("the dense one takes {median:.1} times as long"),
        _ => "the pairs disagree on how many times as long the dense one takes".to_owned(),
    };
    let since = match start {
        0 => format!("at every sparsity that was measured, from {sparsity} on"),
        _ => format!("from a sparsity of {sparsity} on"),
    };
    format!(
        "faster than {dense} {since}; there {times} ({low:.2} to {high:.2} in the middle half of the pairs)."
    )
}

/// What half of the units save in time: all units by half of them.
pub fn structured_insight(ratio: Ratio) -> String {
    let why = match ratio.reading() {
        Reading::Larger => " The smaller layer is dense: no index is looked up.",
        _ => "",
    };
    format!("{}{why}", ratio.took("all units", "half of the units"))
}

/// From which sparsity on the sparse form needs less memory: sparsity, dense bytes and sparse bytes, rising.
pub fn memory_insight(found: &[(f64, f64, f64)]) -> String {
    if found.iter().any(|(_, dense, sparse)| dense.is_nan() || sparse.is_nan()) {
        return "Memory was not counted: the tutor does that, plain cargo does not.".to_owned();
    }
    let start = found.iter().rposition(|(_, dense, sparse)| sparse >= dense);
    match found.get(start.map_or(0, |last| last + 1)) {
        Some((sparsity, dense, sparse)) => format!(
            "The sparse form needs less memory from a sparsity of {sparsity} on: there {:.2} times that of the dense one.",
            sparse / dense
        ),
        None => "The sparse form needs more memory at every sparsity that was measured.".to_owned(),
    }
}

/// What the teacher was worth: the difference of accuracies for each seed, in quartiles, and the medians, of `n` samples.
pub fn distillation_insight(
    [low, median, high]: [f64; 3],
    [labels, soft]: [f64; 2],
    n: usize,
) -> String {
    let error = sample_error(labels, n).hypot(sample_error(soft, n));
    let agree = low > 0.0 || high < 0.0;
    let found = match median {
        _ if !agree => "the seeds disagree on its sign, so there is no clear difference",
        m if m.abs() <= 2.0 * error => {
            "within twice its standard error, so there is no clear difference"
        }
        m if m > 0.0 => "so the teacher helped",
        _ => "so the teacher did harm",
    };
    let [labels, soft, median, low, high, error] =
        [labels, soft, median, low, high, error].map(|part| 100.0 * part);
    format!(
        "With the teacher the student reads {soft:.1} %, without it {labels:.1} %, each the median of its seeds. Seed \
         by seed, the difference is {median:+.1} points in the median ({low:+.1} to {high:+.1} in the middle half), with \
         a standard error of {error:.1}: {found}."
    )
}

/// How many of the models are dominated, and the smallest that is not clearly worse than the first, the dense one, by
/// their accuracies on `n` samples.
pub fn pareto_insight(found: &[(String, Footprint)], dominated: &[bool], n: usize) -> String {
    let Some((_, dense)) = found.first() else { return "There is no model.".to_owned() };
    let beaten = match dominated.iter().filter(|beaten| **beaten).count() {
        0 => "No model is dominated".to_owned(),
        count => format!("{count} of {} models are dominated", found.len()),
    };
    let enough = dense.accuracy - sample_error(dense.accuracy, n);
    let as_good = found.iter().filter(|(_, one)| one.accuracy >= enough);
    let smallest = as_good.min_by(|a, b| a.1.bytes.total_cmp(&b.1.bytes));
    let small = match smallest {
        Some((name, one)) if one.bytes < dense.bytes => {
            format!("\"{name}\", in a file {:.1} times smaller", dense.bytes / one.bytes)
        }
        _ => "the dense one itself".to_owned(),
    };
    format!(
        "{beaten}. The smallest that reads as many digits as the dense one, less one sample error at most, is {small}."
    )
}

/// Which scenarios have a model within their budget; for the others, what the nearest model misses.
pub fn budget_insight(verdicts: &[(&str, String)]) -> String {
    let met = verdicts.iter().filter(|(_, missed)| missed.is_empty()).count();
    let missed = verdicts.iter().filter(|(_, missed)| !missed.is_empty());
    let missed: Vec<String> = missed.map(|(name, of)| format!("{name} ({of})")).collect();
    let without = match missed.is_empty() {
        true => "None is left without a model.".to_owned(),
        false => format!("Without a model, and by which figure: {}.", missed.join("; ")),
    };
    format!("{met} of {} scenarios have a model within their budget. {without}", verdicts.len())
}

/// What pruning at once did: the fraction of the weights that is gone, and accuracies of `n` samples.
pub fn pruned_insight(gone: f64, before: f64, after: f64, n: usize) -> String {
    let found = match compare_accuracies(after, before, n) {
        Reading::Smaller => "fewer digits are read than before",
        Reading::Larger => "more digits are read than before",
        _ => "no clear difference in what is read",
    };
    let [before, after] = [before, after].map(|part| 100.0 * part);
    format!(
        "{:.0} % of the weights are gone: {found} ({before:.1} % before, {after:.1} % after).",
        100.0 * gone
    )
}
