//! What the audit requires of the glossary: each entry is in its place, its lesson introduces the term in bold, and each
//! term that a lesson introduces has an entry.

use super::{Miss, Pattern};
use crate::curriculum::glossary::{bold, is_term};
use crate::curriculum::{Course, Module, ModuleId, lesson};
use std::collections::BTreeMap;

/// A miss for each entry that is malformed, not in its place, or not introduced by its lesson, and for each term in bold
/// without an entry.
#[must_use]
pub fn audit_glossary(course: &Course) -> Vec<Miss> {
    let miss = |pattern, line, reason| {
        let file = "lessons/glossary.md".to_owned();
        Miss { pattern, file, line, reason }
    };
    let glossary = course.glossary();
    let problems = glossary.problems.iter();
    let malformed =
        problems.map(|problem| miss(Pattern::Format, problem.line, problem.message.clone()));
    let phrases: BTreeMap<ModuleId, Vec<String>> = course
        .modules()
        .iter()
        .map(|module| (module.id, bold(&lesson::parse(module.lesson()))))
        .collect();
    let introduced = |id: ModuleId, term: &str| {
        phrases.get(&id).is_none_or(|all| all.iter().any(|phrase| is_term(phrase, term)))
    };
    let entries = glossary.entries.iter();
    let missing = entries.filter(|entry| !introduced(entry.lesson, &entry.term)).map(|entry| {
        let slug = course.slug(entry.lesson);
        let reason = format!("{slug} does not introduce \"{}\" in bold", entry.term);
        miss(Pattern::Narrative, entry.line, reason)
    });
    let strange = course.modules().iter().flat_map(|module| strange_terms(course, module));
    malformed.chain(missing).chain(strange).collect()
}

/// A miss for each term that the lesson has in bold and the glossary does not have, or has from another lesson. Words in
/// bold that end with a punctuation mark begin a paragraph, as a heading would.
fn strange_terms(course: &Course, module: &Module) -> Vec<Miss> {
    let text = module.lesson();
    let problem = |phrase: &str| match course.glossary().find(phrase) {
        Some(entry) if entry.lesson == module.id => None,
        Some(entry) => {
            Some(format!("was introduced in lesson {:02}: plain text here", entry.lesson.0))
        }
        None => Some("is in bold, but not in lessons/glossary.md".to_owned()),
    };
    let miss = |phrase: String| {
        let problem = problem(&phrase).filter(|_| !phrase.ends_with(['.', ':', '?', '!']))?;
        let start = phrase.split(' ').next().unwrap_or_default();
        let line = text.lines().position(|line| line.contains(&format!("**{start}")));
        Some(Miss {
            pattern: Pattern::Narrative,
            file: format!("lessons/{}.md", module.slug()),
            line: line.map_or(1, |line| line + 1),
            reason: format!("\"{phrase}\" {problem}"),
        })
    };
    bold(&lesson::parse(text)).into_iter().filter_map(miss).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_and_the_terms_in_bold_are_the_same() {
        let head = "+++\nmodule = \"00_setup\"\ntitle = \"\"\nsubtitle = \"\"\ntime = \"\"\ndifficulty = 1\nprerequisites = []\n+++\n";
        let lesson = format!("{head}A **median**, a mean\nand a **spread**. **First.** Sort.\n");
        let again = format!("{}A **median**.\n", head.replace("00_setup", "01_tensor"));
        let modules = vec![
            Module::new(ModuleId(0), "setup", lesson, ""),
            Module::new(ModuleId(1), "tensor", again, ""),
        ];
        let glossary =
            "**mean**: . (lesson 00)\n\n**median**: . (lesson 00)\n\n**mode**: . (lesson 02)\n";
        let misses = audit_glossary(&Course::new(modules, &[], glossary));
        let found: Vec<_> = misses.iter().map(|m| (m.pattern, m.line, m.reason.as_str())).collect();
        let expected = [
            (Pattern::Format, 5, "\"mode\": there is no lesson 02"),
            (Pattern::Narrative, 1, "00_setup does not introduce \"mean\" in bold"),
            (Pattern::Narrative, 10, "\"spread\" is in bold, but not in lessons/glossary.md"),
            (Pattern::Narrative, 9, "\"median\" was introduced in lesson 00: plain text here"),
        ];
        assert_eq!(found, expected);
    }
}
