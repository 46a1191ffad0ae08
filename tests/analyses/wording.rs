//! What may be said of figures, recomputed from the figures alone: no code of the engine that makes sentences is
//! used here. Each function recomputes a direction, and lists the words for every direction with the one that holds.

use super::figures::{Figures, Pair, Spread, spread};
use Reading::{Larger, NoClearDifference, Smaller, TooNoisy};
use tinytorch::report::Value;

/// What a comparison allows one to say of its first figure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reading {
    Larger,
    Smaller,
    NoClearDifference,
    TooNoisy,
}

/// Words for one outcome.
#[derive(Debug, Clone)]
pub struct Words {
    /// What is compared.
    pub about: String,
    pub text: String,
    /// The reading of a comparison; nothing where the words only repeat figures, or explain.
    pub says: Option<Reading>,
    /// Whether the figures are so.
    pub holds: bool,
}

/// Half of the pairs lie between the quartiles. A difference is at least 5 %; quartiles further apart than a factor of
/// two allow nothing to be said.
fn reading(ratio: Spread) -> Reading {
    match ratio {
        Spread { median, low, high } if !median.is_finite() || low <= 0.0 || high > 2.0 * low => {
            TooNoisy
        }
        Spread { low, .. } if low > 1.05 => Larger,
        Spread { high, .. } if high * 1.05 < 1.0 => Smaller,
        _ => NoClearDifference,
    }
}

/// Words about `about`, of which those hold whose reading is `found`.
fn choice<const N: usize>(about: &str, found: Reading, all: [(Reading, String); N]) -> Vec<Words> {
    let words = |(says, text)| Words {
        about: about.to_owned(),
        text,
        says: Some(says),
        holds: says == found,
    };
    all.into_iter().map(words).collect()
}

/// Words that repeat figures or explain them, and hold or do not.
fn also(text: impl Into<String>, holds: bool) -> Words {
    Words { about: "also".into(), text: text.into(), says: None, holds }
}

/// Everything that could be said of an analysis, and what of it holds.
pub fn of(figures: &Figures) -> Result<Vec<Words>, String> {
    let mut words = vec![];
    for pair in figures.pairs()? {
        words.extend(took(&pair)?);
    }
    for &(analysis, [first, second], readings, text) in EXPLANATIONS {
        if analysis == figures.analysis {
            let pair = figures.pair(first, second)?;
            words.push(also(text, readings.contains(&reading(pair.ratio))));
        }
    }
    let more: fn(&Figures) -> Result<Vec<Words>, String> = match figures.analysis.as_str() {
        "analyze_timer_resolution" => clock,
        "analyze_noise" => noise,
        "analyze_memory_layout" => layout,
        "analyze_broadcasting_memory" => broadcasting,
        "analyze_depth" => depth,
        "analyze_layer_memory" => layer_memory,
        "analyze_loss_behaviour" => loss_behaviour,
        "analyze_numerical_stability" => stability,
        "analyze_loss_memory" => loss_memory,
        "analyze_gradient_methods" => growth,
        "analyze_graph_memory" => graph_memory,
        "analyze_backward_cost" => products,
        "analyze_optimizer_memory" => optimizer_memory,
        "analyze_optimizer_convergence" => convergence,
        "analyze_overfitting" => overfitting,
        "analyze_learning_rates" => schedule,
        "analyze_accumulation" => accumulation,
        "analyze_prefetch" => cores,
        "analyze_training_data" => training_data,
        "analyze_feature_maps" => filters,
        "analyze_parameter_sharing" => sharing,
        "analyze_compression" => compression,
        "analyze_vocabulary_cost" => vocabulary_cost,
        "analyze_positions" => positions,
        "analyze_neighbours" => neighbours,
        "analyze_retrieval" => retrieval,
        "analyze_scale" => scale,
        "analyze_cost" => cost,
        "analyze_ladder" => ladder,
        "analyze_sizes" => kernel_sizes,
        "analyze_gradient_flow" => gradient_flow,
        "analyze_training" => language_model,
        "analyze_scaling" => scaling,
        "analyze_quantization_memory" => quantization_errors,
        "analyze_quantization_accuracy" => quantized_models,
        "analyze_naive_generation" => computed_again,
        "analyze_kvcache_memory" => cache_memory,
        "analyze_kvcache_speedup" => cache_speedup,
        "analyze_layers" => layers,
        "analyze_roofline" => roofline,
        "analyze_measuring" => first_run,
        "analyze_benchmark_variance" => benchmark_variance,
        "analyze_hardware_efficiency" => efficiency,
        "analyze_scaling_behavior" => growth_laws,
        "analyze_integration" => integration,
        "analyze_speedup_by_length" => speedup_by_length,
        "analyze_production" => production,
        "analyze_compression_ratio" => compression_ratio,
        "analyze_compression_speedup" => compression_speedup,
        "analyze_compression_memory" => compression_memory,
        _ => |_| Ok(vec![]),
    };
    words.extend(more(figures)?);
    Ok(words)
}

/// The sentences about two times. The medians of the times themselves must not say the opposite of their quotient.
fn took(pair: &Pair) -> Result<Vec<Words>, String> {
    let ([first, second], ratio) = (&pair.names, pair.ratio);
    let says = reading(ratio);
    let [a, b] = pair.times.map(|time| time.median);
    if (says == Larger && a <= b) || (says == Smaller && a >= b) {
        return Err(format!(
            "{first} took {a} s and {second} {b} s, and their quotient is {ratio:?}"
        ));
    }
    let middle =
        |low: f64, high: f64| format!("({low:.2} to {high:.2} in the middle half of the pairs)");
    let (as_is, inverse) =
        (middle(ratio.low, ratio.high), middle(1.0 / ratio.high, 1.0 / ratio.low));
    let [times, less] =
        [ratio.median, 1.0 / ratio.median].map(|r| format!("took {r:.1} times as long as"));
    let longer = says == TooNoisy && ratio.low > 1.05;
    let shorter = says == TooNoisy && ratio.low > 0.0 && ratio.high * 1.05 < 1.0;
    let on = "but the pairs disagree on how many times as long";
    let noisy = match () {
        () if longer => format!("{first} took longer than {second}, {on} {as_is}"),
        () if shorter => format!("{second} took longer than {first}, {on} {inverse}"),
        () => format!("disagree too much to compare {first} with {second} {as_is}"),
    };
    Ok(choice(
        &format!("{first} / {second}"),
        says,
        [
            (Larger, format!("{first} {times} {second} {as_is}.")),
            (Smaller, format!("{second} {less} {first} {inverse}.")),
            (
                NoClearDifference,
                format!("no clear difference here between {first} and {second} {as_is}."),
            ),
            (TooNoisy, noisy),
        ],
    ))
}

/// An analysis, what it timed in turn, and what is said as well where the first took longer, shorter, ...
type Explanation = (&'static str, [&'static str; 2], &'static [Reading], &'static str);

/// Sentences that explain a difference: true only where there is one.
const EXPLANATIONS: &[Explanation] = &[
    (
        "analyze_matmul_orders",
        ["\"b transposed, 1 sum\"", "\"b transposed, 16 sums\""],
        &[Larger],
        "what one sum lacks is additions that do not wait",
    ),
    (
        "analyze_activation_cost",
        ["a sigmoid", "ReLU"],
        &[Larger],
        "It needs an exponential and a division",
    ),
    (
        "analyze_activation_cost",
        ["a sigmoid", "ReLU"],
        &[NoClearDifference],
        "the exponential hides behind it",
    ),
    ("analyze_loader_throughput", EPOCHS, &[Larger], "a fixed cost that a large batch divides"),
    ("analyze_loader_throughput", EPOCHS, &[Smaller], "the opposite of what a fixed cost"),
    ("analyze_loader_throughput", COLLATION, &[Larger], "most of the work is overhead"),
    ("analyze_loader_throughput", COLLATION, &[Smaller], "cost less than gathering"),
    ("analyze_prefetch", PREFETCH, &[Larger], "the prefetcher hid part of the loading"),
    ("analyze_prefetch", PREFETCH, &[Smaller], "the second thread cost more than it hid"),
    ("analyze_convolution_cost", LOOPS, &[Larger], "Both do the same multiplications."),
    ("analyze_convolution_cost", LOOPS, &[Larger], "The innermost naive loop has three steps"),
    ("analyze_convolution_cost", LOOPS, &[Smaller], "Reordering did not pay off here"),
    (
        "analyze_parameter_sharing",
        ["the dense layer", "the convolution"],
        &[Smaller],
        "Fewer parameters are not less work",
    ),
    ("analyze_measuring", BATCHES, &[Larger], "What is paid once for each pass"),
    ("analyze_measuring", BATCHES, &[Smaller], "do not stay in the cache"),
    ("analyze_measuring", TRACED, &[Larger], "trace larger pieces"),
    ("analyze_measuring", TRACED, &[NoClearDifference], "is cheap enough here"),
    (
        "analyze_lookup",
        ["16,384 lookups in a large table", "16,384 lookups in a small one"],
        &[Larger],
        "Both copy the same number of bytes; the rows of the large table are not in the cache.",
    ),
    ("analyze_kvcache_memory", WINDOW, &[Larger], "the cache is computed again"),
];
const WINDOW: [&str; 2] = ["a token beyond the context", "a token within the context"];
const STEP: [&str; 2] = ["forward and backward", "forward alone"];
const BATCHES: [&str; 2] = ["64 passes with one image each", "one pass with 64 images"];
const TRACED: [&str; 2] = ["a traced pass", "a plain pass"];
const EPOCHS: [&str; 2] = ["an epoch in batches of 1", "an epoch in batches of 1,024"];
const COLLATION: [&str; 2] = ["collating sample by sample", "gathering"];
const PREFETCH: [&str; 2] = ["loading in turn", "prefetching"];
const LOOPS: [&str; 2] = ["the naive order", "the reordered one"];

/// Larger, smaller or neither, where larger begins at `bound`.
fn beside(value: f64, bound: f64) -> Reading {
    match value {
        v if v.is_nan() => TooNoisy,
        v if v > bound => Larger,
        v if v < 1.0 / bound => Smaller,
        _ => NoClearDifference,
    }
}

/// A quotient of two single figures. A difference is more than 5 %.
fn quotient(value: f64) -> Reading {
    match value {
        v if v > 1.05 => Larger,
        v if v < 0.95 => Smaller,
        _ => NoClearDifference,
    }
}

fn clock(figures: &Figures) -> Result<Vec<Words>, String> {
    let [each, together] = ["65,536 additions timed one by one", "65,536 timed at once"];
    let ratio = figures.pair(each, together)?.ratio;
    let (says, most) = (reading(ratio), ratio.low > 2.0);
    Ok(vec![
        also("Most of that is the clock, not the addition.", says == Larger && most),
        also("Part of that is the clock, not the addition.", says == Larger && !most),
        also("Here the clock hides nothing.", says == NoClearDifference),
        also("The steps of this clock are too coarse to see a single addition.", says == Smaller),
    ])
}

fn noise(figures: &Figures) -> Result<Vec<Words>, String> {
    let [_, largest] = figures.ends("200 runs of the same work", "time")?;
    let middle = figures.numbers("200 runs of the same work", "time")?[2];
    let ratio = largest / middle;
    let found = if ratio > 1.05 { Larger } else { NoClearDifference };
    let mut words = choice(
        "the slowest run / the median",
        found,
        [
            (Larger, "A single measurement could have been that one.".into()),
            (NoClearDifference, "The machine was quiet".into()),
        ],
    );
    let fact = format!("the slowest of 200 equal runs took {ratio:.2} times the median.");
    words.push(also(fact, true));
    Ok(words)
}

/// The order of access is the cause only where both other orders were faster.
fn layout(figures: &Figures) -> Result<Vec<Words>, String> {
    let others = ["\"along the rows\"", "\"columns, line by line\""];
    let faster =
        |other: &&str| Ok::<_, String>(reading(figures.pair("\"down the columns\"", other)?.ratio));
    let readings: Vec<Reading> = others.iter().map(faster).collect::<Result<_, _>>()?;
    Ok(vec![
        also("the order of access makes the difference", readings[0] == Larger),
        also("do not wait for each other either", readings[1] == Larger),
    ])
}

fn broadcasting(figures: &Figures) -> Result<Vec<Words>, String> {
    let peak = |column| {
        Ok::<_, String>(figures.ends("Peak memory of adding a bias to every row", column)?[1])
    };
    let ratio = peak("copied first")? / peak("broadcast")?;
    let found = if ratio > 1.05 { Larger } else { NoClearDifference };
    let fact = format!("copying the bias first took {ratio:.2} times the memory of broadcasting");
    let all = [
        (Larger, "A stride of 0 copies nothing.".into()),
        (NoClearDifference, "That is no saving".into()),
    ];
    let mut words = choice("copying / broadcasting", found, all);
    words.push(also(fact, true));
    Ok(words)
}

fn depth(figures: &Figures) -> Result<Vec<Words>, String> {
    let mut words = vec![];
    for (series, called) in [
        ("none", "without an activation"),
        ("ReLU", "with ReLU, and"),
        ("ReLU, weights of twice the variance", "with ReLU and weights of twice the variance"),
    ] {
        let curve = figures.curve("Standard deviation of the signal by depth", series)?;
        let [(_, start), .., (_, end)] = curve[..] else { return Err("no depth".into()) };
        words.extend(choice(
            &format!("start / end, {series}"),
            beside(start / end, 2.0),
            [
                (Larger, format!("{:.1} times smaller than at the start {called}", start / end)),
                (Smaller, format!("{:.1} times larger than at the start {called}", end / start)),
                (
                    NoClearDifference,
                    format!("about as large as at the start ({:.2} of it) {called}", end / start),
                ),
            ],
        ));
    }
    Ok(words)
}

fn layer_memory(figures: &Figures) -> Result<Vec<Words>, String> {
    let curve = figures.curve("Weights by width", "Linear(width -> width)")?;
    let [.., (_, half), (_, whole)] = curve[..] else { return Err("no two widths".into()) };
    let growth = whole / half;
    let found = match growth {
        g if g < 3.5 => Smaller,
        g if g > 4.5 => Larger,
        _ => NoClearDifference,
    };
    let says = |ends: &str| format!("Twice the width took {growth:.2} times the bytes: {ends}");
    let all = [
        (Smaller, says("less than one weight for each pair")),
        (Larger, says("more than one weight for each pair")),
        (NoClearDifference, says("every output has a weight for every input")),
    ];
    Ok(choice("bytes of twice the width / 4 times the bytes", found, all))
}

fn loss_behaviour(figures: &Figures) -> Result<Vec<Words>, String> {
    let table = |column| figures.numbers("The same as numbers", column);
    let (squared, binary) = (table("squared error")?, table("binary cross-entropy")?);
    let two = table("cross-entropy, 2 classes")?;
    let ratio = binary[0] / squared[0];
    let found = quotient(ratio);
    let is = |ends: String| format!("for a prediction of 0.01, cross-entropy is {ends}");
    let all = [
        (Larger, is(format!("{ratio:.1} times the squared error."))),
        (Smaller, is(format!("only {ratio:.2} times the squared error."))),
        (NoClearDifference, is("about as large as the squared error.".into())),
    ];
    let mut words = choice("cross-entropy / squared error", found, all);
    let agree = binary.iter().zip(&two).all(|(a, b)| (a - b).abs() < 1e-3 * b.abs());
    let all = [
        (NoClearDifference, "the form for two classes agree.".into()),
        (Larger, "the form for two classes do not agree".into()),
    ];
    words.extend(choice("the two forms", if agree { NoClearDifference } else { Larger }, all));
    Ok(words)
}

fn stability(figures: &Figures) -> Result<Vec<Words>, String> {
    let table = |column| figures.numbers("Cross-entropy of logits (s, 0)", column);
    let logits = table("s")?;
    let (mut words, mut breaks) = (vec![], vec![]);
    for (column, called) in [
        ("naive, class 1", "the naive form"),
        ("shifted, class 1", "a shifted softmax"),
        ("log_softmax, class 1", "log_softmax"),
    ] {
        let broken =
            table(column)?.iter().position(|loss| !loss.is_finite()).map(|row| logits[row]);
        breaks.push(broken.is_some());
        let found = if broken.is_some() { Larger } else { NoClearDifference };
        let from = broken.unwrap_or(f64::NAN);
        let all = [
            (Larger, format!("{called} is infinite or nan from s = {from} on")),
            (NoClearDifference, format!("{called} is finite for every s that was tried")),
        ];
        words.extend(choice(called, found, all));
    }
    words.push(also("A stable softmax alone is not enough", breaks[1..] == [true, false]));
    Ok(words)
}

fn loss_memory(figures: &Figures) -> Result<Vec<Words>, String> {
    let last = |column| {
        Ok::<_, String>(figures.ends("Memory while a cross-entropy is computed", column)?[1])
    };
    let (peak, kept) =
        (last("peak of the loss")? / last("logits")?, last("kept with a history / logits")?);
    let found = quotient(kept / peak);
    let with = |ends: &str| format!("With a history {ends}: {kept:.1} times the logits.");
    let all = [
        (Larger, with("more stays allocated than that peak")),
        (Smaller, with("less stays allocated than that peak")),
        (NoClearDifference, with("about as much stays allocated")),
    ];
    let mut words = choice("kept / peak", found, all);
    let fact = format!("the loss needs {peak:.1} times the memory of its logits.");
    words.push(also(fact, true));
    Ok(words)
}

/// The bytes per token of the largest vocabulary, and what one of 512 has of that.
fn compression(figures: &Figures) -> Result<Vec<Words>, String> {
    let title = "Bytes per token";
    let column = |name| figures.numbers(title, name);
    let largest = |name| Ok::<_, String>(figures.ends(title, name)?[1]);
    let (own, german, rust) =
        (largest("held-out questions")?, largest("German")?, largest("Rust")?);
    let sizes = column("vocabulary")?;
    let at = sizes.iter().position(|&size| size == 512.0).ok_or("no vocabulary of 512")?;
    let at_512 = column("held-out questions")?[at];
    let best = german.max(rust);
    let text = format!("Text like the training text has {own:.1} bytes per token, ");
    let mut words = choice(
        "own text / other text",
        quotient(own / best),
        [
            (
                Larger,
                format!(
                    "{text}German {german:.1} and Rust {rust:.1}: a vocabulary is made for one kind of text."
                ),
            ),
            (
                Smaller,
                format!(
                    "{text}and the better of German and Rust even {best:.1}: this vocabulary fits"
                ),
            ),
            (
                NoClearDifference,
                format!("{text}about as many as the better of German and Rust, {best:.1}."),
            ),
        ],
    );
    let found = match at_512 {
        bytes if bytes > own * 0.95 => NoClearDifference,
        bytes if bytes - 1.0 > (own - 1.0) / 2.0 => Larger,
        _ => Smaller,
    };
    let with = |ends: &str| format!("A vocabulary of 512 {ends}");
    words.extend(choice(
        "512 / largest",
        found,
        [
            (NoClearDifference, with("compresses held-out text about as much as the largest one.")),
            (Larger, with("gives more than half of what the largest one gives.")),
            (Smaller, with("gives less than half of what the largest one gives.")),
        ],
    ));
    Ok(words)
}

/// What a larger table saves in tokens.
fn vocabulary_cost(figures: &Figures) -> Result<Vec<Words>, String> {
    let title = "A question with its answer";
    let [few, many] = figures.ends(title, "vocabulary")?;
    let [long, short] = figures.ends(title, "tokens in it, measured")?;
    let (table, shorter) = (many / few, long / short);
    let found = quotient(shorter);
    let with = |ends: String| format!("A table {table:.1} times as large {ends}");
    let fewer = shorter * shorter;
    Ok(choice(
        "tokens by character / by BPE",
        found,
        [
            (
                Larger,
                with(format!(
                    "makes the text {shorter:.1} times shorter, so attention compares {fewer:.1} times fewer pairs."
                )),
            ),
            (Smaller, with(format!("makes the text {:.1} times longer", 1.0 / shorter))),
            (NoClearDifference, with("leaves the text about as long".into())),
        ],
    ))
}

/// How the factor between central differences and backward changed with the number of parameters.
fn growth(figures: &Figures) -> Result<Vec<Words>, String> {
    let title = "One gradient, two ways";
    let factors = figures.column(title, "factor")?;
    let [few, many] = figures.ends(title, "parameters")?;
    let [small, .., large] = &factors[..] else { return Err("no two factors".into()) };
    let (small, large) = (super::figures::spread(small)?, super::figures::spread(large)?);
    let found = match (reading(small), reading(large)) {
        (TooNoisy, _) | (_, TooNoisy) => TooNoisy,
        _ if small.high < large.low => Larger,
        _ if large.high < small.low => Smaller,
        _ => NoClearDifference,
    };
    let figures = format!("({:.1} with {few}, {:.1} with {many}).", small.median, large.median);
    let mut words = choice(
        "the factor of many / of few parameters",
        found,
        [
            (Larger, "The factor grew with the number of parameters".into()),
            (Smaller, "The factor became smaller with more parameters".into()),
            (NoClearDifference, "The factor did not clearly grow here".into()),
            (TooNoisy, "The growth cannot be read off here.".into()),
        ],
    );
    words.push(also(figures, found != TooNoisy));
    Ok(words)
}

fn graph_memory(figures: &Figures) -> Result<Vec<Words>, String> {
    let ends = |column| figures.ends("Memory of a forward pass", column);
    let [few, many] = ends("layers")?;
    let each = |[first, last]: [f64; 2]| ((last - first).max(0.0) / (many - few)).floor();
    let (without, with) = (each(ends("without history")?), each(ends("with history")?));
    let found = match () {
        () if with > 2.0 * without => Larger,
        () if without > 2.0 * with => Smaller,
        () => NoClearDifference,
    };
    let says = |ends: &str| {
        format!(
            "from {few} to {many} layers, each further layer needed {with} bytes with a history and {without} \
             without one: {ends}"
        )
    };
    let all = [
        (Larger, says("with a history every result stays")),
        (Smaller, says("the opposite of what keeping results should cost")),
        (NoClearDifference, says("there is no clear difference here")),
    ];
    Ok(choice("a layer with a history / without", found, all))
}

/// The time of the backward pass beside the number of its matrix products.
fn products(figures: &Figures) -> Result<Vec<Words>, String> {
    let ratio = figures.pair("the backward pass", "the forward pass")?.ratio;
    let found = match reading(ratio) {
        TooNoisy => TooNoisy,
        _ if ratio.low > 1.75 => Larger,
        _ if ratio.high < 1.75 => Smaller,
        _ => NoClearDifference,
    };
    let all = [
        (Larger, "That is more than the matrix products alone".into()),
        (Smaller, "That is less than the matrix products alone would give".into()),
        (NoClearDifference, "That agrees with the number of matrix products".into()),
    ];
    Ok(choice("backward / forward, beside 1.75", found, all))
}

fn optimizer_memory(figures: &Figures) -> Result<Vec<Words>, String> {
    let last = |column| Ok::<_, String>(figures.ends("What is kept after a step", column)?[1]);
    let weights = last("weights")?;
    let (momentum, adam) = (last("SGD + momentum")? / weights, last("Adam")? / weights);
    let kept =
        format!("Momentum keeps {momentum:.1} bytes for each byte of weights, Adam {adam:.1}");
    let all = [
        (Larger, format!("{kept}: one buffer against two.")),
        (Smaller, format!("{kept}: the opposite of one buffer against two")),
        (NoClearDifference, format!("{kept}: no clear difference")),
    ];
    let found = beside(adam / momentum, 1.5);
    let mut words = choice("Adam / momentum", found, all);
    let sum = format!("what Adam keeps are {:.1} times the weights.", adam + 2.0);
    words.push(also(sum, true));
    Ok(words)
}

fn convergence(figures: &Figures) -> Result<Vec<Words>, String> {
    let title = "120 steps in a narrow valley, each with its best rate";
    let steps = figures.column(title, "settles at step")?;
    let steps: Vec<Option<f64>> = steps
        .iter()
        .map(|step| super::figures::spread(step).ok().map(|step| step.median))
        .collect();
    let [Some(plain), rest @ ..] = &steps[..] else {
        return Err("plain SGD did not settle".into());
    };
    let mut words = vec![also(format!("With its best rate SGD settled at step {plain}."), true)];
    for (name, step) in ["SGD + momentum", "Adam", "AdamW"].into_iter().zip(rest) {
        let at = step.unwrap_or(f64::NAN);
        let found = match plain / at {
            _ if step.is_none() => TooNoisy,
            r if r > 10.0 / 9.0 => Larger,
            r if r < 0.9 => Smaller,
            _ => NoClearDifference,
        };
        let all = [
            (Larger, format!(" {name} settled {:.1} times as early (step {at})", plain / at)),
            (Smaller, format!(" {name} settled later (step {at})")),
            (NoClearDifference, format!(" {name} made no clear difference (step {at})")),
            (TooNoisy, format!(" {name} did not settle")),
        ];
        words.extend(choice(&format!("SGD / {name}"), found, all));
    }
    words.extend(limit(figures)?);
    Ok(words)
}

/// The largest rate with which plain SGD converges.
fn limit(figures: &Figures) -> Result<Vec<Words>, String> {
    let ends = figures.curve("Plain SGD: last loss by learning rate", "after 120 steps")?;
    let start =
        figures.curve("Loss by step, best rates", "SGD")?.first().map_or(f64::NAN, |first| first.1);
    let above = ends.iter().position(|(_, loss)| *loss >= start || loss.is_nan());
    let found = match above {
        None => "every",
        Some(0) => "none",
        Some(place) if ends[place - 1].0 < 0.04 && 0.04 < ends[place].0 => "between",
        Some(_) => "elsewhere",
    };
    let rates = above.filter(|place| *place > 0).map(|place| [ends[place - 1].0, ends[place].0]);
    let [below, beyond] = rates.unwrap_or([f64::NAN; 2]);
    let fact = format!("With a rate of {below} the loss fell, with {beyond} it grew.");
    Ok(vec![
        also("The loss fell with every rate that was tried", found == "every"),
        also("The loss fell with none of the rates", found == "none"),
        also(fact, rates.is_some()),
        also("2 / 50 = 0.04, lies between them", found == "between"),
        also("2 / 50 = 0.04, does not", found == "elsewhere"),
    ])
}

fn overfitting(figures: &Figures) -> Result<Vec<Words>, String> {
    let ends = |column| figures.ends("The best epoch by validation loss, and the last", column);
    let ([best, epochs], train, validation) =
        (ends("epoch")?, ends("training loss")?, ends("validation loss")?);
    let course = format!(
        "From epoch {best} to {epochs} the training loss went from {:.3} to {:.3}, the validation loss from {:.3} to \
         {:.3}: ",
        train[0], train[1], validation[0], validation[1]
    );
    let found = match () {
        () if best == epochs || validation[1] <= 1.05 * validation[0] => NoClearDifference,
        () if train[1] < train[0] => Larger,
        () => Smaller,
    };
    let all = [
        (NoClearDifference, format!("{course}no overfitting can be seen here.")),
        (Larger, format!("{course}overfitting.")),
        (Smaller, format!("{course}both became worse")),
    ];
    let mut words = choice("overfitting", found, all);
    words.push(also("What was learned last holds for the training points only.", found == Larger));
    words.extend(stopping(figures)?);
    Ok(words)
}

/// When patience of 20 epochs would have ended the run, and what the epoch that it keeps is worth.
fn stopping(figures: &Figures) -> Result<Vec<Words>, String> {
    let (mut best, mut waited, mut stop) = (f64::INFINITY, 0, None);
    for (epoch, loss) in figures.curve("Loss", "validation")? {
        (best, waited) = if loss < best { (loss, 0) } else { (best, waited + 1) };
        stop = stop.or((waited == 20).then_some(epoch));
    }
    let at = stop.unwrap_or(f64::NAN);
    let mut words = vec![
        also(format!("Patience of 20 would have stopped at epoch {at}."), stop.is_some()),
        also("Patience of 20 would not have stopped this run.", stop.is_none()),
    ];
    let ends = |column| figures.ends("The best epoch by validation loss, and the last", column);
    let ([early, last], [a, b]) = (ends("test accuracy")?, ends("standard error")?);
    let error = a.hypot(b);
    let against = format!(
        ": {early:.1} % against {last:.1} %, with a standard error of {error:.1} for the difference."
    );
    let all = [
        (Larger, format!("better than the last ones on the test set{against}")),
        (
            Smaller,
            format!(
                "worse than the last ones on the test set, although their validation loss was lower{against}"
            ),
        ),
        (
            NoClearDifference,
            format!("not clearly different from the last ones in test accuracy{against}"),
        ),
    ];
    words.extend(choice("best parameters / last ones", clearly(early - last, error), all));
    Ok(words)
}

/// A difference counts from twice its standard error on.
fn clearly(difference: f64, error: f64) -> Reading {
    match difference {
        d if d > 2.0 * error => Larger,
        d if d < -2.0 * error => Smaller,
        _ => NoClearDifference,
    }
}

fn schedule(figures: &Figures) -> Result<Vec<Words>, String> {
    let ratio =
        figures.column("Each at its best rate, for the same seven seeds", "cosine / constant")?;
    let ratio = super::figures::spread(ratio.first().ok_or("no ratio")?)?;
    let was = |ends: &str| {
        format!(
            "{:.2} times that of a constant rate ({:.2} to {:.2} in the middle half of the seeds): {ends}",
            ratio.median, ratio.low, ratio.high
        )
    };
    let all = [
        (Smaller, was("it helped here.")),
        (Larger, was("it did harm here.")),
        (NoClearDifference, was("no clear difference here.")),
        (TooNoisy, was("the seeds disagree too much to tell.")),
    ];
    Ok(choice("cosine / constant", reading(ratio), all))
}

fn accumulation(figures: &Figures) -> Result<Vec<Words>, String> {
    let title = "The gradient of 512 samples";
    let [whole, pieces] = figures.ends(title, "peak memory")?;
    let all = [
        (
            Larger,
            format!(
                "The whole batch needed {:.1} times the memory of the smallest pieces",
                whole / pieces
            ),
        ),
        (
            Smaller,
            format!(
                "The smallest pieces needed {:.1} times the memory of the whole batch",
                pieces / whole
            ),
        ),
        (NoClearDifference, "There is no clear difference in memory here".into()),
    ];
    let mut words = choice("whole batch / pieces", beside(whole / pieces, 1.1), all);
    let largest = figures.numbers(title, "largest difference")?.into_iter().fold(0.0, f64::max);
    let found = if largest < 1e-4 { NoClearDifference } else { Larger };
    let all = [
        (
            NoClearDifference,
            format!("the same but for rounding (largest difference {largest:.1e})."),
        ),
        (Larger, "the gradient is not the same".into()),
    ];
    words.extend(choice("gradients", found, all));
    Ok(words)
}

fn cores(figures: &Figures) -> Result<Vec<Words>, String> {
    let cores = figures.metric("cores")?;
    Ok(vec![
        also(format!("A prefetcher needs one of the {cores} cores for itself"), cores > 1.0),
        also("With a single core the two threads take turns", cores == 1.0),
    ])
}

/// How many digits every accuracy of these lessons is counted on.
const DIGITS: f64 = 360.0;

/// An accuracy in percent with its standard error.
struct Accuracy {
    percent: f64,
    error: f64,
    /// As the sentences write it.
    text: String,
}

fn accuracy(percent: f64) -> Accuracy {
    let p = percent / 100.0;
    let error = 100.0 * (p * (1.0 - p) / DIGITS).sqrt();
    Accuracy { percent, error, text: format!("{percent:.1} % (+- {error:.1})") }
}

fn differ(a: &Accuracy, b: &Accuracy) -> Reading {
    clearly(a.percent - b.percent, a.error.hypot(b.error))
}

fn training_data(figures: &Figures) -> Result<Vec<Words>, String> {
    let at = |rate| figures.ends("Accuracy on 360 validation digits after 5 epochs", rate);
    let rates =
        [at("at rate 0.001")?, at("at rate 0.003")?, at("at rate 0.01")?, at("at rate 0.03")?];
    let best = |order: usize| rates.iter().map(|rate| rate[order]).fold(0.0, f64::max);
    let [sorted, shuffled] = [0, 1].map(|order| accuracy(best(order)));
    let found = differ(&shuffled, &sorted);
    let fact = format!("Sorted by class {}, shuffled {}.", sorted.text, shuffled.text);
    let mut words = vec![also(fact, true)];
    let all = [
        (Larger, "sorted, each batch holds one class".into()),
        (NoClearDifference, "No clear difference here: it is no larger than chance".into()),
        (Smaller, "Here the sorted order did better".into()),
    ];
    words.extend(choice("shuffled / sorted", found, all));

    let curve =
        figures.curve("Loss on the digits that are trained on, and on others", "validation")?;
    let lowest = curve.iter().copied().min_by(|a, b| a.1.total_cmp(&b.1));
    let (Some((epoch, lowest)), Some(&(epochs, last))) = (lowest, curve.last()) else {
        return Err("no epochs".into());
    };
    let found = if last > 1.05 * lowest { Larger } else { NoClearDifference };
    let rose = format!(
        "lowest after epoch {epoch}, {lowest:.3}, and rose to {last:.3} after epoch {epochs}: overfitting."
    );
    let kept = format!("Early stopping would keep the weights of epoch {epoch}.");
    let flat = format!(
        "did not clearly rise: {lowest:.3} at its lowest, after epoch {epoch}, and {last:.3} after epoch {epochs}."
    );
    words.extend(choice(
        "last / lowest validation loss",
        found,
        [(Larger, rose), (NoClearDifference, flat)],
    ));
    words.push(also(kept, found == Larger));

    let seen = figures.metric("accuracy on the training digits")?;
    let unseen = accuracy(figures.metric("accuracy on the validation digits")?);
    let found = if seen - unseen.percent > 2.0 * unseen.error { Larger } else { NoClearDifference };
    let fact =
        format!("{seen:.1} % of the training digits and {} of the validation digits", unseen.text);
    words.push(also(fact, true));
    let all = [
        (Larger, "The difference is the generalization gap".into()),
        (NoClearDifference, "The difference is not clearly larger than chance".into()),
    ];
    words.extend(choice("training / validation", found, all));
    Ok(words)
}

fn filters(figures: &Figures) -> Result<Vec<Words>, String> {
    let read = accuracy(figures.metric("validation accuracy after 3 epochs")?);
    let found = differ(&read, &accuracy(10.0));
    let fact = format!("{} of 360 digits are read correctly.", read.text);
    let mut words = vec![also(fact, true)];
    let guessing = if found == Larger { Larger } else { NoClearDifference };
    let all = [
        (Larger, "gradient descent on the loss found them".into()),
        (NoClearDifference, "That is no better than guessing".into()),
    ];
    words.extend(choice("accuracy / guessing", guessing, all));
    Ok(words)
}

fn sharing(figures: &Figures) -> Result<Vec<Words>, String> {
    let counts =
        |column| Ok::<_, String>(figures.ends("Parameters, one channel to four", column)?[1]);
    let ratio = counts("dense")? / counts("convolution")?;
    let fact = format!("the dense layer has {ratio:.0} times the parameters");
    let mut words = vec![also(fact, true)];

    let title = "Accuracy on 360 validation digits, moved by one pixel, with its sample error";
    let (written, moved) =
        (figures.ends(title, "as written")?, figures.ends(title, "moved right")?);
    let (written, moved) = (written.map(accuracy), moved.map(accuracy));
    for (network, place) in [("the dense network", 0), ("the convolutional one", 1)] {
        let (before, after) = (&written[place], &moved[place]);
        let from = format!("from {} to {}", before.text, after.text);
        let all = [
            (Larger, format!("{network} fell {from}")),
            (Smaller, format!("{network} rose {from}")),
            (NoClearDifference, format!("{network} did not clearly change")),
        ];
        words.extend(choice(&format!("as written / moved, {network}"), differ(before, after), all));
    }
    let all = [
        (
            Larger,
            "the convolutional network read more: its feature maps move with the image".into(),
        ),
        (Smaller, "Here the dense network read more of the moved digits".into()),
        (NoClearDifference, "neither network clearly read more".into()),
    ];
    words.extend(choice("moved: convolutional / dense", differ(&moved[1], &moved[0]), all));
    Ok(words)
}

/// Two shares in percent, each counted on `n` samples.
fn shares(first: f64, second: f64, n: f64) -> Reading {
    let error = |percent: f64| (percent * (100.0 - percent) / n).sqrt();
    clearly(first - second, error(first).hypot(error(second)))
}

fn positions(figures: &Figures) -> Result<Vec<Words>, String> {
    let answered = figures.numbers("Who bites? Unseen sentences", "answered")?;
    let [none, waves, ..] = answered[..] else { return Err("no two kinds of positions".into()) };
    let fact = format!(
        "Without positions {none:.0} % of 80 unseen sentences are answered, with sinusoidal ones {waves:.0} %"
    );
    let all = [
        (Larger, format!("{fact}: order was lost, and positions bring it back.")),
        (Smaller, format!("{fact}: here positions made it worse.")),
        (NoClearDifference, format!("{fact}: no clear difference.")),
    ];
    let mut words = choice("with positions / without", shares(waves, none, 80.0), all);
    let title = "All pairs of positions at distance 8";
    let ends = ["lowest similarity", "highest similarity"].map(|name| figures.numbers(title, name));
    let [low, high] = ends;
    let (low, high) = (low?, high?);
    for (kind, place) in [("Sinusoidal", 0), ("Rotary", 1)] {
        let (low, high) = (low[place], high[place]);
        let value = match [low, high].map(|end| format!("{end:.3}")) {
            [low, high] if low == high => format!("of {low}"),
            [low, high] => format!("from {low} to {high}"),
        };
        let range = format!("{kind} positions: at distance 8 all pairs have a similarity {value}");
        let found = if high - low < 0.001 { NoClearDifference } else { Larger };
        let all = [
            (NoClearDifference, format!("{range}; only the distance counts.")),
            (Larger, format!("{range}; the place counts too.")),
        ];
        words.extend(choice(&format!("highest / lowest similarity, {kind}"), found, all));
    }
    Ok(words)
}

fn neighbours(figures: &Figures) -> Result<Vec<Words>, String> {
    let share =
        |when| figures.metric(&format!("numbers whose nearest word is a number, {when} training"));
    let (before, after) = (share("before")?, share("after")?);
    let fact = format!(
        "Of 31 numbers, {after:.0} % have a number as their nearest word, and {before:.0} % had one before the training"
    );
    let all = [
        (Larger, format!("{fact}: the table learned it from the words around them.")),
        (Smaller, format!("{fact}: the training drove them apart.")),
        (NoClearDifference, format!("{fact}: no clear difference.")),
    ];
    Ok(choice("after / before training", shares(after, before, 31.0), all))
}

fn retrieval(figures: &Figures) -> Result<Vec<Words>, String> {
    let title = "Right answers of 2,000";
    let last = |column| Ok::<_, String>(figures.ends(title, column)?[1]);
    let means = [last("mean, rate 0.01")?, last("0.03")?, last("0.1")?];
    let (mean, attention) = (means.into_iter().fold(0.0, f64::max), last("attention")?);
    // 2,000 questions about 16 pairs each are 125 sequences.
    let error = |percent: f64| (percent / 100.0 * (1.0 - percent / 100.0) / 125.0).sqrt();
    let apart = (attention - mean) / 100.0 / (2.0 * error(mean).hypot(error(attention)));
    let found = match apart {
        a if a > 1.0 => Larger,
        a if a < -1.0 => Smaller,
        _ => NoClearDifference,
    };
    let fact = format!("{mean:.0} % were answered from the mean, {attention:.0} % with attention");
    let all = [
        (Larger, format!("{fact}: what the mean has lost, attention finds.")),
        (Smaller, format!("{fact}: here the mean kept more than attention found.")),
        (NoClearDifference, format!("{fact}: no clear difference for 125 sequences.")),
    ];
    let mut words = choice("attention / mean", found, all);
    let weight = figures.metric("mean weight of the pair with the answer")?;
    let fact = format!(
        "has a weight of {weight:.2} on average, where even weights would be {:.2}",
        1.0 / 8.0
    );
    let found = match weight {
        w if w > 0.5 => Larger,
        w if w > 2.0 / 8.0 => NoClearDifference,
        _ => Smaller,
    };
    let all = [
        (Larger, format!("{fact}: each question finds its own key.")),
        (NoClearDifference, format!("{fact}: each question looks there most, but not only.")),
        (Smaller, format!("{fact}: the questions do not find their keys.")),
    ];
    words.extend(choice("weight of the answer / even", found, all));
    Ok(words)
}

fn scale(figures: &Figures) -> Result<Vec<Words>, String> {
    let last =
        |column| Ok::<_, String>(figures.ends("Scores of 64 random queries and keys", column)?[1]);
    let (raw, scaled) = (last("largest weight, raw")?, last("largest weight, scaled")?);
    let fact =
        format!("the largest of 64 weights is {raw:.2} without the scale and {scaled:.2} with it");
    let all = [
        (Larger, format!("{fact}: the scale keeps one key from taking the weight of all.")),
        (Smaller, format!("{fact}: here the scale sharpens the weights.")),
        (NoClearDifference, format!("{fact}: the scale makes no clear difference here.")),
    ];
    Ok(choice("largest weight: raw / scaled", quotient(raw / scaled), all))
}

fn cost(figures: &Figures) -> Result<Vec<Words>, String> {
    let pair = figures.pair("attention on 1,024 positions", "attention on 512")?;
    let slope =
        format!("That is a slope of {:.2}: 1 is linear, 2 quadratic.", pair.ratio.median.log2());
    let mut words = vec![also(slope, reading(pair.ratio) == Larger)];
    let growth = |column| {
        let [first, last] = figures.ends("Attention by length, d = 64", column)?;
        Ok::<_, String>(last / first)
    };
    let (plain, blocks) = (growth("peak, plain")?, growth("peak, blocks")?);
    let fact = format!("plain attention grew {plain:.1} times, in blocks {blocks:.1} times");
    let found = match blocks / plain {
        r if r < 0.5 => Smaller,
        r if r < 0.95 => NoClearDifference,
        _ => Larger,
    };
    let all = [
        (Smaller, format!("{fact}: the matrix of weights was never there.")),
        (NoClearDifference, format!("{fact}: blocks save less than they should")),
        (Larger, format!("{fact}: blocks save nothing")),
    ];
    words.extend(choice("peak memory: blocks / plain", found, all));
    Ok(words)
}

/// Larger or smaller in block 1 than in block 12, for three kinds of stacks; what that allows one to conclude.
fn gradient_flow(figures: &Figures) -> Result<Vec<Words>, String> {
    let column = figures.column("Gradient norms at both ends", "block 1 / block 12")?;
    let ratios: Vec<Spread> = column.iter().map(spread).collect::<Result<_, _>>()?;
    let [pre, _, norms, neither] = ratios[..] else { return Err("no four stacks".into()) };
    let digits = |x: f64| if x < 100.0 { format!("{x:.1}") } else { format!("{x:.0}") };
    let mut words = vec![];
    for (ratio, stack) in
        [(pre, "in a pre-norm stack"), (norms, "with norms alone"), (neither, "with neither")]
    {
        let found = match ratio {
            r if r.low > 1.05 => Larger,
            r if r.high < 1.0 / 1.05 => Smaller,
            _ => NoClearDifference,
        };
        let all = [
            (Larger, format!("{} times as large {stack}", digits(ratio.median))),
            (Smaller, format!("{} times as small {stack}", digits(1.0 / ratio.median))),
            (NoClearDifference, format!("not clearly larger or smaller {stack}")),
        ];
        words.extend(choice(&format!("block 1 / block 12, {stack}"), found, all));
    }
    let stays = |ratio: Spread| ratio.high >= pre.low / 2.0;
    words.push(also("the first block needs neither of them", stays(neither)));
    words.push(also("the norms alone would carry the gradient", !stays(neither) && stays(norms)));
    words.push(also("It is the residual stream that carries", !stays(neither) && !stays(norms)));
    Ok(words)
}

fn language_model(figures: &Figures) -> Result<Vec<Words>, String> {
    let curve: Vec<f64> =
        figures.curve("Perplexity", "validation")?.into_iter().map(|(_, y)| y).collect();
    let [first, .., last] = curve[..] else { return Err("no two epochs".into()) };
    let frequent = figures.metric("validation perplexity when only frequencies are known")?;
    let best = curve.iter().copied().fold(f64::INFINITY, f64::min);
    let fact = format!("as uncertain as among {last:.1} tokens,");
    let found = if last < 0.9 * frequent { Smaller } else { NoClearDifference };
    let all = [
        (
            Smaller,
            format!("{fact} a guess by frequency as among {frequent:.0}, and one that knows"),
        ),
        (
            NoClearDifference,
            format!("{fact} and a guess by frequency as among {frequent:.0}: it has"),
        ),
    ];
    let mut words = choice("perplexity / that of frequencies", found, all);
    let before = last > 1.1 * best;
    words.push(also(format!("It was better before ({best:.1})"), before));
    words.push(also("no earlier epoch was clearly better", !before && last < 0.9 * first));
    words.push(also("The epochs after the first changed little", !before && last >= 0.9 * first));
    Ok(words)
}

fn scaling(figures: &Figures) -> Result<Vec<Words>, String> {
    let title = "Cost by formula and by count, and loss by size";
    let losses = figures.column(title, "validation loss")?;
    let losses: Vec<Spread> = losses.iter().map(spread).collect::<Result<_, _>>()?;
    let [small, .., large] = losses[..] else { return Err("no two sizes".into()) };
    let found = match () {
        () if large.high < small.low => Larger,
        () if small.high < large.low => Smaller,
        () => NoClearDifference,
    };
    let all = [
        (Larger, "here the larger model learned more from each token".to_owned()),
        (Smaller, "here the smaller model learned more from each token".to_owned()),
        (NoClearDifference, "the seeds differ more than the sizes".to_owned()),
    ];
    let mut words = choice("loss of the smallest / of the largest", found, all);
    let text = |s: Spread| format!("{:.2} ({:.2} to {:.2})", s.median, s.low, s.high);
    let fact =
        format!("the smallest model has a loss of {}, the largest of {}", text(small), text(large));
    words.push(also(fact, true));
    Ok(words)
}

fn quantization_errors(figures: &Figures) -> Result<Vec<Words>, String> {
    let ratios = figures.numbers("Bytes with scales and biases counted", "ratio")?;
    let [small, large] = ratios[..] else { return Err("no two models".into()) };
    let found = match large / small {
        r if r > 1.02 => Larger,
        r if r < 1.0 / 1.02 => Smaller,
        _ => NoClearDifference,
    };
    let all = [
        (Larger, "which matter less the more weights it has".to_owned()),
        (Smaller, "here the small model gains more".to_owned()),
        (NoClearDifference, "the two hardly differ".to_owned()),
    ];
    let mut words = choice("ratio of the large model / of the small one", found, all);
    let fact = format!("{small:.2} times smaller, the layers of a GPT-2 block {large:.2} times");
    words.push(also(fact, true));
    let gain = figures.metric("one bit more, from 4 to 8 bits")?;
    let found = match gain {
        g if g > 6.62 => Larger,
        g if g < 5.42 => Smaller,
        _ => NoClearDifference,
    };
    let says = |reading: &str| format!("Each bit more added {gain:.1} dB: {reading}");
    let all = [
        (Larger, says("more than 20 log10")),
        (Smaller, says("less than 20 log10")),
        (NoClearDifference, says("as expected, 20 log10")),
    ];
    words.extend(choice("SQNR of a bit / 6.02 dB", found, all));
    let title = "SQNR on digits that did not calibrate";
    let names = figures.column(title, "calibration")?;
    for bits in ["8", "3"] {
        let by_method = figures.numbers(title, &format!("{bits} bits"))?;
        let of = |wanted: f64| {
            let place = by_method.iter().position(|sqnr| *sqnr == wanted);
            match place.and_then(|place| names.get(place)) {
                Some(tinytorch::report::Value::Text(name)) => Ok(name.clone()),
                _ => Err(format!("no calibration has {wanted} dB")),
            }
        };
        let high = by_method.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let low = by_method.iter().copied().fold(f64::INFINITY, f64::min);
        let lead = high - low;
        words.push(also(format!("with {bits} bits the three hardly differ"), lead < 0.5));
        let (best, worst) = (of(high)?, of(low)?);
        let apart = format!("with {bits} bits \"{best}\" is {lead:.1} dB above \"{worst}\"");
        words.push(also(apart, lead >= 0.5));
    }
    Ok(words)
}

fn quantized_models(figures: &Figures) -> Result<Vec<Words>, String> {
    let by_bits = figures.numbers("By bits, on 360 test digits", "test accuracy")?;
    let [exact, eight, _, four, _, mixed] = by_bits[..] else { return Err("no six rows".into()) };
    let says = |reading: &str| {
        format!("in f32, with a sample error of {:.1}: {reading}", accuracy(exact).error)
    };
    let all = [
        (Larger, says(&format!("8 bits lost {:.1} points", exact - eight))),
        (Smaller, says("8 bits are better, which rounding does not explain")),
        (NoClearDifference, says("360 digits show no clear difference")),
    ];
    let mut words = choice("accuracy in f32 / in 8 bits", shares(exact, eight, 360.0), all);
    words.push(also(format!("{eight:.1} % in 8 bits and {exact:.1} % in f32"), true));
    let fact = format!(
        "With all layers in 4 bits {four:.1} % are read, with the most sensitive one in f32 {mixed:.1} %"
    );
    let all = [
        (Larger, format!("{fact}: the exception is worth its bytes")),
        (Smaller, format!("{fact}: what was chosen on validation digits did not help here")),
        (NoClearDifference, format!("{fact}: no clear difference on 360 digits")),
    ];
    words.extend(choice("one layer in f32 / none", shares(mixed, four, 360.0), all));
    let title = "The digits MLP, then quantized: test accuracy";
    let ends = ["10 more epochs in f32", "10 more epochs aware of rounding"];
    let column = |end| -> Result<Vec<f64>, String> {
        figures.column(title, end)?.iter().map(|value| Ok(spread(value)?.median)).collect()
    };
    let ends = column(ends[0])?.into_iter().zip(column(ends[1])?);
    for (bits, (plain, aware)) in [8, 4, 2].into_iter().zip(ends) {
        let fact = format!("with {bits} bits {plain:.1} % and {aware:.1} %");
        let all = [
            (Larger, format!("{fact}, training learned weights that survive the rounding")),
            (Smaller, format!("{fact}, here it did harm")),
            (NoClearDifference, format!("{fact}, no clear difference on 360 digits")),
        ];
        let name = format!("aware of rounding / plain, {bits} bits");
        words.extend(choice(&name, shares(aware, plain, 360.0), all));
    }
    let perplexities = figures.numbers("A small GPT on held-out questions", "perplexity")?;
    let [exact, eight, four] = perplexities[..] else { return Err("no three rows".into()) };
    words.push(also(format!("The perplexity is {exact:.2} in f32,"), true));
    for (bits, found) in [("8", eight / exact), ("4", four / exact)] {
        let (more, less) = (100.0 * (found - 1.0), 100.0 * (1.0 - found));
        words.push(also(format!("with {bits} bits {more:.0} % higher"), found > 1.02));
        words.push(also(format!("with {bits} bits {less:.0} % lower"), found < 0.98));
        let same = (0.98..=1.02).contains(&found);
        words.push(also(format!("with {bits} bits the same within 2 %"), same));
    }
    Ok(words)
}

/// How often a position was computed without a cache.
fn computed_again(figures: &Figures) -> Result<Vec<Words>, String> {
    let [_, passed] = figures.ends("Without a cache", "positions passed")?;
    let [_, different] = figures.ends("Without a cache", "distinct")?;
    let times = passed / different;
    let fact = format!("passes read {passed} positions, of which {different} are distinct");
    let found = if times > 1.0 { Larger } else { NoClearDifference };
    let all = [
        (Larger, format!("{fact}: each was computed {times:.0} times on average")),
        (NoClearDifference, format!("{fact}: none was computed twice")),
    ];
    Ok(choice("positions that passed / different ones", found, all))
}

/// What was allocated, beside 2 x 12 layers x dimensions x positions x 4 bytes; its growth; its share.
fn cache_memory(figures: &Figures) -> Result<Vec<Words>, String> {
    let mut worst: f64 = 1.0;
    for dim in [128, 512, 768, 1024] {
        let curve = figures.curve("Allocated by positions", &format!("{dim} dimensions"))?;
        for (positions, bytes) in curve {
            let quotient = bytes / (2.0 * 12.0 * f64::from(dim) * positions * 4.0);
            worst = if (quotient - 1.0).abs() > (worst - 1.0).abs() { quotient } else { worst };
        }
    }
    let found = if (0.99..=1.01).contains(&worst) { NoClearDifference } else { Larger };
    let all = [
        (NoClearDifference, "What was reserved is what 2 L H d T B numbers".to_owned()),
        (Larger, format!("What was reserved is up to {worst:.2} times what 2 L H d T B numbers")),
    ];
    let mut words = choice("allocated / formula", found, all);
    let curve = figures.curve("Allocated by positions", "1024 dimensions")?;
    let [.., (_, half), (_, whole)] = curve[..] else { return Err("no two lengths".into()) };
    let growth = whole / half;
    let fact = format!("Twice the positions took {growth:.2} times the bytes");
    let found = match growth {
        g if g < 1.9 => Smaller,
        g if g > 2.1 => Larger,
        _ => NoClearDifference,
    };
    let all = [
        (Smaller, format!("{fact}: part of it does not grow")),
        (Larger, format!("{fact}: it grows faster than the text")),
        (NoClearDifference, format!("{fact}: it grows linearly")),
    ];
    words.extend(choice("bytes of twice the positions / twice the bytes", found, all));
    let title = "A cache for 1,024 positions, 12 layers";
    let [small, large] = figures.ends(title, "cache / parameters")?;
    let fact =
        format!("{small:.0} % of the parameters' bytes in the smallest model and {large:.0} %");
    let all = [
        (
            Smaller,
            format!("{fact} in the largest: the matrices of the blocks grow with the square"),
        ),
        (Larger, format!("{fact} in the largest: here the cache grows faster")),
        (NoClearDifference, format!("{fact} in the largest: about the same share")),
    ];
    words.extend(choice("share of the largest / of the smallest", quotient(large / small), all));
    Ok(words)
}

/// Whether the speed-up rises with the length, and whether the tokens are the same.
fn cache_speedup(figures: &Figures) -> Result<Vec<Words>, String> {
    let ratios = figures.column("By length", "no cache / cache")?;
    let ratios: Vec<Spread> = ratios.iter().map(spread).collect::<Result<_, _>>()?;
    let [first, .., last] = ratios[..] else { return Err("no two lengths".into()) };
    let found = match () {
        () if last.low > first.high => Larger,
        () if last.high < first.low => Smaller,
        () => NoClearDifference,
    };
    let all = [
        (Larger, "the more the cache saves".to_owned()),
        (Smaller, "the less the cache saves".to_owned()),
        (NoClearDifference, "The length makes no clear difference".to_owned()),
    ];
    let mut words = choice("speed-up of 200 tokens / of 25", found, all);
    let others = figures.metric("answers that differ from those without a cache")?;
    let all = [
        (NoClearDifference, "The tokens are the same in every run".to_owned()),
        (Larger, format!("But {others} answers have other tokens")),
    ];
    let found = if others == 0.0 { NoClearDifference } else { Larger };
    words.extend(choice("answers with other tokens", found, all));
    Ok(words)
}

/// The hot spots of two models, the time of parts beside that of a timeline, and what a backward pass costs.
fn layers(figures: &Figures) -> Result<Vec<Words>, String> {
    let gpt = "The GPT, 8 sequences of 32 tokens";
    let mut words = hot_spot(figures, "The CNN, 32 images", "the CNN")?;
    words.extend(hot_spot(figures, gpt, "the GPT")?);
    let (spans, times) =
        ("The step's self times", figures.numbers("The step's self times", "time")?);
    let at = texts(figures, spans, "span")?.iter().position(|span| span == "forward");
    let forward = at.map(|at| times[at]).ok_or("no span of the forward pass")?;
    let parts: f64 = figures.numbers(gpt, "time")?.iter().sum();
    let fact = format!(
        "The parts of the profile add up to {:.2} ms, and the forward pass on the timeline took {:.2} ms",
        1e3 * parts,
        1e3 * forward
    );
    let quotient = forward / parts;
    let found = match quotient {
        r if r > 1.1 => Larger,
        r if r < 0.9 => Smaller,
        _ => NoClearDifference,
    };
    let all = [
        (Larger, format!("{fact}, {quotient:.1} times as long")),
        (Smaller, format!("{fact}, less than the parts alone: something slowed the profile down")),
        (NoClearDifference, format!("{fact}: here both agree")),
    ];
    words.extend(choice("timeline / profile", found, all));
    words.push(also("the timeline has a single run that records one", found == Larger));
    words.push(also("Measure again.", found == Smaller));

    let ratio = figures.pair(STEP[0], STEP[1])?.ratio;
    let (seen, times) = (reading(ratio) == Larger, ratio.median - 1.0);
    let costs = |ends| format!("The backward pass costs {times:.1} forward passes{ends}");
    let (more, less) = (ratio.low - 1.0 > 2.2, ratio.high - 1.0 < 1.8);
    let about = !more && !less && (1.8..=2.2).contains(&times);
    let unclear = seen && !more && !less && !about;
    words.push(also(costs(", more than the two"), seen && more));
    words.push(also(costs(", less than the two"), seen && less));
    words.push(also(costs(", about the two"), seen && about));
    words.push(also(costs("."), unclear));
    words.push(also("these pairs spread too far to confirm or to refute that", unclear));
    Ok(words)
}

/// The part of a model with the most time, all of its kind together, and the part with the slowest operations.
fn hot_spot(figures: &Figures, title: &str, model: &str) -> Result<Vec<Words>, String> {
    let names = texts(figures, title, "layer")?;
    let [seconds, flops] = ["time", "operations"].map(|column| figures.numbers(title, column));
    let (seconds, flops) = (seconds?, flops?);
    let places = 0..names.len();
    let Some(hot) = places.clone().max_by(|a, b| seconds[*a].total_cmp(&seconds[*b])) else {
        return Err(format!("\"{title}\" is empty"));
    };
    let share = |of: &[f64], at: usize| of[at] / of.iter().sum::<f64>();
    let slowness = |at: usize| share(&seconds, at) / share(&flops, at);
    let fact = format!(
        "Of the time of {model}, {} takes {:.0} %, with {:.0} % of the operations",
        names[hot],
        100.0 * share(&seconds, hot),
        100.0 * share(&flops, hot)
    );
    let all = [
        (Larger, format!("{fact}: an operation takes longer there")),
        (Smaller, format!("{fact}: an operation takes less time there")),
        (NoClearDifference, format!("{fact}: an operation takes about as long there")),
    ];
    let about = format!("share of time / of operations, {model}");
    let mut words = choice(&about, beside(slowness(hot), 1.25), all);
    let bound = |share: f64| format!("{:.2} times", 1.0 / (1.0 - share));
    let alone = format!("the whole would be {} as fast", bound(share(&seconds, hot)));
    words.push(also(alone, true));
    let kind = |name: &str| {
        let name = name.rsplit(": ").next().unwrap_or(name).to_owned();
        name.split('(').next().unwrap_or_default().to_owned()
    };
    let alike = places.clone().filter(|at| kind(&names[*at]) == kind(&names[hot]));
    let alike: Vec<f64> = alike.map(|at| share(&seconds, at)).collect();
    let together: f64 = alike.iter().sum();
    let fact = format!(
        "The {} parts of its kind, {}, together take {:.0} %: without all of them, {}.",
        alike.len(),
        kind(&names[hot]),
        100.0 * together,
        bound(together)
    );
    words.push(also(fact, alike.len() > 1));
    let slowest = places.filter(|at| flops[*at] > 0.0);
    let slowest = slowest.max_by(|a, b| slowness(*a).total_cmp(&slowness(*b))).unwrap_or(hot);
    let fact = format!("An operation takes the longest in {}: ", names[slowest]);
    words.push(also(fact, slowest != hot && slowness(slowest) > 1.25));
    Ok(words)
}

/// The texts of a column.
fn texts(figures: &Figures, title: &str, column: &str) -> Result<Vec<String>, String> {
    let text = |value| if let Value::Text(text) = value { text } else { String::new() };
    Ok(figures.column(title, column)?.into_iter().map(text).collect())
}

fn roofline(figures: &Figures) -> Result<Vec<Words>, String> {
    const TITLE: &str = "Operations under the roof";
    let names = texts(figures, TITLE, "operation")?;
    let intensities = figures.numbers(TITLE, "intensity")?;
    let [peak, bandwidth] =
        ["peak of one core", "bandwidth of memory"].map(|name| figures.metric(name));
    let (peak, bandwidth) = (peak?, bandwidth?);
    let ridge = peak / bandwidth;
    let rates = figures.numbers(TITLE, "rate")?;
    let part = |at: usize| rates[at] / (intensities[at] * bandwidth).min(peak);
    let list = |wanted: &dyn Fn(usize) -> bool| {
        let found: Vec<&str> =
            (0..names.len()).filter(|at| wanted(*at)).map(|at| names[at].as_str()).collect();
        if found.is_empty() { "none".to_owned() } else { found.join(", ") }
    };
    let left = list(&|at| intensities[at] < ridge);
    let right = list(&|at| intensities[at] >= ridge);
    let mut words = vec![
        also(
            format!(
                "Left of the ridge point, {ridge:.1} FLOP/B, the roof is that of memory: {left}."
            ),
            true,
        ),
        also(format!("Right of it the roof is the peak: {right}."), true),
    ];
    for (start, found, end) in [
        (
            "Below half of their roof, where neither limit is reached",
            list(&|at| part(at) < 0.5),
            "",
        ),
        ("Within a factor of two of their roof", list(&|at| (0.5..=1.0).contains(&part(at))), ""),
        (
            "Above the roof of memory",
            list(&|at| part(at) > 1.0 && intensities[at] < ridge),
            "Either their numbers came from a cache, or the probe of memory was disturbed.",
        ),
        (
            "Above the peak",
            list(&|at| part(at) > 1.0 && intensities[at] >= ridge),
            "The probe of the peak was disturbed",
        ),
    ] {
        let any = found != "none";
        words.push(also(format!("{start}: {found}."), any));
        if !end.is_empty() {
            words.push(also(end, any));
        }
    }
    let [stream, cache] =
        ["memory of the stream", "largest cache"].map(|name| figures.metric(name).ok());
    let stream = stream.ok_or("no size of the stream")?;
    let mebibytes = |bytes: f64| format!("{:.0} MiB", bytes / 1024.0 / 1024.0);
    let known = cache.map_or_else(String::new, mebibytes);
    let taken = format!("The stream takes {}", mebibytes(stream));
    let short = cache.is_some_and(|cache| stream < 2.0 * cache);
    let long = cache.is_some_and(|cache| stream >= 2.0 * cache);
    words.push(also(format!("{taken}, less than twice the largest cache, {known}"), short));
    words.push(also(format!("{taken}, at least twice the largest cache, {known}"), long));
    words.push(also(format!("{taken}."), cache.is_none()));
    let unknown = "This system does not say how large its caches are";
    words.push(also(unknown, cache.is_none()));
    Ok(words)
}

/// The first run beside the later ones, and the slow ones of those.
fn first_run(figures: &Figures) -> Result<Vec<Words>, String> {
    let title = "A pass of the CNN, 64 images";
    let first = figures.numbers(title, "first run")?[0];
    let median = figures.numbers(title, "median of 50 later runs")?[0];
    let ratio = first / median;
    let all = [
        (Larger, format!("took {ratio:.1} times the median of the later ones: a single timing")),
        (
            NoClearDifference,
            format!("took {ratio:.2} times the median of the later ones: it was like the others"),
        ),
        (Smaller, format!("took {ratio:.2} times the median of the later ones: something slowed")),
    ];
    let mut words = choice("first run / median", quotient(ratio), all);
    let tail = figures.numbers(title, "p95")?[0] / median;
    let slow = format!("One run in 20 took at least {tail:.1} times the median");
    words.push(also(slow, tail > 1.5));
    words.push(also("the median says almost all", tail <= 1.5));
    Ok(words)
}

/// The slope of a line through the logarithms of both coordinates.
fn slope(points: &[(f64, f64)]) -> f64 {
    let n = points.len() as f64;
    let logs = points.iter().map(|(x, y)| (x.ln(), y.ln()));
    let (x, y, xx, xy) = logs
        .fold((0.0, 0.0, 0.0, 0.0), |(a, b, c, d), (x, y)| (a + x, b + y, c + x * x, d + x * y));
    (n * xy - x * y) / (n * xx - x * x)
}

/// The law of the width, and how often chance looked like a difference.
fn benchmark_variance(figures: &Figures) -> Result<Vec<Words>, String> {
    let curve = figures.curve("Width of the interval by the number of runs", "measured")?;
    let fitted = slope(&curve);
    let [few, many] = figures.ends("Width of the interval", "width")?;
    if !(fitted.is_finite() && few > 0.0 && many > 0.0) {
        return Ok(vec![also("The clock cannot tell these runs apart", true)]);
    }
    let fact = format!(
        "the interval went from {few:.2} % to {many:.2} % of the median, with the exponent {fitted:.2}"
    );
    let mut words = vec![also(fact, true)];
    let [widths, law] =
        ["width", "by the law"].map(|column| figures.numbers("Width of the interval", column));
    let (widths, law) = (widths?, law?);
    let mut quotients = widths.iter().zip(&law).map(|(width, law)| width / law);
    let is_steady = quotients.all(|quotient| (1.0 / 1.5..=1.5).contains(&quotient));
    let is_near = (-0.7..=-0.3).contains(&fitted);
    words.push(also("about the -0.5 of the law", is_near && is_steady));
    words.push(also("but not step by step", is_near && !is_steady));
    words.push(also("faster than the -0.5 of the law", fitted < -0.7));
    words.push(also("these runs are not independent", fitted > -0.3 && fitted < -0.1));
    words.push(also("more runs did not help here", fitted >= -0.1));
    let alarms = figures.numbers("A program beside itself", "of 20 comparisons \"different\"")?;
    let [plain, _, strict] = alarms[..] else { return Err("no three rows".into()) };
    let none = plain == 0.0 && strict == 0.0;
    words.push(also("A program beside itself never looked different", none));
    let seen = format!("with itself, {plain} found a difference, and");
    let fewer = format!("{seen} {strict} with correction and threshold.");
    words.push(also(fewer, !none && strict < plain));
    words.push(also(format!("{seen} still {strict} with"), !none && strict >= plain));
    Ok(words)
}

/// The shares of the peak at both ends.
fn efficiency(figures: &Figures) -> Result<Vec<Words>, String> {
    let column = figures.column("Your product beside the peak", "share")?;
    let shares: Vec<Spread> = column.iter().map(spread).collect::<Result<_, _>>()?;
    let [small, .., large] = shares[..] else { return Err("no two sizes".into()) };
    let text = |s: Spread| {
        format!("{:.1} % ({:.1} to {:.1})", 100.0 * s.median, 100.0 * s.low, 100.0 * s.high)
    };
    let fact = format!("core's peak at size 32 and {} at 256", text(large));
    let mut words = vec![also(format!("reaches {} of one", text(small)), true), also(fact, true)];
    let found = match () {
        () if large.low > small.high => Larger,
        () if large.high < small.low => Smaller,
        () => NoClearDifference,
    };
    let unclear = match [small, large].iter().all(|share| share.high <= 2.0 * share.low) {
        true => "the size makes no clear difference",
        false => "the runs of one size disagree too much to compare the two",
    };
    let all = [
        (Larger, "larger products use the core better".to_owned()),
        (Smaller, "larger products use the core worse".to_owned()),
        (NoClearDifference, unclear.to_owned()),
    ];
    words.extend(choice("share at 256 / at 32", found, all));
    words.push(also("there is little left to gain", large.median >= 0.7));
    words.push(also("another order of the same work", (0.3..0.7).contains(&large.median)));
    words.push(also("most of what this core could do is not asked for", large.median < 0.3));
    Ok(words)
}

/// Fitted exponents beside those of counting.
fn growth_laws(figures: &Figures) -> Result<Vec<Words>, String> {
    let column = figures.column("Fitted exponents", "exponent")?;
    let fits: Vec<Spread> = column.iter().map(spread).collect::<Result<_, _>>()?;
    let [product, sum] = fits[..] else { return Err("no two fits".into()) };
    let mut words = vec![];
    for (name, fit, wanted) in [("A product", product, 3.0), ("A sum", sum, 2.0)] {
        let finite = [fit.low, fit.median, fit.high].iter().all(|end| end.is_finite());
        words.push(also(format!("{name} has no exponent"), !finite));
        let fact = format!(
            "{name} grows with the power {:.2} ({:.2} to {:.2})",
            fit.median, fit.low, fit.high
        );
        let (less, more) = (fit.high < wanted - 0.1, fit.low > wanted + 0.1);
        words.push(also(format!("{fact}, less than {wanted}"), finite && less));
        words.push(also(format!("{fact}, more than {wanted}"), finite && more));
        let agrees = format!("{fact}, in agreement with the {wanted} of counting");
        words.push(also(agrees, finite && !less && !more));
    }
    Ok(words)
}

/// A factor as sentences have it.
fn factor(x: f64) -> String {
    match x {
        x if x < 10.0 => format!("{x:.2}"),
        x if x < 100.0 => format!("{x:.1}"),
        x => format!("{x:.0}"),
    }
}

/// The whole pipeline, the step that is missed most, those that change nothing, and what is left of a promise.
fn integration(figures: &Figures) -> Result<Vec<Words>, String> {
    let title = "From the naive start to the end";
    let column = |name| -> Result<Vec<Spread>, String> {
        figures.column(title, name)?.iter().map(spread).collect()
    };
    let (so_far, without) = (column("speed-up so far")?, column("everything / without it")?);
    let names: Vec<String> = figures
        .column(title, "step")?
        .iter()
        .map(|name| serde_json::to_string(name).unwrap_or_default().replace('"', ""))
        .collect();
    let total = so_far.last().copied().ok_or("no step")?;
    let range = format!("({} to {})", factor(total.low), factor(total.high));
    let mut words = vec![also(
        format!(
            "{} times as many tokens in a second as the naive start {range}",
            factor(total.median)
        ),
        true,
    )];
    let steps: Vec<(&String, Spread)> =
        names.iter().zip(without).filter(|(name, _)| !name.ends_with("(off)")).collect();
    let best = steps.iter().max_by(|a, b| a.1.median.total_cmp(&b.1.median)).ok_or("no step")?;
    for (name, found) in &steps {
        let is_best = name == &best.0 && found.low > 1.05;
        let text = format!(
            "most of it depends on {name}: without it, {} times fewer",
            factor(found.median)
        );
        words.push(also(text, is_best));
    }
    words.push(also("no step alone makes a clear difference", best.1.low <= 1.05));
    let list = |wanted: fn(&Spread) -> bool| -> Vec<&str> {
        steps.iter().filter(|(_, found)| wanted(found)).map(|(name, _)| name.as_str()).collect()
    };
    let idle = list(|found| found.low <= 1.05 && found.high >= 1.0 / 1.05);
    let slower = list(|found| found.high < 1.0 / 1.05);
    for (text, names) in
        [("no clear effect on speed: ", idle), ("slower with it than without: ", slower)]
    {
        words.push(also(format!("{text}{}", names.join(", ")), !names.is_empty()));
    }
    let left = figures.metric("together against their product")?;
    let found = match left {
        x if x < 1.0 / 1.25 => Smaller,
        x if x > 1.25 => Larger,
        _ => NoClearDifference,
    };
    let all = [
        (Smaller, "that is less: they save partly the same work"),
        (Larger, "that is more: each makes the other worth more"),
        (NoClearDifference, "that is about the same here: they save different work"),
    ];
    words.extend(choice(
        "together / product",
        found,
        all.map(|(says, text)| (says, text.to_owned())),
    ));
    words.extend(guarded(figures)?);
    Ok(words)
}

/// Which steps the guard kept. The figures of the test set stand in the submission.
fn guarded(figures: &Figures) -> Result<Vec<Words>, String> {
    let title = "Every step, guarded";
    let texts = |name| -> Result<Vec<String>, String> {
        let column = figures.column(title, name)?;
        Ok(column
            .iter()
            .map(|v| serde_json::to_string(v).unwrap_or_default().replace('"', ""))
            .collect())
    };
    let (steps, verdicts) = (texts("step")?, texts("verdict")?);
    let list = |wanted: &str| {
        let of = steps.iter().zip(&verdicts).filter(|(_, verdict)| *verdict == wanted);
        let names: Vec<&str> = of.map(|(step, _)| step.as_str()).collect();
        if names.is_empty() { "none".to_owned() } else { names.join(", ") }
    };
    let text = format!("kept: {}; rolled back: {}.", list("kept"), list("rolled back"));
    let [start, end] =
        ["start", "end"].map(|side| figures.metric(&format!("test perplexity, {side}")));
    let (start, end) = (start?, end?);
    let limit = 1.05 * start;
    let fact = format!("the perplexity went from {start:.2} to {end:.2}");
    let found = match end {
        end if end > limit => Larger,
        end if end < start => Smaller,
        _ => NoClearDifference,
    };
    let all = [
        (
            Larger,
            format!(
                "{fact}, above the limit: what held on the validation set does not hold on new text ({limit:.2})"
            ),
        ),
        (Smaller, format!("{fact}, no worse than at the start ({limit:.2})")),
        (NoClearDifference, format!("{fact}, within the limit ({limit:.2})")),
    ];
    let mut words = choice("test perplexity", found, all);
    words.push(also(text, true));
    Ok(words)
}

fn speedup_by_length(figures: &Figures) -> Result<Vec<Words>, String> {
    let column = figures.column("Speed by length", "speed-up")?;
    let found: Vec<Spread> = column.iter().map(spread).collect::<Result<_, _>>()?;
    let [first, .., last] = found[..] else { return Err("no two lengths".into()) };
    let power = figures.metric("exponent of the speed-up by length")?;
    let range =
        |s: Spread| format!("{} ({} to {})", factor(s.median), factor(s.low), factor(s.high));
    let fact = format!(
        "the speed-up is {} for the shortest text and {} for the longest",
        range(first),
        range(last)
    );
    let found = match () {
        () if first.high < last.low => Larger,
        () if last.high < first.low => Smaller,
        () => NoClearDifference,
    };
    let all = [
        (Larger, format!("{fact}: it grows with the power {power:.2} of the length")),
        (Smaller, format!("{fact}: here it falls with the length")),
        (NoClearDifference, format!("{fact}: no clear growth with the length here")),
    ];
    let mut words = choice("speed-up by length", found, all);
    words.push(also("a speed-up without its length says nothing", found == Larger));
    Ok(words)
}

/// Which devices were opened, missed or lost, from the verdicts in the table.
fn production(figures: &Figures) -> Result<Vec<Words>, String> {
    let column = |name| -> Result<Vec<String>, String> {
        let column = figures.column("Budgets", name)?;
        Ok(column
            .iter()
            .map(|v| serde_json::to_string(v).unwrap_or_default().replace('"', ""))
            .collect())
    };
    let (devices, end) = (column("device")?, column("end")?);
    let heads = ["file", "memory", "first token", "p95 between tokens"];
    let table = |title| -> Result<Vec<Vec<f64>>, String> {
        heads.iter().map(|head| figures.numbers(title, head)).collect()
    };
    let (costs, limits) = (table("What it costs")?, table("What the devices allow")?);
    let met = |model: usize, device: usize| {
        costs.iter().zip(&limits).all(|(cost, limit)| cost[model] <= limit[device])
    };
    let of = |wanted: fn(bool, bool) -> bool| -> Vec<usize> {
        (0..devices.len()).filter(|&at| wanted(met(0, at), met(1, at))).collect()
    };
    let names = |places: &[usize]| -> String {
        places.iter().map(|&at| devices[at].as_str()).collect::<Vec<_>>().join(", ")
    };
    let (gained, missed, lost) = (of(|a, b| !a && b), of(|_, b| !b), of(|a, b| a && !b));
    let missed_texts: Vec<String> = missed
        .iter()
        .map(|&at| {
            let limit = end[at].split(": ").nth(1).unwrap_or_default();
            let limit = limit.rsplit_once(", ").map_or(limit, |(limit, _)| limit);
            format!("{} ({limit})", devices[at])
        })
        .collect();
    Ok(vec![
        also("the pipeline opens no device that the start could not serve", gained.is_empty()),
        also(
            format!("meets the budgets of {}, which the start did not", names(&gained)),
            !gained.is_empty(),
        ),
        also("no budget is missed at its end", missed.is_empty()),
        also(format!("still missed: {}", missed_texts.join(", ")), !missed.is_empty()),
        also(format!("lost: {}", names(&lost)), !lost.is_empty()),
    ])
}

/// Three parts: what pruning loses, how small a file becomes beside a small network, and what a teacher adds.
fn compression_ratio(figures: &Figures) -> Result<Vec<Words>, String> {
    let title = "Accuracy on 360 validation digits, by sparsity";
    let last = |name| {
        let curve = figures.curve(title, name)?;
        let [(_, first), .., (_, last)] = curve[..] else { return Err("no curve".to_owned()) };
        Ok((first, last))
    };
    let ((dense, once), (_, gradual)) = (last("at once, one threshold")?, last("while training")?);
    let fact = format!("The dense network reads {dense:.1} % of the digits.");
    let mut words = vec![also(fact, true)];
    let (whole, at_once, trained) = (accuracy(dense), accuracy(once), accuracy(gradual));
    for (it, name) in [(&at_once, "at once, it reads"), (&trained, "while it trains,")] {
        let start = format!("{name} {:.1} %,", it.percent);
        let all = [
            (Smaller, format!("{start} clearly fewer than dense")),
            (Larger, format!("{start} clearly more than dense")),
            (NoClearDifference, format!("{start} not clearly more or fewer than dense")),
        ];
        words.extend(choice(&format!("pruned {name} / dense"), differ(it, &whole), all));
    }
    let part = if differ(&trained, &whole) == Smaller { "a part of " } else { "" };
    let all = [
        (Larger, format!("Training with the zeros repaired {part}what pruning broke.")),
        (Smaller, "Here training with the zeros did harm.".to_owned()),
        (NoClearDifference, "Training with the zeros made no clear difference.".to_owned()),
    ];
    words.extend(choice("while training / at once", differ(&trained, &at_once), all));

    let found = figures.numbers("Accuracy on test digits, with its sample error", "accuracy")?;
    let [dense, small, _, control] = found[..] else { return Err("no four networks".into()) };
    let sizes = figures.ends("Bytes on disk, step by step", "file")?;
    let ratio = sizes[0] / sizes[1];
    words.push(also(format!("{ratio:.1} times smaller than the dense one"), ratio > 1.0));
    words.push(also(format!("{:.1} times larger than the dense one", 1.0 / ratio), ratio <= 1.0));
    let start = format!("The model in it reads {small:.1} % of the test digits,");
    let end = format!("the dense one's {dense:.1} %");
    let all = [
        (Smaller, format!("{start} clearly fewer than {end}")),
        (Larger, format!("{start} clearly more than {end}")),
        (NoClearDifference, format!("{start} not clearly more or fewer than {end}")),
    ];
    let (left, beside) = (accuracy(small), accuracy(control));
    words.extend(choice("compressed / dense", differ(&left, &accuracy(dense)), all));
    let start = format!("A small dense network in a file of the same size reads {control:.1} %,");
    let all = [
        (Smaller, format!("{start} so the large network, compressed, is the better use")),
        (Larger, format!("{start} so training the small one would have been better")),
        (NoClearDifference, format!("{start} which is no clear difference, so this task did not")),
    ];
    words.extend(choice("small / compressed", differ(&beside, &left), all));

    let title = "Accuracy on test digits, five other seeds";
    let column = figures.column(title, "accuracy")?;
    let column: Vec<Spread> = column.iter().map(spread).collect::<Result<_, _>>()?;
    let [labels, soft, added] = column[..] else { return Err("no two students".into()) };
    let fact = format!(
        "With the teacher the student reads {:.1} %, without it {:.1} %, each the median of its seeds. Seed by seed, the \
         difference is {:+.1} points in the median",
        soft.median, labels.median, added.median
    );
    words.push(also(fact, true));
    let error = accuracy(labels.median).error.hypot(accuracy(soft.median).error);
    let agree = added.low > 0.0 || added.high < 0.0;
    let is_clear = added.median.abs() > 2.0 * error;
    words.push(also("the seeds disagree on its sign", !agree));
    words.push(also("within twice its standard error", agree && !is_clear));
    words.push(also("so the teacher helped", agree && is_clear && added.median > 0.0));
    words.push(also("so the teacher did harm", agree && is_clear && added.median < 0.0));
    Ok(words)
}

fn compression_speedup(figures: &Figures) -> Result<Vec<Words>, String> {
    let mut words = vec![];
    for (batch, inputs) in [(1, "1 input"), (64, "64 inputs")] {
        let title = format!("Timed in turn, 512 -> 512, inputs at a time: {batch}");
        let sparsities = figures.numbers(&title, "sparsity")?;
        for (name, dense) in [
            ("dense / sparse", "your dense layer"),
            ("ndarray / sparse", "ndarray's dense product"),
        ] {
            let column = figures.column(&title, name)?;
            let ratios: Vec<Spread> = column.iter().map(spread).collect::<Result<_, _>>()?;
            let slow = ratios.iter().rposition(|ratio| ratio.low <= 1.05);
            let first = slow.map_or(0, |last| last + 1);
            for (at, (sparsity, ratio)) in sparsities.iter().zip(&ratios).enumerate() {
                let since = match at {
                    0 => format!("at every sparsity that was measured, from {sparsity} on"),
                    _ => format!("from a sparsity of {sparsity} on"),
                };
                let start =
                    format!("With {inputs} the sparse layer is faster than {dense} {since}; there");
                let is_known = reading(*ratio) == Larger;
                let times =
                    format!("{start} the dense one takes {:.1} times as long", ratio.median);
                words.push(also(times, at == first && is_known));
                words.push(also(format!("{start} the pairs disagree"), at == first && !is_known));
            }
            let never =
                format!("With {inputs} the sparse layer is not clearly faster than {dense}");
            words.push(also(never, first == ratios.len()));
        }
    }
    let half = figures.pair("all units", "half of the units")?;
    words.push(also("The smaller layer is dense", reading(half.ratio) == Larger));
    Ok(words)
}

fn compression_memory(figures: &Figures) -> Result<Vec<Words>, String> {
    let title = "Memory that a layer 512 -> 512 keeps";
    let sparsities = figures.numbers(title, "sparsity")?;
    let ratios = figures.numbers(title, "sparse / dense")?;
    let first = ratios.iter().rposition(|ratio| *ratio >= 1.0).map_or(0, |last| last + 1);
    let mut words = vec![];
    for (at, (sparsity, ratio)) in sparsities.iter().zip(&ratios).enumerate() {
        let fact = format!("needs less memory from a sparsity of {sparsity} on: there {ratio:.2}");
        words.push(also(fact, at == first));
    }
    words.push(also("needs more memory at every sparsity", first == ratios.len()));

    let dominated = figures.column("The candidates", "Pareto")?;
    let text = |value: &tinytorch::report::Value| match value {
        tinytorch::report::Value::Text(text) => text.clone(),
        _ => String::new(),
    };
    let beaten = dominated.iter().filter(|value| text(value) == "dominated").count();
    let fact = format!("{beaten} of {} models are dominated", dominated.len());
    words.push(also(fact, beaten > 0));
    words.push(also("No model is dominated", beaten == 0));
    let names: Vec<String> = figures.column("The candidates", "model")?.iter().map(text).collect();
    let bytes = figures.numbers("The candidates", "file")?;
    let right = figures.numbers("The candidates", "validation accuracy")?;
    let dense = accuracy(right[0]);
    let as_good = (0..names.len()).filter(|&at| right[at] >= dense.percent - dense.error);
    let best = as_good.min_by(|&a, &b| bytes[a].total_cmp(&bytes[b])).unwrap_or(0);
    for (at, name) in names.iter().enumerate() {
        let fact = format!("is \"{name}\", in a file {:.1} times smaller", bytes[0] / bytes[at]);
        words.push(also(fact, at == best && bytes[at] < bytes[0]));
    }
    words.push(also("is the dense one itself", bytes[best] >= bytes[0]));

    let verdicts: Vec<String> = figures.column("Budgets", "budget")?.iter().map(text).collect();
    let met = verdicts.iter().filter(|verdict| *verdict == "met").count();
    let fact = format!("{met} of {} scenarios have a model within their budget.", verdicts.len());
    words.push(also(fact, true));
    words.push(also("None is left without a model.", met == verdicts.len()));
    words.push(also("Without a model, and by which figure:", met < verdicts.len()));
    Ok(words)
}

/// Which step the kernel misses most, of those that were taken out one at a time.
fn ladder(figures: &Figures) -> Result<Vec<Words>, String> {
    let without =
        ["packing b", "a tile", "wide registers"].map(|step| format!("the kernel without {step}"));
    let mut slowest: Option<(f64, &str)> = None;
    for name in &without {
        let ratio = figures.pair(name, "the whole kernel")?.ratio;
        if reading(ratio) == Larger && slowest.is_none_or(|(most, _)| ratio.median >= most) {
            slowest = Some((ratio.median, name));
        }
    }
    let is_slowest = |name: &String| slowest.is_some_and(|(_, slowest)| slowest == name);
    let mut words: Vec<Words> = without
        .iter()
        .map(|name| also(format!("Of these, {name} was the slowest."), is_slowest(name)))
        .collect();
    let ratios: Vec<Spread> = without
        .iter()
        .map(|name| figures.pair(name, "the whole kernel").map(|pair| pair.ratio))
        .collect::<Result<_, _>>()?;
    let is_noisy = ratios.iter().any(|&ratio| reading(ratio) == TooNoisy);
    let unclear = "Which of these steps is missed most, these pairs do not say.";
    words.push(also(unclear, slowest.is_none() && is_noisy));
    let none = "None of these steps is clearly missed here.";
    words.push(also(none, slowest.is_none() && !is_noisy));
    Ok(words)
}

/// From which size on packing and threads pay: from there on, all sizes are clearly faster.
fn kernel_sizes(figures: &Figures) -> Result<Vec<Words>, String> {
    let pays_from = |table, column| -> Result<Option<f64>, String> {
        let ratios: Vec<Spread> =
            figures.column(table, column)?.iter().map(spread).collect::<Result<_, _>>()?;
        let sizes = figures.numbers(table, "n")?.into_iter().zip(ratios).rev();
        Ok(sizes.take_while(|&(_, ratio)| reading(ratio) == Larger).last().map(|(n, _)| n))
    };
    let packed = pays_from("Plain loops and packed tiles", "plain / packed")?;
    let threads = pays_from("One thread and all cores", "one / all")?;
    let cores = figures.metric("cores")?;
    let from = |n: Option<f64>| format!("From n = {} on", n.unwrap_or(0.0));
    Ok(vec![
        also(
            format!("{}, packed tiles were clearly faster than the plain loops.", from(packed)),
            packed.is_some(),
        ),
        also(
            "Packed tiles were not clearly faster than the plain loops at the largest size.",
            packed.is_none(),
        ),
        also("This machine has one core: threads cannot pay.", cores == 1.0),
        also(
            format!("{}, {cores} threads were clearly faster than one.", from(threads)),
            cores > 1.0 && threads.is_some(),
        ),
        also(
            format!(
                "At the largest size {cores} threads were not clearly faster than one: is the machine busy?"
            ),
            cores > 1.0 && threads.is_none(),
        ),
    ])
}
