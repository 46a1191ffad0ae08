//! What tests and analyses lean on: closeness of floats, a stopwatch with a spread, and an
//! allocator that counts. Given to every lesson; not a lesson itself.

use std::alloc::{GlobalAlloc, Layout, System};
use std::panic::{self, AssertUnwindSafe};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Instant;

/// Panics unless `actual` and `expected` have the same length and each pair differs by at most
/// `tolerance`. Values that are not numbers are never close. The message names the first index that
/// differs, with both values.
#[track_caller]
pub fn assert_close(actual: &[f32], expected: &[f32], tolerance: f32) {
    assert!(
        actual.len() == expected.len(),
        "got {} values, expected {}: {actual:?} instead of {expected:?}",
        actual.len(),
        expected.len()
    );
    for (index, (got, want)) in actual.iter().zip(expected).enumerate() {
        let close = got == want || (got - want).abs() <= tolerance;
        assert!(close, "value {index} is {got}, expected {want} (tolerance {tolerance})");
    }
}

/// What [`panic_message`] says of work that returned.
const NO_PANIC: &str = "(no panic: the call returned)";

/// Runs `work`, which should panic, and returns the message; for work that returns, a
/// text that says so, so that a test shows it beside what was wanted. An unfinished `todo!` is no such panic: it goes on to
/// whoever runs the test.
pub fn panic_message<T>(work: impl FnOnce() -> T) -> String {
    let Err(payload) = panic::catch_unwind(AssertUnwindSafe(work)) else {
        return NO_PANIC.to_owned();
    };
    let message = match payload.downcast_ref::<&str>() {
        Some(text) => (*text).to_owned(),
        None => payload.downcast_ref::<String>().cloned().unwrap_or_default(),
    };
    if message.starts_with("not yet implemented") {
        panic::resume_unwind(payload);
    }
    message
}

/// A time in seconds: the median of several runs, with the quartiles as its spread.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Timing {
    /// The median, in seconds.
    pub median: f64,
    /// First quartile, in seconds.
    pub low: f64,
    /// Third quartile, in seconds.
    pub high: f64,
}

/// Times `work`: two runs to warm up, then `runs` measured ones. The result of each run goes
/// through [`std::hint::black_box`], so the optimiser cannot drop it. Panics when `runs` is 0.
pub fn time<T>(runs: usize, mut work: impl FnMut() -> T) -> Timing {
    assert!(runs > 0, "time: at least one run is needed, got 0");
    for _ in 0..2 {
        std::hint::black_box(work());
    }
    let mut seconds: Vec<f64> = (0..runs)
        .map(|_| {
            let start = Instant::now();
            std::hint::black_box(work());
            start.elapsed().as_secs_f64()
        })
        .collect();
    seconds.sort_by(f64::total_cmp);
    let quantile = |q: f64| {
        let position = q * (seconds.len() - 1) as f64;
        let (below, share) = (position.floor() as usize, position.fract());
        let above = (below + 1).min(seconds.len() - 1);
        seconds[below] + share * (seconds[above] - seconds[below])
    };
    Timing { median: quantile(0.5), low: quantile(0.25), high: quantile(0.75) }
}

/// The system's allocator with two counters: bytes in use now, and the most that were in use. The
/// harness installs it in every binary built from an exercise.
pub struct CountingAllocator;

static IN_USE: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);

fn count(grown: usize, shrunk: usize) {
    let now = IN_USE.fetch_add(grown, Relaxed) + grown;
    PEAK.fetch_max(now, Relaxed);
    IN_USE.fetch_sub(shrunk, Relaxed);
}

// SAFETY: every call goes to `System` unchanged; the counters touch no memory of the caller.
#[expect(unsafe_code, reason = "a global allocator is an unsafe trait; this one only counts")]
unsafe impl GlobalAlloc for CountingAllocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size(), 0);
        // SAFETY: the caller's promise about `layout` is passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count(layout.size(), 0);
        // SAFETY: as above.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        count(0, layout.size());
        // SAFETY: `pointer` came from `System` with this `layout`, as every block does here.
        unsafe { System.dealloc(pointer, layout) }
    }
}

/// What a piece of work did with memory, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MemoryUse {
    /// The most in use at any moment, above what was in use before.
    pub peak: usize,
    /// Still in use afterwards, above what was in use before (its result, usually).
    pub kept: usize,
}

/// Runs `work` and counts its memory. Returns `None` for the counts when [`CountingAllocator`] is
/// not installed: then there is nothing to count, and no figure is better than a wrong one. Other
/// threads' allocations count too.
pub fn memory<T>(work: impl FnOnce() -> T) -> (T, Option<MemoryUse>) {
    let installed = IN_USE.load(Relaxed) > 0;
    let before = IN_USE.load(Relaxed);
    PEAK.store(before, Relaxed);
    let result = work();
    let (after, peak) = (IN_USE.load(Relaxed), PEAK.load(Relaxed));
    let used = MemoryUse { peak: peak.saturating_sub(before), kept: after.saturating_sub(before) };
    (result, installed.then_some(used))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[should_panic(expected = "value 1 is 3, expected 2")]
    fn a_value_too_far_away_is_named() {
        assert_close(&[1.0, 3.0], &[1.0, 2.0], 1e-6);
    }

    #[test]
    #[should_panic(expected = "value 0 is NaN")]
    fn not_a_number_is_never_close() {
        assert_close(&[f32::NAN], &[1.0], f32::INFINITY);
    }

    #[test]
    fn the_message_of_a_panic_is_returned() {
        assert_eq!(panic_message(|| panic!("plain")), "plain");
        assert_eq!(panic_message(|| panic!("with {}", 1)), "with 1");
    }

    #[test]
    fn work_that_returns_is_no_panic() {
        assert_eq!(panic_message(|| 1), NO_PANIC);
    }

    #[test]
    #[should_panic(expected = "not yet implemented: tensor-new")]
    #[expect(clippy::todo, reason = "what an unfinished exercise does")]
    fn an_unfinished_exercise_is_passed_on() {
        panic_message(|| -> u8 { todo!("tensor-new") });
    }

    #[test]
    fn equal_infinities_are_close() {
        assert_close(&[f32::INFINITY], &[f32::INFINITY], 0.0);
    }

    #[test]
    fn a_timing_keeps_its_quartiles_in_order() {
        let timing = time(9, || (0..1000).sum::<u64>());
        assert!(timing.low <= timing.median && timing.median <= timing.high);
    }
}
