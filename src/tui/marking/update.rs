//! The update function: a message changes the model and returns effects. Pure: it cannot fail, and it must not know a disk or a
//! clock.

use super::keymap::{self, Action};
use super::model::{Below, Grade, Measured, Model, Note, Page, Step, Typing};
use crate::classroom::gradebook::{Answer, Mark};
use crate::report::prediction::one_line;
use crate::tui::keymap::after_escape;
use crate::tui::palette::Theme;
use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

/// In characters: what a comment is cut to.
const LONGEST_COMMENT: usize = 4000;

/// What happened.
#[derive(Debug, Clone, PartialEq)]
pub enum Message {
    /// A key was pressed.
    Key(KeyEvent),
    /// Text was pasted.
    Pasted(String),
    /// The mouse wheel was turned.
    Wheel {
        /// Down, or up.
        down: bool,
    },
    /// The terminal has another size.
    Resized(u16, u16),
    /// The terminal reported its background late.
    Background(Theme),
    /// The view measured a layout.
    LaidOut(Measured),
    /// The gradebook could not be written: the decision does not hold.
    NotSaved {
        /// What it replaced.
        step: Step,
        /// Why.
        problem: String,
    },
    /// The program is to end.
    Ended,
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq)]
pub enum Effect {
    /// Write a mark into the gradebook.
    Save(Box<Save>),
    /// Draw every cell of the next frame.
    Redraw,
    /// End the program.
    Quit,
}

/// A mark to write into the gradebook.
#[derive(Debug, Clone, PartialEq)]
pub struct Save {
    /// The answer.
    pub answer: Answer,
    /// Its mark.
    pub mark: Mark,
    /// What it replaces.
    pub step: Step,
}

/// Handles a message.
pub fn update(model: &mut Model, message: Message) -> Vec<Effect> {
    match message {
        Message::Key(key) => return press(model, key),
        Message::Pasted(text) => {
            if let Some(typing) = &mut model.typing {
                typing.text().push_str(&one_line(&text));
            }
        }
        Message::Wheel { down } => scroll(model, if down { 3 } else { -3 }),
        Message::Resized(width, height) => {
            model.size = (width, height);
            return vec![Effect::Redraw];
        }
        Message::Background(theme) => model.capabilities.theme = theme,
        Message::LaidOut(measured) => {
            model.measured = measured;
            scroll(model, 0);
        }
        Message::NotSaved { step, problem } => not_saved(model, step, problem),
        Message::Ended => return vec![Effect::Quit],
    }
    vec![]
}

fn press(model: &mut Model, key: KeyEvent) -> Vec<Effect> {
    // A terminal sends Alt with a letter as Esc and the letter.
    if let Some(key) = after_escape(key).filter(|_| model.typing.is_none()) {
        let mut effects = press(model, KeyCode::Esc.into());
        effects.extend(press(model, key));
        return effects;
    }
    model.note = None;
    let action = keymap::action(key);
    let is_control = key.modifiers.contains(KeyModifiers::CONTROL);
    match (model.page, key.code) {
        _ if is_control && action == Some(Action::Quit) => vec![Effect::Quit],
        _ if model.typing.is_some() => type_key(model, key),
        (Page::Help(below), _) => {
            model.page = match below {
                Below::List => Page::List,
                Below::Answer => Page::Answer,
            };
            vec![]
        }
        (Page::Answer, KeyCode::Char(digit @ '1'..='9')) => toggle(model, digit),
        _ => action.map_or_else(Vec::new, |action| act(model, action)),
    }
}

fn act(model: &mut Model, action: Action) -> Vec<Effect> {
    let page = isize::try_from(model.measured.height.saturating_sub(1).max(1)).unwrap_or(1);
    let is_list = model.page == Page::List;
    match action {
        Action::Quit => return vec![Effect::Quit],
        Action::Help => {
            model.page = Page::Help(if is_list { Below::List } else { Below::Answer });
        }
        Action::Down => scroll(model, 1),
        Action::Up => scroll(model, -1),
        Action::PageDown => scroll(model, page),
        Action::PageUp => scroll(model, -page),
        Action::Open => open(model, model.cursor),
        Action::Close => model.page = Page::List,
        Action::NextOpen => to_open(model, true),
        Action::PreviousOpen => to_open(model, false),
        Action::Undo => return undo(model),
        Action::Next | Action::Previous if is_list => {
            scroll(model, if action == Action::Next { 1 } else { -1 });
        }
        Action::Next => open(model, (model.cursor + 1).min(model.entries.len() - 1)),
        Action::Previous => open(model, model.cursor.saturating_sub(1)),
        // A grade is given with the answer in view.
        _ if is_list => open(model, model.cursor),
        Action::Points => model.typing = Some(Typing::Points(String::new())),
        Action::Comment => {
            model.typing = Some(Typing::Comment(model.entry().grade.mark.comment.clone()));
        }
        Action::Full => return points(model, f64::from(model.entry().answer.max_points)),
        Action::Zero => return points(model, 0.0),
        Action::TakeBack => {
            let mark = Mark { points: None, ..model.entry().grade.mark.clone() };
            return decide(model, mark);
        }
    }
    vec![]
}

/// Moves the cursor in the list, or the answer.
fn scroll(model: &mut Model, by: isize) {
    match model.page {
        Page::List => {
            let last = model.entries.len() - 1;
            model.cursor = model.cursor.saturating_add_signed(by).min(last);
            model.top = 0;
        }
        Page::Answer => {
            let last = model.measured.lines.saturating_sub(model.measured.height);
            model.top = model.top.saturating_add_signed(by).min(last);
        }
        Page::Help(_) => {}
    }
}

fn open(model: &mut Model, entry: usize) {
    (model.cursor, model.top, model.page) = (entry, 0, Page::Answer);
}

/// Goes to the nearest answer that is to be graded after or before the cursor, wrapping around.
fn to_open(model: &mut Model, forward: bool) {
    let (count, here) = (model.entries.len(), model.cursor);
    // Around the list, and the answer under the cursor last.
    let step = |step: usize| (here + if forward { step } else { count - step }) % count;
    let found = (1..=count).map(step).find(|entry| model.entries[*entry].is_open());
    match found {
        Some(entry) if entry != here || model.page == Page::List => open(model, entry),
        Some(_) => say(model, "this is the only answer that is not graded"),
        None => say(model, "every answer is graded"),
    }
}

fn say(model: &mut Model, text: impl Into<String>) {
    model.note = Some(Note { text: text.into(), bad: false });
}

/// Adds or removes an item. What the instructor added to its points by hand stays added.
fn toggle(model: &mut Model, digit: char) -> Vec<Effect> {
    let entry = model.entry();
    let number = digit.to_digit(10).map_or(0, |digit| digit as usize);
    let items = entry.items();
    let Some((item, is_chosen)) = number.checked_sub(1).and_then(|index| items.get(index)) else {
        say(model, format!("the rubric has no item {digit}"));
        return vec![];
    };
    let mut mark = entry.grade.mark.clone();
    let adjusted = mark.points.map_or(0.0, |points| points - entry.computed(&mark.rubric));
    if *is_chosen {
        mark.rubric.retain(|chosen| chosen != *item);
    } else {
        mark.rubric.push((*item).clone());
    }
    mark.points = Some(entry.bounded(entry.computed(&mark.rubric) + adjusted));
    decide(model, mark)
}

fn points(model: &mut Model, points: f64) -> Vec<Effect> {
    let mark = Mark { points: Some(points), ..model.entry().grade.mark.clone() };
    decide(model, mark)
}

/// Changes the grade of the answer under the cursor, and saves it.
fn decide(model: &mut Model, mark: Mark) -> Vec<Effect> {
    let (cursor, entry) = (model.cursor, model.entry());
    let grade = Grade { mark, is_stale: false };
    if entry.grade == grade {
        return vec![];
    }
    let step = Step { entry: cursor, before: entry.grade.clone() };
    model.undo.push(step.clone());
    vec![set(model, grade, step)]
}

fn set(model: &mut Model, grade: Grade, step: Step) -> Effect {
    let entry = &mut model.entries[step.entry];
    entry.grade = grade;
    let (answer, mark) = (entry.answer.clone(), entry.grade.mark.clone());
    Effect::Save(Box::new(Save { answer, mark, step }))
}

fn undo(model: &mut Model) -> Vec<Effect> {
    let Some(Step { entry, before }) = model.undo.pop() else {
        say(model, "there is nothing to undo");
        return vec![];
    };
    open(model, entry);
    let step = Step { entry, before: model.entry().grade.clone() };
    say(model, "undone");
    vec![set(model, before, step)]
}

/// The gradebook has what was there before, so the screen shows that.
fn not_saved(model: &mut Model, step: Step, problem: String) {
    model.undo.pop_if(|last| *last == step);
    model.entries[step.entry].grade = step.before;
    model.note = Some(Note { text: format!("not saved: {problem}"), bad: true });
}

fn type_key(model: &mut Model, key: KeyEvent) -> Vec<Effect> {
    let Some(typing) = &mut model.typing else { return vec![] };
    let is_typed = !key.modifiers.intersects(KeyModifiers::CONTROL | KeyModifiers::ALT);
    match key.code {
        KeyCode::Enter => return finish(model),
        KeyCode::Esc => model.typing = None,
        KeyCode::Backspace => drop(typing.text().pop()),
        KeyCode::Char(letter) if is_typed => typing.text().push(letter),
        _ => {}
    }
    vec![]
}

fn finish(model: &mut Model) -> Vec<Effect> {
    match model.typing.take() {
        None => vec![],
        Some(Typing::Comment(text)) => {
            let comment = text.trim().chars().take(LONGEST_COMMENT).collect();
            let mark = Mark { comment, ..model.entry().grade.mark.clone() };
            decide(model, mark)
        }
        Some(Typing::Points(text)) => {
            let most = f64::from(model.entry().answer.max_points);
            let number = text.trim().replace(',', ".").parse().ok();
            match number.filter(|number| (0.0..=most).contains(number)) {
                Some(number) => points(model, model.entry().bounded(number)),
                None => {
                    let text = format!("\"{text}\" is not a number from 0 to {most}");
                    model.note = Some(Note { text, bad: true });
                    vec![]
                }
            }
        }
    }
}
