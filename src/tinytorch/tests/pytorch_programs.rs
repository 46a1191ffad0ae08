//! Random programs over the engine's operations against PyTorch: values and gradients recorded in
//! `fixtures/pytorch_programs.json` by the script beside it.

#![expect(clippy::unwrap_used, reason = "in a test, a panic is the verdict")]

mod kernels;

use kernels::on_every_kernel;
use tinytorch::activations::{Gelu, QuickGelu, ReLU, Sigmoid, Softmax, Tanh};
use tinytorch::autograd::Backward;
use tinytorch::losses::{
    CrossEntropyIgnoring, CrossEntropyLoss, Loss, log_softmax, weighted_cross_entropy,
};
use tinytorch::tensor::Tensor;

/// Both sides round each of some dozens of `f32` operations, in different orders: each rounding is off by 6e-8 of a
/// value, and a quotient or a root passes it on enlarged.
const RELATIVE: f32 = 2e-5;

#[derive(serde::Deserialize)]
struct Fixture {
    programs: Vec<Program>,
    losses: Vec<LossCase>,
}

#[derive(serde::Deserialize)]
struct Program {
    leaves: Vec<Leaf>,
    steps: Vec<Step>,
    shape: Vec<usize>,
    output: Vec<f32>,
    grad_output: Vec<f32>,
    gradients: Vec<Option<Vec<f32>>>,
}

#[derive(Debug, serde::Deserialize)]
struct Leaf {
    shape: Vec<usize>,
    values: Vec<f32>,
}

#[derive(Debug, serde::Deserialize)]
struct Step {
    op: String,
    inputs: Vec<usize>,
    #[serde(default)]
    axis: isize,
    #[serde(default)]
    axes: Vec<isize>,
    #[serde(default)]
    index: usize,
    #[serde(default)]
    indices: Vec<usize>,
    #[serde(default)]
    keepdim: bool,
    #[serde(default)]
    ranges: Vec<[usize; 2]>,
    mask: Option<Leaf>,
}

#[derive(serde::Deserialize)]
struct LossCase {
    shape: Vec<usize>,
    input: Vec<f32>,
    targets: Vec<f32>,
    ignored: f32,
    weights: Option<Vec<f32>>,
    output: f32,
    gradient: Vec<f32>,
}

fn fixture() -> Fixture {
    serde_json::from_str(include_str!("fixtures/pytorch_programs.json")).unwrap()
}

/// Where logarithm, root and quotient are defined: as in the script.
fn positive(x: &Tensor) -> Tensor {
    &(x * x) + 0.5
}

/// The mask of a step that has one.
fn mask(step: &Step) -> Tensor {
    let mask = step.mask.as_ref().unwrap();
    Tensor::new(&mask.values, &mask.shape)
}

fn apply(step: &Step, values: &[Tensor]) -> Tensor {
    let x = &values[step.inputs[0]];
    let other = || &values[step.inputs[1]];
    match step.op.as_str() {
        "neg" => -x,
        "exp" => (x * 0.5).exp(),
        "log" => positive(x).log(),
        "sqrt" => positive(x).sqrt(),
        "relu" => ReLU.forward(x),
        "sigmoid" => Sigmoid.forward(x),
        "tanh" => Tanh.forward(x),
        "gelu" => Gelu.forward(x),
        "quick_gelu" => QuickGelu.forward(x),
        "scale" => &(x * 1.5) - 0.25,
        "sum" => x.sum(),
        "mean" => x.mean(),
        "max" => x.max(),
        "detached_factor" => x * &x.detach(),
        "add" => x + other(),
        "sub" => x - other(),
        "mul" => x * other(),
        "div" => x / &positive(other()),
        "matmul" => x.matmul(other()),
        "sum_axis" => x.sum_axis(&step.axes[..], step.keepdim),
        "mean_axis" => x.mean_axis(&step.axes[..], step.keepdim),
        "max_axis" => x.max_axis(&step.axes[..], step.keepdim),
        "softmax" => Softmax { axis: step.axis }.forward(x),
        "log_softmax" => log_softmax(x, step.axis),
        "reshape" => x.reshape(&[-1]),
        "transpose" => x.transpose(step.axes[0], step.axes[1]),
        "slice" => x.slice(&step.ranges.iter().map(|[a, b]| *a..*b).collect::<Vec<_>>()),
        "select" => x.select(step.axis, step.index),
        "permute" => x.permute(&step.axes),
        "masked_fill" => x.masked_fill(&mask(step), 0.75),
        "masked_softmax" => Softmax::LAST.forward(&x.masked_fill(&mask(step), f32::NEG_INFINITY)),
        "index_select" => x.index_select(step.axis, &step.indices),
        other => panic!("the script knows an operation that this test does not: {other}"),
    }
}

/// Panics unless both agree, relative to the largest number of the array: where large terms cancel, the rounding
/// of the large ones is left.
fn assert_agrees(what: &str, ours: &[f32], pytorch: &[f32]) {
    assert_eq!(ours.len(), pytorch.len(), "{what}");
    let scale = pytorch.iter().fold(1.0_f32, |largest, value| largest.max(value.abs()));
    for (index, (a, b)) in ours.iter().zip(pytorch).enumerate() {
        let close = (a - b).abs() <= RELATIVE * scale;
        assert!(
            close,
            "{what}: value {index} is {a}, PyTorch has {b}\nours:    {ours:?}\nPyTorch: {pytorch:?}"
        );
    }
}

#[test]
fn random_programs_have_pytorchs_values_and_gradients() {
    let programs = fixture().programs;
    assert!(programs.len() >= 600, "the fixture is complete");
    for (number, program) in programs.iter().enumerate() {
        let what = |part: &str| format!("program {number}, {part}, steps {:#?}", program.steps);
        let leaves: Vec<Tensor> = program
            .leaves
            .iter()
            .map(|leaf| Tensor::new(&leaf.values, &leaf.shape).tracked())
            .collect();
        let mut values = leaves.clone();
        for step in &program.steps {
            let value = apply(step, &values);
            values.push(value);
        }
        let output = values.last().unwrap();
        assert_eq!(output.shape(), program.shape, "{}", what("the shape"));
        assert_agrees(&what("the output"), &output.to_vec(), &program.output);
        let grad_output = Tensor::new(&program.grad_output, &program.shape);
        let gradients = output.backward_with(&grad_output);
        for (index, (leaf, wanted)) in leaves.iter().zip(&program.gradients).enumerate() {
            let ours = gradients.get(leaf).map(Tensor::to_vec);
            match (ours, wanted) {
                (Some(ours), Some(wanted)) => {
                    assert_agrees(&what(&format!("the gradient of leaf {index}")), &ours, wanted);
                }
                (None, None) => {}
                (ours, wanted) => {
                    panic!("{}: {ours:?}, PyTorch has {wanted:?}", what("a gradient"))
                }
            }
        }
    }
}

#[test]
fn cross_entropy_has_pytorchs_values_for_extreme_logits_ignored_targets_and_more_axes() {
    let cases = fixture().losses;
    assert!(cases.len() >= 12, "the fixture is complete");
    for case in cases {
        let logits = Tensor::new(&case.input, &case.shape).tracked();
        let targets = Tensor::new(&case.targets, &[&case.shape[..1], &case.shape[2..]].concat());
        let loss = match case.weights {
            Some(weights) => {
                let weights = Tensor::new(&weights, &[weights.len()]);
                weighted_cross_entropy(&logits, &targets, &weights)
            }
            None if case.ignored < 0.0 => CrossEntropyLoss.forward(&logits, &targets),
            None => {
                CrossEntropyIgnoring { class: case.ignored as usize }.forward(&logits, &targets)
            }
        };
        let what = format!("cross-entropy of {:?} with {:?}", case.shape, case.targets);
        assert_agrees(&what, &[loss.item()], &[case.output]);
        let gradient = loss.backward().get(&logits).unwrap().to_vec();
        assert_agrees(&format!("the gradient of {what}"), &gradient, &case.gradient);
    }
}

#[test]
fn the_kernels_of_lesson_18_agree_with_pytorch_too() {
    on_every_kernel(&[
        random_programs_have_pytorchs_values_and_gradients,
        cross_entropy_has_pytorchs_values_for_extreme_logits_ignored_targets_and_more_axes,
    ]);
}
