//! The two steps of e^x that need the bits of a number: lesson 18 has the polynomial between them. Both are made for vector
//! registers: no branch, no table, no conversion.

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
