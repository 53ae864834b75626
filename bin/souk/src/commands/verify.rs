//! `souk verify`: follows a product through every service, and says of each step whether it works.

use std::io::{IsTerminal as _, Write as _};
use std::time::Duration;

use souk_verify::{Progress, Report, VerifyConfig};
use tokio::sync::mpsc;

use crate::cli::VerifyArgs;
use crate::commands::runtime;
use crate::failure::Failure;
use crate::lifecycle::Signals;
use crate::output;
use crate::settings::Settings;
use crate::settings::value::{Kind, Value};

/// Shortest wait that means anything: an answer takes its time on a busy machine.
const SHORTEST_TIMEOUT_MS: u64 = 100;

/// Verifies, and prints each step when it has ended.
///
/// # Errors
/// `Fault` when something does not work, `Usage` for settings, `Unreachable` when a service cannot be reached.
pub fn run(args: &VerifyArgs) -> Result<(), Failure> {
    let settings = args.places.settings(args.env_file.clone())?;
    for warning in &settings.warnings {
        eprintln!("warning: {warning}");
    }
    let config = config(&settings, timeout(&args.timeout)?);
    let report = runtime(&settings)?.block_on(verify(&config, args.json))?;
    if args.json {
        output::print_json(&report);
    } else {
        output::print_line(&format!("\n{}", report.verdict()));
    }
    match () {
        () if report.ok => Ok(()),
        () if report.is_unreachable() => Err(Failure::Unreachable(String::new())),
        () => Err(Failure::reported()),
    }
}

fn timeout(text: &str) -> Result<Duration, Failure> {
    match (Kind::Duration { min_ms: SHORTEST_TIMEOUT_MS }).parse(text) {
        Ok(Value::Duration(timeout)) => Ok(timeout),
        Ok(other) => unreachable!("a duration is no {other:?}"),
        Err(misread) => {
            Err(Failure::Usage(format!("--timeout {text:?} {}: {}", misread.what, misread.remedy)))
        }
    }
}

/// Says where an installation is that settings of clients name.
pub fn config(settings: &Settings, timeout: Duration) -> VerifyConfig {
    let given = |name: &str, url: &String| settings.resolved[name].shown.is_some().then(|| url.clone());
    let config = VerifyConfig {
        api: settings.api_url.clone(),
        stream: given("SSE_URL", &settings.sse_url),
        analytics: given("ANALYTICS_URL", &settings.analytics_url),
        timeout,
        ..VerifyConfig::default()
    };
    match given("API_URL", &settings.api_url) {
        Some(_) => config,
        // Nothing is named: they are here, at the ports set.
        None => VerifyConfig { ports: (settings.notifications_port, settings.health_port), ..config },
    }
}

async fn verify(config: &VerifyConfig, json: bool) -> Result<Report, Failure> {
    let colours = output::is_terminal() && output::colours_wanted();
    let terminal = std::io::stderr().is_terminal();
    // A terminal that went away is no reason to stop.
    let say = move |line: &str| _ = write!(std::io::stderr(), "\r\x1b[K{line}");
    let mut watch = |progress: Progress<'_>| match progress {
        Progress::Begins(step, check) if terminal => say(&format!("      {}: {check} …", step.as_str())),
        Progress::Begins(..) => {}
        Progress::Ended(step) => {
            if terminal {
                say("");
            }
            if !json {
                output::print(&step.render(colours));
            }
        }
    };
    souk_verify::run(config, stops()?, &mut watch).await.map_err(|error| Failure::Usage(error.to_string()))
}

/// Verifies, and prints nothing.
///
/// # Errors
/// `Usage` when a URL cannot be used.
pub async fn quietly(config: &VerifyConfig) -> Result<Report, Failure> {
    let outcome = souk_verify::run(config, stops()?, &mut |_| {}).await;
    outcome.map_err(|error| Failure::Usage(error.to_string()))
}

/// Gets a message for each Ctrl-C and SIGTERM.
fn stops() -> Result<mpsc::Receiver<()>, Failure> {
    let mut signals = Signals::listen()?;
    let (sender, receiver) = mpsc::channel(2);
    tokio::spawn(async move {
        loop {
            signals.next().await;
            // Two are all that matter.
            let _ = sender.try_send(());
        }
    });
    Ok(receiver)
}
