//! The state of an interactive figure on screen: what its controls are set to, and its last frame. Plain values
//! and the questions about them. Not here: which key changes what, how it looks, who computes a frame.

use crate::curriculum::{ModuleId, cells};
use crate::runner::event::{Frame, Unfinished, Verdict};
use tinytorch::explore::{Control, Settings};
use tinytorch::report::Item;

/// The figure that is open: there is one at most.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenFigure {
    /// The module.
    pub module: ModuleId,
    /// The figure's name.
    pub name: String,
    /// Which opening of a figure this is: frames of an earlier one are dropped.
    pub number: u64,
}

/// The state of an interactive figure.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Explorable {
    /// Its heading.
    pub title: String,
    /// What to try.
    pub about: String,
    /// What every control was set to that the figure ever asked for.
    pub settings: Settings,
    /// The controls of its last frame, as they are set now.
    pub controls: Vec<Control>,
    /// The control that keys change.
    pub chosen: usize,
    /// Whether frames follow each other.
    pub playing: bool,
    /// Whether letters go to the chosen control.
    pub typing: bool,
    /// Whether its program is not there yet.
    pub compiling: bool,
    /// What the last frame reported.
    pub items: Vec<Item>,
    /// How the last frame ended.
    pub verdict: Option<Verdict>,
    /// Why the reference computed it, if it did.
    pub unfinished: Option<Unfinished>,
    /// What on this machine kept a frame from being computed.
    pub error: Option<String>,
}

impl Explorable {
    /// A figure that was not opened yet.
    #[must_use]
    pub fn new(described: cells::Explorable) -> Self {
        let cells::Explorable { title, about, .. } = described;
        Self { title, about, ..Self::default() }
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

    /// The same, to change.
    pub fn player_mut(&mut self) -> Option<&mut Control> {
        self.controls.iter_mut().find(|control| matches!(control, Control::Play { .. }))
    }

    /// Chooses the control that is so many further on, in a circle.
    pub fn choose(&mut self, steps: isize) {
        let count = self.controls.len().max(1);
        self.chosen = (self.chosen % count).wrapping_add(count).wrapping_add_signed(steps) % count;
        self.typing = false;
    }

    /// Takes a frame into account. The controls keep what they were set to meanwhile; a frame that broke off may
    /// lack some of them.
    pub fn take(&mut self, frame: Frame) {
        let earlier = std::mem::replace(&mut self.controls, frame.controls);
        for control in &mut self.controls {
            if let Some(setting) = self.settings.get(control.name()) {
                // What the control can no longer be, because the source changed, is its default.
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

    /// Remembers what the controls are set to.
    pub fn keep(&mut self) {
        self.settings.extend(tinytorch::explore::settings(&self.controls));
    }
}
