//! 1986: Rumelhart, Hinton and Williams train hidden layers with backpropagation. Five networks of
//! 64-32-10 learn real handwritten digits in 20 epochs and are tested on 360 held-out ones. Backpropagation and
//! hidden units are of 1986; ReLU (2010), Adam (2014), the cosine schedule (2016) and the validation set are today's.
//! Uses modules 01 to 08. Not here: a network that knows which pixels are neighbours (1998).

use std::time::Instant;
use tinytorch::activations::ReLU;
use tinytorch::dataloader::{DataError, DataLoader, DigitShape, Split, TensorDataset, digits};
use tinytorch::layers::{Linear, Sequential};
use tinytorch::losses::CrossEntropyLoss;
use tinytorch::optimizers::Adam;
use tinytorch::random::Rng;
use tinytorch::report::{
    Axis, Chart, ChartKind, Column, Metric, Origin, Picture, Reporter, Series, Table, Target, Value,
};
use tinytorch::tensor::Tensor;
use tinytorch::testing::sample_error;
use tinytorch::training::{CosineSchedule, Trainer, TrainingError};

const SEEDS: [u64; 5] = [1, 2, 3, 4, 5];
const RATES: [f32; 4] = [0.003, 0.01, 0.03, 0.1];
const EPOCHS: usize = 20;

/// The three sets: 1,077 digits to train on, 360 to choose the learning rate with, 360 to look at once, at the end.
struct Sets {
    train: DataLoader,
    validation: [(Tensor, Tensor); 1],
    test: [(Tensor, Tensor); 1],
}

impl Sets {
    fn load() -> Result<Self, DataError> {
        let Split { train, test } = digits(DigitShape::Flat)?;
        let (train, validation) = train.hold_out(4, 0)?;
        let whole = |part: &TensorDataset| [(part.inputs().clone(), part.targets().clone())];
        let (validation, test) = (whole(&validation), whole(&test));
        Ok(Self { train: DataLoader::new(train, 32)?, validation, test })
    }
}

/// One training run with its figures.
struct Run {
    trainer: Trainer,
    /// Accuracy on the validation set after each epoch, in percent.
    curve: Vec<(f64, f64)>,
    /// Loss on the validation set after the last epoch.
    loss: f64,
    /// Of all epochs, without the evaluations.
    seconds: f64,
}

/// Trains a network; its learning rate falls from `rate` to a hundredth of it, by a cosine schedule.
fn train(net: Sequential, rate: f32, seed: u64, sets: &Sets) -> Result<Run, TrainingError> {
    let schedule = CosineSchedule { max_rate: rate, min_rate: rate / 100.0, epochs: EPOCHS };
    let trainer = Trainer::new(net, Adam::new(rate), CrossEntropyLoss);
    let mut run =
        Run { trainer: trainer.with_schedule(schedule), curve: vec![], loss: 0.0, seconds: 0.0 };
    let loader = sets.train.clone().shuffled(seed);
    for epoch in 0..EPOCHS {
        let start = Instant::now();
        run.trainer.train_epoch(loader.epoch(epoch))?;
        run.seconds += start.elapsed().as_secs_f64();
        let (loss, accuracy) = run.trainer.evaluate(&sets.validation)?;
        run.loss = f64::from(loss);
        run.curve.push(((epoch + 1) as f64, f64::from(accuracy.unwrap_or(0.0)) * 100.0));
    }
    Ok(run)
}

fn network(seed: u64) -> Sequential {
    let rng = &mut Rng::seeded(seed);
    Sequential::new(vec![
        Box::new(Linear::new(64, 32, rng)),
        Box::new(ReLU),
        Box::new(Linear::new(32, 10, rng)),
    ])
}

/// The learning rate with the lowest validation loss after 20 epochs, first seed.
fn best_rate(sets: &Sets, out: &mut Reporter) -> Result<f32, TrainingError> {
    let (mut rows, mut best) = (vec![], (f64::INFINITY, RATES[0]));
    for rate in RATES {
        let loss = train(network(SEEDS[0]), rate, SEEDS[0], sets)?.loss;
        rows.push(vec![format!("{rate}").into(), loss.into()]);
        if loss < best.0 {
            best = (loss, rate);
        }
        out.progress("learning rates tried", rows.len() as u64, RATES.len() as u64);
    }
    out.table(Table {
        title: "Search for the learning rate, first seed".into(),
        columns: vec![Column::plain("learning rate"), Column::plain("validation loss")],
        rows,
        origin: Origin::Measured,
    });
    Ok(best.1)
}

/// Trains five networks on the digits and reports their accuracy.
pub fn milestone(out: &mut Reporter) {
    if let Err(error) = run(out) {
        out.note(format!("The milestone could not be completed: {error}"));
    }
}

fn run(out: &mut Reporter) -> Result<(), Box<dyn std::error::Error>> {
    let sets = Sets::load()?;
    let rate = best_rate(&sets, out)?;
    let (mut curves, mut runs) = (vec![], vec![]);
    for seed in SEEDS {
        let run = train(network(seed), rate, seed, &sets)?;
        curves.push(Series::new(format!("seed {seed}"), run.curve.clone()));
        runs.push(run);
        out.progress("seeds trained", runs.len() as u64, SEEDS.len() as u64);
        out.chart(learning_curves(&curves));
    }
    // Every choice is made: now the test set is looked at, once for each network.
    let mut tested = vec![];
    for run in &mut runs {
        tested.push(f64::from(run.trainer.evaluate(&sets.test)?.1.unwrap_or(0.0)) * 100.0);
    }
    let row = |((seed, run), test): ((u64, &Run), &f64)| -> Vec<Value> {
        let validation = run.curve.last().map_or(0.0, |(_, accuracy)| *accuracy);
        vec![format!("{seed}").into(), validation.into(), (*test).into(), run.seconds.into()]
    };
    out.table(Table {
        title: "Five networks".into(),
        columns: vec![
            Column::plain("seed"),
            Column::with_unit("validation", "%"),
            Column::with_unit("test", "%"),
            Column::with_unit("training", "s"),
        ],
        rows: SEEDS.into_iter().zip(&runs).zip(&tested).map(row).collect(),
        origin: Origin::Measured,
    });
    let (images, classes) = &sets.test[0];
    let guesses = runs[0].trainer.model.forward(images).argmax_axis(1);
    out.table(confusion(&guesses, &classes.data()));
    misread(out, &guesses, images, &classes.data());
    let accuracy = median(tested);
    let seconds = median(runs.iter().map(|run| run.seconds).collect());
    let metric = |name: &str, value, unit: &str, target| Metric {
        name: name.into(),
        value,
        unit: unit.into(),
        target: Some(target),
        origin: Origin::Measured,
    };
    let name = "accuracy on held-out digits, median of five seeds";
    out.metric(metric(name, accuracy, "%", Target::AtLeast(95.0)));
    let name = "training time of 20 epochs, median of five seeds";
    out.metric(metric(name, seconds, "s", Target::AtMost(0.5)));
    out.insight(accuracy_insight(accuracy / 100.0, classes.numel()));
    Ok(())
}

/// What an accuracy on `n` test digits says.
pub fn accuracy_insight(accuracy: f64, n: usize) -> String {
    let (percent, error) = (accuracy * 100.0, sample_error(accuracy, n) * 100.0);
    let figure = format!("{percent:.1} % of {n} test digits, +- {error:.1} (one standard error)");
    // Guessing is right once in ten.
    if accuracy > 0.1 + 2.0 * sample_error(0.1, n) {
        format!(
            "{figure}, on digits that no choice was made with. No one designed the 32 hidden units: backpropagation \
             made each respond to a pattern of its own."
        )
    } else {
        format!(
            "{figure}: not clearly better than guessing. The hidden units have learned nothing yet."
        )
    }
}

fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}

fn learning_curves(curves: &[Series]) -> Chart {
    Chart {
        title: "Accuracy on the validation set".into(),
        kind: ChartKind::Line,
        x: Axis::linear("epoch", ""),
        y: Axis::linear("accuracy", "%"),
        series: curves.to_vec(),
        origin: Origin::Measured,
    }
}

/// How often the first network read each digit (row) as each digit (column): a confusion matrix.
fn confusion(guesses: &[usize], classes: &[f32]) -> Table {
    let mut counts = [[0_usize; 10]; 10];
    for (&guess, &class) in guesses.iter().zip(classes) {
        counts[class as usize][guess] += 1;
    }
    let heads = (0..10).map(|digit| Column::plain(format!("read {digit}")));
    let row = |(digit, row): (usize, &[usize; 10])| -> Vec<Value> {
        let counts = row.iter().map(|&count| Value::from(count));
        std::iter::once(Value::from(digit)).chain(counts).collect()
    };
    Table {
        title: "Confusion matrix, first seed".into(),
        columns: std::iter::once(Column::plain("digit")).chain(heads).collect(),
        rows: counts.iter().enumerate().map(row).collect(),
        origin: Origin::Measured,
    }
}

/// The first three digits that the first network misread.
fn misread(out: &mut Reporter, guesses: &[usize], images: &Tensor, classes: &[f32]) {
    let images = images.data();
    let samples = images.chunks_exact(64).zip(guesses).zip(classes);
    let wrong = samples.filter(|((_, guess), class)| **guess as f32 != **class);
    for (number, ((image, guess), class)) in wrong.take(3).enumerate() {
        let title = format!("misread {}: a {class}, read as {guess}", number + 1);
        out.picture(Picture { title, width: 8, pixels: image.to_vec() });
    }
}

/// Runs on standard output: `cargo run --release -p tinytorch --example 1986_mlp`.
pub fn main() {
    milestone(&mut Reporter::stdout());
}
