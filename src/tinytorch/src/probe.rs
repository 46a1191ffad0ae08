//! What one core of this machine can do at most: multiply-adds in registers, and a stream through a buffer. Not here: how
//! often a probe runs, and which of its rates counts.

use crate::simd::{Kernel, Simd, multiply_add};
use crate::testing::quartiles;
use std::hint::black_box;
use std::time::Instant;

/// Rounds of one measurement: long beside the clock, short beside what else the machine does.
const ROUNDS: usize = 20_000;

/// The FLOP/s of one run of multiply-adds whose numbers never leave the registers. A multiply-add is 2 FLOPs.
#[must_use]
pub fn multiply_add_rate(simd: Simd) -> f64 {
    let start = Instant::now();
    let multiply_adds = simd.run(MultiplyAdds);
    (2 * multiply_adds) as f64 / start.elapsed().as_secs_f64()
}

/// [`ROUNDS`] of multiply-adds in a tile of sums that fills the registers. None of them waits for another, which hides the
/// latency of an instruction. The output is how many there were.
struct MultiplyAdds;

impl Kernel for MultiplyAdds {
    type Output = usize;

    #[inline(always)]
    fn run<const ROWS: usize, const COLUMNS: usize, const FUSED: bool>(self) -> usize {
        // Opaque to the compiler, which would compute equal sums once, and known factors in advance.
        let (factor, term) = black_box((0.999, [0.001; COLUMNS]));
        let mut sums = black_box([[0.0; COLUMNS]; ROWS]);
        for _ in 0..ROUNDS {
            for row in &mut sums {
                for (sum, term) in row.iter_mut().zip(&term) {
                    *sum = multiply_add::<FUSED>(*sum, factor, *term);
                }
            }
        }
        black_box(sums);
        ROUNDS * ROWS * COLUMNS
    }
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
        for simd in Simd::available() {
            let rate = multiply_add_rate(simd);
            assert!(rate.is_finite() && rate > 0.0, "{simd}: {rate}");
        }
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
