//! The kernels of lesson 18 against the plain loops: on random shapes, with all instructions of this CPU and with views
//! that are transposed or cut out.

use proptest::prelude::*;
use std::sync::Arc;
use tinytorch::acceleration::OptimizedBackend;
use tinytorch::activations::{Gelu, QuickGelu, ReLU, Sigmoid, Softmax, Tanh};
use tinytorch::attention::masked_softmax;
use tinytorch::autograd::{Backward, no_grad, track};
use tinytorch::backend::with_backend;
use tinytorch::layers::{Layer, Linear};
use tinytorch::losses::{CrossEntropyLoss, Loss};
use tinytorch::profiling::FlopCounter;
use tinytorch::random::Rng;
use tinytorch::simd::Simd;
use tinytorch::spatial::{Conv2d, MaxPool2d, Window};
use tinytorch::tensor::Tensor;
use tinytorch::testing::{expect_close, panic_message};
use tinytorch::transformers::{LayerNorm, RmsNorm};

/// What `work` gives on each backend, beside what it gives on the plain loops.
fn agrees(name: &str, work: impl Fn() -> Vec<f32>) {
    let wanted = work();
    let largest =
        wanted.iter().filter(|x| x.is_finite()).fold(1.0_f32, |most, x| most.max(x.abs()));
    for simd in Simd::available() {
        for threads in [1, 2] {
            let backend = OptimizedBackend::detect().with_simd(simd).with_threads(threads);
            let yours = with_backend(Arc::new(backend), &work);
            let input = format!("{name}, {simd}, {threads} threads");
            expect_close(input, &yours, &wanted, 1e-5 * largest, "the plain loops");
        }
    }
}

/// The gradients of these leaves, one after the other.
fn gradients_of(result: &Tensor, upstream: &Tensor, leaves: &[&Tensor]) -> Vec<f32> {
    let gradients = result.backward_with(upstream);
    let of = |leaf: &&Tensor| gradients.get(leaf).expect("every leaf took part").to_vec();
    leaves.iter().flat_map(of).collect()
}

/// Random numbers: whole, transposed or cut out of a larger matrix.
fn matrix(rows: usize, columns: usize, view: usize, rng: &mut Rng) -> Tensor {
    match view {
        0 => Tensor::randn(&[rows, columns], rng),
        1 => Tensor::randn(&[columns, rows], rng).t(),
        _ => Tensor::randn(&[rows + 2, columns + 3], rng).slice(&[1..rows + 1, 2..columns + 2]),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn a_product_is_the_plain_one(
        m in 0..40_usize, k in 0..300_usize, n in 0..70_usize, views in (0..3_usize, 0..3_usize), seed in 0..1000_u64,
    ) {
        let rng = &mut Rng::seeded(seed);
        let (a, b) = (matrix(m, k, views.0, rng), matrix(k, n, views.1, rng));
        agrees(&format!("({m}, {k}) x ({k}, {n}), views {views:?}"), || a.matmul(&b).to_vec());
    }

    #[test]
    fn a_batch_of_products_is_the_plain_one(
        batch in (1..4_usize, 1..4_usize), m in 1..9_usize, k in 1..9_usize, n in 1..9_usize, seed in 0..1000_u64,
    ) {
        let rng = &mut Rng::seeded(seed);
        let a = Tensor::randn(&[batch.0, m, batch.1, k], rng).transpose(1, 2);
        for b in [Tensor::randn(&[batch.0, 1, n, k], rng).t(), Tensor::randn(&[k, n], rng)] {
            agrees("a batch", || a.matmul(&b).to_vec());
        }
    }

    #[test]
    fn a_linear_layer_and_its_gradients_are_the_plain_ones(
        batch in (0..4_usize, 1..40_usize), inputs in 1..70_usize, outputs in 1..40_usize, view in 0..3_usize, seed in 0..1000_u64,
    ) {
        let rng = &mut Rng::seeded(seed);
        let mut layer = Linear::new(inputs, outputs, rng);
        layer.weight = matrix(inputs, outputs, view, rng);
        layer.bias = Some(Tensor::randn(&[outputs], rng));
        track(layer.parameters_mut());
        let x = Tensor::randn(&[batch.1, batch.0, inputs], rng).transpose(0, 1).tracked();
        let upstream = Tensor::randn(&[batch.0, batch.1, outputs], rng);
        agrees(&format!("{batch:?}, {inputs} to {outputs}, view {view}"), || {
            let y = Layer::forward(&layer, &x);
            [y.to_vec(), gradients_of(&y, &upstream, &[&[&x], &layer.parameters()[..]].concat())].concat()
        });
    }

    #[test]
    fn the_largest_pixels_and_their_gradient_are_the_plain_ones(
        sizes in (1..3_usize, 1..4_usize), image in (4..12_usize, 4..12_usize), kernel in (2..4_usize, 2..4_usize),
        stride in (1..4_usize, 1..4_usize), padding in 0..2_usize, seed in 0..1000_u64,
    ) {
        let rng = &mut Rng::seeded(seed);
        let pool = MaxPool2d::with(Window::new(kernel).stride(stride).padding(padding));
        // Few different numbers, so that there are equal ones; some are no numbers.
        let numbers = [f32::NEG_INFINITY, -1.0, 0.0, 1.0, f32::NAN];
        let count = sizes.0 * sizes.1 * image.0 * image.1;
        let pixels: Vec<f32> = (0..count).map(|_| numbers[rng.below(5)]).collect();
        let x = Tensor::new(&pixels, &[sizes.0, sizes.1, image.0, image.1]).tracked();
        agrees(&format!("{sizes:?}, {image:?}, {kernel:?}, {stride:?}, {padding}"), || {
            let y = pool.forward(&x);
            // `expect_close` compares numbers: each that is none gets one.
            let shown = y.to_vec().into_iter().map(|y| if y.is_nan() { 9.0 } else { y.max(-9.0) });
            shown.chain(gradients_of(&y, &Tensor::randn(y.shape(), &mut Rng::seeded(seed)), &[&x])).collect()
        });
    }

    #[test]
    fn a_convolution_and_its_gradients_are_the_plain_ones(
        sizes in (1..3_usize, 1..4_usize, 1..6_usize), image in (3..12_usize, 3..40_usize),
        kernel in (1..4_usize, 1..4_usize), stride in (1..3_usize, 1..3_usize), padding in 0..2_usize, seed in 0..1000_u64,
    ) {
        let rng = &mut Rng::seeded(seed);
        let (count, inputs, outputs) = sizes;
        let window = Window::new(kernel).stride(stride).padding(padding);
        let mut conv = Conv2d::new(inputs, outputs, window, rng);
        conv.bias = Some(Tensor::randn(&[outputs], rng));
        track(conv.parameters_mut());
        let x = Tensor::randn(&[count, inputs, image.0, image.1], rng).tracked();
        let upstream = Tensor::randn(no_grad(|| conv.forward(&x)).shape(), rng);
        agrees(&format!("{sizes:?}, {image:?}, {window:?}"), || {
            let y = conv.forward(&x);
            [y.to_vec(), gradients_of(&y, &upstream, &[&[&x], &conv.parameters()[..]].concat())].concat()
        });
    }

    #[test]
    fn functions_and_their_gradients_are_the_plain_ones(count in 0..70_usize, scale in 0..4_usize, seed in 0..1000_u64) {
        let scale = [1.0, 10.0, 50.0, 200.0][scale];
        let x = (Tensor::randn(&[count], &mut Rng::seeded(seed)) * scale).tracked();
        type Function = fn(&Tensor) -> Tensor;
        let functions: [(&str, Function); 6] = [
            ("ReLU", |x| ReLU.forward(x)),
            ("Sigmoid", |x| Sigmoid.forward(x)),
            ("Tanh", |x| Tanh.forward(x)),
            ("Gelu", |x| Gelu.forward(x)),
            ("QuickGelu", |x| QuickGelu.forward(x)),
            ("e^-|x|", |x| (-(x * x).sqrt()).exp()),
        ];
        for (name, function) in functions {
            agrees(name, || {
                let y = function(&x);
                let gradients = y.backward_with(&Tensor::full(&[count], 0.5));
                let gradient = gradients.get(&x).map(Tensor::to_vec).unwrap_or_default();
                [y.to_vec(), gradient].concat()
            });
        }
    }

    #[test]
    fn rows_are_normalised_as_by_the_plain_loops(rows in 1..5_usize, width in 1..70_usize, seed in 0..1000_u64) {
        let rng = &mut Rng::seeded(seed);
        let x = Tensor::randn(&[rows, width], rng).tracked();
        let upstream = Tensor::randn(&[rows, width], rng);
        let (mut norm, mut rms) = (LayerNorm::new(width), RmsNorm::new(width));
        for parameter in [&mut norm.gamma, &mut norm.beta, &mut rms.gamma] {
            *parameter = Tensor::randn(&[width], rng).tracked();
        }
        let both = |layer: &dyn Layer| {
            let y = layer.forward(&x);
            let gradients = y.backward_with(&upstream);
            let leaves = [vec![&x], layer.parameters()].concat();
            let found = leaves.into_iter().flat_map(|leaf| gradients.get(leaf).map(Tensor::to_vec));
            found.flatten().chain(y.to_vec()).collect::<Vec<f32>>()
        };
        // A row of one or two numbers has hardly a variance, so its gradient is large and badly conditioned.
        if width > 2 {
            agrees("LayerNorm", || both(&norm));
        }
        agrees("RmsNorm", || both(&rms));
        agrees("softmax", || Softmax::LAST.forward(&x.detach()).to_vec());
        agrees("masked softmax", || {
            let y = masked_softmax(&x);
            let gradients = y.backward_with(&upstream);
            [y.to_vec(), gradients.get(&x).map(Tensor::to_vec).unwrap_or_default()].concat()
        });
    }

    #[test]
    fn the_loss_and_its_gradient_are_the_plain_ones(rows in 1..6_usize, classes in 1..40_usize, seed in 0..1000_u64) {
        let rng = &mut Rng::seeded(seed);
        let logits = (Tensor::randn(&[rows, classes], rng) * 5.0).tracked();
        let mut targets: Vec<f32> = (0..rows).map(|_| rng.below(classes) as f32).collect();
        if rows > 1 {
            targets[0] = tinytorch::losses::IGNORED;
        }
        let targets = Tensor::new(&targets, &[rows]);
        agrees("cross entropy", || {
            let loss = CrossEntropyLoss.forward(&logits, &targets) * 3.0;
            let gradients = loss.backward();
            [loss.to_vec(), gradients.get(&logits).map(Tensor::to_vec).unwrap_or_default()].concat()
        });
    }
}

#[test]
fn a_nan_and_an_infinity_do_not_vanish() {
    let special = Tensor::new(&[f32::NAN, f32::INFINITY, f32::NEG_INFINITY, 0.0], &[2, 2]);
    let zeros = Tensor::zeros(&[2, 2]);
    for simd in Simd::available() {
        let backend = OptimizedBackend::detect().with_simd(simd);
        with_backend(Arc::new(backend), || {
            let product = zeros.matmul(&special).to_vec();
            assert!(product.iter().all(|x| x.is_nan()), "{simd}: 0 x NaN, 0 x inf: {product:?}");
            let softmax = Softmax::LAST.forward(&special).to_vec();
            assert!(softmax[..2].iter().all(|x| x.is_nan()), "{simd}: {softmax:?}");
            assert_eq!(special.exp().to_vec()[1..], [f32::INFINITY, 0.0, 1.0], "{simd}");
            assert!(Gelu.forward(&special).to_vec()[0].is_nan(), "{simd}");
        });
    }
}

#[test]
fn what_a_backend_fuses_is_counted_as_its_parts() {
    let rng = &mut Rng::seeded(1);
    let (mut layer, x) = (Linear::new(3, 4, rng), Tensor::randn(&[5, 3], rng));
    track(layer.parameters_mut());
    let count = || FlopCounter::of(&Layer::forward(&layer, &x));
    let (plain, fused) = (count(), with_backend(Arc::new(OptimizedBackend::detect()), count));
    assert_eq!(fused.flops, plain.flops);
    assert!(fused.unknown.is_empty(), "{:?}", fused.unknown);
}

#[test]
fn a_target_that_is_no_class_has_the_message_of_the_plain_loss() {
    let (logits, targets) = (Tensor::zeros(&[1, 3]), Tensor::new(&[3.0], &[1]));
    let message = || panic_message(|| CrossEntropyLoss.forward(&logits, &targets));
    let plain = message();
    assert!(plain.contains("target 0 is 3"), "{plain}");
    assert_eq!(with_backend(Arc::new(OptimizedBackend::detect()), message), plain);
}
