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

// %% nbgrader={"grade": false, "grade_id": "layers-header", "locked": true, "schema_version": 3, "solution": false, "task": false}
//! 03 Layers: functions with weights. Input: a batch `(B, in)`. Output: `(B, out)`. Depends on 01 and
//! 02. `Linear` is `y = x W + b` with `W` of shape `(in, out)`: by hand, `[1, 2] [[1], [10]] + [5] = [26]`.
//! `Dropout` zeroes units at random; `Sequential` runs layers one after the other. Not here: how weights learn (05).

use std::any::Any;
use std::fmt;
use std::sync::{Mutex, PoisonError};
use tinytorch::activations::{Gelu, QuickGelu, ReLU, Sigmoid, Softmax, Tanh};
use tinytorch::backend;
use tinytorch::random::Rng;
use tinytorch::report::{Axis, Chart, ChartKind, Column, Origin, Reporter, Series, Table, Value};
use tinytorch::tensor::{Tensor, shape_text};
use tinytorch::testing::{Ratio, compare, memory};

// %% [markdown] nbgrader={"grade": false, "grade_id": "layers-intro", "locked": true, "schema_version": 3, "solution": false, "task": false}
// # 🎯 Layers
//
// You build: the linear layer and its initialization, dropout, and the sequence of layers that is a network.

// %% nbgrader={"grade": false, "grade_id": "layers-layer", "locked": true, "schema_version": 3, "solution": false, "task": false}
/// What every layer does. A layer owns its parameters; the training loop borrows them.
pub trait Layer: Any + Send {
    /// Its name in summaries and messages: `Linear(64 -> 32)`.
    fn name(&self) -> String;

    /// The layer's output for a batch. Panics with both shapes in the message when `x` does not fit.
    fn forward(&self, x: &Tensor) -> Tensor;

    /// The tensors that training updates, always in the same order.
    fn parameters(&self) -> Vec<&Tensor> {
        vec![]
    }

    /// The same tensors, to be updated.
    fn parameters_mut(&mut self) -> Vec<&mut Tensor> {
        vec![]
    }

    /// Copies of its buffers: state that is not learned, such as running means. Most layers have none.
    fn buffers(&self) -> Vec<Tensor> {
        vec![]
    }

    /// Takes its own buffers off the front of `values`, in the order in which `buffers` gives them.
    fn set_buffers(&mut self, _values: &mut dyn Iterator<Item = Tensor>) {}

    /// Switches between training and inference. Most layers do the same in both.
    fn set_training(&mut self, _training: bool) {}
}

/// `y = x W + b`: every output is a weighted sum of all inputs.
#[derive(Debug, Clone)]
pub struct Linear {
    /// `(in, out)`: column `j` holds the weights of output `j`.
    pub weight: Tensor,
    /// `(out)`, added to every row; `None` for a layer without a bias.
    pub bias: Option<Tensor>,
}

// %% nbgrader={"grade": false, "grade_id": "layers-linear-new", "locked": false, "schema_version": 3, "solution": true, "task": false}
impl Linear {
    /// A layer from `inputs` to `outputs` with random weights and a bias of zeros.
    ///
    /// Weights are normal with variance `1 / inputs` (LeCun et al., 1998): a sum of `inputs` such
    /// products has about the variance of one input, so a signal neither vanishes nor explodes.
    ///
    /// TODO: draw the weights with the right variance, and make the bias.
    ///
    /// APPROACH:
    /// 1. `Tensor::randn` draws a weight for each pair of an input and an output, with variance 1.
    /// 2. Scale the weights: a factor changes the variance by its square.
    /// 3. The bias has one zero for each output.
    ///
    /// EXAMPLE: 784 inputs and 256 outputs need 200,960 parameters; the standard deviation of the weights is
    /// 0.0357.
    ///
    /// HINTS: a tensor times an `f32` scales every element; `as f32` converts a size.
    pub fn new(inputs: usize, outputs: usize, rng: &mut Rng) -> Self {
        // BEGIN SOLUTION
        let scale = (1.0 / inputs as f32).sqrt();
        let weight = Tensor::randn(&[inputs, outputs], rng) * scale;
        Self { weight, bias: Some(Tensor::zeros(&[outputs])) }
        // END SOLUTION
    }
}

impl Linear {
    /// The same without a bias.
    pub fn without_bias(inputs: usize, outputs: usize, rng: &mut Rng) -> Self {
        Self { bias: None, ..Self::new(inputs, outputs, rng) }
    }
}

// %% nbgrader={"grade": true, "grade_id": "test-layers-linear-new", "locked": true, "points": 12, "schema_version": 3, "solution": false, "task": false}
/// 🔬 Shapes, the variance and the distribution of the weights, a bias of zeros, seeds.
#[test]
fn test_unit_linear_new() {
    use tinytorch::testing::expect_eq;

    let layer = Linear::new(784, 256, &mut Rng::seeded(1));
    let idea = "the weight has the shape (in, out): column j holds the weights of output j";
    expect_eq("784 inputs, 256 outputs", layer.weight.shape(), &[784, 256], idea);
    let bias = layer.bias.as_ref().expect("the bias is Some, one number for each output");
    let idea = "the bias begins as zeros, one for each output";
    expect_eq("256 outputs", bias.to_vec(), vec![0.0; 256], idea);

    let weights = layer.weight.to_vec();
    let mean = weights.iter().sum::<f32>() / weights.len() as f32;
    let variance = weights.iter().map(|w| (w - mean).powi(2)).sum::<f32>() / weights.len() as f32;
    // 200,704 draws: the variance is within 2 % of 1/784 but for one draw in ten million.
    let wanted = 1.0 / 784.0;
    assert!(
        (variance / wanted - 1.0).abs() < 0.02,
        "the variance of the weights is {variance}, not 1 / inputs = {wanted}"
    );
    assert!(mean.abs() < 0.001, "the mean of the weights is {mean}, not 0");
    let largest = weights.iter().fold(0.0_f32, |largest, w| largest.max(w.abs()));
    assert!(
        largest > 3.0 * wanted.sqrt(),
        "no weight beyond 3 standard deviations: not drawn by `randn`?"
    );

    let again = Linear::new(784, 256, &mut Rng::seeded(1)).weight.to_vec();
    expect_eq("seed 1, twice", again, weights, "all weights come from the generator that is given");
}

// %% nbgrader={"grade": false, "grade_id": "layers-linear-forward", "locked": false, "schema_version": 3, "solution": true, "task": false}
impl Linear {
    /// `x W + b`: `(..., in)` becomes `(..., out)`. Panics with both shapes in the message when the last
    /// axis of `x` is not `in`.
    ///
    /// TODO: multiply, then add the bias if there is one.
    ///
    /// APPROACH:
    /// 1. `matmul` multiplies every row of `x` by the weight.
    /// 2. Broadcasting adds the bias `(out)` to every row.
    ///
    /// EXAMPLE: `x = [[1, 2]]`, `W = [[1], [10]]`, `b = [5]` give `[[26]]`.
    ///
    /// HINTS: `match` on a reference to the bias; with `None` nothing is added, not even zeros.
    pub fn forward(&self, x: &Tensor) -> Tensor {
        let (inputs, last) = (self.weight.shape()[0], x.shape().last());
        assert!(
            last == Some(&inputs),
            "linear: input {} x weight {}: the last axis must be {inputs}",
            shape_text(x.shape()),
            shape_text(self.weight.shape())
        );
        if let Some(bias) = &self.bias
            && let Some((op, sums)) = backend::linear(x.array(), self.weight.array(), bias.array())
        {
            // Loops of lesson 18, which you may switch on there.
            return Tensor::made_by(op, sums, &[x, &self.weight, bias]);
        }
        // BEGIN SOLUTION
        let product = x.matmul(&self.weight);
        match &self.bias {
            Some(bias) => product + bias,
            None => product,
        }
        // END SOLUTION
    }
}

// %% nbgrader={"grade": true, "grade_id": "test-layers-linear-forward", "locked": true, "points": 13, "schema_version": 3, "solution": false, "task": false}
/// 🔬 By hand, a batch, an empty batch, no bias, a wrong width.
#[test]
fn test_unit_linear_forward() {
    use tinytorch::testing::{expect_eq, panic_message};

    let layer = Linear {
        weight: Tensor::new(&[1.0, 0.0, 10.0, 1.0], &[2, 2]),
        bias: Some(Tensor::new(&[5.0, -1.0], &[2])),
    };
    let batch = Tensor::new(&[1.0, 2.0, 3.0, 4.0, 0.0, 0.0], &[3, 2]);
    let idea = "x W, then the bias on every row, if there is one";
    let yours = layer.forward(&batch).to_vec();
    let input = "[[1, 2], [3, 4], [0, 0]] with W = [[1, 0], [10, 1]]";
    let wanted = vec![26.0, 1.0, 48.0, 3.0, 5.0, -1.0];
    expect_eq(format!("{input}, b = [5, -1]"), yours, wanted, idea);
    let bare = Linear { bias: None, ..layer.clone() };
    let wanted = vec![21.0, 2.0, 43.0, 4.0, 0.0, 0.0];
    expect_eq(format!("{input}, no bias"), bare.forward(&batch).to_vec(), wanted, idea);
    let idea = "only the last axis changes: leading axes keep their sizes, 0 included";
    for shape in [vec![0, 2], vec![4, 3, 2]] {
        let y = layer.forward(&Tensor::ones(&shape));
        expect_eq(format!("ones of shape {shape:?}"), y.shape(), &shape[..], idea);
    }
    let tracked = layer.forward(&batch.tracked());
    assert!(tracked.is_tracked(), "use tensor operations only: lesson 05 follows them");

    let message = panic_message(|| layer.forward(&Tensor::ones(&[1, 3])));
    let wanted = "linear: input (1, 3) x weight (2, 2): the last axis must be 2";
    expect_eq("an input (1, 3) for 2 inputs", &*message, wanted, "the given check stays first");
}

// %% nbgrader={"grade": false, "grade_id": "layers-dropout", "locked": true, "schema_version": 3, "solution": false, "task": false}
/// Sets units to zero at random during training (Srivastava et al., 2014), so that no unit relies on another.
/// The others are scaled up: the expected sum stays the same, and inference needs no change.
pub struct Dropout {
    p: f32,
    training: bool,
    /// Each call of `forward` draws new numbers although it only borrows the layer: hence the lock.
    rng: Mutex<Rng>,
}

/// A dropout probability that is not between 0 and 1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct InvalidProbability(pub f32);

impl Dropout {
    /// A layer that drops each unit with probability `p` during training. It starts in training mode.
    ///
    /// # Errors
    /// When `p` is not between 0 and 1.
    pub fn new(p: f32, rng: Rng) -> Result<Self, InvalidProbability> {
        if !(0.0..=1.0).contains(&p) {
            return Err(InvalidProbability(p));
        }
        Ok(Self { p, training: true, rng: Mutex::new(rng) })
    }
}

// %% nbgrader={"grade": false, "grade_id": "layers-dropout-mask", "locked": false, "schema_version": 3, "solution": true, "task": false}
/// What each unit is multiplied by: 0 for one that is dropped, `1 / (1 - p)` for one that stays.
///
/// TODO: draw one random number for each unit, and decide whether the unit is dropped.
///
/// APPROACH:
/// 1. `Rng::uniform` draws from 0 up to 1; below `p` the unit is dropped.
/// 2. Draw once for each element, in order.
/// 3. Make a tensor of the values with `Tensor::new`.
///
/// EXAMPLE: with `p = 0.5` the values are 0 and 2, about half each.
///
/// HINTS: for `p = 1` every unit is dropped, so the infinite scale is never used. The number of elements is the
/// product of the sizes in `shape`.
pub fn dropout_mask(shape: &[usize], p: f32, rng: &mut Rng) -> Tensor {
    // BEGIN SOLUTION
    let scale = 1.0 / (1.0 - p);
    let count: usize = shape.iter().product();
    let values: Vec<f32> =
        (0..count).map(|_| if rng.uniform() < p { 0.0 } else { scale }).collect();
    Tensor::new(&values, shape)
    // END SOLUTION
}

// %% nbgrader={"grade": true, "grade_id": "test-layers-dropout-mask", "locked": true, "points": 6, "schema_version": 3, "solution": false, "task": false}
/// 🔬 Two values only, the right fraction of zeros, a mean of 1.
#[test]
fn test_unit_dropout_mask() {
    use tinytorch::testing::expect_eq;

    let draw = |p| dropout_mask(&[100, 100], p, &mut Rng::seeded(4)).to_vec();
    let half = draw(0.5);
    let two_values = half.iter().all(|&value| value == 0.0 || value == 2.0);
    assert!(
        two_values,
        "p = 0.5: a dropped unit is multiplied by 0, every other unit is scaled by 1 / (1 - p) = 2, not as in {:?}",
        &half[..5]
    );
    for p in [0.1_f32, 0.3, 0.5, 0.9] {
        let mask = draw(p);
        let dropped = mask.iter().filter(|&&value| value == 0.0).count() as f32 / 1e4;
        // Four standard errors of a fraction of 10,000 draws.
        let error = 4.0 * (p * (1.0 - p) / 1e4).sqrt();
        let idea = match dropped {
            0.0 | 1.0 => "each unit has a draw of its own",
            _ => "a unit is dropped when its draw is below p",
        };
        assert!((dropped - p).abs() < error, "p = {p}: a fraction of {dropped} is dropped: {idea}");
        let mean = mask.iter().sum::<f32>() / 1e4;
        let error = 4.0 * (p / (1.0 - p) / 1e4).sqrt();
        assert!(
            (mean - 1.0).abs() < error,
            "p = {p}: the mean of the mask is {mean}, not 1: every other unit is scaled by 1 / (1 - p)"
        );
    }
    let idea =
        "p = 0 drops no unit, p = 1 drops every unit: drop where the number drawn is below p";
    expect_eq("p = 0", draw(0.0), vec![1.0; 10_000], idea);
    expect_eq("p = 1", draw(1.0), vec![0.0; 10_000], idea);
}

// %% nbgrader={"grade": false, "grade_id": "layers-dropout-forward", "locked": false, "schema_version": 3, "solution": true, "task": false}
impl Dropout {
    /// `x` times a new mask during training, `x` itself at inference. The shape stays.
    ///
    /// TODO: decide whether to drop at all; if so, draw a mask and multiply by it.
    ///
    /// APPROACH:
    /// 1. At inference, or when `p` is 0, return a clone of `x`, which copies no elements.
    /// 2. Otherwise lock the generator `rng`, and draw a `dropout_mask` of the shape of `x`.
    ///
    /// EXAMPLE: with `p = 0.5`, `[1, 1, 1, 1]` may become `[2, 0, 0, 2]`.
    ///
    /// HINTS: `Mutex::lock` fails only if a thread panicked while it held the lock; `PoisonError::into_inner`
    /// then returns the generator.
    pub fn forward(&self, x: &Tensor) -> Tensor {
        // BEGIN SOLUTION
        if !self.training || self.p == 0.0 {
            return x.clone();
        }
        let mut rng = self.rng.lock().unwrap_or_else(PoisonError::into_inner);
        x * dropout_mask(x.shape(), self.p, &mut rng)
        // END SOLUTION
    }
}

// %% nbgrader={"grade": true, "grade_id": "test-layers-dropout-forward", "locked": true, "points": 10, "schema_version": 3, "solution": false, "task": false}
/// 🔬 New draws for each call and each row, no change at inference, p = 0 and p = 1.
#[test]
fn test_unit_dropout_forward() {
    use tinytorch::testing::expect_eq;

    let dropout = |p| Dropout::new(p, Rng::seeded(5)).expect("a probability");
    let x = Tensor::rand(&[20, 20], &mut Rng::seeded(6)) + 1.0;

    let mut layer = dropout(0.5);
    let (first, second) = (layer.forward(&x).to_vec(), layer.forward(&x).to_vec());
    assert!(first != second, "each call draws a new mask, from the layer's own generator");
    let scaled = first.iter().zip(x.to_vec()).all(|(y, x)| *y == 0.0 || *y == 2.0 * x);
    assert!(scaled, "p = 0.5: each element is 0 or doubled");
    let row = |row: usize| first[row * 20..][..20].iter().map(|&y| y == 0.0).collect::<Vec<_>>();
    assert!(row(0) != row(1), "each row has draws of its own");
    layer.set_training(false);
    expect_eq("20 rows", layer.forward(&x).to_vec(), x.to_vec(), "inference changes nothing");

    let idea = "p = 0 drops no unit, p = 1 drops every unit";
    expect_eq("p = 0", dropout(0.0).forward(&x).to_vec(), x.to_vec(), idea);
    expect_eq("p = 1", dropout(1.0).forward(&x).to_vec(), vec![0.0; 400], idea);
}

// %% nbgrader={"grade": false, "grade_id": "layers-sequential", "locked": true, "schema_version": 3, "solution": false, "task": false}
/// A sequence of layers: the output of each is the input of the next.
#[derive(Default)]
pub struct Sequential {
    layers: Vec<Box<dyn Layer>>,
}

impl Sequential {
    /// A network of these layers, in this order.
    pub fn new(layers: Vec<Box<dyn Layer>>) -> Self {
        Self { layers }
    }

    /// Adds a layer at the end.
    pub fn push(&mut self, layer: impl Layer) {
        self.layers.push(Box::new(layer));
    }

    /// The layers, in order.
    pub fn layers(&self) -> &[Box<dyn Layer>] {
        &self.layers
    }

    /// The layers, to be changed or replaced.
    pub fn layers_mut(&mut self) -> &mut Vec<Box<dyn Layer>> {
        &mut self.layers
    }
}

// %% nbgrader={"grade": false, "grade_id": "layers-sequential-forward", "locked": false, "schema_version": 3, "solution": true, "task": false}
impl Sequential {
    /// Passes `x` through every layer.
    ///
    /// TODO: apply the layers one after the other.
    ///
    /// APPROACH:
    /// 1. Start with a clone of `x`, which copies no elements.
    /// 2. The result so far is the input of the next layer's `forward`.
    ///
    /// EXAMPLE: without layers, the result is `x`.
    ///
    /// HINTS: a `for` loop with a variable, or a `fold` over the layers.
    pub fn forward(&self, x: &Tensor) -> Tensor {
        // BEGIN SOLUTION
        self.layers.iter().fold(x.clone(), |x, layer| layer.forward(&x))
        // END SOLUTION
    }
}

// %% nbgrader={"grade": true, "grade_id": "test-layers-sequential-forward", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
/// 🔬 The order of layers, no layers at all, parameters in order.
#[test]
fn test_unit_sequential_forward() {
    use tinytorch::testing::expect_eq;

    let x = Tensor::new(&[1.0, -2.0], &[1, 2]);
    let without = Sequential::default().forward(&x).to_vec();
    expect_eq("no layers", without, x.to_vec(), "without layers, the result is the input");
    let idea = "the output of each layer is the input of the next, in their order";

    let negate = Linear { weight: Tensor::new(&[-1.0, 0.0, 0.0, -1.0], &[2, 2]), bias: None };
    let network = Sequential::new(vec![Box::new(negate.clone()), Box::new(ReLU)]);
    expect_eq("[1, -2], negated, then ReLU", network.forward(&x).to_vec(), vec![0.0, 2.0], idea);
    let network = Sequential::new(vec![Box::new(ReLU), Box::new(negate)]);
    expect_eq("[1, -2], ReLU, then negated", network.forward(&x).to_vec(), vec![-1.0, 0.0], idea);
}

// %% nbgrader={"grade": false, "grade_id": "layers-debug", "locked": false, "schema_version": 3, "solution": true, "task": false}
/// A multilayer perceptron: a linear layer between each two neighbouring `sizes`, with ReLU between the layers.
///
/// TODO: find the fault in these lines, which a colleague wrote, and write them correctly. Before any training
/// about half of the scores are exactly 0, and none is negative.
///
/// ```text
/// let mut network = Sequential::default();
/// for pair in sizes.windows(2) {
///     network.push(Linear::new(pair[0], pair[1], rng));
///     network.push(ReLU);
/// }
/// network
/// ```
///
/// APPROACH:
/// 1. Ask which layers these lines put in the network, and which one is the last.
/// 2. Change where the activations are added.
///
/// EXAMPLE: `[64, 32, 10]` gives a network of the name `Linear(64 -> 32) > ReLU > Linear(32 -> 10)`.
///
/// HINTS: `layers` returns the layers that the network has so far.
pub fn multilayer_perceptron(sizes: &[usize], rng: &mut Rng) -> Sequential {
    // BEGIN SOLUTION
    let mut network = Sequential::default();
    for pair in sizes.windows(2) {
        if !network.layers().is_empty() {
            network.push(ReLU);
        }
        network.push(Linear::new(pair[0], pair[1], rng));
    }
    network
    // END SOLUTION
}

// %% nbgrader={"grade": true, "grade_id": "test-layers-debug", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
/// 🔬 The kind and the order of the layers, one layer alone, weights that differ.
#[test]
fn test_unit_debug() {
    use tinytorch::testing::expect_eq;

    let named = |sizes: &[usize]| multilayer_perceptron(sizes, &mut Rng::seeded(3)).name();
    let idea =
        "an activation between two linear layers, and none after the last: a score may be negative";
    for (sizes, wanted) in [
        (vec![6, 5, 5, 4], "Linear(6 -> 5) > ReLU > Linear(5 -> 5) > ReLU > Linear(5 -> 4)"),
        (vec![3, 2], "Linear(3 -> 2)"),
    ] {
        expect_eq(format!("sizes {sizes:?}"), named(&sizes), wanted.to_owned(), idea);
    }
    let network = multilayer_perceptron(&[5, 5, 5], &mut Rng::seeded(3));
    let parameters = network.parameters();
    let equal = parameters[0].to_vec() == parameters[2].to_vec();
    assert!(!equal, "each layer draws its own weights, from the generator that is given");
}

// %% nbgrader={"grade": false, "grade_id": "layers-analyze-memory", "locked": true, "schema_version": 3, "solution": false, "task": false}
/// 📊 Where do the bytes of a layer go?
///
/// Purpose: know the memory of a layer before building it. Measured: bytes that each new layer keeps, and
/// the peak of one forward pass with 32 rows, by a counting allocator. Key insight: weights grow with the
/// square of the width, results with the width. Production context: a layer from width 2,048 to 2,048 holds
/// 16 MiB; a transformer has hundreds of layers.
pub fn analyze_layer_memory(out: &mut Reporter) {
    let mut rng = Rng::seeded(8);
    let rows = [(784, 256), (256, 256), (256, 10), (2048, 2048)].map(|(inputs, outputs)| {
        let (layer, weights) = memory(|| Linear::new(inputs, outputs, &mut rng));
        let x = Tensor::zeros(&[32, inputs]);
        let (_, pass) = memory(|| layer.forward(&x));
        let parameters: usize = layer.parameters().iter().map(|tensor| tensor.numel()).sum();
        let bytes = |used: Option<usize>| used.map_or("not counted".into(), |used| used.into());
        vec![
            layer.name().into(),
            parameters.into(),
            bytes(weights.map(|used| used.kept)),
            bytes(pass.map(|used| used.peak)),
        ]
    });
    out.table(Table {
        title: "Memory of linear layers".into(),
        columns: vec![
            Column::plain("layer"),
            Column::plain("parameters"),
            Column::with_unit("kept", "B"),
            Column::with_unit("forward, 32 rows", "B"),
        ],
        rows: rows.to_vec(),
        origin: Origin::Measured,
    });
    let by_width = [128, 256, 512, 1024, 2048].map(|width| {
        let (layer, used) = memory(|| Linear::new(width, width, &mut rng));
        (width as f64, used.map_or(layer.weight.nbytes(), |used| used.kept) as f64)
    });
    out.chart(Chart {
        title: "Weights by width".into(),
        kind: ChartKind::Line,
        x: Axis::log("width", ""),
        y: Axis::log("bytes kept", "B"),
        series: vec![Series::new("Linear(width -> width)", by_width)],
        origin: Origin::Measured,
    });
    let growth = by_width[4].1 / by_width[3].1;
    out.measured("growth for twice the width", growth, "x");
    out.insight(layer_memory_insight(growth));
}

/// What the growth of a layer's bytes says, when its width doubles from 1,024 to 2,048.
pub fn layer_memory_insight(growth: f64) -> String {
    let cause = match growth {
        g if g < 3.5 => "less than one weight for each pair of an input and an output explains",
        g if g > 4.5 => "more than one weight for each pair of an input and an output explains",
        _ => "every output has a weight for every input",
    };
    format!("Twice the width took {growth:.2} times the bytes: {cause}.")
}

// %% nbgrader={"grade": false, "grade_id": "layers-analyze-performance", "locked": true, "schema_version": 3, "solution": false, "task": false}
/// 📊 Why are networks fed in batches?
///
/// Purpose: see what a batch gains, and what it does not. Measured: the time of one forward pass through a
/// small and a large layer for batches from 1 to 512, as median and quartiles, in turn with as many rows one by one.
/// Operations are counted as 2 x batch x in x out. Key insight: every call has a fixed overhead (checks, allocations),
/// which a batch spreads over its rows; a layer so large that the overhead is negligible gains little in this engine.
/// Production context: libraries also reuse a weight for many rows while it is in a register, so that large layers
/// gain as well (lesson 18), and servers wait some milliseconds to collect a batch of requests.
pub fn analyze_layer_performance(out: &mut Reporter) {
    let mut rng = Rng::seeded(9);
    let (mut rows, mut curves, mut gains) = (vec![], vec![], vec![]);
    for (inputs, outputs) in [(64, 32), (784, 256)] {
        let layer = Linear::new(inputs, outputs, &mut rng);
        let one = Tensor::randn(&[1, inputs], &mut rng);
        let mut speeds = vec![];
        for batch in [1, 8, 32, 128, 512] {
            let x = Tensor::randn(&[batch, inputs], &mut rng);
            // As many rows, once one by one and once together.
            let one_by_one = || (0..batch).for_each(|_| drop(layer.forward(&one)));
            let compared = compare(15, one_by_one, || layer.forward(&x));
            let samples = batch as f64 / compared.second.median;
            let speed = samples * 2.0 * (inputs * outputs) as f64;
            speeds.push((batch as f64, speed));
            let (name, [alone, together]) =
                (layer.name().into(), [compared.first, compared.second].map(Value::from));
            rows.push(vec![name, batch.into(), alone, together, samples.into(), speed.into()]);
            if batch == 512 {
                gains.push(compared);
            }
        }
        curves.push(Series::new(layer.name(), speeds));
    }
    let columns = [
        ("layer", ""),
        ("batch", ""),
        ("rows one by one", "s"),
        ("as a batch", "s"),
        ("rows", "samples/s"),
        ("speed", "FLOP/s"),
    ];
    out.measured_table("Forward pass by batch", &columns, rows);
    out.measured_chart(
        "Speed by batch",
        Axis::log("batch", ""),
        Axis::linear("speed", "FLOP/s"),
        curves,
    );
    let pairs = [(SMALL, BATCH, gains[0]), (LARGE, BATCH, gains[1])];
    out.compared("Timed in turn", &pairs);
    out.measured("small layer: rows per second, batch 512 against 1", gains[0].ratio.median, "x");
    out.measured("large layer: rows per second, batch 512 against 1", gains[1].ratio.median, "x");
    out.insight(layer_performance_insight([gains[0].ratio, gains[1].ratio]));
}

// What is compared, as table and sentence call it.
const SMALL: &str = "512 rows one by one through the small layer";
const LARGE: &str = "512 rows one by one through the large layer";
const BATCH: &str = "a batch of 512";

/// What the time of 512 rows one by one says, compared with one batch of 512, for a small layer and a large one.
pub fn layer_performance_insight([small, large]: [Ratio; 2]) -> String {
    format!("{} {}", small.took(SMALL, BATCH), large.took(LARGE, BATCH))
}

// %% nbgrader={"grade": true, "grade_id": "test-layers-module", "locked": true, "points": 15, "schema_version": 3, "solution": false, "task": false}
/// 🧪 The network of lesson 07: its parameters counted, its dropout on and off.
#[test]
fn test_module() {
    use tinytorch::testing::expect_eq;

    let mut rng = Rng::seeded(7);
    let mut network = Sequential::new(vec![
        Box::new(Linear::new(64, 32, &mut rng)),
        Box::new(ReLU),
        Box::new(Dropout::new(0.5, rng.fork()).expect("a probability")),
    ]);
    network.push(Linear::new(32, 10, &mut rng));
    let parameters: usize = network.parameters().iter().map(|tensor| tensor.numel()).sum();
    let idea = "in x out weights and out biases for each linear layer, none for the others";
    expect_eq("64-32-10", parameters, 64 * 32 + 32 + 32 * 10 + 10, idea);

    let x = Tensor::randn(&[5, 64], &mut rng);
    expect_eq("5 rows", network.forward(&x).shape(), &[5, 10], "one row of scores for each row");
    let twice = |network: &Sequential| [network.forward(&x).to_vec(), network.forward(&x).to_vec()];
    let [first, second] = twice(&network);
    assert!(first != second, "in training each pass drops other units");
    network.set_training(false);
    let [first, second] = twice(&network);
    expect_eq("the same rows again", first, second, "inference drops no units");
    for parameter in network.parameters_mut() {
        *parameter = Tensor::zeros(parameter.shape());
    }
    let idea = "the network computes with the parameters that it lends";
    expect_eq("all parameters 0", network.forward(&x).to_vec(), vec![0.0; 50], idea);
}

// %% nbgrader={"grade": false, "grade_id": "layers-impls", "locked": true, "schema_version": 3, "solution": false, "task": false}
impl Layer for Linear {
    fn name(&self) -> String {
        format!("Linear({} -> {})", self.weight.shape()[0], self.weight.shape()[1])
    }

    fn forward(&self, x: &Tensor) -> Tensor {
        Linear::forward(self, x)
    }

    fn parameters(&self) -> Vec<&Tensor> {
        [&self.weight].into_iter().chain(&self.bias).collect()
    }

    fn parameters_mut(&mut self) -> Vec<&mut Tensor> {
        [&mut self.weight].into_iter().chain(&mut self.bias).collect()
    }
}

/// A layer of which each pass is watched: `watch` sees the layer and its input first. For measurements, and for tests of
/// how a model is used.
pub struct Watched<L, W> {
    /// What computes.
    pub layer: L,
    /// Called before each pass.
    pub watch: W,
}

impl<L: Layer, W: Fn(&L, &Tensor) + Send + 'static> Layer for Watched<L, W> {
    fn name(&self) -> String {
        self.layer.name()
    }

    fn forward(&self, x: &Tensor) -> Tensor {
        (self.watch)(&self.layer, x);
        self.layer.forward(x)
    }

    fn parameters(&self) -> Vec<&Tensor> {
        self.layer.parameters()
    }

    fn parameters_mut(&mut self) -> Vec<&mut Tensor> {
        self.layer.parameters_mut()
    }

    fn buffers(&self) -> Vec<Tensor> {
        self.layer.buffers()
    }

    fn set_buffers(&mut self, values: &mut dyn Iterator<Item = Tensor>) {
        self.layer.set_buffers(values);
    }

    fn set_training(&mut self, training: bool) {
        self.layer.set_training(training);
    }
}

impl Layer for Dropout {
    fn name(&self) -> String {
        format!("Dropout({})", self.p)
    }

    fn forward(&self, x: &Tensor) -> Tensor {
        Dropout::forward(self, x)
    }

    fn set_training(&mut self, training: bool) {
        self.training = training;
    }
}

impl Layer for Sequential {
    fn name(&self) -> String {
        let names: Vec<String> = self.layers.iter().map(|layer| layer.name()).collect();
        names.join(" > ")
    }

    fn forward(&self, x: &Tensor) -> Tensor {
        Sequential::forward(self, x)
    }

    fn parameters(&self) -> Vec<&Tensor> {
        self.layers.iter().flat_map(|layer| layer.parameters()).collect()
    }

    fn parameters_mut(&mut self) -> Vec<&mut Tensor> {
        self.layers.iter_mut().flat_map(|layer| layer.parameters_mut()).collect()
    }

    fn buffers(&self) -> Vec<Tensor> {
        self.layers.iter().flat_map(|layer| layer.buffers()).collect()
    }

    fn set_buffers(&mut self, values: &mut dyn Iterator<Item = Tensor>) {
        self.layers.iter_mut().for_each(|layer| layer.set_buffers(values));
    }

    fn set_training(&mut self, training: bool) {
        self.layers.iter_mut().for_each(|layer| layer.set_training(training));
    }
}

/// An activation is a layer without parameters.
macro_rules! activation_layers {
    ($($activation:ident),*) => {$(
        impl Layer for $activation {
            fn name(&self) -> String {
                stringify!($activation).to_owned()
            }

            fn forward(&self, x: &Tensor) -> Tensor {
                $activation::forward(self, x)
            }
        }
    )*};
}

activation_layers!(ReLU, Sigmoid, Tanh, Gelu, QuickGelu, Softmax);

// %% nbgrader={"grade": false, "grade_id": "layers-dropout-error", "locked": true, "schema_version": 3, "solution": false, "task": false}
impl fmt::Display for InvalidProbability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "dropout: p = {} is not a probability: choose one from 0 to 1", self.0)
    }
}

impl std::error::Error for InvalidProbability {}

// %% nbgrader={"grade": false, "grade_id": "layers-main", "locked": true, "schema_version": 3, "solution": false, "task": false}
/// Runs the analyses and prints what they report.
pub fn main() {
    let mut out = Reporter::stdout();
    analyze_layer_memory(&mut out);
    analyze_layer_performance(&mut out);
}

// %% nbgrader={"grade": false, "grade_id": "layers-own", "locked": false, "schema_version": 3, "solution": false, "task": false}
// Yours: helper functions and tests of your own go here. The tutor runs each `#[test]` function of this cell and
// shows it as yours; it is never graded.
