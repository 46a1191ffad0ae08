//! Lesson 14 beside PyTorch's counter of operations, and the probe of this machine.
#![expect(clippy::unwrap_used, reason = "in a test a panic is the verdict")]

use serde_json::Value;
use std::sync::mpsc;
use tinytorch::layers::Layer;
use tinytorch::planes::Window;
use tinytorch::profiling::{FlopCounter, Profiler, probe_machine};
use tinytorch::random::Rng;
use tinytorch::report::Reporter;
use tinytorch::spatial::{Conv2d, MaxPool2d};
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
fn a_pool_is_counted_in_blocks_and_named_where_its_windows_are_others() {
    let counted = |pool: MaxPool2d| {
        let y = pool.forward(&Tensor::zeros(&[2, 3, 8, 8]).tracked());
        let FlopCounter { flops, unknown, .. } = FlopCounter::of(&y);
        (flops.total(), unknown.len())
    };
    assert_eq!(counted(MaxPool2d::new(2)), (2 * 3 * 64, 0), "each pixel is compared once");
    for window in [Window::new(3).stride(2), Window::new(2).stride(2).padding(1)] {
        assert_eq!(counted(MaxPool2d::with(window)), (0, 1), "not guessed, but named: {window:?}");
    }
}

#[test]
fn a_report_says_what_was_not_counted() {
    let mut profiler = Profiler::default();
    (profiler.timer.warmup, profiler.timer.runs) = (0, 1);
    let pools = [MaxPool2d::new(2), MaxPool2d::with(Window::new(3))];
    for pool in &pools {
        profiler.layer("pool", 0, &Tensor::zeros(&[1, 1, 8, 8]), |x| pool.forward(x));
        let (items, all) = mpsc::channel();
        let mut out = Reporter::new(move |item| drop(items.send(format!("{item:?}"))));
        profiler.report("A pool", &mut out);
        let is_said = all.try_iter().any(|item| item.contains("not counted: max_pool2d, not in"));
        assert_eq!(is_said, profiler.layers.len() == 2);
    }
}

#[test]
fn a_machine_has_a_peak_a_bandwidth_and_a_ridge_point() {
    let machine = probe_machine();
    for figure in [machine.peak_flops, machine.bandwidth, machine.ridge_point()] {
        assert!(figure.is_finite() && figure > 0.0, "{machine:?}");
    }
}
