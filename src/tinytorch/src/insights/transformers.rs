//! What the analyses and the figure of lesson 13 say of their figures.

use crate::sampling::equal_choices;
use crate::testing::Ratio;

/// What the gradient norm of the first block says, compared with the last: pre-norm, with norms alone, and with neither.
pub fn gradient_flow_insight(pre: Ratio, norms: Ratio, neither: Ratio) -> String {
    let times =
        |ratio: f64| if ratio < 100.0 { format!("{ratio:.1}") } else { format!("{ratio:.0}") };
    let end = |ratio: Ratio| match ratio {
        Ratio { low, median, .. } if low > 1.05 => format!("{} times as large", times(median)),
        Ratio { high, median, .. } if high < 1.0 / 1.05 => {
            format!("{} times as small", times(1.0 / median))
        }
        _ => "not clearly larger or smaller".to_owned(),
    };
    let stays = |ratio: Ratio| ratio.high >= pre.low / 2.0;
    let cause = match (stays(neither), stays(norms)) {
        (true, _) => "At this depth the first block needs neither of them.",
        (false, true) => {
            "At this depth the norms alone would carry the gradient to the first block."
        }
        (false, false) => "It is the residual stream that carries the gradient to the first block.",
    };
    format!(
        "Compared with block 12, the gradient in block 1 is {} in a pre-norm stack, {} with norms alone, and {} with neither. {cause}",
        end(pre),
        end(norms),
        end(neither)
    )
}

/// What the validation perplexity of each epoch says, beside that of equal chances and that of a guess by frequency.
pub fn training_insight(vocabulary: usize, frequent: f64, validation: &[f64]) -> String {
    let [first, .., last] = validation else { return "One epoch shows no course.".to_owned() };
    let best = validation.iter().copied().fold(f64::INFINITY, f64::min);
    let learned = if *last < 0.9 * frequent {
        format!(
            "The model is as uncertain as among {last:.1} tokens, a guess by frequency as among {frequent:.0}, and one that knows nothing as among {vocabulary}."
        )
    } else {
        format!(
            "The model is as uncertain as among {last:.1} tokens, and a guess by frequency as among {frequent:.0}: it has learned little more than which tokens are frequent."
        )
    };
    let course = if *last > 1.1 * best {
        format!("It was better before ({best:.1}): from then on it fitted the training set alone.")
    } else if *last < 0.9 * first {
        "No earlier epoch was clearly better: no overfitting can be seen.".to_owned()
    } else {
        "The epochs after the first changed little.".to_owned()
    };
    format!("{learned} {course}")
}

/// What the validation losses of the smallest and of the largest model say, each with its spread over the seeds.
pub fn scaling_insight(small: [f64; 3], large: [f64; 3]) -> String {
    let [s, l] =
        [small, large].map(|[low, median, high]| format!("{median:.2} ({low:.2} to {high:.2})"));
    let seen =
        format!("After the same tokens the smallest model has a loss of {s}, the largest of {l}");
    if large[2] < small[0] {
        format!("{seen}: here the larger model learned more from each token.")
    } else if small[2] < large[0] {
        format!("{seen}: here the smaller model learned more from each token.")
    } else {
        format!("{seen}: the seeds differ more than the sizes.")
    }
}

/// What the settings did to a distribution: how many tokens are left, and among how many the draw is now as uncertain.
pub fn sampling_insight(own: &[f32], reshaped: &[f32]) -> String {
    let left = reshaped.iter().filter(|&&p| p > 0.0).count();
    let [before, now] = [own, reshaped].map(equal_choices);
    let effect = match now / before {
        r if r > 1.05 => "more varied than the model's own",
        r if r < 0.95 => "more certain than the model's own",
        _ => "about as varied as the model's own",
    };
    if left == 1 {
        return format!("Only one of {} tokens is left: nothing is drawn by chance.", own.len());
    }
    format!(
        "{left} of {} tokens can be drawn, as uncertain as among {now:.1}: {effect} ({before:.1}).",
        own.len()
    )
}
