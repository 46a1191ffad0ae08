//! What the lesson's own tests of module 09 leave out: bad input and what the message says, edges such as an empty batch,
//! promises of the types, and the given geometry.

use tinytorch::autograd::{Backward, track};
use tinytorch::layers::Layer;
use tinytorch::planes::{Pair, bars, channel_sums, dot, shifted};
use tinytorch::random::Rng;
use tinytorch::spatial::{
    AvgPool2d, BatchNorm2d, Conv2d, Flatten, MaxPool2d, RunningStats, Window, cnn_for_digits,
    grid_of, simple_cnn,
};
use tinytorch::tensor::Tensor;
use tinytorch::testing::panic_message;

#[test]
fn every_message_names_the_layer_the_input_and_the_fix() {
    let rng = &mut Rng::seeded(1);
    let conv = Conv2d::new(3, 4, 3, rng);
    let norm = BatchNorm2d::new(3);
    let zeros = |shape: &[usize]| Tensor::zeros(shape);
    let messages = [
        (
            panic_message(|| conv.forward(&zeros(&[8, 8]))),
            ["Conv2d(3 -> 4, 3x3)", "(8, 8)", "x.reshape(&[1, 1, 8, 8])"],
        ),
        (panic_message(|| conv.forward(&zeros(&[2]))), ["Conv2d", "(2)", "four axes"]),
        (panic_message(|| conv.forward(&zeros(&[1, 3, 2, 9]))), ["Conv2d", "2x9", "more padding"]),
        (
            panic_message(|| conv.forward(&zeros(&[1, 3, 0, 9]))),
            ["Conv2d", "images with pixels", "(1, 3, 0, 9)"],
        ),
        (
            panic_message(|| MaxPool2d::new(2).forward(&zeros(&[3, 8, 8]))),
            ["MaxPool2d(2x2)", "(3, 8, 8)", "batch axis"],
        ),
        (
            panic_message(|| AvgPool2d::new(9).forward(&zeros(&[1, 1, 8, 8]))),
            ["AvgPool2d(9x9)", "8x8", "smaller window"],
        ),
        (
            panic_message(|| norm.forward(&zeros(&[1, 2, 4, 4]))),
            ["BatchNorm2d(3)", "(1, 2, 4, 4)", "expected 3 channels, not 2"],
        ),
        (
            panic_message(|| norm.forward(&zeros(&[1, 3, 1, 1]))),
            ["BatchNorm2d(3)", "one value per channel", "larger batch"],
        ),
        (panic_message(|| Flatten.forward(&zeros(&[5]))), ["Flatten", "(5)", "batch axis"]),
        (
            panic_message(|| simple_cnn([1, 3, 8], [2, 2], 10, &mut Rng::seeded(1))),
            ["simple_cnn", "3x8", "4x4"],
        ),
        (
            panic_message(|| MaxPool2d::with(Window::new(3).padding(2))),
            ["MaxPool2d", "padding 2x2", "at most half"],
        ),
        (
            panic_message(|| AvgPool2d::with(Window::new(2).padding((2, 0)))),
            ["AvgPool2d", "padding 2x0", "at most half"],
        ),
        (panic_message(|| Window::new(3).stride((1, 0))), ["Window", "stride of 0", "1 or more"]),
        (panic_message(|| Window::new((0, 3))), ["Window", "size of 0", "1 or more"]),
        (
            panic_message(|| Conv2d::new(0, 4, 3, &mut Rng::seeded(1))),
            ["Conv2d", "0 input", "1 or more"],
        ),
        (
            panic_message(|| Conv2d::from_weights(zeros(&[4, 3, 2, 3]), None, 3)),
            ["Conv2d", "(4, 3, 2, 3)", "(outputs, inputs, 3, 3)"],
        ),
        (
            panic_message(|| Conv2d::from_weights(zeros(&[4, 3, 3, 3]), Some(zeros(&[3])), 3)),
            ["Conv2d", "bias (3)", "expected (4)"],
        ),
        (
            panic_message(|| BatchNorm2d::new(3).eps(-1.0)),
            ["BatchNorm2d(3)", "eps -1", "0 or more"],
        ),
        (
            panic_message(|| BatchNorm2d::new(3).momentum(f32::NAN)),
            ["BatchNorm2d(3)", "momentum NaN", "expected 0 to 1"],
        ),
    ];
    for (message, parts) in messages {
        for part in parts {
            assert!(message.contains(part), "{part:?} is missing in: {message}");
        }
    }
}

#[test]
fn statistics_of_another_size_are_refused() {
    let running = RunningStats { mean: vec![0.0; 2], variance: vec![1.0; 3] };
    let message = panic_message(|| BatchNorm2d::new(3).set_running_stats(running));
    assert!(message.contains("2 means and 3 variances, expected 3"), "{message}");
}

#[test]
fn an_empty_batch_has_a_forward_and_a_backward_pass() {
    let mut net = cnn_for_digits(&mut Rng::seeded(1));
    track(net.parameters_mut());
    let scores = net.forward(&Tensor::zeros(&[0, 1, 8, 8]));
    assert_eq!(scores.shape(), [0, 10]);
    let gradients = scores.sum().backward();
    for parameter in net.parameters() {
        let gradient = gradients.get(parameter).map(Tensor::to_vec).unwrap_or_default();
        assert!(gradient.iter().all(|g| *g == 0.0), "{:?}", parameter.shape());
    }
}

#[test]
fn a_transposed_view_gives_the_same_as_its_copy() {
    let rng = &mut Rng::seeded(2);
    let x = Tensor::randn(&[2, 3, 5, 6], rng);
    let turned = x.transpose(2, 3);
    let copy = Tensor::new(&turned.to_vec(), turned.shape());
    let layers: [&dyn Layer; 4] =
        [&Conv2d::new(3, 2, 3, rng), &MaxPool2d::new(2), &AvgPool2d::new(2), &Flatten];
    for layer in layers {
        assert_eq!(
            layer.forward(&turned).to_vec(),
            layer.forward(&copy).to_vec(),
            "{}",
            layer.name()
        );
    }
}

#[test]
fn kernels_start_with_the_variance_of_he_and_depend_on_the_seed_alone() {
    let conv = |seed| Conv2d::new(8, 64, 5, &mut Rng::seeded(seed)).weight.to_vec();
    let weights = conv(1);
    let variance = weights.iter().map(|w| w * w).sum::<f32>() / weights.len() as f32;
    // 12,800 draws: the relative standard error of a variance is sqrt(2 / 12800) = 0.0125.
    assert!((variance / (2.0 / 200.0) - 1.0).abs() < 0.05, "{variance}");
    assert_eq!(weights, conv(1));
    assert_ne!(weights, conv(2));
}

#[test]
fn padding_is_never_the_maximum_and_gets_no_gradient() {
    let x = Tensor::full(&[1, 1, 2, 2], -5.0).tracked();
    let pool = MaxPool2d::with(Window::new(2).stride(1).padding(1));
    let y = pool.forward(&x);
    assert_eq!(y.to_vec(), [-5.0; 9]);
    let gradient = y.sum().backward();
    let total: f32 = gradient.get(&x).map(Tensor::to_vec).unwrap_or_default().iter().sum();
    assert_eq!(total, 9.0, "each of the nine output positions sends its gradient to a real pixel");
}

#[test]
fn a_grid_that_does_not_fit_is_none() {
    assert!(grid_of((3, 8), (4, 2)).is_none());
    assert!(grid_of((3, 8), Window::new((4, 2)).padding((1, 0))).is_some());
}

#[test]
fn models_move_between_threads() {
    fn can_move(_: impl Send) {}
    can_move(BatchNorm2d::new(1));
    can_move(cnn_for_digits(&mut Rng::seeded(1)));
}

#[test]
fn the_gradient_of_a_masked_patch_stays_in_the_image_and_in_its_patch() {
    let x = Tensor::full(&[1, 1, 2, 4], f32::NEG_INFINITY).tracked();
    let of = |pool: MaxPool2d| {
        let gradients = pool.forward(&x).sum().backward();
        gradients.get(&x).map(Tensor::to_vec).unwrap_or_default()
    };
    assert_eq!(of(MaxPool2d::new(2)), [1.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0]);
    let padded = of(MaxPool2d::with(Window::new(2).stride(2).padding(1)));
    assert_eq!(padded, [1.0, 1.0, 0.0, 1.0, 1.0, 1.0, 0.0, 1.0]);
}

#[test]
fn the_gradient_of_a_bias_keeps_its_digits_however_many_pixels_there_are() {
    let bias = Tensor::zeros(&[1]).tracked();
    let conv = Conv2d::from_weights(Tensor::zeros(&[1, 1, 1, 1]), Some(bias.clone()), 1);
    let y = conv.forward(&Tensor::zeros(&[64, 1, 256, 256]));
    let gradients = y.backward_with(&Tensor::full(y.shape(), 0.1));
    let gradient = gradients.get(&bias).map(Tensor::item);
    let exact = 64.0 * 65_536.0 * f64::from(0.1_f32);
    let error = gradient.map(|found| (f64::from(found) - exact).abs() / exact);
    assert!(error.is_some_and(|error| error < 1e-7), "{gradient:?}, exact is {exact}");
}

#[test]
fn batch_normalization_of_an_empty_batch_is_empty_and_changes_nothing() {
    let mut norm = BatchNorm2d::new(3);
    track(norm.parameters_mut());
    let before = norm.running_stats();
    let y = norm.forward(&Tensor::zeros(&[0, 3, 4, 4]));
    assert_eq!(y.shape(), [0, 3, 4, 4]);
    assert_eq!(norm.running_stats(), before);
    let gradients = y.sum().backward();
    assert_eq!(gradients.get(&norm.weight).map(Tensor::to_vec), Some(vec![0.0; 3]));
}

#[test]
fn eps_and_momentum_can_be_chosen() {
    let mut norm = BatchNorm2d::new(1).eps(3.0).momentum(0.5);
    let x = Tensor::new(&[1.0, 3.0], &[2, 1, 1, 1]);
    assert_eq!(norm.forward(&x).to_vec(), [-0.5, 0.5], "-1 and 1 over the root of 1 + 3");
    let running = norm.running_stats();
    assert_eq!(
        (running.mean, running.variance),
        (vec![1.0], vec![1.5]),
        "half of 2, half of 1 + 2"
    );
    norm.set_training(false);
    let y = norm.forward(&x).to_vec();
    assert!((y[0]).abs() < 1e-6 && (y[1] - 2.0 / 4.5_f32.sqrt()).abs() < 1e-6, "{y:?}");
}

#[test]
fn positions_and_weights_come_row_by_row_and_channel_by_channel() {
    let grid = grid_of((2, 2), (1, 2)).unwrap();
    let pairs = |positions: &mut dyn Iterator<Item = Pair>| -> Vec<(usize, usize)> {
        positions.map(|Pair { rows, columns }| (rows, columns)).collect()
    };
    assert_eq!(pairs(&mut Pair::from((2, 2)).positions()), [(0, 0), (0, 1), (1, 0), (1, 1)]);
    assert_eq!(pairs(&mut grid.kernel_positions()), [(0, 0), (0, 1)]);
    let image = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0];
    let weights: Vec<_> = grid.weights(&image).map(|(n, plane, at)| (n, plane[0], at)).collect();
    let at = |column: usize| Pair::from((0, column));
    assert_eq!(weights, [(0, 1.0, at(0)), (1, 1.0, at(1)), (2, 5.0, at(0)), (3, 5.0, at(1))]);
}

#[test]
fn a_patch_and_the_picture_of_it_are_where_the_window_is() {
    let grid = grid_of((3, 4), Window::new(2).stride((1, 2))).unwrap();
    let plane: Vec<f32> = (0..12).map(|n| n as f32).collect();
    assert_eq!(grid.patch(&plane, 3), [6.0, 7.0, 10.0, 11.0], "one row down, two columns across");
    let picture = grid.on_its_way("t", &[1.0; 12], &[1.0, 3.0, 2.0, 9.0], 2);
    assert_eq!((picture.title.as_str(), picture.width), ("t", 3 * (4 + 1 + 2)));
    let pixel = |row: usize, column: usize| picture.pixels[3 * row * picture.width + 3 * column];
    assert_eq!([pixel(1, 0), pixel(1, 2), pixel(2, 1)], [1.0, 0.4, 1.0], "the patch is bright");
    assert_eq!([pixel(0, 5), pixel(1, 5), pixel(1, 6)], [0.2, 0.3, 0.0], "the map up to here");
}

#[test]
fn pixels_move_within_their_row_and_sums_are_by_channel() {
    let pixels = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0];
    assert_eq!(shifted(&pixels, 3, 0), pixels);
    assert_eq!(shifted(&pixels, 3, 1), [0.0, 1.0, 2.0, 0.0, 4.0, 5.0]);
    assert_eq!(shifted(&pixels, 3, -1), [2.0, 3.0, 0.0, 5.0, 6.0, 0.0]);
    assert_eq!(channel_sums(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0], 2, 2), [14.0, 22.0]);
    assert_eq!(dot(&[1.0; 19], &[2.0; 19]), 38.0);
}

#[test]
fn bars_are_bright_at_one_place_of_their_class() {
    let (pixels, classes) = bars(20, &mut Rng::seeded(3));
    assert_eq!(classes[..4], [0.0, 1.0, 0.0, 1.0]);
    for (image, class) in pixels.chunks(64).zip(classes) {
        let sum = |at: &dyn Fn(usize) -> usize| {
            let bright = (0..8).map(|n| (0..64).filter(|p| at(*p) == n).map(|p| image[p]).sum());
            bright.fold(f32::MIN, f32::max)
        };
        let (column, row) = (sum(&|p| p % 8), sum(&|p| p / 8));
        assert_eq!(column > row, class == 0.0, "{column} {row}");
    }
}
