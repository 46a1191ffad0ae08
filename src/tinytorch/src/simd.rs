//! The vector instructions of this CPU: which there are, and a way to compile one kernel for each of them and to run the
//! widest. What a kernel computes is in lesson 18; here is what needs `unsafe`, so that the lesson's own code does not, and the
//! small steps that kernels share.
//!
//! A function with `#[target_feature(enable = "avx512f")]` may use instructions that not every x86-64 has. Calling it is
//! safe on a CPU that has them, which the compiler cannot know: [`Simd`] can only be made by asking the CPU.

use std::fmt;
use std::hint::black_box;

/// A set of vector instructions that this CPU has. Only [`Simd::available`] makes one, so having one proves it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Simd(Level);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Level {
    Portable,
    #[cfg(target_arch = "aarch64")]
    Neon,
    #[cfg(target_arch = "x86_64")]
    Avx2,
    #[cfg(target_arch = "x86_64")]
    Avx512,
}

/// Work that is compiled once for each set of instructions.
///
/// `ROWS` and `COLUMNS` are the largest tile of sums whose numbers all fit into the registers, with room for the operands;
/// `FUSED` says whether there is an instruction for [`multiply_add`]. Mark `run` and all that it calls
/// `#[inline(always)]`: only what becomes part of `run` is compiled for the instructions.
pub trait Kernel {
    /// What it computes.
    type Output;

    /// Does the work.
    fn run<const ROWS: usize, const COLUMNS: usize, const FUSED: bool>(self) -> Self::Output;
}

impl Simd {
    /// The widest instructions of this CPU.
    #[must_use]
    pub fn detect() -> Self {
        Self::available().pop().unwrap_or(Self(Level::Portable))
    }

    /// All that this CPU has, from the narrowest on: first what every CPU of its kind has.
    #[must_use]
    pub fn available() -> Vec<Self> {
        let mut levels = vec![Level::Portable];
        #[cfg(target_arch = "aarch64")]
        if std::arch::is_aarch64_feature_detected!("neon") {
            levels.push(Level::Neon);
        }
        #[cfg(target_arch = "x86_64")]
        if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
            levels.push(Level::Avx2);
            if is_x86_feature_detected!("avx512f") {
                levels.push(Level::Avx512);
            }
        }
        levels.into_iter().map(Self).collect()
    }

    /// How many `f32` one register holds.
    #[must_use]
    pub fn width(self) -> usize {
        match self.0 {
            Level::Portable => 4,
            #[cfg(target_arch = "aarch64")]
            Level::Neon => 4,
            #[cfg(target_arch = "x86_64")]
            Level::Avx2 => 8,
            #[cfg(target_arch = "x86_64")]
            Level::Avx512 => 16,
        }
    }

    /// Runs a kernel that was compiled for these instructions.
    #[expect(unsafe_code, reason = "a call of a function that needs certain instructions")]
    pub fn run<K: Kernel>(self, kernel: K) -> K::Output {
        match self.0 {
            Level::Portable => kernel.run::<4, 8, false>(),
            #[cfg(target_arch = "aarch64")]
            // SAFETY: `available` found these instructions on this CPU.
            Level::Neon => unsafe { neon(kernel) },
            #[cfg(target_arch = "x86_64")]
            // SAFETY: as above.
            Level::Avx2 => unsafe { avx2(kernel) },
            #[cfg(target_arch = "x86_64")]
            // SAFETY: as above.
            Level::Avx512 => unsafe { avx512(kernel) },
        }
    }
}

impl fmt::Display for Simd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            Level::Portable => "portable",
            #[cfg(target_arch = "aarch64")]
            Level::Neon => "NEON",
            #[cfg(target_arch = "x86_64")]
            Level::Avx2 => "AVX2",
            #[cfg(target_arch = "x86_64")]
            Level::Avx512 => "AVX-512",
        })
    }
}

#[cfg(target_arch = "aarch64")]
#[target_feature(enable = "neon")]
fn neon<K: Kernel>(kernel: K) -> K::Output {
    kernel.run::<8, 8, true>()
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
fn avx2<K: Kernel>(kernel: K) -> K::Output {
    kernel.run::<6, 16, true>()
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx2,fma")]
fn avx512<K: Kernel>(kernel: K) -> K::Output {
    kernel.run::<12, 32, true>()
}

/// `a * b + c`: in one instruction and with one rounding where `FUSED`, else in two. (Where the instruction is missing,
/// `mul_add` would call a slow function instead.)
#[inline(always)]
#[must_use]
pub fn multiply_add<const FUSED: bool>(a: f32, b: f32, c: f32) -> f32 {
    if FUSED { a.mul_add(b, c) } else { a * b + c }
}

/// Asks for a number that will be needed soon to be brought into the cache. It changes nothing else.
#[inline(always)]
pub fn prefetch(number: &f32) {
    #[cfg(target_arch = "x86_64")]
    #[expect(unsafe_code, reason = "the instruction takes an address")]
    // SAFETY: every x86-64 has the instruction, it reads and writes nothing, and a reference is a valid address.
    unsafe {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        _mm_prefetch::<_MM_HINT_T0>(std::ptr::from_ref(number).cast());
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = number;
}

/// Room for so many numbers that begins where a cache line does: a register that is loaded from two lines takes twice as long.
#[inline(always)]
pub fn aligned(room: &mut Vec<f32>, numbers: usize) -> &mut [f32] {
    /// The bytes of a cache line, and of the widest registers.
    const LINE: usize = 64;
    room.resize(room.len().max(numbers + LINE / size_of::<f32>()), 0.0);
    let start = room.as_ptr().align_offset(LINE);
    &mut room[start..][..numbers]
}

/// Makes a kernel of a loop over slices.
#[macro_export]
macro_rules! row_kernel {
    ($name:ident { $($field:ident: $type:ty),* } -> $output:ty, $fused:ident, $body:block) => {
        struct $name<'a> { $($field: $type),* }

        impl<'a> $crate::simd::Kernel for $name<'a> {
            type Output = $output;

            #[inline(always)]
            fn run<const ROWS: usize, const COLUMNS: usize, const $fused: bool>(self) -> $output {
                let Self { $($field),* } = self;
                $body
            }
        }
    };
}
pub use row_kernel;

/// Asks for the part of the result that a tile will be added to.
#[inline(always)]
pub fn touch(rows: usize, columns: usize, n: usize, out: &[f32]) {
    for row in out.chunks(n).take(rows) {
        prefetch(&row[0]);
        prefetch(&row[columns - 1]);
    }
}

/// Joins each number of the first half with its partner in the second.
///
/// What is wider than a register is read from memory. Otherwise the compiler orders the numbers for the last of these steps,
/// in pairs, in the loop before them too: a sum of 512 numbers then takes three times as long.
#[inline(always)]
#[must_use]
pub fn halve<const ALL: usize, const HALF: usize>(
    lanes: [f32; ALL],
    f: &impl Fn(f32, f32) -> f32,
) -> [f32; HALF] {
    let lanes = if HALF < 16 { lanes } else { black_box(lanes) };
    let mut joined = [0.0; HALF];
    for l in 0..HALF {
        joined[l] = f(lanes[l], lanes[HALF + l]);
    }
    joined
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Sizes;

    impl Kernel for Sizes {
        type Output = (usize, usize, bool);

        fn run<const ROWS: usize, const COLUMNS: usize, const FUSED: bool>(self) -> Self::Output {
            (ROWS, COLUMNS, FUSED)
        }
    }

    #[test]
    fn every_cpu_has_the_portable_instructions_and_detect_gives_the_widest() {
        let all = Simd::available();
        assert_eq!(all[0].to_string(), "portable");
        assert!(all.is_sorted_by_key(|simd| simd.width()));
        assert_eq!(all.last(), Some(&Simd::detect()));
    }

    #[test]
    fn a_tile_is_whole_registers_wide() {
        for simd in Simd::available() {
            let (rows, columns, _) = simd.run(Sizes);
            assert!(rows > 0 && columns % simd.width() == 0, "{simd}: {rows} x {columns}");
        }
    }

    #[test]
    fn room_begins_at_a_cache_line_and_is_kept() {
        let mut room = vec![];
        for numbers in [1, 100, 7] {
            let slice = aligned(&mut room, numbers);
            assert_eq!((slice.len(), slice.as_ptr() as usize % 64), (numbers, 0));
        }
        assert!(room.len() >= 100);
    }

    #[test]
    fn multiply_and_add_gives_the_same_where_nothing_is_rounded() {
        assert_eq!(multiply_add::<true>(3.0, 4.0, 5.0), 17.0);
        assert_eq!(multiply_add::<false>(3.0, 4.0, 5.0), 17.0);
    }
}
