//! What the analyses of lesson 08 say of their figures.

use crate::testing::{Ratio, Reading, compare_accuracies, sample_error};

/// What the throughput analysis compares, as its table and its sentence call it.
pub const COMPARED: [&str; 3] = [
    "an epoch in batches of 1",
    "an epoch in batches of 1,024",
    "a shuffled epoch in batches of 1,024",
];

/// What the times of an epoch say of batches of 1 beside batches of 1,024, and of shuffling.
pub fn throughput_insight(batching: Ratio, shuffling: Ratio) -> String {
    let why = match batching.reading() {
        Reading::Larger => {
            " Each batch makes two new tensors, whatever their size: a fixed cost that a large batch divides among \
             many samples."
        }
        Reading::Smaller => " That is the opposite of what a fixed cost for each batch would give.",
        Reading::NoClearDifference | Reading::TooNoisy => "",
    };
    let batching = batching.took(COMPARED[0], COMPARED[1]);
    let shuffling = shuffling.took(COMPARED[2], COMPARED[1]);
    format!("{batching}{why} {shuffling}")
}

/// What the time of a batch of the smallest samples says of collating and gathering.
pub fn collation_insight(ratio: Ratio) -> String {
    let why = match ratio.reading() {
        Reading::Larger => {
            " These are the smallest samples, where most of the work is overhead: 128 small tensors, each with a shape \
             and a reference count of its own."
        }
        Reading::Smaller => {
            " Making 128 small tensors cost less than gathering: look for what slows `gather` down."
        }
        Reading::NoClearDifference | Reading::TooNoisy => "",
    };
    format!("{}{why}", ratio.took("collating sample by sample", "gathering"))
}

/// What the times in turn and with prefetching say, on a machine of so many cores.
pub fn prefetch_insight(ratio: Ratio, cores: usize) -> String {
    let why = match ratio.reading() {
        Reading::Larger => {
            " In turn, the times of loading and computing add up; the prefetcher hid part of the loading."
        }
        Reading::Smaller => " Here the second thread cost more than it hid.",
        Reading::NoClearDifference | Reading::TooNoisy => "",
    };
    let took = ratio.took("loading in turn", "prefetching");
    if cores == 1 {
        return format!(
            "{took}{why} With a single core the two threads take turns, so there is nothing to gain."
        );
    }
    format!(
        "{took}{why} A prefetcher needs one of the {cores} cores for itself: a busy machine has none to spare."
    )
}

/// What the accuracies on `n` validation samples, after training on sorted and on shuffled data, say.
pub fn order_insight(sorted: f64, shuffled: f64, n: usize) -> String {
    let percent = |p: f64| format!("{:.1} % (+- {:.1})", p * 100.0, sample_error(p, n) * 100.0);
    let meaning = match compare_accuracies(shuffled, sorted, n) {
        Reading::Larger => {
            "Digits, network and number of steps are the same, and each order had its best rate: sorted, each batch \
             holds one class, and each step undoes part of what the others taught."
        }
        Reading::NoClearDifference | Reading::TooNoisy => {
            "No clear difference here: it is no larger than chance on so few samples would make it."
        }
        Reading::Smaller => {
            "Here the sorted order did better, which is not what one expects: look at the loader's order."
        }
    };
    format!("Sorted by class {}, shuffled {}. {meaning}", percent(sorted), percent(shuffled))
}

/// What the validation loss of each epoch, and the accuracies on training and validation data at the end, say.
pub fn overfitting_insight(losses: &[f64], [train, validation]: [f64; 2], n: usize) -> String {
    let best = losses.iter().enumerate().min_by(|a, b| a.1.total_cmp(b.1));
    let (Some((place, lowest)), Some(last)) = (best, losses.last()) else {
        return "There is no epoch to judge.".to_owned();
    };
    let (epoch, epochs) = (place + 1, losses.len());
    let curve = if *last > lowest * 1.05 {
        format!(
            "The validation loss was lowest after epoch {epoch}, {lowest:.3}, and rose to {last:.3} after epoch \
             {epochs}: overfitting. Early stopping would keep the weights of epoch {epoch}."
        )
    } else {
        format!(
            "The validation loss did not clearly rise: {lowest:.3} at its lowest, after epoch {epoch}, and {last:.3} \
             after epoch {epochs}."
        )
    };
    let error = sample_error(validation, n);
    let gap = if train - validation > 2.0 * error {
        "The difference is the generalization gap: what was learned of these digits alone."
    } else {
        "The difference is not clearly larger than chance on so few samples would make it."
    };
    let [train, validation, error] = [train, validation, error].map(|part| part * 100.0);
    format!(
        "{curve} At the end, {train:.1} % of the training digits and {validation:.1} % (+- {error:.1}) of the validation \
         digits were read correctly. {gap}"
    )
}
