//! A line that is drawn over itself, for people only.

use std::io::{IsTerminal as _, Write as _};
use std::time::{Duration, Instant};

/// Time between two drawings: smooth to the eye, nothing to the work.
const PERIOD: Duration = Duration::from_millis(100);

/// The line, on the standard error.
pub struct ProgressLine {
    terminal: bool,
    drawn: Option<Instant>,
}

impl ProgressLine {
    /// Makes one; where the standard error is no terminal it stays invisible.
    pub fn new() -> Self {
        Self { terminal: std::io::stderr().is_terminal(), drawn: None }
    }

    /// Draws `text`, unless it was drawn a moment ago.
    pub fn show(&mut self, text: impl FnOnce() -> String) {
        if !self.terminal || self.drawn.is_some_and(|drawn| drawn.elapsed() < PERIOD) {
            return;
        }
        self.drawn = Some(Instant::now());
        // A terminal that went away is no reason to stop.
        let _ = write!(std::io::stderr(), "\r\x1b[K{}", text());
    }

    /// Removes it.
    pub fn clear(&mut self) {
        if self.drawn.take().is_some() {
            let _ = write!(std::io::stderr(), "\r\x1b[K");
        }
    }
}
