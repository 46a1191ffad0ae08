//! 1957: Frank Rosenblatt proposes the perceptron, which corrects its own weights; in 1958 it runs on an
//! IBM 704. Five perceptrons each learn to separate two classes of points, and are tested on points
//! that they have not seen. The rule is Rosenblatt's; that it is the gradient of a loss, and autograd, are today's words
//! for it. Uses modules 01 to 06. Not here: points that no straight line separates
//! (1969).

use tinytorch::activations::ReLU;
use tinytorch::autograd::{Backward, track};
use tinytorch::layers::{Layer, Linear};
use tinytorch::optimizers::{Optimizer, SGD};
use tinytorch::random::Rng;
use tinytorch::report::{
    Axis, Chart, ChartKind, Column, Metric, Origin, Reporter, Series, Table, Target,
};
use tinytorch::tensor::Tensor;
use tinytorch::testing::sample_error;

const SEEDS: [u64; 5] = [1, 2, 3, 4, 5];
const EPOCHS: usize = 30;
const POINTS: usize = 200;

/// Points of the square from -1 to 1, shape `(POINTS, 2)`, and their classes, 1 or -1, shape
/// `(POINTS, 1)`. The line between the classes goes through the middle; no point is nearer to it
/// than 0.1.
fn points(normal: (f32, f32), rng: &mut Rng) -> (Tensor, Tensor) {
    let (mut inputs, mut classes) = (Vec::new(), Vec::new());
    while classes.len() < POINTS {
        let [x, y] = [rng.uniform() * 2.0 - 1.0, rng.uniform() * 2.0 - 1.0];
        let distance = normal.0 * x + normal.1 * y;
        if distance.abs() >= 0.1 {
            inputs.extend([x, y]);
            classes.push(distance.signum());
        }
    }
    (Tensor::new(&inputs, &[POINTS, 2]), Tensor::new(&classes, &[POINTS, 1]))
}

/// The points that are classified correctly, in percent.
fn accuracy(model: &Linear, inputs: &Tensor, classes: &Tensor) -> f64 {
    let agreement = model.forward(inputs) * classes;
    let right = agreement.data().iter().filter(|product| **product > 0.0).count();
    right as f64 * 100.0 / POINTS as f64
}

/// Rosenblatt's rule: only misclassified points change the weights. As a loss: how far these points
/// are on the wrong side. Returns the model and its training accuracy by epoch.
fn train(inputs: &Tensor, classes: &Tensor, rng: &mut Rng) -> (Linear, Vec<(f64, f64)>) {
    let mut model = Linear::new(2, 1, rng);
    track(model.parameters_mut());
    let mut optimizer = SGD::new(0.5);
    let mut curve = vec![(0.0, accuracy(&model, inputs, classes))];
    for epoch in 1..=EPOCHS {
        let wrong_by = ReLU.forward(&-(model.forward(inputs) * classes));
        let gradients = wrong_by.mean().backward();
        optimizer.step(model.parameters_mut(), &gradients);
        curve.push((epoch as f64, accuracy(&model, inputs, classes)));
    }
    (model, curve)
}

/// Trains five perceptrons and reports their accuracy on new points.
pub fn milestone(out: &mut Reporter) {
    let (mut curves, mut rows, mut accuracies) = (vec![], vec![], vec![]);
    for (run, seed) in SEEDS.into_iter().enumerate() {
        let mut rng = Rng::seeded(seed);
        let angle = rng.uniform() * std::f32::consts::TAU;
        let normal = (angle.cos(), angle.sin());
        let (inputs, classes) = points(normal, &mut rng);
        let (model, curve) = train(&inputs, &classes, &mut rng);
        curves.push(Series::new(format!("seed {seed}"), curve));
        out.progress("perceptrons trained", run as u64 + 1, SEEDS.len() as u64);
        out.chart(learning_curves(&curves));
        let (inputs, classes) = points(normal, &mut rng);
        let score = accuracy(&model, &inputs, &classes);
        rows.push(vec![format!("{seed}").into(), score.into()]);
        accuracies.push(score);
        if run == 0 {
            out.chart(line_between(&model, &inputs, &classes));
        }
    }
    accuracies.sort_by(f64::total_cmp);
    out.table(Table {
        title: "New points classified correctly".into(),
        columns: vec![Column::plain("seed"), Column::with_unit("accuracy", "%")],
        rows,
        origin: Origin::Measured,
    });
    out.metric(Metric {
        name: "accuracy on new points, median of five seeds".into(),
        value: accuracies[accuracies.len() / 2],
        unit: "%".into(),
        target: Some(Target::AtLeast(95.0)),
        origin: Origin::Measured,
    });
    out.insight(accuracy_insight(accuracies[accuracies.len() / 2] / 100.0, POINTS));
}

/// What an accuracy on `n` new points of two classes says.
pub fn accuracy_insight(accuracy: f64, n: usize) -> String {
    let (percent, error) = (accuracy * 100.0, sample_error(accuracy, n) * 100.0);
    let figure = format!("{percent:.1} % of {n} new points, +- {error:.1} (one standard error).");
    // Guessing is right every second time.
    if accuracy > 0.5 + 2.0 * sample_error(0.5, n) {
        format!(
            "{figure} Two weights and a bias are enough: they define a line, and training rotates it."
        )
    } else {
        format!("{figure} That is not clearly better than guessing: the line was not found.")
    }
}

fn learning_curves(curves: &[Series]) -> Chart {
    Chart {
        title: "Training points classified correctly".into(),
        kind: ChartKind::Line,
        x: Axis::linear("epoch", ""),
        y: Axis::linear("accuracy", "%"),
        series: curves.to_vec(),
        origin: Origin::Measured,
    }
}

/// The points of both classes, and points along the line `w0 x + w1 y + b = 0` within the square.
fn line_between(model: &Linear, inputs: &Tensor, classes: &Tensor) -> Chart {
    let (weight, inputs, classes) = (model.weight.to_vec(), inputs.to_vec(), classes.to_vec());
    let bias = model.bias.as_ref().map_or(0.0, Tensor::item);
    let of_class = |class: f32| {
        let pairs =
            inputs.chunks_exact(2).zip(&classes).filter(move |(_, of_point)| **of_point == class);
        pairs.map(|(point, _)| (f64::from(point[0]), f64::from(point[1])))
    };
    let steps = (-40..=40).map(|step| step as f32 / 40.0);
    // Step along the axis on which the line advances faster, so that it has no gaps.
    let along = steps.map(|t| match weight[0].abs() < weight[1].abs() {
        true => (t, -(weight[0] * t + bias) / weight[1]),
        false => (-(weight[1] * t + bias) / weight[0], t),
    });
    let inside = along.filter(|(x, y)| x.abs() <= 1.0 && y.abs() <= 1.0);
    let line = inside.map(|(x, y)| (f64::from(x), f64::from(y)));
    Chart {
        title: "What the first perceptron learned".into(),
        kind: ChartKind::Scatter,
        x: Axis::linear("x", ""),
        y: Axis::linear("y", ""),
        series: vec![
            Series::new("class 1", of_class(1.0)),
            Series::new("class -1", of_class(-1.0)),
            Series::new("the line", line),
        ],
        origin: Origin::Measured,
    }
}

/// Runs on standard output: `cargo run --release -p tinytorch --example 1957_perceptron`.
pub fn main() {
    milestone(&mut Reporter::stdout());
}
