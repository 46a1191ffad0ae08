//! What the analyses and the figure of lesson 14 say of their figures.

use crate::testing::{Ratio, Reading};

/// What the part of a model with the most time says: its share of the time and of the operations, each from 0 to 1, and
/// how many times as fast the whole would be without it.
pub fn hot_spot_insight(model: &str, part: &str, [time, flops]: [f64; 2], bound: f64) -> String {
    let percent = |share: f64| 100.0 * share;
    let beside = match time / flops {
        r if r > 1.25 => "an operation takes longer there than elsewhere",
        r if r < 0.8 => "an operation takes less time there than elsewhere",
        _ => "time follows the operations",
    };
    format!(
        "Of the time of {model}, {part} takes {:.0} %, with {:.0} % of the operations: {beside}. If it took no time at all, the whole would be {bound:.2} times as fast.",
        percent(time),
        percent(flops)
    )
}

/// What forward and backward together say, compared with forward alone. By counting products, a backward pass costs two
/// forward passes.
pub fn backward_insight(ratio: Ratio) -> String {
    let took = ratio.took("forward and backward", "forward alone");
    let times = ratio.median - 1.0;
    let more = match ratio.reading() {
        Reading::Larger if ratio.low - 1.0 > 2.2 => "more than the two that its products predict",
        Reading::Larger if ratio.high - 1.0 < 1.8 => "less than the two that its products predict",
        Reading::Larger => "about the two that its products predict",
        _ => return took,
    };
    format!("{took} The backward pass costs {times:.1} forward passes, {more}.")
}

/// Operations with their arithmetic intensity and what part of their roof they reach, from 0 to 1 and above.
pub fn roofline_insight(ridge: f64, operations: &[(String, f64, f64)]) -> String {
    let names = |wanted: &dyn Fn(&(String, f64, f64)) -> bool| {
        let found: Vec<&str> =
            operations.iter().filter(|it| wanted(it)).map(|it| it.0.as_str()).collect();
        if found.is_empty() { "none".to_owned() } else { found.join(", ") }
    };
    let inside: Vec<_> = operations.iter().filter(|(_, _, part)| *part <= 1.0).collect();
    let mut text = format!(
        "Left of the ridge point, {ridge:.1} FLOP/B, memory is the limit: {}. Right of it the processor is: {}.",
        names(&|it| it.1 < ridge),
        names(&|it| it.1 >= ridge)
    );
    if let Some((name, _, part)) = inside.iter().max_by(|a, b| a.2.total_cmp(&b.2)) {
        text.push_str(&format!(
            " Of those below the roof, {name} comes closest: it reaches {:.0} % of it.",
            100.0 * part
        ));
    }
    if inside.len() < operations.len() {
        text.push_str(&format!(
            " Above the roof of memory: {}. Their numbers came from a cache.",
            names(&|it| it.2 > 1.0)
        ));
    }
    text
}

/// How long the first run took, compared with the median of the later ones.
pub fn first_run_insight(ratio: f64) -> String {
    match ratio {
        r if r > 1.05 => format!(
            "The first run took {r:.1} times the median of the later ones: without a warm-up it would have counted."
        ),
        r if r > 0.95 => format!(
            "The first run took {r:.2} times the median of the later ones: here a warm-up changes nothing."
        ),
        r => format!(
            "The first run took {r:.2} times the median of the later ones: something slowed those down."
        ),
    }
}

/// What as many passes with one image each say, compared with one pass for all.
pub fn batch_insight(ratio: Ratio) -> String {
    let took = ratio.took("64 passes with one image each", "one pass with 64 images");
    match ratio.reading() {
        Reading::Larger => {
            format!("{took} What is paid once for each pass is shared by the batch.")
        }
        Reading::Smaller => {
            format!("{took} The numbers of a large batch do not stay in the cache.")
        }
        _ => took,
    }
}

/// What a pass with a span around each layer says, compared with a plain one.
pub fn tracing_insight(ratio: Ratio) -> String {
    let took = ratio.took("a traced pass", "a plain pass");
    match ratio.reading() {
        Reading::Larger => {
            format!("{took} The observer is part of what it observes: trace larger pieces.")
        }
        Reading::NoClearDifference => {
            format!("{took} A clock that is read twice for each layer is cheap enough here.")
        }
        _ => took,
    }
}

/// What an operation with this arithmetic intensity can reach on a machine, in FLOP/s, and what would help.
pub fn roof_insight(intensity: f64, ridge: f64, time: [f64; 2]) -> String {
    let [computing, moving] = time.map(|seconds| 1e6 * seconds);
    if intensity < ridge {
        format!(
            "Memory-bound: moving takes at least {moving:.2} microseconds, computing {computing:.2}. A faster processor would change nothing; fewer bytes would."
        )
    } else {
        format!(
            "Compute-bound: computing takes at least {computing:.2} microseconds, moving {moving:.2}. Faster memory would change nothing; fewer operations would."
        )
    }
}
