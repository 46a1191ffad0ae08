//! What the analyses of lesson 07 say of their figures.

use crate::testing::{Ratio, Reading, compare_accuracies, sample_error};

/// What the two curves say: the losses of training and validation at the best epoch, and those at the last.
pub fn overfitting_insight(losses: [(f32, f32); 2], best: usize, epochs: usize) -> String {
    let [(train, validation), (train_last, validation_last)] = losses;
    let meaning = if best == epochs || validation_last <= 1.05 * validation {
        "no overfitting can be seen here"
    } else if train_last < train {
        "overfitting. What was learned last holds for the training points only"
    } else {
        "both became worse, which is no overfitting; the learning rate is too high"
    };
    format!(
        "From epoch {best} to {epochs} the training loss went from {train:.3} to {train_last:.3}, the \
         validation loss from {validation:.3} to {validation_last:.3}: {meaning}."
    )
}

/// What stopping early was worth: test accuracies with the best and the last parameters.
pub fn stopping_insight((early, last): (f64, f64), n: usize, stop: Option<usize>) -> String {
    let stopped = stop.map_or_else(
        || "would not have stopped this run".to_owned(),
        |epoch| format!("would have stopped at epoch {epoch}"),
    );
    let found = match compare_accuracies(early, last, n) {
        Reading::Larger => "better than the last ones on the test set",
        Reading::Smaller => {
            "worse than the last ones on the test set, although their validation loss was lower"
        }
        _ => "not clearly different from the last ones in test accuracy",
    };
    let error = sample_error(early, n).hypot(sample_error(last, n));
    let [early, last, error] = [early, last, error].map(|part| 100.0 * part);
    format!(
        "Patience of 20 {stopped}. The best parameters were {found}: {early:.1} % against {last:.1} %, with \
         a standard error of {error:.1} for the difference."
    )
}

/// What a schedule was worth: the quotient of the final validation losses, with it and without.
pub fn schedule_insight(ratio: Ratio) -> String {
    let meaning = match ratio.reading() {
        Reading::Smaller => "it helped here",
        Reading::Larger => "it did harm here",
        Reading::NoClearDifference => "no clear difference here",
        Reading::TooNoisy => "the seeds disagree too much to tell",
    };
    format!(
        "With the cosine the final loss was {:.2} times that of a constant rate ({:.2} to {:.2} in the \
         middle half of the seeds): {meaning}.",
        ratio.median, ratio.low, ratio.high
    )
}

/// What accumulation saved, in bytes at the peak (whole batch, smallest pieces), and what it changed.
pub fn accumulation_insight((whole, pieces): (f64, f64), difference: f32) -> String {
    let needed =
        |a: &str, b: &str, times: f64| format!("{a} needed {times:.1} times the memory of {b}");
    let saved = match whole / pieces {
        ratio if ratio > 1.1 => needed("The whole batch", "the smallest pieces", ratio),
        ratio if ratio < 1.0 / 1.1 => needed("The smallest pieces", "the whole batch", 1.0 / ratio),
        _ => "There is no clear difference in memory here".to_owned(),
    };
    let same = if difference < 1e-4 {
        "the gradient is the same but for rounding"
    } else {
        "and the gradient is not the same: is each piece weighted by its samples?"
    };
    format!("{saved}; {same} (largest difference {difference:.1e}).")
}
