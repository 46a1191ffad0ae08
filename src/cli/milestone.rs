//! `milestone`: networks of history, trained by the learner's framework.

use super::analyze::conclude;
use super::arguments::{Format, FormatArguments, MilestoneCommand};
use super::check::Bench;
use super::context::Context;
use super::output::Output;
use crate::curriculum::{MILESTONES, Milestone, Module};
use crate::failure::Failure;
use crate::framework::Engine;
use crate::report::milestone::{self, Judgement, judge};
use crate::report::{ModuleReport, human, json};
use crate::runner::event::{RunEvent, RunKind};
use serde::Serialize;
use std::path::PathBuf;
use tinytorch::report::Item;

/// Returns whether the measured figures pass.
pub fn run(
    context: &Context,
    command: MilestoneCommand,
    out: &mut Output,
) -> Result<bool, Failure> {
    match command {
        MilestoneCommand::List(arguments) => Ok(list(&arguments, out)),
        MilestoneCommand::Info { milestone } => Ok(info(named(&milestone)?, out)),
        MilestoneCommand::Run { milestone, format, compare } => {
            train(context, named(&milestone)?, format, compare, out)
        }
    }
}

/// The milestone that a person means by `1986`, `mlp` or `1986_mlp`.
fn named(word: &str) -> Result<&'static Milestone, Failure> {
    let is_meant = |milestone: &&Milestone| {
        let name = milestone.id.split_once('_').map(|(_, name)| name);
        word == milestone.id || Some(word) == name || word == milestone.year.to_string()
    };
    MILESTONES.iter().find(is_meant).ok_or_else(|| {
        let ids: Vec<&str> = MILESTONES.iter().map(|milestone| milestone.id).collect();
        let likeness = |id: &&&str| (strsim::jaro_winkler(word, id) * 1000.0) as u32;
        let failure = Failure::usage(format!("unknown milestone \"{word}\""));
        match ids.iter().max_by_key(likeness).filter(|id| likeness(id) > 600) {
            Some(id) => failure.hint(format!("Did you mean \"{id}\"?")),
            None => failure.hint(format!("There are {}.", ids.join(", "))),
        }
    })
}

fn needs(milestone: &Milestone) -> Vec<String> {
    let modules = milestone.prerequisites.iter().filter_map(|id| Module::by_id(*id));
    modules.map(Module::slug).collect()
}

fn list(arguments: &FormatArguments, out: &mut Output) -> bool {
    #[derive(Serialize)]
    struct Row {
        id: &'static str,
        year: u16,
        title: &'static str,
        needs: Vec<String>,
    }
    for milestone in MILESTONES {
        let Milestone { id, year, title, .. } = *milestone;
        let needs = needs(milestone);
        match arguments.format {
            Format::Json => out.line(json::to_line(&Row { id, year, title, needs })),
            Format::Human => out.line(format!("{id:<17} {title:<22} needs {}", needs.join(", "))),
        }
    }
    true
}

fn info(milestone: &Milestone, out: &mut Output) -> bool {
    out.line(format!("{}: {}\n\n{}\n", milestone.year, milestone.title, milestone.story));
    out.line(format!("It runs on {}.", needs(milestone).join(", ")));
    out.line("It is achieved when each of these is measured and meets its target:");
    milestone.achieved_when.iter().for_each(|name| out.line(format!("  {name}")));
    true
}

fn train(
    context: &Context,
    milestone: &Milestone,
    format: Format,
    compare: bool,
    out: &mut Output,
) -> Result<bool, Failure> {
    let json = format == Format::Json;
    let on_reference = context.engine() == Engine::Reference;
    let mine = train_on(context, milestone, on_reference, json, out)?;
    let well = conclude(&mine, json, out) && judge(milestone, &mine) == Judgement::Achieved;
    if compare && !on_reference && !out.is_closed() {
        let reference = train_on(context, milestone, true, json, out)?;
        side_by_side(&mine, &reference, json, out);
    }
    if !json {
        let word = if well { "achieved" } else { "not achieved" };
        out.line(format!("{}: {word}", milestone.id));
    }
    Ok(well)
}

fn train_on(
    context: &Context,
    milestone: &Milestone,
    reference: bool,
    json: bool,
    out: &mut Output,
) -> Result<ModuleReport, Failure> {
    let last = milestone.prerequisites.iter().max().and_then(|id| Module::by_id(*id));
    let module = last.ok_or_else(|| {
        Failure::environment(format!("{} needs modules that this course lacks", milestone.id))
    })?;
    let bench = Bench::open(context, reference)?;
    let file = PathBuf::from(format!("src/tinytorch/milestones/{}.rs", milestone.id));
    bench.report(module, RunKind::Milestone, vec![], file, milestone.source(), &mut |event| {
        if let RunEvent::Reported { item, .. } = event
            && json
            && !matches!(item, Item::Progress(_))
        {
            out.line(json::item(milestone.id, item));
        }
    })
}

/// The learner's engine and the reference: each figure of both.
fn side_by_side(mine: &ModuleReport, reference: &ModuleReport, json: bool, out: &mut Output) {
    for pair in milestone::side_by_side(mine, reference) {
        out.line(if json { json::to_line(&pair) } else { human::pair(&pair) });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_milestone_is_meant_by_year_name_or_both() {
        for word in ["1986", "mlp", "1986_mlp"] {
            assert_eq!(named(word).unwrap().id, "1986_mlp", "{word}");
        }
        let failure = named("1986_mpl").unwrap_err();
        assert!(failure.hints[0].contains("1986_mlp"), "{failure}");
    }
}
