//! `souk audit`: proves catalog, log, aggregates and archive equal, without writing to any of them.

use std::io::{IsTerminal as _, Write as _};
use std::sync::Arc;
use std::time::{Duration, Instant};

use souk_audit::{AuditDeps, Progress, Report};
use souk_embedded::Embedded;
use souk_ports::SystemClock;

use crate::cli::AuditArgs;
use crate::commands::runtime;
use crate::failure::Failure;
use crate::settings::{Layers, Purpose, Settings};
use crate::{output, wiring};

/// Time between two progress lines: smooth to the eye, nothing to the audit.
const PROGRESS_PERIOD: Duration = Duration::from_millis(100);

/// Audits and prints the report.
///
/// # Errors
/// `Fault` when there is a difference, `Usage` for settings, `Unreachable` when there is no data or it cannot be read.
pub fn run(args: AuditArgs) -> Result<(), Failure> {
    let flags = args.installation.0;
    let settings = Settings::load(&Layers::of_process(flags.values, flags.env_file), Purpose::Installation)?;
    for warning in &settings.warnings {
        eprintln!("warning: {warning}");
    }
    let report = runtime()?.block_on(audit(&settings))?;
    if args.json {
        output::print_json(&report);
    } else {
        output::print_line(&report.to_string());
    }
    if report.ok { Ok(()) } else { Err(Failure::reported()) }
}

async fn audit(settings: &Settings) -> Result<Report, Failure> {
    let retention = settings.recent_events_retention;
    let store = Embedded::open_read_only(&settings.data_dir, retention, Arc::new(SystemClock))
        .map_err(wiring::refused)?;
    let deps = AuditDeps {
        catalog: store.catalog(),
        log: store.log(),
        store: store.event_store(),
        archive: wiring::open_archive(&store)?,
    };
    let mut line = ProgressLine::new();
    let outcome = souk_audit::audit(deps, |progress| line.show(progress)).await;
    line.clear();
    store.close().await;
    outcome.map_err(|error| {
        Failure::Unreachable(format!("{} could not be audited: {error:#}", settings.data_dir.display()))
    })
}

/// A line that is drawn over itself, for people only.
struct ProgressLine {
    terminal: bool,
    drawn: Option<Instant>,
}

impl ProgressLine {
    fn new() -> Self {
        Self { terminal: std::io::stderr().is_terminal(), drawn: None }
    }

    fn show(&mut self, progress: Progress) {
        if !self.terminal || self.drawn.is_some_and(|drawn| drawn.elapsed() < PROGRESS_PERIOD) {
            return;
        }
        self.drawn = Some(Instant::now());
        // A terminal that went away is no reason to stop auditing.
        let _ = write!(std::io::stderr(), "\r\x1b[Kevents {} of {}", progress.events, progress.total);
    }

    fn clear(&mut self) {
        if self.drawn.take().is_some() {
            let _ = write!(std::io::stderr(), "\r\x1b[K");
        }
    }
}
