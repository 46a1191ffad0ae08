//! What the analyses and the figure of lesson 14 say of their figures.

use crate::testing::{Ratio, Reading};
use std::collections::BTreeMap;

/// A part of a model: its name, its time in seconds, and its operations.
pub type Part = (String, f64, f64);

/// How many times the average an operation must take, or the average it, to be worth a word.
const UNUSUAL: f64 = 1.25;

/// What the part of a model with the most time says, all parts of its kind together, and the part whose operations take
/// the longest. `bound` is how many times as fast the whole would be without a share of its time.
pub fn hot_spot_insight(model: &str, parts: &[Part], bound: impl Fn(f64) -> f64) -> String {
    let sum = |of: fn(&Part) -> f64| parts.iter().map(of).sum::<f64>();
    let (time, flops) = (sum(|part| part.1), sum(|part| part.2));
    let Some(hot) = parts.iter().max_by(|a, b| a.1.total_cmp(&b.1)) else {
        return format!("There is nothing to profile in {model}.");
    };
    let slowness = |part: &Part| (part.1 / time) / (part.2 / flops);
    let shares = |part: &Part| {
        let [time, flops] = [part.1 / time, part.2 / flops].map(|share| 100.0 * share);
        format!("{time:.0} %, with {flops:.0} % of the operations")
    };
    let beside = match slowness(hot) {
        r if r > UNUSUAL => "an operation takes longer there than on average",
        r if r < 1.0 / UNUSUAL => "an operation takes less time there than on average",
        _ => "an operation takes about as long there as on average",
    };
    let mut text = format!(
        "Of the time of {model}, {} takes {}: {beside}. If it took no time at all, the whole would be {:.2} times as fast.",
        hot.0,
        shares(hot),
        bound(hot.1 / time)
    );
    let same: Vec<f64> =
        parts.iter().filter(|part| kind(&part.0) == kind(&hot.0)).map(|part| part.1).collect();
    if same.len() > 1 {
        let share = same.iter().sum::<f64>() / time;
        text.push_str(&format!(
            " The {} parts of its kind, {}, together take {:.0} %: without all of them, {:.2} times.",
            same.len(),
            kind(&hot.0),
            100.0 * share,
            bound(share)
        ));
    }
    let computing = parts.iter().filter(|part| part.2 > 0.0);
    let slowest = computing.max_by(|a, b| slowness(a).total_cmp(&slowness(b)));
    if let Some(slow) = slowest.filter(|slow| slow.0 != hot.0 && slowness(slow) > UNUSUAL) {
        text.push_str(&format!(
            " An operation takes the longest in {}: {} % of the time for {} % of the operations.",
            slow.0,
            percent(slow.1 / time),
            percent(slow.2 / flops)
        ));
    }
    text
}

/// What parts of a model are called without the number of their block and without their sizes: `"block 2: GELU"` is of the
/// kind `"GELU"`, `"Conv2d(1 -> 8, 3x3)"` of the kind `"Conv2d"`.
fn kind(part: &str) -> &str {
    let name = part.rsplit(": ").next().unwrap_or(part);
    name.split('(').next().unwrap_or(name)
}

/// A share from 0 to 1 in percent, small ones with a decimal.
fn percent(share: f64) -> String {
    let percent = 100.0 * share;
    if percent < 10.0 { format!("{percent:.1}") } else { format!("{percent:.0}") }
}

/// Why the parts of a profile do not add up to a forward pass on the timeline: both in seconds.
pub fn parts_insight(parts: f64, forward: f64) -> String {
    let fact = format!(
        "The parts of the profile add up to {:.2} ms, and the forward pass on the timeline took {:.2} ms",
        1e3 * parts,
        1e3 * forward
    );
    match forward / parts {
        r if r > 1.1 => format!(
            "{fact}, {r:.1} times as long. The profile has medians of runs without a history; the timeline has a single run that records one."
        ),
        r if r < 0.9 => format!(
            "{fact}, less than the parts alone: something slowed the profile down. Measure again."
        ),
        _ => format!("{fact}: here both agree."),
    }
}

/// What forward and backward together say, compared with forward alone. By counting products, a backward pass costs two
/// forward passes.
pub fn backward_insight(ratio: Ratio) -> String {
    let took = ratio.took("forward and backward", "forward alone");
    if ratio.reading() != Reading::Larger {
        return took;
    }
    let [low, times, high] = [ratio.low, ratio.median, ratio.high].map(|all| all - 1.0);
    let more = match () {
        () if low > 2.2 => ", more than the two that its products predict.",
        () if high < 1.8 => ", less than the two that its products predict.",
        () if (1.8..=2.2).contains(&times) => ", about the two that its products predict.",
        () => {
            ". Its products predict two; these pairs spread too far to confirm or to refute that."
        }
    };
    format!("{took} The backward pass costs {times:.1} forward passes{more}")
}

/// Whether the stream through memory, in bytes, was long enough for a largest cache of so many.
pub fn stream_insight(stream: usize, cache: Option<usize>) -> String {
    let mebibytes = |bytes: usize| format!("{} MiB", bytes >> 20);
    let taken = mebibytes(stream);
    match cache {
        None => format!(
            "The stream takes {taken}. This system does not say how large its caches are: if one of them holds more than half of that, the bandwidth of memory is lower than the probe says."
        ),
        Some(cache) if stream < 2 * cache => format!(
            "The stream takes {taken}, less than twice the largest cache, {}: part of it can stay there, so the bandwidth of memory may be lower than the probe says.",
            mebibytes(cache)
        ),
        Some(cache) => format!(
            "The stream takes {taken}, at least twice the largest cache, {}: most of it must come from memory.",
            mebibytes(cache)
        ),
    }
}

/// Operations below this part of their roof meet neither limit.
pub const NEAR_THE_ROOF: f64 = 0.5;

/// Operations with their arithmetic intensity and what part of their roof they reach, from 0 to 1 and above.
pub fn roofline_insight(ridge: f64, operations: &[(String, f64, f64)]) -> String {
    let names = |wanted: &dyn Fn(&(String, f64, f64)) -> bool| {
        let found: Vec<&str> =
            operations.iter().filter(|it| wanted(it)).map(|it| it.0.as_str()).collect();
        found.join(", ")
    };
    let or_none = |names: String| if names.is_empty() { "none".to_owned() } else { names };
    let mut text = format!(
        "Left of the ridge point, {ridge:.1} FLOP/B, the roof is that of memory: {}. Right of it the roof is the peak: {}.",
        or_none(names(&|it| it.1 < ridge)),
        or_none(names(&|it| it.1 >= ridge))
    );
    let mut add = |names: String, said: &str| {
        if !names.is_empty() {
            text.push_str(&format!(" {}", said.replace("{}", &names)));
        }
    };
    add(
        names(&|it| it.2 < NEAR_THE_ROOF),
        "Below half of their roof, where neither limit is reached: {}.",
    );
    add(
        names(&|it| (NEAR_THE_ROOF..=1.0).contains(&it.2)),
        "Within a factor of two of their roof: {}.",
    );
    add(
        names(&|it| it.2 > 1.0 && it.1 < ridge),
        "Above the roof of memory: {}. Either their numbers came from a cache, or the probe of memory was disturbed.",
    );
    add(
        names(&|it| it.2 > 1.0 && it.1 >= ridge),
        "Above the peak: {}. The probe of the peak was disturbed: measure again.",
    );
    text
}

/// How long the first run took, compared with the median of the later ones.
pub fn first_run_insight(ratio: f64) -> String {
    match ratio {
        r if r > 1.05 => format!(
            "The first run took {r:.1} times the median of the later ones: a single timing without a warm-up would have shown this."
        ),
        r if r > 0.95 => format!(
            "The first run took {r:.2} times the median of the later ones: it was like the others."
        ),
        r => format!(
            "The first run took {r:.2} times the median of the later ones: something slowed those down."
        ),
    }
}

/// What p95 says beside the median, both in seconds.
pub fn tail_insight(median: f64, p95: f64) -> String {
    match p95 / median {
        r if r > 1.5 => format!(
            "One run in 20 took at least {r:.1} times the median: the median does not show how long a user sometimes waits; p95 does."
        ),
        r => format!(
            "19 runs in 20 took at most {r:.2} times the median: these runs hardly differ, so here the median says almost all."
        ),
    }
}

/// Which events were not counted, by the kernel's error; none if all were.
pub fn refused_note(events: &[(&str, String)]) -> Option<String> {
    let mut by_reason: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    events.iter().for_each(|(event, reason)| by_reason.entry(reason).or_default().push(event));
    let lines =
        by_reason.iter().map(|(reason, events)| format!("{} ({reason})", events.join(", ")));
    let refused: Vec<String> = lines.collect();
    (!refused.is_empty())
        .then(|| format!("Not counted, with the kernel's error: {}.", refused.join("; ")))
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

/// What an operation with this arithmetic intensity meets on a machine, given the least times of computing and of moving in
/// seconds, and what would help.
pub fn roof_insight(intensity: f64, ridge: f64, time: [f64; 2]) -> String {
    let [computing, moving] = time.map(duration);
    if intensity < ridge {
        format!(
            "Memory-bound: moving takes at least {moving}, computing {computing}. A faster processor would change nothing; fewer bytes would."
        )
    } else {
        format!(
            "Compute-bound: computing takes at least {computing}, moving {moving}. Faster memory would change nothing; fewer operations would."
        )
    }
}

/// Seconds, in a unit that leaves digits before the point.
fn duration(seconds: f64) -> String {
    let units = [(1.0, "s"), (1e-3, "ms"), (1e-6, "microseconds")];
    let unit = units.into_iter().find(|(unit, _)| seconds >= *unit);
    let (unit, name) = unit.unwrap_or((1e-9, "ns"));
    format!("{:.1} {name}", seconds / unit)
}
