//! `share`: whether figures about the learner's progress go with what they hand in. Asked once, by `init`, or `share ask`
//! for a lab that was handed out.

use super::arguments::{Consent, Format, ShareArguments, ShareDecision};
use super::context::Context;
use super::printer::Printer;
use super::question;
use super::records::{Records, store};
use crate::curriculum::{Course, Module};
use crate::error::{Error, count, harmless};
use crate::lab::{Class, Lab};
use crate::progress::{SHARE, remembered, shared_file, withdraw};
use crate::report::json;
use crate::report::shared::Shared;
use std::path::Path;

/// Always succeeds: no is an answer.
pub fn run(
    context: &Context,
    arguments: &ShareArguments,
    out: &mut Printer,
) -> Result<bool, Error> {
    let lab = context.lab()?;
    match arguments.decision {
        ShareDecision::Yes => decide(&lab, Consent::Yes, out)?,
        ShareDecision::No => {
            decide(&lab, Consent::No, out)?;
            out.line(
                "What you handed in before stays where it is: ask your instructor to delete it.",
            );
        }
        // `asked` has asked: without a terminal nothing is decided.
        ShareDecision::Ask => {}
        ShareDecision::Show => show(&lab, arguments.format, out)?,
    }
    Ok(true)
}

/// Asks what the lab in `folder` shares, unless that was decided or there is no terminal. The folder need not exist yet.
///
/// # Errors
/// When the answer cannot be read.
pub fn asked(context: &Context, folder: &Path) -> Result<Option<Consent>, Error> {
    // Not a lab around it.
    let is_there = |lab: &Lab| folder.canonicalize().is_ok_and(|folder| folder == lab.root());
    let lab = Lab::find(folder, context.course()).ok().filter(is_there);
    let decided = lab.as_ref().and_then(|lab| remembered(&lab.store(), SHARE));
    if decided.is_some() || !question::can_ask() {
        return Ok(None);
    }
    let class = lab.map(|lab| lab.class()).transpose()?.flatten();
    let agrees = question::ask(&format!(
        "{}\nYou can change your mind: `tinytorch-tutor share yes`, or `no`. Share?",
        consent(class.as_ref())
    ))?;
    Ok(Some(if agrees { Consent::Yes } else { Consent::No }))
}

/// Keeps the learner's decision.
///
/// # Errors
/// When the store cannot be written.
pub fn decide(lab: &Lab, consent: Consent, out: &mut Printer) -> Result<(), Error> {
    if consent == Consent::No {
        // First: a no counts even where the store cannot be opened.
        withdraw(&lab.store())?;
    }
    store(lab)?.share(consent == Consent::Yes)?;
    match consent {
        Consent::Yes => {
            out.line("You share figures about your progress: `tinytorch-tutor share` shows them.");
        }
        Consent::No => out.line("You share nothing about your progress."),
    }
    Ok(())
}

/// What is shared, and with whom.
fn consent(class: Option<&Class>) -> String {
    let who = match class {
        Some(class) => format!("the instructor of \"{}\"", harmless(&class.title)),
        None => "whoever receives it".to_owned(),
    };
    // In lines, since a terminal breaks words.
    format!(
        "If you agree, the lab that you hand in tells {who}, under your name,\n\
         for each exercise: whether you completed it, how long you worked, how many\n\
         attempts and hints you needed, which tests failed, and the codes of compiler\n\
         errors; never the time of day, and no text that you wrote."
    )
}

fn show(lab: &Lab, format: Format, out: &mut Printer) -> Result<(), Error> {
    let records = Records::open(lab)?;
    let (shares, shared) = (records.shares()?, records.shared()?);
    if format == Format::Json {
        out.line(json::to_line(&shared));
        return Ok(());
    }
    out.line(match shares {
        Some(true) => "You share these figures with whoever you hand in this lab to:",
        Some(false) => "You share nothing. These figures are yours alone:",
        None => "You have not agreed to share anything. These figures are yours alone:",
    });
    figures(&shared, lab.course(), out);
    out.line(match shares {
        Some(true) => format!("The file: {}", shared_file(&lab.store()).display()),
        _ => consent(lab.class()?.as_ref()),
    });
    Ok(())
}

fn figures(shared: &Shared, course: &Course, out: &mut Printer) {
    for exercise in &shared.exercises {
        let name = course.module(exercise.module).map_or_else(String::new, Module::slug);
        let state = if exercise.completed { "completed" } else { "not completed" };
        out.line(format!(
            "  {name:<16} {state}, {}, {}, {}",
            count(exercise.attempts as usize, "attempt"),
            count(exercise.seconds.div_ceil(60) as usize, "minute"),
            count(exercise.hints as usize, "hint"),
        ));
        for (what, stops) in [("test", &exercise.tests), ("error", &exercise.errors)] {
            for (name, stopped) in stops {
                let attempts = count(stopped.attempts as usize, "attempt");
                out.line(format!("    {what:<5} {:<40} in {attempts}", harmless(name)));
            }
        }
    }
    if shared.exercises.is_empty() {
        out.line("  none yet");
    }
}
