//! Module 16 against PyTorch: parameters, integers, sums and gradients recorded in `fixtures/pytorch_quantization.json` by the
//! script beside it. Integers are equal; numbers are equal but for the last digits of `f32`.

#![expect(clippy::unwrap_used, reason = "in a test, a panic is the verdict")]

use tinytorch::layers::{Layer, Linear};
use tinytorch::quantization::{Int8Quantizer, QuantParams, QuantizedLinear, Scheme};
use tinytorch::quantization::{dequantize_int8, quantize_along, requantize, straight_through};
use tinytorch::tensor::Tensor;

#[derive(serde::Deserialize)]
struct Fixture {
    tensors: Vec<Case>,
    channels: Vec<Case>,
    linears: Vec<LinearCase>,
    gradient: GradientCase,
}

#[derive(serde::Deserialize)]
struct Case {
    name: String,
    shape: Vec<usize>,
    x: Vec<f32>,
    symmetric: bool,
    bits: u32,
    axis: Option<usize>,
    scales: Vec<f32>,
    zero_points: Vec<i32>,
    levels: Vec<f32>,
    restored: Vec<f32>,
}

#[derive(serde::Deserialize)]
struct LinearCase {
    name: String,
    x: Vec<f32>,
    weight: Vec<f32>,
    bias: Vec<f32>,
    inputs: usize,
    outputs: usize,
    scale: f32,
    zero_point: i32,
    levels: Vec<i8>,
    y_scale: f32,
    y: Vec<f32>,
}

#[derive(serde::Deserialize)]
struct GradientCase {
    x: Vec<f32>,
    upstream: Vec<f32>,
    scale: f32,
    zero_point: i32,
    levels: [i32; 2],
    gradient: Vec<f32>,
}

fn fixture() -> Fixture {
    serde_json::from_str(include_str!("fixtures/pytorch_quantization.json")).unwrap()
}

#[test]
fn parameters_integers_and_restored_numbers_are_those_of_pytorch() {
    let fixture = fixture();
    for case in fixture.tensors.iter().chain(&fixture.channels) {
        let name = format!("{}, symmetric: {}, {} bits", case.name, case.symmetric, case.bits);
        let scheme = if case.symmetric { Scheme::Symmetric } else { Scheme::Affine };
        let x = Tensor::new(&case.x, &case.shape);
        let yours = quantize_along(&x, case.axis, scheme, case.bits);
        let scales: Vec<f32> = yours.params.iter().map(|params| params.scale).collect();
        let zero_points: Vec<i32> = yours.params.iter().map(|params| params.zero_point).collect();
        assert_eq!(scales, case.scales, "{name}");
        assert_eq!(zero_points, case.zero_points, "{name}");
        let levels: Vec<f32> = yours.values.iter().map(|&level| f32::from(level)).collect();
        assert_eq!(levels, case.levels, "{name}");
        assert_eq!(dequantize_int8(&yours).to_vec(), case.restored, "{name}");
    }
}

#[test]
fn a_linear_layer_has_the_sums_of_fbgemm() {
    for case in &fixture().linears {
        let LinearCase { inputs, outputs, .. } = *case;
        let weight = Tensor::new(&case.weight, &[inputs, outputs]);
        let levels = [-128, 127];
        let input = QuantParams { scale: case.scale, zero_point: case.zero_point, levels };
        let layer = |bias| {
            let layer = Linear { weight: weight.clone(), bias };
            QuantizedLinear::new(&layer, &Int8Quantizer::default(), Some(input))
        };
        let x = Tensor::new(&case.x, &[case.x.len() / inputs, inputs]);
        let biased = layer(Some(Tensor::new(&case.bias, &[outputs]))).forward(&x).to_vec();
        for (yours, wanted) in biased.iter().zip(&case.y) {
            assert!((yours - wanted).abs() < 1e-5, "{}: {yours}, not {wanted}", case.name);
        }
        // From the sums to integers of 8 bits, as FBGEMM does it.
        let plain = layer(None);
        let integers: Vec<i8> = plain
            .forward(&x)
            .to_vec()
            .iter()
            .enumerate()
            .map(|(at, y)| {
                let scale = plain.product.scales[at % outputs] * case.scale;
                requantize((y / scale).round() as i32, scale / case.y_scale, 0)
            })
            .collect();
        assert_eq!(integers, case.levels, "{}", case.name);
    }
}

#[test]
fn the_gradient_of_rounding_is_that_of_pytorch() {
    let GradientCase { x, upstream, scale, zero_point, levels, gradient } = fixture().gradient;
    let params = QuantParams { scale, zero_point, levels };
    let yours: Vec<f32> =
        x.iter().zip(&upstream).map(|(&x, &g)| straight_through(g, x, &params)).collect();
    assert_eq!(yours, gradient);
    assert!(gradient.iter().filter(|&&g| g == 0.0).count() > 10, "some numbers were clipped");
}
