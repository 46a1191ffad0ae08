//! A frame of an explorable as text: its controls, whose code computed it, its items. Not here: the screen.

use super::human;
use crate::runner::event::{Frame, Unfinished, Verdict};
use tinytorch::explore::Control;
use unicode_width::UnicodeWidthStr;

/// One frame of an explorable of the module called `slug`.
#[must_use]
pub fn frame(frame: &Frame, slug: &str) -> String {
    let mut text = String::new();
    let names = frame.controls.iter().map(|control| control.name().width()).max().unwrap_or(0);
    for control in &frame.controls {
        let (name, setting) = (control.name(), control.setting());
        let pad = " ".repeat(names - name.width());
        line(&mut text, &format!("  {name}{pad}  {setting}{}", range(control)));
    }
    if let Some(unfinished) = &frame.unfinished {
        line(&mut text, &self::unfinished(unfinished, slug));
    }
    frame.items.iter().for_each(|item| text.push_str(&human::item(item)));
    if frame.verdict != Verdict::Passed {
        let (word, more) = human::verdict(&frame.verdict);
        line(&mut text, &format!("{word}: {more}"));
    }
    text
}

/// The values that a control can have, in brackets.
#[must_use]
pub fn range(control: &Control) -> String {
    match control {
        Control::Number { low, high, step, .. } => format!("  ({low} to {high}, step {step})"),
        Control::Choice { options, .. } => format!("  ({})", options.join(", ")),
        Control::Text { .. } => String::new(),
        Control::Play { frames, .. } => format!("  (0 to {})", frames.saturating_sub(1)),
    }
}

/// Why the reference computed a figure.
#[must_use]
pub fn unfinished(unfinished: &Unfinished, slug: &str) -> String {
    match unfinished {
        Unfinished::DoesNotCompile { message } => {
            format!("reference: your {slug} does not compile: {message}")
        }
        Unfinished::Todo { waits_for } => {
            format!("reference: your {slug} is not finished: {waits_for} is not written yet")
        }
    }
}

fn line(text: &mut String, content: &str) {
    text.push_str(content);
    text.push('\n');
}

#[cfg(test)]
mod tests {
    use super::*;
    use tinytorch::report::{Insight, Item};

    #[test]
    fn a_frame_shows_its_controls_and_whose_code_computed_it() {
        let (name, value, low, high, step) = ("learning rate".into(), 0.1, 0.0, 0.5, 0.05);
        let number = Control::Number { name, value, low, high, step };
        let (name, value) = ("é".into(), "b".into());
        let choice = Control::Choice { name, value, options: vec!["a".into(), "b".into()] };
        let insight = Item::Insight(Insight { text: "It arrives.".into() });
        let failed = Verdict::Failed { message: "too far".into(), at: None };
        let unfinished = Some(Unfinished::Todo { waits_for: "conv-loops".into() });
        let (controls, items) = (vec![number, choice], vec![insight]);
        let text = frame(&Frame { controls, items, verdict: failed, unfinished }, "09_spatial");
        let expected = [
            "  learning rate  0.10  (0 to 0.5, step 0.05)",
            "  é              b  (a, b)",
            "reference: your 09_spatial is not finished: conv-loops is not written yet",
            "=> It arrives.",
            "failed: too far\n",
        ];
        assert_eq!(text, expected.join("\n"));
    }
}
