//! What the audit requires of the glossary: each entry is in its place, and its lesson introduces the term in bold.

use super::{Miss, Pattern};
use crate::curriculum::glossary::{bold, is_term};
use crate::curriculum::{Course, ModuleId, lesson};
use std::collections::BTreeMap;

/// A miss for each entry that is malformed, not in its place, or not introduced by its lesson.
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
    malformed.chain(missing).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::curriculum::Module;

    #[test]
    fn the_lesson_of_an_entry_introduces_it_in_bold() {
        let head = "+++\nmodule = \"00_setup\"\ntitle = \"\"\nsubtitle = \"\"\ntime = \"\"\ndifficulty = 1\nprerequisites = []\n+++\n";
        let lesson = format!("{head}A **median** and a mean.\n");
        let modules = vec![Module::new(ModuleId(0), "setup", lesson, "")];
        let glossary =
            "**mean**: . (lesson 00)\n\n**median**: . (lesson 00)\n\n**mode**: . (lesson 01)\n";
        let misses = audit_glossary(&Course::new(modules, &[], glossary));
        let found: Vec<_> = misses.iter().map(|m| (m.pattern, m.line, m.reason.as_str())).collect();
        let expected = [
            (Pattern::Format, 5, "\"mode\": there is no lesson 01"),
            (Pattern::Narrative, 1, "00_setup does not introduce \"mean\" in bold"),
        ];
        assert_eq!(found, expected);
    }
}
