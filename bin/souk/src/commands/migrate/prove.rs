//! `souk migrate shadow` and `check`: does souk do what the old system did, and what was promised?

use std::path::Path;
use std::time::Duration;

use souk_client::Target as Place;
use souk_migrate::{
    Checklist, Comparison, Criterion, Direction, Fields, Record, Shadow, ShadowConfig, Until,
};
use souk_ports::Keeper;
use souk_verify::{Report, Status, StepName, VerifyConfig};

use super::rehearse::{self, Reading};
use super::{Step, with_progress};
use crate::cli::{CheckArgs, ShadowArgs, clients};
use crate::commands::{audit, verify};
use crate::failure::Failure;
use crate::wiring::Target;

/// Pairs of requests that a check makes to both APIs.
const PAIRS: u64 = 400;
/// Why a criterion cannot be told before the cut-over.
const KEPT: &str = "the old system keeps the products until the cut-over, and souk takes no writes";

/// Compares the answers of both APIs.
///
/// # Errors
/// As every step; `Fault` when something differs.
pub fn shadow(args: ShadowArgs) -> Result<(), Failure> {
    let ShadowArgs { args, old, new, fields, requests, lasting, dry_run } = args;
    let clients = clients([("API_URL", "new", &new)], args.settings.env_file.clone())?;
    let config = ShadowConfig {
        old,
        new: clients.api_url,
        fields: read(fields.as_deref())?,
        until: lasting.map_or(Until::Requests(requests), Until::Elapsed),
    };
    if dry_run {
        return rehearse::reading(args, Reading::Shadow { old: &config.old, new: &config.new });
    }
    Step::look(args)?.run(async move |step| {
        let shadow = compared(&step, &config).await?;
        step.print(&shadow);
        if shadow.ok { Ok(()) } else { Err(Failure::reported()) }
    })
}

async fn compared(step: &Step, config: &ShadowConfig) -> Result<Shadow, Failure> {
    let (mapping, source) = (step.mapping()?, step.reading().await?);
    Ok(with_progress(|line| souk_migrate::shadow(&source, &mapping, config, line)).await?)
}

fn read(fields: Option<&Path>) -> Result<Fields, Failure> {
    Ok(fields.map(Fields::read).transpose()?.unwrap_or_default())
}

/// Checks every criterion.
///
/// # Errors
/// `Fault` when one does not hold, `Usage` for settings.
pub fn check(args: CheckArgs) -> Result<(), Failure> {
    let CheckArgs { args, places, old, fields, reads_within, timeout, dry_run } = args;
    let config = verify::config(&places.settings(args.settings.env_file.clone())?, timeout);
    let fields = read(fields.as_deref())?;
    if dry_run {
        return rehearse::reading(args, Reading::Check { api: &config.api });
    }
    Step::look(args)?.run(async move |step| {
        let record = step.folder.record()?;
        let keeper = keeper(&step).await;
        let lost = lost(&step, &record).await;
        let audited = audited(&step).await;
        let place = Place::parse("api", &config.api).map_err(|error| Failure::Usage(error.to_string()))?;
        let speed = match old {
            Some(old) => {
                let new = config.api.clone();
                as_old(&step, &ShadowConfig { old, new, fields, until: Until::Requests(PAIRS) }).await
            }
            None => vec![alone(&place, reads_within).await],
        };
        // The last, since from here on a signal lets it remove what it has created.
        let mut criteria = match keeper {
            Keeper::Source => kept(&config).await,
            Keeper::Souk => {
                let report = verify::quietly(&config).await?;
                if report.interrupted {
                    return Err(Failure::Fault("broken off; what was created is removed".to_owned()));
                }
                // An api that is not there has been waited for already.
                let crud = match verified_api(&report) {
                    true => souk_migrate::crud(&place, timeout).await,
                    false => Err("the api is not there".to_owned()),
                };
                verified(&report, crud.map(|crud| crud.took))
            }
        };
        criteria.extend([audited, lost]);
        criteria.extend(speed);
        let list = Checklist::of(criteria);
        step.print(&list);
        if list.ok { Ok(()) } else { Err(Failure::reported()) }
    })
}

/// Who keeps the products; where that cannot be read, other lines say so.
async fn keeper(step: &Step) -> Keeper {
    let Ok(target) = Target::open(&step.settings).await else { return Keeper::Souk };
    let keeper = target.catalog.keeper().await.unwrap_or_default();
    target.close().await;
    keeper
}

async fn lost(step: &Step, record: &Record) -> Criterion {
    let (name, by_hand) = ("no data is lost", "souk migrate compare");
    // The source is of the past: what souk has from it was proven when it was let go, and souk's stores are audited.
    if let Direction::OneWay | Direction::Finished = record.direction {
        let by_hand = "souk migrate status; souk audit";
        return match &record.proven {
            Some(proven) => {
                Criterion::of(name, Ok(format!("{proven}; souk alone keeps them since")), by_hand)
            }
            None => {
                Criterion::not_now(name, "how the last comparison came out was not written down", by_hand)
            }
        };
    }
    let found = async {
        let (mapping, target) = (step.mapping()?, Target::open(&step.settings).await?);
        let comparison = async {
            let deps = step.deps(step.reading().await?, &target);
            let compare = |line| souk_migrate::compare(&deps, &mapping, line);
            Ok::<Comparison, Failure>(with_progress(compare).await?)
        };
        let comparison = comparison.await;
        target.close().await;
        comparison
    };
    let found = match found.await {
        Ok(comparison) if comparison.ok => Ok(comparison.to_string()),
        Ok(comparison) => Err(comparison.to_string()),
        Err(failure) => Err(words(failure)),
    };
    Criterion::of(name, found, by_hand)
}

async fn audited(step: &Step) -> Criterion {
    let found = match audit::audit(&step.settings, None, false).await {
        Ok(report) if report.ok => Ok(format!(
            "{} products, {} events, {} of them archived: every check holds",
            report.products, report.events, report.archived_events
        )),
        Ok(report) => Err(report.to_string()),
        Err(failure) => Err(words(failure)),
    };
    Criterion::of("catalog, log, figures and archive say the same", found, "souk audit")
}

async fn as_old(step: &Step, config: &ShadowConfig) -> Vec<Criterion> {
    let by_hand = format!("souk migrate shadow --old {} --new {}", config.old, config.new);
    let (same, fast) = ("souk's answers are the old API's", "it is at least as fast");
    match compared(step, config).await {
        Ok(shadow) => {
            let told = format!("{} of {} answers equal", shadow.equal, shadow.requests);
            let differs = || format!("{told}: {}", shadow.to_string().replace('\n', "; "));
            let found = if shadow.ok { Ok(told.clone()) } else { Err(differs()) };
            let speed = souk_migrate::as_fast(shadow.new, Some(shadow.old), 0.0);
            vec![Criterion::of(same, found, &*by_hand), Criterion::of(fast, speed, &*by_hand)]
        }
        Err(failure) => vec![Criterion::of(same, Err(words(failure)), by_hand)],
    }
}

async fn alone(api: &Place, within: Duration) -> Criterion {
    let found = match souk_migrate::reads(api).await {
        Ok(speed) => souk_migrate::as_fast(speed, None, within.as_secs_f64() * 1_000.0),
        Err(error) => Err(error.to_string()),
    };
    Criterion::of(
        "reads are within the limit",
        found,
        "souk migrate check --old http://…, which compares with the old API",
    )
}

fn verified_api(report: &Report) -> bool {
    let mut api = report.steps.iter().filter(|step| step.step == StepName::Api).flat_map(|step| &step.checks);
    api.any(|check| check.check == "health" && check.status == Status::Ok)
}

/// What a verification says of each criterion.
fn verified(report: &Report, crud: Result<Duration, String>) -> Vec<Criterion> {
    let part = |step: StepName, check: &str| {
        let checks = report.steps.iter().filter(|found| found.step == step).flat_map(|found| &found.checks);
        let found = checks.filter(|found| found.check == check).map(|found| match found.status {
            Status::Ok => Ok(found.detail.clone()),
            _ => Err(match &found.remedy {
                Some(remedy) => format!("{} ({remedy})", found.detail),
                None => found.detail.clone(),
            }),
        });
        found.into_iter().next().unwrap_or_else(|| Err("it was not looked at".to_owned()))
    };
    let all = |parts: Vec<Result<String, String>>| {
        let (mut good, mut bad) = (Vec::new(), Vec::new());
        for part in parts {
            match part {
                Ok(told) => good.push(told),
                Err(told) => bad.push(told),
            }
        }
        good.dedup();
        if bad.is_empty() { Ok(good.join("; ")) } else { Err(bad.join("; ")) }
    };
    let health = |step| part(step, "health");
    let services = [StepName::Api, StepName::Notifications, StepName::Analytics];
    let up = all(services.iter().map(|step| Ok(format!("{}: {}", step.as_str(), health(*step)?))).collect());
    let crud = crud
        .map(|took| format!("created, read, changed and deleted in {:.0} ms", took.as_secs_f64() * 1_000.0));
    let removed = part(StepName::CleanUp, "removed").map(|_| String::new());
    let crud = crud.and_then(|told| removed.map(|_| told));
    let (api, analytics) = (&report.api, &report.analytics);
    vec![
        Criterion::of("all services are up, and healthy", up, format!("curl {api}/health; souk doctor")),
        Criterion::of(
            "products can be created, read, changed and deleted",
            crud,
            format!("curl -X POST {api}/products …"),
        ),
        Criterion::of(
            "notifications arrive live",
            part(StepName::Notifications, "event"),
            format!("curl -N {}", report.stream),
        ),
        Criterion::of(
            "events are in the event store",
            all(vec![part(StepName::Analytics, "counted"), part(StepName::EndToEnd, "recent")]),
            format!("curl {analytics}/events"),
        ),
        Criterion::of(
            "events are in the archive",
            part(StepName::EndToEnd, "archive"),
            format!("curl {analytics}/archive"),
        ),
    ]
}

/// What can be said while the old system keeps the products.
async fn kept(config: &VerifyConfig) -> Vec<Criterion> {
    let places = match souk_verify::services(config) {
        Ok(places) => places,
        Err(error) => {
            return vec![Criterion::of(
                "all services are up, and healthy",
                Err(error.to_string()),
                "souk config",
            )];
        }
    };
    let (mut good, mut bad) = (Vec::new(), Vec::new());
    for (service, url) in places {
        souk_doctor::examine_service(service, &url, &mut |finding| {
            let told = format!("{service}: {}", finding.detail);
            // To a doctor a service that does not run is no fault; here all have to.
            if finding.detail.starts_with("ready at") { good.push(told) } else { bad.push(told) }
        })
        .await;
    }
    let up = if bad.is_empty() { Ok(good.join("; ")) } else { Err(bad.join("; ")) };
    let verify = "souk verify";
    vec![
        Criterion::of(
            "all services are up, and healthy",
            up,
            format!("curl {}/health; souk doctor", config.api),
        ),
        Criterion::not_now("products can be created, read, changed and deleted", KEPT, verify),
        Criterion::not_now("notifications arrive live", KEPT, verify),
        Criterion::not_now("events are in the event store", KEPT, verify),
        Criterion::not_now("events are in the archive", KEPT, verify),
    ]
}

fn words(failure: Failure) -> String {
    let (Failure::Fault(text) | Failure::Usage(text) | Failure::Unreachable(text)) = failure;
    text
}
