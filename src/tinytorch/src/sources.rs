//! The engine's own source files as text: what a lab is made from, and what the chain compiles.

macro_rules! texts {
    ($($module:ident)*) => {
        &[$((stringify!($module), include_str!(concat!(stringify!($module), ".rs")))),*]
    };
}

/// Each module's source, by name, in teaching order.
pub const MODULES: &[(&str, &str)] = course!(texts);

/// Each milestone's program, by id, in the order of history.
pub const MILESTONES: &[(&str, &str)] = &[
    ("1957_perceptron", include_str!("../milestones/1957_perceptron.rs")),
    ("1969_xor", include_str!("../milestones/1969_xor.rs")),
    ("1986_mlp", include_str!("../milestones/1986_mlp.rs")),
    ("1998_cnn", include_str!("../milestones/1998_cnn.rs")),
    ("2017_transformer", include_str!("../milestones/2017_transformer.rs")),
    ("2018_olympics", include_str!("../milestones/2018_olympics.rs")),
];

/// TinyMLPerf: the program that runs an event, and the course's own entry for each.
pub const MLPERF_EVENTS: &str = include_str!("../mlperf/events.rs");
/// See [`MLPERF_EVENTS`]. It ends in `pub fn entry(start: Start) -> Box<dyn Entry>`, as every entry does.
pub const MLPERF_ENTRY: &str = include_str!("../mlperf/optimised.rs");

/// The files that every module may use and no learner writes, by file name.
pub const SUPPORT: &[(&str, &str)] = &[
    ("backend.rs", include_str!("backend.rs")),
    ("backend/parallel.rs", include_str!("backend/parallel.rs")),
    ("baselines.rs", include_str!("baselines.rs")),
    ("bytes.rs", include_str!("bytes.rs")),
    ("cache.rs", include_str!("cache.rs")),
    ("counters.rs", include_str!("counters.rs")),
    ("data/dialogue.rs", include_str!("data/dialogue.rs")),
    ("data/dictionaries.rs", include_str!("data/dictionaries.rs")),
    ("data/error.rs", include_str!("data/error.rs")),
    ("data/formats.rs", include_str!("data/formats.rs")),
    ("data/heads.rs", include_str!("data/heads.rs")),
    ("data/mod.rs", include_str!("data/mod.rs")),
    ("data/moons.rs", include_str!("data/moons.rs")),
    ("data/samples.rs", include_str!("data/samples.rs")),
    ("data/text.rs", include_str!("data/text.rs")),
    ("explore.rs", include_str!("explore.rs")),
    ("footprints.rs", include_str!("footprints.rs")),
    ("harness.rs", include_str!("harness.rs")),
    ("insights/acceleration.rs", include_str!("insights/acceleration.rs")),
    ("insights/autograd.rs", include_str!("insights/autograd.rs")),
    ("insights/benchmarking.rs", include_str!("insights/benchmarking.rs")),
    ("insights/capstone.rs", include_str!("insights/capstone.rs")),
    ("insights/compression.rs", include_str!("insights/compression.rs")),
    ("insights/dataloader.rs", include_str!("insights/dataloader.rs")),
    ("insights/memoization.rs", include_str!("insights/memoization.rs")),
    ("insights/mod.rs", include_str!("insights/mod.rs")),
    ("insights/optimizers.rs", include_str!("insights/optimizers.rs")),
    ("insights/profiling.rs", include_str!("insights/profiling.rs")),
    ("insights/quantization.rs", include_str!("insights/quantization.rs")),
    ("insights/spatial.rs", include_str!("insights/spatial.rs")),
    ("insights/tensor.rs", include_str!("insights/tensor.rs")),
    ("insights/training.rs", include_str!("insights/training.rs")),
    ("insights/transformers.rs", include_str!("insights/transformers.rs")),
    ("kernels/int8.rs", include_str!("kernels/int8.rs")),
    ("kernels/mod.rs", include_str!("kernels/mod.rs")),
    ("operations.rs", include_str!("operations.rs")),
    ("outputs.rs", include_str!("outputs.rs")),
    ("packed.rs", include_str!("packed.rs")),
    ("planes.rs", include_str!("planes.rs")),
    ("powers.rs", include_str!("powers.rs")),
    ("probe.rs", include_str!("probe.rs")),
    ("random.rs", include_str!("random.rs")),
    ("ranges.rs", include_str!("ranges.rs")),
    ("report.rs", include_str!("report.rs")),
    ("row_products.rs", include_str!("row_products.rs")),
    ("rows.rs", include_str!("rows.rs")),
    ("sampling.rs", include_str!("sampling.rs")),
    ("shapes.rs", include_str!("shapes.rs")),
    ("simd.rs", include_str!("simd.rs")),
    ("submission.rs", include_str!("submission.rs")),
    ("testing.rs", include_str!("testing.rs")),
    ("threads.rs", include_str!("threads.rs")),
    ("trace.rs", include_str!("trace.rs")),
    ("unpacked.rs", include_str!("unpacked.rs")),
];

/// The crate's root, as text.
pub const ROOT: &str = include_str!("lib.rs");

/// The data that the crate embeds, by file name.
pub const DATA: &[(&str, &[u8])] = &[
    ("data/dialogue.md", include_bytes!("data/dialogue.md")),
    ("data/dialogue.tsv", include_bytes!("data/dialogue.tsv")),
    ("data/digits.csv.gz", include_bytes!("data/digits.csv.gz")),
];

/// The crate's manifest. It names nothing outside the crate but the exercises, as `../../exercises`.
pub const MANIFEST: &str = include_str!("../Cargo.toml");
