//! `souk audit`: proves catalog, log, aggregates, recent events and archive equal; writes to none of them, unless it is
//! asked to put right what can be rebuilt.

use std::sync::Arc;

use souk_audit::{AuditConfig, AuditDeps, Progress, Report};
use souk_domain::Timestamp;
use souk_ports::{Clock as _, SystemClock};

use crate::cli::AuditArgs;
use crate::commands::progress::ProgressLine;
use crate::commands::runtime;
use crate::failure::Failure;
use crate::output;
use crate::settings::value::{Kind, Value};
use crate::settings::{Layers, Role, Settings};
use crate::wiring::Engines;

/// Audits and prints the report.
///
/// # Errors
/// `Fault` when there is a difference, `Usage` for settings, `Unreachable` when there is no data or it cannot be read.
pub fn run(args: AuditArgs) -> Result<(), Failure> {
    let flags = args.installation;
    let settings = Settings::load(&Layers::of_process(flags.values, flags.env_file), Role::Stores)?;
    for warning in &settings.warnings {
        eprintln!("warning: {warning}");
    }
    let since = args.since.as_deref().map(since).transpose()?;
    let report = runtime(&settings)?.block_on(audit(&settings, since, args.repair))?;
    if args.json {
        output::print_json(&report);
    } else {
        output::print_line(&report.to_string());
    }
    if report.ok { Ok(()) } else { Err(Failure::reported()) }
}

/// Reads a time, or how long ago it was.
fn since(text: &str) -> Result<Timestamp, Failure> {
    if let Ok(time) = text.parse() {
        return Ok(time);
    }
    match (Kind::Duration { min_ms: 0 }).parse(text) {
        Ok(Value::Duration(ago)) => {
            let ago = i64::try_from(ago.as_millis()).unwrap_or(i64::MAX);
            Ok(Timestamp::from_millis(SystemClock.now().millis().saturating_sub(ago)))
        }
        _ => Err(Failure::Usage(format!(
            "--since {text:?} is no time: give one in RFC 3339, such as 2026-11-22T18:00:00Z, or how long ago, such as \
             24h"
        ))),
    }
}

/// Audits the installation that the settings name.
///
/// # Errors
/// `Unreachable` when there is no data, or it cannot be read.
pub async fn audit(settings: &Settings, since: Option<Timestamp>, repair: bool) -> Result<Report, Failure> {
    let engines =
        if repair { Engines::open_to_repair(settings).await? } else { Engines::open(settings).await? };
    let deps = AuditDeps {
        catalog: engines.catalog.clone(),
        log: engines.log.clone(),
        store: engines.store.clone(),
        archive: engines.archive.clone(),
        clock: Arc::new(SystemClock),
    };
    let config = AuditConfig {
        client_id: engines.client_id.clone(),
        recent_retention: settings.recent_events_retention,
        recent_of_the_log: settings.distributed.is_none(),
        since,
        ..AuditConfig::default()
    };
    let mut line = ProgressLine::new();
    let outcome = if repair {
        souk_audit::repair(&deps, &config, |progress| line.show(|| told(progress))).await
    } else {
        souk_audit::audit(&deps, &config, |progress| line.show(|| told(progress))).await
    };
    drop(deps);
    line.clear();
    let place = engines.place.clone();
    engines.close().await;
    outcome.map_err(|error| {
        Failure::Unreachable(format!(
            "{place} could not be {}: {error:#}",
            if repair { "repaired" } else { "audited" }
        ))
    })
}

fn told(progress: Progress) -> String {
    format!("events {} of {}", progress.events, progress.total)
}
