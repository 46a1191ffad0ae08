//! An open explorable: its program, compiled from the learner's file or, if that is not finished, from the reference,
//! and its process, which is started again if it ends. Input: settings of controls. Output: frames. Not here: when a
//! frame is due, how it looks.

use super::event::{Frame, RunKind, Unfinished, Verdict};
use super::process::Stop;
use super::run::explorable::Figure;
use super::runner::Built;
use super::{Cancel, Request, Runner};
use crate::error::Error;
use std::sync::Arc;
use tinytorch::explore::Settings;

/// An open explorable. Dropping it kills its processes.
pub struct Explorable {
    runner: Arc<Runner>,
    name: String,
    request: Request,
    cancel: Cancel,
    unfinished: Option<Unfinished>,
    figure: Option<Figure>,
    built: Option<Built>,
}

impl Explorable {
    /// The explorable `name` in a request's file. Nothing is compiled before the first frame.
    #[must_use]
    pub fn new(runner: Arc<Runner>, name: &str, request: Request, cancel: Cancel) -> Self {
        // Compiled as analyses are: optimised.
        let request = Request { kind: RunKind::Analysis, ..request };
        let name = name.to_owned();
        Self { runner, name, request, cancel, unfinished: None, figure: None, built: None }
    }

    /// Computes a frame; `None` when cancelled. One that panics, takes too long or ends the process is a frame too: its
    /// verdict says so, and the next one starts the process again if necessary.
    ///
    /// # Errors
    /// When something on this machine is missing or broken.
    pub fn frame(&mut self, settings: &Settings) -> Result<Option<Frame>, Error> {
        match self.computed(settings) {
            Ok(frame) => Ok(Some(frame)),
            Err(Stop::Cancelled) => Ok(None),
            Err(Stop::Failed(error)) => Err(error),
        }
    }

    fn computed(&mut self, settings: &Settings) -> Result<Frame, Stop> {
        loop {
            let built = match self.built.take() {
                Some(built) => built,
                None => match self.build()? {
                    Ok(built) => built,
                    Err(unfinished) => {
                        self.unfinished = Some(unfinished);
                        continue;
                    }
                },
            };
            let figure = match self.figure.take() {
                Some(figure) => figure,
                None => self.runner.start_explorable(&built, &self.name, &self.cancel)?,
            };
            let (drawn, verdict, figure) = figure.frame(settings, &built.source_map)?;
            if self.cancel.is_cancelled() {
                return Err(Stop::Cancelled);
            }
            if let (Verdict::NotStarted { waits_for }, None) = (&verdict, &self.unfinished) {
                self.unfinished = Some(Unfinished::Todo { waits_for: waits_for.clone() });
                continue;
            }
            (self.figure, self.built) = (figure, Some(built));
            let unfinished = self.unfinished.clone();
            return Ok(Frame { controls: drawn.controls, items: drawn.items, verdict, unfinished });
        }
    }

    /// Compiles the file, or the reference once it is known that the file is unfinished.
    fn build(&self) -> Result<Result<Built, Unfinished>, Stop> {
        if self.unfinished.is_none() {
            let built = self.runner.build_explorable(&self.request, &self.name, &self.cancel)?;
            return Ok(built.map_err(|message| Unfinished::DoesNotCompile { message }));
        }
        let request = self.runner.with_reference(&self.request);
        let built = self.runner.build_explorable(&request, &self.name, &self.cancel)?;
        let broken = |message| {
            let file = request.file.display();
            Error::environment(format!("the reference {file} does not compile: {message}"))
        };
        Ok(Ok(built.map_err(broken)?))
    }
}

impl Drop for Explorable {
    fn drop(&mut self) {
        self.figure = None;
        self.cancel.kill_strays();
    }
}
