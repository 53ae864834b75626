//! `souk up`: starts everything, tells when it is ready, and ends it in order.

use std::time::Instant;

use crate::cli::UpFlags;
use crate::commands::runtime;
use crate::failure::Failure;
use crate::lifecycle::{self, Signals};
use crate::settings::{Layers, Purpose, Settings};
use crate::{ready, telemetry, wiring};

/// Runs until a signal ends it.
///
/// # Errors
/// `Usage` for settings, `Unreachable` for what it needs and cannot have, `Fault` when a task broke down.
pub fn run(flags: UpFlags) -> Result<(), Failure> {
    let began = Instant::now();
    let layers = Layers::of_process(flags.0.values, flags.0.env_file);
    let settings = Settings::load(&layers, Purpose::Installation)?;
    telemetry::init(settings.log_format, &settings.log_level);
    for warning in &settings.warnings {
        tracing::warn!("{warning}");
    }
    let runtime = runtime()?;
    let outcome = runtime.block_on(serve(&settings, began));
    // What did not notice the abort is not waited for.
    runtime.shutdown_background();
    outcome
}

async fn serve(settings: &Settings, began: Instant) -> Result<(), Failure> {
    let mut signals = Signals::listen()?;
    let running = wiring::start(settings)?;
    let shutdown = &running.shutdown;
    let started = tokio::select! {
        started = all_ready(&running) => started,
        () = lifecycle::wait_for_the_end(&mut signals, shutdown) => Ok(false),
    };
    if matches!(started, Ok(true)) {
        running.facts(began.elapsed()).tell();
        lifecycle::wait_for_the_end(&mut signals, shutdown).await;
    }
    let end = lifecycle::drain(&mut signals, shutdown, settings.drain_timeout).await;
    let ended = lifecycle::outcome(end, shutdown);
    running.close().await;
    tracing::info!(end = ?end, "ended, the stores are closed");
    started.and(ended)
}

async fn all_ready(running: &wiring::Running) -> Result<bool, Failure> {
    for (service, address) in running.listeners() {
        ready::wait_until_ready(service, address).await?;
    }
    Ok(true)
}
