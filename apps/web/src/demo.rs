//! Fills an empty shop with a sample, once at a time; how that is done is the [`Sample`]'s matter.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use parking_lot::Mutex;
use serde::Serialize;
use souk_http::Shutdown;

/// Fills a shop, through the api as anybody would.
#[async_trait]
pub trait Sample: Send + Sync {
    /// Tells whether the shop has no products.
    ///
    /// # Errors
    /// Why that cannot be known.
    async fn shop_is_empty(&self) -> Result<bool, String>;

    /// Fills it; tells each step of the way, and at the end in a sentence what there is now.
    ///
    /// # Errors
    /// What went wrong.
    async fn fill(&self, tell: &(dyn Fn(Step) + Send + Sync)) -> Result<String, String>;
}

/// How far it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// In words.
    pub detail: String,
    /// Lines of the sample that are done.
    pub lines_done: usize,
    /// Of how many; 0 while that is not known.
    pub lines_total: usize,
}

/// How the demo is doing, as the page reads it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct State {
    state: Phase,
    lines_done: usize,
    lines_total: usize,
    detail: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Phase {
    Idle,
    Running,
    Done,
    Failed,
}

impl Phase {
    /// All of them.
    pub(crate) const ALL: [Phase; 4] = [Self::Idle, Self::Running, Self::Done, Self::Failed];
}

/// Why the demo does not begin.
#[derive(Debug, PartialEq, Eq)]
pub enum Refused {
    /// One is running.
    Running,
    /// The shop has products.
    NotEmpty,
    /// Nobody knows whether it has.
    Unreachable(String),
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Running => "the shop is being filled already: GET /demo tells how far it is",
            Self::NotEmpty => "the shop has products already, and the sample is for an empty one",
            Self::Unreachable(reason) => reason,
        })
    }
}

/// The demo of a process.
pub struct Demo {
    sample: Arc<dyn Sample>,
    state: Mutex<State>,
    shutdown: Shutdown,
}

impl Demo {
    pub(crate) fn new(sample: Arc<dyn Sample>, shutdown: Shutdown) -> Arc<Self> {
        let state = State { state: Phase::Idle, lines_done: 0, lines_total: 0, detail: String::new() };
        Arc::new(Self { sample, state: Mutex::new(state), shutdown })
    }

    /// Returns how it is doing.
    pub fn state(&self) -> State {
        self.state.lock().clone()
    }

    /// Begins it, if the shop is empty; one that failed halfway may go on.
    ///
    /// # Errors
    /// Why it does not begin; nothing was done then.
    pub async fn start(self: &Arc<Self>) -> Result<(), Refused> {
        // Taken before the first wait, so that of two who ask at once one is refused.
        let before = {
            let mut state = self.state.lock();
            if state.state == Phase::Running {
                return Err(Refused::Running);
            }
            let detail = "looking whether the shop is empty".to_owned();
            std::mem::replace(
                &mut *state,
                State { state: Phase::Running, lines_done: 0, lines_total: 0, detail },
            )
        };
        // Whoever asks may go away in the middle of it.
        let mut taken = Taken { demo: self, before: Some(before) };
        let halfway = taken.before.as_ref().is_some_and(|before| before.state == Phase::Failed);
        if !halfway && !self.sample.shop_is_empty().await.map_err(Refused::Unreachable)? {
            return Err(Refused::NotEmpty);
        }
        taken.before = None;
        let demo = self.clone();
        self.shutdown.spawn("demo", async move { demo.run().await });
        Ok(())
    }

    async fn run(&self) {
        let tell = |step: Step| {
            let Step { detail, lines_done, lines_total } = step;
            *self.state.lock() = State { state: Phase::Running, lines_done, lines_total, detail };
        };
        tracing::info!("filling the shop with the sample");
        let outcome = tokio::select! {
            outcome = self.sample.fill(&tell) => outcome,
            () = self.shutdown.soft.cancelled() => Err("souk ended meanwhile".to_owned()),
        };
        let mut state = self.state.lock();
        match outcome {
            Ok(detail) => {
                tracing::info!(detail, "the shop is filled with the sample");
                let lines_done = state.lines_total;
                *state = State { state: Phase::Done, lines_done, detail, ..state.clone() };
            }
            Err(detail) => {
                tracing::warn!(detail, "the shop could not be filled with the sample");
                *state = State { state: Phase::Failed, detail, ..state.clone() };
            }
        }
    }
}

/// Puts the state back unless the demo has begun.
struct Taken<'a> {
    demo: &'a Demo,
    before: Option<State>,
}

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        if let Some(before) = self.before.take() {
            *self.demo.state.lock() = before;
        }
    }
}
