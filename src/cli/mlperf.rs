//! `mlperf`: the events of TinyMLPerf on the lab's engine, their leaderboard, and files of entries.

use super::analyze::conclude;
use super::arguments::{Format, MlperfCommand};
use super::check::stopped;
use super::class_leaderboard;
use super::context::Context;
use super::meter::Meter;
use super::named_file;
use super::printer::Printer;
use super::records::Records;
use crate::error::{Error, count, printable};
use crate::framework::{Trial, event_trial};
use crate::lab::atomic;
use crate::progress::now;
use crate::report::human::times;
use crate::report::mlperf::{self, Clock, Entry, Place, leaderboard};
use crate::report::{ModuleReport, json};
use serde::Serialize;
use std::path::{Path, PathBuf};
use tinytorch::benchmarking::{Event, Interval, Verdict, verdict};
use tinytorch::report::Target;
use tinytorch::sources::MLPERF_ENTRY;

/// A difference of less than this part does not matter.
const THRESHOLD: f64 = 0.05;

/// Returns whether there is what was asked for: a score, for a run.
pub fn run(context: &Context, command: MlperfCommand, out: &mut Printer) -> Result<bool, Error> {
    match command {
        MlperfCommand::List(arguments) => list(context, arguments.format, out),
        MlperfCommand::Run { event, entry, format } => {
            measure(context, named(&event)?, entry, format, out)
        }
        MlperfCommand::Leaderboard { event, format } => {
            let events = event.map_or(Ok(Event::ALL.to_vec()), |word| Ok(vec![named(&word)?]))?;
            ranking(context, &events, format, out)
        }
        MlperfCommand::Export { file } => export(context, &file, out),
        MlperfCommand::Import { file } => import(context, &file, out),
        MlperfCommand::Class(arguments) => class_leaderboard::run(context, &arguments, out),
    }
}

fn named(word: &str) -> Result<Event, Error> {
    mlperf::event(word).ok_or_else(|| {
        let ids = Event::ALL.map(Event::id).join(", ");
        Error::usage(format!("unknown event \"{word}\"")).hint(format!("The events are {ids}."))
    })
}

/// What an event requires: `accuracy of at least 95 %`.
fn required(event: Event) -> String {
    match event.floor() {
        Target::AtLeast(bound) => format!("accuracy of at least {bound} %"),
        Target::AtMost(bound) => format!("perplexity of at most {bound}"),
    }
}

fn list(context: &Context, format: Format, out: &mut Printer) -> Result<bool, Error> {
    #[derive(Serialize)]
    struct EventRow {
        event: &'static str,
        required: String,
        entries: usize,
        best: Option<Place>,
    }
    let kept = Records::open(&context.lab()?)?.entries()?;
    for event in Event::ALL {
        let places = leaderboard(event, &kept, now());
        let (entries, required) = (places.len(), required(event));
        let row = EventRow { event: event.id(), required, entries, best: places.first().cloned() };
        if format == Format::Json {
            out.line(json::to_line(&row));
            continue;
        }
        let best = row.best.map_or_else(
            || "no entry yet".to_owned(),
            |best| format!("best: {} by {:?}", times(best.score), best.name),
        );
        out.line(format!("{:<22} {:<28} {best}", row.event, row.required));
    }
    Ok(true)
}

fn measure(
    context: &Context,
    event: Event,
    file: Option<PathBuf>,
    format: Format,
    out: &mut Printer,
) -> Result<bool, Error> {
    let (lab, engine, json) = (context.lab()?, context.engine(), format == Format::Json);
    let entry = file.map(|file| entry_text(&file).map(|text| (file, text))).transpose()?;
    let code = entry.as_ref().map_or(MLPERF_ENTRY, |(_, text)| text).to_owned();
    let Trial { request, modules, .. } = event_trial(&lab, event, entry, engine)?;
    let mut meter = Meter::stderr(context.course());
    let mut report = ModuleReport::new(request.module);
    let ran = context.runner()?.run(&request, &context.cancel, &mut |event| {
        meter.show(&event);
        report.apply(&event);
    });
    meter.clear();
    ran?;
    stopped(&context.cancel)?;
    if !report.measured_well() {
        conclude(&report, context.course(), json, out);
        return Ok(false);
    }
    // Nothing is written before this point: a run that is killed leaves the store as it was.
    let entry = Entry::of(event, &report, now(), machine(), code)?;
    let mut records = Records::open(&lab)?;
    records.keep(|store| store.record_entries(std::slice::from_ref(&entry), false).map(drop));
    if json {
        out.line(json::to_line(&entry));
        return Ok(true);
    }
    let mine = modules.iter().filter(|module| module.mine).count();
    out.line(format!(
        "Ran on {} of your own, and on the reference for the rest.",
        count(mine, "module")
    ));
    out.line(format!("{}: {}", event.id(), sentence(&entry)));
    out.line(format!("quality {:.2}: {} is required", entry.quality, required(event)));
    out.line(format!("techniques that were found: {}", listed(&entry.techniques)));
    let places = leaderboard(event, &records.entries()?, now());
    if let Some(place) =
        places.iter().find(|place| place.at == entry.at && place.score == entry.score)
    {
        out.line(format!("rank {} of {}", place.rank, places.len()));
    }
    Ok(true)
}

/// The text of an entry's file. Without the function that is asked for, the compiler would name a line that is not in it.
fn entry_text(file: &Path) -> Result<String, Error> {
    let text = named_file::text(file)?;
    if text.contains("fn entry") {
        return Ok(text);
    }
    let error = Error::unmet(format!("\"{}\" has no function `entry`", printable(file)));
    Err(error.hint("It ends in `pub fn entry(start: Start) -> Box<dyn Entry>`: lesson 19 has one."))
}

/// What may be said of a score, in each direction.
fn sentence(entry: &Entry) -> String {
    let [low, estimate, high] = entry.score;
    let name = &entry.name;
    let spread = times(entry.score);
    match verdict(Interval { low, estimate, high }, THRESHOLD) {
        Verdict::Faster => format!("\"{name}\" is faster than the baseline: {spread}"),
        Verdict::Slower => format!("\"{name}\" is slower than the baseline: {spread}"),
        Verdict::TooSmall => {
            format!("\"{name}\" differs from the baseline by less than 5 %: {spread}")
        }
        Verdict::Unclear => {
            format!("there is no clear difference between \"{name}\" and the baseline: {spread}")
        }
    }
}

fn listed(techniques: &[String]) -> String {
    if techniques.is_empty() { "none".to_owned() } else { techniques.join(", ") }
}

fn machine() -> String {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let (os, arch) = (std::env::consts::OS, std::env::consts::ARCH);
    format!("{os} {arch}, {}", count(cores, "core"))
}

fn ranking(
    context: &Context,
    events: &[Event],
    format: Format,
    out: &mut Printer,
) -> Result<bool, Error> {
    let kept = Records::open(&context.lab()?)?.entries()?;
    for &event in events {
        let places = leaderboard(event, &kept, now());
        if format == Format::Json {
            places.iter().for_each(|place| out.line(json::to_line(place)));
            continue;
        }
        out.line(format!("{} ({})", event.id(), required(event)));
        if places.is_empty() {
            out.line(format!("  no entry yet: tinytorch-tutor mlperf run {}", event.id()));
        }
        places.iter().for_each(|place| out.line(line_of(place)));
    }
    Ok(true)
}

fn line_of(place: &Place) -> String {
    let clock = match place.clock {
        Clock::Plausible => "",
        Clock::Ahead => "; its clock is ahead",
        Clock::WentBack => "; its clock went back",
    };
    let origin = if place.imported { "; imported" } else { "" };
    format!(
        "{:>3}  {:<22} {:<24} quality {:>6.2}  innovation {} ({})  {}{origin}{clock}",
        place.rank,
        times(place.score),
        place.name,
        place.quality,
        place.innovation,
        listed(&place.techniques),
        place.machine
    )
}

fn export(context: &Context, file: &Path, out: &mut Printer) -> Result<bool, Error> {
    let kept = Records::open(&context.lab()?)?.entries()?;
    let own: Vec<Entry> =
        kept.into_iter().filter(|kept| !kept.imported).map(|kept| kept.entry).collect();
    if !atomic::write_new(file, mlperf::to_file(&own).as_bytes())? {
        let error = Error::environment(format!("\"{}\" exists already", printable(file)));
        return Err(error.hint("Name a new file; nothing was written."));
    }
    out.line(format!("Wrote {} to {}", entries(own.len()), printable(file)));
    Ok(true)
}

fn import(context: &Context, file: &Path, out: &mut Printer) -> Result<bool, Error> {
    let found = mlperf::from_file(&named_file::text(file)?).map_err(|error| Error {
        message: format!("\"{}\": {}", printable(file), error.message),
        ..error
    })?;
    let mut records = Records::open(&context.lab()?)?;
    let new = records.keep_or_fail(|store| store.record_entries(&found, true))?;
    let known = found.len() - new;
    out.line(format!("Added {}; already there: {known}", entries(new)));
    Ok(true)
}

/// `1 entry`, `2 entries`.
fn entries(count: usize) -> String {
    if count == 1 { "1 entry".to_owned() } else { format!("{count} entries") }
}
