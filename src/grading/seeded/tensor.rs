//! Outputs of the tensor module's cells.

use subject::{
    Tensor, broadcast_shape, broadcast_strides, channels_first, matmul_2d, reduce, zip_with,
};
use tinytorch::outputs::{Outputs, Seeded};
use tinytorch::random::Rng;
use tinytorch::tensor as subject;

/// The functions, by their tests.
pub const ALL: &[Seeded] = &[
    ("test_unit_new", test_unit_new),
    ("test_unit_broadcast_shape", test_unit_broadcast_shape),
    ("test_unit_broadcast_strides", test_unit_broadcast_strides),
    ("test_unit_zip_with", test_unit_zip_with),
    ("test_unit_arithmetic", test_unit_arithmetic),
    ("test_unit_matmul_2d", test_unit_matmul_2d),
    ("test_unit_matmul", test_unit_matmul),
    ("test_unit_reshape", test_unit_reshape),
    ("test_unit_transpose", test_unit_transpose),
    ("test_unit_slice", test_unit_slice),
    ("test_unit_debug", test_unit_debug),
    ("test_unit_reduce", test_unit_reduce),
    ("test_unit_reductions", test_unit_reductions),
    ("test_unit_argmax", test_unit_argmax),
];

/// A size from 2 to 5.
fn size(rng: &mut Rng) -> usize {
    2 + rng.below(4)
}

fn sizes<const N: usize>(rng: &mut Rng) -> [usize; N] {
    std::array::from_fn(|_| size(rng))
}

fn normal(rng: &mut Rng, count: usize) -> Vec<f32> {
    (0..count).map(|_| rng.normal()).collect()
}

fn tensor(rng: &mut Rng, shape: &[usize]) -> Tensor {
    Tensor::new(&normal(rng, shape.iter().product()), shape)
}

fn test_unit_new(rng: &mut Rng, out: &mut Outputs) {
    let shape = sizes::<3>(rng);
    out.array("tensor", tensor(rng, &shape).array());
}

fn test_unit_broadcast_shape(rng: &mut Rng, out: &mut Outputs) {
    let [a, b, c] = sizes(rng);
    for (left, right) in [
        (&[a, b, c][..], &[c][..]),
        (&[b, 1], &[a, 1, c]),
        (&[], &[a, b]),
        (&[1, 1], &[c]),
        (&[a, 0], &[1]),
    ] {
        out.counts("shape", broadcast_shape("test", left, right));
    }
}

fn test_unit_broadcast_strides(rng: &mut Rng, out: &mut Outputs) {
    let [a, b, c] = sizes(rng);
    for shape in [&[a, b, c][..], &[b, 1], &[c], &[1], &[1, b, c], &[]] {
        out.counts("strides", broadcast_strides(shape, &[a, b, c]));
    }
}

fn test_unit_zip_with(rng: &mut Rng, out: &mut Outputs) {
    let [a, b, c] = sizes(rng);
    for (left, right) in [
        (&[a, b][..], &[b][..]),
        (&[c], &[a, b, 1]),
        (&[a, 1, c], &[b, 1]),
        (&[a], &[a]),
        (&[a, b], &[a, b]),
        (&[a, 2], &[a, 2]),
        (&[], &[a, b]),
        (&[a, b], &[]),
    ] {
        let (left, right) = (tensor(rng, left), tensor(rng, right));
        let result = zip_with("test", &left, &right, |x, y| 3.0 * x - y);
        out.array("3 a - b", Tensor::from_array(result).array());
    }
}

fn test_unit_arithmetic(rng: &mut Rng, out: &mut Outputs) {
    let [a, b] = sizes(rng);
    let (left, right) = (tensor(rng, &[a, b]), tensor(rng, &[b]));
    out.array("sum", left.add(&right).array());
    out.array("difference", right.sub(&left).array());
    out.array("product", left.mul(&right).array());
    out.array("quotient", left.div(&right).array());
    out.array("by zero", left.div(&Tensor::zeros(&[b])).array());
}

fn test_unit_matmul_2d(rng: &mut Rng, out: &mut Outputs) {
    let [m, k, n] = sizes(rng);
    let (a, b) = (normal(rng, m * k), normal(rng, k * n));
    let mut product = vec![0.0; m * n];
    matmul_2d(&a, &b, k, n, &mut product);
    out.numbers("product", product);
}

fn test_unit_matmul(rng: &mut Rng, out: &mut Outputs) {
    let [a, m, k, n] = sizes(rng);
    for (left, right) in [
        (&[m, k][..], &[k, n][..]),
        (&[k], &[k]),
        (&[k], &[k, n]),
        (&[a, m, k], &[k]),
        (&[a, m, k], &[k, n]),
        (&[a, 1, m, k], &[2, k, n]),
    ] {
        let (left, right) = (tensor(rng, left), tensor(rng, right));
        out.array("product", left.matmul(&right).array());
    }
}

fn test_unit_reshape(rng: &mut Rng, out: &mut Outputs) {
    let [a, b, c] = sizes(rng);
    let t = tensor(rng, &[a, b, c]);
    out.array("flat", t.reshape(&[-1]).array());
    out.array("two axes", t.reshape(&[b as isize, -1]).array());
    out.array("after a transposition", t.transpose(0, 2).reshape(&[a, b * c]).array());
}

fn test_unit_transpose(rng: &mut Rng, out: &mut Outputs) {
    let shape = sizes::<4>(rng);
    let t = tensor(rng, &shape);
    out.array("0, 2", t.transpose(0, 2).array());
    out.array("-1, 1", t.transpose(-1, 1).array());
    out.array("twice", t.transpose(0, 3).transpose(1, 2).array());
}

fn test_unit_slice(rng: &mut Rng, out: &mut Outputs) {
    let [a, b, c] = sizes(rng);
    let t = tensor(rng, &[a, b, c]);
    let start = rng.below(b);
    out.array("slice", t.slice(&[1..a, start..b, 0..c - 1]).array());
    out.array("of a transposed tensor", t.transpose(0, 1).slice(&[start..b, 0..1]).array());
}

fn test_unit_debug(rng: &mut Rng, out: &mut Outputs) {
    let shape = sizes::<4>(rng);
    out.array("images", channels_first(&tensor(rng, &shape)).array());
}

fn test_unit_reduce(rng: &mut Rng, out: &mut Outputs) {
    for parts in [sizes::<3>(rng), [3, 100, 1], [1, 4, 3], [2, 1, 5]] {
        let elements = normal(rng, parts.iter().product());
        out.numbers("sums", reduce(&elements, parts, 0.0, |x, y| x + y));
        let negative: Vec<f32> = elements.iter().map(|x| -x.abs()).collect();
        out.numbers("largest", reduce(&negative, parts, f32::NEG_INFINITY, f32::max));
        let near_one: Vec<f32> = elements.iter().map(|x| 1.0 + x / 9.0).collect();
        out.numbers("products", reduce(&near_one, parts, 1.0, |x, y| x * y));
    }
}

fn test_unit_reductions(rng: &mut Rng, out: &mut Outputs) {
    let shape = sizes::<3>(rng);
    let t = tensor(rng, &shape);
    for keepdim in [false, true] {
        out.array("sum", t.sum_axis([0, 2], keepdim).array());
        out.array("mean", t.mean_axis(-1, keepdim).array());
        out.array("max", t.max_axis(1, keepdim).array());
    }
    out.array("sum of axis 0", t.sum_axis(0, false).array());
    out.array("mean of all", t.mean_axis([0, 1, 2], false).array());
    out.array("max with NaN", with_nan(rng).max_axis(1, false).array());
}

/// Small whole numbers, of which some are equal, and a NaN.
fn with_nan(rng: &mut Rng) -> Tensor {
    let mut numbers: Vec<f32> = (0..24).map(|_| rng.below(3) as f32).collect();
    numbers[rng.below(24)] = f32::NAN;
    Tensor::new(&numbers, &[4, 6])
}

fn test_unit_argmax(rng: &mut Rng, out: &mut Outputs) {
    let shape = sizes::<3>(rng);
    let t = tensor(rng, &shape);
    for axis in [0, 1, -1] {
        out.counts("argmax", t.argmax_axis(axis));
    }
    out.counts("of equal numbers and NaN", with_nan(rng).argmax_axis(1));
}
