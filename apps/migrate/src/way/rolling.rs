//! A comparison of everything that goes on beside following, again and again.
//!
//! What it finds may be changes on their way: whoever follows looks at them again once he has caught up, and only what
//! differs then counts.

use std::time::{Duration, Instant};

use souk_ports::fault;
use tokio::task::JoinHandle;

use crate::compare::{Difference, Suspect, compare_with};
use crate::{Deps, Mapping, MigrateError};

/// Suspects that are looked at again; more are left to the next one.
const MOST: usize = 10_000;
/// Time between two: a comparison reads both sides, and may take a fifth of their time at most.
const PAUSE: Duration = Duration::from_secs(10);

pub(super) struct Rolling {
    task: Option<JoinHandle<Result<Vec<Suspect>, MigrateError>>>,
    began: Instant,
    next: Instant,
}

impl Rolling {
    pub fn new() -> Self {
        let now = Instant::now();
        Self { task: None, began: now, next: now + pause(Duration::ZERO) }
    }

    /// Returns what seemed to differ when a comparison has ended; begins one when it is time.
    pub async fn poll(&mut self, deps: &Deps, mapping: &Mapping) -> Option<Vec<Suspect>> {
        match &mut self.task {
            Some(task) if task.is_finished() => {
                let ended = task.await;
                self.task = None;
                self.next = Instant::now() + pause(self.began.elapsed());
                // A side that is away is told by whoever follows.
                ended.ok().and_then(Result::ok)
            }
            None if Instant::now() >= self.next => {
                let (deps, mapping) = (deps.clone(), mapping.clone());
                self.began = Instant::now();
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
