//! Threads that wait for work: a pool with one for each core, which the first call starts. It knows nothing of what they
//! compute.

use rayon_core::in_place_scope;

/// Calls `work` for each part: the first on this thread, the others on waiting threads. Returns when all have ended; a
/// panic in one of them is passed on.
pub fn in_parallel<Part: Send>(
    parts: impl IntoIterator<Item = Part>,
    work: impl Fn(Part) + Send + Sync,
) {
    let mut parts = parts.into_iter();
    let Some(first) = parts.next() else { return };
    in_place_scope(|scope| {
        for part in parts {
            scope.spawn(|_| work(part));
        }
        work(first);
    });
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
