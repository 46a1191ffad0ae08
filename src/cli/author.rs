//! `author`: what writing lessons needs.

use super::arguments::AuthorCommand;
use super::context::Context;
use super::output::Output;
use crate::curriculum::cells;
use crate::error::Error;

/// Succeeds when everything asked for was written.
pub fn run(context: &Context, command: AuthorCommand, out: &mut Output) -> Result<bool, Error> {
    match command {
        AuthorCommand::Generate { modules, force } => generate(context, &modules, force, out),
        AuthorCommand::Mutants { modules } => super::mutants::run(context, &modules, out),
        AuthorCommand::New { slug } => new(context, &slug, out),
    }
}

/// Exercises that differ from a starter in their solution regions alone are somebody's work.
fn generate(
    context: &Context,
    words: &[String],
    force: bool,
    out: &mut Output,
) -> Result<bool, Error> {
    let lab = context.lab()?;
    let mut all = true;
    for module in context.modules(words)? {
        let starter = cells::starter(module.reference());
        let solved = lab.read_exercise(module).is_ok_and(|text| is_work(&text));
        if solved && !force {
            all = false;
            out.line(format!(
                "{}: holds solutions, left alone (--force replaces it)",
                module.slug()
            ));
            continue;
        }
        let backup = lab.put(module, starter.as_bytes())?;
        let kept = backup.map(|backup| format!("; before: {}", backup.display()));
        out.line(format!("{}: written{}", module.slug(), kept.unwrap_or_default()));
    }
    Ok(all)
}

/// Whether any solution cell waits no more.
fn is_work(text: &str) -> bool {
    let cells = cells::parse(text);
    cells.iter().any(|cell| cell.kind == cells::CellKind::Solution && !cell.is_unsolved())
}

/// Prints what a new lesson begins with: the text of both files, to be put where it says.
fn new(context: &Context, slug: &str, out: &mut Output) -> Result<bool, Error> {
    let parts = slug.split_once('_').and_then(|(n, name)| Some((n.parse::<u8>().ok()?, name)));
    let Some((number, name)) = parts.filter(|(_, name)| !name.is_empty()) else {
        return Err(Error::usage(format!("\"{slug}\" is no name for a module"))
            .hint("Give a number and a name: `author new 21_serving`."));
    };
    if let Ok(known) = context.course().named(name) {
        return Err(Error::usage(format!("there is a module {} already", known.slug())));
    }
    let fill = |text: &str| text.replace("NUMBER", &format!("{number:02}")).replace("NAME", name);
    out.line(format!("==> src/tinytorch/src/{name}.rs"));
    out.text(&fill(include_str!("new_module.rs.txt")));
    out.line(format!("==> lessons/{slug}.md"));
    out.text(&fill(include_str!("new_lesson.md.txt")));
    Ok(true)
}
