//! Outputs of the spatial module's cells.

use subject::{
    AvgPool2d, BatchNorm2d, Conv2d, Flatten, RunningStats, channel_statistics, convolve,
    convolve_naive, fold_row, grid_of, input_gradient, max_with_indices, output_size, pad,
    receptive_field, scatter_add, simple_cnn, unfold_row, weight_gradient, weighted_sum,
};
use tinytorch::layers::Layer;
use tinytorch::outputs::{Outputs, Seeded};
use tinytorch::planes::{Grid, Window};
use tinytorch::random::Rng;
use tinytorch::spatial as subject;
use tinytorch::tensor::Tensor;

/// The functions, by their tests.
pub const ALL: &[Seeded] = &[
    ("test_unit_output_size", test_unit_output_size),
    ("test_unit_receptive_field", test_unit_receptive_field),
    ("test_unit_pad", test_unit_pad),
    ("test_unit_convolve_naive", test_unit_convolve_naive),
    ("test_unit_unfold_row", test_unit_unfold_row),
    ("test_unit_convolve", test_unit_convolve),
    ("test_unit_conv_forward", test_unit_conv_forward),
    ("test_unit_weight_gradient", test_unit_weight_gradient),
    ("test_unit_fold_row", test_unit_fold_row),
    ("test_unit_input_gradient", test_unit_input_gradient),
    ("test_unit_max_with_indices", test_unit_max_with_indices),
    ("test_unit_avgpool", test_unit_avgpool),
    ("test_unit_channel_statistics", test_unit_channel_statistics),
    ("test_unit_batchnorm_forward", test_unit_batchnorm_forward),
    ("test_unit_flatten", test_unit_flatten),
    ("test_unit_simple_cnn", test_unit_simple_cnn),
];

fn normal(rng: &mut Rng, count: usize) -> Vec<f32> {
    (0..count).map(|_| rng.normal()).collect()
}

/// Several geometries.
fn grids(rng: &mut Rng) -> Vec<Grid> {
    let image = (6 + rng.below(3), 5 + rng.below(4));
    let windows = [
        Window::new(3),
        Window::new((2, 3)).stride((2, 1)),
        Window::new(3).stride(2).padding(1),
        Window::new((1, 2)).padding((0, 1)),
    ];
    windows.into_iter().filter_map(|window| grid_of(image, window)).collect()
}

fn test_unit_output_size(rng: &mut Rng, out: &mut Outputs) {
    for _ in 0..20 {
        let [input, kernel, stride, padding] = [10, 8, 4, 3].map(|bound| rng.below(bound));
        let size = output_size(input, kernel, stride, padding);
        out.counts("size", [size.unwrap_or(99)]);
    }
}

fn test_unit_receptive_field(rng: &mut Rng, out: &mut Outputs) {
    for count in 0..5 {
        let layers: Vec<_> = (0..count).map(|_| (1 + rng.below(5), 1 + rng.below(3))).collect();
        out.counts("field", [receptive_field(&layers)]);
    }
}

fn test_unit_pad(rng: &mut Rng, out: &mut Outputs) {
    for grid in grids(rng) {
        let planes = normal(rng, 2 * grid.image.area());
        out.numbers("padded", pad(&grid, &planes, rng.normal()));
    }
}

fn test_unit_convolve_naive(rng: &mut Rng, out: &mut Outputs) {
    for grid in grids(rng) {
        let image = normal(rng, 2 * grid.padded.area());
        let kernels = normal(rng, 3 * 2 * grid.window.kernel.area());
        let kernel = &kernels[..2 * grid.window.kernel.area()];
        out.number("one sum", weighted_sum(&grid, &image, kernel, (1, 1).into()));
        let mut result = normal(rng, 3 * grid.output.area());
        convolve_naive(&grid, &image, &kernels, &mut result);
        out.numbers("result", result);
    }
}

fn test_unit_unfold_row(rng: &mut Rng, out: &mut Outputs) {
    for grid in grids(rng) {
        let plane = normal(rng, grid.padded.area());
        for position in grid.kernel_positions() {
            let mut unfolded = vec![9.0; grid.output.area()];
            unfold_row(&grid, &plane, position, &mut unfolded);
            out.numbers("unfolded", unfolded);
        }
    }
}

fn test_unit_convolve(rng: &mut Rng, out: &mut Outputs) {
    for grid in grids(rng) {
        let image = normal(rng, 2 * grid.padded.area());
        let kernels = normal(rng, 3 * 2 * grid.window.kernel.area());
        let mut result = normal(rng, 3 * grid.output.area());
        convolve(&grid, &image, &kernels, &mut result);
        out.numbers("result", result);
    }
}

fn test_unit_conv_forward(rng: &mut Rng, out: &mut Outputs) {
    let x = Tensor::randn(&[2, 3, 7, 6], rng);
    for window in [Window::new(3), Window::new((3, 2)).stride(2).padding(1)] {
        let mut layer = Conv2d::new(3, 4, window, rng);
        layer.bias = Some(Tensor::randn(&[4], rng));
        out.array("output", layer.forward(&x).array());
        let without = Conv2d::without_bias(3, 2, window, rng);
        out.array("without bias", without.forward(&x).array());
        out.counts("parameters", [layer.parameters().len(), without.parameters().len()]);
    }
}

fn test_unit_weight_gradient(rng: &mut Rng, out: &mut Outputs) {
    for grid in grids(rng) {
        let image = normal(rng, 2 * grid.padded.area());
        let grad_output = normal(rng, 3 * grid.output.area());
        let mut gradient = normal(rng, 3 * 2 * grid.window.kernel.area());
        weight_gradient(&grid, &grad_output, &image, &mut gradient);
        out.numbers("gradient", gradient);
    }
}

fn test_unit_fold_row(rng: &mut Rng, out: &mut Outputs) {
    for grid in grids(rng) {
        let mut plane = normal(rng, grid.padded.area());
        for position in grid.kernel_positions() {
            fold_row(&grid, &mut plane, position, &normal(rng, grid.output.area()));
        }
        out.numbers("plane", plane);
    }
}

fn test_unit_input_gradient(rng: &mut Rng, out: &mut Outputs) {
    for grid in grids(rng) {
        let kernels = normal(rng, 3 * 2 * grid.window.kernel.area());
        let grad_output = normal(rng, 3 * grid.output.area());
        let mut gradient = normal(rng, 2 * grid.padded.area());
        input_gradient(&grid, &grad_output, &kernels, &mut gradient);
        out.numbers("gradient", gradient);
    }
}

fn test_unit_max_with_indices(rng: &mut Rng, out: &mut Outputs) {
    for grid in grids(rng) {
        // Small whole numbers: some are equal.
        let plane: Vec<f32> = (0..grid.padded.area()).map(|_| rng.below(9) as f32).collect();
        let count = grid.output.area();
        let (mut max, mut indices) = (vec![0.0; count], vec![0; count]);
        max_with_indices(&grid, &plane, &mut max, &mut indices);
        out.numbers("largest", max);
        let mut gradient = normal(rng, plane.len());
        scatter_add(&normal(rng, count), &indices, &mut gradient);
        out.counts("indices", indices);
        out.numbers("gradient", gradient);
    }
}

fn test_unit_avgpool(rng: &mut Rng, out: &mut Outputs) {
    let x = Tensor::randn(&[2, 3, 7, 6], rng);
    out.array("blocks", AvgPool2d::new(2).forward(&x).array());
    let window = Window::new(3).stride(2).padding(1);
    out.array("padded", AvgPool2d::with(window).forward(&x).array());
}

fn test_unit_channel_statistics(rng: &mut Rng, out: &mut Outputs) {
    let x = Tensor::randn(&[3, 4, 5, 2], rng) * 3.0 + 1.0;
    let (mean, variance) = channel_statistics(&x);
    out.array("mean", mean.array());
    out.array("variance", variance.array());
    let [first, second] = [(); 2].map(|()| normal(rng, 4));
    let mut running = RunningStats { mean: first, variance: second };
    running.update(&mean.to_vec(), &variance.to_vec(), 30, rng.uniform());
    out.numbers("running mean", running.mean);
    out.numbers("running variance", running.variance);
}

fn test_unit_batchnorm_forward(rng: &mut Rng, out: &mut Outputs) {
    let mut layer = BatchNorm2d::new(3).momentum(0.3);
    layer.weight = Tensor::randn(&[3], rng);
    layer.bias = Tensor::randn(&[3], rng);
    for _ in 0..2 {
        let x = Tensor::randn(&[2, 3, 4, 2], rng) * 2.0 + 1.0;
        out.array("training", layer.forward(&x).array());
    }
    layer.set_training(false);
    out.array("evaluation", layer.forward(&Tensor::randn(&[2, 3, 1, 2], rng)).array());
    layer.buffers().iter().for_each(|it| out.array("buffer", it.array()));
}

fn test_unit_flatten(rng: &mut Rng, out: &mut Outputs) {
    let shape = [(); 4].map(|()| 1 + rng.below(4));
    out.array("flat", Flatten.forward(&Tensor::randn(&shape, rng)).array());
}

fn test_unit_simple_cnn(rng: &mut Rng, out: &mut Outputs) {
    let mut model = simple_cnn([2, 8, 8], [3, 4], 5, rng);
    model.set_training(false);
    for parameter in model.parameters_mut() {
        *parameter = Tensor::randn(parameter.shape(), rng);
    }
    out.array("output", model.forward(&Tensor::randn(&[2, 2, 8, 8], rng)).array());
    out.counts("parameters", model.parameters().iter().map(|it| it.numel()));
}
