//! Debounces file events: the many events of one save (truncate, write, rename, a formatter right
//! after) become one, and continuous saving still gives a result now and then. Pure: the time is an
//! argument.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// A file has settled when nothing touched it for this long.
const QUIET: Duration = Duration::from_millis(20);
/// A file that is touched continuously counts as settled after this long.
const LONGEST: Duration = Duration::from_millis(250);

/// Files that were touched and have not settled yet.
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

    /// The file settles at `until`, unless something touches it before.
    pub fn postpone(&mut self, path: PathBuf, until: Instant) {
        let touched = until.checked_sub(QUIET).unwrap_or(until);
        self.pending.insert(path, Touches { first: touched, last: touched });
    }

    /// When the next file may have settled; `None` if none is pending.
    pub fn next(&self) -> Option<Instant> {
        self.pending.values().map(|touches| touches.due()).min()
    }

    /// Removes and returns the files that have settled by now.
    pub fn settled(&mut self, now: Instant) -> Vec<PathBuf> {
        let (settled, pending) = std::mem::take(&mut self.pending)
            .into_iter()
            .partition::<BTreeMap<_, _>, _>(|(_, touches)| touches.due() <= now);
        self.pending = pending;
        settled.into_keys().collect()
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
        assert_eq!(settle.settled(start + 31 * MS), Vec::<PathBuf>::new());
        assert_eq!(settle.next(), Some(start + 32 * MS));
        assert_eq!(settle.settled(start + 32 * MS), [PathBuf::from("a")]);
        assert_eq!(settle.next(), None);
    }

    #[test]
    fn continuous_saving_is_reported_after_the_longest_wait() {
        let (mut settle, start) = (Settle::default(), Instant::now());
        let mut reported = 0;
        for step in 0..100 {
            let now = start + step * 10 * MS;
            settle.touch(Path::new("a"), now);
            reported += settle.settled(now).len();
        }
        assert_eq!(reported, 3, "once every 250 ms in a second of saves every 10 ms");
    }

    #[test]
    fn a_postponed_file_settles_at_its_time() {
        let (mut settle, start) = (Settle::default(), Instant::now());
        settle.postpone("a".into(), start + 80 * MS);
        assert_eq!(settle.settled(start + 79 * MS), Vec::<PathBuf>::new());
        assert_eq!(settle.settled(start + 80 * MS), [PathBuf::from("a")]);
    }

    #[test]
    fn each_file_settles_by_itself() {
        let (mut settle, start) = (Settle::default(), Instant::now());
        settle.touch(Path::new("a"), start);
        settle.touch(Path::new("b"), start + 10 * MS);
        assert_eq!(settle.settled(start + 20 * MS), [PathBuf::from("a")]);
        assert_eq!(settle.settled(start + 30 * MS), [PathBuf::from("b")]);
    }
}
