//! Lesson 14 beside PyTorch's counter of operations, and the probe of this machine.
#![expect(clippy::unwrap_used, reason = "in a test a panic is the verdict")]

use serde_json::Value;
use tinytorch::layers::Layer;
use tinytorch::planes::Window;
use tinytorch::profiling::{FlopCounter, probe_machine};
use tinytorch::random::Rng;
use tinytorch::spatial::Conv2d;
use tinytorch::tensor::Tensor;

/// Made by `fixtures/pytorch_flops.py`.
fn recorded(kind: &str) -> Vec<Value> {
    let all: Value = serde_json::from_str(include_str!("fixtures/pytorch_flops.json")).unwrap();
    all[kind].as_array().unwrap().clone()
}

fn sizes(list: &Value) -> Vec<usize> {
    list.as_array().unwrap().iter().map(|n| n.as_u64().unwrap() as usize).collect()
}

#[test]
fn convolutions_with_stride_and_padding_count_as_in_pytorch() {
    for case in recorded("convolutions") {
        let &[n, inputs, outputs, size, kernel, stride, padding, wanted] = &sizes(&case)[..] else {
            panic!("{case}")
        };
        let window = Window::new(kernel).stride(stride).padding(padding);
        let layer = Conv2d::without_bias(inputs, outputs, window, &mut Rng::seeded(1));
        let y = layer.forward(&Tensor::zeros(&[n, inputs, size, size]).tracked());
        assert_eq!(FlopCounter::of(&y).flops.total(), wanted as u64, "{case}");
    }
}

#[test]
fn products_in_batches_count_as_in_pytorch() {
    for case in recorded("products") {
        let [left, right] = [0, 1].map(|at| Tensor::zeros(&sizes(&case[at])));
        let counter = FlopCounter::of(&left.tracked().matmul(&right));
        assert_eq!(counter.flops.total(), case[2].as_u64().unwrap(), "{case}");
    }
}

#[test]
fn a_machine_has_a_peak_a_bandwidth_and_a_ridge_point() {
    let machine = probe_machine();
    for figure in [machine.peak_flops, machine.bandwidth, machine.ridge_point()] {
        assert!(figure.is_finite() && figure > 0.0, "{machine:?}");
    }
}
