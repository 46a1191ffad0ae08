// ---
// jupyter:
//   jupytext:
//     text_representation:
//       extension: .rs
//       format_name: percent
//       format_version: '1.3'
//   kernelspec:
//     display_name: Rust
//     language: rust
//     name: rust
// ---

// %% nbgrader={"grade": false, "grade_id": "activations-header", "locked": true, "schema_version": 3, "solution": false, "task": false}
//! 02 Activations: elementwise functions that make a network nonlinear, and softmax, which turns scores into
//! probabilities. Input: a tensor. Output: one of the same shape. Depends on 01.
//! By hand: `ReLU([-1, 2]) = [0, 2]`, `Softmax([0, ln 3]) = [1/4, 3/4]`.
//! Not here: weights (03) and gradients (05).

use tinytorch::backend;
use tinytorch::random::Rng;
use tinytorch::report::{Axis, Chart, ChartKind, Column, Origin, Point, Reporter, Series, Table};
use tinytorch::tensor::{Elementwise, ElementwiseFunction, Tensor, axis_from_front};
use tinytorch::testing::{Comparison, Ratio, Reading, compare};

// %% [markdown] nbgrader={"grade": false, "grade_id": "activations-intro", "locked": true, "schema_version": 3, "solution": false, "task": false}
// # 🎯 Activations
//
// You write: ReLU, sigmoid, tanh, GELU in two forms, and softmax. Each is a struct with a method `forward`. All but
// softmax are elementwise: you write their value `at` one number, and the given `forward` applies it to each element.

// %% nbgrader={"grade": false, "grade_id": "activations-relu", "locked": false, "schema_version": 3, "solution": true, "task": false}
/// The rectified linear unit: negative numbers become 0, the others stay (Nair and Hinton, 2010).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReLU;

impl ElementwiseFunction for ReLU {
    /// `max(0, x)`.
    ///
    /// TODO: replace a number below 0 with 0, and keep any other.
    ///
    /// APPROACH:
    /// 1. Compare `x` with 0.
    /// 2. What is below 0 becomes 0, everything else stays, NaN too.
    ///
    /// EXAMPLE: `[-2, 0, 3]` becomes `[0, 0, 3]`.
    ///
    /// HINTS: `f32::max` would turn NaN into 0 and so hide a mistake made elsewhere.
    fn at(&self, x: f32) -> f32 {
        // BEGIN SOLUTION
        if x < 0.0 { 0.0 } else { x }
        // END SOLUTION
    }

    fn kind(&self) -> Elementwise {
        Elementwise::ReLU
    }
}

// %% nbgrader={"grade": true, "grade_id": "test-activations-relu", "locked": true, "points": 10, "schema_version": 3, "solution": false, "task": false}
/// 🔬 Numbers below and above 0; the shape stays, and so does NaN.
#[test]
fn test_unit_relu() {
    use tinytorch::testing::expect_eq;

    let mixed = ReLU.forward(&Tensor::new(&[-2.0, -0.5, 0.0, 0.5, 2.0, 100.0], &[2, 3]));
    let wanted = (vec![2, 3], vec![0.0, 0.0, 0.0, 0.5, 2.0, 100.0]);
    let idea = "what is below 0 becomes 0, the rest stays, and so does the shape";
    let yours = (mixed.shape().to_vec(), mixed.to_vec());
    expect_eq("[[-2, -0.5, 0], [0.5, 2, 100]]", yours, wanted, idea);
    let empty = ReLU.forward(&Tensor::new(&[], &[0, 4]));
    expect_eq("an empty batch (0, 4)", empty.shape(), &[0, 4], "the shape stays");
    assert!(ReLU.forward(&Tensor::scalar(f32::NAN)).item().is_nan(), "a NaN is not hidden");
}

// %% nbgrader={"grade": false, "grade_id": "activations-sigmoid", "locked": false, "schema_version": 3, "solution": true, "task": false}
/// The sigmoid, or logistic function: any number becomes one between 0 and 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sigmoid;

/// The sigmoid of one number, `1 / (1 + e^-x)`, without overflow on either side.
///
/// TODO: compute it so that the argument of `exp` is never a large positive number.
///
/// APPROACH:
/// 1. For `x >= 0`: `e^-x` is at most 1, so `1 / (1 + e^-x)` is safe.
/// 2. For `x < 0`: multiply numerator and denominator by `e^x`; then only `e^x` remains, which is safe.
///
/// EXAMPLE: `sigmoid(0) = 0.5`; `sigmoid(-100)` is 3.8e-44, which an `f32` can hold, and not 0.
///
/// HINTS: `f32::exp` is the power of e. A NaN should stay a NaN: both branches keep it.
pub fn sigmoid(x: f32) -> f32 {
    // BEGIN SOLUTION
    if x >= 0.0 {
        1.0 / (1.0 + (-x).exp())
    } else {
        let small = x.exp();
        small / (1.0 + small)
    }
    // END SOLUTION
}

impl ElementwiseFunction for Sigmoid {
    fn at(&self, x: f32) -> f32 {
        sigmoid(x)
    }

    fn kind(&self) -> Elementwise {
        Elementwise::Sigmoid
    }
}

// %% nbgrader={"grade": true, "grade_id": "test-activations-sigmoid", "locked": true, "points": 10, "schema_version": 3, "solution": false, "task": false}
/// 🔬 The middle, both ends, a tiny value, symmetry, monotonicity.
#[test]
fn test_unit_sigmoid() {
    use tinytorch::testing::expect_close;

    let x = Tensor::new(&[-1000.0, -2.0, 0.0, 2.0, 1000.0], &[5]);
    let y = Sigmoid.forward(&x).to_vec();
    // e^2 = 7.389056, so sigmoid(2) = 0.880797. One unit in the last place of 1 is 1.2e-7.
    let idea = "1 / (1 + e^-x), and for negative x the form with e^x: neither may overflow";
    let wanted = [0.0, 0.119_202_92, 0.5, 0.880_797_1, 1.0];
    expect_close("[-1000, -2, 0, 2, 1000]", &y, &wanted, 2e-7, idea);
    assert!(sigmoid(-100.0) > 0.0, "sigmoid(-100) is 0: use e^-100, not e^100");
    assert!(sigmoid(f32::NAN).is_nan(), "a NaN is not hidden");
    for step in -40..40 {
        let x = step as f32 / 4.0;
        assert!(sigmoid(x) <= sigmoid(x + 0.25), "it never decreases, at {x}");
        let (input, idea) =
            (format!("sigmoid({x}) + sigmoid({})", -x), "sigmoid(-x) is 1 - sigmoid(x)");
        expect_close(input, &[sigmoid(x) + sigmoid(-x)], &[1.0], 2e-7, idea);
    }
}

// %% nbgrader={"grade": false, "grade_id": "activations-tanh", "locked": false, "schema_version": 3, "solution": true, "task": false}
/// The hyperbolic tangent: any number becomes one between -1 and 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tanh;

impl ElementwiseFunction for Tanh {
    /// The hyperbolic tangent of `x`.
    ///
    /// TODO: return it.
    ///
    /// APPROACH: the standard library has it as a method of `f32`, which is safe for large numbers.
    ///
    /// EXAMPLE: `[0, 100]` becomes `[0, 1]`.
    ///
    /// HINTS: do not compute `(e^x - e^-x) / (e^x + e^-x)`, the definition: for a large `x` that is infinity
    /// divided by infinity.
    fn at(&self, x: f32) -> f32 {
        // BEGIN SOLUTION
        x.tanh()
        // END SOLUTION
    }

    fn kind(&self) -> Elementwise {
        Elementwise::Tanh
    }
}

// %% nbgrader={"grade": true, "grade_id": "test-activations-tanh", "locked": true, "points": 10, "schema_version": 3, "solution": false, "task": false}
/// 🔬 Zero, odd symmetry, saturation.
#[test]
fn test_unit_tanh() {
    use tinytorch::testing::{expect_close, expect_eq};

    let y = Tanh.forward(&Tensor::new(&[-100.0, -1.0, 0.0, 1.0, 100.0], &[5])).to_vec();
    let idea = "tanh runs from -1 to 1, zero stays zero, and large numbers do not overflow";
    let wanted = [-1.0, -0.761_594_2, 0.0, 0.761_594_2, 1.0];
    expect_close("[-100, -1, 0, 1, 100]", &y, &wanted, 2e-7, idea);
    for step in 0..40 {
        let x = Tensor::new(&[step as f32 / 4.0, step as f32 / -4.0], &[2]);
        let y = Tanh.forward(&x).to_vec();
        expect_eq(format!("tanh of {}", x.data()[1]), y[1], -y[0], "tanh(-x) = -tanh(x)");
    }
}

// %% nbgrader={"grade": false, "grade_id": "activations-gelu", "locked": false, "schema_version": 3, "solution": true, "task": false}
/// The Gaussian error linear unit, `x` times the probability that a standard normal number is below `x` (Hendrycks
/// and Gimpel, 2016). PyTorch's default form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gelu;

/// The approximation of GELU with a sigmoid, `x * sigmoid(1.702 x)`, which needs no error function. Its values differ
/// from those of GELU by less than 0.021, its slopes by less than 0.03.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QuickGelu;

impl QuickGelu {
    /// The factor that brings the sigmoid closest to the normal distribution's cumulative distribution function.
    pub const STEEPNESS: f32 = 1.702;
}

impl ElementwiseFunction for Gelu {
    /// The number times its gate, the normal cumulative distribution function.
    ///
    /// TODO: write both forms of GELU: each multiplies a number by its gate.
    ///
    /// APPROACH:
    /// 1. The gate of `Gelu` is `normal_cdf` of the number, given at the end of the file.
    /// 2. The gate of `QuickGelu` is the `sigmoid` of the number times `STEEPNESS`.
    ///
    /// EXAMPLE: `1` becomes `0.8413`, and with `QuickGelu` `0.8458`; `-1` becomes `-0.1587` and `-0.1542`.
    ///
    /// HINTS: `sigmoid` is the function you wrote above.
    fn at(&self, x: f32) -> f32 {
        // BEGIN SOLUTION
        x * normal_cdf(x)
        // END SOLUTION
    }

    fn kind(&self) -> Elementwise {
        Elementwise::Gelu
    }
}

impl ElementwiseFunction for QuickGelu {
    /// The number times a gate that takes less time to compute.
    fn at(&self, x: f32) -> f32 {
        // BEGIN SOLUTION
        x * sigmoid(Self::STEEPNESS * x)
        // END SOLUTION
    }

    fn kind(&self) -> Elementwise {
        Elementwise::QuickGelu
    }
}

// %% nbgrader={"grade": true, "grade_id": "test-activations-gelu", "locked": true, "points": 10, "schema_version": 3, "solution": false, "task": false}
/// 🔬 Known values of both forms, the dip below zero, both ends, and how far the two forms differ.
#[test]
fn test_unit_gelu() {
    use tinytorch::testing::expect_close;

    let x = Tensor::new(&[-50.0, -3.0, -1.0, 0.0, 1.0, 3.0, 50.0], &[7]);
    let text = "x = [-50, -3, -1, 0, 1, 3, 50]";
    // PyTorch: torch.nn.functional.gelu(x), and x * torch.sigmoid(1.702 * x).
    let wanted = [0.0, -0.004_049_7, -0.158_655_26, 0.0, 0.841_344_7, 2.995_950_2, 50.0];
    let gate =
        "the gate of Gelu is the normal distribution's cumulative distribution function at x";
    expect_close(text, &Gelu.forward(&x).to_vec(), &wanted, 1e-6, gate);
    let wanted = [0.0, -0.018_071_31, -0.154_204_23, 0.0, 0.845_795_8, 2.981_928_8, 50.0];
    let gate = "the gate of QuickGelu is the sigmoid of 1.702 x, and it multiplies x";
    expect_close(text, &QuickGelu.forward(&x).to_vec(), &wanted, 1e-6, gate);

    let x = Tensor::new(&(-600..600).map(|i| i as f32 / 100.0).collect::<Vec<_>>(), &[1200]);
    let difference = (Gelu.forward(&x) - QuickGelu.forward(&x)).to_vec();
    let largest = difference.iter().fold(0.0_f32, |largest, d| largest.max(d.abs()));
    assert!(
        (0.02..0.021).contains(&largest),
        "the two forms differ by up to 0.0203, not {largest}"
    );
}

// %% nbgrader={"grade": false, "grade_id": "activations-softmax", "locked": false, "schema_version": 3, "solution": true, "task": false}
/// Turns scores into probabilities: numbers from 0 to 1 that sum to 1 along one axis.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Softmax {
    /// The axis along which the probabilities sum to 1; a negative number counts from the end.
    pub axis: isize,
}

impl Softmax {
    /// Probabilities along the last axis.
    pub const LAST: Self = Self { axis: -1 };

    /// `e^x / sum(e^x)` along the axis. Any shape in, the same shape out.
    ///
    /// TODO: shift, exponentiate, divide by the sum.
    ///
    /// APPROACH:
    /// 1. Subtract the largest score along the axis: the probabilities stay the same, and no exponential
    ///    overflows, because no score is above 0 then.
    /// 2. Exponentiate each.
    /// 3. Divide by the sum along the axis.
    ///
    /// EXAMPLE: `[1, 2, 3]` becomes `[0.0900, 0.2447, 0.6652]`.
    ///
    /// HINTS: with `keepdim`, `max_axis` and `sum_axis` keep the axis with size 1, so that the difference and
    /// the quotient broadcast.
    pub fn forward(&self, x: &Tensor) -> Tensor {
        let axis = axis_from_front("softmax", self.axis, x.shape());
        if x.numel() == 0 {
            return x.clone(); // No scores, no largest one.
        }
        // A kernel of lesson 18, once there is one; it records no history.
        if !x.is_tracked()
            && let Some(values) = backend::softmax(x.array(), axis)
        {
            return Tensor::from_array(values);
        }
        // BEGIN SOLUTION
        let shifted = x - x.max_axis(axis, true);
        let powers = shifted.exp();
        let sum = powers.sum_axis(axis, true);
        powers / sum
        // END SOLUTION
    }
}

// %% nbgrader={"grade": true, "grade_id": "test-activations-softmax", "locked": true, "points": 10, "schema_version": 3, "solution": false, "task": false}
/// 🔬 Known probabilities, rows that sum to 1, order kept, huge scores, another axis.
#[test]
fn test_unit_softmax() {
    use tinytorch::testing::{expect_close, expect_eq, panic_message};

    let y = Softmax::LAST.forward(&Tensor::new(&[1.0, 2.0, 3.0], &[3]));
    let wanted = [0.090_030_57, 0.244_728_48, 0.665_240_94];
    let idea = "e to the power of each score, divided by the sum of all of them";
    expect_close("[1, 2, 3]", &y.to_vec(), &wanted, 1e-6, idea);

    let scores = Tensor::new(&[1000.0, 1001.0, 1002.0, -2000.0, -1000.0, -1000.0], &[2, 3]);
    let mut rows = vec![];
    let message = panic_message(|| rows = Softmax::LAST.forward(&scores).to_vec());
    let shapes = "the shapes (2, 3) and (2) do not broadcast: keep the axis with `keepdim`";
    assert!(!message.contains("broadcast"), "for two rows of scores: {message}\n  idea: {shapes}");
    let wanted = [&y.to_vec()[..], &[0.0, 0.5, 0.5]].concat();
    let idea = "subtract the largest score of each row before `exp`";
    expect_close("two rows of scores near 1000", &rows, &wanted, 1e-6, idea);
    // With as many classes as rows nothing panics: each row must get its own maximum and its own sum.
    let square = Softmax::LAST.forward(&Tensor::new(&[0.0, 3.0, 50.0, 50.0], &[2, 2])).to_vec();
    let wanted = [0.047_425_874, 0.952_574_1, 0.5, 0.5];
    let idea = "each row has a sum of its own: keep the axis with `keepdim`";
    expect_close("[[0, 3], [50, 50]]", &square, &wanted, 1e-6, idea);

    let idea = "work along `axis`, which is not always the last";
    for axis in [0, -2] {
        let columns = Softmax { axis }.forward(&Tensor::zeros(&[4, 2]));
        let input = format!("zeros (4, 2), axis {axis}");
        expect_close(input, &columns.to_vec(), &[0.25; 8], 1e-7, idea);
    }
    let empty = Softmax::LAST.forward(&Tensor::zeros(&[2, 0]));
    expect_eq("no classes (2, 0)", empty.shape(), &[2, 0], "given: there is nothing to compute");

    let tracked = Softmax::LAST.forward(&Tensor::ones(&[3]).tracked());
    assert!(tracked.is_tracked(), "use tensor operations only: lesson 05 follows them");
    let message = panic_message(|| Softmax::LAST.forward(&Tensor::scalar(1.0)));
    let wanted = "softmax: axis -1 of shape (): there are 0 axes";
    expect_eq("a scalar", &*message, wanted, "given: the axis is checked first");
}

// %% nbgrader={"grade": false, "grade_id": "activations-debug", "locked": false, "schema_version": 3, "solution": true, "task": false}
/// The probabilities of each class, for each row of `x`: a network of two linear maps with the weights `first` and
/// `second`.
///
/// TODO: find the fault in these lines, which a colleague wrote, and write them correctly. The network learns
/// nothing but straight lines, and whenever two scores should be negative, their probabilities are equal.
///
/// ```text
/// let hidden = x.matmul(first);
/// let scores = ReLU.forward(&hidden.matmul(second));
/// Softmax::LAST.forward(&scores)
/// ```
///
/// APPROACH:
/// 1. Compute by hand what comes out for x = 1 and x = -1, with the weights of the example.
/// 2. Where must something nonlinear be, so that two linear maps are more than one? And what does softmax need:
///    scores, or scores without the negative ones?
///
/// EXAMPLE: with `first` `[[1, -1]]` and `second` `[[1, -1], [1, -1]]`, the scores of x are |x| and -|x|. So the
/// rows -1 and 1 have the probabilities 0.881 and 0.119.
///
/// HINTS: no line has to be added. One step is in the wrong place.
pub fn class_probabilities(x: &Tensor, first: &Tensor, second: &Tensor) -> Tensor {
    // BEGIN SOLUTION
    let hidden = ReLU.forward(&x.matmul(first));
    Softmax::LAST.forward(&hidden.matmul(second))
    // END SOLUTION
}

// %% nbgrader={"grade": true, "grade_id": "test-activations-debug", "locked": true, "points": 10, "schema_version": 3, "solution": false, "task": false}
/// 🔬 The V of the lesson as a score, and scores of which one or both are negative.
#[test]
fn test_unit_debug() {
    use tinytorch::testing::expect_close;

    let x = Tensor::new(&[-1.0, 0.0, 1.0], &[3, 1]);
    let first = Tensor::new(&[1.0, -1.0], &[1, 2]);
    let check = |input: &str, second: &[f32], wanted: &[f32], idea: &str| {
        let probabilities = class_probabilities(&x, &first, &Tensor::new(second, &[2, 2]));
        let sums = probabilities.sum_axis(-1, false).to_vec();
        let rows = "the probabilities of each row sum to 1: softmax along the classes";
        expect_close(format!("{input}: sums"), &sums, &[1.0; 3], 1e-6, rows);
        expect_close(input, &probabilities.to_vec(), wanted, 1e-6, idea);
    };
    // The values are PyTorch's.
    let (large, small) = (0.880_797_1, 0.119_202_92);
    let wanted = [large, small, 0.5, 0.5, large, small];
    let idea = "two linear maps are one without ReLU between them; what softmax gets are all scores, \
                negative ones too";
    check("scores |x| and -|x| for x = -1, 0, 1", &[1.0, -1.0, 1.0, -1.0], &wanted, idea);
    let (large, small) = (0.731_058_6, 0.268_941_43);
    let wanted = [large, small, 0.5, 0.5, large, small];
    let idea = "what softmax gets are all scores, negative ones too";
    check("scores -|x| and -2|x|", &[-1.0, -2.0, -1.0, -2.0], &wanted, idea);
}

// %% nbgrader={"grade": false, "grade_id": "activations-analyze-cost", "locked": true, "schema_version": 3, "solution": false, "task": false}
/// 📊 What does an activation cost?
///
/// Purpose: compare the cost of the activations. Measured: the time for one million elements, as median and
/// quartiles of 15 runs, each in turn with ReLU. Key insight: an exponential takes many instructions, a comparison
/// takes one. Production context: fused kernels compute the activation while the layer's result is still in a
/// register, and save the way to memory and back.
pub fn analyze_activation_cost(out: &mut Reporter) {
    let x = Tensor::randn(&[1_000_000], &mut Rng::seeded(2));
    type Activation = fn(&Tensor) -> Tensor;
    let activations: [(&str, Activation); 6] = [
        ("ReLU", |x| ReLU.forward(x)),
        ("Sigmoid", |x| Sigmoid.forward(x)),
        ("Tanh", |x| Tanh.forward(x)),
        ("GELU", |x| Gelu.forward(x)),
        ("QuickGELU", |x| QuickGelu.forward(x)),
        ("Softmax", |x| Softmax::LAST.forward(x)),
    ];
    let against_relu = |forward: Activation| compare(15, || forward(&x), || ReLU.forward(&x));
    let timings = activations.map(|(name, forward)| (name, against_relu(forward)));
    out.table(Table {
        title: "Cost of one million elements".into(),
        columns: vec![
            Column::plain("activation"),
            Column::with_unit("time", "s"),
            Column::with_unit("per element", "s"),
            Column::with_unit("against ReLU", "x"),
        ],
        rows: timings
            .iter()
            .map(|(name, compared)| {
                let time = compared.first;
                vec![(*name).into(), time.into(), (time.median / 1e6).into(), compared.ratio.into()]
            })
            .collect(),
        origin: Origin::Measured,
    });
    let bar = |(name, compared): &(&str, Comparison)| Point {
        x: 0.0,
        y: compared.first.median,
        spread: Some((compared.first.low, compared.first.high)),
        label: Some((*name).to_owned()),
    };
    out.chart(Chart {
        title: "Time for one million elements".into(),
        kind: ChartKind::Bar,
        x: Axis::linear("activation", ""),
        y: Axis::linear("time", "s"),
        series: vec![Series { name: "time".into(), points: timings.iter().map(bar).collect() }],
        origin: Origin::Measured,
    });
    let sigmoid = timings[1].1;
    out.compared("Timed in turn", &[("a sigmoid", "ReLU", sigmoid)]);
    out.measured("sigmoid against ReLU", sigmoid.ratio.median, "x");
    out.insight(activation_cost_insight(sigmoid.ratio));
}

/// What the time of a sigmoid allows one to say, against that of ReLU.
pub fn activation_cost_insight(sigmoid: Ratio) -> String {
    let took = sigmoid.took("a sigmoid", "ReLU");
    match sigmoid.reading() {
        Reading::Larger => {
            format!("{took} It needs an exponential and a division, ReLU a comparison.")
        }
        Reading::NoClearDifference => {
            format!(
                "{took} Where moving the numbers takes the most time, the exponential hides behind it."
            )
        }
        _ => took,
    }
}

// %% nbgrader={"grade": false, "grade_id": "activations-analyze-depth", "locked": true, "schema_version": 3, "solution": false, "task": false}
/// 📊 What happens to a signal after twenty layers?
///
/// Purpose: see how the activation limits the depth of a network. Measured: the standard deviation of 64
/// rows after each of 20 random layers of width 256, for each activation; after the last ReLU also the
/// fraction of outputs that are zero, and of units that are zero for every row; after the last sigmoid, how much
/// the rows differ. Key insight: after a sigmoid the rows hardly differ, tanh shrinks the signal slowly, ReLU
/// halves its mean square in each layer unless the weights compensate. Production context: He's initialization
/// (2015) doubles the variance of the weights for this reason.
pub fn analyze_depth(out: &mut Reporter) {
    const LAYERS: usize = 20;
    const WIDTH: usize = 256;
    type Activation = fn(&Tensor) -> Tensor;
    let activations: [(&str, f32, Activation); 5] = [
        ("none", 1.0, |x| x.clone()),
        ("ReLU", 1.0, |x| ReLU.forward(x)),
        ("ReLU, weights of twice the variance", 2.0, |x| ReLU.forward(x)),
        ("Sigmoid", 1.0, |x| Sigmoid.forward(x)),
        ("Tanh", 1.0, |x| Tanh.forward(x)),
    ];
    let (mut at_zero, mut dead, mut between_rows) = (0.0, 0.0, 0.0);
    let series = activations.map(|(name, variance, activation)| {
        let mut rng = Rng::seeded(3);
        let mut x = Tensor::randn(&[64, WIDTH], &mut rng);
        let deviations = (0..=LAYERS).map(|depth| {
            if depth > 0 {
                let scale = (variance / WIDTH as f32).sqrt();
                let weight = Tensor::randn(&[WIDTH, WIDTH], &mut rng) * scale;
                x = activation(&x.matmul(&weight));
            }
            (depth as f64, f64::from(standard_deviation(&x)))
        });
        let series = Series::new(name, deviations.collect::<Vec<_>>());
        if name == "ReLU" {
            (at_zero, dead) = (fraction_of_zeros(&x), fraction_of_zeros(&x.max_axis(0, false)));
        }
        if name == "Sigmoid" {
            between_rows = f64::from(standard_deviation(&(&x - x.mean_axis(0, true))));
        }
        series
    });
    out.chart(Chart {
        title: "Standard deviation of the signal by depth".into(),
        kind: ChartKind::Line,
        x: Axis::linear("layer", ""),
        y: Axis::log("standard deviation", ""),
        series: series.to_vec(),
        origin: Origin::Measured,
    });
    out.measured("zero outputs after the last ReLU", 100.0 * at_zero, "%");
    out.measured("units that are zero for all 64 rows after the last ReLU", 100.0 * dead, "%");
    out.measured(
        "Sigmoid: standard deviation between the rows after the last layer",
        between_rows,
        "",
    );
    let shrunk = |index: usize| series[index].points[0].y / series[index].points[LAYERS].y;
    out.measured("ReLU: standard deviation at the start against the end", shrunk(1), "x");
    out.insight(depth_insight(LAYERS, [0, 1, 2].map(shrunk)));
}

/// What the standard deviation after all layers allows one to say: how many times smaller it is than at the start
/// without an activation, with ReLU, and with ReLU and weights of twice the variance.
pub fn depth_insight(layers: usize, [none, relu, doubled]: [f64; 3]) -> String {
    let change = |factor: f64| match factor {
        f if f.is_nan() => "not a number".to_owned(),
        f if f.is_infinite() => "zero".to_owned(),
        f if f > 2.0 => format!("{f:.1} times smaller than at the start"),
        f if f < 0.5 => format!("{:.1} times larger than at the start", 1.0 / f),
        f => format!("about as large as at the start ({:.2} of it)", 1.0 / f),
    };
    format!(
        "After {layers} layers, the standard deviation is {} without an activation, {} with ReLU, and {} with ReLU \
         and weights of twice the variance.",
        change(none),
        change(relu),
        change(doubled)
    )
}

/// The fraction of elements that are zero.
fn fraction_of_zeros(x: &Tensor) -> f64 {
    x.data().iter().filter(|&&value| value == 0.0).count() as f64 / x.numel() as f64
}

/// The standard deviation of all elements.
fn standard_deviation(x: &Tensor) -> f32 {
    let centred = x - x.mean();
    (&centred * &centred).mean().item().sqrt()
}

// %% nbgrader={"grade": true, "grade_id": "test-activations-module", "locked": true, "points": 20, "schema_version": 3, "solution": false, "task": false}
/// 🧪 A batch with two axes before the scores, and a network of two layers by hand.
#[test]
fn test_module() {
    use tinytorch::testing::{expect_close, expect_eq};

    let batch = Softmax::LAST.forward(&Tensor::randn(&[2, 3, 4], &mut Rng::seeded(1)));
    expect_eq("(2, 3, 4)", batch.shape(), &[2, 3, 4], "the shape stays");
    let sums = batch.sum_axis(2, false).to_vec();
    expect_close(
        "sums over the last axis",
        &sums,
        &[1.0; 6],
        1e-6,
        "one distribution for each row",
    );

    // A row and the two linear maps of a network; the first makes (-2, 2) of it.
    let x = Tensor::new(&[1.0, -3.0], &[1, 2]);
    let first = Tensor::new(&[1.0, -1.0, 1.0, -1.0], &[2, 2]);
    let hidden = ReLU.forward(&Tensor::new(&[-2.0, 2.0], &[1, 2])).to_vec();
    expect_eq("ReLU of (-2, 2)", hidden, vec![0.0, 2.0], "what is below 0 becomes 0");
    let probabilities = class_probabilities(&x, &first, &Tensor::ones(&[2, 2])).to_vec();
    let idea = "the scores are 2 and 2, and equal scores have equal probabilities";
    expect_close("probabilities", &probabilities, &[0.5, 0.5], 1e-7, idea);
}

// %% nbgrader={"grade": false, "grade_id": "activations-normal", "locked": true, "schema_version": 3, "solution": false, "task": false}
/// The cumulative distribution function of the standard normal distribution: the probability that a number drawn
/// from it is below `x`. The complementary error function keeps the digits of small probabilities.
pub fn normal_cdf(x: f32) -> f32 {
    0.5 * tinytorch::libm::erfcf(-x * std::f32::consts::FRAC_1_SQRT_2)
}

/// The density of the standard normal distribution: the derivative of [`normal_cdf`].
pub fn normal_density(x: f32) -> f32 {
    (-0.5 * x * x).exp() / (2.0 * std::f32::consts::PI).sqrt()
}

// %% nbgrader={"grade": false, "grade_id": "activations-forward", "locked": true, "schema_version": 3, "solution": false, "task": false}
/// The elementwise activations over a whole tensor.
macro_rules! forward {
    ($($activation:ident)*) => {
        $(impl $activation {
            /// Its value at each element. Any shape in, the same shape out.
            pub fn forward(&self, x: &Tensor) -> Tensor {
                x.map(self)
            }
        })*
    };
}
forward!(ReLU Sigmoid Tanh Gelu QuickGelu);

// %% nbgrader={"grade": false, "grade_id": "activations-main", "locked": true, "schema_version": 3, "solution": false, "task": false}
/// Runs the analyses and prints what they report.
pub fn main() {
    let mut out = Reporter::stdout();
    analyze_activation_cost(&mut out);
    analyze_depth(&mut out);
}

// %% nbgrader={"grade": false, "grade_id": "activations-own", "locked": false, "schema_version": 3, "solution": false, "task": false}
// Yours: helper functions and tests of your own go here. The tutor runs each `#[test]` function of this cell and
// shows it as yours; it is never graded.
