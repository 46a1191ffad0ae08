//! What packagers need beside the program: completions, manual pages, a version.

use super::*;

/// The names of the commands, as the help lists them.
fn commands(desk: &Desk) -> Vec<String> {
    let help = out(&desk.run(&["--help"]));
    let (_, commands) = help.split_once("Commands:\n").unwrap();
    let names = commands.lines().take_while(|line| !line.is_empty());
    let names = names.filter(|line| !line.starts_with("   "));
    let names: Vec<_> = names.filter_map(|line| line.split_whitespace().next()).collect();
    assert!(names.len() > 10, "{names:?}");
    names.into_iter().map(str::to_owned).collect()
}

#[test]
fn completions_know_every_command_and_every_format() {
    let desk = Desk::empty();
    for shell in ["bash", "zsh", "fish"] {
        let output = desk.run(&["completions", shell]);
        assert_eq!(code(&output), 0, "{}", said(&output));
        let script = out(&output);
        for word in commands(&desk).iter().map(String::as_str).chain(["junit", "--cache"]) {
            let word = word.trim_start_matches('-');
            assert!(script.contains(word), "{shell} does not complete {word}");
        }
    }
    let output = desk.run(&["completions", "cmd.exe"]);
    assert_eq!(code(&output), 2, "{}", said(&output));
}

#[test]
fn every_command_has_a_manual_page() {
    let desk = Desk::empty();
    let page = out(&desk.run(&["man"]));
    assert!(page.contains(".TH tinytorch-tutor 1"), "{page}");
    let output = desk.run(&["man", "pages/deep"]);
    assert_eq!(code(&output), 0, "{}", said(&output));
    for command in commands(&desk).iter().filter(|command| *command != "help") {
        let page = desk.folder.path().join(format!("pages/deep/tinytorch-tutor-{command}.1"));
        assert!(page.is_file(), "{}", page.display());
    }
    std::fs::write(desk.folder.path().join("file"), "").unwrap();
    let output = desk.run(&["man", "file"]);
    assert_eq!(code(&output), 2, "{}", said(&output));
    assert!(said(&output).contains("failed to write the manual pages to \"file\""));
}

#[test]
fn both_versions_begin_alike() {
    let desk = Desk::empty();
    let (short, long) = (out(&desk.run(&["-V"])), out(&desk.run(&["--version"])));
    let version = format!("tinytorch-tutor {}", env!("CARGO_PKG_VERSION"));
    assert_eq!(short.trim_end(), version);
    assert!(long.starts_with(&version), "{long}");
}
