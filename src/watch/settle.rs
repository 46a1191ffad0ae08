//! When has a file come to rest? Touches come in with their time, paths that rested go out. Pure:
//! time is handed in. One save is many events (truncate, write, rename, a formatter right after),
//! and somebody who saves without pause must still get an answer now and then.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// A file rests when nothing touched it for this long.
const QUIET: Duration = Duration::from_millis(20);
/// A file that is touched without pause is looked at after this long all the same.
const LONGEST: Duration = Duration::from_millis(250);

/// Files that were touched and have not rested yet.
#[derive(Debug, Default)]
pub struct Settle {
    pending: BTreeMap<PathBuf, Touches>,
}

#[derive(Debug, Clone, Copy)]
struct Touches {
    first: Instant,
    last: Instant,
}

impl Touches {
    fn due(self) -> Instant {
        (self.last + QUIET).min(self.first + LONGEST)
    }
}

impl Settle {
    /// Something touched the file.
    pub fn touch(&mut self, path: &Path, now: Instant) {
        let touches = self.pending.entry(path.to_owned());
        touches.or_insert(Touches { first: now, last: now }).last = now;
    }

    /// The file rests at `until`, unless something touches it before.
    pub fn postpone(&mut self, path: PathBuf, until: Instant) {
        let touched = until.checked_sub(QUIET).unwrap_or(until);
        self.pending.insert(path, Touches { first: touched, last: touched });
    }

    /// When the next file may have rested; `None` when none is pending.
    pub fn next(&self) -> Option<Instant> {
        self.pending.values().map(|touches| touches.due()).min()
    }

    /// Takes out the files that have rested by now.
    pub fn rested(&mut self, now: Instant) -> Vec<PathBuf> {
        let (rested, pending) = std::mem::take(&mut self.pending)
            .into_iter()
            .partition::<BTreeMap<_, _>, _>(|(_, touches)| touches.due() <= now);
        self.pending = pending;
        rested.into_keys().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn a_burst_of_events_is_one_save() {
        let (mut settle, start) = (Settle::default(), Instant::now());
        for step in 0..5 {
            settle.touch(Path::new("a"), start + step * 3 * MS);
        }
        assert_eq!(settle.rested(start + 31 * MS), Vec::<PathBuf>::new());
        assert_eq!(settle.next(), Some(start + 32 * MS));
        assert_eq!(settle.rested(start + 32 * MS), [PathBuf::from("a")]);
        assert_eq!(settle.next(), None);
    }

    #[test]
    fn saving_without_pause_is_answered_after_the_longest_wait() {
        let (mut settle, start) = (Settle::default(), Instant::now());
        let mut answers = 0;
        for step in 0..100 {
            let now = start + step * 10 * MS;
            settle.touch(Path::new("a"), now);
            answers += settle.rested(now).len();
        }
        assert_eq!(answers, 3, "once each 250 ms in a second of saves every 10 ms");
    }

    #[test]
    fn a_postponed_file_rests_at_its_time() {
        let (mut settle, start) = (Settle::default(), Instant::now());
        settle.postpone("a".into(), start + 80 * MS);
        assert_eq!(settle.rested(start + 79 * MS), Vec::<PathBuf>::new());
        assert_eq!(settle.rested(start + 80 * MS), [PathBuf::from("a")]);
    }

    #[test]
    fn files_rest_each_by_itself() {
        let (mut settle, start) = (Settle::default(), Instant::now());
        settle.touch(Path::new("a"), start);
        settle.touch(Path::new("b"), start + 10 * MS);
        assert_eq!(settle.rested(start + 20 * MS), [PathBuf::from("a")]);
        assert_eq!(settle.rested(start + 30 * MS), [PathBuf::from("b")]);
    }
}
