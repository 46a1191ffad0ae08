//! The events of TinyMLPerf: what they measure of entries that are plain, wrong, or better. They are a program of their
//! own, so their source is included.

use tinytorch::benchmarking::Event;
use tinytorch::report::{Item, Reporter};

#[path = "../mlperf/events.rs"]
mod events;
#[path = "../mlperf/optimised.rs"]
mod optimised;

#[test]
fn the_courses_own_entry_completes_every_event() {
    for event in Event::ALL {
        events::run(
            event,
            optimised::entry,
            &mut Reporter::new(|item| {
                if !matches!(item, Item::Progress(_)) {
                    println!("{item:?}");
                }
            }),
        );
    }
}
