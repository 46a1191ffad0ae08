//! 1969: Minsky and Papert prove what a single layer cannot compute. XOR is 1 when exactly one of two
//! inputs is 1; no straight line separates its four cases. One layer is trained from five seeds and
//! the best result counts; then two layers are trained. Backpropagation (1986) and Adam (2014) came later: in 1969 no
//! way was known to train two layers. Uses modules 01 to 06.

use tinytorch::activations::{Sigmoid, Tanh};
use tinytorch::autograd::{Backward, track};
use tinytorch::layers::{Layer, Linear, Sequential};
use tinytorch::losses::{BinaryCrossEntropyLoss, Loss};
use tinytorch::optimizers::{Adam, Optimizer};
use tinytorch::random::Rng;
use tinytorch::report::{
    Axis, Chart, ChartKind, Column, Metric, Origin, Picture, Reporter, Series, Table, Target, Value,
};
use tinytorch::tensor::Tensor;

const SEEDS: [u64; 5] = [1, 2, 3, 4, 5];
const STEPS: usize = 400;
/// The curves have a point for every so many steps: enough to see, few enough to read as text.
const POINT_EVERY: usize = 20;
const CASES: [f32; 8] = [0.0, 0.0, 0.0, 1.0, 1.0, 0.0, 1.0, 1.0];
const TARGETS: [f32; 4] = [0.0, 1.0, 1.0, 0.0];
/// Pixels along one side of the picture of a network's output between the four cases.
const SIDE: usize = 24;

fn one_layer(rng: &mut Rng) -> Sequential {
    Sequential::new(vec![Box::new(Linear::new(2, 1, rng)), Box::new(Sigmoid)])
}

fn two_layers(rng: &mut Rng) -> Sequential {
    Sequential::new(vec![
        Box::new(Linear::new(2, 4, rng)),
        Box::new(Tanh),
        Box::new(Linear::new(4, 1, rng)),
        Box::new(Sigmoid),
    ])
}

/// The cases that are classified correctly, in percent.
fn accuracy(outputs: &Tensor) -> f64 {
    let outputs = outputs.data();
    let right = outputs.iter().zip(TARGETS).filter(|(got, want)| (**got > 0.5) == (*want > 0.5));
    right.count() as f64 * 25.0
}

/// A network after training, with its figures.
struct Run {
    model: Sequential,
    /// The loss before every twentieth step.
    curve: Vec<(f64, f64)>,
    /// The highest accuracy at any step, so that one layer is not judged at an unlucky moment.
    best: f64,
    /// The accuracy at the last step.
    last: f64,
}

fn train(mut model: Sequential) -> Run {
    let (cases, targets) = (Tensor::new(&CASES, &[4, 2]), Tensor::new(&TARGETS, &[4, 1]));
    track(model.parameters_mut());
    let mut optimizer = Adam::new(0.05);
    let (mut curve, mut best, mut last) = (vec![], 0.0_f64, 0.0);
    for step in 0..STEPS {
        let output = model.forward(&cases);
        last = accuracy(&output);
        best = best.max(last);
        let loss = BinaryCrossEntropyLoss.forward(&output, &targets);
        if step.is_multiple_of(POINT_EVERY) {
            curve.push((step as f64, f64::from(loss.item())));
        }
        optimizer.step(model.parameters_mut(), &loss.backward());
    }
    Run { model, curve, best, last }
}

/// Trains one layer and two layers from five seeds each and reports what each could learn.
pub fn milestone(out: &mut Reporter) {
    let (mut curves, mut rows, mut shallow, mut deep) = (vec![], vec![], vec![], vec![]);
    let mut first = None;
    for (run, seed) in SEEDS.into_iter().enumerate() {
        let one = train(one_layer(&mut Rng::seeded(seed)));
        let two = train(two_layers(&mut Rng::seeded(seed)));
        rows.push(vec![format!("{seed}").into(), one.best.into(), two.last.into()]);
        shallow.push(one.best);
        deep.push(two.last);
        curves.push(Series::new(format!("one layer, seed {seed}"), one.curve));
        curves.push(Series::new(format!("two layers, seed {seed}"), two.curve));
        out.progress("pairs of networks trained", run as u64 + 1, SEEDS.len() as u64);
        first = first.or(Some((one.model, two.model)));
    }
    out.chart(loss_curves(&curves));
    deep.sort_by(f64::total_cmp);
    out.table(Table {
        title: "Cases of XOR classified correctly".into(),
        columns: vec![
            Column::plain("seed"),
            Column::with_unit("one layer, best step", "%"),
            Column::with_unit("two layers, last step", "%"),
        ],
        rows,
        origin: Origin::Measured,
    });
    if let Some((one, two)) = first {
        out.table(outputs(&one, &two));
        out.picture(landscape("one layer: its output between the cases", &one));
        out.picture(landscape("two layers: their output between the cases", &two));
    }
    let metric = |name: &str, value, target| Metric {
        name: name.into(),
        value,
        unit: "%".into(),
        target: Some(target),
        origin: Origin::Measured,
    };
    let most = shallow.into_iter().fold(0.0, f64::max);
    let median = deep[deep.len() / 2];
    out.metric(metric("one layer, best of five seeds", most, Target::AtMost(75.0)));
    out.metric(metric("two layers, median of five seeds", median, Target::AtLeast(100.0)));
    out.insight(layers_insight(most, median));
}

/// What the best accuracy of one layer and the median of two layers, in percent of the four cases, say.
pub fn layers_insight(one: f64, two: f64) -> String {
    let one_said = if one > 75.0 {
        "One layer classified all four cases, which no straight line can: look at your layer and at the accuracy."
    } else {
        "One layer draws one straight line, and a line classifies at most three of the four cases correctly."
    };
    let two_said = if two >= 100.0 {
        "Two layers classified all four: the second one combines the lines of the first."
    } else {
        "Two layers could, and did not from most seeds: training ended in a local minimum or too early."
    };
    format!("{one_said} {two_said}")
}

fn loss_curves(curves: &[Series]) -> Chart {
    Chart {
        title: "Loss of one layer and of two".into(),
        kind: ChartKind::Line,
        x: Axis::linear("step", ""),
        y: Axis::linear("loss", ""),
        series: curves.to_vec(),
        origin: Origin::Measured,
    }
}

/// The outputs of both networks of the first seed.
fn outputs(one: &Sequential, two: &Sequential) -> Table {
    let cases = Tensor::new(&CASES, &[4, 2]);
    let [one, two] = [one, two].map(|model| model.forward(&cases).to_vec());
    let row = |case: usize| -> Vec<Value> {
        let inputs = format!("{} {}", CASES[2 * case], CASES[2 * case + 1]);
        vec![inputs.into(), TARGETS[case].into(), one[case].into(), two[case].into()]
    };
    Table {
        title: "Outputs, first seed".into(),
        columns: ["inputs", "target", "one layer", "two layers"].map(Column::plain).into(),
        rows: (0..4).map(row).collect(),
        origin: Origin::Measured,
    }
}

/// The network's output at every point of the square from 0 to 1: light is near 1.
fn landscape(title: &str, model: &Sequential) -> Picture {
    let at = |step: usize| step as f32 / (SIDE - 1) as f32;
    let grid = (0..SIDE).flat_map(|row| (0..SIDE).flat_map(move |column| [at(column), at(row)]));
    let points: Vec<f32> = grid.collect();
    let pixels = model.forward(&Tensor::new(&points, &[SIDE * SIDE, 2])).to_vec();
    Picture { title: title.into(), width: SIDE, pixels }
}

/// Runs on standard output: `cargo run --release -p tinytorch --example 1969_xor`.
pub fn main() {
    milestone(&mut Reporter::stdout());
}
