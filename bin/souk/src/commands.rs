//! What each command does.

pub mod audit;
pub mod config;
pub mod contracts;
pub mod doctor;
pub mod load;
pub mod migrate;
pub mod moving;
mod progress;
pub mod up;
pub mod verify;
pub mod version;

use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::runtime::{Builder, Runtime};

use crate::failure::Failure;
use crate::settings::Settings;

/// Blocking work is reads of SQLite, which has its own bound, one writer of figures and the archive's files; each thread
/// more would keep memory of its own.
const BLOCKING_FILES: usize = 8;

/// Calls to Kafka block for as long as its brokers are away; they are few, and must not wait for each other.
const BLOCKING_CALLS: usize = 32;

/// Starts the async runtime: a worker for each core, and at least two, so that one that is busy for a while never
/// holds everything up.
fn runtime(settings: &Settings) -> Result<Runtime, Failure> {
    let cores = std::thread::available_parallelism().map_or(2, usize::from);
    Builder::new_multi_thread()
        .worker_threads(cores.max(2))
        .thread_name_fn(|| {
            static NUMBER: AtomicUsize = AtomicUsize::new(0);
            format!("souk-{}", NUMBER.fetch_add(1, Ordering::Relaxed))
        })
        .max_blocking_threads(if settings.distributed.is_some() { BLOCKING_CALLS } else { BLOCKING_FILES })
        .enable_all()
        .build()
        .map_err(|error| {
            Failure::Unreachable(format!("the threads of the runtime could not be started: {error}"))
        })
}
