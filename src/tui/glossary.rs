//! The list of the glossary: the terms in view of the lesson first, then the others in order. Plain values for update
//! and view.

use super::model::Model;
use crate::curriculum::glossary::Entry;

/// One line of the list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Listed<'a> {
    /// The term.
    pub entry: &'a Entry,
    /// Whether the lines in view have it in bold.
    pub in_view: bool,
}

/// The entries that contain `filter`, ignoring case: first those with it in their term, then those with it in their text.
#[must_use]
pub fn entries<'a>(model: &'a Model, filter: &str) -> Vec<Listed<'a>> {
    let filter = filter.to_lowercase();
    let contains = |text: &str| text.to_lowercase().contains(&filter);
    let all = &model.course.glossary().entries;
    let here = in_view(model);
    let is_here = |entry: &Entry| here.contains(&entry);
    let rest = all.iter().filter(|entry| !is_here(entry));
    let ordered = || here.iter().copied().chain(rest.clone());
    let by_term = ordered().filter(|entry| contains(&entry.term));
    let by_text = ordered().filter(|entry| !contains(&entry.term) && contains(&entry.text));
    let listed = |entry| Listed { entry, in_view: is_here(entry) };
    by_term.chain(by_text).map(listed).collect()
}

/// The terms in bold in the lines in view, in their order.
fn in_view(model: &Model) -> Vec<&Entry> {
    let top = model.module_state().map_or(0, |module_state| module_state.top);
    let lines = top..top + model.measured.height;
    let phrases = model.measured.bold.iter().filter(|(line, _)| lines.contains(line));
    let mut found: Vec<&Entry> = vec![];
    for entry in phrases.filter_map(|(_, phrase)| model.course.glossary().find(phrase)) {
        if !found.contains(&entry) {
            found.push(entry);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use crate::tui::fixture::Session;
    use crate::tui::message::Message;

    /// The terms as listed.
    fn listed(session: &Session, filter: &str) -> Vec<String> {
        let entries = super::entries(&session.model, filter);
        entries.into_iter().map(|listed| listed.entry.term.clone()).collect()
    }

    #[test]
    fn only_terms_that_are_bold_in_view_come_first() {
        let text = format!("A **stride** of one.\n{}**Nanoseconds**.\n", "\nword\n".repeat(40));
        let mut session = Session::with((60, 20), &text);
        session.press("w");
        assert_eq!(listed(&session, ""), ["stride", "cache line", "nanosecond"]);
        session.press("<Esc>Gw");
        assert_eq!(listed(&session, ""), ["nanosecond", "cache line", "stride"]);
    }

    #[test]
    fn a_term_is_found_by_its_letters_and_then_by_its_meaning() {
        let mut session = Session::with((60, 20), "words\n");
        session.press("w");
        assert_eq!(listed(&session, "LINE"), ["cache line"]);
        assert_eq!(listed(&session, "s"), ["nanosecond", "stride", "cache line"]);
        assert_eq!(listed(&session, "zzz"), [""; 0]);
        session.press("step");
        assert!(session.screen().contains("How far one step"), "{}", session.screen());
        session.press("zzz");
        assert!(session.screen().contains("no term or meaning contains this"));
        assert_eq!(session.press("<Enter>"), []);
        assert_eq!(session.model.overlay, None);
    }

    #[test]
    fn the_lines_in_view_stay_where_they_are_while_the_glossary_is_open() {
        let text = format!("A **stride** of one.\n{}", "\nword\n".repeat(40));
        let mut session = Session::with((60, 20), &text);
        session.press("w");
        session.send(Message::Wheel { column: 5, row: 5, down: true });
        assert_eq!(session.model.module_state().map(|known| known.top), Some(0));
    }
}
