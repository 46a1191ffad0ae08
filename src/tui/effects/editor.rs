//! The learner's editor, at a line. Comes in: a file and a line. An editor that lives in the terminal
//! gets it until it ends; one with a window of its own is started and left alone.

use crate::error::Error;
use crate::tui::terminal::Screen;
use std::ffi::OsString;
use std::path::Path;
use std::process::{Command, Stdio};

/// How an editor is told the line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    /// `vim +12 file`
    Plus,
    /// `hx file:12`
    Colon,
    /// `code --goto file:12`
    Goto,
    /// `kate --line 12 file`
    Line,
    /// The file alone.
    File,
}

/// Name of the program, how it is told the line, whether it has a window of its own.
const EDITORS: &[(&str, Form, bool)] = &[
    ("vim", Form::Plus, false),
    ("nvim", Form::Plus, false),
    ("vi", Form::Plus, false),
    ("nano", Form::Plus, false),
    ("emacs", Form::Plus, false),
    ("emacsclient", Form::Plus, false),
    ("kak", Form::Plus, false),
    ("micro", Form::Plus, false),
    ("ne", Form::Plus, false),
    ("joe", Form::Plus, false),
    ("hx", Form::Colon, false),
    ("helix", Form::Colon, false),
    ("code", Form::Goto, true),
    ("code-insiders", Form::Goto, true),
    ("codium", Form::Goto, true),
    ("cursor", Form::Goto, true),
    ("subl", Form::Colon, true),
    ("zed", Form::Colon, true),
    ("gvim", Form::Plus, true),
    ("kate", Form::Line, true),
];

/// Opens the editor that `VISUAL` or `EDITOR` names.
pub fn open(file: &Path, line: usize, screen: &mut Screen) -> Result<(), Error> {
    let set = |name: &str| std::env::var(name).ok().filter(|value| !value.trim().is_empty());
    let place = format!("{}:{line}", file.display());
    let Some(value) = set("VISUAL").or_else(|| set("EDITOR")) else {
        return Err(Error::environment(format!(
            "no editor is set: open {place}, or set VISUAL or EDITOR"
        )));
    };
    let (program, arguments, window) = command(&value, file, line);
    let failed = |error: std::io::Error| {
        Error::environment(format!("failed to run the editor \"{program}\": {error}"))
            .hint(format!("Set VISUAL or EDITOR to an editor that is here, or open {place}."))
    };
    let mut command = Command::new(&program);
    command.args(arguments);
    if window {
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut child = command.spawn().map_err(failed)?;
        // Detached: the thread only collects the exit status, whenever that comes.
        let reap = std::thread::Builder::new().name("editor".into());
        return reap.spawn(move || drop(child.wait())).map(drop).map_err(failed);
    }
    let status = screen.lend(|| command.status()).and_then(|status| status).map_err(failed)?;
    if status.success() {
        return Ok(());
    }
    Err(Error::environment(format!("the editor \"{program}\" ended with {status}")))
}

/// Program, arguments, and whether it has a window of its own.
fn command(value: &str, file: &Path, line: usize) -> (String, Vec<OsString>, bool) {
    let mut words = value.split_whitespace();
    let program = words.next().unwrap_or_default().to_owned();
    let mut arguments: Vec<OsString> = words.map(OsString::from).collect();
    let name = Path::new(&program).file_stem().unwrap_or_default();
    let known = EDITORS.iter().find(|(editor, ..)| name == *editor);
    let (form, window) = known.map_or((Form::File, false), |(_, form, window)| (*form, *window));
    let colon = || {
        let mut place = file.as_os_str().to_owned();
        place.push(format!(":{line}"));
        place
    };
    match form {
        Form::Plus => arguments.extend([format!("+{line}").into(), file.into()]),
        Form::Colon => arguments.push(colon()),
        Form::Goto => arguments.extend(["--goto".into(), colon()]),
        Form::Line => arguments.extend(["--line".into(), line.to_string().into(), file.into()]),
        Form::File => arguments.push(file.into()),
    }
    (program, arguments, window)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(value: &str) -> (String, bool) {
        let (program, arguments, window) = command(value, Path::new("a b.rs"), 12);
        let words: Vec<String> =
            arguments.iter().map(|word| format!("<{}>", word.to_string_lossy())).collect();
        (format!("{program} {}", words.join("")), window)
    }

    #[test]
    fn each_editor_is_told_the_line_in_its_own_way() {
        for (value, expected, window) in [
            ("vim", "vim <+12><a b.rs>", false),
            ("/usr/bin/nvim -u NONE", "/usr/bin/nvim <-u><NONE><+12><a b.rs>", false),
            ("nano", "nano <+12><a b.rs>", false),
            ("emacs -nw", "emacs <-nw><+12><a b.rs>", false),
            ("hx", "hx <a b.rs:12>", false),
            ("code --wait", "code <--wait><--goto><a b.rs:12>", true),
            ("my-editor", "my-editor <a b.rs>", false),
        ] {
            assert_eq!(shown(value), (expected.to_owned(), window), "{value}");
        }
    }
}
