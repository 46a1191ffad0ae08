//! What the analyses and the figure of lesson 15 say of their figures.

use crate::testing::{Ratio, Reading};

/// What is compared, as tables and sentences call it.
pub const LONG: &str = "a token behind 200 others";
/// See [`LONG`].
pub const SHORT: &str = "a token behind 25";
/// A token whose window has slid, with a cache.
pub const BEYOND: &str = "a token beyond the context";
/// A token that the cache has room for.
pub const WITHIN: &str = "a token within the context";
/// 100 passes through the model with a cache that is of no use.
pub const FORGOTTEN: &str = "100 passes with the cache emptied before each";
/// The same passes with a cache that is used.
pub const KEPT: &str = "100 passes with it kept";

/// What the time of a late token against that of an early one says, with the positions that all passes read, and how
/// many of them are distinct.
pub fn naive_insight(time: &Ratio, passed: usize, different: usize) -> String {
    let again = match passed as f64 / different.max(1) as f64 {
        times if times > 1.0 => format!("each was computed {times:.0} times on average"),
        _ => "none was computed twice".to_owned(),
    };
    format!(
        "{} The passes read {passed} positions, of which {different} are distinct: {again}.",
        time.took(LONG, SHORT)
    )
}

/// What was reserved for caches says: the quotient of allocated and computed bytes that is farthest from 1, what twice the
/// positions took, and the share of the parameters' bytes in the smallest and in the largest model.
pub fn memory_insight(quotient: f64, doubling: f64, [small, large]: [f64; 2]) -> String {
    let formula = match quotient {
        q if (0.99..=1.01).contains(&q) => {
            "What was reserved is what 2 L H d T B numbers of 4 bytes need.".to_owned()
        }
        q => format!(
            "What was reserved is up to {q:.2} times what 2 L H d T B numbers of 4 bytes need."
        ),
    };
    let growth = match doubling {
        g if g < 1.9 => "part of it does not grow",
        g if g > 2.1 => "it grows faster than the text",
        _ => "it grows linearly",
    };
    let share = match large / small {
        s if s < 0.95 => {
            "the matrices of the blocks grow with the square of the width, the cache with the width"
        }
        s if s > 1.05 => "here the cache grows faster than the parameters",
        _ => "about the same share",
    };
    format!(
        "{} Twice the positions took {doubling:.2} times the bytes: {growth}. A full \
         cache is {:.0} % of the parameters' bytes in the smallest model and {:.0} % in the largest: {share}.",
        formula,
        100.0 * small,
        100.0 * large
    )
}

/// What the time of a token says whose window has slid, against one that the cache has room for.
pub fn window_insight(time: &Ratio) -> String {
    let meaning = match time.reading() {
        Reading::Larger => {
            " With learned positions, a window that slides gives every token another position: the cache is computed again."
        }
        _ => "",
    };
    format!("{}{meaning}", time.took(BEYOND, WITHIN))
}

/// What the speed-ups of a short and of a long answer say, each with its tokens; what the cache has of them alone; and how
/// many answers differ.
pub fn speedup_insight(
    (few, first): (usize, Ratio),
    (many, last): (usize, Ratio),
    kept: &Ratio,
    others: usize,
) -> String {
    let [short, long] = [(few, first), (many, last)]
        .map(|(tokens, ratio)| ratio.took(&without(tokens), &with(tokens)));
    let course = match () {
        () if last.low > first.high => "The longer the answer, the more the cache saves.",
        () if last.high < first.low => {
            "The longer the answer, the less the cache saves: is it used in each pass?"
        }
        () => "The length makes no clear difference.",
    };
    let tokens = match others {
        0 => "The tokens are the same in every run.".to_owned(),
        _ => {
            format!("But {others} answers have other tokens: what is fast here is another answer.")
        }
    };
    let control = kept.took(FORGOTTEN, KEPT);
    format!("{short} {long} {course} {tokens} The control, the same code: {control}")
}

/// An answer that is generated without a cache, as tables and sentences call it.
pub fn without(tokens: usize) -> String {
    format!("generating {tokens} tokens without a cache")
}

/// The same with a cache.
pub fn with(tokens: usize) -> String {
    format!("generating {tokens} tokens with one")
}

/// What the cache of one token and that of one sequence mean for a processor with so much memory.
pub fn cache_size_insight(token: usize, sequence: usize, memory: usize) -> String {
    let fit = match memory / sequence.max(1) {
        0 => format!("one sequence alone does not fit into {}", size(memory)),
        1 => format!("one sequence fits into {}, without any weights", size(memory)),
        many => format!("{many} sequences fit into {}, without any weights", size(memory)),
    };
    format!("A token takes {}, a sequence {}: {fit}.", size(token), size(sequence))
}

/// Bytes, in a unit that leaves one to three digits before the point.
fn size(bytes: usize) -> String {
    let units = [(40, "TiB"), (30, "GiB"), (20, "MiB"), (10, "KiB")];
    let unit = units.iter().find(|(bits, _)| bytes >> bits > 0);
    let shown = |(bits, name): &(i32, &str)| {
        format!("{:.1} {name}", bytes as f64 / f64::from(*bits).exp2())
    };
    unit.map_or_else(|| format!("{bytes} B"), shown)
}
