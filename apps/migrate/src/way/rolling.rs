//! A comparison of everything that goes on beside following, again and again.
//!
//! What it finds may be changes on their way: whoever follows looks at them again once he has caught up, and only what
//! differs then counts. One may be wanted at once, when a table was written that products are joined with: what it finds are
//! changes that nobody could tell by a key.

use std::time::{Duration, Instant};

use souk_ports::fault;
use tokio::task::JoinHandle;

use crate::compare::{Difference, Suspect, compare_with};
use crate::{Deps, Mapping, MigrateError};

/// Suspects that are looked at again; more are left to the next one.
const MOST: usize = 10_000;
/// Time between two that nobody wanted: a comparison reads both sides, and may take a fifth of their time at most.
const PAUSE: Duration = Duration::from_secs(10);

pub(super) struct Rolling {
    task: Option<JoinHandle<Result<Vec<Suspect>, MigrateError>>>,
    began: Instant,
    next: Instant,
    /// When one that is wanted may begin: half of the time is left to others.
    earliest: Instant,
    /// Since when one is wanted that has not begun.
    wanted: Option<Instant>,
    /// Since when the one that runs was.
    was_wanted: Option<Instant>,
}

/// What a comparison has come to.
pub(super) struct Compared {
    pub suspects: Vec<Suspect>,
    /// Whether it was wanted, so that what it found are changes.
    pub was_wanted: bool,
}

impl Rolling {
    pub fn new() -> Self {
        let now = Instant::now();
        Self {
            task: None,
            began: now,
            next: now + pause(Duration::ZERO),
            earliest: now,
            wanted: None,
            was_wanted: None,
        }
    }

    /// Wants one soon: at once, if the last one is as long ago as it took.
    pub fn want(&mut self) {
        self.wanted.get_or_insert_with(Instant::now);
    }

    /// Returns for how long one has been wanted that has not ended.
    pub fn waited(&self) -> Option<Duration> {
        self.was_wanted.or(self.wanted).map(|since| since.elapsed())
    }

    /// Returns what seemed to differ when a comparison has ended; begins one when it is time.
    pub async fn poll(&mut self, deps: &Deps, mapping: &Mapping) -> Option<Compared> {
        match &mut self.task {
            Some(task) if task.is_finished() => {
                let ended = task.await;
                self.task = None;
                let took = self.began.elapsed();
                self.next = Instant::now() + pause(took);
                self.earliest = Instant::now() + took;
                // A side that is away is told by whoever follows.
                let was_wanted = self.was_wanted.take();
                let found = ended.ok().and_then(Result::ok);
                if found.as_ref().is_none_or(|suspects| suspects.len() == MOST) {
                    self.wanted = was_wanted.or(self.wanted);
                }
                found.map(|suspects| Compared { suspects, was_wanted: was_wanted.is_some() })
            }
            None if Instant::now() >= if self.wanted.is_some() { self.earliest } else { self.next } => {
                let (deps, mapping) = (deps.clone(), mapping.clone());
                self.began = Instant::now();
                self.was_wanted = self.wanted.take();
                self.task = Some(tokio::spawn(async move {
                    let (judge, query) = crate::plan::judge(&deps.source, &mapping).await?;
                    let mut suspects = Vec::new();
                    let mut found = |difference: &Difference| {
                        if suspects.len() < MOST {
                            suspects.push((difference.id, difference.key.clone()));
                        }
                    };
                    compare_with(&deps, &judge.lenient(), &query, &mut |_| {}, &mut found).await?;
                    Ok(suspects)
                }));
                None
            }
            _ => None,
        }
    }
}

impl Drop for Rolling {
    fn drop(&mut self) {
        if let Some(task) = &self.task {
            task.abort();
        }
    }
}

fn pause(took: Duration) -> Duration {
    let least = if fault::hurried() { Duration::from_millis(200) } else { PAUSE };
    least.max(took * 4)
}
