//! `author`: the commands for authors of lessons.

use super::arguments::AuthorCommand;
use super::context::Context;
use super::printer::Printer;
use crate::curriculum::cells;
use crate::error::Error;
use crate::lab::{Lab, atomic};

/// Succeeds when everything that was asked for is written.
pub fn run(context: &Context, command: AuthorCommand, out: &mut Printer) -> Result<bool, Error> {
    match command {
        AuthorCommand::Generate { modules, force } => generate(context, &modules, force, out),
        AuthorCommand::Mutants { modules } => super::mutants::run(context, &modules, out),
        AuthorCommand::New { slug } => new(context, &slug, out),
    }
}

/// Writes starters, and lists each exercise in the engine's manifest. An exercise that contains solutions is a
/// learner's work: it is not overwritten unless forced.
fn generate(
    context: &Context,
    words: &[String],
    force: bool,
    out: &mut Printer,
) -> Result<bool, Error> {
    let lab = context.lab()?;
    let mut all = true;
    for module in context.modules(words)? {
        let starter = cells::starter(module.reference());
        let solved = lab.read_exercise(module).is_ok_and(|text| is_work(&text));
        if solved && !force {
            all = false;
            out.line(format!(
                "{}: contains solutions, not overwritten (--force replaces it)",
                module.slug()
            ));
            continue;
        }
        let backup = lab.put(module, starter.as_bytes())?;
        let kept = backup.map(|backup| format!("; backup: {}", backup.display()));
        out.line(format!("{}: written{}", module.slug(), kept.unwrap_or_default()));
        list_as_example(&lab, &module.slug())?;
    }
    Ok(all)
}

/// Lists the exercise among the examples of the clone's engine package, so that rust-analyzer knows it.
fn list_as_example(lab: &Lab, slug: &str) -> Result<(), Error> {
    let path = lab.root().join("src/tinytorch/Cargo.toml");
    // A lab made by `init` has no such manifest: its own lists every exercise.
    let Ok(manifest) = std::fs::read_to_string(&path) else { return Ok(()) };
    let entry = format!("[[example]]\nname = \"{slug}\"\n");
    if manifest.contains(&entry) {
        return Ok(());
    }
    let rest =
        format!("path = \"../../exercises/{slug}.rs\"\nrequired-features = [\"exercises\"]\n");
    atomic::write(&path, format!("{manifest}\n{entry}{rest}").as_bytes())
}

/// Whether any solution cell has a solution.
fn is_work(text: &str) -> bool {
    let cells = cells::parse(text);
    cells.iter().any(|cell| cell.kind == cells::CellKind::Solution && !cell.is_unsolved())
}

/// Writes the skeleton of a lesson and its module, and prints the two lines that add them to the course.
fn new(context: &Context, slug: &str, out: &mut Printer) -> Result<bool, Error> {
    let parts = slug.split_once('_').and_then(|(n, name)| Some((n.parse::<usize>().ok()?, name)));
    let Some((number, name)) = parts.filter(|(_, name)| is_identifier(name)) else {
        return Err(Error::usage(format!("\"{slug}\" is not a module name"))
            .hint("Give a number and a name in lower case: `author new 21_serving`."));
    };
    if let Ok(known) = context.course().named(name) {
        return Err(Error::usage(format!("there is already a module {}", known.slug())));
    }
    let next = context.course().modules().len();
    if number != next {
        return Err(Error::usage(format!(
            "modules are numbered without gaps: the next is {next:02}"
        ))
        .hint(format!("Run `author new {next:02}_{name}`.")));
    }
    let fill = |text: &str| text.replace("NUMBER", &format!("{number:02}")).replace("NAME", name);
    let root = context.lab()?.root().to_owned();
    let source = format!("src/tinytorch/src/{name}.rs");
    let lesson = format!("lessons/{number:02}_{name}.md");
    for (path, text) in [
        (&source, fill(include_str!("new_module.rs.txt"))),
        (&lesson, fill(include_str!("new_lesson.md.txt"))),
    ] {
        if !atomic::write_new(&root.join(path), text.as_bytes())? {
            return Err(Error::environment(format!(
                "\"{path}\" already exists; it was not overwritten"
            )));
        }
        out.line(format!("{path}: written"));
    }
    out.line("Add it to the course with two lines:");
    out.line(format!("  src/tinytorch/src/lib.rs: `{name}` at the end of the list in `course!`"));
    out.line(format!(
        "  src/curriculum/course.rs: `include_str!(\"../../{lesson}\"),` at the end of LESSONS"
    ));
    out.line(format!("Write the lesson, then run `cargo run -- author generate {number:02}`."));
    Ok(true)
}

fn is_identifier(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
}
