//! What the analyses and the figure of lesson 06 say of their figures.

/// The most steps that an optimizer gets in the valley.
pub const STEPS: usize = 120;

/// What is remembered, in bytes for each byte of weights.
pub fn optimizer_memory_insight(momentum: f64, adam: f64) -> String {
    let kept =
        format!("Momentum keeps {momentum:.1} bytes for each byte of weights, Adam {adam:.1}");
    let all = adam + 2.0;
    let order = if adam > 1.5 * momentum {
        "one buffer against two"
    } else if momentum > 1.5 * adam {
        "the opposite of one buffer against two: look at what `update` asks of its slot"
    } else {
        "no clear difference, though Adam should have one buffer more"
    };
    format!(
        "{kept}: {order}. Weights, gradients and what Adam keeps are {all:.1} times the weights."
    )
}

/// What the tuned runs show: the step at which each optimizer settled, plain SGD first.
pub fn convergence_insight(settled: &[(&str, Option<usize>)]) -> String {
    let [(plain, Some(slow)), others @ ..] = settled else {
        return "Plain SGD did not settle with any of the rates, so there is nothing to compare with."
            .into();
    };
    let compared = others.iter().map(|(name, step)| match step {
        None => format!("{name} did not settle"),
        Some(step) if 10 * step < 9 * slow => {
            format!(
                "{name} settled {:.1} times as early (step {step})",
                *slow as f64 / *step as f64
            )
        }
        Some(step) if 9 * step > 10 * slow => format!("{name} settled later (step {step})"),
        Some(step) => format!("{name} made no clear difference (step {step})"),
    });
    let compared: Vec<String> = compared.collect();
    format!(
        "With its best rate {plain} settled at step {slow}. With theirs, {}.",
        compared.join(", ")
    )
}

/// Between which rates plain SGD stops to converge: pairs of a rate and the last loss, with rising rates.
pub fn stability_insight(ends: &[(f64, f64)], start: f64) -> String {
    let converges = |loss: f64| loss < start;
    let Some(first) = ends.iter().position(|&(_, loss)| !converges(loss)) else {
        return "The loss fell with every rate that was tried: the limit is higher.".into();
    };
    let Some(&(below, _)) = first.checked_sub(1).and_then(|last| ends.get(last)) else {
        return "The loss fell with none of the rates that were tried: the limit is lower.".into();
    };
    let (above, _) = ends[first];
    let computed = 2.0 / 50.0;
    let verdict = if below < computed && computed < above {
        "lies between them: above it every step overshoots by more than the distance it started from"
    } else {
        "does not: is a step exactly the rate times the gradient?"
    };
    format!(
        "With a rate of {below} the loss fell, with {above} it grew. The limit, 2 / 50 = {computed}, \
         {verdict}."
    )
}

/// What a path shows: the step at which it left the picture, the one from which the loss stayed low, and the last loss.
pub fn path_insight(left: Option<usize>, arrived: Option<usize>, last: f64) -> String {
    match (left, arrived) {
        (Some(step), _) => {
            format!("At step {step} it leaves the picture: each step overshoots by more.")
        }
        (None, Some(step)) => {
            format!("From step {step} on the loss stays below a thousandth of what it was.")
        }
        (None, None) => format!(
            "After {STEPS} steps the loss is {last:.3}: it creeps along the valley, or swings across it."
        ),
    }
}
