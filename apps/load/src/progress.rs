//! How far a run is: for whoever asks, and as a line on stderr, drawn over and over, only where the caller says that a
//! person looks.

use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// Often enough to feel alive, too rare to cost anything.
const REDRAW: Duration = Duration::from_millis(200);

/// What the run is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Phase {
    /// Creating products.
    Opening,
    /// Sending lines.
    Replay,
    /// Comparing.
    Proof,
    /// Over.
    Done,
}

impl Phase {
    const ALL: [Phase; 4] = [Self::Opening, Self::Replay, Self::Proof, Self::Done];

    /// Returns it in words.
    pub fn label(self) -> &'static str {
        match self {
            Self::Opening => "opening the shop",
            Self::Replay => "replaying lines",
            Self::Proof => "proving",
            Self::Done => "",
        }
    }
}

/// How far the run is; cheap to update from any task. Clones are the same.
#[derive(Clone)]
pub struct Progress(Arc<State>);

/// How far a run is in its phase.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Step {
    /// What it is doing.
    pub phase: Phase,
    /// Products, lines or writes that are done.
    pub done: usize,
    /// Of how many.
    pub total: usize,
}

struct State {
    shown: bool,
    phase: AtomicU8,
    total: AtomicUsize,
    done: AtomicUsize,
}

impl Progress {
    /// Starts drawing when `shown`.
    pub fn new(shown: bool) -> Self {
        let state = Arc::new(State {
            shown,
            phase: AtomicU8::new(Phase::Opening as u8),
            total: AtomicUsize::new(0),
            done: AtomicUsize::new(0),
        });
        if shown {
            tokio::spawn(draw(Arc::downgrade(&state)));
        }
        Self(state)
    }

    /// Returns where it is.
    pub fn step(&self) -> Step {
        let state = &*self.0;
        Step {
            phase: Phase::ALL[usize::from(state.phase.load(Ordering::Relaxed))],
            done: state.done.load(Ordering::Relaxed),
            total: state.total.load(Ordering::Relaxed),
        }
    }

    /// Begins a phase of `total` steps.
    pub(crate) fn begin(&self, phase: Phase, total: usize) {
        self.0.done.store(0, Ordering::Relaxed);
        self.0.total.store(total, Ordering::Relaxed);
        self.0.phase.store(phase as u8, Ordering::Relaxed);
    }

    /// Says that `steps` more are done.
    pub(crate) fn advance(&self, steps: usize) {
        self.0.done.fetch_add(steps, Ordering::Relaxed);
    }

    /// Stops drawing and clears the line.
    pub(crate) fn end(&self) {
        self.0.phase.store(Phase::Done as u8, Ordering::Relaxed);
        if self.0.shown {
            let _ = write!(std::io::stderr(), "\r\x1b[K");
        }
    }
}

impl Drop for State {
    fn drop(&mut self) {
        if self.shown && self.phase.load(Ordering::Relaxed) != Phase::Done as u8 {
            // A run that ends early leaves a clean line for the error.
            let _ = write!(std::io::stderr(), "\r\x1b[K");
        }
    }
}

/// Draws until the run is over or dropped.
async fn draw(state: std::sync::Weak<State>) {
    let mut ticks = tokio::time::interval(REDRAW);
    let (mut phase_before, mut began) = (u8::MAX, Instant::now());
    loop {
        ticks.tick().await;
        let Some(state) = state.upgrade() else { return };
        let phase = state.phase.load(Ordering::Relaxed);
        if phase == Phase::Done as u8 {
            return;
        }
        if phase != phase_before {
            (phase_before, began) = (phase, Instant::now());
        }
        let (done, total) = (state.done.load(Ordering::Relaxed), state.total.load(Ordering::Relaxed));
        let label = Phase::ALL[usize::from(phase)].label();
        #[expect(clippy::cast_precision_loss, reason = "a rate for people")]
        let rate = done as f64 / began.elapsed().as_secs_f64().max(1e-3);
        let share = done * 100 / total.max(1);
        let _ = write!(std::io::stderr(), "\r\x1b[K{label}: {done} of {total} ({share} %), {rate:.0}/s");
    }
}
