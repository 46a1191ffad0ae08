//! What the analyses and the figure of lesson 16 say of their figures.

use crate::testing::{Reading, compare_accuracies, sample_error};

/// What the ratios of bytes of a small and of a large model say; scales and biases are counted.
pub fn memory_insight(small: f64, large: f64) -> String {
    let seen = format!(
        "The model for the digits is {small:.2} times smaller, the layers of a GPT-2 block {large:.2} times ({large:.1} when \
         rounded)"
    );
    if large > 1.02 * small {
        format!(
            "{seen}: each output keeps a scale and a bias of four bytes, which matter less the more weights it has."
        )
    } else if small > 1.02 * large {
        format!("{seen}: here the small model gains more, which scales and biases do not explain.")
    } else {
        format!("{seen}: the two hardly differ.")
    }
}

/// What one bit more added to the ratio of signal to noise, in dB, on average from 4 to 8 bits.
pub fn bits_insight(per_bit: f64) -> String {
    let rule = "20 log10(2) = 6.02 dB, which half the step gives";
    match per_bit {
        gain if gain > 6.62 => format!("Each bit more added {gain:.1} dB: more than {rule}."),
        gain if gain < 5.42 => format!("Each bit more added {gain:.1} dB: less than {rule}."),
        gain => format!("Each bit more added {gain:.1} dB: as expected, {rule}."),
    }
}

/// Which calibration restored numbers best and which worst, given the name of each and its SQNR with 8, 4 and 3 bits. Less
/// than half a decibel is no difference.
pub fn calibration_insight(found: &[(&str, [f64; 3]); 3]) -> String {
    let said = |bits: &str, at: usize| {
        let mut order = found.to_vec();
        order.sort_by(|a, b| b.1[at].total_cmp(&a.1[at]));
        let [(best, high), _, (worst, low)] =
            [0, 1, 2].map(|place: usize| (order[place].0, order[place].1[at]));
        match high - low {
            lead if lead < 0.5 => format!("with {bits} bits the three hardly differ"),
            lead => format!("with {bits} bits \"{best}\" is {lead:.1} dB above \"{worst}\""),
        }
    };
    format!("On digits that did not calibrate: {}; {}.", said("8", 0), said("3", 2))
}

/// What the test accuracies of a model in f32 and in 8 bits say, both on the same `n` samples.
pub fn accuracy_insight(exact: f64, eight: f64, n: usize) -> String {
    let [e, i] = [exact, eight].map(|accuracy| 100.0 * accuracy);
    let error = 100.0 * sample_error(exact, n);
    let seen = format!("{i:.1} % in 8 bits and {e:.1} % in f32, with a sample error of {error:.1}");
    let loss = e - i;
    match compare_accuracies(exact, eight, n) {
        Reading::Larger => format!("{seen}: 8 bits lost {loss:.1} points."),
        Reading::Smaller => format!("{seen}: 8 bits are better, which rounding does not explain."),
        Reading::NoClearDifference => {
            format!("{seen}: {n} digits show no clear difference.")
        }
        Reading::TooNoisy => {
            "The accuracies are not numbers: see the tests of this lesson.".to_owned()
        }
    }
}

/// What it brought to leave the most sensitive layer in f32, on the same `n` samples.
pub fn mixed_insight(all: f64, mixed: f64, n: usize) -> String {
    let seen = format!(
        "With all layers in 4 bits {:.1} % are read, with the most sensitive one in f32 {:.1} %",
        100.0 * all,
        100.0 * mixed
    );
    match compare_accuracies(mixed, all, n) {
        Reading::Larger => format!("{seen}: the exception is worth its bytes."),
        Reading::Smaller => {
            format!("{seen}: what was chosen on validation digits did not help here.")
        }
        _ => format!("{seen}: no clear difference on {n} digits."),
    }
}

/// What training that knows about the rounding brought: for each number of bits, the test accuracies of `[plain, aware]`.
pub fn aware_insight(found: &[(u32, [f64; 2])], n: usize) -> String {
    let said = |&(bits, [plain, aware]): &(u32, [f64; 2])| {
        let found = match compare_accuracies(aware, plain, n) {
            Reading::Larger => "training learned weights that survive the rounding".to_owned(),
            Reading::Smaller => "here it did harm".to_owned(),
            _ => format!("no clear difference on {n} digits"),
        };
        let [plain, aware] = [plain, aware].map(|accuracy| 100.0 * accuracy);
        format!("with {bits} bits {plain:.1} % and {aware:.1} %, {found}")
    };
    let all: Vec<String> = found.iter().map(said).collect();
    format!(
        "Digits that are read after plain training, and after training aware of the rounding: {}.",
        all.join("; ")
    )
}

/// What the perplexities of a GPT in f32, in 8 and in 4 bits say.
pub fn perplexity_insight([exact, eight, four]: [f64; 3]) -> String {
    let change = |bits: &str, perplexity: f64| match perplexity / exact {
        ratio if ratio > 1.02 => format!("with {bits} bits {:.0} % higher", 100.0 * (ratio - 1.0)),
        ratio if ratio < 0.98 => format!("with {bits} bits {:.0} % lower", 100.0 * (1.0 - ratio)),
        _ => format!("with {bits} bits the same within 2 %"),
    };
    let (eight, four) = (change("8", eight), change("4", four));
    format!("The perplexity is {exact:.2} in f32, {eight}, and {four}.")
}

/// Which errors are larger in sum: squared errors of rounding, and of clipping.
pub fn error_insight(rounding: f64, clipping: f64) -> String {
    let all = rounding + clipping;
    if all == 0.0 {
        return "Every number is restored exactly.".to_owned();
    }
    let share = 100.0 * clipping / all;
    match share {
        share if share > 60.0 => {
            format!("{share:.0} % of the squared error is clipping: a wider range would help.")
        }
        share if share < 40.0 => format!(
            "{:.0} % of the squared error is rounding: more bits help, or a narrower range as long as little is clipped.",
            100.0 - share
        ),
        share => {
            format!("{share:.0} % of the squared error is clipping, the rest rounding: a balance.")
        }
    }
}
