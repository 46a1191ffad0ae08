//! `explore`: one frame of an explorable, for given settings of its controls; or the list of all explorables.

use super::arguments::{ExploreArguments, Format};
use super::check::{CheckSession, stopped};
use super::context::Context;
use super::printer::Printer;
use crate::curriculum::cells::Explorable;
use crate::curriculum::{Course, Module};
use crate::error::Error;
use crate::report::{explorable, json};
use crate::runner::event::{Frame, Verdict};
use serde::Serialize;
use std::collections::BTreeSet;
use tinytorch::explore::Settings;

/// Returns whether the whole frame was computed.
pub fn run(
    context: &Context,
    arguments: &ExploreArguments,
    out: &mut Printer,
) -> Result<bool, Error> {
    let Some(name) = &arguments.name else {
        return Ok(list(context.course(), arguments.format, out));
    };
    let (module, figure) = named(context.course(), name)?;
    let settings: Settings = arguments.set.iter().cloned().collect();
    let session = CheckSession::open(context, arguments.solution)?;
    let (file, text) = session.text(module).map_err(Error::unmet)?;
    let frame = session.explore(module, &figure.name, (file, text), &settings)?;
    let Some(frame) = frame else { return stopped(&context.cancel).map(|()| false) };
    known(&figure.name, &frame, &settings)?;
    match arguments.format {
        Format::Json => out.line(json::frame(&figure.name, &frame)),
        Format::Human => {
            out.line(&figure.title);
            out.text(&explorable::frame(&frame, &module.slug()));
        }
    }
    Ok(frame.verdict == Verdict::Passed)
}

/// Refuses settings that the figure did not ask for, or that a control cannot have. A figure that failed may not
/// have asked for all of its controls.
fn known(name: &str, frame: &Frame, settings: &Settings) -> Result<(), Error> {
    for (key, value) in settings {
        match frame.controls.iter().find(|control| control.name() == key) {
            Some(control) => control.clone().set(value).map_err(Error::usage)?,
            None if frame.verdict != Verdict::Passed => {}
            None => {
                let names: Vec<&str> =
                    frame.controls.iter().map(|control| control.name()).collect();
                let known = match names[..] {
                    [] => "It has no controls.".to_owned(),
                    _ => format!("Its controls are {}.", names.join(", ")),
                };
                return Err(Error::usage(format!("{name} has no control \"{key}\"")).hint(known));
            }
        }
    }
    Ok(())
}

/// The explorable that a person means by `learning_rate` or `explore_learning_rate`.
fn named<'a>(course: &'a Course, word: &str) -> Result<(&'a Module, Explorable), Error> {
    let is_meant = |(_, known): &(&Module, Explorable)| {
        known.name == word || known.name.strip_prefix("explore_") == Some(word)
    };
    course.explorables().find(is_meant).ok_or_else(|| {
        let names: BTreeSet<String> = course.explorables().map(|(_, known)| known.name).collect();
        let names = names.into_iter().collect::<Vec<_>>().join(", ");
        Error::usage(format!("unknown explorable \"{word}\""))
            .hint(format!("The explorables are {names}."))
    })
}

fn list(course: &Course, format: Format, out: &mut Printer) -> bool {
    #[derive(Serialize)]
    struct Row {
        name: String,
        module: String,
        title: String,
        about: String,
    }
    for (module, Explorable { name, title, about, .. }) in course.explorables() {
        let module = module.slug();
        match format {
            Format::Json => out.line(json::to_line(&Row { name, module, title, about })),
            Format::Human => out.line(format!("{name:<28} {module:<16} {title}")),
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;
    use tinytorch::explore::Control;

    fn frame(verdict: Verdict) -> Frame {
        let options = vec!["SGD".into(), "Adam".into()];
        let control = Control::Choice { name: "kind".into(), value: "SGD".into(), options };
        Frame { controls: vec![control], items: vec![], verdict, unfinished: None }
    }

    #[test]
    fn an_unknown_setting_is_refused_with_the_names_of_the_controls() {
        let set = |key: &str, value: &str| Settings::from([(key.to_owned(), value.to_owned())]);
        let passed = frame(Verdict::Passed);
        assert_eq!(known("f", &passed, &set("kind", "Adam")), Ok(()));
        let error = known("f", &passed, &set("rate", "1")).unwrap_err();
        assert_eq!(error.to_string(), "f has no control \"rate\"\n  Its controls are kind.");
        let error = known("f", &passed, &set("kind", "Adagrad")).unwrap_err();
        assert_eq!(error.to_string(), "\"kind\" is one of SGD, Adam, not \"Adagrad\"");
        let broken = frame(Verdict::Missing);
        assert_eq!(known("f", &broken, &set("rate", "1")), Ok(()), "it was not asked for yet");
    }
}
