//! `souk doctor`: looks at everything that an installation stands on, and says of each what is wrong and what to do.

use souk_doctor::{DEADLINE, Diagnosis, Probe};
use souk_ports::Finding;

use crate::cli::DoctorArgs;
use crate::commands::runtime;
use crate::failure::Failure;
use crate::output;
use crate::settings::{Faults, Layers, Role, Settings};
use crate::wiring::probes;

/// Examines and prints the findings.
///
/// # Errors
/// `Fault` when something is broken, `Unreachable` when nothing could be reached.
pub fn run(args: DoctorArgs) -> Result<(), Failure> {
    let layers = Layers::of_process(args.installation.values, args.installation.env_file);
    let diagnosis = match Settings::load(&layers, Role::Stores) {
        Ok(settings) => {
            let runtime = runtime(&settings)?;
            // Where services are is a matter of those who talk to them; what is wrong with that, of theirs.
            let clients = Settings::load(&layers, Role::Clients).ok();
            let diagnosis = runtime.block_on(examine(&settings, clients.as_ref().unwrap_or(&settings)));
            // A call that hangs is a finding already, and not waited for.
            runtime.shutdown_background();
            diagnosis
        }
        // Nothing can be looked at before these are right.
        Err(faults) => runtime_for_faults()?.block_on(souk_doctor::examine(vec![faulty(faults)], DEADLINE)),
    };
    if args.json {
        output::print_json(&diagnosis);
    } else {
        output::print_line(&diagnosis.to_string());
    }
    if diagnosis.nothing_reachable {
        return Err(Failure::Unreachable(String::new()));
    }
    if diagnosis.ok { Ok(()) } else { Err(Failure::reported()) }
}

fn runtime_for_faults() -> Result<tokio::runtime::Runtime, Failure> {
    tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .map_err(|error| Failure::Unreachable(format!("the runtime could not be started: {error}")))
}

fn faulty(Faults(faults): Faults) -> Probe {
    Probe::new("settings", "", |teller| async move {
        for fault in faults {
            teller.tell(Finding::fail("settings", format!("{} {}", fault.subject, fault.what), fault.remedy));
        }
    })
}

async fn examine(settings: &Settings, clients: &Settings) -> Diagnosis {
    let mut all = vec![of_settings(settings)];
    match &settings.distributed {
        None => all.push(probes::folder(settings)),
        Some(engines) => all.extend(probes::servers(settings, engines)),
    }
    all.push(probes::consumers(settings));
    let urls = [
        ("api", &clients.api_url),
        ("notifications", &clients.sse_url),
        ("analytics", &clients.analytics_url),
    ];
    for (service, url) in urls {
        let url = url.clone();
        let remedy = "see the service's log, and whether something else listens on its port";
        all.push(Probe::new("service", remedy, move |teller| async move {
            souk_doctor::examine_service(service, &url, &mut |finding| teller.tell(finding)).await;
        }));
    }
    souk_doctor::examine(all, DEADLINE).await
}

fn of_settings(settings: &Settings) -> Probe {
    let backend = if settings.distributed.is_some() { "distributed" } else { "embedded" };
    let detail = format!("they are right, and ask for the {backend} engines");
    let warnings = settings.warnings.clone();
    Probe::new("settings", "", |teller| async move {
        teller.tell(Finding::ok("settings", detail));
        for warning in warnings {
            teller.tell(Finding::warn(
                "settings",
                warning,
                "`souk config` shows every setting and where it came from",
            ));
        }
    })
}
