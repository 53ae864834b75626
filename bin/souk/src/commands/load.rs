//! `souk load`: replays a shop's transactions and proves that nothing was lost.

use std::io::IsTerminal as _;

use souk_load::{LoadConfig, LoadError};

use crate::cli::LoadArgs;
use crate::commands::runtime;
use crate::failure::Failure;
use crate::output;
use crate::settings::Settings;

/// Replays, proves and prints the verdict.
///
/// # Errors
/// `Fault` when the proof found one, `Usage` for settings and unreadable transactions, `Unreachable` when a service
/// cannot be reached.
pub fn run(args: LoadArgs) -> Result<(), Failure> {
    let settings = args.places.settings(args.env_file.clone())?;
    for warning in &settings.warnings {
        eprintln!("warning: {warning}");
    }
    let config = config(&args, &settings);
    let verdict = runtime(&settings)?.block_on(souk_load::run(config)).map_err(|error| match error {
        LoadError::Setting(_) | LoadError::Data { .. } => Failure::Usage(error.to_string()),
        LoadError::Unreachable { .. } => Failure::Unreachable(error.to_string()),
        LoadError::Unexpected { .. } => Failure::Fault(error.to_string()),
    })?;
    if args.json {
        output::print_json(&verdict);
    } else {
        output::print_line(&verdict.to_string());
    }
    if verdict.holds() { Ok(()) } else { Err(Failure::reported()) }
}

fn config(args: &LoadArgs, settings: &Settings) -> LoadConfig {
    let given = |name: &str, url: &String| settings.resolved[name].shown.is_some().then(|| url.clone());
    let config = LoadConfig {
        data: args.data.clone(),
        api: settings.api_url.clone(),
        stream: given("SSE_URL", &settings.sse_url),
        analytics: given("ANALYTICS_URL", &settings.analytics_url),
        concurrency: args.concurrency.into(),
        rate: args.rate.map(f64::from),
        progress: std::io::stderr().is_terminal(),
        ..LoadConfig::default()
    };
    match given("API_URL", &settings.api_url) {
        Some(_) => config,
        // Nothing is named: they are here, at the ports set.
        None => LoadConfig { ports: (settings.notifications_port, settings.health_port), ..config },
    }
}
