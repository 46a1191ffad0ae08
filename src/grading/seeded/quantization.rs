//! Outputs of the quantization module's cells.

use subject::{
    Int8Product, Int8Quantizer, QuantParams, QuantizedConv2d, QuantizedTensor, Scheme, channel_of,
    dequantize_int8, int8_matmul, mse_range, percentile_range, quantize_along, quantize_int8,
    quantize_model, requantize, sqnr, straight_through,
};
use tinytorch::activations::ReLU;
use tinytorch::kernels::int8::Weights;
use tinytorch::layers::{Linear, Sequential};
use tinytorch::outputs::{Outputs, Seeded};
use tinytorch::planes::Window;
use tinytorch::quantization as subject;
use tinytorch::random::Rng;
use tinytorch::spatial::Conv2d;
use tinytorch::tensor::Tensor;

/// The functions, by their tests.
pub const ALL: &[Seeded] = &[
    ("test_unit_of_range", test_unit_of_range),
    ("test_unit_quantize", test_unit_quantize),
    ("test_unit_channels", test_unit_channels),
    ("test_unit_sqnr", test_unit_sqnr),
    ("test_unit_percentile_range", test_unit_percentile_range),
    ("test_unit_mse_range", test_unit_mse_range),
    ("test_unit_int8_matmul", test_unit_int8_matmul),
    ("test_unit_requantize", test_unit_requantize),
    ("test_unit_product", test_unit_product),
    ("test_unit_quantized_conv", test_unit_quantized_conv),
    ("test_unit_quantize_model", test_unit_quantize_model),
    ("test_unit_straight_through", test_unit_straight_through),
];

fn normal(rng: &mut Rng, count: usize) -> Vec<f32> {
    (0..count).map(|_| rng.normal()).collect()
}

fn bytes(rng: &mut Rng, count: usize) -> Vec<i8> {
    (0..count).map(|_| rng.below(256) as u8 as i8).collect()
}

fn params(out: &mut Outputs, params: &QuantParams) {
    out.number("scale", params.scale);
    out.number("zero point", params.zero_point);
    out.numbers("levels", params.levels);
}

fn some_params(rng: &mut Rng) -> QuantParams {
    QuantParams {
        scale: 0.05 + rng.uniform(),
        zero_point: rng.below(40) as i32 - 20,
        levels: [-128, 127],
    }
}

fn quantized(out: &mut Outputs, q: &QuantizedTensor) {
    out.numbers("values", q.values.iter().copied());
    out.counts("shape", q.shape.iter().copied());
    q.params.iter().for_each(|it| params(out, it));
}

fn test_unit_of_range(rng: &mut Rng, out: &mut Outputs) {
    for (scheme, bits) in [(Scheme::Affine, 8), (Scheme::Symmetric, 8), (Scheme::Affine, 4)] {
        for shift in [0.0, 3.0, -3.0] {
            let [low, size] = [rng.normal() + shift, 4.0 * rng.uniform() + 0.1];
            params(out, &QuantParams::of_range([low, low + size], scheme, bits));
        }
    }
}

fn test_unit_quantize(rng: &mut Rng, out: &mut Outputs) {
    let params = some_params(rng);
    out.numbers("levels", normal(rng, 20).into_iter().map(|x| params.quantize(20.0 * x)));
    out.numbers("numbers", bytes(rng, 20).into_iter().map(|level| params.dequantize(level)));
}

fn test_unit_channels(rng: &mut Rng, out: &mut Outputs) {
    let shape = [2 + rng.below(3), 2 + rng.below(3), 2 + rng.below(3)];
    for axis in [None, Some(0), Some(1), Some(2)] {
        let count = shape.iter().product();
        out.counts("channels", (0..count).map(|index| channel_of(&shape, axis, index)));
        let q = quantize_along(&Tensor::randn(&shape, rng), axis, Scheme::Affine, 8);
        out.array("there and back", dequantize_int8(&q).array());
        quantized(out, &q);
    }
    quantized(out, &quantize_int8(&Tensor::randn(&shape, rng)));
}

fn test_unit_sqnr(rng: &mut Rng, out: &mut Outputs) {
    let [x, noise] = [(); 2].map(|()| normal(rng, 20));
    let restored: Vec<f32> = x.iter().zip(noise).map(|(x, n)| x + 0.1 * n).collect();
    out.number("ratio", sqnr(&x, &restored));
}

fn test_unit_percentile_range(rng: &mut Rng, out: &mut Outputs) {
    for percent in [90.0, 99.0, 100.0] {
        out.numbers("range", percentile_range(&normal(rng, 60), percent));
    }
}

fn test_unit_mse_range(rng: &mut Rng, out: &mut Outputs) {
    for (scheme, bits) in [(Scheme::Affine, 4), (Scheme::Symmetric, 4)] {
        out.numbers("range", mse_range(&normal(rng, 60), scheme, bits));
    }
}

fn test_unit_int8_matmul(rng: &mut Rng, out: &mut Outputs) {
    let [m, k, n] = [(); 3].map(|()| 2 + rng.below(4));
    let zero_point = rng.below(100) as i32 - 50;
    let product = int8_matmul(&bytes(rng, m * k), zero_point, &bytes(rng, k * n), k, n);
    out.numbers("sums", product);
}

fn test_unit_requantize(rng: &mut Rng, out: &mut Outputs) {
    let point = rng.below(40) as i32 - 20;
    let sums = (0..20).map(|_| rng.below(4000) as i32 - 2000);
    out.numbers("levels", sums.map(|sum| requantize(sum, 0.0713, point)));
}

fn test_unit_product(rng: &mut Rng, out: &mut Outputs) {
    let product = Int8Product {
        weights: Weights::pack(&bytes(rng, 12), [4, 3]),
        scales: normal(rng, 3).into_iter().map(f32::abs).collect(),
        bias: normal(rng, 3),
        input: Some(some_params(rng)),
        bits: 8,
    };
    out.numbers("calibrated", product.forward(&normal(rng, 8)));
    let dynamic = Int8Product { input: None, ..product };
    out.numbers("dynamic", dynamic.forward(&normal(rng, 8)));
}

fn test_unit_quantized_conv(rng: &mut Rng, out: &mut Outputs) {
    for window in [Window::new(3), Window::new((2, 3)).stride(2).padding(1)] {
        let mut conv = Conv2d::new(2, 3, window, rng);
        conv.bias = Some(Tensor::randn(&[3], rng));
        let int8 = QuantizedConv2d::new(&conv, &Int8Quantizer::default(), None);
        out.array("output", int8.forward(&Tensor::randn(&[2, 2, 5, 6], rng)).array());
    }
}

fn test_unit_quantize_model(rng: &mut Rng, out: &mut Outputs) {
    let (first, second) = (Linear::new(6, 5, rng), Linear::new(5, 3, rng));
    let model = Sequential::new(vec![Box::new(first), Box::new(ReLU), Box::new(second)]);
    let samples = Tensor::randn(&[8, 6], rng);
    let int8 = quantize_model(&model, &samples);
    out.array("output", int8.forward(&Tensor::randn(&[3, 6], rng)).array());
}

fn test_unit_straight_through(rng: &mut Rng, out: &mut Outputs) {
    let params = QuantParams { levels: [-8, 7], zero_point: 2, ..some_params(rng) };
    let gradients = normal(rng, 20).into_iter().zip(normal(rng, 20));
    out.numbers("gradient", gradients.map(|(g, x)| straight_through(g, 5.0 * x, &params)));
}
