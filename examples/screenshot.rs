//! Takes the pictures of the README from real runs: opens the tutor in a pseudo-terminal on a lab with solutions, waits
//! for the verdicts and for what is to be seen, and writes the screen as SVG: an analysis of lesson 01, the heat map of
//! attention in lesson 12, and the model of the milestone of 2017 while it learns to answer.
//!
//!     cargo build --release && cargo run --release --example screenshot -- docs

#[path = "../tests/pty/terminal.rs"]
#[expect(dead_code, reason = "the tests use more of it")]
mod terminal;

use std::fmt::Write;
use std::path::Path;
use std::process::Command;
use terminal::Terminal;

const SIZE: (u16, u16) = (124, 48);

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let target = std::env::args().nth(1).ok_or("usage: screenshot FOLDER")?;
    let target = Path::new(&target);
    let tutor = std::env::current_exe()?.with_file_name("../tinytorch-tutor");
    let tutor = tutor.to_str().ok_or("the path of the tutor is not UTF-8")?.to_owned();
    let folder = tempfile::tempdir()?;
    let lab = folder.path().join("lab");
    std::fs::create_dir(&lab)?;
    let status = Command::new(&tutor).args(["init", ".", "--solved"]).current_dir(&lab).status()?;
    status.success().then_some(()).ok_or("init failed")?;

    let mut lesson = Lesson::open(&tutor, &lab, "01");
    lesson.find("analyze_memory_layout");
    lesson.terminal.wait_for_text("Sums over a square matrix");
    lesson.save(&target.join("screen.svg"))?;

    let mut lesson = Lesson::open(&tutor, &lab, "12");
    lesson.find("Rows ask, columns answer");
    lesson.save(&target.join("attention.svg"))?;

    let mut lesson = Lesson::open(&tutor, &lab, "13");
    lesson.find("milestone 2017");
    lesson.terminal.send("\r");
    lesson.find_later("While it learns");
    lesson.terminal.wait_for("a dialogue that is being learned", |screen| {
        screen.contains("seed 1, after epoch 16 of 24")
    });
    lesson.save(&target.join("dialogue.svg"))
}

/// The tutor with a lesson open, its tests passed and its analyses measured.
struct Lesson {
    terminal: Terminal,
}

impl Lesson {
    fn open(tutor: &str, lab: &Path, module: &str) -> Self {
        let mut terminal = Terminal::start(tutor, &["--module", module], lab, SIZE, &[]);
        if module == "01" {
            // Once in a lab.
            terminal.wait_for_text("any key closes it");
            terminal.send("\x1b");
        }
        terminal.wait_for("every verdict and figure", |screen| {
            screen.contains("tests pass") && !screen.contains("measuring")
        });
        Self { terminal }
    }

    /// Brings a text to the top of the screen.
    fn find(&mut self, text: &str) {
        self.terminal.send(&format!("/{text}\r"));
        self.terminal.wait_for_text("N previous");
        self.terminal.send("\x1b");
        self.terminal
            .wait_for("a status line without a search", |screen| !screen.contains("N previous"));
    }

    /// The same for a text that a run will print: looks for it whenever the screen has changed.
    fn find_later(&mut self, text: &str) {
        let is_found = |screen: &str| screen.contains("N previous");
        loop {
            self.terminal.send(&format!("/{text}\r"));
            self.terminal.wait_for("an answer to the search", |screen| {
                is_found(screen) || screen.contains("is not in this lesson")
            });
            if self.terminal.look(|screen| is_found(&screen.contents())) {
                break;
            }
            self.terminal.send("\x1b");
            let before = self.terminal.look(vt100::Screen::contents);
            self.terminal.wait_for("a change", |screen| screen != before);
        }
        self.terminal.send("\x1b");
    }

    fn save(mut self, path: &Path) -> Result<(), Box<dyn std::error::Error>> {
        std::fs::write(path, self.terminal.look(svg))?;
        self.terminal.send("q");
        Ok(())
    }
}

/// The screen as a picture: a rectangle for each cell with a background, a text element for each character.
fn svg(screen: &vt100::Screen) -> String {
    const CELL: (f32, f32) = (8.4, 18.0);
    let (rows, columns) = (screen.size().0.get(), screen.size().1.get());
    let (width, height) = (CELL.0 * f32::from(columns) + 24.0, CELL.1 * f32::from(rows) + 24.0);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width:.0} {height:.0}\" \
         font-family=\"ui-monospace, 'DejaVu Sans Mono', Menlo, Consolas, monospace\" font-size=\"14\">\n\
         <rect width=\"100%\" height=\"100%\" rx=\"8\" fill=\"#1b1d23\"/>\n"
    );
    for row in 0..rows {
        for column in 0..columns {
            let Some(cell) = screen.cell(row, column) else { continue };
            let (x, y) = (12.0 + CELL.0 * f32::from(column), 12.0 + CELL.1 * f32::from(row));
            let (mut text, mut background) =
                (colour(cell.fgcolor(), "#d7dae0"), colour(cell.bgcolor(), "#1b1d23"));
            if cell.inverse() {
                std::mem::swap(&mut text, &mut background);
            }
            if background != "#1b1d23" {
                let _ = writeln!(
                    svg,
                    "<rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{:.1}\" height=\"{:.1}\" fill=\"{background}\"/>",
                    CELL.0 + 0.3,
                    CELL.1 + 0.3
                );
            }
            // Half blocks are drawn: fonts disagree about where they end.
            if let Some(below) =
                ["\u{2580}", "\u{2584}"].iter().position(|block| *block == cell.contents())
            {
                let (half, start) = (CELL.1 / 2.0, y + CELL.1 / 2.0 * below as f32);
                let _ = writeln!(
                    svg,
                    "<rect x=\"{x:.1}\" y=\"{start:.1}\" width=\"{:.1}\" height=\"{:.1}\" fill=\"{text}\"/>",
                    CELL.0 + 0.3,
                    half + 0.3
                );
            } else if cell.has_contents() && cell.contents() != " " {
                let weight = if cell.bold() { " font-weight=\"bold\"" } else { "" };
                let faint = if cell.dim() { " opacity=\"0.6\"" } else { "" };
                let content = escape(cell.contents());
                let base = y + 13.5;
                let _ = writeln!(
                    svg,
                    "<text x=\"{x:.1}\" y=\"{base:.1}\" fill=\"{text}\"{weight}{faint}>{content}</text>"
                );
            }
        }
    }
    svg + "</svg>\n"
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

fn colour(colour: vt100::Color, default: &str) -> String {
    const ANSI: [&str; 16] = [
        "#1b1d23", "#e06c75", "#98c379", "#e5c07b", "#61afef", "#c678dd", "#56b6c2", "#abb2bf",
        "#5c6370", "#ff7a85", "#b5e890", "#ffd68a", "#7cc3ff", "#e08cf7", "#6fd3e0", "#ffffff",
    ];
    match colour {
        vt100::Color::Default => default.to_owned(),
        vt100::Color::Idx(index) if index < 16 => ANSI[usize::from(index)].to_owned(),
        vt100::Color::Idx(index) => indexed(index),
        vt100::Color::Rgb(red, green, blue) => format!("#{red:02x}{green:02x}{blue:02x}"),
    }
}

/// The 6x6x6 cube and the grey ramp of 256-colour terminals.
fn indexed(index: u8) -> String {
    if index >= 232 {
        let grey = 8 + 10 * (index - 232);
        return format!("#{grey:02x}{grey:02x}{grey:02x}");
    }
    let level = |step: u8| if step == 0 { 0 } else { 55 + 40 * step };
    let cube = index - 16;
    format!("#{:02x}{:02x}{:02x}", level(cube / 36), level(cube / 6 % 6), level(cube % 6))
}
