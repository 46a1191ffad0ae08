//! What one core of this machine can do at most: multiply-adds in registers, and a stream through a buffer. Not here: how
//! often a probe runs, and which of its rates counts.

use crate::testing::quartiles;
use std::hint::black_box;
use std::time::Instant;

/// The instructions that multiply-adds are made with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Instructions {
    /// 16 numbers at a time, multiplied and added in one instruction.
    Avx512,
    /// 8 numbers at a time, multiplied and added in one instruction.
    Avx2Fma,
    /// 4 numbers at a time, multiplied and added in one instruction.
    Neon,
    /// What the compiler makes of a plain loop for any processor of this kind.
    Plain,
}

impl Instructions {
    /// The widest that this processor has.
    #[must_use]
    pub fn detect() -> Self {
        [Self::Avx512, Self::Avx2Fma, Self::Neon]
            .into_iter()
            .find(|instructions| kernel(*instructions).is_some())
            .unwrap_or(Self::Plain)
    }

    /// Their name, for people.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Avx512 => "AVX-512",
            Self::Avx2Fma => "AVX2 with FMA",
            Self::Neon => "NEON",
            Self::Plain => "no special instructions",
        }
    }
}

/// Rounds of one measurement: long beside the clock, short beside what else the machine does.
const ROUNDS: usize = 20_000;

/// The FLOP/s of one run of multiply-adds whose numbers never leave the registers; `None` where the processor lacks these
/// instructions. A multiply-add is 2 FLOPs.
#[must_use]
pub fn multiply_add_rate(instructions: Instructions) -> Option<f64> {
    let (lanes, work) = kernel(instructions)?;
    let start = Instant::now();
    black_box(work());
    Some((2 * lanes * CHAINS * ROUNDS) as f64 / start.elapsed().as_secs_f64())
}

/// So many sums, none of which waits for another: they hide the latency of an instruction, and fit into 16 registers.
const CHAINS: usize = 12;

/// The multiply-adds of these instructions, with how many numbers each has at a time, if the processor has them.
fn kernel(instructions: Instructions) -> Option<(usize, fn() -> f32)> {
    match instructions {
        #[cfg(target_arch = "x86_64")]
        Instructions::Avx512 => is_x86_feature_detected!("avx512f").then_some((16, vector::avx512)),
        #[cfg(target_arch = "x86_64")]
        Instructions::Avx2Fma => {
            let has_both = is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma");
            has_both.then_some((8, vector::avx2))
        }
        #[cfg(target_arch = "aarch64")]
        Instructions::Neon => Some((4, vector::neon)),
        Instructions::Plain => Some((1, plain)),
        _ => None,
    }
}

fn plain() -> f32 {
    let [factor, term] = black_box([0.999_f32, 0.001]);
    let mut sums = [term; CHAINS];
    for _ in 0..ROUNDS {
        for sum in &mut sums {
            *sum = *sum * factor + term;
        }
    }
    sums.iter().sum()
}

/// A function that is compiled for instructions of its own, and one that calls it: multiply-adds in `CHAINS` registers.
macro_rules! multiply_adds {
    ($name:ident, $features:literal, $fill:ident, $step:expr, $first:expr) => {
        pub(super) fn $name() -> f32 {
            #[target_feature(enable = $features)]
            fn work() -> f32 {
                let [factor, term] = black_box([0.999, 0.001]).map(|number| $fill(number));
                let mut sums = [term; CHAINS];
                for _ in 0..ROUNDS {
                    for sum in &mut sums {
                        *sum = $step(*sum, factor, term);
                    }
                }
                sums.map($first).iter().sum()
            }
            // SAFETY: `kernel` hands this function out only where the processor has these instructions.
            unsafe { work() }
        }
    };
}

#[cfg(target_arch = "x86_64")]
#[expect(
    unsafe_code,
    reason = "to call what is compiled for instructions that not every processor has"
)]
mod vector {
    use super::{CHAINS, ROUNDS, black_box};
    use std::arch::x86_64::{
        _mm256_cvtss_f32, _mm256_fmadd_ps, _mm256_set1_ps, _mm512_cvtss_f32, _mm512_fmadd_ps,
        _mm512_set1_ps,
    };

    multiply_adds!(avx512, "avx512f", _mm512_set1_ps, _mm512_fmadd_ps, |sum| _mm512_cvtss_f32(sum));
    multiply_adds!(avx2, "avx2,fma", _mm256_set1_ps, _mm256_fmadd_ps, |sum| _mm256_cvtss_f32(sum));
}

#[cfg(target_arch = "aarch64")]
#[expect(
    unsafe_code,
    reason = "to call what is compiled for instructions that not every processor has"
)]
mod vector {
    use super::{CHAINS, ROUNDS, black_box};
    use std::arch::aarch64::{vdupq_n_f32, vfmaq_f32, vgetq_lane_f32};

    multiply_adds!(
        neon,
        "neon",
        vdupq_n_f32,
        |sum, factor, term| vfmaq_f32(term, sum, factor),
        |sum| vgetq_lane_f32::<0>(sum)
    );
}

/// Three arrays of the same length, for a stream of `a = b + factor * c` (the triad of McCalpin's STREAM, 1995).
pub struct Stream {
    a: Vec<f32>,
    b: Vec<f32>,
    c: Vec<f32>,
}

impl Stream {
    /// Arrays that together take about so many bytes. Their pages are in memory when this returns.
    #[must_use]
    pub fn new(bytes: usize) -> Self {
        let array = |value: f32| vec![value; (bytes / 12).max(1)];
        Self { a: array(1.0), b: array(2.0), c: array(3.0) }
    }

    /// The bytes that a pass moves: two arrays are read and one is written. What a cache reads before it writes does not
    /// count.
    #[must_use]
    pub fn bytes(&self) -> usize {
        12 * self.a.len()
    }

    /// The bytes per second of so many passes through each part of the arrays in turn: the median of all parts, so that it
    /// does not count when another program has the core for a while.
    #[must_use]
    pub fn rate(&mut self, passes: usize) -> f64 {
        let parts = self.a.chunks_mut(PART).zip(self.b.chunks(PART)).zip(self.c.chunks(PART));
        let rate = |((a, b), c): ((&mut [f32], &[f32]), &[f32])| {
            let start = Instant::now();
            for _ in 0..passes {
                triad(a, b, c);
            }
            (passes * 12 * a.len()) as f64 / start.elapsed().as_secs_f64()
        };
        quartiles(parts.map(rate).collect())[1]
    }
}

/// The numbers of an array that are timed at once.
const PART: usize = 1 << 18;

fn triad(a: &mut [f32], b: &[f32], c: &[f32]) {
    let factor = black_box(0.5_f32);
    for ((a, b), c) in a.iter_mut().zip(b).zip(c) {
        *a = b + factor * c;
    }
    black_box(a);
}

/// The bytes of this machine's largest cache, where the system says it.
#[must_use]
pub fn largest_cache() -> Option<usize> {
    let folder = std::fs::read_dir("/sys/devices/system/cpu/cpu0/cache").ok()?;
    let size = |index: std::io::Result<std::fs::DirEntry>| {
        kilobytes(&std::fs::read_to_string(index.ok()?.path().join("size")).ok()?)
    };
    folder.filter_map(size).max()
}

/// `"480K"` or `"2M"` in bytes.
fn kilobytes(text: &str) -> Option<usize> {
    let text = text.trim();
    let (digits, unit) = text.split_at(text.len().checked_sub(1)?);
    let factor = match unit {
        "K" => 1 << 10,
        "M" => 1 << 20,
        _ => return None,
    };
    digits.parse::<usize>().ok().map(|count| count * factor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_probes_give_rates_above_0_on_any_processor() {
        for instructions in [Instructions::detect(), Instructions::Plain] {
            let rate = multiply_add_rate(instructions).unwrap();
            assert!(rate.is_finite() && rate > 0.0, "{instructions:?}: {rate}");
        }
        let foreign =
            if cfg!(target_arch = "aarch64") { Instructions::Avx512 } else { Instructions::Neon };
        assert_eq!(multiply_add_rate(foreign), None, "another kind of processor");
        let mut stream = Stream::new(12 << 10);
        assert_eq!(stream.bytes(), 12 << 10);
        let rate = stream.rate(3);
        assert!(rate.is_finite() && rate > 0.0, "{rate}");
        assert!(stream.a.iter().all(|a| *a == 3.5), "a = b + factor * c");
    }

    #[test]
    fn the_size_of_a_cache_is_read_with_its_unit() {
        assert_eq!(kilobytes("48K\n"), Some(49_152));
        assert_eq!(kilobytes("32M"), Some(32 << 20));
        assert_eq!(kilobytes(""), None);
        assert_eq!(kilobytes("512"), None);
    }
}
