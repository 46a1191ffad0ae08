//! The arguments. Pure: parsing reads and writes nothing.

use crate::framework::Engine;
use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use std::path::PathBuf;

/// The version with the commit that a release was built from.
const LONG_VERSION: &str = concat!(env!("CARGO_PKG_VERSION"), env!("TINYTORCH_COMMIT"));

/// Which engine to use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum EngineName {
    /// The modules that you completed; the reference for the rest.
    Mine,
    /// The reference for every module.
    Reference,
}

impl From<EngineName> for Engine {
    fn from(name: EngineName) -> Self {
        match name {
            EngineName::Mine => Self::Mine,
            EngineName::Reference => Self::Reference,
        }
    }
}

/// The colours of the screen. `NO_COLOR` turns them off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum ThemeName {
    /// Chosen by the terminal's background colour.
    #[default]
    Auto,
    /// For a dark background.
    Dark,
    /// For a light background.
    Light,
    /// Bright colours on black.
    HighContrast,
}

/// Learn how machine-learning systems work by building one.
///
/// Without a command: opens the tutor in the lab of this folder.
#[derive(Debug, Parser)]
#[command(name = "tinytorch-tutor", version, long_version = LONG_VERSION, max_term_width = 100)]
pub struct Arguments {
    /// The command; without one the tutor opens.
    #[command(subcommand)]
    pub command: Option<Command>,

    /// Use this lab instead of the one that contains the current folder.
    #[arg(long, global = true, value_name = "DIR")]
    pub lab: Option<PathBuf>,

    /// Keep compiled modules here instead of in the user's cache folder.
    #[arg(long, global = true, value_name = "DIR", env = "TINYTORCH_CACHE")]
    pub cache: Option<PathBuf>,

    /// Run later modules on your engine or on the reference.
    #[arg(long, global = true, value_name = "ENGINE")]
    pub engine: Option<EngineName>,

    /// Print lines instead of drawing a screen: for screen readers and simple terminals. The same as `watch`.
    #[arg(long, global = true)]
    pub plain: bool,

    /// Also print whose code each earlier module is, and how long each test takes.
    #[arg(long, short, global = true)]
    pub verbose: bool,

    /// Open the tutor at this module.
    #[arg(long, value_name = "MODULE")]
    pub module: Option<String>,

    /// The colours of the screen.
    #[arg(long, global = true, value_name = "THEME", default_value = "auto")]
    pub theme: ThemeName,

    /// Only ASCII characters on the screen, whatever the locale says.
    #[arg(long, global = true)]
    pub ascii: bool,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// List the modules with their status.
    List(ListArguments),
    /// Compile exercises and run their tests. Exit code 0: all pass.
    Check(CheckArguments),
    /// Check an exercise whenever it is saved, and print the results as lines.
    Watch(WatchArguments),
    /// Run the analyses of a module, compiled with optimization, and print what they measure.
    Analyze(AnalyzeArguments),
    /// Show one frame of an interactive figure.
    Explore(ExploreArguments),
    /// Record a prediction for an open task of a lesson, or show the tasks.
    Predict(PredictArguments),
    /// Explain a term of the field, or list all terms.
    Glossary(GlossaryArguments),
    /// Grade collected submissions, each inside a sandbox. Exit code 0: every one has a final result.
    Grade(GradeArguments),
    /// Write the files that run `grade` as jobs of Slurm, GitHub Actions or Gradescope.
    Template(TemplateArguments),
    /// Show the next hint for an exercise.
    Hint(CellArguments),
    /// Show the reference solution.
    Solution(CellArguments),
    /// Replace exercises with their starters; a backup is kept.
    Reset(ResetArguments),
    /// List the backups of an exercise, or restore one.
    Restore(RestoreArguments),
    /// Create a lab, or turn a folder with exercises into one. Needs no network.
    Init(InitArguments),
    /// Pack what you hand in: your exercises, and of your progress only what you agreed to share.
    Submit(SubmitArguments),
    /// Share figures about your progress with whoever you hand in the lab to, or not; by default show them.
    Share(ShareArguments),
    /// Bring a lab of an older version up to date; your work stays. Shows what would change. Exit code 0: nothing is left to you.
    Update(UpdateArguments),
    /// Open the tutor at a module.
    Start {
        /// The module.
        module: String,
    },
    /// Open the tutor where you left it.
    Resume,
    /// Add modules to your engine, so that later modules run on your code.
    Complete(CompleteArguments),
    /// Write your engine as an ordinary Cargo package.
    Export(ExportArguments),
    /// Milestones: networks from the history of the field, trained by your engine.
    #[command(subcommand)]
    Milestone(MilestoneCommand),
    /// TinyMLPerf: measure entries beside fixed baselines on your engine, and rank them.
    #[command(subcommand)]
    Mlperf(MlperfCommand),
    /// The submission of lesson 20 as a file that others can check and measure again.
    #[command(subcommand)]
    Capstone(CapstoneCommand),
    /// Check every module against the ten patterns.
    Audit(FormatArguments),
    /// Show what is missing on this machine and how to fix it.
    Doctor(FormatArguments),
    /// Make the lab that a class gets: the modules of a course file, with hints and solutions open or closed.
    Release(ReleaseArguments),
    /// Pack a kit for machines without internet: this program, the lab of a class, and what a check needs.
    Bundle(BundleArguments),
    /// Collect what a class handed in, from folders, zip and tar.gz archives. Exit code 0: all that was found was taken.
    Collect(CollectArguments),
    /// The gradebook of a class: import results, give points and comments, export.
    Gradebook(GradebookArguments),
    /// Write a page of feedback for each student, as HTML and as text.
    Feedback(FeedbackArguments),
    /// Where a class stops: figures over what its students agreed to share of their progress.
    Analytics(AnalyticsArguments),
    /// List pairs of collected submissions whose own code is nearly the same, whatever its names.
    Similarity(SimilarityArguments),
    /// Commands for authors of lessons.
    #[command(subcommand)]
    Author(AuthorCommand),
    /// Print a completion script for a shell.
    Completions {
        /// The shell.
        shell: Shell,
    },
    /// Print the manual page, or write the pages of all commands to a folder.
    Man {
        /// The folder for all pages.
        folder: Option<PathBuf>,
    },
}

impl Command {
    /// Whether the output is JSON, so that an error is too.
    #[must_use]
    pub fn is_json(&self) -> bool {
        let format = match self {
            Self::Check(arguments) => return arguments.format == CheckFormat::Json,
            Self::List(ListArguments { format })
            | Self::Audit(FormatArguments { format })
            | Self::Doctor(FormatArguments { format })
            | Self::Milestone(MilestoneCommand::List(FormatArguments { format }))
            | Self::Milestone(MilestoneCommand::Run { format, .. })
            | Self::Mlperf(MlperfCommand::List(FormatArguments { format }))
            | Self::Mlperf(MlperfCommand::Run { format, .. })
            | Self::Mlperf(MlperfCommand::Leaderboard { format, .. })
            | Self::Capstone(CapstoneCommand::Validate { format, .. })
            | Self::Capstone(CapstoneCommand::Reproduce { format, .. })
            | Self::Analyze(AnalyzeArguments { format, .. })
            | Self::Explore(ExploreArguments { format, .. })
            | Self::Predict(PredictArguments { format, .. })
            | Self::Glossary(GlossaryArguments { format, .. })
            | Self::Hint(CellArguments { format, .. })
            | Self::Solution(CellArguments { format, .. })
            | Self::Reset(ResetArguments { format, .. })
            | Self::Restore(RestoreArguments { format, .. })
            | Self::Share(ShareArguments { format, .. })
            | Self::Collect(CollectArguments { format, .. })
            | Self::Analytics(AnalyticsArguments { format, .. })
            | Self::Similarity(SimilarityArguments { format, .. })
            | Self::Complete(CompleteArguments { format, .. }) => *format,
            _ => Format::Human,
        };
        format == Format::Json
    }
}

/// The form of results.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum Format {
    /// Text for people.
    #[default]
    Human,
    /// For programs: one JSON value per line.
    Json,
}

/// The form of the results of checks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum CheckFormat {
    /// Text for people.
    #[default]
    Human,
    /// For programs: JSON, one line per module.
    Json,
    /// For continuous integration: JUnit XML.
    Junit,
}

/// Arguments of `list`.
#[derive(Debug, Args)]
pub struct ListArguments {
    /// The output format.
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,
}

/// Arguments of `predict`.
#[derive(Debug, Args)]
pub struct PredictArguments {
    /// The module.
    pub module: String,
    /// The open task. By default all of the lesson's.
    pub task: Option<String>,
    /// Your prediction: a number with its unit, or a sentence.
    pub text: Vec<String>,
    /// Record the text as the result, for a task that no analysis measures.
    #[arg(long, requires = "text")]
    pub result: bool,
    /// The output format.
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,
}

/// Arguments of `glossary`.
#[derive(Debug, Args)]
pub struct GlossaryArguments {
    /// The term, such as `chain rule`. By default all terms.
    pub term: Vec<String>,
    /// The output format.
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,
}

/// Arguments of commands that only report.
#[derive(Debug, Args)]
pub struct FormatArguments {
    /// The output format.
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,
}

/// Arguments of `check`.
#[derive(Debug, Args)]
pub struct CheckArguments {
    /// Modules by number, name or both: 1, tensor, 01_tensor. By default all.
    pub modules: Vec<String>,
    /// Check the reference solutions instead of your files.
    #[arg(long)]
    pub solution: bool,
    /// Check the reference solutions against the hidden tests of a course file, too. By default all its modules.
    #[arg(long, value_name = "FILE")]
    pub course: Option<PathBuf>,
    /// Compile the tests as a crate of their own, so that nothing in the exercise can change what they test.
    #[arg(long)]
    pub separate_tests: bool,
    /// The output format.
    #[arg(long, value_enum, default_value_t)]
    pub format: CheckFormat,
}

/// Arguments of `grade`.
#[derive(Debug, Args)]
pub struct GradeArguments {
    /// The folder of collected submissions: STUDENT/MODULE/MODULE.rs.
    pub submissions: PathBuf,
    /// The folder for the results: STUDENT/MODULE.json. A submission that has one is not graded again.
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
    /// The course file: its hidden tests count too.
    #[arg(long, value_name = "FILE")]
    pub course: Option<PathBuf>,
    /// Grade even where this machine cannot confine untrusted code. Each result is marked.
    #[arg(long)]
    pub no_sandbox: bool,
    /// Grade one share of the submissions, as one of several jobs: 1/8 is the first of eight. The same submissions give the
    /// same shares on every machine.
    #[arg(long, value_name = "K/N", value_parser = share)]
    pub task: Option<Share>,
    /// Grade nothing: check the results in these folders, and write those that count to `--out`. Results that contradict
    /// each other are refused, and submissions without one are listed.
    #[arg(long, value_name = "DIR", num_args = 1.., conflicts_with_all = ["no_sandbox", "task"])]
    pub merge: Vec<PathBuf>,
}

/// Arguments of `template`.
#[derive(Debug, Args)]
pub struct TemplateArguments {
    /// What runs the jobs.
    #[arg(value_enum)]
    pub platform: Platform,
    /// The folder for the files. None of them may be there already.
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
}

/// What runs `grade` as a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Platform {
    /// An array of jobs on a cluster, and a job that merges their results.
    Slurm,
    /// A workflow of GitHub Actions with four jobs, and one that merges their results.
    Github,
    /// An autograder for one assignment on Gradescope.
    Gradescope,
}

/// One of several equal shares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Share {
    /// From 1.
    number: usize,
    of: usize,
}

impl Share {
    /// Whether it has the item at this index.
    #[must_use]
    pub fn has(self, index: usize) -> bool {
        index % self.of == self.number - 1
    }
}

/// `3/8` as the third of eight shares.
fn share(text: &str) -> Result<Share, String> {
    let parts = text
        .split_once('/')
        .and_then(|(number, of)| Some((number.parse().ok()?, of.parse().ok()?)));
    match parts {
        Some((number, of)) if (1..=of).contains(&number) => Ok(Share { number, of }),
        _ => Err("write it as K/N, with K from 1 to N".into()),
    }
}

/// Arguments of `watch`.
#[derive(Debug, Args)]
pub struct WatchArguments {
    /// Modules by number, name or both. By default all.
    pub modules: Vec<String>,
}

/// Arguments of `analyze`.
#[derive(Debug, Args)]
pub struct AnalyzeArguments {
    /// The module.
    pub module: String,
    /// One analysis. By default all of the module's.
    pub name: Option<String>,
    /// Measure the reference solution instead of your file.
    #[arg(long)]
    pub solution: bool,
    /// Also write the timelines that are reported to this new file, for https://ui.perfetto.dev or chrome://tracing.
    #[arg(long, value_name = "FILE")]
    pub trace: Option<PathBuf>,
    /// The output format.
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,
}

/// Arguments of `explore`.
#[derive(Debug, Args)]
pub struct ExploreArguments {
    /// The figure, such as learning_rate or explore_learning_rate.
    #[arg(required_unless_present = "list")]
    pub name: Option<String>,
    /// Set a control; can be repeated.
    #[arg(long, value_name = "CONTROL=VALUE", value_parser = setting)]
    pub set: Vec<(String, String)>,
    /// List all interactive figures of the course.
    #[arg(long, conflicts_with_all = ["name", "set", "solution"])]
    pub list: bool,
    /// Use the reference solution instead of your file.
    #[arg(long)]
    pub solution: bool,
    /// The output format.
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,
}

/// `learning rate=0.1` as a name and a value.
fn setting(text: &str) -> Result<(String, String), String> {
    let parts = text.split_once('=').ok_or("write it as CONTROL=VALUE")?;
    Ok((parts.0.trim().to_owned(), parts.1.to_owned()))
}

/// Arguments of commands about one cell.
#[derive(Debug, Args)]
pub struct CellArguments {
    /// The module.
    pub module: String,
    /// The cell, such as tensor-add. By default `hint` takes the first unsolved cell, and `solution` all.
    pub cell: Option<String>,
    /// The output format.
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,
}

/// Arguments of `complete`.
#[derive(Debug, Args)]
pub struct CompleteArguments {
    /// Modules by number, name or both.
    #[arg(required = true)]
    pub modules: Vec<String>,
    /// Restore the previously completed version, or take the module out of your engine if there is none. The
    /// exercise is not changed.
    #[arg(long)]
    pub undo: bool,
    /// The output format.
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,
}

/// Arguments of `restore`.
#[derive(Debug, Args)]
pub struct RestoreArguments {
    /// The module.
    pub module: String,
    /// The backup's number. By default the latest.
    pub number: Option<usize>,
    /// List the backups instead of restoring one.
    #[arg(long, conflicts_with = "number")]
    pub list: bool,
    /// The output format.
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,
}

/// Arguments of `reset`.
#[derive(Debug, Args)]
pub struct ResetArguments {
    /// Modules by number, name or both.
    #[arg(required = true)]
    pub modules: Vec<String>,
    /// Do not ask for confirmation.
    #[arg(long)]
    pub yes: bool,
    /// The output format.
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,
}

/// Arguments of `init`.
#[derive(Debug, Args)]
pub struct InitArguments {
    /// The folder of the lab.
    pub folder: PathBuf,
    /// Fill the exercises with the reference solutions.
    #[arg(long)]
    pub solved: bool,
    /// Whether figures about your progress go with the lab when you hand it in. By default you are asked; without a
    /// terminal, nothing is shared.
    #[arg(long, value_enum, value_name = "DECISION")]
    pub share_progress: Option<Consent>,
}

/// Whether the learner agrees.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Consent {
    /// The figures are shared.
    Yes,
    /// They are not.
    No,
}

/// Arguments of `submit`.
#[derive(Debug, Args)]
pub struct SubmitArguments {
    /// The archive: a new file that ends in .zip.
    pub file: PathBuf,
    /// Modules by number, name or both. By default all that were changed.
    pub modules: Vec<String>,
}

/// Arguments of `share`.
#[derive(Debug, Args)]
pub struct ShareArguments {
    /// What to do.
    #[arg(value_enum, default_value_t)]
    pub decision: ShareDecision,
    /// The output format.
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,
}

/// What to do about the figures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum ShareDecision {
    /// Show them, and whether they are shared.
    #[default]
    Show,
    /// Share them from now on.
    Yes,
    /// Share nothing from now on.
    No,
    /// Ask at the terminal, unless it was decided before.
    Ask,
}

impl From<Consent> for ShareDecision {
    fn from(consent: Consent) -> Self {
        match consent {
            Consent::Yes => Self::Yes,
            Consent::No => Self::No,
        }
    }
}

/// Arguments of `update`.
#[derive(Debug, Args)]
pub struct UpdateArguments {
    /// Modules by number, name or both. By default all of the lab.
    pub modules: Vec<String>,
    /// The course file that the instructor has changed: deadlines, points, modules, what is open.
    #[arg(long, value_name = "FILE")]
    pub course: Option<PathBuf>,
    /// Write the changes, after backups.
    #[arg(long)]
    pub write: bool,
    /// Also show the lines that change.
    #[arg(long)]
    pub diff: bool,
}

/// Arguments of `export`.
#[derive(Debug, Args)]
pub struct ExportArguments {
    /// The folder of the package: new or empty.
    pub folder: PathBuf,
}

/// Arguments of `release`.
#[derive(Debug, Args)]
pub struct ReleaseArguments {
    /// The course file: modules, points, deadlines, what is open.
    #[arg(long, value_name = "FILE")]
    pub course: PathBuf,
    /// The folder of the lab: new or empty.
    #[arg(long, value_name = "DIR")]
    pub to: PathBuf,
}

/// Arguments of `bundle`.
#[derive(Debug, Args)]
pub struct BundleArguments {
    /// The folder for the archive.
    pub folder: PathBuf,
    /// The course file: modules, points, deadlines, what is open.
    #[arg(long, value_name = "FILE")]
    pub course: PathBuf,
    /// Also pack the Rust toolchain of this machine.
    #[arg(long)]
    pub toolchain: bool,
}

/// Arguments of `collect`.
#[derive(Debug, Args)]
pub struct CollectArguments {
    /// What was handed in: a folder with a folder or archive for each student, or an archive of the class.
    #[arg(required = true, value_name = "SOURCE")]
    pub sources: Vec<PathBuf>,
    /// The students: a CSV file with the columns id, name and email.
    #[arg(long, value_name = "FILE")]
    pub roster: PathBuf,
    /// The course file: modules and deadlines. Without it, all modules are collected, and none is late.
    #[arg(long, value_name = "FILE")]
    pub course: Option<PathBuf>,
    /// Where to collect to: STUDENT/MODULE/MODULE.rs. What is replaced there is kept.
    #[arg(long, value_name = "DIR")]
    pub to: PathBuf,
    /// The output format.
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,
}

/// Arguments of `gradebook`.
#[derive(Debug, Args)]
pub struct GradebookArguments {
    /// What to do.
    #[command(subcommand)]
    pub command: GradebookCommand,
    /// The gradebook.
    #[arg(long, global = true, value_name = "FILE", default_value = "gradebook.db")]
    pub gradebook: PathBuf,
}

/// What to do with a gradebook.
#[derive(Debug, Subcommand)]
pub enum GradebookCommand {
    /// Import the results that `grade` wrote. Points and comments that were given by hand stay.
    Import {
        /// Files, or folders with files that end in `.json`.
        #[arg(required = true)]
        results: Vec<PathBuf>,
    },
    /// Show the points of each student.
    Show {
        /// One student, cell by cell.
        student: Option<String>,
        /// The course file: what each module counts.
        #[arg(long, value_name = "FILE")]
        course: Option<PathBuf>,
    },
    /// Give points or a comment to a cell.
    #[command(group = clap::ArgGroup::new("what").required(true).multiple(true))]
    Give {
        /// The student's id.
        student: String,
        /// The module.
        module: String,
        /// The cell, such as test-tensor-add.
        cell: String,
        /// Points in place of those from the tests.
        #[arg(long, group = "what")]
        points: Option<f64>,
        /// A comment that the student reads.
        #[arg(long, group = "what")]
        comment: Option<String>,
        /// Take back points that were given: those from the tests count again.
        #[arg(long, group = "what", conflicts_with = "points")]
        take_back: bool,
    },
    /// Grade free-text answers on a screen, with a rubric: points, comments, undo. Each decision is saved at once.
    #[command(visible_alias = "formgrade")]
    Mark {
        /// The folder that `collect` filled.
        submissions: PathBuf,
        /// The questions, and what is worth points: a TOML file.
        #[arg(long, value_name = "FILE", default_value = "rubric.toml")]
        rubric: PathBuf,
        /// Show numbers instead of students.
        #[arg(long)]
        anonymous: bool,
    },
    /// Take over one cell from results of the same submissions, after its test was corrected; the rest stays as it is.
    Regrade {
        /// The cell, such as test-tensor-add.
        cell: String,
        /// Files, or folders with files that end in `.json`, from a new run of `grade`.
        #[arg(required = true)]
        results: Vec<PathBuf>,
    },
    /// List the cells that were graded again on their own: who, before and after.
    Changes,
    /// Write all grades in the form of another program.
    Export {
        /// The form.
        #[arg(long, value_enum)]
        format: ExportFormat,
        /// A new file; for gradescope and github a new folder, which gets a file for each student and module.
        #[arg(long, value_name = "PATH")]
        out: PathBuf,
        /// The roster, for names and addresses in CSV.
        #[arg(long, value_name = "FILE")]
        roster: Option<PathBuf>,
    },
}

/// The forms of exported grades.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ExportFormat {
    /// A row for each cell, with nbgrader's names of columns.
    Csv,
    /// A JSON value on a line for each student and module.
    Json,
    /// JUnit XML.
    Junit,
    /// Gradescope's results.json.
    Gradescope,
    /// The result of a GitHub Classroom autograding step.
    Github,
}

/// Arguments of `feedback`.
#[derive(Debug, Args)]
pub struct FeedbackArguments {
    /// Students. By default all in the gradebook.
    pub students: Vec<String>,
    /// The gradebook.
    #[arg(long, value_name = "FILE", default_value = "gradebook.db")]
    pub gradebook: PathBuf,
    /// A new folder for the pages.
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
    /// The roster, for names.
    #[arg(long, value_name = "FILE")]
    pub roster: Option<PathBuf>,
    /// The course file: its title, and what each module counts.
    #[arg(long, value_name = "FILE")]
    pub course: Option<PathBuf>,
}

/// Arguments of `analytics`.
#[derive(Debug, Args)]
pub struct AnalyticsArguments {
    /// The folder that `collect` filled.
    pub collected: PathBuf,
    /// Also show the figures of each learner, by id.
    #[arg(long)]
    pub names: bool,
    /// Also write all figures to this new file, one on each row: kind, exercise, name, figure, value.
    #[arg(long, value_name = "FILE")]
    pub csv: Option<PathBuf>,
    /// The output format.
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,
}

/// Arguments of `similarity`.
#[derive(Debug, Args)]
pub struct SimilarityArguments {
    /// The folder that `collect` filled.
    pub collected: PathBuf,
    /// Modules by number, name or both. By default all.
    pub modules: Vec<String>,
    /// List what shares at least this part, in percent.
    #[arg(long, value_name = "PERCENT", default_value_t = 60,
        value_parser = clap::value_parser!(u8).range(1..=100))]
    pub at_least: u8,
    /// The output format.
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,
}

/// What to do with TinyMLPerf.
#[derive(Debug, Subcommand)]
pub enum MlperfCommand {
    /// List the events, with what they require and the best score.
    List(FormatArguments),
    /// Measure an entry in turn with the baseline, and keep it. Exit code 0: it has a score.
    Run {
        /// The event: `mlp_sprint`, `cnn_marathon`, `transformer_decathlon`, or one of these words.
        event: String,
        /// A Rust file that ends in `pub fn entry(start: Start) -> Box<dyn Entry>`; without it, the course's own entry.
        #[arg(long, value_name = "FILE")]
        entry: Option<PathBuf>,
        /// The output format.
        #[arg(long, value_enum, default_value_t)]
        format: Format,
    },
    /// Rank the entries of an event, or of all; those that cannot be told apart share a rank.
    Leaderboard {
        /// The event.
        event: Option<String>,
        /// The output format.
        #[arg(long, value_enum, default_value_t)]
        format: Format,
    },
    /// Write the entries of this lab to a new file, each with its code.
    Export {
        /// The file.
        file: PathBuf,
    },
    /// Add the entries of a file, if all their claims follow from their measurements.
    Import {
        /// The file.
        file: PathBuf,
    },
    /// Run the entries of a class again on this machine, inside the sandbox and on the reference, and rank them. Exit code 0:
    /// all ran.
    Class(ClassArguments),
}

/// Arguments of `mlperf class`.
#[derive(Debug, Args)]
pub struct ClassArguments {
    /// What the students exported: a folder with a file STUDENT.json for each. Of each student, the best entry in each event
    /// runs.
    pub folder: PathBuf,
    /// Write the leaderboard to this new file as CSV.
    #[arg(long, value_name = "FILE")]
    pub csv: Option<PathBuf>,
    /// Write it to this new file as JSON, a line for each entry.
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
    /// Run entries even where this machine cannot confine untrusted code.
    #[arg(long)]
    pub no_sandbox: bool,
}

/// What to do with the submission of lesson 20.
#[derive(Debug, Subcommand)]
pub enum CapstoneCommand {
    /// Measure the pipeline of lesson 20 on your code, and write its submission; a file that is there is kept beside it.
    Export {
        /// The file.
        file: PathBuf,
        /// Measure the reference solution instead of your file.
        #[arg(long)]
        solution: bool,
    },
    /// Name every fault of a submission by its field. Exit code 0: there is none; 2: the file cannot be read.
    Validate {
        /// The file.
        file: PathBuf,
        /// The output format.
        #[arg(long, value_enum, default_value_t)]
        format: Format,
    },
    /// Measure the same task on this machine, and compare. Exit code 0: the submission is confirmed, within a factor of
    /// two in speed and of 1.1 in perplexity.
    Reproduce {
        /// The file.
        file: PathBuf,
        /// Measure the reference solution instead of your file.
        #[arg(long)]
        solution: bool,
        /// The output format.
        #[arg(long, value_enum, default_value_t)]
        format: Format,
    },
}

/// The commands about milestones.
#[derive(Debug, Subcommand)]
pub enum MilestoneCommand {
    /// List the milestones and the modules that they need.
    List(FormatArguments),
    /// Show the story of a milestone.
    Info {
        /// The milestone, such as 1986, mlp or 1986_mlp.
        milestone: String,
    },
    /// Train the network of a milestone. Exit code 0: every target is met.
    Run {
        /// The milestone, such as 1986, mlp or 1986_mlp.
        milestone: String,
        /// The output format.
        #[arg(long, value_enum, default_value_t)]
        format: Format,
        /// Also run it on the reference, and show the two side by side.
        #[arg(long)]
        compare: bool,
    },
}

/// The commands for authors.
#[derive(Debug, Subcommand)]
pub enum AuthorCommand {
    /// Generate the starters of exercises from the engine's sources.
    Generate {
        /// Modules by number, name or both. By default all.
        modules: Vec<String>,
        /// Also replace exercises that contain solutions; a backup is kept.
        #[arg(long)]
        force: bool,
    },
    /// Run the wrong solutions of modules: each must fail its cell's test with a message that names the missed idea.
    Mutants {
        /// Modules by number, name or both. By default all.
        modules: Vec<String>,
    },
    /// Create a skeleton of a lesson and of its engine module.
    New {
        /// The module's number and name, such as 21_serving.
        slug: String,
    },
}
