//! 1957: Frank Rosenblatt's perceptron, a machine that corrected its own weights. Five perceptrons
//! each learn to tell two kinds of points apart, and are judged on points that they have not seen.
//! Uses modules 01 to 06. Not here: points that no straight line separates (1969).

use tinytorch::activations::ReLU;
use tinytorch::autograd::{Backward, track};
use tinytorch::layers::{Layer, Linear};
use tinytorch::optimizers::{Optimizer, SGD};
use tinytorch::random::Rng;
use tinytorch::report::{
    Axis, Chart, ChartKind, Column, Metric, Origin, Reporter, Series, Table, Target,
};
use tinytorch::tensor::Tensor;

const SEEDS: [u64; 5] = [1, 2, 3, 4, 5];
const EPOCHS: usize = 30;
const POINTS: usize = 200;

/// Points of the square from -1 to 1, shape `(POINTS, 2)`, and their sides, 1 or -1, shape
/// `(POINTS, 1)`. The line that divides them goes through the middle; none is nearer to it than 0.1.
fn points(normal: (f32, f32), rng: &mut Rng) -> (Tensor, Tensor) {
    let (mut places, mut sides) = (Vec::new(), Vec::new());
    while sides.len() < POINTS {
        let [x, y] = [rng.uniform() * 2.0 - 1.0, rng.uniform() * 2.0 - 1.0];
        let distance = normal.0 * x + normal.1 * y;
        if distance.abs() >= 0.1 {
            places.extend([x, y]);
            sides.push(distance.signum());
        }
    }
    (Tensor::new(&places, &[POINTS, 2]), Tensor::new(&sides, &[POINTS, 1]))
}

/// The share of points on the right side of the perceptron's line, in percent.
fn accuracy(model: &Linear, places: &Tensor, sides: &Tensor) -> f64 {
    let agreement = model.forward(places) * sides;
    let right = agreement.data().iter().filter(|product| **product > 0.0).count();
    right as f64 * 100.0 / POINTS as f64
}

/// Rosenblatt's rule: only a point on the wrong side pulls the line. As a loss: how far the wrong
/// points are on the wrong side. Returns the model and its accuracy on the training points by epoch.
fn train(places: &Tensor, sides: &Tensor, rng: &mut Rng) -> (Linear, Vec<(f64, f64)>) {
    let mut model = Linear::new(2, 1, rng);
    track(model.parameters_mut());
    let mut optimizer = SGD::new(0.5);
    let mut curve = vec![(0.0, accuracy(&model, places, sides))];
    for epoch in 1..=EPOCHS {
        let wrong_by = ReLU.forward(&-(model.forward(places) * sides));
        let gradients = wrong_by.mean().backward();
        optimizer.step(model.parameters_mut(), &gradients);
        curve.push((epoch as f64, accuracy(&model, places, sides)));
    }
    (model, curve)
}

/// Trains five perceptrons and reports how well they do on new points.
pub fn milestone(out: &mut Reporter) {
    let (mut curves, mut rows, mut accuracies) = (vec![], vec![], vec![]);
    for (run, seed) in SEEDS.into_iter().enumerate() {
        let mut rng = Rng::seeded(seed);
        let angle = rng.uniform() * std::f32::consts::TAU;
        let normal = (angle.cos(), angle.sin());
        let (places, sides) = points(normal, &mut rng);
        let (model, curve) = train(&places, &sides, &mut rng);
        curves.push(Series::new(format!("seed {seed}"), curve));
        out.progress("perceptrons trained", run as u64 + 1, SEEDS.len() as u64);
        out.chart(learning_curves(&curves));
        let (places, sides) = points(normal, &mut rng);
        let score = accuracy(&model, &places, &sides);
        rows.push(vec![format!("{seed}").into(), score.into()]);
        accuracies.push(score);
        if run == 0 {
            out.chart(line_between(&model, &places, &sides));
        }
    }
    accuracies.sort_by(f64::total_cmp);
    out.table(Table {
        title: "New points on the right side".into(),
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
    out.insight("Three numbers, two weights and a bias, are enough: they are a line, and training turns it.");
}

fn learning_curves(curves: &[Series]) -> Chart {
    Chart {
        title: "Training points on the right side".into(),
        kind: ChartKind::Line,
        x: Axis::linear("epoch", ""),
        y: Axis::linear("accuracy", "%"),
        series: curves.to_vec(),
        origin: Origin::Measured,
    }
}

/// The points of both kinds, and points along the line `w0 x + w1 y + b = 0` within the square.
fn line_between(model: &Linear, places: &Tensor, sides: &Tensor) -> Chart {
    let (weight, places, sides) = (model.weight.to_vec(), places.to_vec(), sides.to_vec());
    let bias = model.bias.as_ref().map_or(0.0, Tensor::item);
    let kind = |side: f32| {
        let pairs = places.chunks_exact(2).zip(&sides).filter(move |(_, s)| **s == side);
        pairs.map(|(place, _)| (f64::from(place[0]), f64::from(place[1])))
    };
    let steps = (-40..=40).map(|step| step as f32 / 40.0);
    // Walk along the axis on which the line advances faster, so that it has no holes.
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
            Series::new("one kind", kind(1.0)),
            Series::new("the other", kind(-1.0)),
            Series::new("the line", line),
        ],
        origin: Origin::Measured,
    }
}

/// Runs on standard output: `cargo run --release -p tinytorch --example 1957_perceptron`.
pub fn main() {
    milestone(&mut Reporter::stdout());
}
