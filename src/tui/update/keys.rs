//! What each action does to the model, and its effects. Must not know which key an action has (`keymap`); the
//! mouse and the search have files of their own.

use super::{completions, explorables, predictions, runs, say, scroll, search};
use crate::curriculum::ModuleId;
use crate::curriculum::lesson::Block;
use crate::lab::Help;
use crate::runner::event::{RunKind, Verdict};
use crate::tui::glossary;
use crate::tui::keymap::{self, Action};
use crate::tui::layout::Results;
use crate::tui::message::{Effect, Record};
use crate::tui::model::{
    Cause, CellState, Engine, Exercise, Jumps, Model, ModuleState, Overlay, Place, Search,
};
use crate::tui::outline::{self, Entry, Kind};
use crossterm::event::{KeyCode, KeyEvent};

pub(super) fn press(model: &mut Model, key: KeyEvent) -> Vec<Effect> {
    // Esc drops a prediction that is being typed: Alt with Backspace, a key of shells, must not.
    if model.writing.is_none()
        && let Some(key) = keymap::after_escape(key)
    {
        let mut effects = press(model, KeyCode::Esc.into());
        effects.extend(press(model, key));
        return effects;
    }
    model.note = None;
    let action = keymap::action(key);
    if action == Some(Action::Interrupt) {
        return interrupt(model);
    }
    if model.writing.is_some() {
        return predictions::press(model, key);
    }
    if model.search.typing {
        search::press(model, key);
        return vec![];
    }
    match model.overlay.clone() {
        Some(Overlay::Reset) => confirm(model, key),
        Some(Overlay::Help(top)) => window(model, top, action, Overlay::Help),
        Some(Overlay::Compare { cell, top }) => {
            window(model, top, action, |top| Overlay::Compare { cell, top })
        }
        Some(Overlay::Outline { filter, line }) => {
            choose_entry(model, filter, line, key);
            vec![]
        }
        Some(Overlay::Glossary { filter, line }) => {
            let count = glossary::entries(model, &filter).len();
            model.overlay = match filtered(filter, line, count, key) {
                Filtered::At(filter, line) => Some(Overlay::Glossary { filter, line }),
                Filtered::Chosen | Filtered::Left => None,
            };
            vec![]
        }
        // Any key closes it, and keeps its usual meaning.
        Some(Overlay::Welcome) => {
            model.overlay = None;
            let mut effects = vec![Effect::Keep(Record::Welcomed)];
            effects.extend(press(model, key));
            effects
        }
        Some(Overlay::Modules(line)) => choose_module(model, line, key, action),
        None => explorables::press(model, key)
            .unwrap_or_else(|| action.map_or_else(Vec::new, |action| act(model, action))),
    }
}

fn act(model: &mut Model, action: Action) -> Vec<Effect> {
    let lines = |lines: usize| isize::try_from(lines.max(1)).unwrap_or(1);
    let page = lines(model.measured.height.saturating_sub(2));
    let half = lines(model.measured.height / 2);
    match action {
        Action::Down => scroll(model, 1),
        Action::Up => scroll(model, -1),
        Action::PageDown => scroll(model, page),
        Action::PageUp => scroll(model, -page),
        Action::HalfDown => scroll(model, half),
        Action::HalfUp => scroll(model, -half),
        Action::Top => jump(model, isize::MIN),
        Action::Bottom => jump(model, isize::MAX),
        Action::Back => return travel(model, |jumps| (&mut jumps.back, &mut jumps.forward)),
        Action::Forward => return travel(model, |jumps| (&mut jumps.forward, &mut jumps.back)),
        Action::Next => step(model, true),
        Action::Previous => step(model, false),
        Action::NextModule => return neighbour(model, 1),
        Action::PreviousModule => return neighbour(model, -1),
        Action::Modules => model.overlay = Some(Overlay::Modules(usize::from(model.module.0))),
        Action::Outline => {
            let opened = Overlay::Outline { filter: String::new(), line: 0 };
            model.overlay = model.module_state().map(|_| opened);
        }
        Action::Glossary => {
            model.overlay = Some(Overlay::Glossary { filter: String::new(), line: 0 });
        }
        Action::Compare => return compare(model),
        Action::Welcome => model.overlay = Some(Overlay::Welcome),
        Action::Search => model.search = Search { typing: true, ..Search::default() },
        Action::Run => return run(model, RunKind::Check),
        Action::Analyse => return analyse(model),
        Action::Edit => return edit(model),
        Action::Hint => return hint(model),
        Action::Open => return open(model),
        Action::Less | Action::More => return open_figure(model),
        Action::Results => {
            model.results = match model.results {
                Results::Closed => Results::Open,
                Results::Open | Results::Zoomed => Results::Closed,
            };
        }
        Action::Zoom => {
            model.results = match model.results {
                Results::Zoomed => Results::Open,
                Results::Open | Results::Closed => Results::Zoomed,
            };
        }
        Action::ResultsDown => scroll_results(model, 1),
        Action::ResultsUp => scroll_results(model, -1),
        Action::PanRight => model.pan = (model.pan + PAN).min(model.measured.hidden_columns),
        Action::PanLeft => model.pan = model.pan.saturating_sub(PAN),
        Action::Engine => return switch_engine(model),
        Action::Complete => return completions::ask(model),
        Action::Reset => model.overlay = Some(Overlay::Reset),
        Action::Help => model.overlay = Some(Overlay::Help(0)),
        Action::Close => close(model),
        Action::Interrupt => return interrupt(model),
        Action::Redraw => return vec![Effect::Redraw],
        Action::Suspend => return vec![Effect::Suspend],
        Action::Quit => return vec![Effect::Cancel, Effect::Quit],
    }
    vec![]
}

/// Columns that wide diagrams scroll at once.
const PAN: usize = 12;

/// Moves the lesson, or the results while they have the whole screen.
fn scroll(model: &mut Model, lines: isize) {
    match model.results {
        Results::Zoomed => scroll_results(model, lines),
        Results::Open | Results::Closed => scroll::scroll(model, lines),
    }
}

/// Goes to the last place of one list that is not in view already, and adds the place in view to the other list.
fn travel(
    model: &mut Model,
    lists: impl Fn(&mut Jumps) -> (&mut Vec<Place>, &mut Vec<Place>),
) -> Vec<Effect> {
    let current = scroll::here(model).map(|place| (model.module, place));
    let (from, to) = lists(&mut model.jumps);
    while let Some((module, place)) = from.pop() {
        if current == Some((module, place)) {
            continue;
        }
        to.extend(current);
        let effects = show_module(model, module);
        model.scrolled = Some(model.now);
        if let Some(module_state) = model.module_state_mut() {
            module_state.restore = Some(place);
            (module_state.focus, module_state.bring) = (None, None);
        }
        return effects;
    }
    say(model, "there are no more places in this direction");
    vec![]
}

/// Jumps to an end of the lesson.
fn jump(model: &mut Model, lines: isize) {
    scroll::keep_place(model);
    scroll(model, lines);
}

pub(super) fn scroll_results(model: &mut Model, lines: isize) {
    let (total, height) = model.measured.results;
    let last = total.saturating_sub(height);
    model.results_top = model.results_top.saturating_add_signed(lines).min(last);
}

/// Goes to the next or previous live block, or match during a search.
fn step(model: &mut Model, forward: bool) {
    model.scrolled = Some(model.now);
    if !model.search.text.is_empty() {
        return search::to_match(model, forward);
    }
    let Some(module_state) = model.module_state() else { return };
    let live = |piece: &usize| module_state.is_live(*piece);
    let last = module_state.lesson.blocks.len();
    let here = model.focus();
    let from = here.unwrap_or_else(|| scroll::piece_at(model, module_state.top));
    let piece = if forward {
        let first = if here.is_some() { from + 1 } else { from };
        (first..=last).find(live)
    } else {
        (0..from).rev().find(live)
    };
    match piece {
        Some(piece) => scroll::go_to_piece(model, piece),
        None if forward => say(model, "this is the last block"),
        None => say(model, "this is the first block"),
    }
}

fn confirm(model: &mut Model, key: KeyEvent) -> Vec<Effect> {
    match key.code {
        KeyCode::Char('y' | 'Y') => {
            model.overlay = None;
            vec![Effect::Reset(model.module)]
        }
        KeyCode::Char('n' | 'N') | KeyCode::Esc => {
            model.overlay = None;
            vec![]
        }
        _ => vec![],
    }
}

/// Handles a key in a window that scrolls.
fn window(
    model: &mut Model,
    top: usize,
    action: Option<Action>,
    at: impl FnOnce(usize) -> Overlay,
) -> Vec<Effect> {
    let page = model.measured.window.1.saturating_sub(1);
    let top = match action {
        Some(Action::Down) => top + 1,
        Some(Action::Up) => top.saturating_sub(1),
        Some(Action::PageDown) => top + page,
        Some(Action::PageUp) => top.saturating_sub(page),
        Some(Action::HalfDown) => top + page / 2,
        Some(Action::HalfUp) => top.saturating_sub(page / 2),
        Some(Action::Top) => 0,
        Some(Action::Bottom) => model.measured.window.0,
        Some(Action::Help | Action::Compare | Action::Close | Action::Quit) => {
            model.overlay = None;
            return vec![];
        }
        _ => top,
    };
    model.overlay = Some(at(top));
    vec![]
}

/// The new line of the cursor of a list.
fn moved(line: usize, last: usize, action: Option<Action>) -> usize {
    match action {
        Some(Action::Down | Action::Next) => (line + 1).min(last),
        Some(Action::Up | Action::Previous) => line.saturating_sub(1),
        Some(Action::HalfDown | Action::PageDown) => (line + 10).min(last),
        Some(Action::HalfUp | Action::PageUp) => line.saturating_sub(10),
        Some(Action::Top) => 0,
        Some(Action::Bottom) => last,
        _ => line,
    }
}

/// The effect of a key in a list that letters filter.
enum Filtered {
    /// Enter: the entry under the cursor.
    Chosen,
    /// Esc.
    Left,
    /// The filter, and the line of the cursor.
    At(String, usize),
}

fn filtered(mut filter: String, line: usize, count: usize, key: KeyEvent) -> Filtered {
    match key.code {
        KeyCode::Enter => return Filtered::Chosen,
        KeyCode::Esc => return Filtered::Left,
        KeyCode::Backspace => drop(filter.pop()),
        KeyCode::Char(letter) if search::is_typed(key) => filter.push(letter),
        _ => {
            let line = moved(line, count.saturating_sub(1), keymap::action(key));
            return Filtered::At(filter, line);
        }
    }
    Filtered::At(filter, 0)
}

/// Handles a key in the outline.
fn choose_entry(model: &mut Model, filter: String, line: usize, key: KeyEvent) {
    let entries = model.module_state().map(|known| outline::entries(known, &filter));
    let entries = entries.unwrap_or_default();
    model.overlay = None;
    match filtered(filter, line, entries.len(), key) {
        Filtered::At(filter, line) => model.overlay = Some(Overlay::Outline { filter, line }),
        Filtered::Chosen => {
            if let Some(entry) = entries.get(line) {
                go_to_outline(model, entry);
            }
        }
        Filtered::Left => {}
    }
}

/// Goes to an entry of the outline.
fn go_to_outline(model: &mut Model, entry: &Entry) {
    scroll::keep_place(model);
    model.scrolled = Some(model.now);
    match (&entry.kind, model.measured.outline.get(entry.index).copied()) {
        (Kind::Heading(..), Some(line)) => scroll::go_to_line(model, line),
        _ => scroll::go_to_piece(model, entry.piece),
    }
}

/// Shows the reference beside the learner's cell, if that passes.
fn compare(model: &mut Model) -> Vec<Effect> {
    if let Some(reason) = model.closed(Help::Solutions) {
        say(model, reason);
        return vec![];
    }
    let Some(module_state) = model.module_state() else { return vec![] };
    let Some(Block::Exercise { cell, .. }) = model.focused() else {
        say(model, "this block is not an exercise: n goes to the next block");
        return vec![];
    };
    let cell = cell.clone();
    if module_state.state(&cell) != CellState::Passed || module_state.is_old(&cell) {
        say(model, format!("\"{cell}\" does not pass yet: its reference is shown once it does"));
        return vec![];
    }
    let texts = [module_state.own_cell(&cell), model.reference_cell(&cell)];
    model.overlay = Some(Overlay::Compare { cell, top: 0 });
    let texts = texts.into_iter().flatten().map(|text| ("rust".to_owned(), text)).collect();
    vec![Effect::Highlight(texts)]
}

fn choose_module(
    model: &mut Model,
    line: usize,
    key: KeyEvent,
    action: Option<Action>,
) -> Vec<Effect> {
    let (modules, milestones) = (model.course.modules(), model.course.milestones());
    let last = (modules.len() + milestones.len()).saturating_sub(1);
    match (key.code, action) {
        (KeyCode::Enter, _) => {
            model.overlay = None;
            return go_to_entry(model, line);
        }
        (_, Some(Action::Close | Action::Modules | Action::Quit)) => {
            model.overlay = None;
            return vec![];
        }
        _ => {}
    }
    let line = moved(line, last, action);
    model.overlay = Some(Overlay::Modules(line));
    vec![]
}

/// Goes to an entry of the list: a module, or a milestone in its lesson.
pub(super) fn go_to_entry(model: &mut Model, entry: usize) -> Vec<Effect> {
    let (modules, milestones) = (model.course.modules(), model.course.milestones());
    if let Some(module) = modules.get(entry) {
        return go_to_module(model, module.id);
    }
    let milestone = entry.checked_sub(modules.len()).and_then(|entry| milestones.get(entry));
    let last = milestone.and_then(|milestone| milestone.prerequisites.last());
    let (Some(milestone), Some(module)) = (milestone, last.copied()) else { return vec![] };
    model.goal = Some(milestone.id);
    let effects = go_to_module(model, module);
    if model.module == module {
        scroll::go_to_goal(model);
    }
    effects
}

fn neighbour(model: &mut Model, step: isize) -> Vec<Effect> {
    let line = usize::from(model.module.0).checked_add_signed(step);
    match line.and_then(|line| model.course.modules().get(line)) {
        Some(module) => go_to_module(model, module.id),
        None => {
            say(
                model,
                if step > 0 { "this is the last module" } else { "this is the first module" },
            );
            vec![]
        }
    }
}

/// Switches to a module. One that was open before is shown at once and checked again.
pub(super) fn go_to_module(model: &mut Model, module: ModuleId) -> Vec<Effect> {
    if module == model.module && model.module_state().is_some() {
        return vec![];
    }
    scroll::keep_place(model);
    show_module(model, module)
}

/// The same without adding the place in view to the jump list.
fn show_module(model: &mut Model, module: ModuleId) -> Vec<Effect> {
    if module == model.module {
        return vec![];
    }
    model.note = None;
    model.search = Search::default();
    model.results_top = 0;
    model.scrolled = None;
    if model.module_states.contains_key(&module) {
        model.module = module;
        return vec![runs::check(model, Cause::Opened)];
    }
    vec![Effect::Open(module)]
}

/// Runs the analyses, and scrolls to the first one.
fn analyse(model: &mut Model) -> Vec<Effect> {
    match model.module_state().map(runs::first_analysis) {
        Some(Some(piece)) => {
            scroll::keep_place(model);
            model.scrolled = Some(model.now);
            scroll::go_to_piece(model, piece);
        }
        Some(None) => {
            say(model, "this lesson has no analyses");
            return vec![];
        }
        None => {}
    }
    run(model, RunKind::Analysis)
}

fn run(model: &mut Model, kind: RunKind) -> Vec<Effect> {
    if model.module_state().is_none() {
        return vec![];
    }
    vec![match kind {
        RunKind::Check => runs::check(model, Cause::Asked),
        other => runs::start(model, other, Cause::Asked),
    }]
}

fn interrupt(model: &mut Model) -> Vec<Effect> {
    if model.run.take().is_none() {
        return match model.completing.is_empty() {
            true => vec![Effect::Cancel, Effect::Quit],
            false => completions::stop(model),
        };
    }
    say(model, "stopped; Ctrl-C again quits");
    vec![Effect::Cancel]
}

fn close(model: &mut Model) {
    if !model.search.text.is_empty() {
        model.search = Search::default();
    } else if model.results != Results::Closed {
        model.results = Results::Closed;
    } else {
        model.note = None;
    }
}

fn switch_engine(model: &mut Model) -> Vec<Effect> {
    model.engine = match model.engine {
        Engine::Mine => Engine::Reference,
        Engine::Reference => Engine::Mine,
    };
    let mut effects = vec![Effect::Keep(Record::Engine(model.engine))];
    if model.module_state().is_some() {
        effects.push(runs::check(model, Cause::Engine));
    }
    effects.extend(explorables::restart(model));
    effects
}

/// Opens the editor at the compiler's first error, else at the failure inside the current cell, else at
/// that cell.
fn edit(model: &mut Model) -> Vec<Effect> {
    let Some(module_state) = model.module_state() else { return vec![] };
    if let Exercise::Missing(reason) = &module_state.exercise {
        let text = format!("{}: {reason}", module_state.file);
        say(model, text);
        return vec![];
    }
    let cell = current_cell(model).map(|(_, cell)| cell);
    let mut errors = module_state.report.errors().filter_map(|error| error.at.as_ref());
    let error = errors.find_map(|at| module_state.line_at(at));
    let line = match (error, cell.as_deref()) {
        (Some(line), _) => line,
        (None, Some(cell)) => line_in(module_state, cell),
        (None, None) => 1,
    };
    vec![Effect::Edit { module: model.module, line }]
}

/// The line where the learner's code of a cell failed, else where the work on it begins.
fn line_in(module_state: &ModuleState, cell: &str) -> usize {
    let Some(place) = module_state.cell(cell).and_then(|cell| cell.place) else { return 1 };
    let failure = module_state.results(cell).find_map(|(_, result, _)| match &result?.verdict {
        Verdict::Failed { at, .. } => at.as_ref().and_then(|at| module_state.line_at(at)),
        _ => None,
    });
    failure.filter(|line| (place.first..place.test).contains(line)).unwrap_or(place.work)
}

/// The cell in focus if it does not pass yet, else the first that does not.
fn current_cell(model: &Model) -> Option<(usize, String)> {
    let module_state = model.module_state()?;
    if let (Some(piece), Some(Block::Exercise { cell, .. })) = (model.focus(), model.focused())
        && module_state.state(cell) != CellState::Passed
    {
        return Some((piece, cell.clone()));
    }
    module_state.next_to_do().map(|(piece, cell)| (piece, cell.to_owned()))
}

fn hint(model: &mut Model) -> Vec<Effect> {
    if let Some(reason) = model.closed(Help::Hints) {
        say(model, reason);
        return vec![];
    }
    let Some((piece, cell)) = current_cell(model) else {
        say(model, "every cell passes: no hint is needed");
        return vec![];
    };
    let module = model.module;
    let Some(module_state) = model.module_state_mut() else { return vec![] };
    let Some(Block::Exercise { hints, .. }) = module_state.block(piece) else { return vec![] };
    let all = hints.len();
    let shown = module_state.hints.entry(cell.clone()).or_insert(0);
    let new = *shown < all;
    *shown = (*shown + 1).min(all);
    let shown = *shown;
    scroll::keep_place(model);
    scroll::go_to_piece(model, piece);
    match (new, all) {
        (true, _) => vec![Effect::Keep(Record::Hint { module, cell, shown })],
        (false, 0) => {
            say(model, format!("\"{cell}\" has no hints"));
            vec![]
        }
        (false, _) => {
            say(model, format!("all {all} hints of \"{cell}\" are shown"));
            vec![]
        }
    }
}

/// Opens the block in focus: an answer, a prediction, a milestone, an interactive figure.
fn open(model: &mut Model) -> Vec<Effect> {
    let piece = model.focus();
    match (piece, model.focused().cloned()) {
        (Some(piece), Some(Block::Question { id, .. })) => {
            scroll::go_to_piece(model, piece);
            reveal(model, id)
        }
        (Some(piece), Some(Block::Predict(task))) => {
            scroll::go_to_piece(model, piece);
            predictions::write(model, &task);
            vec![]
        }
        (_, Some(Block::Milestone { name })) => {
            let milestone = model.course.milestone(&name);
            milestone.map_or_else(Vec::new, |milestone| {
                vec![runs::milestone(model, milestone, model.engine, Cause::Asked)]
            })
        }
        (_, Some(Block::Explorable { .. })) => open_figure(model),
        _ => {
            say(
                model,
                "Enter shows an answer, starts a prediction, runs a milestone or opens a figure; n goes to the \
                 next block",
            );
            vec![]
        }
    }
}

fn open_figure(model: &mut Model) -> Vec<Effect> {
    explorables::open(model).unwrap_or_else(|| {
        say(model, "there is no interactive figure in view");
        vec![]
    })
}

pub(super) fn reveal(model: &mut Model, question: String) -> Vec<Effect> {
    let module = model.module;
    let Some(module_state) = model.module_state_mut() else { return vec![] };
    if module_state.revealed.remove(&question) {
        return vec![];
    }
    module_state.revealed.insert(question.clone());
    if module_state.answered.insert(question.clone()) {
        return vec![Effect::Keep(Record::Answer { module, question })];
    }
    vec![]
}
