//! 1986: Rumelhart, Hinton and Williams train hidden layers with backpropagation. Five networks of
//! 64-32-10, with today's ReLU and Adam, learn 1,437 real handwritten digits in 20 epochs and are
//! tested on 360 held-out ones. Uses modules 01 to 08. Not here: a network that knows which pixels
//! are neighbours (1998).

use std::time::Instant;
use tinytorch::activations::ReLU;
use tinytorch::dataloader::{DataLoader, DigitShape, Split, digits};
use tinytorch::layers::{Linear, Sequential};
use tinytorch::losses::CrossEntropyLoss;
use tinytorch::optimizers::Adam;
use tinytorch::random::Rng;
use tinytorch::report::{
    Axis, Chart, ChartKind, Column, Metric, Origin, Picture, Reporter, Series, Table, Target, Value,
};
use tinytorch::tensor::Tensor;
use tinytorch::training::{Trainer, TrainingError};

const SEEDS: [u64; 5] = [1, 2, 3, 4, 5];
const EPOCHS: usize = 20;

fn network(rng: &mut Rng) -> Sequential {
    Sequential::new(vec![
        Box::new(Linear::new(64, 32, rng)),
        Box::new(ReLU),
        Box::new(Linear::new(32, 10, rng)),
    ])
}

/// One training run with its figures.
struct Run {
    trainer: Trainer,
    /// On the held-out digits, in percent.
    accuracy: f64,
    /// Of the 20 epochs, without the evaluation after each.
    seconds: f64,
}

/// Trains one network; after each epoch the curve of this seed grows.
fn train(
    seed: u64,
    loader: &DataLoader,
    held_out: &[(Tensor, Tensor)],
    curves: &mut Vec<Series>,
    out: &mut Reporter,
) -> Result<Run, TrainingError> {
    let net = network(&mut Rng::seeded(seed));
    let mut trainer = Trainer::new(net, Adam::new(0.004), CrossEntropyLoss);
    let (mut accuracy, mut seconds) = (0.0, 0.0);
    curves.push(Series::new(format!("seed {seed}"), []));
    for epoch in 0..EPOCHS {
        let start = Instant::now();
        trainer.train_epoch(loader.epoch(epoch))?;
        seconds += start.elapsed().as_secs_f64();
        accuracy = f64::from(trainer.evaluate(held_out)?.1.unwrap_or(0.0)) * 100.0;
        if let Some(curve) = curves.last_mut() {
            curve.points.extend(Series::new("", [((epoch + 1) as f64, accuracy)]).points);
        }
        out.progress(format!("seed {seed}, epochs"), epoch as u64 + 1, EPOCHS as u64);
        out.chart(learning_curves(curves));
        out.chart(Chart { title: format!("Loss, seed {seed}"), ..trainer.loss_curve() });
    }
    Ok(Run { trainer, accuracy, seconds })
}

/// Trains five networks on the digits and reports their accuracy.
pub fn milestone(out: &mut Reporter) {
    if let Err(error) = run(out) {
        out.insight(format!("The milestone could not be completed: {error}"));
    }
}

fn run(out: &mut Reporter) -> Result<(), Box<dyn std::error::Error>> {
    let Split { train: training, test } = digits(DigitShape::Flat)?;
    let loader = DataLoader::new(training, 32)?;
    let held_out = [(test.inputs().clone(), test.targets().clone())];
    let (mut curves, mut runs, mut rows) = (vec![], vec![], vec![]);
    for seed in SEEDS {
        let found = train(seed, &loader.clone().shuffled(seed), &held_out, &mut curves, out)?;
        rows.push(vec![format!("{seed}").into(), found.accuracy.into(), found.seconds.into()]);
        runs.push(found);
    }
    out.table(Table {
        title: "Five networks on 360 held-out digits".into(),
        columns: vec![
            Column::plain("seed"),
            Column::with_unit("accuracy", "%"),
            Column::with_unit("training", "s"),
        ],
        rows,
        origin: Origin::Measured,
    });
    let scores = runs[0].trainer.model.forward(test.inputs());
    let guesses = scores.argmax_axis(1);
    out.table(confusion(&guesses, &test.targets().data()));
    misread(out, &guesses, test.inputs(), &test.targets().data());
    let median = |figure: fn(&Run) -> f64| {
        let mut figures: Vec<f64> = runs.iter().map(figure).collect();
        figures.sort_by(f64::total_cmp);
        figures[figures.len() / 2]
    };
    let metric = |name: &str, value, unit: &str, target| Metric {
        name: name.into(),
        value,
        unit: unit.into(),
        target: Some(target),
        origin: Origin::Measured,
    };
    let (accuracy, seconds) = (median(|run| run.accuracy), median(|run| run.seconds));
    let name = "accuracy on held-out digits, median of five seeds";
    out.metric(metric(name, accuracy, "%", Target::AtLeast(95.0)));
    let name = "training time of 20 epochs, median of five seeds";
    out.metric(metric(name, seconds, "s", Target::AtMost(0.5)));
    out.insight(
        "No one designed the 32 hidden units. Backpropagation made each of them respond to a pattern of \
         its own.",
    );
    Ok(())
}

fn learning_curves(curves: &[Series]) -> Chart {
    Chart {
        title: "Accuracy on held-out digits".into(),
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
