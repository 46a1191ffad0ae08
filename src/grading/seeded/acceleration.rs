//! Outputs of the acceleration module's cells.

use subject::{
    add_row, convolve_im2col, fast_exp, linear_fused, matmul_blocked, matmul_threaded,
    normalize_lanes, reduce_lanes, softmax_lanes,
};
use tinytorch::acceleration as subject;
use tinytorch::backend::Matrix;
use tinytorch::outputs::{Outputs, Seeded};
use tinytorch::planes::Window;
use tinytorch::random::Rng;
use tinytorch::simd::Simd;
use tinytorch::spatial::grid_of;

/// The functions, by their tests.
pub const ALL: &[Seeded] = &[
    ("test_unit_matmul_blocked", test_unit_matmul_blocked),
    ("test_unit_matmul_threaded", test_unit_matmul_threaded),
    ("test_unit_linear_fused", test_unit_linear_fused),
    ("test_unit_convolve_im2col", test_unit_convolve_im2col),
    ("test_unit_fast_exp", test_unit_fast_exp),
    ("test_unit_reduce_lanes", test_unit_reduce_lanes),
    ("test_unit_softmax_lanes", test_unit_softmax_lanes),
    ("test_unit_normalize_lanes", test_unit_normalize_lanes),
    ("test_unit_add_row", test_unit_add_row),
];

fn normal(rng: &mut Rng, count: usize) -> Vec<f32> {
    (0..count).map(|_| rng.normal()).collect()
}

fn sizes(rng: &mut Rng) -> [usize; 3] {
    [(); 3].map(|()| 1 + rng.below(9))
}

fn test_unit_matmul_blocked(rng: &mut Rng, out: &mut Outputs) {
    for block in [1, 3, 16] {
        let [m, k, n] = sizes(rng);
        let mut product = normal(rng, m * n);
        matmul_blocked(&normal(rng, m * k), &normal(rng, k * n), [k, n], block, &mut product);
        out.numbers("product", product);
    }
}

fn test_unit_matmul_threaded(rng: &mut Rng, out: &mut Outputs) {
    for threads in [1, 2, 5] {
        let [m, k, n] = sizes(rng);
        let (a, b, mut product) = (normal(rng, m * k), normal(rng, k * n), normal(rng, m * n));
        let (a, b) = (Matrix::new(&a, m, k), Matrix::new(&b, k, n));
        matmul_threaded(Simd::detect(), threads, a, b, &mut product);
        out.numbers("product", product);
    }
}

fn test_unit_linear_fused(rng: &mut Rng, out: &mut Outputs) {
    let [m, k, n] = sizes(rng);
    let (x, weight, bias) = (normal(rng, m * k), normal(rng, k * n), normal(rng, n));
    let (x, weight) = (Matrix::new(&x, m, k), Matrix::new(&weight, k, n));
    out.numbers("output", linear_fused(Simd::detect(), x, weight, &bias, |x| x.max(0.0)));
}

fn test_unit_convolve_im2col(rng: &mut Rng, out: &mut Outputs) {
    for stride in [(1, 1), (1, 2)] {
        let Some(grid) = grid_of((5, 6), Window::new((2, 3)).stride(stride)) else { return };
        let mut result = normal(rng, 3 * grid.output.area());
        let (image, kernels) = (normal(rng, 2 * 30), normal(rng, 3 * 2 * 6));
        convolve_im2col(Simd::detect(), &grid, &image, &kernels, &mut result);
        out.numbers("result", result);
    }
}

fn test_unit_fast_exp(rng: &mut Rng, out: &mut Outputs) {
    out.numbers("powers", normal(rng, 12).into_iter().map(|x| fast_exp::<false>(3.0 * x)));
}

fn test_unit_reduce_lanes(rng: &mut Rng, out: &mut Outputs) {
    for count in [3, 33, 70] {
        let row = normal(rng, count);
        out.number("sum", reduce_lanes(&row, 0.0, |x, y| x + y));
        out.number("largest", reduce_lanes(&row, f32::NEG_INFINITY, f32::max));
    }
}

fn test_unit_softmax_lanes(rng: &mut Rng, out: &mut Outputs) {
    for count in [5, 40] {
        let mut row = normal(rng, count);
        softmax_lanes::<false>(&mut row, f32::NEG_INFINITY);
        out.numbers("probabilities", row);
    }
}

fn test_unit_normalize_lanes(rng: &mut Rng, out: &mut Outputs) {
    for centred in [false, true] {
        let mut normalized = vec![0.0; 40];
        let row = normal(rng, 40);
        out.number("factor", normalize_lanes::<false>(&row, centred, 1e-3, &mut normalized));
        out.numbers("normalized", normalized);
    }
}

fn test_unit_add_row(rng: &mut Rng, out: &mut Outputs) {
    let mut sums = normal(rng, 7);
    add_row(rng.normal(), normal(rng, 7).into_iter(), &mut sums);
    out.numbers("sums", sums);
}
