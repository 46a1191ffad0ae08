//! Learning rate and momentum on a loss surface: a long narrow valley, walked down live by the
//! engine's own tensors, gradients and SGD. Two slider positions come in; the path, the loss of each
//! step and what became of it go out.

use super::{Explorable, Slider};
use tinytorch::autograd::Backward;
use tinytorch::optimizers::{Optimizer, SGD};
use tinytorch::report::{Axis, Chart, ChartKind, Insight, Item, Metric, Origin, Scale, Series};
use tinytorch::tensor::Tensor;

pub(super) const EXPLORABLE: Explorable = Explorable {
    id: "learning-rate",
    title: "Learning rate and momentum",
    about: "A valley that is 25 times as steep across as along. Find a rate that arrives soon; then \
            add momentum. Every figure is computed now, by the engine's own SGD.",
    sliders: &[
        Slider::plain("learning rate", [0.005, 0.25, 0.005, 0.02]),
        Slider::plain("momentum", [0.0, 0.95, 0.05, 0.0]),
    ],
    figure,
};

/// Half the curvature along each axis: `loss = 0.2 x^2 + 5 y^2`, so the gradient is `(0.4 x, 10 y)`.
const VALLEY: [f32; 2] = [0.2, 5.0];
const START: [f32; 2] = [-4.0, 1.0];
const STEPS: usize = 60;
/// The picture shows `x` from -5 to 5 and `y` from -2 to 2; a path that leaves it ends.
const FRAME: [f32; 2] = [5.0, 2.0];
/// A loss below this counts as arrived; the start has 8.2.
const ARRIVED: f32 = 1e-3;

/// Where SGD stood, and its loss there, before each step.
type Path = Vec<([f32; 2], f32)>;

fn descend(rate: f32, momentum: f32) -> Path {
    let steepness = Tensor::new(&VALLEY, &[2]);
    let mut place = Tensor::new(&START, &[2]).tracked();
    let mut optimizer = SGD::new(rate).momentum(momentum);
    let mut path = Path::with_capacity(STEPS + 1);
    for _ in 0..=STEPS {
        let loss = (&(&place * &place) * &steepness).sum();
        let here = place.data();
        path.push(([here[0], here[1]], loss.item()));
        if here.iter().zip(FRAME).any(|(at, edge)| at.abs() > edge) {
            break;
        }
        drop(here);
        optimizer.step(vec![&mut place], &loss.backward());
    }
    path
}

fn figure(values: &[f64]) -> Vec<Item> {
    let path = descend(values[0] as f32, values[1] as f32);
    let arrived = path.iter().position(|(_, loss)| *loss < ARRIVED);
    // The last place may lie outside the frame: it ends the path but would shrink the picture.
    let inside = |place: &[f32; 2]| place.iter().zip(FRAME).all(|(at, edge)| at.abs() <= edge);
    let left = path.last().is_some_and(|(place, _)| !inside(place));
    let walked = path.iter().filter(|(place, _)| inside(place));
    let walked = walked.map(|(place, _)| (f64::from(place[0]), f64::from(place[1])));
    let losses = path.iter().enumerate().map(|(step, (_, loss))| (step as f64, f64::from(*loss)));
    let mut surface: Vec<Series> = [0.5, 2.0, 5.0].into_iter().map(contour).collect();
    surface.push(Series::new("path", walked));
    let mut items = vec![
        Item::Chart(Chart {
            title: "The valley from above".into(),
            kind: ChartKind::Line,
            x: Axis::linear("x", ""),
            y: Axis::linear("y", ""),
            series: surface,
            origin: Origin::Computed("0.2 x^2 + 5 y^2; the path is the engine's".into()),
        }),
        Item::Chart(Chart {
            title: "Loss at each step".into(),
            kind: ChartKind::Line,
            x: Axis::linear("step", ""),
            y: Axis { label: "loss".into(), unit: String::new(), scale: Scale::Log },
            // A logarithm needs a number above 0; what is smaller looks the same.
            series: vec![Series::new("loss", losses.map(|(x, y)| (x, y.max(1e-12))))],
            origin: Origin::Measured,
        }),
    ];
    if let Some((_, loss)) = path.last() {
        items.push(Item::Metric(Metric {
            name: format!("loss after {} steps", path.len() - 1),
            value: f64::from(*loss),
            unit: String::new(),
            target: None,
            origin: Origin::Measured,
        }));
    }
    let text = match arrived {
        _ if left => format!(
            "Each step overshoots the valley by more than the last; after {} it left the picture. \
             Lower the learning rate, or let momentum slow the swing.",
            path.len() - 1
        ),
        Some(step) => format!("The loss fell below 0.001 at step {step}."),
        None => "Still on the way: too slow along the valley, or swinging across it.".into(),
    };
    items.push(Item::Insight(Insight { text }));
    items
}

/// The places where the loss has this value: an ellipse.
fn contour(loss: f64) -> Series {
    let [a, b] = VALLEY.map(|steepness| (loss / f64::from(steepness)).sqrt());
    let angles = (0..=72).map(|step| f64::from(step) * std::f64::consts::TAU / 72.0);
    Series::new(format!("loss {loss}"), angles.map(|angle| (a * angle.cos(), b * angle.sin())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_path_is_that_of_gradient_descent() {
        let path = descend(0.1, 0.0);
        assert_eq!(path[0], (START, 8.2));
        let ([x, y], _) = path[1];
        // x - 0.1 * 0.4 x = 0.96 x, and y - 0.1 * 10 y = 0.
        assert!((x + 3.84).abs() < 1e-5 && y.abs() < 1e-5, "{x} {y}");
        assert_eq!(path.len(), STEPS + 1);
    }

    #[test]
    fn momentum_arrives_sooner_in_a_narrow_valley() {
        let arrival =
            |rate, momentum| descend(rate, momentum).iter().position(|(_, loss)| *loss < ARRIVED);
        assert_eq!(arrival(0.02, 0.0), None, "plain SGD is still on its way");
        assert!(arrival(0.1, 0.6).is_some_and(|step| step < 40), "{:?}", arrival(0.1, 0.6));
    }

    #[test]
    fn the_steep_axis_limits_the_rate() {
        // Across, each step multiplies y by 1 - 10 * rate: beyond 0.2 its size grows.
        let swings = descend(0.2, 0.0);
        assert!((swings[STEPS].0[1].abs() - 1.0).abs() < 1e-3, "{:?}", swings[STEPS]);
        let leaves = descend(0.21, 0.0);
        assert!(
            leaves.len() < STEPS && leaves.last().is_some_and(|(at, _)| at[1].abs() > FRAME[1])
        );
    }

    #[test]
    fn a_path_that_leaves_the_picture_says_so() {
        let items = figure(&[0.25, 0.0]);
        let said =
            |item: &Item| matches!(item, Item::Insight(i) if i.text.contains("left the picture"));
        assert!(items.iter().any(said));
    }
}
