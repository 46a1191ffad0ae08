//! Every integer kernel of this CPU equals the definition, extremes included.

use proptest::prelude::*;
use tinytorch::kernels::int8::{
    Activations, Kernel, LONGEST_SUM, Scaling, Steps, Weights, linear, sums,
};

/// `i64`, so that nothing can overflow.
fn by_definition(x: &[i8], weights: &[i8], [inputs, outputs]: [usize; 2]) -> Vec<i32> {
    let sum = |row: &[i8], output: usize| -> i64 {
        let products = row.iter().enumerate();
        let products = products
            .map(|(at, &x)| (i64::from(x) + 128) * i64::from(weights[at * outputs + output]));
        products.sum()
    };
    let rows = x.chunks_exact(inputs);
    let all = rows.flat_map(|row| (0..outputs).map(move |output| sum(row, output)));
    all.map(|sum| i32::try_from(sum).expect("a sum of 32 bits")).collect()
}

proptest! {
    #[test]
    fn every_kernel_equals_the_definition(
        (rows, inputs, outputs) in (1..15_usize, 1..40_usize, 1..150_usize),
        seed in 0..u64::MAX,
    ) {
        let mut rng = tinytorch::random::Rng::seeded(seed);
        let x: Vec<i8> = (0..rows * inputs).map(|_| rng.below(256) as u8 as i8).collect();
        let weights: Vec<i8> = (0..inputs * outputs).map(|_| rng.below(256) as u8 as i8).collect();
        let packed = Weights::pack(&weights, [inputs, outputs]);
        prop_assert_eq!(packed.unpack(), weights.clone());
        let wanted = by_definition(&x, &weights, [inputs, outputs]);
        for kernel in Kernel::available() {
            let x = Activations::of(&x, inputs, 7);
            prop_assert_eq!(sums(kernel, &x, &packed), &wanted[..], "{}", kernel.name());
        }
    }

    #[test]
    fn every_kernel_rounds_as_the_formula(
        row in prop::collection::vec(-3.0_f32..3.0, 1..70), zero_point in -128_i32..128, bits in 2_i32..9, halves: bool,
    ) {
        // With a scale of 1/64, many numbers are exactly between two steps.
        let half = |x: &f32| if halves { (x * 128.0).round() / 128.0 } else { *x };
        let row: Vec<f32> = row.iter().map(half).collect();
        let levels = [-(1_i32 << (bits - 1)), (1_i32 << (bits - 1)) - 1];
        let zero_point = zero_point.clamp(levels[0], levels[1]);
        let level = |x: &f32| ((x * 64.0).round_ties_even() as i32 + zero_point).clamp(levels[0], levels[1]) as i8;
        let levels_of: Vec<i8> = row.iter().map(level).collect();
        let wanted = Activations::of(&levels_of, row.len(), zero_point);
        let steps = Steps { scale: 1.0 / 64.0, zero_point, levels };
        for kernel in Kernel::available() {
            let yours = Activations::quantize(kernel, &row, row.len(), &steps);
            prop_assert_eq!(&yours, &wanted, "{}", kernel.name());
        }
    }
}

#[test]
fn extremes_do_not_saturate() {
    for (level, weight) in [(127, -128), (127, 127), (-128, -128), (0, -128), (-127, -1)] {
        for inputs in [1, 2, 3, 4, 5, 64, 1023, LONGEST_SUM] {
            let packed = Weights::pack(&vec![weight; inputs * 3], [inputs, 3]);
            let x = Activations::of(&vec![level; inputs * 2], inputs, 0);
            let wanted = inputs as i32 * (i32::from(level) + 128) * i32::from(weight);
            for kernel in Kernel::available() {
                let input = format!("{} of {inputs} x {level} x {weight}", kernel.name());
                assert_eq!(sums(kernel, &x, &packed), [wanted; 6], "{input}");
            }
        }
    }
}

#[test]
fn a_zero_point_is_taken_off_before_scale_and_bias() {
    let packed = Weights::pack(&[1, -2, 3, 4], [2, 2]);
    let scaling = Scaling { scales: &[0.5, 0.25], bias: &[10.0, 0.0] };
    for kernel in Kernel::available() {
        // (-97 + 100, -102 + 100) is (3, -2).
        let x = Activations::of(&[-97, -102], 2, -100);
        assert_eq!(linear(kernel, &x, &packed, &scaling), [8.5, -3.5], "{}", kernel.name());
    }
}

#[test]
fn what_is_outside_of_the_levels_becomes_the_nearest_end() {
    for kernel in Kernel::available() {
        let row = [-1e30, -1.5, 0.0, 0.5, 1.5, 200.0, f32::INFINITY];
        let mut steps = Steps { scale: 1.0, zero_point: -127, levels: [-128, 127] };
        let yours = Activations::quantize(kernel, &row, 7, &steps);
        assert_eq!(yours, Activations::of(&[-128, -128, -127, -127, -125, 73, 127], 7, -127));
        (steps.zero_point, steps.levels) = (0, [-8, 7]);
        let yours = Activations::quantize(kernel, &row, 7, &steps);
        assert_eq!(yours, Activations::of(&[-8, -2, 0, 0, 2, 7, 7], 7, 0));
    }
}

#[test]
fn no_rows_and_no_outputs_give_nothing() {
    let x = Activations::of(&[], 3, 0);
    assert_eq!(sums(Kernel::detect(), &x, &Weights::pack(&[0; 6], [3, 2])), [0; 0]);
    let x = Activations::of(&[1, 2, 3], 3, 0);
    assert_eq!(sums(Kernel::detect(), &x, &Weights::pack(&[], [3, 0])), [0; 0]);
}

#[test]
#[should_panic(expected = "rows of 2 numbers times weights for 3")]
fn sizes_that_do_not_fit_are_named() {
    let x = Activations::of(&[1, 2], 2, 0);
    let _ = sums(Kernel::detect(), &x, &Weights::pack(&[0; 3], [3, 1]));
}
