//! TinyMLPerf: trains the baseline of an event on this engine, measures it in turn with an entry, and counts what both
//! are made of. Input: an event, and the function that makes the entry. Output: the pairs of times, the quality, and
//! the counts. Uses modules 01 to 19. Not here: the score. Whoever reads the output computes it, so that no entry can
//! report its own.

use std::any::Any;
use std::error::Error;
use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::Instant;
use tinytorch::activations::ReLU;
use tinytorch::autograd::no_grad;
use tinytorch::backend::{Backend, Kernels, Matrix, Norm, with_backend};
use tinytorch::benchmarking::{Entry, Event, Evidence, Pair, Plain, Start, measure_pairs};
use tinytorch::compression::SparseLinear;
use tinytorch::data::dialogue::{self, Split};
use tinytorch::dataloader::{DataLoader, DigitShape, digits};
use tinytorch::embeddings::ids_tensor;
use tinytorch::layers::{Layer, Linear, Sequential};
use tinytorch::losses::{CrossEntropyLoss, IGNORED, Loss};
use tinytorch::operations::Elementwise;
use tinytorch::optimizers::{Adam, AdamW};
use tinytorch::planes::Grid;
use tinytorch::quantization::{Scheme, bytes_of, levels, product_of, quantize_along};
use tinytorch::random::Rng;
use tinytorch::report::{Reporter, Value};
use tinytorch::spatial::cnn_for_digits;
use tinytorch::tensor::Tensor;
use tinytorch::tokenization::{BpeTokenizer, Id, Tokenizer, training_text};
use tinytorch::training::{CosineSchedule, Trainer};
use tinytorch::transformers::{Gpt, GptConfig, next_token_batches, perplexity};

/// How an entry is made of what the event gives to it.
pub type Constructor = fn(Start) -> Box<dyn Entry>;

/// Pairs of runs that do not count, and pairs that do.
const WARM_UP: usize = 2;
const PAIRS: usize = 25;
/// So many tokens are generated in each run of the decathlon, with prompts that leave room for them in the context.
const NEW_TOKENS: usize = 24;
const CONTEXT: usize = 64;

/// Runs an event with an entry. If it cannot be completed, a note says why, and no pairs are reported.
pub fn run(event: Event, entry: Constructor, out: &mut Reporter) {
    if let Err(error) = try_run(event, entry, out) {
        out.note(format!("{} could not be completed: {error}", event.id()));
    }
}

/// What both sides have to do.
pub enum Work {
    /// Read images of these classes.
    Read { images: Tensor, classes: Vec<f32> },
    /// Continue a prompt, and score held-out texts. The judge is a copy of the baseline that no entry can reach.
    Write { prompt: Vec<Id>, held_out: Vec<(Tensor, Tensor)>, judge: Box<Gpt> },
}

/// Why an event has no result.
pub type Failure = Box<dyn Error>;

const STEPS: &str = "baseline trained, entry made, measured";

fn try_run(event: Event, entry: Constructor, out: &mut Reporter) -> Result<(), Failure> {
    out.progress(STEPS, 0, 3);
    let (mut baseline, start, work) = match event {
        Event::MlpSprint => digit_event(DigitShape::Flat, mlp)?,
        Event::CnnMarathon => digit_event(DigitShape::Image, cnn_for_digits)?,
        Event::TransformerDecathlon => text_event()?,
    };
    out.progress(STEPS, 1, 3);
    let mut entry = entry(start);
    out.progress(STEPS, 2, 3);
    work.measure(&mut *baseline, &mut *entry, out)
}

fn report_counts([baseline, entry]: &[Evidence; 2], out: &mut Reporter) {
    let row = |name: &str, of: fn(&Evidence) -> Value| vec![name.into(), of(baseline), of(entry)];
    let rows = vec![
        row("parameters", |counted| counted.parameters.into()),
        row("zeros among them", |counted| counted.zeros.into()),
        row("numbers that are stored", |counted| counted.stored().into()),
        row("bytes of the weights", |counted| counted.bytes.into()),
        row("positions for each new token", |counted| counted.positions.into()),
        row("backend", |counted| counted.backend.as_str().into()),
    ];
    out.measured_table("What was counted", &[("", ""), ("baseline", ""), ("entry", "")], rows);
}

impl Work {
    /// Measures the quality of both sides, counts what they are made of, and times them in turn.
    ///
    /// # Errors
    /// When an entry does not do its work.
    pub fn measure(
        &self,
        baseline: &mut dyn Entry,
        entry: &mut dyn Entry,
        out: &mut Reporter,
    ) -> Result<(), Failure> {
        out.text("Entry", entry.name());
        let unit = if matches!(self, Self::Read { .. }) { "%" } else { "" };
        out.measured("quality of the baseline", self.quality(baseline)?, unit);
        out.measured("quality of the entry", self.quality(entry)?, unit);
        let rounding = Rounding::of(baseline.model());
        let counted = [self.evidence(baseline, &rounding)?, self.evidence(entry, &rounding)?];
        report_counts(&counted, out);
        // A run that fails has no time: who reads the pairs refuses it.
        let pairs = measure_pairs(
            WARM_UP,
            PAIRS,
            || self.seconds(baseline).unwrap_or(f64::NAN),
            || self.seconds(entry).unwrap_or(f64::NAN),
        );
        let row = |Pair { baseline, entry }: &Pair| vec![(*baseline).into(), (*entry).into()];
        let columns = [("baseline", "s"), ("entry", "s")];
        out.measured_table("Pairs of runs", &columns, pairs.iter().map(row).collect());
        Ok(())
    }

    /// Does the work once, on the entry's backend; returns the scores, and the new tokens.
    fn results(&self, entry: &mut dyn Entry) -> Result<(Tensor, Vec<Id>), Failure> {
        on(entry.backend(), || self.results_here(entry))
    }

    fn results_here(&self, entry: &mut dyn Entry) -> Result<(Tensor, Vec<Id>), Failure> {
        match self {
            Self::Read { images, .. } => Ok((entry.logits(images), vec![])),
            Self::Write { prompt, held_out, .. } => {
                let tokens = entry.generate(prompt, NEW_TOKENS)?;
                Ok((entry.logits(&held_out[0].0), tokens))
            }
        }
    }

    fn seconds(&self, entry: &mut dyn Entry) -> Result<f64, Failure> {
        let start = Instant::now();
        black_box(self.results(entry)?);
        Ok(start.elapsed().as_secs_f64())
    }

    /// The accuracy on the test digits in percent; or the larger of two perplexities, that of the entry on held-out texts
    /// and that of the judge on what the entry wrote: so neither good scores nor quick nonsense are enough alone.
    fn quality(&self, entry: &mut dyn Entry) -> Result<f64, Failure> {
        let (scores, tokens) = self.results(entry)?;
        match self {
            Self::Read { classes, .. } => {
                shape_is(&scores, &[classes.len(), 10])?;
                let guesses = scores.argmax_axis(1).into_iter().zip(classes);
                let right = guesses.filter(|(guess, class)| *guess as f32 == **class).count();
                Ok(100.0 * right as f64 / classes.len() as f64)
            }
            Self::Write { prompt, held_out, judge } => {
                if tokens.len() != NEW_TOKENS {
                    let found = tokens.len();
                    return Err(format!("{found} new tokens, not {NEW_TOKENS}").into());
                }
                let all = [prompt.as_slice(), &tokens].concat();
                let first = prompt.len() - 1;
                let targets: Vec<f32> = all[1..].iter().map(|&id| id as f32).collect();
                let written = no_grad(|| {
                    Layer::forward(
                        &**judge,
                        &ids_tensor(&all[..all.len() - 1], &[1, all.len() - 1]),
                    )
                });
                let written = written.slice(&[first..targets.len(), 0..judge.config.vocab_size]);
                let wanted = Tensor::new(&targets[first..], &[NEW_TOKENS]);
                let of_tokens = CrossEntropyLoss.forward(&written, &wanted).item();
                Ok(f64::from(perplexity(of_tokens.max(held_out_loss(entry, held_out, judge)?))))
            }
        }
    }

    /// What is counted in a model and in its run.
    fn evidence(&self, entry: &mut dyn Entry, rounding: &Rounding) -> Result<Evidence, Failure> {
        let counted_weights = weights(entry.model(), rounding);
        let counter = Arc::new(Counter { inner: entry.backend(), ..Counter::default() });
        let counted = || counter.operations.swap(0, Relaxed) as f64;
        on(Some(counter.clone()), || self.results_here(entry))?;
        let mut positions = 0.0;
        if let Self::Write { prompt, .. } = self {
            counted();
            on(Some(counter.clone()), || entry.generate(prompt, NEW_TOKENS))?;
            let all = counted();
            let ids = Tensor::zeros(&[1, prompt.len() + NEW_TOKENS]);
            on(Some(counter.clone()), || no_grad(|| entry.model().forward(&ids)));
            positions = all * ids.numel() as f64 / counted() / NEW_TOKENS as f64;
            if positions.is_nan() || positions < 0.5 {
                return Err("its products do not pass the judge's counter: offer your backend in \
                            `Entry::backend`, and do not call `with_backend`"
                    .into());
            }
        }
        let backend = if counter.answered.load(Relaxed) { counter.name() } else { PLAIN.into() };
        Ok(Evidence { positions, backend, ..counted_weights })
    }
}

/// Runs `work` on a backend, if there is one.
fn on<T>(backend: Option<Arc<dyn Backend>>, work: impl FnOnce() -> T) -> T {
    match backend {
        Some(backend) => with_backend(backend, work),
        None => work(),
    }
}

/// The name of the engine's own loops among backends.
const PLAIN: &str = "plain loops";

/// Passes everything on to a backend, or computes plainly, and counts the multiplications of matrix products.
#[derive(Default)]
struct Counter {
    inner: Option<Arc<dyn Backend>>,
    operations: AtomicU64,
    /// Whether the inner backend computed anything.
    answered: AtomicBool,
}

impl Counter {
    fn note<T>(&self, answer: T, is_answer: fn(&T) -> bool) -> T {
        self.answered.fetch_or(is_answer(&answer), Relaxed);
        answer
    }
}

impl Backend for Counter {
    fn name(&self) -> String {
        self.inner.as_ref().map_or_else(|| PLAIN.into(), |inner| inner.name())
    }

    fn matmul(&self, a: Matrix<'_>, b: Matrix<'_>, out: &mut [f32]) -> bool {
        self.operations.fetch_add((a.rows * a.columns * b.columns) as u64, Relaxed);
        if let Some(inner) = &self.inner
            && self.note(inner.matmul(a, b, out), |done| *done)
        {
            return true;
        }
        // What is not offered would be left out for the other matrices of a stack: so it is computed here.
        for (i, out) in out.chunks_exact_mut(b.columns).enumerate() {
            for (j, out) in out.iter_mut().enumerate() {
                *out += (0..a.columns).map(|k| a.at(i, k) * b.at(k, j)).sum::<f32>();
            }
        }
        true
    }

    fn map(&self, function: Elementwise, x: &[f32]) -> Option<Vec<f32>> {
        self.note(self.inner.as_ref()?.map(function, x), Option::is_some)
    }

    fn softmax(&self, rows: &mut [f32], width: usize, hidden: f32) -> bool {
        self.inner
            .as_ref()
            .is_some_and(|inner| self.note(inner.softmax(rows, width, hidden), |done| *done))
    }

    fn normalize(&self, norm: Norm<'_>, rows: &[f32]) -> Option<Vec<f32>> {
        self.note(self.inner.as_ref()?.normalize(norm, rows), Option::is_some)
    }

    fn convolve(&self, grid: &Grid, images: &[f32], kernels: Kernels<'_>, out: &mut [f32]) -> bool {
        self.inner.as_ref().is_some_and(|inner| {
            self.note(inner.convolve(grid, images, kernels, out), |done| *done)
        })
    }
}

/// The numbers that a model has learned, how many of them are 0, how many are stored, and in how many bytes.
fn weights(model: &dyn Layer, rounding: &Rounding) -> Evidence {
    let of = |parameters, zeros, stored, bytes| Evidence {
        parameters,
        zeros,
        stored: Some(stored),
        bytes,
        ..Evidence::default()
    };
    if let Some(parts) = (model as &dyn Any).downcast_ref::<Sequential>() {
        let counts = parts.layers().iter().map(|layer| weights(&**layer, rounding));
        return counts.fold(of(0, 0, 0, 0), |a, b| {
            let stored = a.stored() + b.stored();
            of(a.parameters + b.parameters, a.zeros + b.zeros, stored, a.bytes + b.bytes)
        });
    }
    if let Some(sparse) = (model as &dyn Any).downcast_ref::<SparseLinear>() {
        let SparseLinear { inputs, starts, columns, values, .. } = sparse;
        let dense = inputs * (starts.len() - 1);
        let numbers = starts.len() + columns.len() + values.len();
        return of(dense, dense - values.len(), values.len(), 4 * numbers);
    }
    if let Some(product) = product_of(model) {
        let integers = product.weights.unpack();
        let zeros = rounding.zeros_beyond(&integers) + count_zeros(&product.bias);
        let count = integers.len() + product.bias.len();
        return of(count, zeros, count, bytes_of(model));
    }
    let tensors = model.parameters();
    let count = tensors.iter().map(|tensor| tensor.numel()).sum();
    let zeros = tensors.iter().map(|tensor| count_zeros(&tensor.data())).sum();
    of(count, zeros, count, tensors.iter().map(|tensor| tensor.nbytes()).sum())
}

fn count_zeros(numbers: &[f32]) -> usize {
    numbers.iter().filter(|x| **x == 0.0).count()
}

/// What rounding to so many bits makes 0 of the baseline's own weights: the largest share in any of its matrices. One
/// scale for a whole matrix makes more zeros than one for each output, so it is the limit for both.
struct Rounding(Vec<(u32, f64)>);

impl Rounding {
    fn of(baseline: &dyn Layer) -> Self {
        let parameters = baseline.parameters();
        let share = |bits| {
            let matrices = parameters.iter().filter(|tensor| tensor.ndim() > 1);
            let shares = matrices.map(|matrix| {
                let integers = quantize_along(matrix, None, Scheme::Symmetric, bits).values;
                let zeros = integers.iter().filter(|level| **level == 0).count();
                zeros as f64 / integers.len().max(1) as f64
            });
            (bits, shares.fold(0.0, f64::max))
        };
        Self((2..=8).map(share).collect())
    }

    /// The zeros among integers that rounding does not explain: those were 0 before.
    fn zeros_beyond(&self, integers: &[i8]) -> usize {
        let largest = integers.iter().map(|level| level.unsigned_abs()).max().unwrap_or(0);
        let fits =
            |(bits, _): &&(u32, f64)| i32::from(largest) <= levels(Scheme::Symmetric, *bits)[1];
        let explained = self.0.iter().find(fits).map_or(0.0, |(_, share)| *share);
        let zeros = integers.iter().filter(|level| **level == 0).count();
        zeros.saturating_sub((explained * integers.len() as f64).ceil() as usize)
    }
}

/// The mean loss of an entry on held-out texts.
fn held_out_loss(
    entry: &mut dyn Entry,
    held_out: &[(Tensor, Tensor)],
    judge: &Gpt,
) -> Result<f32, Failure> {
    let (mut total, mut count) = (0.0, 0.0);
    for (ids, wanted) in held_out {
        let scores = on(entry.backend(), || entry.logits(ids));
        shape_is(&scores, &[ids.numel(), judge.config.vocab_size])?;
        let counted = wanted.data().iter().filter(|&&target| target != IGNORED).count() as f32;
        total += no_grad(|| CrossEntropyLoss.forward(&scores, wanted)).item() * counted;
        count += counted;
    }
    Ok(total / count)
}

fn shape_is(scores: &Tensor, wanted: &[usize]) -> Result<(), Failure> {
    if scores.shape() == wanted {
        return Ok(());
    }
    Err(format!("the scores have the shape {:?}, not {wanted:?}", scores.shape()).into())
}

/// The network of the milestone of 1986.
fn mlp(rng: &mut Rng) -> Sequential {
    let (hidden, output) = (Linear::new(64, 32, rng), Linear::new(32, 10, rng));
    Sequential::new(vec![Box::new(hidden), Box::new(ReLU), Box::new(output)])
}

/// Trains a network on the training digits. The test digits are for the judge alone.
fn digit_event(
    shape: DigitShape,
    network: fn(&mut Rng) -> Sequential,
) -> Result<(Box<dyn Entry>, Start, Work), Failure> {
    const EPOCHS: usize = 15;
    const RATE: f32 = 0.01;
    let split = digits(shape)?;
    let schedule = CosineSchedule { max_rate: RATE, min_rate: RATE / 100.0, epochs: EPOCHS };
    let trainer = Trainer::new(network(&mut Rng::seeded(1)), Adam::new(RATE), CrossEntropyLoss);
    let mut trainer = trainer.with_schedule(schedule);
    let loader = DataLoader::new(split.train.clone(), 32)?.shuffled(1);
    for epoch in 0..EPOCHS {
        trainer.train_epoch(loader.epoch(epoch))?;
    }
    trainer.model.set_training(false);
    let copy = || -> Sequential {
        let mut copy = network(&mut Rng::seeded(1));
        for (to, from) in copy.parameters_mut().into_iter().zip(trainer.model.parameters()) {
            *to = from.detach();
        }
        copy.set_buffers(&mut trainer.model.buffers().into_iter());
        copy.set_training(false);
        copy
    };
    let calibration: Vec<usize> = (0..split.train.inputs().shape()[0]).step_by(8).collect();
    let start = Start::Digits(copy(), split.train.subset(&calibration)?.inputs().clone());
    let (images, classes) = (split.test.inputs().clone(), split.test.targets().to_vec());
    Ok((Box::new(Plain("baseline".into(), copy())), start, Work::Read { images, classes }))
}

/// Trains a small GPT on the training questions.
fn text_event() -> Result<(Box<dyn Entry>, Start, Work), Failure> {
    const EPOCHS: usize = 4;
    const RATE: f32 = 0.006;
    let tokenizer = BpeTokenizer::train(training_text().as_bytes(), 384)?;
    let ids = |split| -> Vec<Vec<Id>> {
        dialogue::pairs(split).map(|pair| tokenizer.encode(&format!("{pair}\n"))).collect()
    };
    let (train, rng) = (ids(Split::Train), &mut Rng::seeded(1));
    let vocab_size = tokenizer.vocab_size();
    let config = GptConfig { vocab_size, context: CONTEXT, dim: 32, layers: 2, heads: 4 };
    let trainer = Trainer::new(Gpt::new(config, rng), AdamW::new(RATE), CrossEntropyLoss);
    let schedule = CosineSchedule { max_rate: RATE, min_rate: RATE / 10.0, epochs: EPOCHS };
    let mut trainer = trainer.with_schedule(schedule).with_clipping(1.0);
    for _ in 0..EPOCHS {
        trainer.train_epoch(next_token_batches(&train, CONTEXT, 8, rng))?;
    }
    let gpt = Gpt::from_trainer(trainer)?;
    let calibration = next_token_batches(&train[..8], CONTEXT, 8, rng).swap_remove(0).0;
    let held_out = next_token_batches(&ids(Split::Test), CONTEXT, 8, &mut Rng::seeded(0));
    let prompt = tokenizer.encode("Q: What is the opposite of heavy?\nA:");
    let work = Work::Write { prompt, held_out, judge: Box::new(gpt.clone()) };
    let start = Start::Text(gpt.clone(), calibration);
    Ok((Box::new(Plain("baseline".into(), gpt)), start, work))
}
