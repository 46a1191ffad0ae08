//! The state of an interactive figure on screen: the settings of its controls, and its last frame. Plain values and
//! queries on them. Must not know keys, how a figure looks, or how a frame is computed.

use crate::curriculum::{ModuleId, cells};
use crate::runner::event::{Frame, Unfinished, Verdict};
use tinytorch::explore::{Control, Settings};
use tinytorch::report::Item;

/// The open figure; at most one is open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenFigure {
    /// The module.
    pub module: ModuleId,
    /// The figure's name.
    pub name: String,
    /// Which opening of a figure this is: frames of an earlier one are dropped.
    pub number: u64,
}

/// A change of the controls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// Chooses the control that is so many places further.
    Choose(isize),
    /// Moves the chosen control by so many steps.
    Shift(i32),
    /// Plays or pauses.
    Play,
}

/// The state of an interactive figure.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Explorable {
    /// Its heading.
    pub title: String,
    /// What to try.
    pub about: String,
    /// The settings of every control that the figure has ever asked for.
    pub settings: Settings,
    /// The controls of its last frame, as they are set now.
    pub controls: Vec<Control>,
    /// The control that keys change.
    pub chosen: usize,
    /// Whether the figure is playing.
    pub playing: bool,
    /// Whether letters are typed into the chosen control.
    pub typing: bool,
    /// Whether its program is still being compiled.
    pub compiling: bool,
    /// Changes that were made before the first frame brought the controls.
    pub early: Vec<Change>,
    /// What the last frame reported.
    pub items: Vec<Item>,
    /// How the last frame ended.
    pub verdict: Option<Verdict>,
    /// Why the reference computed it, if it did.
    pub unfinished: Option<Unfinished>,
    /// The error that prevented a frame from being computed.
    pub error: Option<String>,
}

impl Explorable {
    /// A figure that has not been opened yet.
    #[must_use]
    pub fn new(described: cells::Explorable) -> Self {
        let cells::Explorable { title, about, .. } = described;
        Self { title, about, ..Self::default() }
    }

    /// Whether it still waits for the frame that brings its controls.
    #[must_use]
    pub fn is_opening(&self) -> bool {
        self.compiling && self.controls.is_empty()
    }

    /// The control that keys change.
    pub fn chosen(&mut self) -> Option<&mut Control> {
        self.controls.get_mut(self.chosen)
    }

    /// The control that plays, if the figure has one.
    #[must_use]
    pub fn player(&self) -> Option<&Control> {
        self.controls.iter().find(|control| matches!(control, Control::Play { .. }))
    }

    /// The control that plays, mutably.
    pub fn player_mut(&mut self) -> Option<&mut Control> {
        self.controls.iter_mut().find(|control| matches!(control, Control::Play { .. }))
    }

    /// Moves the choice by this many controls, wrapping around.
    pub fn choose(&mut self, steps: isize) {
        let count = self.controls.len().max(1);
        self.chosen = (self.chosen % count).wrapping_add(count).wrapping_add_signed(steps) % count;
        self.typing = false;
    }

    /// Shows a frame. The controls keep the settings that changed meanwhile; a frame that failed may lack some
    /// controls.
    pub fn take(&mut self, frame: Frame) {
        let earlier = std::mem::replace(&mut self.controls, frame.controls);
        for control in &mut self.controls {
            if let Some(setting) = self.settings.get(control.name()) {
                // A setting that is no longer valid, because the source changed, becomes the default.
                let _ = control.set(setting);
            }
        }
        if frame.verdict != Verdict::Passed {
            let known = self.controls.len();
            self.controls.extend(earlier.into_iter().skip(known));
        }
        self.keep();
        self.chosen = self.chosen.min(self.controls.len().saturating_sub(1));
        self.compiling = false;
        self.items = frame.items;
        self.verdict = Some(frame.verdict);
        self.unfinished = frame.unfinished;
        self.error = None;
    }

    /// Remembers the settings of the controls.
    pub fn keep(&mut self) {
        self.settings.extend(tinytorch::explore::settings(&self.controls));
    }
}
