//! A pool of threads for parts of one computation: one for each core, with the caller's. It knows nothing of what they
//! compute.
//!
//! A thread that sleeps takes some 50 us to wake up, as long as a product of 128 x 128. The parts of a training step
//! follow each other faster than that. So whoever waits here, a thread for more work or the caller for the last part,
//! watches for a moment before it sleeps, as OpenMP's threads do. Where other programs keep the cores busy, a thread may
//! wake up much later: the caller then works on the parts that are still waiting itself.

use rayon_core::{ThreadPool, ThreadPoolBuilder, Yield};
use std::hint::spin_loop;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// How long a thread watches before it sleeps: ten times what it takes to wake up.
const WATCH: Duration = Duration::from_micros(500);

/// The thread that asks first, which takes back parts that no other has begun, and the others. There is none where the
/// system gives out no more threads.
static POOL: LazyLock<Option<ThreadPool>> = LazyLock::new(|| pool(cores().max(2)));

/// A pool of so many threads, with this one.
fn pool(threads: usize) -> Option<ThreadPool> {
    ThreadPoolBuilder::new().num_threads(threads).use_current_thread().build().ok()
}

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
    match parts.peek().and_then(|_| POOL.as_ref()) {
        Some(pool) => in_pool(pool, first, parts, work),
        None => {
            work(first);
            parts.for_each(work);
        }
    }
}

/// Calls `work` for the first part on this thread, and for the others on the threads of the pool.
fn in_pool<Part: Send>(
    pool: &'static ThreadPool,
    first: Part,
    parts: impl Iterator<Item = Part>,
    work: impl Fn(Part) + Send + Sync,
) {
    let unfinished = AtomicUsize::new(0);
    wake(pool);
    pool.in_place_scope(|scope| {
        for part in parts {
            unfinished.fetch_add(1, Ordering::Relaxed);
            scope.spawn(|_| {
                let _finished = Finished(&unfinished);
                work(part);
            });
        }
        work(first);
        // It takes back only its own parts; each thread finishes the part that it has begun.
        watch_while(|| unfinished.load(Ordering::Acquire) > 0, || pool.yield_local());
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

/// How many threads watch for parts, or have been asked to.
static AWAKE: AtomicUsize = AtomicUsize::new(0);

/// Lets the threads of the pool watch for parts, which they work on. The first thread has other work to do.
fn wake(pool: &'static ThreadPool) {
    let all = pool.current_num_threads() - 1;
    if AWAKE.compare_exchange(0, all, Ordering::Relaxed, Ordering::Relaxed).is_ok() {
        pool.spawn_broadcast(|thread| {
            if thread.index() > 0 {
                watch_while(|| true, || pool.yield_now());
                AWAKE.fetch_sub(1, Ordering::Relaxed);
            }
        });
    }
}

/// Watches a condition until it no longer holds, but not for long, and meanwhile does the work that `next` finds.
fn watch_while(condition: impl Fn() -> bool, next: impl Fn() -> Option<Yield>) {
    /// After so many rounds, some 40 us, it lets other threads use its core: one of them may be what it waits for.
    const YIELD_AFTER: u32 = 256;
    let (mut start, mut rounds) = (Instant::now(), 0_u32);
    while condition() && start.elapsed() < WATCH {
        if next() == Some(Yield::Executed) {
            start = Instant::now();
        }
        rounds += 1;
        if rounds.is_multiple_of(YIELD_AFTER) {
            thread::yield_now();
        } else {
            spin_loop();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Mutex;
    use std::sync::mpsc::channel;
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
    fn the_first_part_stays_on_this_thread_while_another_takes_the_next() {
        let pool: &ThreadPool = Box::leak(Box::new(pool(2).unwrap()));
        let ((begin, begun), here) = (channel(), thread::current().id());
        let begun = Mutex::new(begun);
        in_pool(pool, true, [false].into_iter(), |is_first| {
            assert_eq!(thread::current().id() == here, is_first);
            if is_first {
                begun.lock().unwrap().recv_timeout(Duration::from_secs(60)).unwrap();
            } else {
                begin.send(()).unwrap();
            }
        });
    }

    #[test]
    fn the_caller_works_on_the_parts_that_no_thread_has_begun() {
        let pool: &ThreadPool = Box::leak(Box::new(pool(2).unwrap()));
        let ((begin, begun), (end, ended)) = (channel(), channel::<()>());
        let ended = Mutex::new(ended);
        pool.spawn_broadcast(move |thread| {
            if thread.index() == 1 {
                begin.send(()).unwrap();
                // The wait ends without a message if the caller waits for this thread. It then takes the parts.
                let _ = ended.lock().unwrap().recv_timeout(Duration::from_secs(10));
            }
        });
        begun.recv().unwrap();
        let seen = Mutex::new(vec![]);
        in_pool(pool, 0, 1..4, |_| seen.lock().unwrap().push(thread::current().id()));
        assert_eq!(seen.into_inner().unwrap(), [thread::current().id(); 4]);
        drop(end);
    }

    #[test]
    #[should_panic(expected = "on purpose")]
    fn a_panic_in_any_part_is_passed_on() {
        in_parallel(0..2, |part| assert!(part == 0, "on purpose"));
    }
}
