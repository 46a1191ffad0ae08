//! The result of a milestone's program on one engine, and two engines side by side. Input: a report, and whose code
//! each module was. Output: a plain value that can be stored and shown. Not here: running the program, storing the
//! result.

use super::ModuleReport;
use super::figures::figure;
use super::human;
use crate::curriculum::{Course, Milestone, ModuleId};
use crate::runner::event::Notice;
use serde::{Deserialize, Serialize};
use tinytorch::report::{Column, Item, Metric, Origin, Table};

/// One module of the engine that a milestone ran on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RanModule {
    /// The module.
    pub module: ModuleId,
    /// Whether the learner's code ran; otherwise the reference's did.
    pub mine: bool,
    /// Why the reference was used instead of the learner's code, if it was.
    pub reason: Option<String>,
}

impl RanModule {
    /// Whose code it was: `01_tensor yours`.
    #[must_use]
    pub fn sentence(&self, course: &Course) -> String {
        let slug = course.slug(self.module);
        match (&self.reason, self.mine) {
            (Some(reason), _) => format!("{slug} reference, instead of yours: {reason}"),
            (None, true) => format!("{slug} yours"),
            (None, false) => format!("{slug} reference"),
        }
    }
}

/// The outcome of a milestone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum MilestoneOutcome {
    /// The learner's code met every target.
    Achieved,
    /// Every target was met, but some of the code that the milestone needs was the reference's.
    Preview,
    /// A target was missed, or the program failed.
    NotReached,
}

/// A run of a milestone that ended by itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Ran {
    /// Whether each figure that decides was measured and met its target. Earlier versions called it `achieved`,
    /// whatever the engine.
    #[serde(alias = "achieved")]
    pub met: bool,
    /// How long the program ran: training and evaluation, without the build. `None` when it did not run.
    pub seconds: Option<f64>,
    /// Whose code ran, module by module. Earlier versions called them `links`.
    #[serde(alias = "links")]
    pub modules: Vec<RanModule>,
    /// What the program reported.
    pub items: Vec<Item>,
}

impl Ran {
    /// The result of a finished run. `modules` is what it was meant to run on; the report knows where the reference
    /// was used instead.
    #[must_use]
    pub fn of(
        milestone: &Milestone,
        report: &ModuleReport,
        modules: Vec<RanModule>,
        course: &Course,
    ) -> Self {
        let ended = report.analyses.first().and_then(|program| program.ended.as_ref());
        let items = report.analyses.iter().flat_map(|program| &program.items);
        Self {
            met: met(milestone, report),
            seconds: ended.map(|ended| ended.took.as_secs_f64()),
            modules: modules
                .into_iter()
                .map(|module| fallen_back(module, &report.notices, course))
                .collect(),
            items: items.filter(|item| !matches!(item, Item::Progress(_))).cloned().collect(),
        }
    }

    /// The outcome of the milestone: only the learner's own code achieves it.
    #[must_use]
    pub fn outcome(&self, milestone: &Milestone) -> MilestoneOutcome {
        match self.met {
            false => MilestoneOutcome::NotReached,
            true if self.on_reference(milestone).is_empty() => MilestoneOutcome::Achieved,
            true => MilestoneOutcome::Preview,
        }
    }

    /// The modules that the milestone needs and that were the reference's.
    #[must_use]
    pub fn on_reference(&self, milestone: &Milestone) -> Vec<ModuleId> {
        let mine = |id: &&ModuleId| self.modules.iter().any(|ran| ran.module == **id && ran.mine);
        milestone.prerequisites.iter().filter(|id| !mine(id)).copied().collect()
    }

    fn metrics(&self) -> impl Iterator<Item = &Metric> {
        self.items.iter().filter_map(|item| match item {
            Item::Metric(metric) => Some(metric),
            _ => None,
        })
    }
}

/// The program succeeded, and each figure that decides was measured and met its target.
fn met(milestone: &Milestone, report: &ModuleReport) -> bool {
    let is_met = |name: &&str| {
        report.metrics().any(|metric| metric.name == **name && metric.is_met() == Some(true))
    };
    report.measured_well() && milestone.achieved_when.iter().all(is_met)
}

fn fallen_back(ran: RanModule, notices: &[Notice], course: &Course) -> RanModule {
    let why = notices.iter().find_map(|notice| match notice {
        Notice::FellBack { module, at, reason } if *module == ran.module => {
            Some(human::fell_back(*module, *at, reason, course))
        }
        _ => None,
    });
    match why {
        Some(why) => RanModule { mine: false, reason: Some(why), ..ran },
        None => ran,
    }
}

/// One figure of two engines.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Pair {
    /// The figure.
    pub name: String,
    /// Its unit.
    pub unit: String,
    /// On the learner's engine; `None` when it was not measured.
    pub mine: Option<f64>,
    /// On the reference.
    pub reference: Option<f64>,
}

/// The same program on the learner's engine and on the reference: each figure, then the time.
#[must_use]
pub fn pairs(mine: &Ran, reference: &Ran) -> Vec<Pair> {
    let metrics = reference.metrics().map(|metric| Pair {
        name: metric.name.clone(),
        unit: metric.unit.clone(),
        mine: mine.metrics().find(|own| own.name == metric.name).map(|own| own.value),
        reference: Some(metric.value),
    });
    let time = Pair {
        name: "time".into(),
        unit: "s".into(),
        mine: mine.seconds,
        reference: reference.seconds,
    };
    metrics.chain([time]).collect()
}

/// The pairs as a table for people.
#[must_use]
pub fn side_by_side(mine: &Ran, reference: &Ran) -> Table {
    let cell = |value: Option<f64>, unit: &str| {
        value.map_or_else(|| "not measured".to_owned(), |value| figure(value, unit)).into()
    };
    let row = |pair: &Pair| {
        vec![
            pair.name.as_str().into(),
            cell(pair.mine, &pair.unit),
            cell(pair.reference, &pair.unit),
        ]
    };
    Table {
        title: "Your engine beside the reference".into(),
        columns: ["", "yours", "reference"].map(Column::plain).into(),
        rows: pairs(mine, reference).iter().map(row).collect(),
        origin: Origin::Measured,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runner::event::{Output, RunEvent, TestResult, Verdict};
    use std::time::Duration;
    use tinytorch::report::Target;

    const TENSOR: ModuleId = ModuleId(1);

    fn mlp() -> &'static Milestone {
        Course::tinytorch().milestone("1986_mlp").unwrap()
    }

    fn ran(value: f64, target: Option<Target>, verdict: Verdict, fell_back: bool) -> Ran {
        let mut report = ModuleReport::new(ModuleId(8));
        if fell_back {
            let reason = "no matmul".to_owned();
            report.apply(&RunEvent::Notice(Notice::FellBack {
                module: TENSOR,
                at: TENSOR,
                reason,
            }));
        }
        let (name, unit) = (mlp().achieved_when[0].to_owned(), "%".to_owned());
        let metric = Metric { name, value, unit, target, origin: Origin::Measured };
        let analysis = "milestone".to_owned();
        report
            .apply(&RunEvent::Reported { analysis: analysis.clone(), item: Item::Metric(metric) });
        report.apply(&RunEvent::AnalysisEnded(TestResult {
            name: analysis,
            verdict,
            output: Output::default(),
            took: Duration::from_millis(250),
        }));
        Ran::of(
            mlp(),
            &report,
            vec![RanModule { module: TENSOR, mine: true, reason: None }],
            Course::tinytorch(),
        )
    }

    #[test]
    fn only_a_figure_that_meets_its_target_in_a_run_that_succeeds_counts() {
        let target = Some(Target::AtLeast(90.0));
        assert!(ran(95.0, target, Verdict::Passed, false).met);
        assert!(!ran(80.0, target, Verdict::Passed, false).met);
        assert!(!ran(95.0, None, Verdict::Passed, false).met, "no target decides nothing");
        assert!(!ran(95.0, target, Verdict::ExitedEarly { code: None }, false).met);
        let nothing = Ran::of(mlp(), &ModuleReport::new(ModuleId(8)), vec![], Course::tinytorch());
        assert!(!nothing.met, "nothing was measured");
        assert_eq!(nothing.seconds, None);
    }

    #[test]
    fn only_the_learners_own_code_achieves_a_milestone() {
        let modules = |references: &[ModuleId]| {
            let ran = |id: &ModuleId| RanModule {
                module: *id,
                mine: !references.contains(id),
                reason: None,
            };
            mlp().prerequisites.iter().map(ran).collect::<Vec<_>>()
        };
        let outcome =
            |met, modules| Ran { met, seconds: None, modules, items: vec![] }.outcome(mlp());
        assert_eq!(outcome(true, modules(&[])), MilestoneOutcome::Achieved);
        assert_eq!(outcome(true, modules(&[ModuleId(4)])), MilestoneOutcome::Preview);
        assert_eq!(outcome(true, vec![]), MilestoneOutcome::Preview);
        assert_eq!(outcome(false, modules(&[])), MilestoneOutcome::NotReached);
    }

    #[test]
    fn a_run_stored_by_an_earlier_version_is_judged_by_whose_code_it_was() {
        let stored = r#"{"achieved": true, "seconds": 1.0, "links": [], "items": []}"#;
        let ran: Ran = serde_json::from_str(stored).unwrap();
        assert_eq!(ran.outcome(mlp()), MilestoneOutcome::Preview);
    }

    #[test]
    fn a_module_that_fell_back_is_the_references() {
        let whose_was = |fell_back| {
            ran(95.0, None, Verdict::Passed, fell_back).modules[0].sentence(Course::tinytorch())
        };
        assert_eq!(whose_was(false), "01_tensor yours");
        assert_eq!(
            whose_was(true),
            "01_tensor reference, instead of yours: it does not compile: no matmul"
        );
    }

    #[test]
    fn a_figure_that_was_not_measured_is_shown_as_such() {
        let reference = ran(96.0, None, Verdict::Passed, false);
        let nothing = Ran::of(mlp(), &ModuleReport::new(ModuleId(8)), vec![], Course::tinytorch());
        let pairs = pairs(&nothing, &reference);
        let both: Vec<_> = pairs.iter().map(|pair| (pair.mine, pair.reference)).collect();
        assert_eq!(both, [(None, Some(96.0)), (None, Some(0.25))]);
        let table = format!("{:?}", side_by_side(&nothing, &reference).rows);
        assert!(table.contains("not measured") && table.contains("250 ms"), "{table}");
    }
}
