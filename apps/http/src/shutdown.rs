//! How a process ends: a soft token that drains, a hard one that aborts, and a tracker of every task.

use std::any::Any;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, OnceLock};

use futures_util::FutureExt as _;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Shared by everything that runs; clones are the same shutdown.
#[derive(Debug, Clone, Default)]
pub struct Shutdown {
    /// Finish what was begun, take nothing new.
    pub soft: CancellationToken,
    /// Stop now.
    pub hard: CancellationToken,
    /// Every spawned task.
    pub tasks: TaskTracker,
    failed: Arc<OnceLock<&'static str>>,
}

impl Shutdown {
    /// Makes one that nobody asked for yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Spawns and tracks a task. One that panics is logged and drains the process: a service that limps on without
    /// its pump answers health checks and delivers nothing.
    pub fn spawn<F>(&self, name: &'static str, future: F) -> JoinHandle<()>
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let shutdown = self.clone();
        self.tasks.spawn(async move {
            if let Err(panic) = AssertUnwindSafe(future).catch_unwind().await {
                tracing::error!(task = name, panic = panic_message(&*panic), "task panicked, shutting down");
                // Only the first failure is of interest; later ones often follow from it.
                let _ = shutdown.failed.set(name);
                shutdown.soft.cancel();
            }
        })
    }

    /// Returns the task whose panic began the shutdown.
    pub fn failed(&self) -> Option<&'static str> {
        self.failed.get().copied()
    }
}

/// Returns the text of a panic.
pub(crate) fn panic_message(panic: &(dyn Any + Send)) -> &str {
    panic
        .downcast_ref::<&'static str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("(no message)")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_task_that_panics_drains_the_process() {
        let shutdown = Shutdown::new();
        shutdown.spawn("fine", async {});
        assert_eq!(shutdown.failed(), None);
        shutdown.spawn("pump", async { panic!("broken") });
        shutdown.soft.cancelled().await;
        assert_eq!(shutdown.failed(), Some("pump"));
        assert!(!shutdown.hard.is_cancelled());
        shutdown.tasks.close();
        shutdown.tasks.wait().await;
    }
}
