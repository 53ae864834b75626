//! `souk verify`: what a new operator would do by hand to see that an installation works, against any of them: create a
//! product, watch its event arrive, find it counted, find it in the recent events and in the archive; then remove it.
//!
//! [`run`] takes a [`VerifyConfig`] and returns a [`Report`] with a [`Step`] for each of these. What does not work is a
//! part of the report, with what to do about it; so is what could not be looked at because of that.
//!
//! - `report` is what was found; `finding` is how a check ends; `remedy` holds what to do in each case.
//! - `visit` holds what the steps know of the installation; `steps` has a file for each of them.
//! - `stream` listens from before the first write on, for one seller that nobody else uses.

mod config;
mod finding;
mod health;
mod remedy;
mod report;
mod steps;
mod stream;
mod visit;

use std::time::Instant;

use souk_client::ClientError;
use tokio::sync::mpsc;

pub use config::VerifyConfig;
pub use report::{Check, Report, Status, Step, StepName};

use visit::Visit;

/// What is going on, for whoever watches.
#[derive(Debug, Clone, Copy)]
pub enum Progress<'a> {
    /// A check begins: its step, and what it is.
    Begins(StepName, &'static str),
    /// A step has ended.
    Ended(&'a Step),
}

/// Returns each service with where it is supposed to be.
///
/// # Errors
/// [`ClientError::Url`] when a URL cannot be used.
pub fn services(config: &VerifyConfig) -> Result<[(&'static str, String); 3], ClientError> {
    let targets = config.targets()?;
    Ok([&targets.api, &targets.stream, &targets.analytics]
        .map(|target| (target.service, target.service_base().url())))
}

/// Verifies the installation. The first message from `stops` ends the steps, and what was created is removed all the
/// same; a second one ends that, too.
///
/// # Errors
/// [`ClientError::Url`] when a URL cannot be used.
pub async fn run(
    config: &VerifyConfig,
    mut stops: mpsc::Receiver<()>,
    watch: &mut (dyn FnMut(Progress<'_>) + Send),
) -> Result<Report, ClientError> {
    let began = Instant::now();
    let mut visit = Visit::new(config)?;
    let interrupted = tokio::select! {
        () = steps::all(&mut visit, watch) => false,
        () = asked_to_stop(&mut stops) => true,
    };
    tokio::select! {
        () = steps::clean_up(&mut visit, watch) => {}
        () = asked_to_stop(&mut stops) => {}
    }
    Ok(visit.report(began.elapsed(), interrupted))
}

async fn asked_to_stop(stops: &mut mpsc::Receiver<()>) {
    if stops.recv().await.is_none() {
        // Nobody is left who could ask.
        std::future::pending::<()>().await;
    }
}
