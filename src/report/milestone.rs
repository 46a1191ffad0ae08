//! A milestone judged by what its program measured, and two runs of it side by side. Pure. Not here:
//! whose code ran (`framework`).

use super::ModuleReport;
use crate::curriculum::Milestone;
use crate::runner::event::Verdict;
use serde::Serialize;

/// What a run of a milestone came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Judgement {
    /// Its program runs, or never did.
    Open,
    /// Its program was not compiled.
    DoesNotCompile,
    /// Its program broke before its end.
    DidNotFinish,
    /// A figure that decides was not measured, or missed its target.
    Missed,
    /// Each figure that decides was measured and meets its target.
    Achieved,
}

/// Judges a run by the figures that the milestone names.
#[must_use]
pub fn judge(milestone: &Milestone, report: &ModuleReport) -> Judgement {
    if report.compiles == Some(false) {
        return Judgement::DoesNotCompile;
    }
    let Some(ended) = report.analyses.first().and_then(|analysis| analysis.ended.as_ref()) else {
        return Judgement::Open;
    };
    let met = |name: &&str| {
        report.metrics().any(|metric| metric.name == **name && metric.is_met() == Some(true))
    };
    match ended.verdict {
        Verdict::Passed if milestone.achieved_when.iter().all(met) => Judgement::Achieved,
        Verdict::Passed => Judgement::Missed,
        _ => Judgement::DidNotFinish,
    }
}

/// One figure on the learner's engine and on the reference; `None` where it was not measured.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Pair {
    /// `"accuracy on new points, median of five seeds"`, or `"time"`.
    pub name: String,
    /// Its unit.
    pub unit: String,
    /// On the learner's engine.
    pub mine: Option<f64>,
    /// On the reference.
    pub reference: Option<f64>,
}

/// Each figure of two runs, the learner's engine's first, in the order in which they were measured; the
/// time last: how long the program ran, not how long it was built.
#[must_use]
pub fn side_by_side(mine: &ModuleReport, reference: &ModuleReport) -> Vec<Pair> {
    let mut pairs: Vec<Pair> = vec![];
    for metric in mine.metrics().chain(reference.metrics()) {
        if pairs.iter().any(|pair| pair.name == metric.name) {
            continue;
        }
        let of = |report: &ModuleReport| {
            report.metrics().find(|other| other.name == metric.name).map(|metric| metric.value)
        };
        let (name, unit) = (metric.name.clone(), metric.unit.clone());
        pairs.push(Pair { name, unit, mine: of(mine), reference: of(reference) });
    }
    let (name, unit) = ("time".to_owned(), "s".to_owned());
    pairs.push(Pair { name, unit, mine: seconds(mine), reference: seconds(reference) });
    pairs
}

fn seconds(report: &ModuleReport) -> Option<f64> {
    let ended = report.analyses.first()?.ended.as_ref()?;
    Some(ended.took.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::curriculum::{MILESTONES, ModuleId};
    use crate::runner::event::{Output, RunEvent, TestResult};
    use std::time::Duration;
    use tinytorch::report::{Item, Metric, Origin, Target};

    const MILESTONE: &Milestone = &MILESTONES[2];

    /// A run that measured `value` and ended with `verdict` after `seconds`.
    fn run(value: f64, target: Option<Target>, verdict: Verdict, seconds: u64) -> ModuleReport {
        let mut report = ModuleReport::new(ModuleId(8));
        report.apply(&RunEvent::Built { success: true, took: Duration::ZERO });
        let (name, unit) = (MILESTONE.achieved_when[0].to_owned(), "%".to_owned());
        let metric = Metric { name, value, unit, target, origin: Origin::Measured };
        let analysis = "milestone".to_owned();
        report.apply(&RunEvent::Reported { analysis, item: Item::Metric(metric) });
        assert_eq!(judge(MILESTONE, &report), Judgement::Open, "it goes on");
        let (name, output, took) =
            ("milestone".to_owned(), Output::default(), Duration::from_secs(seconds));
        report.apply(&RunEvent::AnalysisEnded(TestResult { name, verdict, output, took }));
        report
    }

    #[test]
    fn only_a_figure_that_meets_its_target_counts() {
        let target = Some(Target::AtLeast(90.0));
        let judged = |value, target| judge(MILESTONE, &run(value, target, Verdict::Passed, 1));
        assert_eq!(judged(95.0, target), Judgement::Achieved);
        assert_eq!(judged(80.0, target), Judgement::Missed);
        assert_eq!(judged(f64::NAN, target), Judgement::Missed);
        assert_eq!(judged(95.0, None), Judgement::Missed, "a figure without a target");
    }

    #[test]
    fn a_run_that_broke_is_no_achievement_whatever_it_measured() {
        let broke = run(95.0, Some(Target::AtLeast(90.0)), Verdict::RanAway { code: None }, 1);
        assert_eq!(judge(MILESTONE, &broke), Judgement::DidNotFinish);
        let mut report = ModuleReport::new(ModuleId(8));
        assert_eq!(judge(MILESTONE, &report), Judgement::Open);
        report.apply(&RunEvent::Built { success: false, took: Duration::ZERO });
        assert_eq!(judge(MILESTONE, &report), Judgement::DoesNotCompile);
    }

    #[test]
    fn figures_stand_side_by_side_and_what_only_one_run_measured_is_not_made_up() {
        let mine = run(95.0, None, Verdict::Passed, 3);
        let reference = run(96.0, None, Verdict::Passed, 2);
        let values = |pair: &Pair| (pair.name.clone(), pair.mine, pair.reference);
        let both: Vec<_> = side_by_side(&mine, &reference).iter().map(values).collect();
        let accuracy = MILESTONE.achieved_when[0].to_owned();
        let time = ("time".to_owned(), Some(3.0), Some(2.0));
        assert_eq!(both, [(accuracy.clone(), Some(95.0), Some(96.0)), time]);
        let broken = ModuleReport::new(ModuleId(8));
        let one: Vec<_> = side_by_side(&broken, &reference).iter().map(values).collect();
        assert_eq!(one, [(accuracy, None, Some(96.0)), ("time".to_owned(), None, Some(2.0))]);
    }
}
