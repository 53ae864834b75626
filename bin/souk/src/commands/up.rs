//! `souk up`, `souk api`, `souk notifications`, `souk analytics`, `souk web`: starts services, tells when they are ready,
//! and ends them in order.

use std::time::Instant;

use crate::cli::{HasSettings, SettingFlags, UpArgs};
use crate::commands::runtime;
use crate::failure::Failure;
use crate::lifecycle::{self, Signals};
use crate::settings::{Layers, Role, Settings};
use crate::{ready, telemetry, wiring};

/// Runs every service until a signal ends them.
///
/// # Errors
/// `Usage` for settings, `Unreachable` for what it needs and cannot have, `Fault` when a task broke down.
pub fn run(args: UpArgs) -> Result<(), Failure> {
    run_as(if args.monolith { Role::Monolith } else { Role::Up }, args.settings, args.demo)
}

/// Runs one service until a signal ends it.
///
/// # Errors
/// As for [`run`].
pub fn run_service<R: HasSettings>(flags: SettingFlags<R>) -> Result<(), Failure> {
    run_as(R::ROLE, flags, false)
}

fn run_as<R>(role: Role, flags: SettingFlags<R>, demo: bool) -> Result<(), Failure> {
    let began = Instant::now();
    let settings = Settings::load(&Layers::of_process(flags.values, flags.env_file), role)?;
    telemetry::init(settings.log_format, &settings.log_level);
    for warning in &settings.warnings {
        tracing::warn!("{warning}");
    }
    let runtime = runtime(&settings)?;
    let has_screen = matches!(role, Role::Up | Role::Monolith);
    let outcome = runtime.block_on(serve(&settings, began, demo, has_screen));
    // What did not notice the abort is not waited for.
    runtime.shutdown_background();
    outcome
}

async fn serve(settings: &Settings, began: Instant, demo: bool, has_screen: bool) -> Result<(), Failure> {
    let mut signals = Signals::listen()?;
    let running = wiring::start(settings)?;
    let shutdown = running.shutdown();
    let started = tokio::select! {
        started = all_ready(&running) => started,
        () = lifecycle::wait_for_the_end(&mut signals, shutdown) => Ok(false),
    };
    if matches!(started, Ok(true)) {
        running.facts(began.elapsed()).tell(has_screen);
        if demo {
            running.fill().await;
        }
        lifecycle::wait_for_the_end(&mut signals, shutdown).await;
    }
    let end = lifecycle::drain(&mut signals, shutdown, settings.drain_timeout).await;
    let ended = lifecycle::outcome(end, shutdown);
    let stopped = running.stopped().map_or(Ok(()), Err);
    running.close().await;
    tracing::info!(end = ?end, "ended, the stores are closed");
    started.and(ended).and(stopped)
}

async fn all_ready(running: &wiring::Running) -> Result<bool, Failure> {
    // The embedded stores are open by now; servers may take as long as they like, and the log says for what it waits.
    let patience = (!running.waits_for_servers()).then_some(ready::PATIENCE);
    for (service, address) in running.listeners() {
        ready::wait_until_ready(service, address, patience).await?;
    }
    Ok(true)
}
