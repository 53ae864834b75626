//! What each command does.

pub mod audit;
pub mod config;
pub mod load;
pub mod up;
pub mod version;

use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::runtime::{Builder, Runtime};

use crate::failure::Failure;

/// Starts the async runtime: a worker for each core, and at least two, so that one that is busy for a while never
/// holds everything up.
fn runtime() -> Result<Runtime, Failure> {
    let cores = std::thread::available_parallelism().map_or(2, usize::from);
    Builder::new_multi_thread()
        .worker_threads(cores.max(2))
        .thread_name_fn(|| {
            static NUMBER: AtomicUsize = AtomicUsize::new(0);
            format!("souk-{}", NUMBER.fetch_add(1, Ordering::Relaxed))
        })
        // Blocking work is reads of SQLite, which has its own bound, one writer of figures and the archive's files;
        // each thread more would keep memory of its own.
        .max_blocking_threads(8)
        .enable_all()
        .build()
        .map_err(|error| {
            Failure::Unreachable(format!("the threads of the runtime could not be started: {error}"))
        })
}
