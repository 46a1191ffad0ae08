//! `similarity`: pairs of collected submissions that share much of what is theirs.

use super::arguments::{Format, SimilarityArguments};
use super::context::Context;
use super::printer::Printer;
use crate::classroom::similarity::{OfReference, Pair, Similarity, Text, compare};
use crate::classroom::submission::{Submission, Submissions};
use crate::curriculum::Module;
use crate::error::{Error, count};
use crate::lab::exercise;
use crate::report::json;
use serde::Serialize;

/// Succeeds when all submissions were compared.
pub fn run(
    context: &Context,
    arguments: &SimilarityArguments,
    out: &mut Printer,
) -> Result<bool, Error> {
    let submissions = Submissions::new(&arguments.collected);
    let (all, mut problems) = submissions.all()?;
    let part = f64::from(arguments.at_least) / 100.0;
    for module in context.modules(&arguments.modules)? {
        let mut texts = vec![];
        for submission in all.iter().filter(|submission| submission.module == module.slug()) {
            match read(&submissions, submission) {
                Ok(text) => texts.push((&submission.student, text)),
                Err(problem) => problems.push(problem),
            }
        }
        let texts: Vec<Text<'_>> =
            texts.iter().map(|(student, text)| Text { student, text }).collect();
        if !texts.is_empty() {
            let found = compare(&texts, module.reference(), part);
            show(module, texts.len(), &found, arguments, out);
        }
    }
    for problem in &problems {
        out.line(format!("  not compared  {problem}"));
    }
    Ok(problems.is_empty())
}

fn read(submissions: &Submissions, submission: &Submission) -> Result<String, Error> {
    let path = submissions.file(&submission.student, &submission.module);
    let bytes = std::fs::read(&path).map_err(|error| Error::io("read", &path, &error))?;
    let place = || format!("{} {}", submission.student, submission.module);
    exercise::text(bytes).map_err(|problem| Error::environment(format!("{}: {problem}", place())))
}

fn show(
    module: &Module,
    compared: usize,
    found: &Similarity,
    arguments: &SimilarityArguments,
    out: &mut Printer,
) {
    #[derive(Serialize)]
    struct OfModule<'a> {
        module: &'a str,
        compared: usize,
        #[serde(flatten)]
        found: &'a Similarity,
    }
    let slug = module.slug();
    if arguments.format == Format::Json {
        return out.line(json::to_line(&OfModule { module: &slug, compared, found }));
    }
    let Similarity { pairs, of_reference, too_short } = found;
    out.line(format!(
        "{slug}: {} compared, {} alike, {} near the reference, {} with too little code",
        count(compared, "submission"),
        count(pairs.len(), "pair"),
        of_reference.len(),
        too_short.len()
    ));
    for Pair { students: [a, b], shared, part } in pairs {
        out.line(format!("  {:>4.0} %  {a}  {b}  ({})", part * 100.0, passages(*shared)));
    }
    for OfReference { student, shared, part } in of_reference {
        out.line(format!(
            "  {:>4.0} %  {student}  the reference  ({})",
            part * 100.0,
            passages(*shared)
        ));
    }
}

fn passages(shared: usize) -> String {
    format!("{} in common", count(shared, "fingerprint"))
}
