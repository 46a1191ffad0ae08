//! What the analyses and the figure of lesson 20 say of their figures. An interval is `[low, estimate, high]`.

/// A factor as text: two digits behind the point below 10, none above 100.
fn times(factor: f64) -> String {
    match factor {
        f if f < 10.0 => format!("{f:.2}"),
        f if f < 100.0 => format!("{f:.1}"),
        f => format!("{f:.0}"),
    }
}

/// What the whole pipeline says: how many times as fast it is, the factor of each kept step by leaving it out, and the
/// product of the factors that two of the steps had alone.
pub fn integration_insight(
    total: [f64; 3],
    steps: &[(&str, [f64; 3])],
    [product, both]: [f64; 2],
) -> String {
    let [low, estimate, high] = total;
    if !(low.is_finite() && estimate.is_finite() && high.is_finite()) {
        return "A run took no time that the clock can see: generate more tokens.".to_owned();
    }
    let fact = format!(
        "The pipeline generates {} times as many tokens in a second as the naive start ({} to {})",
        times(estimate),
        times(low),
        times(high)
    );
    let best = steps.iter().max_by(|(_, a), (_, b)| a[1].total_cmp(&b[1]));
    let cause = match best {
        Some((name, [low, factor, _])) if *low > 1.05 => {
            format!("most of it depends on {name}: without it, {} times fewer", times(*factor))
        }
        _ => "no step alone makes a clear difference".to_owned(),
    };
    let idle: Vec<&str> = steps
        .iter()
        .filter(|(_, [low, _, high])| *low <= 1.05 && *high >= 1.0 / 1.05)
        .map(|(name, _)| *name)
        .collect();
    let slower: Vec<&str> = steps
        .iter()
        .filter(|(_, [_, _, high])| *high < 1.0 / 1.05)
        .map(|(name, _)| *name)
        .collect();
    let mut said = format!("{fact}; {cause}.");
    if !idle.is_empty() {
        said += &format!(" No clear effect on speed: {}.", idle.join(", "));
    }
    if !slower.is_empty() {
        said += &format!(" Slower with it than without: {}.", slower.join(", "));
    }
    let apart = match both / product {
        r if r < 1.0 / 1.25 => "that is less: they save partly the same work",
        r if r > 1.25 => "that is more: each makes the other worth more",
        _ => "that is about the same here: they save different work",
    };
    format!(
        "{said} Measured apart, cache and backend promise {} times by multiplication; together they give {}: {apart}.",
        times(product),
        times(both)
    )
}

/// What the guard did: the steps that were kept, those that were rolled back, and the perplexity on the test set before and
/// after, with the limit of the guard.
pub fn guard_insight(kept: &[&str], refused: &[&str], [start, end, limit]: [f64; 3]) -> String {
    let list = |names: &[&str]| if names.is_empty() { "none".to_owned() } else { names.join(", ") };
    let steps = format!("Kept: {}; rolled back: {}.", list(kept), list(refused));
    let verdict = match end {
        end if end.is_nan() => "it is not a number: the pipeline broke the model",
        end if end > limit => {
            "above the limit: what held on the validation set does not hold on new text"
        }
        end if end < start => "no worse than at the start",
        _ => "within the limit",
    };
    format!(
        "{steps} On the test set, the perplexity went from {start:.2} to {end:.2}, {verdict} ({limit:.2})."
    )
}

/// What the exponent of the speed-up by length says, with the speed-ups at both ends.
pub fn length_insight(exponent: f64, first: [f64; 3], last: [f64; 3]) -> String {
    let range =
        |[low, x, high]: [f64; 3]| format!("{} ({} to {})", times(x), times(low), times(high));
    let fact = format!(
        "The speed-up is {} for the shortest text and {} for the longest",
        range(first),
        range(last)
    );
    match exponent {
        _ if !exponent.is_finite() => {
            "A run took no time that the clock can see: generate more tokens.".to_owned()
        }
        e if first[2] < last[0] => format!(
            "{fact}: it grows with the power {e:.2} of the length. A speed-up without its length says nothing."
        ),
        _ if last[2] < first[0] => {
            format!(
                "{fact}: here it falls with the length, so the cached pass costs more than it saves."
            )
        }
        _ => format!("{fact}: no clear growth with the length here."),
    }
}

/// What the budgets say: for each device, whether the start and the end of the pipeline meet it, and the limit with the least
/// room at the end.
pub fn production_insight(devices: &[(&str, bool, (&str, f64))]) -> String {
    // What is no number has no room.
    let has_room = |room: f64| room >= 1.0;
    let gained: Vec<&str> = devices
        .iter()
        .filter(|(_, start, (_, room))| !start && *room >= 1.0)
        .map(|(name, ..)| *name)
        .collect();
    let missed: Vec<String> = devices
        .iter()
        .filter(|(_, _, (_, room))| !has_room(*room))
        .map(|(name, _, (limit, _))| format!("{name} ({limit})"))
        .collect();
    let lost: Vec<&str> = devices
        .iter()
        .filter(|(_, start, (_, room))| *start && !has_room(*room))
        .map(|(name, ..)| *name)
        .collect();
    let first = match gained.as_slice() {
        [] => "The pipeline opens no device that the start could not serve.".to_owned(),
        names => format!(
            "The pipeline meets the budgets of {}, which the start did not.",
            names.join(", ")
        ),
    };
    let second = match missed.as_slice() {
        [] => "No budget is missed at its end.".to_owned(),
        names => format!("Still missed: {}.", names.join(", ")),
    };
    if lost.is_empty() {
        format!("{first} {second}")
    } else {
        format!("{first} {second} Lost: {}.", lost.join(", "))
    }
}

/// What two speed-ups of one task say, given the product of what each has alone and what both have together.
pub fn overlap_insight(apart: [f64; 2], together: f64) -> String {
    let [a, b] = apart;
    let fact = format!(
        "Apart {} and {} times, by multiplication {}; together {}",
        times(a),
        times(b),
        times(a * b),
        times(together)
    );
    match together / (a * b) {
        r if r < 0.95 => format!("{fact}: they speed up the same part."),
        r if r > 1.05 => {
            format!("{fact}: once one of them has run, the other one's part is the larger share.")
        }
        _ => format!("{fact}: here the product is about right."),
    }
}
