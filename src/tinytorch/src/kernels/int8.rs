//! Products of 8-bit integers, by what the CPU can do. Rows of activations (`u8`) times packed weights (`i8`) give exact sums
//! (`i32`), which are scaled to `f32` while they are still in the CPU's cache. Every kernel gives the same sums. Not here:
//! how scales and zero points are found (lesson 16).

use crate::testing::{Timing, time};

/// So many columns of the weights are side by side in a panel: 16 sums of `i32` fill the widest register.
const PANEL: usize = 16;
/// So many numbers along the sum are multiplied by one instruction for each column.
const GROUP: usize = 4;

/// The rows of a block of activations, each in groups along the sum.
type Rows<'a, const R: usize> = [&'a [[u8; GROUP]]; R];
/// Panels of weights, side by side.
type Panels<'a, const P: usize> = [&'a [[i8; PANEL * GROUP]]; P];
/// The sums of a tile: rows by panels by columns.
type Sums<const R: usize, const P: usize> = [[[i32; PANEL]; P]; R];

/// The longest sum that cannot leave the range of an `i32`: `65,536 x 255 x 128` is less than `2^31`.
pub const LONGEST_SUM: usize = 65_536;

/// How a product is computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kernel {
    /// Plain loops, for every CPU.
    Portable,
    /// `x86_64`: products of 16-bit numbers, added in pairs (`vpmaddwd`). The shorter way, `vpmaddubsw`, adds pairs of 8-bit
    /// products in 16 bits, where `2 x 255 x 127` saturates: its sums would be wrong.
    Avx2,
    /// `x86_64`: four 8-bit products added into 32 bits, eight columns at a time (`vpdpbusd`).
    AvxVnni,
    /// The same, 16 columns at a time.
    Avx512Vnni,
    /// `aarch64`: four 8-bit products added into 32 bits, four columns at a time (`sdot`).
    NeonDot,
}

impl Kernel {
    /// All kernels, from the slowest to the fastest.
    const ALL: [Self; 5] =
        [Self::Portable, Self::Avx2, Self::AvxVnni, Self::NeonDot, Self::Avx512Vnni];

    /// Those that this CPU can run, from the slowest to the fastest.
    pub fn available() -> impl Iterator<Item = Self> {
        Self::ALL.into_iter().filter(|kernel| kernel.is_available())
    }

    /// The fastest that this CPU can run.
    #[must_use]
    pub fn detect() -> Self {
        Self::available().last().unwrap_or(Self::Portable)
    }

    /// Whether four 8-bit products and their sum are one instruction of it.
    #[must_use]
    pub fn is_dot_product(self) -> bool {
        matches!(self, Self::AvxVnni | Self::Avx512Vnni | Self::NeonDot)
    }

    /// Its name for people.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Portable => "portable",
            Self::Avx2 => "AVX2",
            Self::AvxVnni => "AVX-VNNI",
            Self::Avx512Vnni => "AVX-512 VNNI",
            Self::NeonDot => "NEON dot",
        }
    }

    /// The standard library remembers what it found, so asking is cheap.
    fn is_available(self) -> bool {
        match self {
            Self::Portable => true,
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => is_x86_feature_detected!("avx2"),
            #[cfg(target_arch = "x86_64")]
            Self::AvxVnni => {
                is_x86_feature_detected!("avx2") && is_x86_feature_detected!("avxvnni")
            }
            #[cfg(target_arch = "x86_64")]
            Self::Avx512Vnni => {
                is_x86_feature_detected!("avx512bw") && is_x86_feature_detected!("avx512vnni")
            }
            #[cfg(target_arch = "aarch64")]
            Self::NeonDot => std::arch::is_aarch64_feature_detected!("dotprod"),
            _ => false,
        }
    }
}

/// Weights in the order in which the kernels read them: panels of 16 columns; in a panel, for each four numbers along the sum,
/// those of the first column, of the second, and so on. What is missing is filled with zeros, which add nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Weights {
    panels: Vec<[i8; PANEL * GROUP]>,
    column_sums: Vec<i32>,
    inputs: usize,
}

impl Weights {
    /// Packs a matrix `(inputs, outputs)`, row by row. Panics when the numbers do not fill it, or a sum could overflow.
    #[must_use]
    pub fn pack(matrix: &[i8], [inputs, outputs]: [usize; 2]) -> Self {
        assert!(
            matrix.len() == inputs * outputs,
            "int8: {} weights for a matrix ({inputs}, {outputs})",
            matrix.len()
        );
        assert!(
            inputs <= LONGEST_SUM,
            "int8: a sum of {inputs} products may not fit into 32 bits: split it into parts of {LONGEST_SUM}"
        );
        let groups = inputs.div_ceil(GROUP);
        let mut panels = vec![[0; PANEL * GROUP]; outputs.div_ceil(PANEL) * groups];
        let mut column_sums = vec![0; outputs];
        for (input, row) in matrix.chunks_exact(outputs.max(1)).enumerate() {
            for (output, &weight) in row.iter().enumerate() {
                let panel = output / PANEL * groups + input / GROUP;
                panels[panel][output % PANEL * GROUP + input % GROUP] = weight;
                column_sums[output] += i32::from(weight);
            }
        }
        Self { panels, column_sums, inputs }
    }

    /// The matrix `(inputs, outputs)` again, row by row.
    #[must_use]
    pub fn unpack(&self) -> Vec<i8> {
        let (groups, [inputs, outputs]) = (self.groups(), self.shape());
        let weight = |at: usize| {
            let (input, output) = (at / outputs, at % outputs);
            let panel = output / PANEL * groups + input / GROUP;
            self.panels[panel][output % PANEL * GROUP + input % GROUP]
        };
        (0..inputs * outputs).map(weight).collect()
    }

    /// `[inputs, outputs]`.
    #[must_use]
    pub fn shape(&self) -> [usize; 2] {
        [self.inputs, self.column_sums.len()]
    }

    /// The sum of the weights of each output: what a shift of all inputs adds to it.
    #[must_use]
    pub fn column_sums(&self) -> &[i32] {
        &self.column_sums
    }

    fn groups(&self) -> usize {
        self.inputs.div_ceil(GROUP)
    }

    /// As many panels as are asked for, from one on; behind the last one it is repeated.
    fn panels<const P: usize>(&self, first: usize) -> Panels<'_, P> {
        let (groups, last) = (self.groups(), self.column_sums.len().div_ceil(PANEL) - 1);
        std::array::from_fn(|at| &self.panels[(first + at).min(last) * groups..][..groups])
    }
}

/// How a number becomes an integer of 8 bits: `round(x / scale) + zero_point`, halves to the even side, at most at the ends
/// of `levels`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Steps {
    /// The distance of two neighbours.
    pub scale: f32,
    /// The integer of 0.
    pub zero_point: i32,
    /// The smallest and the largest integer, inside of -128 and 127.
    pub levels: [i32; 2],
}

/// Rows of activations as `u8`: each is what it would be as `i8`, plus 128, because some kernels multiply `u8` by `i8`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Activations {
    groups: Vec<[u8; GROUP]>,
    rows: usize,
    inputs: usize,
    zero_point: u8,
}

impl Activations {
    /// Rows of `inputs` numbers, each as the integer that [`Steps`] describes.
    #[must_use]
    pub fn quantize(kernel: Kernel, x: &[f32], inputs: usize, steps: &Steps) -> Self {
        let zero_point = byte(steps.zero_point);
        Self::filled(x, inputs, zero_point, |row, out| quantize_with(kernel, row, steps, out))
    }

    /// Rows of integers, as they are.
    #[must_use]
    pub fn of(values: &[i8], inputs: usize, zero_point: i32) -> Self {
        Self::filled(values, inputs, byte(zero_point), |row, out| {
            out.iter_mut().zip(row).for_each(|(out, &value)| *out = byte(value.into()));
        })
    }

    fn filled<T>(x: &[T], inputs: usize, zero_point: u8, fill: impl Fn(&[T], &mut [u8])) -> Self {
        let (rows, row_groups) = (x.len() / inputs.max(1), inputs.div_ceil(GROUP));
        let mut groups = vec![[0; GROUP]; rows * row_groups];
        let targets = groups.chunks_exact_mut(row_groups.max(1));
        for (row, groups) in x.chunks_exact(inputs.max(1)).zip(targets) {
            fill(row, groups.as_flattened_mut());
        }
        Self { groups, rows, inputs, zero_point }
    }

    /// As many rows as are asked for, from one on; behind the last one it is repeated.
    fn rows<const R: usize>(&self, first: usize) -> Rows<'_, R> {
        let groups = self.inputs.div_ceil(GROUP);
        std::array::from_fn(|at| &self.groups[(first + at).min(self.rows - 1) * groups..][..groups])
    }
}

/// How a sum becomes a number: for each output, its scale and its bias.
#[derive(Debug, Clone, Copy)]
pub struct Scaling<'a> {
    /// The scale of the activations times that of the output's weights.
    pub scales: &'a [f32],
    /// Added to each output.
    pub bias: &'a [f32],
}

/// `(sum - zero_point x column sum) x scale + bias` for each row and output, `(rows, outputs)`. Panics when the sizes do not
/// fit.
#[must_use]
pub fn linear(kernel: Kernel, x: &Activations, weights: &Weights, scaling: &Scaling) -> Vec<f32> {
    let outputs = weights.column_sums.len();
    assert!(
        scaling.scales.len() == outputs && scaling.bias.len() == outputs,
        "int8: {} scales and {} biases for {outputs} outputs",
        scaling.scales.len(),
        scaling.bias.len()
    );
    let zero_point = i32::from(x.zero_point);
    let shifts: Vec<i32> = weights.column_sums.iter().map(|sum| zero_point * sum).collect();
    let mut out = vec![0.0; x.rows * outputs];
    run(kernel, x, weights, |row, first, sums| {
        let columns = first..outputs.min(first + PANEL);
        let out = &mut out[row * outputs..][columns.clone()];
        let (shifts, scales) = (&shifts[columns.clone()], &scaling.scales[columns.clone()]);
        let (bias, sums) = (&scaling.bias[columns], &sums[..out.len()]);
        for at in 0..out.len() {
            out[at] = (sums[at] - shifts[at]) as f32 * scales[at] + bias[at];
        }
    });
    out
}

/// The plain sums of products, `(rows, outputs)`: zero points are not subtracted.
#[must_use]
pub fn sums(kernel: Kernel, x: &Activations, weights: &Weights) -> Vec<i32> {
    let outputs = weights.column_sums.len();
    let mut out = vec![0; x.rows * outputs];
    run(kernel, x, weights, |row, first, sums| {
        let out = &mut out[row * outputs..][first..outputs.min(first + PANEL)];
        out.copy_from_slice(&sums[..out.len()]);
    });
    out
}

/// The time of each kernel of this CPU for `m` rows of `k` numbers and `n` outputs, quantizing and scaling included.
pub fn time_kernels([m, k, n]: [usize; 3]) -> impl Iterator<Item = (&'static str, Timing)> {
    let weights: Vec<i8> = (0..k * n).map(|at| (at * 7919 % 255) as u8 as i8).collect();
    let weights = Weights::pack(&weights, [k, n]);
    let rows: Vec<f32> = (0..m * k).map(|at| (at * 104_729 % 255) as f32).collect();
    let (scales, bias) = (vec![1.0; n], vec![0.0; n]);
    Kernel::available().map(move |kernel| {
        let steps = Steps { scale: 1.0, zero_point: -128, levels: [-128, 127] };
        let work = || {
            let x = Activations::quantize(kernel, &rows, k, &steps);
            linear(kernel, &x, &weights, &Scaling { scales: &scales, bias: &bias })
        };
        (kernel.name(), time(9, work))
    })
}

/// Computes all sums with the kernel, or with the portable one where this CPU lacks it. `finish` gets a row, the first of up
/// to 16 columns, and their sums.
fn run(
    kernel: Kernel,
    x: &Activations,
    weights: &Weights,
    finish: impl FnMut(usize, usize, &[i32; PANEL]),
) {
    assert!(
        x.inputs == weights.inputs,
        "int8: rows of {} numbers times weights for {}",
        x.inputs,
        weights.inputs
    );
    if x.rows == 0 || weights.column_sums.is_empty() {
        return;
    }
    match kernel {
        // SAFETY of all of these: the CPU has the features that the function is compiled for.
        #[cfg(target_arch = "x86_64")]
        #[expect(
            unsafe_code,
            reason = "a function for one CPU may only run on it, which is checked"
        )]
        Kernel::Avx512Vnni if kernel.is_available() => unsafe { x86::avx512(x, weights, finish) },
        #[cfg(target_arch = "x86_64")]
        #[expect(unsafe_code, reason = "as above")]
        Kernel::AvxVnni if kernel.is_available() => unsafe { x86::avx_vnni(x, weights, finish) },
        #[cfg(target_arch = "x86_64")]
        #[expect(unsafe_code, reason = "as above")]
        Kernel::Avx2 if kernel.is_available() => unsafe { x86::avx2(x, weights, finish) },
        #[cfg(target_arch = "aarch64")]
        #[expect(
            unsafe_code,
            reason = "a function for one CPU may only run on it, which is checked"
        )]
        Kernel::NeonDot if kernel.is_available() => unsafe { arm::neon_dot(x, weights, finish) },
        _ => portable(x, weights, finish),
    }
}

/// A function that computes all sums in tiles: rows of activations by panels of weights. It is compiled for the features
/// that its tile needs, so that the tile and what finishes it become part of one loop.
macro_rules! tiled {
    ($(#[$attribute:meta])* $name:ident, $tile:ident, $rows:literal by $panels:literal) => {
        $(#[$attribute])*
        pub(super) fn $name(
            x: &Activations,
            weights: &Weights,
            mut finish: impl FnMut(usize, usize, &[i32; PANEL]),
        ) {
            let outputs = weights.column_sums.len();
            for panel in (0..outputs.div_ceil(PANEL)).step_by($panels) {
                let panels = weights.panels::<$panels>(panel);
                let mut finish_row = |row, sums: &[[i32; PANEL]; $panels]| {
                    let columns = (panel * PANEL..outputs).step_by(PANEL);
                    columns.zip(sums).for_each(|(first, sums)| finish(row, first, sums));
                };
                let whole = x.rows / $rows * $rows;
                for row in (0..whole).step_by($rows) {
                    let sums = $tile::<$rows, $panels>(x.rows(row), panels);
                    sums.iter().enumerate().for_each(|(at, sums)| finish_row(row + at, sums));
                }
                for row in whole..x.rows {
                    finish_row(row, &$tile::<1, $panels>(x.rows(row), panels)[0]);
                }
            }
        }
    };
}

tiled!(portable, portable_tile, 4 by 1);

fn portable_tile<const R: usize, const P: usize>(rows: Rows<R>, panels: Panels<P>) -> Sums<R, P> {
    let mut sums = [[[0; PANEL]; P]; R];
    for (row, sums) in rows.iter().zip(&mut sums) {
        for (panel, sums) in panels.iter().zip(sums) {
            for (inputs, weights) in row.iter().zip(*panel) {
                let inputs = inputs.map(i32::from);
                for (sum, weights) in sums.iter_mut().zip(weights.as_chunks::<GROUP>().0) {
                    let weights = weights.map(i32::from);
                    *sum += inputs[0] * weights[0]
                        + inputs[1] * weights[1]
                        + inputs[2] * weights[2]
                        + inputs[3] * weights[3];
                }
            }
        }
    }
    sums
}

/// An `i8` as a byte from 0 on; what is outside becomes the nearest end.
fn byte(level: i32) -> u8 {
    (level + 128).clamp(0, 255) as u8
}

/// Quantizes a row with the widest registers that the kernel's CPU has.
fn quantize_with(kernel: Kernel, row: &[f32], steps: &Steps, out: &mut [u8]) {
    match kernel {
        // SAFETY of both: the CPU has the features that the function is compiled for.
        #[cfg(target_arch = "x86_64")]
        #[expect(
            unsafe_code,
            reason = "a function for one CPU may only run on it, which is checked"
        )]
        Kernel::Avx512Vnni if kernel.is_available() => unsafe {
            x86::quantize_avx512(row, steps, out);
        },
        #[cfg(target_arch = "x86_64")]
        #[expect(unsafe_code, reason = "as above")]
        Kernel::Avx2 | Kernel::AvxVnni if kernel.is_available() => unsafe {
            x86::quantize_avx2(row, steps, out);
        },
        _ => quantize_row(row, steps, out),
    }
}

/// To add 1.5 x 2^23 rounds a number to an integer, halves to the even side, and leaves it in the last bits.
#[inline(always)]
fn quantize_row(row: &[f32], steps: &Steps, out: &mut [u8]) {
    const ROUND: f32 = 12_582_912.0;
    let [first, last] = steps.levels.map(|level| (level - steps.zero_point) as f32);
    let (inverse, zero) = (1.0 / steps.scale, i32::from(byte(steps.zero_point)) as u32);
    for (out, x) in out.iter_mut().zip(row) {
        let rounded = (x * inverse).max(first).min(last) + ROUND;
        *out = rounded.to_bits().wrapping_sub(ROUND.to_bits()).wrapping_add(zero) as u8;
    }
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use super::{Activations, GROUP, PANEL, Panels, Rows, Steps, Sums, Weights, quantize_row};
    use std::arch::x86_64::*;

    tiled!(#[target_feature(enable = "avx512f,avx512vnni")] avx512, avx512_tile, 6 by 4);
    tiled!(#[target_feature(enable = "avx2,avxvnni")] avx_vnni, avx_vnni_tile, 6 by 1);
    tiled!(#[target_feature(enable = "avx2")] avx2, avx2_tile, 2 by 1);

    #[target_feature(enable = "avx512f,avx512bw")]
    pub(super) fn quantize_avx512(row: &[f32], steps: &Steps, out: &mut [u8]) {
        quantize_row(row, steps, out);
    }

    #[target_feature(enable = "avx2")]
    pub(super) fn quantize_avx2(row: &[f32], steps: &Steps, out: &mut [u8]) {
        quantize_row(row, steps, out);
    }

    #[target_feature(enable = "avx512f,avx512vnni")]
    fn avx512_tile<const R: usize, const P: usize>(rows: Rows<R>, panels: Panels<P>) -> Sums<R, P> {
        let groups = rows[0].len();
        let (rows, panels) = (rows.map(|row| &row[..groups]), panels.map(|p| &p[..groups]));
        let mut sums = [[_mm512_setzero_si512(); P]; R];
        for group in 0..groups {
            let weights = panels.map(|panel| load_512(&panel[group]));
            for (row, sums) in rows.iter().zip(&mut sums) {
                let inputs = _mm512_set1_epi32(i32::from_le_bytes(row[group]));
                for (sum, weights) in sums.iter_mut().zip(weights) {
                    *sum = _mm512_dpbusd_epi32(*sum, inputs, weights);
                }
            }
        }
        sums.map(|sums| sums.map(|sum| store_512(sum)))
    }

    #[target_feature(enable = "avx512f")]
    #[expect(unsafe_code, reason = "the intrinsic takes a pointer")]
    fn load_512(bytes: &[i8; PANEL * GROUP]) -> __m512i {
        // SAFETY: 64 bytes may be read, at any alignment.
        unsafe { _mm512_loadu_si512(bytes.as_ptr().cast()) }
    }

    #[target_feature(enable = "avx512f")]
    #[expect(unsafe_code, reason = "the intrinsic takes a pointer")]
    fn store_512(sums: __m512i) -> [i32; PANEL] {
        let mut out = [0; PANEL];
        // SAFETY: 64 bytes may be written, at any alignment.
        unsafe { _mm512_storeu_si512(out.as_mut_ptr().cast(), sums) };
        out
    }

    #[target_feature(enable = "avx2,avxvnni")]
    fn avx_vnni_tile<const R: usize, const P: usize>(
        rows: Rows<R>,
        panels: Panels<P>,
    ) -> Sums<R, P> {
        let groups = rows[0].len();
        let (rows, panels) = (rows.map(|row| &row[..groups]), panels.map(|p| &p[..groups]));
        let mut sums = [[[_mm256_setzero_si256(); 2]; P]; R];
        for group in 0..groups {
            let weights = panels.map(|panel| halves(&panel[group]));
            for (row, sums) in rows.iter().zip(&mut sums) {
                let inputs = _mm256_set1_epi32(i32::from_le_bytes(row[group]));
                for (sums, weights) in sums.iter_mut().zip(weights) {
                    for (sum, weights) in sums.iter_mut().zip(weights) {
                        *sum = _mm256_dpbusd_avx_epi32(*sum, inputs, weights);
                    }
                }
            }
        }
        sums.map(|sums| sums.map(|[low, high]| store_256(low, high)))
    }

    /// A panel's bytes in two registers.
    #[target_feature(enable = "avx2")]
    #[expect(unsafe_code, reason = "the intrinsic takes a pointer")]
    fn halves(bytes: &[i8; PANEL * GROUP]) -> [__m256i; 2] {
        let (halves, _) = bytes.as_chunks::<32>();
        // SAFETY: each half is 32 bytes, read at any alignment.
        [0, 1].map(|half| unsafe { _mm256_loadu_si256(halves[half].as_ptr().cast()) })
    }

    #[target_feature(enable = "avx2")]
    #[expect(unsafe_code, reason = "the intrinsic takes a pointer")]
    fn store_256(low: __m256i, high: __m256i) -> [i32; PANEL] {
        let mut out = [[0; 8]; 2];
        for (out, sums) in out.iter_mut().zip([low, high]) {
            // SAFETY: 32 bytes may be written, at any alignment.
            unsafe { _mm256_storeu_si256(out.as_mut_ptr().cast(), sums) };
        }
        std::array::from_fn(|at| out[at / 8][at % 8])
    }

    /// Two sums for each column, of the first and of the second half of each group, four columns in a register.
    #[target_feature(enable = "avx2")]
    fn avx2_tile<const R: usize, const P: usize>(rows: Rows<R>, panels: Panels<P>) -> Sums<R, P> {
        let groups = rows[0].len();
        let (rows, panels) = (rows.map(|row| &row[..groups]), panels.map(|p| &p[..groups]));
        let mut sums = [[[_mm256_setzero_si256(); 4]; P]; R];
        for group in 0..groups {
            let inputs = rows
                .map(|row| _mm256_cvtepu8_epi16(_mm_set1_epi32(i32::from_le_bytes(row[group]))));
            for (panel, at) in panels.iter().zip(0..P) {
                for quarter in 0..4 {
                    let weights = widened(&panel[group], quarter);
                    for (inputs, sums) in inputs.iter().zip(&mut sums) {
                        let products = _mm256_madd_epi16(*inputs, weights);
                        sums[at][quarter] = _mm256_add_epi32(sums[at][quarter], products);
                    }
                }
            }
        }
        sums.map(|sums| sums.map(|quarters| add_pairs(quarters)))
    }

    /// Four columns of a panel as 16-bit numbers.
    #[target_feature(enable = "avx2")]
    #[expect(unsafe_code, reason = "the intrinsic takes a pointer")]
    fn widened(bytes: &[i8; PANEL * GROUP], quarter: usize) -> __m256i {
        let (quarters, _) = bytes.as_chunks::<16>();
        // SAFETY: a quarter is 16 bytes, read at any alignment.
        _mm256_cvtepi8_epi16(unsafe { _mm_loadu_si128(quarters[quarter].as_ptr().cast()) })
    }

    #[target_feature(enable = "avx2")]
    fn add_pairs([a, b, c, d]: [__m256i; 4]) -> [i32; PANEL] {
        let (first, second) = (store_256(a, b), store_256(c, d));
        std::array::from_fn(|at| {
            let half = if at < 8 { &first } else { &second };
            half[at % 8 * 2] + half[at % 8 * 2 + 1]
        })
    }
}

#[cfg(target_arch = "aarch64")]
mod arm {
    use super::{Activations, GROUP, PANEL, Panels, Rows, Sums, Weights};
    use std::arch::aarch64::*;
    use std::arch::asm;

    tiled!(#[target_feature(enable = "neon,dotprod")] neon_dot, neon_dot_tile, 4 by 1);

    /// `sdot` multiplies signed numbers: what is missing for inputs from 0 to 255 is 128 times the sum of the weights.
    #[target_feature(enable = "neon,dotprod")]
    fn neon_dot_tile<const R: usize, const P: usize>(
        rows: Rows<R>,
        panels: Panels<P>,
    ) -> Sums<R, P> {
        let groups = rows[0].len();
        let (rows, panels) = (rows.map(|row| &row[..groups]), panels.map(|p| &p[..groups]));
        let mut sums = [[[vdupq_n_s32(0); 4]; P]; R];
        let mut shifts = [[vdupq_n_s32(0); 4]; P];
        for group in 0..groups {
            for (at, panel) in panels.iter().enumerate() {
                let weights = quarters(&panel[group]);
                for (shift, weights) in shifts[at].iter_mut().zip(weights) {
                    *shift = dot(*shift, vdupq_n_s8(-128), weights);
                }
                for (row, sums) in rows.iter().zip(&mut sums) {
                    let signed = row[group].map(|input| input ^ 128);
                    let inputs = vreinterpretq_s8_s32(vdupq_n_s32(i32::from_le_bytes(signed)));
                    for (sum, weights) in sums[at].iter_mut().zip(weights) {
                        *sum = dot(*sum, inputs, weights);
                    }
                }
            }
        }
        sums.map(|row| {
            let mut shifts = shifts.iter();
            row.map(|sums| shifts.next().map_or([0; PANEL], |shifts| shifted(sums, *shifts)))
        })
    }

    /// The intrinsic is not stable yet.
    #[target_feature(enable = "neon,dotprod")]
    #[expect(unsafe_code, reason = "an instruction without a stable intrinsic")]
    fn dot(mut sum: int32x4_t, a: int8x16_t, b: int8x16_t) -> int32x4_t {
        // SAFETY: one instruction that reads and writes these registers alone.
        unsafe {
            asm!(
                "sdot {sum:v}.4s, {a:v}.16b, {b:v}.16b",
                sum = inout(vreg) sum, a = in(vreg) a, b = in(vreg) b,
                options(pure, nomem, nostack, preserves_flags)
            );
        }
        sum
    }

    /// A panel's bytes in four registers.
    #[target_feature(enable = "neon")]
    #[expect(unsafe_code, reason = "the intrinsic takes a pointer")]
    fn quarters(bytes: &[i8; PANEL * GROUP]) -> [int8x16_t; 4] {
        let (quarters, _) = bytes.as_chunks::<16>();
        // SAFETY: each quarter is 16 bytes, read at any alignment.
        [0, 1, 2, 3].map(|quarter| unsafe { vld1q_s8(quarters[quarter].as_ptr()) })
    }

    #[target_feature(enable = "neon")]
    #[expect(unsafe_code, reason = "the intrinsic takes a pointer")]
    fn shifted(sums: [int32x4_t; 4], shifts: [int32x4_t; 4]) -> [i32; PANEL] {
        let mut out = [[0; 4]; 4];
        for ((out, sum), shift) in out.iter_mut().zip(sums).zip(shifts) {
            // SAFETY: 16 bytes may be written, at any alignment.
            unsafe { vst1q_s32(out.as_mut_ptr(), vsubq_s32(sum, shift)) };
        }
        std::array::from_fn(|at| out[at / 4][at % 4])
    }
}
