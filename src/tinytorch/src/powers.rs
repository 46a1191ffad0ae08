//! The two steps of e^x that need the bits of a number: lesson 18 has the polynomial between them. And two functions that are
//! made of powers. All are made for vector registers: no branch, no table, no conversion.

use crate::simd::multiply_add;

/// The whole number next to x / ln 2, and x minus that many ln 2. Above 89 the power is infinite: `x` becomes 89. Below -104
/// it is 0: `x` becomes -254 ln 2, since 2^-254 is 0 without rounding (see [`scale_by_power`]). A NaN stays one.
#[inline(always)]
#[must_use]
pub fn split_at_ln2<const FUSED: bool>(x: f32) -> (f32, f32) {
    // Added to a number, it leaves no room for digits behind the point: the sum is rounded to a whole number.
    const ROUND: f32 = 12_582_912.0;
    // ln 2 in two parts. The first has few digits, so its multiples are exact.
    const LN2: [f32; 2] = [0.693_359_4, -2.121_944_4e-4];
    let x = if x > 89.0 { 89.0 } else { x };
    let x = if x < -104.0 { -254.0 * std::f32::consts::LN_2 } else { x };
    let whole = multiply_add::<FUSED>(x, std::f32::consts::LOG2_E, ROUND) - ROUND;
    let rest = multiply_add::<FUSED>(whole, -LN2[0], x);
    (whole, multiply_add::<FUSED>(whole, -LN2[1], rest))
}

/// `x` times 2^whole, for whole numbers from -150 to 129: in two factors, each of which an `f32` can hold. For -254 both have
/// no bit set, which is 0. A product that is rounded to 0 would take a CPU a hundred times as long, and a mask makes many.
#[inline(always)]
#[must_use]
pub fn scale_by_power(x: f32, whole: f32) -> f32 {
    // The lowest bits of this sum are the whole number: no conversion is needed.
    let whole = (whole + 12_582_912.0).to_bits() as i32 - 0x4b40_0000;
    let half = whole >> 1;
    let power = |exponent: i32| f32::from_bits(((exponent + 127) << 23) as u32);
    x * power(half) * power(whole - half)
}

/// The normal distribution's cumulative distribution function at `x`; `power` is e^(-x^2/2), which its density is made of. The
/// polynomial is that of Abramowitz and Stegun, 7.1.26: off by at most 7.5e-8.
#[inline(always)]
#[must_use]
pub fn normal_cdf<const FUSED: bool>(x: f32, power: f32) -> f32 {
    const COEFFICIENTS: [f32; 5] =
        [1.061_405_4, -1.453_152, 1.421_413_7, -0.284_496_74, 0.254_829_6];
    let z = x.abs() * std::f32::consts::FRAC_1_SQRT_2;
    let t = 1.0 / multiply_add::<FUSED>(0.327_591_1, z, 1.0);
    let mut sum = 0.0;
    for coefficient in COEFFICIENTS {
        sum = multiply_add::<FUSED>(sum, t, coefficient);
    }
    let tail = 0.5 * sum * t * power;
    if x < 0.0 { tail } else { 1.0 - tail }
}

/// The sigmoid of `x`. `exp` gets only numbers that are not above 0, so nothing overflows.
#[inline(always)]
#[must_use]
pub fn logistic(x: f32, exp: impl Fn(f32) -> f32) -> f32 {
    let power = exp(-x.abs());
    let of_positive = 1.0 / (1.0 + power);
    if x < 0.0 { power * of_positive } else { of_positive }
}
