//! What the analyses and the figure of lesson 19 say of their figures. An interval is `[low, estimate, high]`.

/// What the fitted exponent of the interval's width says, with the widths from 5 to 160 runs beside those of the law, and
/// how many of 20 comparisons of a program with itself found a difference: at a confidence of 0.95, and corrected with a
/// threshold.
pub fn variance_insight(
    fitted: f64,
    widths: &[f64],
    law: &[f64],
    [plain, strict]: [usize; 2],
) -> String {
    let [few, many] = [widths.first(), widths.last()].map(|end| end.copied().unwrap_or(0.0));
    if !(fitted.is_finite() && few > 0.0 && many > 0.0) {
        return "The clock cannot tell these runs apart, so their interval has no width: measure longer work."
            .to_owned();
    }
    let ends = format!(
        "From 5 to 160 runs the interval went from {:.2} % to {:.2} % of the median, with the exponent {fitted:.2}",
        100.0 * few,
        100.0 * many
    );
    let is_near = |(width, law): (&f64, &f64)| (1.0 / 1.5..=1.5).contains(&(width / law));
    let is_steady = widths.iter().zip(law).all(is_near);
    let law = match fitted {
        f if (-0.7..=-0.3).contains(&f) && !is_steady => {
            "on the whole it narrows almost as the -0.5 of the law says, but not step by step: not every width is \
             within a factor of 1.5 of the law"
        }
        f if (-0.7..=-0.3).contains(&f) => {
            "that is about the -0.5 of the law: four times the runs, half the width"
        }
        f if f < -0.7 => {
            "faster than the -0.5 of the law: in a short series a single outlier reaches into the interval, in a long one it does not"
        }
        f if f < -0.1 => {
            "slower than the -0.5 of the law: these runs are not independent, because the machine changed meanwhile"
        }
        _ => {
            "more runs did not help here: the machine changed more between them than it did within a few"
        }
    };
    let chance = match (plain, strict) {
        (0, 0) => "A program beside itself never looked different.".to_owned(),
        (p, s) if s < p => format!(
            "Of 20 comparisons of a program with itself, {p} found a difference, and {s} with correction and threshold."
        ),
        (p, s) => format!(
            "Of 20 comparisons of a program with itself, {p} found a difference, and still {s} with correction and \
             threshold: the two halves of a pair do not meet the same machine."
        ),
    };
    format!("{ends}: {law}. {chance}")
}

/// What the shares of the peak say, at the smallest and at the largest size.
pub fn efficiency_insight(small: [f64; 3], large: [f64; 3]) -> String {
    let share = |[low, x, high]: [f64; 3]| {
        format!("{:.1} % ({:.1} to {:.1})", 100.0 * x, 100.0 * low, 100.0 * high)
    };
    let fact = format!(
        "The product reaches {} of one core's peak at size 32 and {} at 256",
        share(small),
        share(large)
    );
    let is_known = |[low, _, high]: [f64; 3]| high <= 2.0 * low;
    let trend = match () {
        () if large[0] > small[2] => "larger products use the core better",
        () if large[2] < small[0] => {
            "larger products use the core worse: look at how they read memory"
        }
        () if !is_known(small) || !is_known(large) => {
            "the runs of one size disagree too much to compare the two"
        }
        () => "the size makes no clear difference",
    };
    let room = match large[1] {
        x if x >= 0.7 => "there is little left to gain on one core",
        x if x >= 0.3 => "another order of the same work can still gain a factor of two or three",
        _ => {
            "most of what this core could do is not asked for: wide registers, fused multiply-adds, and numbers that \
             are there in time (lesson 18)"
        }
    };
    format!("{fact}: {trend}; {room}.")
}

/// What the fitted exponents say: of a product of matrices, expected at 3, and of a sum, expected at 2.
pub fn growth_insight(product: [f64; 3], sum: [f64; 3]) -> String {
    let fit = |name: &str, [low, x, high]: [f64; 3], wanted: f64| {
        let found = format!("{name} grows with the power {x:.2} ({low:.2} to {high:.2})");
        match () {
            () if !(x.is_finite() && low.is_finite() && high.is_finite()) => {
                format!("{name} has no exponent: its times were too short for the clock")
            }
            () if high < wanted - 0.1 => {
                format!("{found}, less than {wanted}: at small sizes a fixed cost counts as well")
            }
            () if low > wanted + 0.1 => {
                format!(
                    "{found}, more than {wanted}: larger data no longer fit the cache that small ones do"
                )
            }
            () => format!("{found}, in agreement with the {wanted} of counting operations"),
        }
    };
    format!("{}. {}.", fit("A product", product, 3.0), fit("A sum", sum, 2.0))
}

/// What a bootstrap interval from one series says beside where the statistic of 300 series lies.
pub fn sampling_insight(statistic: &str, one: [f64; 2], many: [f64; 2], outliers: usize) -> String {
    let [a, b] = [one, many].map(|[low, high]| high - low);
    let far = format!("Tukey's fences flag {outliers} of its runs");
    if b <= 0.0 {
        return format!("Here every series has the same {statistic}; {far}.");
    }
    let close = match a / b {
        r if r > 1.5 => "wider than",
        r if r < 1.0 / 1.5 => "narrower than",
        _ => "about as wide as",
    };
    format!(
        "One series alone gives an interval of {a:.1} ms for its {statistic}, {close} the {b:.1} ms in which \
         the middle 95 % of 300 series lie; {far}."
    )
}
