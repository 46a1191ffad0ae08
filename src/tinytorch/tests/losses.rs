//! Losses at their edges: values and gradients are those of PyTorch, or of the formula in double precision.

use tinytorch::activations::Sigmoid;
use tinytorch::autograd::Backward;
use tinytorch::losses::{
    BinaryCrossEntropyLoss, BinaryCrossEntropyWithLogitsLoss, CrossEntropyIgnoring,
    CrossEntropyLoss, IGNORED, Loss, weighted_cross_entropy,
};
use tinytorch::tensor::Tensor;
use tinytorch::testing::{assert_close, panic_message};

/// The loss of one prediction, and its gradient.
fn judged(
    loss: impl Fn(&Tensor) -> Tensor,
    prediction: &[f32],
    shape: &[usize],
) -> (f32, Vec<f32>) {
    let prediction = Tensor::new(prediction, shape).tracked();
    let loss = loss(&prediction);
    (loss.item(), loss.backward().get(&prediction).expect("a gradient").to_vec())
}

#[test]
fn an_excluded_class_costs_nothing_and_gets_no_gradient() {
    let target = Tensor::new(&[1.0], &[1]);
    let loss = |logits: &Tensor| CrossEntropyLoss.forward(logits, &target);
    let (value, gradient) = judged(loss, &[f32::NEG_INFINITY, 0.0, 0.0], &[1, 3]);
    assert_close(&[value], &[2.0_f32.ln()], 1e-6);
    assert_close(&gradient, &[0.0, -0.5, 0.5], 1e-6);
    let (value, gradient) = judged(loss, &[-3e38, 3e38], &[1, 2]);
    assert_eq!((value, gradient), (0.0, vec![0.0, 0.0]));
    let (value, _) = judged(loss, &[0.0, f32::NEG_INFINITY], &[1, 2]);
    assert_eq!(value, f32::INFINITY, "the target itself is impossible");
}

#[test]
fn an_ignored_target_costs_nothing_gets_no_gradient_and_is_not_counted() {
    let target = Tensor::new(&[IGNORED, 1.0, 0.0], &[3]);
    let logits = [9.0, f32::NEG_INFINITY, 1.0, 3.0, 5.0, 5.0];
    let loss = |logits: &Tensor| CrossEntropyLoss.forward(logits, &target);
    let (value, gradient) = judged(loss, &logits, &[3, 2]);
    let counted = Tensor::new(&[1.0, 0.0], &[2]);
    let others = |logits: &Tensor| CrossEntropyLoss.forward(logits, &counted);
    let (wanted, of_others) = judged(others, &logits[2..], &[2, 2]);
    assert_close(&[value], &[wanted], 1e-6);
    assert_close(&gradient, &[&[0.0, 0.0], &of_others[..]].concat(), 1e-6);

    // The same by the number of a class.
    let padded = Tensor::new(&[2.0, 1.0, 0.0], &[3]);
    let ignoring = |logits: &Tensor| CrossEntropyIgnoring { class: 2 }.forward(logits, &padded);
    assert_eq!(judged(ignoring, &logits, &[3, 2]), (value, gradient));
}

#[test]
fn targets_that_do_not_fit_are_named_where_they_stand() {
    let loss = |shape: &[usize], targets: &[f32], wanted: &[usize]| {
        let (logits, targets) = (Tensor::zeros(shape), Tensor::new(targets, wanted));
        panic_message(|| CrossEntropyLoss.forward(&logits, &targets))
    };
    let message = loss(&[3, 2], &[IGNORED, 0.0, 2.0], &[3]);
    assert!(message.starts_with("cross entropy: target 2 is 2"), "ignored ones count: {message}");
    let message = loss(&[2, 4, 3], &[0.0; 8], &[2, 4]);
    let wanted = "cross entropy: logits (2, 4, 3), whose axis 1 is the classes, need targets (2, 3), got (2, 4)";
    assert_eq!(message, wanted);
    let message = loss(&[1, 4, 3], &[IGNORED; 3], &[1, 3]);
    assert_eq!(message, "cross entropy: all 3 targets are ignored (-100), so there is no mean");
    let padding =
        |logits: &Tensor| CrossEntropyIgnoring { class: 0 }.forward(logits, &Tensor::zeros(&[2]));
    let message = panic_message(|| padding(&Tensor::zeros(&[2, 3])));
    assert!(message.contains("all 2 targets are ignored"), "{message}");
    assert!(loss(&[2, 0, 3], &[0.0; 6], &[2, 3]).contains("are empty"));
}

#[test]
fn a_confident_and_wrong_prediction_keeps_its_gradient() {
    let one = Tensor::ones(&[1]);
    for z in [-8.0_f32, -16.0, -20.0, -80.0] {
        let by_sigmoid = |z: &Tensor| BinaryCrossEntropyLoss.forward(&Sigmoid.forward(z), &one);
        let by_logit = |z: &Tensor| BinaryCrossEntropyWithLogitsLoss.forward(z, &one);
        let exact = [(1.0 + (-f64::from(z)).exp()).ln() as f32];
        // The slope of the logarithm ends at 1e12: that of a probability below it is smaller than it should be.
        let slope = if z < -27.0 { 0.0 } else { -1.0 / (1.0 + z.exp()) };
        let (value, gradient) = judged(by_sigmoid, &[z], &[1]);
        assert_close(&[value], &exact, 1e-5);
        assert_close(&gradient, &[slope], 1e-5);
        let (value, gradient) = judged(by_logit, &[z], &[1]);
        assert_close(&[value], &exact, 1e-5);
        assert_close(&gradient, &[-1.0 / (1.0 + z.exp())], 1e-5);
    }
}

#[test]
fn a_probability_of_exactly_0_or_1_costs_100_when_wrong_and_nothing_when_right() {
    let loss = |target: f32| {
        move |p: &Tensor| BinaryCrossEntropyLoss.forward(p, &Tensor::full(&[1], target))
    };
    assert_eq!(judged(loss(1.0), &[0.0], &[1]), (100.0, vec![-1e12]));
    assert_eq!(judged(loss(0.0), &[1.0], &[1]), (100.0, vec![1e12]));
    assert_eq!(judged(loss(1.0), &[1.0], &[1]), (0.0, vec![-1.0]));
    assert_eq!(judged(loss(0.0), &[0.0], &[1]), (0.0, vec![1.0]));
}

#[test]
fn logits_of_any_size_give_the_loss_of_the_formula() {
    let logits = [-200.0, -3.0, -0.1, 0.0, 0.1, 3.0, 200.0];
    let targets = [0.0, 1.0, 0.3, 0.5, 1.0, 0.0, 0.0];
    for (z, t) in logits.into_iter().zip(targets) {
        let target = Tensor::full(&[1], t);
        let loss = |z: &Tensor| BinaryCrossEntropyWithLogitsLoss.forward(z, &target);
        let (value, gradient) = judged(loss, &[z], &[1]);
        let (z, t) = (f64::from(z), f64::from(t));
        let exact = z.max(0.0) - z * t + (1.0 + (-z.abs()).exp()).ln();
        assert_close(&[value], &[exact as f32], 1e-6);
        assert_close(&gradient, &[(1.0 / (1.0 + (-z).exp()) - t) as f32], 1e-6);
    }
}

#[test]
fn class_weights_scale_the_gradient_of_a_row_as_well() {
    let target = Tensor::new(&[0.0, 2.0, 1.0, 2.0], &[4]);
    let weights = Tensor::new(&[1.0, 5.0, 0.5], &[3]);
    let loss = |logits: &Tensor| weighted_cross_entropy(logits, &target, &weights);
    let logits = [2.0, 0.0, 1.0, 0.0, 3.0, -1.0, 1.0, 1.0, 1.0, 0.5, -2.0, 4.0];
    let (value, gradient) = judged(loss, &logits, &[4, 3]);
    // torch.nn.functional.cross_entropy(logits, target, weight=weights), PyTorch 2.15.
    assert_close(&[value], &[1.135_669_5], 1e-6);
    let wanted = [
        -0.047_822_73,
        0.012_861_509,
        0.034_961_21,
        0.003_329_473,
        0.066_874_26,
        -0.070_203_73,
        0.238_095_22,
        -0.476_190_5,
        0.238_095_22,
        0.002_088_705,
        0.000_171_451,
        -0.002_260_153,
    ];
    assert_close(&gradient, &wanted, 1e-6);
}
