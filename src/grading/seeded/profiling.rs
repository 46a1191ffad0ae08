//! Outputs of the profiling module's cells.

use subject::{amdahl, conv2d_flops, matmul_flops};
use tinytorch::outputs::{Outputs, Seeded};
use tinytorch::profiling as subject;
use tinytorch::random::Rng;

/// The functions, by their tests.
pub const ALL: &[Seeded] =
    &[("test_unit_products", test_unit_products), ("test_unit_amdahl", test_unit_amdahl)];

fn test_unit_products(rng: &mut Rng, out: &mut Outputs) {
    let [batch, rows, columns, inner] = [(); 4].map(|()| 1 + rng.below(9));
    let flops = [
        matmul_flops(&[batch, rows, columns], inner),
        conv2d_flops(&[batch, columns, rows, rows], &[columns, inner, 3, 3]),
    ];
    flops.iter().for_each(|flops| out.text("operations", &format!("{flops:?}")));
}

fn test_unit_amdahl(rng: &mut Rng, out: &mut Outputs) {
    for _ in 0..4 {
        let [share, speedup] = [rng.uniform(), 1.0 + 9.0 * rng.uniform()].map(f64::from);
        out.number("speedup", amdahl(share, speedup));
    }
}
