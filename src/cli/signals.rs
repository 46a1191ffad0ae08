//! Signals that end a command, such as Ctrl-C: the first one cancels what runs, with every process that it started; a
//! second one ends the program at once. Not here: the screen's signals (`tui`).

use crate::error::Error;
use crate::runner::Cancel;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::flag;
use signal_hook::iterator::Signals;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};
use std::thread;

const ENDING: [i32; 3] = [SIGINT, SIGTERM, SIGHUP];

/// The signal that was received, if any.
#[derive(Debug, Clone, Default)]
pub struct Interruption(Arc<AtomicI32>);

impl Interruption {
    /// Listens from now on; the first signal triggers `cancel`.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn listen(cancel: Cancel) -> Result<Self, Error> {
        let own = Self::default();
        let received = Arc::clone(&own.0);
        listen(cancel, received).map_err(|error| {
            Error::environment(format!("failed to listen for signals: {error}"))
        })?;
        Ok(own)
    }

    /// The exit code that shells expect: 128 plus the signal's number.
    #[must_use]
    pub fn exit_code(&self) -> Option<u8> {
        match self.0.load(Ordering::SeqCst) {
            0 => None,
            signal => u8::try_from(128 + signal).ok(),
        }
    }
}

/// Calls `stop` at the first signal.
///
/// # Errors
/// When the system refuses.
pub fn on_signal(stop: impl FnOnce() + Send + 'static) -> Result<(), Error> {
    let wait = || -> io::Result<()> {
        let mut signals = Signals::new(ENDING)?;
        thread::Builder::new().name("signals".into()).spawn(move || {
            if signals.forever().next().is_some() {
                stop();
            }
        })?;
        Ok(())
    };
    wait().map_err(|error| Error::environment(format!("failed to listen for signals: {error}")))
}

fn listen(cancel: Cancel, received: Arc<AtomicI32>) -> io::Result<()> {
    let second = Arc::new(AtomicBool::new(false));
    for signal in ENDING {
        // Checked before it is set: only the second signal finds it true.
        flag::register_conditional_default(signal, Arc::clone(&second))?;
        flag::register(signal, Arc::clone(&second))?;
    }
    let mut signals = Signals::new(ENDING)?;
    thread::Builder::new().name("signals".into()).spawn(move || {
        if let Some(signal) = signals.forever().next() {
            received.store(signal, Ordering::SeqCst);
            cancel.cancel();
        }
    })?;
    Ok(())
}
