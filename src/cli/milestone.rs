//! `milestone`: networks from the history of the field, trained on the learner's engine.

use super::analyze::conclude;
use super::arguments::{Format, FormatArguments, MilestoneCommand};
use super::check::stopped;
use super::context::Context;
use super::meter::Meter;
use super::printer::Printer;
use super::records::Records;
use crate::curriculum::{Course, Milestone};
use crate::error::Error;
use crate::framework::{Engine, Trial, trial};
use crate::report::{MilestoneOutcome, ModuleReport, Ran, human, json, milestone};
use crate::runner::event::RunEvent;
use serde::Serialize;
use tinytorch::report::Item;

/// Returns whether every target is met.
pub fn run(context: &Context, command: MilestoneCommand, out: &mut Printer) -> Result<bool, Error> {
    match command {
        MilestoneCommand::List(arguments) => list(context, &arguments, out),
        MilestoneCommand::Info { milestone } => {
            Ok(info(context.course(), named(context.course(), &milestone)?, out))
        }
        MilestoneCommand::Run { milestone, format, compare } => {
            train(context, named(context.course(), &milestone)?, format, compare, out)
        }
    }
}

/// The milestone that a person means by `1986`, `mlp` or `1986_mlp`.
fn named(course: &Course, word: &str) -> Result<&'static Milestone, Error> {
    let is_meant = |milestone: &&Milestone| {
        let name = milestone.id.split_once('_').map(|(_, name)| name);
        word == milestone.id || Some(word) == name || word == milestone.year.to_string()
    };
    course.milestones().iter().find(is_meant).ok_or_else(|| {
        let ids: Vec<&str> = course.milestones().iter().map(|milestone| milestone.id).collect();
        let likeness = |id: &&&str| (strsim::jaro_winkler(word, id) * 1000.0) as u32;
        let error = Error::usage(format!("unknown milestone \"{word}\""));
        match ids.iter().max_by_key(likeness).filter(|id| likeness(id) > 600) {
            Some(id) => error.hint(format!("Did you mean \"{id}\"?")),
            None => error.hint(format!("The milestones are {}.", ids.join(", "))),
        }
    })
}

fn needs(course: &Course, milestone: &Milestone) -> Vec<String> {
    milestone.prerequisites.iter().map(|id| course.slug(*id)).collect()
}

fn list(context: &Context, arguments: &FormatArguments, out: &mut Printer) -> Result<bool, Error> {
    #[derive(Serialize)]
    struct MilestoneRow {
        id: &'static str,
        year: u16,
        title: &'static str,
        needs: Vec<String>,
        /// `None`: never run on the engine as it is now.
        outcome: Option<MilestoneOutcome>,
        achieved: bool,
    }
    let lab = context.lab()?;
    let records = Records::open(&lab)?;
    let engine = context.engine();
    for milestone in lab.course().milestones() {
        let Milestone { id, year, title, .. } = *milestone;
        let now = trial(&lab, milestone, engine)?.fingerprint;
        let ran = records.milestone(id, engine.word())?.filter(|(of, _)| *of == now);
        let outcome = ran.map(|(_, ran)| ran.outcome(milestone));
        let achieved = outcome == Some(MilestoneOutcome::Achieved);
        let needs = needs(lab.course(), milestone);
        match arguments.format {
            Format::Json => {
                let row = MilestoneRow { id, year, title, needs, outcome, achieved };
                out.line(json::to_line(&row));
            }
            Format::Human => {
                let state = match outcome {
                    None => "not run",
                    Some(MilestoneOutcome::Achieved) => "achieved",
                    Some(MilestoneOutcome::Preview) => "preview",
                    Some(MilestoneOutcome::NotReached) => "not reached",
                };
                let needs = needs.join(", ");
                out.line(format!("{id:<17} {title:<22} {state:<12} needs {needs}"));
            }
        }
    }
    Ok(true)
}

fn info(course: &Course, milestone: &Milestone, out: &mut Printer) -> bool {
    out.line(format!("{}: {}\n\n{}\n", milestone.year, milestone.title, milestone.story));
    out.line(format!("It runs on {}.", needs(course, milestone).join(", ")));
    out.line("It is achieved when all of these are your code and each of these figures meets its target:");
    milestone.achieved_when.iter().for_each(|name| out.line(format!("  {name}")));
    true
}

fn train(
    context: &Context,
    milestone: &'static Milestone,
    format: Format,
    compare: bool,
    out: &mut Printer,
) -> Result<bool, Error> {
    let json = format == Format::Json;
    let engine = context.engine();
    let mine = train_on(context, milestone, engine, json, out)?;
    if compare && engine == Engine::Mine && !out.is_closed() {
        let reference = train_on(context, milestone, Engine::Reference, json, out)?;
        if json {
            milestone::pairs(&mine, &reference).iter().for_each(|p| out.line(json::to_line(p)));
        } else {
            out.line(human::item(&Item::Table(milestone::side_by_side(&mine, &reference))));
        }
    }
    let outcome = mine.outcome(milestone);
    if json {
        out.line(json::to_line(&MilestoneResult {
            milestone: milestone.id,
            engine,
            outcome,
            achieved: outcome == MilestoneOutcome::Achieved,
            seconds: mine.seconds,
        }));
    } else {
        out.line(format!("{}: {}", milestone.id, verdict(context, milestone, &mine)));
    }
    Ok(mine.met)
}

#[derive(Serialize)]
struct MilestoneResult {
    milestone: &'static str,
    engine: Engine,
    outcome: MilestoneOutcome,
    achieved: bool,
    seconds: Option<f64>,
}

fn verdict(context: &Context, milestone: &Milestone, ran: &Ran) -> String {
    match ran.outcome(milestone) {
        MilestoneOutcome::Achieved => "achieved".to_owned(),
        MilestoneOutcome::NotReached => "not reached".to_owned(),
        MilestoneOutcome::Preview => {
            let modules = ran.on_reference(milestone).into_iter();
            let slugs: Vec<_> = modules.map(|id| context.course().slug(id)).collect();
            format!(
                "preview. Every target is met, but these modules ran on the reference: {}. It is achieved when they \
                 run on your code",
                slugs.join(", ")
            )
        }
    }
}

/// Runs it on one engine, prints whose code ran, and records the outcome.
fn train_on(
    context: &Context,
    milestone: &'static Milestone,
    engine: Engine,
    json: bool,
    out: &mut Printer,
) -> Result<Ran, Error> {
    let lab = context.lab()?;
    let mut records = Records::open(&lab)?;
    let mut meter = Meter::stderr(context.course());
    let Trial { request, modules, fingerprint } = trial(&lab, milestone, engine)?;
    let mut report = ModuleReport::new(request.module);
    let ran = context.runner()?.run(&request, &context.cancel, &mut |event| {
        meter.show(&event);
        report.apply(&event);
        if let RunEvent::Reported { item, .. } = &event
            && json
            && !matches!(item, Item::Progress(_))
        {
            out.line(json::item(milestone.id, item));
        }
    });
    meter.clear();
    ran?;
    stopped(&context.cancel)?;
    let ran = Ran::of(milestone, &report, modules, context.course());
    if json {
        ran.modules.iter().for_each(|module| out.line(json::to_line(module)));
    } else {
        whose_code(&ran, context.course(), out);
    }
    conclude(&report, context.course(), json, out);
    records.keep(|store| store.record_milestone(milestone.id, engine.word(), &fingerprint, &ran));
    Ok(ran)
}

/// Whose code ran: one line for each owner, and one for each module of the learner's that could not be used.
fn whose_code(ran: &Ran, course: &Course, out: &mut Printer) {
    let plain = |mine: bool| {
        let modules = ran.modules.iter().filter(|ran| ran.reason.is_none() && ran.mine == mine);
        modules.map(|ran| course.slug(ran.module)).collect::<Vec<_>>().join(", ")
    };
    for (owner, modules) in [("your code", plain(true)), ("the reference", plain(false))] {
        if !modules.is_empty() {
            out.line(format!("Runs on {owner}: {modules}"));
        }
    }
    let replaced = ran.modules.iter().filter(|ran| ran.reason.is_some());
    replaced.for_each(|ran| out.line(ran.sentence(course)));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_milestone_is_named_by_year_name_or_both() {
        for word in ["1986", "mlp", "1986_mlp"] {
            assert_eq!(named(Course::tinytorch(), word).unwrap().id, "1986_mlp", "{word}");
        }
        let error = named(Course::tinytorch(), "1986_mpl").unwrap_err();
        assert!(error.hints[0].contains("1986_mlp"), "{error}");
    }
}
