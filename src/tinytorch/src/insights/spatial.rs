//! What the analyses and the figure of lesson 09 say of their figures.

use crate::testing::{Ratio, Reading, compare_accuracies, sample_error};

/// What the times of the naive loops and of the reordered ones say.
pub fn loop_order_insight(ratio: Ratio) -> String {
    let why = match ratio.reading() {
        Reading::Larger => {
            " Both do the same multiplications. The innermost naive loop has three steps and computes an index for each \
             product; the reordered one runs over whole rows of memory."
        }
        Reading::Smaller => {
            " Reordering did not pay off here: is the innermost loop one over two slices?"
        }
        Reading::NoClearDifference | Reading::TooNoisy => "",
    };
    format!("{}{why}", ratio.took("the naive order", "the reordered one"))
}

/// What the accuracy on `n` digits says of the filters that the network learned.
pub fn learned_filters_insight(accuracy: f64, n: usize) -> String {
    let (percent, error) = (accuracy * 100.0, sample_error(accuracy, n) * 100.0);
    let meaning = match compare_accuracies(accuracy, 0.1, n) {
        Reading::Larger => "No one designed them: gradient descent on the loss found them.",
        _ => "That is no better than guessing, so the filters mean nothing yet.",
    };
    format!(
        "With these filters, {percent:.1} % (+- {error:.1}) of {n} digits are read correctly. {meaning}"
    )
}

/// What a dense layer with so many times the parameters of a convolution, and the ratio of their times, say.
pub fn sharing_insight(parameters: f64, spent: Ratio) -> String {
    let note = match spent.reading() {
        Reading::Smaller => " Fewer parameters are not less work: each is used at every position.",
        Reading::Larger | Reading::NoClearDifference | Reading::TooNoisy => "",
    };
    format!(
        "At 32x32 the dense layer has {parameters:.0} times the parameters for an output of the same size; each must \
         be learned from examples with something at that one pixel. {}{note}",
        spent.took("the dense layer", "the convolution")
    )
}

/// What the accuracies on `n` digits, as written and moved, of a dense and of a convolutional network say.
pub fn shift_insight(dense: [f64; 2], convolutional: [f64; 2], n: usize) -> String {
    let percent = |p: f64| format!("{:.1} % (+- {:.1})", p * 100.0, sample_error(p, n) * 100.0);
    let lost = |[written, moved]: [f64; 2]| match compare_accuracies(written, moved, n) {
        Reading::Larger => format!("fell from {} to {}", percent(written), percent(moved)),
        Reading::Smaller => format!("rose from {} to {}", percent(written), percent(moved)),
        _ => format!("did not clearly change: {} and {}", percent(written), percent(moved)),
    };
    let meaning = match compare_accuracies(convolutional[1], dense[1], n) {
        Reading::Larger => {
            "Of the moved digits, the convolutional network read more: its feature maps move with the image."
        }
        Reading::Smaller => {
            "Here the dense network read more of the moved digits, which is not what shared weights promise."
        }
        _ => "Of the moved digits, neither network clearly read more.",
    };
    format!(
        "By one pixel to the right, the dense network {}; the convolutional one {}. {meaning}",
        lost(dense),
        lost(convolutional)
    )
}

/// What the nine products show: their sum, and what `convolve_naive` wrote in this place.
pub fn products_insight(sum: f32, written: f32) -> String {
    let wrote = if (sum - written).abs() < 1e-3 {
        "which is what `convolve_naive` wrote here".to_owned()
    } else {
        format!("but `convolve_naive` wrote {written} here")
    };
    format!("The nine products add up to {sum}, {wrote}.")
}
