//! Counters of the processor and of the kernel, while a piece of work runs: cycles, instructions, cache misses, page
//! faults. Where the kernel refuses one, its reason is kept: no figure is better than a wrong one. Not here: what the
//! counts mean.

/// An event that can be counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// Clock cycles of the processor.
    Cycles,
    /// Instructions that were carried out.
    Instructions,
    /// Accesses that the last cache could not answer.
    CacheMisses,
    /// Pages of memory that the kernel provided at their first use.
    PageFaults,
    /// How often another thread got this core.
    ContextSwitches,
}

impl Event {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::Cycles,
        Self::Instructions,
        Self::CacheMisses,
        Self::PageFaults,
        Self::ContextSwitches,
    ];

    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Cycles => "cycles",
            Self::Instructions => "instructions",
            Self::CacheMisses => "cache misses",
            Self::PageFaults => "page faults",
            Self::ContextSwitches => "context switches",
        }
    }
}

/// An event with its count, or the reason why there is none.
pub type Count = (Event, Result<u64, String>);

/// Runs `work` on this thread, and counts every event meanwhile. What the kernel does for this program counts as far as
/// the kernel allows it.
pub fn count<T>(work: impl FnOnce() -> T) -> (T, Vec<Count>) {
    system::count(work)
}

#[cfg(target_os = "linux")]
mod system {
    use super::{Count, Event};
    use perf_event::events::{Hardware, Software};
    use perf_event::{Builder, Counter};
    use std::io;

    pub(super) fn count<T>(work: impl FnOnce() -> T) -> (T, Vec<Count>) {
        let mut counters = Event::ALL.map(|event| (event, counter(event)));
        // The last one that starts, and the first that stops, counts the least of the others' work.
        let started = |counter: &mut io::Result<Counter>| {
            if let Ok(own) = counter
                && let Err(error) = own.enable()
            {
                *counter = Err(error);
            }
        };
        counters.iter_mut().for_each(|(_, counter)| started(counter));
        let result = work();
        let read = |(event, counter): (Event, io::Result<Counter>)| {
            let count = counter.and_then(|mut counter| {
                counter.disable()?;
                counter.read()
            });
            (event, count.map_err(|error| error.to_string()))
        };
        (result, counters.into_iter().map(read).collect())
    }

    fn counter(event: Event) -> io::Result<Counter> {
        match event {
            Event::Cycles => Builder::new().kind(Hardware::CPU_CYCLES).build(),
            Event::Instructions => Builder::new().kind(Hardware::INSTRUCTIONS).build(),
            Event::CacheMisses => Builder::new().kind(Hardware::CACHE_MISSES).build(),
            Event::PageFaults => Builder::new().kind(Software::PAGE_FAULTS).build(),
            Event::ContextSwitches => Builder::new().kind(Software::CONTEXT_SWITCHES).build(),
        }
    }
}

#[cfg(not(target_os = "linux"))]
mod system {
    use super::{Count, Event};

    pub(super) fn count<T>(work: impl FnOnce() -> T) -> (T, Vec<Count>) {
        let reason = "this system has no such counter for a program without rights".to_owned();
        (work(), Event::ALL.map(|event| (event, Err(reason.clone()))).into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_event_has_a_count_or_a_reason_and_the_work_runs_once() {
        let mut runs = 0;
        let (answer, counts) = count(|| {
            runs += 1;
            42
        });
        assert_eq!((answer, runs), (42, 1));
        assert_eq!(counts.iter().map(|(event, _)| *event).collect::<Vec<_>>(), Event::ALL);
        let empty = |(_, count): &Count| count.as_ref().is_err_and(String::is_empty);
        assert!(!counts.iter().any(empty), "a refusal has a reason: {counts:?}");
    }

    #[test]
    fn pages_that_are_used_for_the_first_time_are_counted_where_the_kernel_counts_them() {
        let pages = |counts: Vec<Count>| {
            counts.into_iter().find(|(event, _)| *event == Event::PageFaults)?.1.ok()
        };
        let (_, touched) = count(|| std::hint::black_box(vec![1_u8; 8 << 20]));
        let (_, none) = count(|| ());
        if let (Some(touched), Some(none)) = (pages(touched), pages(none)) {
            assert!(touched > none, "{touched} faults for 8 MiB, {none} for nothing");
        }
    }
}
