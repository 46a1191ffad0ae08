//! The integer layer of lesson 16 beside the engine's best product in f32, that of lesson 18, which lesson 16 cannot name, and
//! beside the product of ndarray; on one thread. Quantizing the rows, zero point, scales and bias are part of the time.
//!
//!     cargo bench -p tinytorch --bench int8
//!
//! Nothing is asserted: it prints what it measured.

#![expect(clippy::print_stdout, reason = "printing the figures is what a benchmark is for")]

use tinytorch::acceleration::matmul_one_thread;
use tinytorch::backend::Matrix;
use tinytorch::baselines::fast_product;
use tinytorch::kernels::int8::Kernel;
use tinytorch::quantization::{Int8Product, Int8Quantizer};
use tinytorch::random::Rng;
use tinytorch::simd::Simd;
use tinytorch::tensor::Tensor;
use tinytorch::testing::{Ratio, compare};

fn main() {
    let (simd, rng, quantizer) = (Simd::detect(), &mut Rng::seeded(1), Int8Quantizer::default());
    println!("int8 on {}, f32 on {simd}: time in f32 / time in int8", Kernel::detect().name());
    for [m, k, n] in [[32, 256, 256], [64, 768, 768], [256, 512, 512]] {
        let (x, weight) = (Tensor::randn(&[m, k], rng), Tensor::randn(&[k, n], rng));
        let (x, weight_data) = (x.data(), weight.data());
        let int8 = Int8Product::new(&weight, None, &quantizer, Some(quantizer.params(&x)));
        let own = || {
            let mut out = vec![0.0; m * n];
            let (x, weight) = (Matrix::new(&x, m, k), Matrix::new(&weight_data, k, n));
            matmul_one_thread(simd, x, weight, &mut out);
            out
        };
        let rivals = [
            ("lesson 18", compare(101, own, || int8.forward(&x))),
            (
                "ndarray",
                compare(101, || fast_product(&x, &weight_data, [m, k, n]), || int8.forward(&x)),
            ),
        ];
        for (name, compared) in rivals {
            let Ratio { median, low, high } = compared.ratio;
            println!("{m}x{k} times {k}x{n}, {name:9} {median:.2} ({low:.2} to {high:.2})");
        }
    }
}
