//! Reports: a pure fold of events into what is known about a module, and the renderers that need no screen. The only
//! component that decides "passed". Not here: IO, clock, the store.

pub mod explorable;
pub mod figures;
pub mod human;
pub mod json;
pub mod junit;
pub mod milestone;
pub mod mlperf;
pub mod module_report;
pub mod prediction;
pub mod shared;
pub mod submission;

pub use milestone::{MilestoneOutcome, Ran, RanModule};
pub use module_report::{AnalysisState, ModuleReport, Outcome, Phase, TestState};
pub use prediction::{Part, Written};
