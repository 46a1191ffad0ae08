//! 1998: LeCun, Bottou, Bengio and Haffner read cheques with a convolutional network. Five small ones learn real
//! handwritten digits, beside five networks of 1986 with the same data, search, schedule and number of epochs; both are
//! tested on 360 held-out digits. Shared weights and subsampling are of 1998; ReLU (2010), max pooling, Adam (2014), the
//! cosine schedule (2016) and He's initialization (2015) are today's. Uses modules 01 to 09. Not here: colour
//! photographs, which need more time than a lesson has.

use std::time::Instant;
use tinytorch::activations::ReLU;
use tinytorch::dataloader::{DataError, DataLoader, DigitShape, Split, TensorDataset, digits};
use tinytorch::layers::{Layer, Linear, Sequential};
use tinytorch::losses::CrossEntropyLoss;
use tinytorch::optimizers::Adam;
use tinytorch::random::Rng;
use tinytorch::report::{
    Axis, Chart, ChartKind, Column, Metric, Origin, Picture, Reporter, Series, Table, Target, Value,
};
use tinytorch::spatial::{Flatten, cnn_for_digits};
use tinytorch::tensor::Tensor;
use tinytorch::testing::{Reading, compare_accuracies, sample_error};
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
        let Split { train, test } = digits(DigitShape::Image)?;
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

/// What is compared.
#[derive(Clone, Copy)]
enum Network {
    /// 64-32-10, every unit connected with every unit of the next layer.
    Dense,
    /// Two convolutions and one dense layer.
    Convolutional,
}

impl Network {
    fn name(self) -> &'static str {
        match self {
            Self::Dense => "dense, 1986",
            Self::Convolutional => "convolutional, 1998",
        }
    }

    fn build(self, seed: u64) -> Sequential {
        let rng = &mut Rng::seeded(seed);
        match self {
            Self::Convolutional => cnn_for_digits(rng),
            Self::Dense => Sequential::new(vec![
                Box::new(Flatten),
                Box::new(Linear::new(64, 32, rng)),
                Box::new(ReLU),
                Box::new(Linear::new(32, 10, rng)),
            ]),
        }
    }

    fn parameters(self) -> usize {
        self.build(SEEDS[0]).parameters().iter().map(|tensor| tensor.numel()).sum()
    }
}

/// The learning rate of each network with the lowest validation loss after 20 epochs, first seed.
fn best_rates(sets: &Sets, out: &mut Reporter) -> Result<[f32; 2], TrainingError> {
    let (mut rows, mut best) = (vec![], [(f64::INFINITY, RATES[0]); 2]);
    for rate in RATES {
        let mut row = vec![format!("{rate}").into()];
        for (network, best) in [Network::Dense, Network::Convolutional].into_iter().zip(&mut best) {
            let loss = train(network.build(SEEDS[0]), rate, SEEDS[0], sets)?.loss;
            row.push(loss.into());
            if loss < best.0 {
                *best = (loss, rate);
            }
        }
        rows.push(row);
        out.progress("learning rates tried", rows.len() as u64, RATES.len() as u64);
    }
    out.table(Table {
        title: "Search for the learning rate: validation loss, first seed".into(),
        columns: vec![
            Column::plain("learning rate"),
            Column::plain(Network::Dense.name()),
            Column::plain(Network::Convolutional.name()),
        ],
        rows,
        origin: Origin::Measured,
    });
    Ok(best.map(|(_, rate)| rate))
}

/// Trains five networks of each kind on the digits and compares their accuracy.
pub fn milestone(out: &mut Reporter) {
    if let Err(error) = run(out) {
        out.note(format!("The milestone could not be completed: {error}"));
    }
}

fn run(out: &mut Reporter) -> Result<(), Box<dyn std::error::Error>> {
    let sets = Sets::load()?;
    let [dense_rate, rate] = best_rates(&sets, out)?;
    let (mut curves, mut dense, mut runs) = (vec![], vec![], vec![]);
    for seed in SEEDS {
        dense.push(train(Network::Dense.build(seed), dense_rate, seed, &sets)?);
        let run = train(Network::Convolutional.build(seed), rate, seed, &sets)?;
        curves.push(Series::new(format!("seed {seed}"), run.curve.clone()));
        runs.push(run);
        out.progress("seeds trained", runs.len() as u64, SEEDS.len() as u64);
        out.chart(learning_curves(&curves));
    }
    // Every choice is made: now the test set is looked at, once for each network.
    let (dense, tested) = (tested(&mut dense, &sets)?, tested(&mut runs, &sets)?);
    let row = |((seed, dense), (test, run)): ((u64, &f64), (&f64, &Run))| -> Vec<Value> {
        vec![format!("{seed}").into(), (*dense).into(), (*test).into(), run.seconds.into()]
    };
    let figure = |network: Network| Column::with_unit(network.name(), "%");
    out.table(Table {
        title: "Accuracy on 360 test digits".into(),
        columns: vec![
            Column::plain("seed"),
            figure(Network::Dense),
            figure(Network::Convolutional),
            Column::with_unit("training, convolutional", "s"),
        ],
        rows: SEEDS.into_iter().zip(&dense).zip(tested.iter().zip(&runs)).map(row).collect(),
        origin: Origin::Measured,
    });
    let (images, classes) = &sets.test[0];
    let guesses = runs[0].trainer.model.forward(images).argmax_axis(1);
    out.table(confusion(&guesses, &classes.data()));
    misread(out, &guesses, images, &classes.data());
    let (dense, accuracy) = (median(dense), median(tested));
    let seconds = median(runs.iter().map(|run| run.seconds).collect());
    let metric = |name: &str, value, unit: &str, target| Metric {
        name: name.into(),
        value,
        unit: unit.into(),
        target: Some(target),
        origin: Origin::Measured,
    };
    let name = "accuracy on held-out digits, median of five seeds";
    out.metric(metric(name, accuracy, "%", Target::AtLeast(97.0)));
    let name = "training time of 20 epochs, median of five seeds";
    out.metric(metric(name, seconds, "s", Target::AtMost(10.0)));
    let judged = |network: Network, accuracy: f64| (accuracy / 100.0, network.parameters());
    out.insight(comparison_insight(
        judged(Network::Dense, dense),
        judged(Network::Convolutional, accuracy),
        classes.numel(),
    ));
    Ok(())
}

/// Accuracies on the test set, in percent.
fn tested(runs: &mut [Run], sets: &Sets) -> Result<Vec<f64>, TrainingError> {
    let percent = |accuracy: Option<f32>| f64::from(accuracy.unwrap_or(0.0)) * 100.0;
    runs.iter_mut().map(|run| Ok(percent(run.trainer.evaluate(&sets.test)?.1))).collect()
}

/// What the accuracies of the dense and of the convolutional network on the same `n` test digits say, each with the
/// number of its parameters.
pub fn comparison_insight(dense: (f64, usize), convolutional: (f64, usize), n: usize) -> String {
    let figures = |(accuracy, parameters): (f64, usize)| {
        let error = sample_error(accuracy, n) * 100.0;
        format!("{parameters} parameters, {:.1} % +- {error:.1}", accuracy * 100.0)
    };
    let points = (convolutional.0 - dense.0).abs() * 100.0;
    let error = sample_error(dense.0, n).hypot(sample_error(convolutional.0, n)) * 100.0;
    let (finding, reason) = match compare_accuracies(convolutional.0, dense.0, n) {
        Reading::Larger => (
            "The convolutional network read more digits correctly",
            " A likely reason: a kernel that is used everywhere learns each stroke once.",
        ),
        Reading::Smaller => (
            "The dense network read more digits correctly",
            " Look at the search, and at your convolution.",
        ),
        Reading::NoClearDifference | Reading::TooNoisy => ("There is no clear difference", ""),
    };
    format!(
        "Dense network: {}. Convolutional network: {}. (Medians of five seeds on {n} test digits, +- one standard \
         error; both had the same search, schedule and number of epochs.) {finding}: they are {points:.1} points \
         apart, with a standard error of {error:.1} for the difference.{reason}",
        figures(dense),
        figures(convolutional)
    )
}

fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}

fn learning_curves(curves: &[Series]) -> Chart {
    Chart {
        title: "Accuracy of the convolutional networks on the validation set".into(),
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

/// Runs on standard output: `cargo run --release -p tinytorch --example 1998_cnn`.
pub fn main() {
    milestone(&mut Reporter::stdout());
}
