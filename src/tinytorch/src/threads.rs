//! A pool of threads for parts of one computation: one for each core, with the caller's. It knows nothing of what they
//! compute.
//!
//! A thread that sleeps takes some 50 us to wake up, as long as a product of 128 x 128. The parts of a training step
//! follow each other faster than that. So whoever waits here, a thread for more work or the caller for the last part,
//! watches for a moment before it sleeps, as OpenMP's threads do.

use rayon_core::{ThreadPool, ThreadPoolBuilder, Yield};
use std::cell::Cell;
use std::hint::spin_loop;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// How long a thread watches before it sleeps: ten times what it takes to wake up.
const WATCH: Duration = Duration::from_micros(500);

/// The threads besides the caller's. There is none where the system gives out no more threads.
static POOL: LazyLock<Option<ThreadPool>> =
    LazyLock::new(|| ThreadPoolBuilder::new().num_threads((cores() - 1).max(1)).build().ok());

/// How many threads may run at once.
#[must_use]
pub fn cores() -> usize {
    thread::available_parallelism().map_or(1, usize::from)
}

/// Calls `work` for each part: the first on this thread, the others on waiting threads. Returns when all have ended; a
/// panic in one of them is passed on.
pub fn in_parallel<Part: Send>(
    parts: impl IntoIterator<Item = Part>,
    work: impl Fn(Part) + Send + Sync,
) {
    let mut parts = parts.into_iter().peekable();
    let Some(first) = parts.next() else { return };
    // A single part needs no other thread.
    let Some(pool) = parts.peek().and_then(|_| POOL.as_ref()) else {
        work(first);
        return parts.for_each(work);
    };
    let unfinished = AtomicUsize::new(0);
    pool.in_place_scope(|scope| {
        for part in parts {
            unfinished.fetch_add(1, Ordering::Relaxed);
            scope.spawn(|_| {
                let _finished = Finished(&unfinished);
                work(part);
                stay_awake(pool);
            });
        }
        work(first);
        watch_while(|| unfinished.load(Ordering::Acquire) > 0);
    });
}

/// As [`in_parallel`], with the results in the order of the parts.
pub fn map_in_parallel<Part: Send, T: Send>(
    parts: impl ExactSizeIterator<Item = Part>,
    work: impl Fn(Part) -> T + Send + Sync,
) -> Vec<T> {
    let mut results: Vec<Option<T>> = (0..parts.len()).map(|_| None).collect();
    in_parallel(parts.zip(&mut results), |(part, result)| *result = Some(work(part)));
    results.into_iter().flatten().collect()
}

/// Counts a part as finished when it is dropped, after a panic too.
struct Finished<'a>(&'a AtomicUsize);

impl Drop for Finished<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Release);
    }
}

/// Lets this thread of the pool watch for more work after the present one, if it does not already.
fn stay_awake(pool: &'static ThreadPool) {
    thread_local! {
        static WATCHES: Cell<bool> = const { Cell::new(false) };
    }
    if WATCHES.replace(true) {
        return;
    }
    pool.spawn(|| {
        let has_worked = || pool.yield_now() == Some(Yield::Executed);
        while !watch_while(|| !has_worked()) {}
        WATCHES.set(false);
    });
}

/// Watches a condition until it no longer holds, but not for long. Returns whether it still holds.
fn watch_while(condition: impl Fn() -> bool) -> bool {
    let start = Instant::now();
    while condition() {
        if start.elapsed() > WATCH {
            return true;
        }
        spin_loop();
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Mutex;
    use std::thread;

    #[test]
    fn every_part_is_worked_on_once_however_many_there_are() {
        for count in [0, 1, 2, 100] {
            let mut numbers = vec![1; count];
            in_parallel(numbers.iter_mut().enumerate(), |(at, number)| *number += at + 1);
            assert_eq!(numbers, (2..count + 2).collect::<Vec<_>>());
        }
    }

    #[test]
    fn results_are_in_the_order_of_the_parts() {
        for count in [0, 1, 2, 100] {
            let squares = map_in_parallel(0..count, |number| number * number);
            assert_eq!(squares, (0..count).map(|number| number * number).collect::<Vec<_>>());
        }
    }

    #[test]
    fn the_first_part_stays_on_this_thread_and_the_others_leave_it() {
        let seen = Mutex::new(vec![]);
        in_parallel(0..3, |part| seen.lock().unwrap().push((part, thread::current().id())));
        let mut seen = seen.into_inner().unwrap();
        seen.sort_by_key(|&(part, _)| part);
        let here = seen.iter().map(|&(_, id)| id == thread::current().id());
        assert_eq!(here.collect::<Vec<_>>(), [true, false, false]);
    }

    #[test]
    #[should_panic(expected = "on purpose")]
    fn a_panic_in_any_part_is_passed_on() {
        in_parallel(0..2, |part| assert!(part == 0, "on purpose"));
    }
}
