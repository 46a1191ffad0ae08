//! The learner's editor: which program it is, and the arguments that open a file at a line. Must not
//! know processes or the screen.

use crate::error::Error;
use std::ffi::OsString;
use std::path::Path;

/// How an editor takes a line number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum LineArgument {
    /// `vim +12 file`
    Plus,
    /// `hx file:12`
    Colon,
    /// `code --goto file:12`
    Goto,
    /// `kate --line 12 file`
    Line,
    /// Not at all.
    None,
}

/// Name of the program, how it takes a line, whether it opens a window of its own.
const EDITORS: &[(&str, LineArgument, bool)] = &[
    ("sensible-editor", LineArgument::Plus, false),
    ("vim", LineArgument::Plus, false),
    ("nvim", LineArgument::Plus, false),
    ("vi", LineArgument::Plus, false),
    ("nano", LineArgument::Plus, false),
    ("emacs", LineArgument::Plus, false),
    ("emacsclient", LineArgument::Plus, false),
    ("kak", LineArgument::Plus, false),
    ("micro", LineArgument::Plus, false),
    ("ne", LineArgument::Plus, false),
    ("joe", LineArgument::Plus, false),
    ("hx", LineArgument::Colon, false),
    ("helix", LineArgument::Colon, false),
    ("code", LineArgument::Goto, true),
    ("code-insiders", LineArgument::Goto, true),
    ("codium", LineArgument::Goto, true),
    ("cursor", LineArgument::Goto, true),
    ("subl", LineArgument::Colon, true),
    ("zed", LineArgument::Colon, true),
    ("gvim", LineArgument::Plus, true),
    ("kate", LineArgument::Line, true),
];

/// Tried in this order when no variable names an editor.
const FALLBACKS: [&str; 7] = ["sensible-editor", "nano", "vim", "nvim", "hx", "emacs", "vi"];

/// An editor and how to start it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Editor {
    /// The program.
    pub program: String,
    /// Where it was named: a variable, or `PATH`.
    pub source: &'static str,
    /// Whether it opens a window of its own and leaves the terminal alone.
    pub windowed: bool,
    arguments: Vec<String>,
    line: LineArgument,
}

impl Editor {
    /// The editor that the environment selects.
    ///
    /// # Errors
    /// As [`Editor::find`].
    pub fn from_environment() -> Result<Self, Error> {
        Self::find(|name| std::env::var(name).ok(), is_installed)
    }

    /// The editor that `VISUAL` or `EDITOR` names, with shell quoting; without either, the first of
    /// the fallbacks that is installed.
    ///
    /// # Errors
    /// When there is none, or a variable has an unclosed quote.
    pub fn find(
        variable: impl Fn(&str) -> Option<String>,
        installed: impl Fn(&str) -> bool,
    ) -> Result<Self, Error> {
        let set = |name: &'static str| {
            let value = variable(name).filter(|value| !value.trim().is_empty())?;
            Some((name, value))
        };
        if let Some((name, value)) = set("VISUAL").or_else(|| set("EDITOR")) {
            return Self::parse(name, &value);
        }
        let fallback = FALLBACKS.into_iter().find(|name| installed(name)).ok_or_else(|| {
            Error::environment("no editor was found")
                .hint("Set VISUAL or EDITOR to your editor, for example `export EDITOR=nano`.")
        })?;
        Ok(Self::new(fallback.to_owned(), vec![], "PATH"))
    }

    fn parse(name: &'static str, value: &str) -> Result<Self, Error> {
        let mut words = shell_words::split(value)
            .map_err(|_| {
                Error::environment(format!("{name} has an unclosed quote: {value}")).hint(
                    "Quote a path that contains spaces like this: EDITOR=\"'/my tools/edit' -n\".",
                )
            })?
            .into_iter();
        let program = words.next().unwrap_or_default();
        Ok(Self::new(program, words.collect(), name))
    }

    fn new(program: String, arguments: Vec<String>, source: &'static str) -> Self {
        let name = Path::new(&program).file_stem().unwrap_or_default();
        let known = EDITORS.iter().find(|(editor, ..)| name == *editor);
        let (line, windowed) =
            known.map_or((LineArgument::None, false), |(_, line, windowed)| (*line, *windowed));
        Self { program, source, windowed, arguments, line }
    }

    /// The arguments that open `file` at `line`.
    #[must_use]
    pub fn arguments(&self, file: &Path, line: usize) -> Vec<OsString> {
        let mut arguments: Vec<OsString> = self.arguments.iter().map(OsString::from).collect();
        let colon = || {
            let mut place = file.as_os_str().to_owned();
            place.push(format!(":{line}"));
            place
        };
        match self.line {
            LineArgument::Plus => arguments.extend([format!("+{line}").into(), file.into()]),
            LineArgument::Colon => arguments.push(colon()),
            LineArgument::Goto => arguments.extend(["--goto".into(), colon()]),
            LineArgument::Line => {
                arguments.extend(["--line".into(), line.to_string().into(), file.into()]);
            }
            LineArgument::None => arguments.push(file.into()),
        }
        arguments
    }
}

/// Whether a folder of `PATH` has the program. Whether it can be run shows when it is started.
fn is_installed(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(program).is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find(variables: &[(&str, &str)], installed: &[&str]) -> Result<Editor, Error> {
        let variable = |name: &str| {
            variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
        };
        Editor::find(variable, |name| installed.contains(&name))
    }

    fn command(value: &str) -> (String, bool) {
        let editor = find(&[("EDITOR", value)], &[]).unwrap();
        let words: Vec<String> = editor
            .arguments(Path::new("a b.rs"), 12)
            .iter()
            .map(|word| format!("<{}>", word.to_string_lossy()))
            .collect();
        (format!("{} {}", editor.program, words.join("")), editor.windowed)
    }

    #[test]
    fn each_editor_gets_the_line_in_its_own_way() {
        for (value, expected, windowed) in [
            ("vim", "vim <+12><a b.rs>", false),
            ("/usr/bin/nvim -u NONE", "/usr/bin/nvim <-u><NONE><+12><a b.rs>", false),
            ("nano", "nano <+12><a b.rs>", false),
            ("emacs -nw", "emacs <-nw><+12><a b.rs>", false),
            ("hx", "hx <a b.rs:12>", false),
            ("code --wait", "code <--wait><--goto><a b.rs:12>", true),
            ("kate", "kate <--line><12><a b.rs>", true),
            ("my-editor", "my-editor <a b.rs>", false),
        ] {
            assert_eq!(command(value), (expected.to_owned(), windowed), "{value}");
        }
    }

    #[test]
    fn a_quoted_path_may_contain_spaces() {
        let (shown, _) = command("'/my tools/vim' -c 'set nu'");
        assert_eq!(shown, "/my tools/vim <-c><set nu><+12><a b.rs>");
        let error = find(&[("VISUAL", "'/my tools/vim")], &[]).unwrap_err();
        assert!(error.to_string().contains("VISUAL has an unclosed quote"), "{error}");
    }

    #[test]
    fn visual_takes_precedence_over_editor_and_both_over_installed_editors() {
        let from = |variables: &[(&str, &str)], installed: &[&str]| {
            let editor = find(variables, installed).unwrap();
            (editor.program, editor.source)
        };
        let both = [("VISUAL", "hx"), ("EDITOR", "ed")];
        assert_eq!(from(&both, &["nano"]), ("hx".into(), "VISUAL"));
        assert_eq!(from(&[("VISUAL", " "), ("EDITOR", "ed")], &["nano"]), ("ed".into(), "EDITOR"));
        assert_eq!(from(&[], &["vi", "nano"]), ("nano".into(), "PATH"));
        let error = find(&[], &[]).unwrap_err();
        assert!(error.to_string().contains("Set VISUAL or EDITOR"), "{error}");
    }
}
