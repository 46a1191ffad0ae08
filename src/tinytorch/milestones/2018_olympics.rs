//! 2018: engineers of companies and universities begin MLPerf, which compares systems by the time that they take for
//! the same task at the same quality. Here, the techniques of lessons 15 to 18 compete in two events: to read the 360
//! held-out digits, and to continue a question. Each is measured alone beside the baseline, then all together: the
//! bytes of the file, the memory, the time in pairs, and the quality. The network for the digits is one of 1986 with
//! today's ReLU and Adam; networks that compute in 8 bits and pruning while training are of about 2017, pruning itself
//! of 1989, the transformer of 2017. Like is compared with like: every file is deflated, the baseline's too; the baseline
//! also runs beside itself; and a network that was small from the start has a file of the same size. Uses modules 01 to
//! 20. Not here: a new technique.

use std::any::Any;
use std::error::Error;
use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;
use tinytorch::acceleration::OptimizedBackend;
use tinytorch::activations::ReLU;
use tinytorch::autograd::no_grad;
use tinytorch::backend::with_backend;
use tinytorch::benchmarking::{Interval, Verdict, measure_pairs, speedup, verdict};
use tinytorch::capstone::{Candidate, Guard, Step, StepRecord, Study, choose, overlap};
use tinytorch::capstone::{pruned, rounded, run_pipeline};
use tinytorch::compression::{MagnitudePruner, SparseLinear, accuracy, decode_model, dense_file};
use tinytorch::compression::{encode_model, falling_rate, measure_sparsity};
use tinytorch::dataloader::{DataLoader, DigitShape};
use tinytorch::flate2::Compression;
use tinytorch::layers::{Layer, Linear, Sequential, multilayer_perceptron};
use tinytorch::losses::CrossEntropyLoss;
use tinytorch::memoization::{enable_kv_cache, generate_cached};
use tinytorch::optimizers::{Adam, Optimizer};
use tinytorch::packed::deflated;
use tinytorch::profiling::Profiler;
use tinytorch::quantization::{Sets, quantize_model};
use tinytorch::random::Rng;
use tinytorch::report::{Axis, Point, Reporter, Series, Target, Value, columns};
use tinytorch::tensor::Tensor;
use tinytorch::testing::{Reading, compare_accuracies, memory, sample_error};
use tinytorch::tokenization::Id;
use tinytorch::training::Trainer;
use tinytorch::transformers::{GenerateError, Gpt, Sampler, generate, mean_loss, perplexity};

/// A network with far more weights than 64 pixels need.
const LARGE: [usize; 4] = [64, 256, 128, 10];
/// What pruning may cost on the validation digits: one point.
const ALLOWED: f64 = 0.01;
/// By which fraction the perplexity on the validation texts may be higher.
const GUARD: f64 = 0.05;
/// In each run the digits are read so often, since a single reading is short beside one interruption, or so many
/// tokens are generated.
const READINGS: usize = 10;
const NEW_TOKENS: usize = 32;
/// A difference of less than this part does not matter.
const THRESHOLD: f64 = 0.05;

type Failure = Box<dyn Error>;

/// What is timed: one run of a model that has been loaded.
type Work<'a> = Box<dyn Fn() + 'a>;

/// The baseline, one technique, or all of them.
struct Contestant<'a> {
    name: String,
    /// Bytes of the file.
    bytes: usize,
    /// An accuracy from 0 to 1, or a perplexity.
    quality: f64,
    /// Copies the model into memory of its own, as a device would have it.
    load: Box<dyn Fn() -> Work<'a> + 'a>,
}

/// What was measured of a contestant.
#[derive(Debug, Clone, PartialEq)]
pub struct Measured {
    /// What it is called.
    pub name: String,
    /// Bytes of the file.
    pub bytes: f64,
    /// An accuracy from 0 to 1, or a perplexity.
    pub quality: f64,
    /// How many times as fast as the baseline.
    pub speed: Interval,
}

/// What belongs to one event.
struct Event<'a> {
    title: &'static str,
    /// The heading of the quality, and how it is shown.
    quality: (&'static str, &'a dyn Fn(f64) -> Value),
    pairs: usize,
}

impl Event<'_> {
    /// Measures each contestant in turn with the first one, the baseline, and shows each as soon as it is known.
    fn measure(&self, contestants: &[Contestant<'_>], out: &mut Reporter) -> Vec<Measured> {
        let (baseline, mut rows, mut found) = ((contestants[0].load)(), vec![], vec![]);
        for Contestant { name, bytes, quality, load } in contestants {
            let (work, kept) = memory(load);
            let ((), used) = memory(&work);
            let memory =
                kept.zip(used).map_or(f64::NAN, |(kept, used)| (kept.kept + used.peak) as f64);
            let pairs = measure_pairs(1, self.pairs, || seconds(&baseline), || seconds(&work));
            let speed = speedup(&pairs, 0.95, &mut Rng::seeded(18));
            let (quality, bytes) = (*quality, *bytes as f64);
            let shown = (self.quality.1)(quality);
            rows.push(vec![name.as_str().into(), bytes.into(), memory.into(), shown, speed.into()]);
            found.push(Measured { name: name.clone(), bytes, quality, speed });
            let list = format!("technique, file [B], memory [B], {}, speed-up [x]", self.quality.0);
            out.measured_table(self.title, &columns(&list), rows.clone());
            out.progress(self.title, found.len() as u64, contestants.len() as u64);
        }
        let bars = found.iter().enumerate().map(|(at, one)| Point {
            x: at as f64,
            y: one.speed.estimate,
            spread: Some((one.speed.low, one.speed.high)),
            label: Some(one.name.clone()),
        });
        let (x, y) = (Axis::linear("technique", ""), Axis::log("speed, beside the baseline", "x"));
        let series = Series { name: "speed-up".into(), points: bars.collect() };
        out.measured_bars(format!("{}: speed", self.title), x, y, series);
        found
    }
}

fn seconds(work: &Work<'_>) -> f64 {
    let start = Instant::now();
    work();
    start.elapsed().as_secs_f64()
}

/// Runs `work` on the kernels of lesson 18, or on the engine's own loops.
fn on<T>(is_fast: bool, work: impl FnOnce() -> T) -> T {
    match is_fast {
        true => with_backend(Arc::new(OptimizedBackend::detect()), work),
        false => work(),
    }
}

/// Gives every parameter memory of its own.
fn own_memory<M: Layer>(mut model: M) -> M {
    for parameter in model.parameters_mut() {
        *parameter = Tensor::new(&parameter.to_vec(), parameter.shape());
    }
    model
}

/// The file of a model, deflated, with 32 bits for each number.
fn wide_file(model: &dyn Layer) -> usize {
    deflated(&dense_file(model), Compression::best()).len()
}

/// Measures both events.
pub fn milestone(out: &mut Reporter) {
    if let Err(error) = read_digits(out).and_then(|()| continue_text(out)) {
        out.note(format!("The milestone could not be completed: {error}"));
    }
}

fn read_digits(out: &mut Reporter) -> Result<(), Failure> {
    let sets = Sets::new(DigitShape::Flat)?;
    let mut curve = vec![];
    let dense = train(network(&LARGE), Adam::new(0.003), 12, &sets, |accuracy| {
        curve.push((curve.len() as f64 + 1.0, 100.0 * accuracy));
        let (x, y) = (Axis::linear("epoch", ""), Axis::linear("accuracy", "%"));
        let series = vec![Series::new("baseline", curve.clone())];
        out.measured_chart("Accuracy of the baseline on 360 validation digits", x, y, series);
    })?;
    let mut profiler = Profiler::default();
    (profiler.timer.warmup, profiler.timer.runs) = (1, 5);
    profiler.sequential(&dense, &sets.test.0);
    profiler.report("The baseline, layer by layer, 360 digits at once", out);
    let sparse = prune(&dense, &sets, out)?;
    let ((int8_bytes, int8), (bytes, all)) = (stored(&dense)?, stored(&sparse)?);
    let fits = |hidden: &usize| wide_file(&network(&[64, *hidden, 10])) <= bytes;
    let hidden = (1..LARGE[1]).rfind(fits).unwrap_or(1);
    let small = train(network(&[64, hidden, 10]), Adam::new(0.01), 28, &sets, |_| ())?;

    // Every choice is made: now the test set is looked at.
    let Sets { calibration: (calibration, _), test, .. } = &sets;
    let contestants = [
        reader("baseline", wide_file(&dense), false, test, || deployed(&dense)),
        reader("int8", int8_bytes, false, test, || quantize_model(&int8, calibration)),
        reader("pruning", wide_file(&sparse), false, test, || deployed(&sparse)),
        reader("kernels", wide_file(&dense), true, test, || deployed(&dense)),
        reader("all together", bytes, true, test, || quantize_model(&all, calibration)),
        reader("small from the start, kernels", wide_file(&small), true, test, || deployed(&small)),
    ];
    let n = test.1.numel();
    let shown = |accuracy| Value::accuracy(accuracy, n);
    let event = Event { title: "Reading 360 digits", quality: ("accuracy [%]", &shown), pairs: 21 };
    let found = event.measure(&contestants, out);
    let (baseline, all, small) = (&found[0], &found[4], &found[5]);

    let name = "accuracy of the baseline on held-out digits";
    out.aimed(name, 100.0 * baseline.quality, "%", Target::AtLeast(80.0));
    let name = "file for the digits, all together, of the baseline's";
    out.aimed(name, 100.0 * all.bytes / baseline.bytes, "%", Target::AtMost(25.0));
    let name = "accuracy lost, all together, beyond its sample error";
    out.aimed(name, points_lost(baseline.quality, all.quality, n), "points", Target::AtMost(2.0));
    let name = "speed-up on the digits, all together, low end";
    out.aimed(name, all.speed.low, "x", Target::AtLeast(1.0 + THRESHOLD));
    out.insight(itself_insight(event.title, baseline.speed));
    out.insight(together_insight(event.title, baseline, all));
    out.insight(accuracy_insight(baseline.quality, all.quality, n));
    out.insight(promise_insight(&found[1..4], all));
    out.insight(control_insight(small, all, n));
    Ok(())
}

fn percent(accuracy: f64) -> Value {
    (100.0 * accuracy).into()
}

fn network(sizes: &[usize]) -> Sequential {
    multilayer_perceptron(sizes, &mut Rng::seeded(1))
}

/// Trains a network on the training digits; `watch` sees the accuracy on the validation digits after each epoch.
fn train(
    network: Sequential,
    optimizer: impl Optimizer + 'static,
    epochs: usize,
    sets: &Sets,
    mut watch: impl FnMut(f64),
) -> Result<Sequential, Failure> {
    let loader = DataLoader::new(sets.train.clone(), 32)?.shuffled(1);
    let schedule = falling_rate(optimizer.learning_rate(), epochs);
    let mut trainer = Trainer::new(network, optimizer, CrossEntropyLoss).with_schedule(schedule);
    for epoch in 0..epochs {
        trainer.train_epoch(loader.epoch(epoch))?;
        watch(accuracy(&*trainer.model, &sets.validation));
    }
    let model = (trainer.model as Box<dyn Any>).downcast::<Sequential>();
    model.map(|model| *model).map_err(|_| "the trainer's model is not the network".into())
}

/// The sparsest of several networks that were pruned while training, of those that lose at most [`ALLOWED`] on the
/// validation digits.
fn prune(dense: &Sequential, sets: &Sets, out: &mut Reporter) -> Result<Sequential, Failure> {
    const EPOCHS: usize = 6;
    let (whole, mut rows) = (accuracy(dense, &sets.validation), vec![]);
    let steps = EPOCHS * sets.train.inputs().shape()[0].div_ceil(32) / 2;
    let mut found = deployed(dense);
    for sparsity in [0.95, 0.9, 0.8, 0.5] {
        let optimizer = MagnitudePruner::new(sparsity).while_training(Adam::new(0.003), steps);
        found = train(deployed(dense), optimizer, EPOCHS, sets, |_| ())?;
        let right = accuracy(&found, &sets.validation);
        rows.push(vec![format!("{sparsity}").into(), percent(right)]);
        let list = columns("sparsity, accuracy on 360 validation digits [%]");
        out.measured_table(
            "Pruning, the sparsest first, until little is lost",
            &list,
            rows.clone(),
        );
        if right >= whole - ALLOWED {
            break;
        }
    }
    Ok(found)
}

/// The bytes of a network's file of 8 bits for each weight, without its zeros, and the network that the file holds.
fn stored(model: &Sequential) -> Result<(usize, Sequential), Failure> {
    let (file, mut read) = (encode_model(model)?, network(&LARGE));
    decode_model("the digits", &file, &mut read)?;
    Ok((file.len(), read))
}

/// A network as a device would have it, in memory of its own: a layer that is mostly zeros is sparse.
fn deployed(model: &Sequential) -> Sequential {
    let own = |layer: &dyn Layer| -> Box<dyn Layer> {
        match (layer as &dyn Any).downcast_ref::<Linear>() {
            Some(linear) if measure_sparsity(linear) > 0.5 => {
                Box::new(SparseLinear::from_linear(linear).clone()) // Without spare capacity.
            }
            Some(linear) => Box::new(own_memory(linear.clone())),
            None => Box::new(ReLU),
        }
    };
    Sequential::new(model.layers().iter().map(|layer| own(layer.as_ref())).collect())
}

/// A network for the digits; `build` makes it in memory of its own.
fn reader<'a>(
    name: &str,
    bytes: usize,
    is_fast: bool,
    test: &'a (Tensor, Tensor),
    build: impl Fn() -> Sequential + 'a,
) -> Contestant<'a> {
    let quality = on(is_fast, || accuracy(&build(), test));
    let load = move || -> Work<'a> {
        let model = build();
        Box::new(move || {
            for _ in 0..READINGS {
                black_box(on(is_fast, || no_grad(|| model.forward(&test.0))));
            }
        })
    };
    Contestant { name: name.into(), bytes, quality, load: Box::new(load) }
}

fn continue_text(out: &mut Reporter) -> Result<(), Failure> {
    let study = Study::trained(2, out)?;
    let judge = |model: &Gpt, set: &[_]| f64::from(perplexity(on(true, || mean_loss(model, set))));
    let guard = Guard { start: judge(&study.model, &study.validation), allowed: GUARD };
    let (end, sparsity) = guarded(&study, &guard, |model| judge(model, &study.validation), out);
    let small = |model: &Gpt| Ok::<_, Failure>(encode_model(model)?.len());
    let (wide, all) = (wide_file(&study.model), small(&end)?);
    let (int8, sparse) = (rounded(&study.model), pruned(&study.model, sparsity));
    let writer = |name, bytes, (is_cached, is_fast), model| {
        let writer = Writer { model, prompt: &study.prompt, is_cached, is_fast };
        writer.contestant(name, bytes, judge(model, &study.test))
    };
    let contestants = [
        writer("baseline", wide, (false, false), &study.model)?,
        writer("KV cache", wide, (true, false), &study.model)?,
        writer("int8", small(&int8)?, (false, false), &int8)?,
        writer("pruning", wide_file(&sparse), (false, false), &sparse)?,
        writer("kernels", wide, (false, true), &study.model)?,
        writer("all together", all, (true, true), &end)?,
    ];
    let title = "Continuing a question by 32 tokens";
    let event = Event { title, quality: ("perplexity", &Value::from), pairs: 7 };
    let found = event.measure(&contestants, out);
    let (baseline, all) = (&found[0], &found[5]);

    out.measured(
        "file for the text, all together, of the baseline's",
        100.0 * all.bytes / baseline.bytes,
        "%",
    );
    let name = "perplexity on held-out text, all together, of the baseline's";
    out.aimed(name, all.quality / baseline.quality, "x", Target::AtMost(1.0 + 2.0 * GUARD));
    let name = "speed-up on the text, all together, low end";
    out.aimed(name, all.speed.low, "x", Target::AtLeast(1.0 + THRESHOLD));
    out.insight(itself_insight(event.title, baseline.speed));
    out.insight(together_insight(event.title, baseline, all));
    out.insight(perplexity_insight([baseline.quality, all.quality]));
    out.insight(promise_insight(&found[1..5], all));
    Ok(())
}

/// Takes the GPT through 8 bits and pruning, each step under the guard; returns what is left, and the sparsity.
fn guarded(
    study: &Study,
    guard: &Guard,
    judge: impl Fn(&Gpt) -> f64,
    out: &mut Reporter,
) -> (Gpt, f32) {
    let small = rounded(&study.model);
    let candidates = [0.1, 0.2, 0.3, 0.4, 0.5].map(|sparsity| {
        let validation = judge(&pruned(&small, sparsity));
        Candidate { sparsity, validation, test: f64::NAN }
    });
    let sparsity = choose(&candidates, guard).map_or(0.0, |candidate| candidate.sparsity);
    let steps = [
        Step { name: "int8".into(), apply: Box::new(rounded) },
        Step {
            name: format!("pruning by {sparsity}"),
            apply: Box::new(move |model| pruned(model, sparsity)),
        },
    ];
    let (end, records) = run_pipeline(study.model.clone(), &steps, guard, judge);
    let row = |record: &StepRecord| -> Vec<Value> {
        let verdict = if record.kept { "kept" } else { "rolled back" };
        vec![record.name.as_str().into(), record.perplexity.into(), verdict.into()]
    };
    let list = columns("step, validation perplexity, verdict");
    out.measured_table("The GPT, step by step", &list, records.iter().map(row).collect());
    (end, sparsity)
}

/// A GPT that continues a question greedily.
#[derive(Clone, Copy)]
struct Writer<'a> {
    model: &'a Gpt,
    prompt: &'a [Id],
    is_cached: bool,
    is_fast: bool,
}

impl<'a> Writer<'a> {
    fn contestant(self, name: &str, bytes: usize, quality: f64) -> Result<Contestant<'a>, Failure> {
        self.write(self.model)?; // An error shows here; later runs are the same.
        let load = move || -> Work<'a> {
            let model = own_memory(self.model.clone());
            Box::new(move || drop(black_box(self.write(&model))))
        };
        Ok(Contestant { name: name.into(), bytes, quality, load: Box::new(load) })
    }

    fn write(&self, model: &Gpt) -> Result<Vec<Id>, GenerateError> {
        let (greedy, rng) = (Sampler::default().temperature(0.0), &mut Rng::seeded(0));
        on(self.is_fast, || match self.is_cached {
            true => {
                let mut cached = enable_kv_cache(model);
                generate_cached(&mut cached, self.prompt, NEW_TOKENS, &greedy, rng, |_| ())
            }
            false => generate(model, self.prompt, NEW_TOKENS, &greedy, rng, |_| ()),
        })
    }
}

/// By how many points an accuracy on `n` samples fell, beyond one standard error of the difference.
pub fn points_lost(before: f64, after: f64, n: usize) -> f64 {
    100.0 * (before - after - sample_error(before, n).hypot(sample_error(after, n)))
}

/// What the baseline beside itself says: how far the figures of this run can be trusted.
pub fn itself_insight(event: &str, Interval { low, estimate, high }: Interval) -> String {
    let finding = match low <= 1.0 && high >= 1.0 {
        true if high <= 1.25 * low => "as it must be, and the others are about as certain",
        true => {
            "so the machine was busy, and the others are as uncertain: run it again when it is quiet"
        }
        false => "which cannot be: something disturbed the runs, so run it again",
    };
    format!(
        "{event}: beside itself the baseline is {estimate:.2} times as fast ({low:.2} to {high:.2}), {finding}."
    )
}

/// What all techniques together do to the file and to the speed.
pub fn together_insight(event: &str, baseline: &Measured, all: &Measured) -> String {
    let share = 100.0 * all.bytes / baseline.bytes;
    let Interval { low, estimate, high } = all.speed;
    let spread = format!("{estimate:.2} times as fast ({low:.2} to {high:.2})");
    let speed = match verdict(all.speed, THRESHOLD) {
        Verdict::Faster => format!("it is {spread}"),
        Verdict::Slower => format!("it is slower, {spread}"),
        Verdict::TooSmall => format!("its speed differs by less than 5 %, {spread}"),
        Verdict::Unclear => format!("there is no clear difference in speed, {spread}"),
    };
    format!(
        "{event}, all together: the file has {share:.1} % of the baseline's bytes, and {speed}."
    )
}

/// What the accuracies of the baseline and of all techniques together say, on the same `n` samples.
pub fn accuracy_insight(baseline: f64, all: f64, n: usize) -> String {
    let shown = |accuracy: f64| {
        format!("{:.1} % +- {:.1}", 100.0 * accuracy, 100.0 * sample_error(accuracy, n))
    };
    let finding = match compare_accuracies(all, baseline, n) {
        Reading::Smaller => "fewer digits are read: the bytes and the time cost quality",
        Reading::Larger => "more digits are read, which no technique promises",
        Reading::NoClearDifference | Reading::TooNoisy => "there is no clear difference",
    };
    format!(
        "The baseline reads {} of the held-out digits, all together {} (+- one sample error): {finding}.",
        shown(baseline),
        shown(all)
    )
}

/// What became of the perplexity on held-out text, before and after. Two percent are no difference.
pub fn perplexity_insight([before, after]: [f64; 2]) -> String {
    let finding = match after / before {
        ratio if ratio > 1.02 => format!("{:.0} % higher", 100.0 * (ratio - 1.0)),
        ratio if ratio < 0.98 => format!("{:.0} % lower", 100.0 * (1.0 - ratio)),
        ratio if ratio.is_nan() => "not a number: the model is broken".to_owned(),
        _ => "the same within 2 %".to_owned(),
    };
    format!(
        "The perplexity on held-out text is {before:.2} before and {after:.2} after: {finding}."
    )
}

/// What is left of the promises that each technique made alone, when all of them run together.
pub fn promise_insight(alone: &[Measured], all: &Measured) -> String {
    let factors: Vec<f64> = alone.iter().map(|one| one.speed.estimate).collect();
    let parts: Vec<String> =
        alone.iter().map(|one| format!("{} {:.2}", one.name, one.speed.estimate)).collect();
    let (product, together) = (factors.iter().product::<f64>(), all.speed.estimate);
    let finding = match overlap(&factors, together) {
        left if left < 1.0 / 1.25 => "that is less: they save partly the same time",
        left if left > 1.25 => "that is more: each makes the others worth more",
        left if left.is_nan() => "a run took no time that the clock can see",
        _ => "that is about as promised",
    };
    format!(
        "Times as fast, alone: {}; multiplied {product:.2}. Together {together:.2}: {finding}.",
        parts.join(", ")
    )
}

/// What all techniques together are worth beside a network that was small from the start, in a file of the same size,
/// each tested on the same `n` samples.
pub fn control_insight(small: &Measured, all: &Measured, n: usize) -> String {
    let finding = match compare_accuracies(all.quality, small.quality, n) {
        Reading::Larger => "compressing the large one was worth it",
        Reading::Smaller => "training the small one would have been better",
        Reading::NoClearDifference | Reading::TooNoisy => {
            "there is no clear difference, so this task did not need the large one"
        }
    };
    format!(
        "A network that was small from the start, in a file of the same size, reads {:.1} %, the compressed one \
         {:.1} %: {finding}.",
        100.0 * small.quality,
        100.0 * all.quality
    )
}

/// Runs on standard output: `cargo run --release -p tinytorch --example 2018_olympics`.
pub fn main() {
    milestone(&mut Reporter::stdout());
}
