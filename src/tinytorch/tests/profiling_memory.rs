//! The memory profiler of lesson 14 with the allocator that counts. One test alone: what others allocate would count too.

use tinytorch::profiling::MemoryProfiler;
use tinytorch::testing::CountingAllocator;

#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator;

#[test]
fn memory_is_what_the_allocator_counted() {
    let mut profiler = MemoryProfiler::default();
    let kept = profiler.measure("kept", || vec![0_u8; 1 << 20]);
    profiler.measure("dropped", || drop(vec![0_u8; 1 << 21]));
    let used: Vec<_> = profiler.regions.iter().map(|(_, used)| used.expect("counted")).collect();
    let figures = used.iter().map(|used| (used.peak, used.kept, used.allocations));
    assert_eq!(figures.collect::<Vec<_>>(), [(1 << 20, 1 << 20, 1), (1 << 21, 0, 1)]);
    assert_eq!((profiler.peak(), kept.len()), (Some(1 << 21), 1 << 20));
}
