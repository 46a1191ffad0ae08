//! Helpers of tests and analyses: comparison of floats, a timer with a spread, and an allocator that counts. Every
//! lesson may use them; they are not a lesson.

use crate::data::error::{DataError, Problem};
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::RefCell;
use std::fmt;
use std::ops::{AddAssign, Mul};
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

/// How many numbers of each side a failure shows: more of them teach nothing.
const SHOWN: usize = 10;

/// Panics unless `yours` equals `wanted`. The message has the `input`, both values, and the `idea` that is probably
/// missing.
#[track_caller]
pub fn expect_eq<T: PartialEq + fmt::Debug>(
    input: impl fmt::Display,
    yours: T,
    wanted: T,
    idea: &str,
) {
    if yours != wanted {
        let [yours, wanted] = sides(&format!("{yours:?}"), &format!("{wanted:?}"));
        panic!("for {input}:\n  yours:  {yours}\n  wanted: {wanted}\n  idea: {idea}");
    }
}

/// Both sides of a failure, not too long: of lists, the elements around the first that differs.
fn sides(yours: &str, wanted: &str) -> [String; 2] {
    let lists = [elements(yours), elements(wanted)];
    let differs = lists[0].iter().zip(&lists[1]).position(|(a, b)| a != b);
    let shortest = lists[0].len().min(lists[1].len());
    let place = differs.unwrap_or(shortest);
    let side = |text: &str, list: &[&str]| match list.len() {
        0..=SHOWN => shortened(text),
        _ => shortened(&around(list, place)),
    };
    [side(yours, &lists[0]), side(wanted, &lists[1])]
}

/// The elements of a list around a place, and how many more there are on either side.
fn around<T: fmt::Display>(list: &[T], place: usize) -> String {
    let start = place.saturating_sub(SHOWN / 2).min(list.len().saturating_sub(SHOWN));
    let end = list.len().min(start + SHOWN);
    let shown: Vec<String> = list[start..end].iter().map(T::to_string).collect();
    let before = if start > 0 { format!("{start} more, ") } else { String::new() };
    let after = match list.len() - end {
        0 => String::new(),
        more => format!(", and {more} more"),
    };
    format!("[{before}{}{after}]", shown.join(", "))
}

/// The elements of a list in its debug form; none of any other text.
fn elements(text: &str) -> Vec<&str> {
    let Some(inner) = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')) else {
        return vec![];
    };
    let mut depth = 0_i32;
    let parts = inner.split(|c: char| {
        depth += i32::from("[({".contains(c)) - i32::from("])}".contains(c));
        c == ',' && depth == 0
    });
    parts.map(str::trim).collect()
}

/// Panics unless `yours` and `wanted` have the same length and each pair differs by at most `tolerance`. Values that
/// are not numbers are never close. The message is that of [`expect_eq`], with the first place that differs.
#[track_caller]
pub fn expect_close(
    input: impl fmt::Display,
    yours: &[f32],
    wanted: &[f32],
    tolerance: f32,
    idea: &str,
) {
    let is_close = |(a, b): (&f32, &f32)| a == b || (a - b).abs() <= tolerance;
    let differs = yours.iter().zip(wanted).position(|pair| !is_close(pair));
    let fault = match differs {
        _ if yours.len() != wanted.len() => {
            format!("{} values, not {}", yours.len(), wanted.len())
        }
        Some(index) => format!("value {index} is {}, not {}", yours[index], wanted[index]),
        None => return,
    };
    let place = differs.unwrap_or(yours.len().min(wanted.len()));
    let [yours, wanted] = [yours, wanted].map(|values| around(values, place));
    panic!("for {input}: {fault}\n  yours:  {yours}\n  wanted: {wanted}\n  idea: {idea}");
}

/// The beginning of a long text.
fn shortened(text: &str) -> String {
    const LONGEST: usize = 200;
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{} ...", &text[..end]),
        None => text.to_owned(),
    }
}

/// Panics unless `message` contains each of the `facts`. The message shows which of them it has.
#[track_caller]
pub fn expect_named(message: &str, facts: &[&str], idea: &str) {
    let named: Vec<&str> = facts.iter().copied().filter(|fact| message.contains(fact)).collect();
    expect_eq(format_args!("what {message:?} names"), &named[..], facts, idea);
}

/// What `work` returns, which should not panic: then the message is that of [`expect_eq`].
#[track_caller]
pub fn expect_return<T>(input: impl fmt::Display, work: impl FnOnce() -> T, idea: &str) -> T {
    match caught(work) {
        Ok(result) => result,
        Err(message) => {
            let message = shortened(&message);
            panic!("for {input}:\n  yours:  a panic: {message}\n  wanted: no panic\n  idea: {idea}")
        }
    }
}

/// [`expect_eq`] for what `work` returns, which should not panic.
#[track_caller]
pub fn expect_call<T: PartialEq + fmt::Debug>(
    input: impl fmt::Display,
    work: impl FnOnce() -> T,
    wanted: T,
    idea: &str,
) {
    let yours = expect_return(&input, work, idea);
    expect_eq(input, yours, wanted, idea);
}

/// [`expect_close`] for the numbers that `work` returns, which should not panic.
#[track_caller]
pub fn expect_call_close<T: AsRef<[f32]>>(
    input: impl fmt::Display,
    work: impl FnOnce() -> T,
    wanted: &[f32],
    tolerance: f32,
    idea: &str,
) {
    let yours = expect_return(&input, work, idea);
    expect_close(input, yours.as_ref(), wanted, tolerance, idea);
}

/// [`expect_close`] within 1e-5 for what `work`, which should not panic, makes of a buffer that is full of `start`.
#[track_caller]
pub fn expect_written(
    input: impl fmt::Display,
    start: f32,
    work: impl FnOnce(&mut [f32]),
    wanted: &[f32],
    idea: &str,
) {
    let mut buffer = vec![start; wanted.len()];
    let input = format!("{input}, in a buffer of {start}");
    expect_return(&input, || work(&mut buffer), idea);
    expect_close(input, &buffer, wanted, 1e-5, idea);
}

/// The error that `work` returns. If it panics or succeeds, the message is that of [`expect_eq`].
#[track_caller]
pub fn expect_error<T, E>(
    input: impl fmt::Display,
    work: impl FnOnce() -> Result<T, E>,
    idea: &str,
) -> E {
    match expect_return(&input, work, idea) {
        Err(error) => error,
        Ok(_) => panic!("for {input}:\n  yours:  no error\n  wanted: an error\n  idea: {idea}"),
    }
}

/// [`expect_error`] for an error in data, which should be of this kind. Returns its message.
#[track_caller]
pub fn expect_refused<T>(
    input: impl fmt::Display,
    work: impl FnOnce() -> Result<T, DataError>,
    kind: Problem,
    idea: &str,
) -> String {
    let error = expect_error(&input, work, idea);
    expect_eq(input, error.kind, kind, idea);
    error.message
}

/// What [`panic_message`] says of work that returned.
const NO_PANIC: &str = "(no panic: the call returned)";

/// Runs `work`, which should panic, and returns the message; if it returns, a text that says so, so that a test shows it
/// beside what was wanted. The panic of a `todo!` is passed on.
pub fn panic_message<T>(work: impl FnOnce() -> T) -> String {
    caught(work).err().unwrap_or_else(|| NO_PANIC.to_owned())
}

/// What `work` returns, or the message of its panic. The panic of a `todo!` is passed on.
fn caught<T>(work: impl FnOnce() -> T) -> Result<T, String> {
    panic::catch_unwind(AssertUnwindSafe(work)).map_err(|payload| {
        let message = match payload.downcast_ref::<&str>() {
            Some(text) => (*text).to_owned(),
            None => payload.downcast_ref::<String>().cloned().unwrap_or_default(),
        };
        if message.starts_with("not yet implemented") {
            panic::resume_unwind(payload);
        }
        message
    })
}

/// An element of one of two matrices that records which elements it is multiplied with, for loops whose order matters.
#[derive(Debug, Clone, Copy)]
pub struct Recorded {
    is_left: bool,
    row: usize,
    column: usize,
}

thread_local! {
    static PRODUCTS: RefCell<Vec<[usize; 3]>> = const { RefCell::new(vec![]) };
}

impl Mul for Recorded {
    type Output = Self;

    fn mul(self, other: Self) -> Self {
        let (a, b) = if self.is_left { (self, other) } else { (other, self) };
        PRODUCTS.with_borrow_mut(|products| products.push([a.row, a.column, b.column]));
        self
    }
}

impl AddAssign for Recorded {
    fn add_assign(&mut self, _: Self) {}
}

/// The elements of a left or a right matrix, in row-major order.
#[must_use]
pub fn recorded_matrix(is_left: bool, rows: usize, columns: usize) -> Vec<Recorded> {
    let places = (0..rows * columns).map(|place| (place / columns, place % columns));
    places.map(|(row, column)| Recorded { is_left, row, column }).collect()
}

/// The products that this thread has made since the last call: the row of the left element, its column, and the
/// column of the right one.
#[must_use]
pub fn take_products() -> Vec<[usize; 3]> {
    PRODUCTS.take()
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
    let seconds = (0..runs).map(|_| seconds(&mut work)).collect();
    Timing::of(seconds)
}

/// How long one run takes.
fn seconds<T>(work: &mut impl FnMut() -> T) -> f64 {
    let start = Instant::now();
    std::hint::black_box(work());
    start.elapsed().as_secs_f64()
}

/// First quartile, median and third quartile, interpolated between neighbours. Panics when there are no values.
pub fn quartiles(mut values: Vec<f64>) -> [f64; 3] {
    assert!(!values.is_empty(), "quartiles: at least one value is needed, got 0");
    values.sort_by(f64::total_cmp);
    [0.25, 0.5, 0.75].map(|q| {
        let position = q * (values.len() - 1) as f64;
        let (below, part) = (position.floor() as usize, position.fract());
        let above = (below + 1).min(values.len() - 1);
        values[below] + part * (values[above] - values[below])
    })
}

impl Timing {
    fn of(values: Vec<f64>) -> Self {
        let [low, median, high] = quartiles(values);
        Self { median, low, high }
    }
}

/// Two pieces of work that were timed in turn, and the ratio of their times.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Comparison {
    /// The first one.
    pub first: Timing,
    /// The second one.
    pub second: Timing,
    /// Time of the first divided by that of the second, pair by pair: what disturbs the machine disturbs both.
    pub ratio: Ratio,
}

/// Times two pieces of work in turn, `pairs` times after a warm-up, and changes who goes first from pair to pair.
/// Panics when `pairs` is 0.
pub fn compare<A, B>(
    pairs: usize,
    mut first: impl FnMut() -> A,
    mut second: impl FnMut() -> B,
) -> Comparison {
    assert!(pairs > 0, "compare: at least one pair is needed, got 0");
    let _ = (seconds(&mut first), seconds(&mut second));
    let pair = |number: usize| {
        if number.is_multiple_of(2) {
            let a = seconds(&mut first);
            (a, seconds(&mut second))
        } else {
            let b = seconds(&mut second);
            (seconds(&mut first), b)
        }
    };
    Comparison::of(&(0..pairs).map(pair).collect::<Vec<_>>())
}

/// Work that writes its result into numbers that are there.
pub type Writes<'a> = &'a dyn Fn(&mut [f32]);

/// As [`compare`], for work that writes into `size` numbers.
pub fn compare_writing(size: usize, first: Writes, second: Writes) -> Comparison {
    let [mut a, mut b] = [(); 2].map(|()| vec![0.0; size]);
    compare(7, || first(&mut a), || second(&mut b))
}

/// The steps of a ladder, which write into `size` numbers: each in turn with the one before it.
pub fn climb<'a>(size: usize, steps: &[(&'a str, Writes)]) -> Vec<(&'a str, &'a str, Comparison)> {
    let step =
        |two: &[(&'a str, Writes)]| (two[0].0, two[1].0, compare_writing(size, two[0].1, two[1].1));
    steps.windows(2).map(step).collect()
}

impl Comparison {
    /// What pairs of times, in seconds, show. Panics when there are none.
    pub fn of(pairs: &[(f64, f64)]) -> Self {
        Self {
            first: Timing::of(pairs.iter().map(|(a, _)| *a).collect()),
            second: Timing::of(pairs.iter().map(|(_, b)| *b).collect()),
            ratio: Ratio::of(pairs.iter().map(|(a, b)| a / b).collect()),
        }
    }
}

/// A quotient of two measured figures with its spread.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Ratio {
    /// The median.
    pub median: f64,
    /// First quartile.
    pub low: f64,
    /// Third quartile.
    pub high: f64,
}

/// What can be concluded from a comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reading {
    /// The first figure is larger.
    Larger,
    /// The first figure is smaller.
    Smaller,
    /// They differ by less than the measurement can tell.
    NoClearDifference,
    /// The pairs disagree too much for a number.
    TooNoisy,
}

impl Ratio {
    /// A ratio closer to 1 than this is not a difference that timing on a busy machine can show.
    const SMALLEST: f64 = 0.05;
    /// Quartiles further apart than this factor: the pairs contradict each other.
    const WIDEST: f64 = 2.0;

    /// Median and quartiles of the ratios of single pairs.
    pub fn of(pairs: Vec<f64>) -> Self {
        let [low, median, high] = quartiles(pairs);
        Self { median, low, high }
    }

    /// What can be said: a difference only where three quarters of the pairs agree on it.
    pub fn reading(&self) -> Reading {
        if !self.median.is_finite() || self.low <= 0.0 || self.high / self.low > Self::WIDEST {
            return Reading::TooNoisy;
        }
        if self.low > 1.0 + Self::SMALLEST {
            Reading::Larger
        } else if self.high < 1.0 / (1.0 + Self::SMALLEST) {
            Reading::Smaller
        } else {
            Reading::NoClearDifference
        }
    }

    /// The comparison as a sentence about times, true for whatever was measured: "The order i-j-k took 3.1 times as
    /// long as i-k-j (2.90 to 3.40 in the middle half of the pairs)."
    pub fn took(&self, first: &str, second: &str) -> String {
        let spread = |low: f64, high: f64| {
            format!("({low:.2} to {high:.2} in the middle half of the pairs)")
        };
        let said = match self.reading() {
            Reading::Larger => {
                let (times, spread) = (self.median, spread(self.low, self.high));
                format!("{first} took {times:.1} times as long as {second} {spread}.")
            }
            Reading::Smaller => {
                let (times, spread) = (1.0 / self.median, spread(1.0 / self.high, 1.0 / self.low));
                format!("{second} took {times:.1} times as long as {first} {spread}.")
            }
            Reading::NoClearDifference => format!(
                "There is no clear difference here between {first} and {second} {}.",
                spread(self.low, self.high)
            ),
            Reading::TooNoisy if self.low > 1.0 + Self::SMALLEST => {
                longer(first, second, &spread(self.low, self.high))
            }
            Reading::TooNoisy if self.low > 0.0 && self.high < 1.0 / (1.0 + Self::SMALLEST) => {
                longer(second, first, &spread(1.0 / self.high, 1.0 / self.low))
            }
            Reading::TooNoisy => format!(
                "The pairs disagree too much to compare {first} with {second} {}: close other programs and \
                 measure again.",
                spread(self.low, self.high)
            ),
        };
        capitalized(&said)
    }
}

/// What is said where the pairs agree on the direction alone.
fn longer(slow: &str, fast: &str, spread: &str) -> String {
    format!(
        "{slow} took longer than {fast}, but the pairs disagree on how many times as long {spread}: close other \
         programs and measure again."
    )
}

/// A sentence that begins with a capital letter.
fn capitalized(sentence: &str) -> String {
    let mut letters = sentence.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

/// The standard error of an accuracy `p`, from 0 to 1, counted on `n` samples: sqrt(p (1 - p) / n). On other samples of
/// the same kind, the accuracy would typically be off by this much.
pub fn sample_error(p: f64, n: usize) -> f64 {
    (p * (1.0 - p) / n.max(1) as f64).sqrt()
}

/// What can be concluded from two accuracies, each counted on `n` samples: a difference only where it is larger than
/// twice its own standard error.
pub fn compare_accuracies(first: f64, second: f64, n: usize) -> Reading {
    let error = sample_error(first, n).hypot(sample_error(second, n));
    match first - second {
        difference if difference.is_nan() => Reading::TooNoisy,
        difference if difference > 2.0 * error => Reading::Larger,
        difference if difference < -2.0 * error => Reading::Smaller,
        _ => Reading::NoClearDifference,
    }
}

/// The system's allocator with two counters: bytes in use now, and the most that were in use. The
/// harness installs it in every binary built from an exercise.
pub struct CountingAllocator;

static IN_USE: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);
static ALLOCATIONS: AtomicUsize = AtomicUsize::new(0);

fn count(grown: usize, shrunk: usize) {
    ALLOCATIONS.fetch_add(usize::from(grown > 0), Relaxed);
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

/// What a piece of work did with memory: sizes in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MemoryUse {
    /// The most in use at any moment, above what was in use before.
    pub peak: usize,
    /// Still in use afterwards, above what was in use before (its result, usually).
    pub kept: usize,
    /// How often memory was asked for.
    pub allocations: usize,
}

/// Runs `work` and counts its memory. The counts are `None` when [`CountingAllocator`] is not installed: no figure is
/// better than a wrong one. Allocations of other threads count too.
pub fn memory<T>(work: impl FnOnce() -> T) -> (T, Option<MemoryUse>) {
    let installed = IN_USE.load(Relaxed) > 0;
    let (before, asked) = (IN_USE.load(Relaxed), ALLOCATIONS.load(Relaxed));
    PEAK.store(before, Relaxed);
    let result = work();
    let (after, peak) = (IN_USE.load(Relaxed), PEAK.load(Relaxed));
    let used = MemoryUse {
        peak: peak.saturating_sub(before),
        kept: after.saturating_sub(before),
        allocations: ALLOCATIONS.load(Relaxed) - asked,
    };
    (result, installed.then_some(used))
}

/// What is probably missing where a gradient differs from central differences.
#[must_use]
pub fn gradient_idea(found: &[f32]) -> &'static str {
    if found.iter().all(|&gradient| gradient == 0.0) {
        "the history of this input is cut: use tensor operations all the way"
    } else {
        "a gradient rule does not fit its function, or a part of the history is cut"
    }
}

/// Some whole numbers, for tests and analyses.
#[must_use]
pub fn numbers(count: usize) -> Vec<f32> {
    (0..count).map(|i| (i * 7 % 13) as f32 - 6.0).collect()
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
    fn of_long_lists_ten_elements_around_the_first_difference_are_shown() {
        let mut list: Vec<[u8; 2]> = (0..40).map(|n| [n, 0]).collect();
        let wanted = list.clone();
        list[20] = [9, 9];
        let message = panic_message(|| expect_eq("a list", list, wanted, "i"));
        let yours = "yours:  [15 more, [15, 0], [16, 0], [17, 0], [18, 0], [19, 0], [9, 9], [21, 0], [22, 0], \
                     [23, 0], [24, 0], and 15 more]\n";
        assert!(message.contains(yours), "{message}");
        let message = panic_message(|| expect_eq("n", vec![0; 12], vec![0; 11], "i"));
        assert!(
            message.contains("yours:  [2 more, 0,") && message.contains("wanted: [1 more, 0,"),
            "{message}"
        );
        let message = panic_message(|| expect_eq("n", vec![1, 2], vec![1, 3], "i"));
        assert!(message.contains("yours:  [1, 2]\n  wanted: [1, 3]"), "{message}");
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
    fn a_failure_names_the_input_both_sides_and_the_idea() {
        let message = panic_message(|| expect_eq("double(2)", 5, 4, "twice the number"));
        assert_eq!(message, "for double(2):\n  yours:  5\n  wanted: 4\n  idea: twice the number");
        let message = panic_message(|| expect_close("x", &[1.0, 9.0], &[1.0, 2.0], 0.1, "idea"));
        let wanted = "for x: value 1 is 9, not 2\n  yours:  [1, 9]\n  wanted: [1, 2]\n  idea: idea";
        assert_eq!(message, wanted);
        let message = panic_message(|| expect_close("x", &[0.0; 12], &[f32::NAN; 12], 0.1, "idea"));
        assert!(message.contains("value 0 is 0, not NaN") && message.contains("and 2 more]"));
        let message = panic_message(|| {
            let mut late = [0.0; 40];
            late[20] = 9.0;
            expect_close("x", &late, &[0.0; 40], 0.1, "idea");
        });
        let yours = "yours:  [15 more, 0, 0, 0, 0, 0, 9, 0, 0, 0, 0, and 15 more]\n";
        assert!(message.contains(yours), "{message}");
        let message = panic_message(|| expect_close("x", &[0.0], &[], 0.1, "idea"));
        assert!(message.starts_with("for x: 1 values, not 0"), "{message}");
        expect_eq("x", 1, 1, "");
        expect_close("x", &[f32::INFINITY, 1.0], &[f32::INFINITY, 1.05], 0.1, "");
    }

    #[test]
    fn a_call_that_panics_or_succeeds_unexpectedly_fails_with_the_idea() {
        assert_eq!(expect_return("x", || 1, "idea"), 1);
        assert_eq!(expect_error("x", || Err::<(), _>(2), "idea"), 2);
        let panics = || -> Result<u8, u8> { panic!("broken") };
        let wanted = "for x:\n  yours:  a panic: broken\n  wanted: no panic\n  idea: idea";
        assert_eq!(panic_message(|| expect_return("x", panics, "idea")), wanted);
        assert_eq!(panic_message(|| expect_error("x", panics, "idea")), wanted);
        let message = panic_message(|| expect_error("x", || Ok::<u8, u8>(1), "idea"));
        assert_eq!(message, "for x:\n  yours:  no error\n  wanted: an error\n  idea: idea");
    }

    #[test]
    fn what_a_call_returns_is_compared_and_its_panic_names_the_idea() {
        expect_call("1 + 1", || 1 + 1, 2, "");
        expect_call_close("halves", || [0.5, 0.5], &[0.5, 0.49], 0.1, "");
        assert!(panic_message(|| expect_call("x", || 1, 2, "idea")).contains("wanted: 2"));
        let message = panic_message(|| expect_call_close("x", || [1.0], &[2.0], 0.1, "idea"));
        assert!(message.contains("value 0 is 1, not 2"), "{message}");
        let fails = || -> [f32; 1] { panic!("too long") };
        let wanted = "for x:\n  yours:  a panic: too long\n  wanted: no panic\n  idea: shorter";
        assert_eq!(panic_message(|| expect_call("x", fails, [1.0], "shorter")), wanted);
        assert_eq!(panic_message(|| expect_call_close("x", fails, &[], 0.0, "shorter")), wanted);
    }

    #[test]
    fn an_error_in_data_is_asked_for_its_kind() {
        let refuses = || Err::<(), _>(DataError::new(Problem::Index, "no sample 3"));
        assert_eq!(expect_refused("x", refuses, Problem::Index, "idea"), "no sample 3");
        let message = panic_message(|| expect_refused("x", refuses, Problem::Shape, "idea"));
        assert_eq!(message, "for x:\n  yours:  Index\n  wanted: Shape\n  idea: idea");
    }

    #[test]
    fn what_is_written_into_a_buffer_is_compared_with_its_beginning() {
        expect_written("x", 1.0, |buffer| buffer[1] += 1.0, &[1.0, 2.0], "");
        let message = panic_message(|| expect_written("x", 1.0, |_| (), &[1.0, 2.0], "add"));
        assert!(message.starts_with("for x, in a buffer of 1: value 1 is 1, not 2"), "{message}");
        let message = panic_message(|| expect_written("x", 0.0, |b| b[2] = 1.0, &[0.0], "inside"));
        assert!(message.contains("a panic") && message.ends_with("idea: inside"), "{message}");
    }

    #[test]
    fn a_message_is_asked_for_facts_and_the_missing_ones_show() {
        expect_named("sample 3 of a.idx", &["3", "a.idx"], "");
        let message = panic_message(|| expect_named("sample 3", &["3", "a.idx"], "idea"));
        let wanted = "for what \"sample 3\" names:\n  yours:  [\"3\"]\n  wanted: [\"3\", \"a.idx\"]\n  idea: idea";
        assert_eq!(message, wanted);
    }

    #[test]
    fn products_are_recorded_in_their_order_whichever_factor_comes_first() {
        let (a, b) = (recorded_matrix(true, 1, 2), recorded_matrix(false, 2, 3));
        let mut sum = a[0] * b[2];
        sum += b[3] * a[1];
        assert_eq!(take_products(), [[0, 0, 2], [0, 1, 0]]);
        assert_eq!(take_products(), [] as [[usize; 3]; 0]);
    }

    fn ratio(low: f64, median: f64, high: f64) -> Ratio {
        Ratio { median, low, high }
    }

    #[test]
    fn a_difference_is_claimed_only_where_the_pairs_agree_on_it() {
        assert_eq!(ratio(2.9, 3.1, 3.4).reading(), Reading::Larger);
        assert_eq!(ratio(0.30, 0.32, 0.35).reading(), Reading::Smaller);
        assert_eq!(ratio(0.9, 1.2, 1.3).reading(), Reading::NoClearDifference);
        assert_eq!(ratio(1.01, 1.02, 1.04).reading(), Reading::NoClearDifference);
        assert_eq!(ratio(0.9, 3.0, 5.0).reading(), Reading::TooNoisy);
        assert_eq!(ratio(f64::NAN, f64::NAN, f64::NAN).reading(), Reading::TooNoisy);
    }

    #[test]
    fn the_sentence_of_a_ratio_is_true_in_both_directions() {
        let said = ratio(2.9, 3.1, 3.4).took("a", "b");
        assert_eq!(
            said,
            "A took 3.1 times as long as b (2.90 to 3.40 in the middle half of the pairs)."
        );
        let said = ratio(0.25, 0.4, 0.5).took("a", "b");
        assert_eq!(
            said,
            "B took 2.5 times as long as a (2.00 to 4.00 in the middle half of the pairs)."
        );
        assert!(
            ratio(0.9, 1.0, 1.1).took("a", "b").starts_with("There is no clear difference here")
        );
        assert!(ratio(0.1, 1.0, 1.1).took("a", "b").contains("disagree too much"));
        assert!(ratio(0.0, 0.1, 0.2).took("a", "b").contains("disagree too much"));
        let said = ratio(4.0, 5.0, 9.0).took("a", "b");
        assert!(said.starts_with("A took longer than b, but the pairs disagree"), "{said}");
        let said = ratio(0.1, 0.2, 0.25).took("a", "b");
        assert!(said.starts_with("B took longer than a, but the pairs disagree"), "{said}");
        assert!(said.contains("(4.00 to 10.00 in the middle half"), "{said}");
    }

    #[test]
    fn accuracies_differ_only_beyond_twice_their_sample_error() {
        assert!((sample_error(0.9, 100) - 0.03).abs() < 1e-12);
        // Of 360: the errors are 0.9 and 0.8 points, that of the difference 1.2.
        assert_eq!(compare_accuracies(0.972, 0.978, 360), Reading::NoClearDifference);
        assert_eq!(compare_accuracies(0.95, 0.90, 360), Reading::Larger);
        assert_eq!(compare_accuracies(0.90, 0.95, 360), Reading::Smaller);
        assert_eq!(compare_accuracies(f64::NAN, 0.95, 360), Reading::TooNoisy);
    }

    #[test]
    fn what_is_compared_is_timed_in_turn() {
        let order = std::cell::RefCell::new(String::new());
        compare(3, || order.borrow_mut().push('a'), || order.borrow_mut().push('b'));
        assert_eq!(
            order.into_inner(),
            "ababbaab",
            "a warm-up, then three pairs with changing firsts"
        );
    }

    #[test]
    fn a_timing_keeps_its_quartiles_in_order() {
        let timing = time(9, || (0..1000).sum::<u64>());
        assert!(timing.low <= timing.median && timing.median <= timing.high);
    }
}
