//! `souk move`: takes the whole shop from the folder to the servers, or back, and audits it there.

use std::sync::Arc;

use souk_audit::{AuditConfig, AuditDeps, Report};
use souk_move::{Departure, MoveError, Record, Stage};
use souk_ports::{Holds, MoveTarget, PortError, RecentQuery, SystemClock, fault};

use crate::cli::{Backend, MoveArgs};
use crate::commands::runtime;
use crate::failure::Failure;
use crate::settings::{Layers, Role, Settings};
use crate::wiring::{Engines, Side};

mod outcome;

use outcome::{Outcome, Teller};

/// Moves and prints what came of it.
///
/// # Errors
/// `Fault` when an audit finds a difference, `Usage` for settings and a target that holds something else, `Unreachable`
/// when a side cannot be used or souk is at work there.
pub fn run(args: MoveArgs) -> Result<(), Failure> {
    let layers = Layers::of_process(args.settings.values, args.settings.env_file);
    let settings = Settings::load(&layers, Role::Move)?;
    for warning in &settings.warnings {
        eprintln!("warning: {warning}");
    }
    let teller = Teller::new(args.json);
    runtime(&settings)?.block_on(async {
        if args.dry_run {
            rehearse(&settings, args.to, teller).await
        } else {
            go(&settings, args.to, teller).await
        }
    })
}

async fn rehearse(settings: &Settings, to: Backend, teller: Teller) -> Result<(), Failure> {
    let (from, to) = Side::both(settings, to);
    let holds = to.look().await?;
    let (engines, departure) = from.leave().await?;
    let counted = count(&departure, &holds).await;
    let judged = match &counted {
        Ok((_, end)) => souk_move::look(&departure, end, holds).map_err(failure),
        Err(_) => Ok(None),
    };
    let unrest = departure.source.unrest().await;
    drop(departure);
    engines.close().await;
    let (rows, end) = counted?;
    if let Some(who) = unrest.map_err(|error| Failure::Unreachable(error.to_string()))? {
        return Err(Failure::Unreachable(who));
    }
    let begun = judged?;
    let events: u64 = end.iter().sum();
    teller.rehearsed(&from.place()?, &to.place()?, rows, events, begun.as_ref());
    Ok(())
}

/// Counts rows, and asks where the log ends.
async fn count(departure: &Departure, holds: &Holds) -> Result<(u64, Vec<u64>), Failure> {
    souk_move::keeps_its_own(departure).await.map_err(failure)?;
    let unreadable = |error: PortError| Failure::Unreachable(error.to_string());
    let (mut rows, mut after) = (0, None);
    loop {
        let page = departure.catalog.scan(after, 5_000).await.map_err(unreadable)?;
        rows += page.len() as u64;
        let Some(last) = page.last() else { break };
        after = Some(last.id);
    }
    Ok((rows, souk_move::end(departure, holds).await.map_err(failure)?))
}

async fn go(settings: &Settings, to: Backend, mut teller: Teller) -> Result<(), Failure> {
    let (from, to) = Side::both(settings, to);
    let (engines, departure) = from.leave().await?;
    teller.begin(&from.place()?, &to.place()?);
    let outcome = travel(&from, &to, &engines, &departure, &mut teller).await;
    drop(departure);
    engines.close().await;
    teller.done(&outcome?)
}

/// Moves, from wherever the move is.
async fn travel(
    from: &Side<'_>,
    to: &Side<'_>,
    engines: &Engines,
    departure: &Departure,
    teller: &mut Teller,
) -> Result<Outcome, Failure> {
    souk_move::keeps_its_own(departure).await.map_err(failure)?;
    let mut target = to.arrive().await?;
    let holds = target.holds().await.map_err(|error| failure(error.into()))?;
    let end = souk_move::end(departure, &holds).await.map_err(failure)?;
    let begun = souk_move::look(departure, &end, holds).map_err(failure)?;
    if let Some(record) = begun.as_ref().filter(|record| record.stage == Stage::Done) {
        target.close().await;
        return Ok(teller.already(record));
    }
    let mut working = if to.opens_beside() { Some(to.work().await?) } else { None };
    match &begun {
        Some(record) => teller.resumes(record),
        None => {
            if let Some(working) = &working {
                nothing_recent(working).await?;
            }
            // Whatever is wrong there would be wrong here: better to know it before.
            let report = audit(engines, &from.audit(engines), "the shop that moves", teller).await?;
            teller.audited(report)?;
        }
    }
    let record = souk_move::load(departure, &mut *target, &mut |progress| teller.moved(progress)).await;
    let record = record.map_err(failure)?;
    teller.loaded(&record);
    let target = if working.is_some() {
        Some(target)
    } else {
        // A folder has one writer.
        target.close().await;
        working = Some(to.work().await?);
        None
    };
    let stores = working.expect("they are open by now");
    let analytics = to.analytics(&stores);
    let worked = analytics.catch_up(|lag, problem| teller.behind(lag, problem)).await;
    worked.map_err(|error| Failure::Unreachable(format!("the figures could not be made: {error}")))?;
    fault::crash_point("move.consumed");
    teller.worked();
    let report = audit(&stores, &to.audit(&stores), "the shop that has moved", teller).await?;
    fault::crash_point("move.audited");
    stores.close().await;
    if report.ok {
        finish(to, target, record.clone()).await?;
    }
    Ok(teller.outcome(&record, report))
}

/// Makes the target a shop like any other.
async fn finish(
    to: &Side<'_>,
    target: Option<Box<dyn MoveTarget>>,
    mut record: Record,
) -> Result<(), Failure> {
    let mut target = match target {
        Some(target) => target,
        None => to.arrive().await?,
    };
    record.stage = Stage::Done;
    target.finish(&record.milestone()).await.map_err(|error| failure(error.into()))?;
    target.close().await;
    Ok(())
}

/// Refuses a table of recent events that holds those of another shop: they would pass for this one's.
async fn nothing_recent(stores: &Engines) -> Result<(), Failure> {
    let query = RecentQuery { limit: 1, ..RecentQuery::default() };
    let found = stores.store.recent(&query).await.map_err(|error| failure(error.into()))?;
    if found.items.is_empty() {
        return Ok(());
    }
    Err(Failure::Usage(
        "the table of recent events holds those of another shop: set RECENT_EVENTS_TABLE_NAME to another name, or delete \
         the table"
            .to_owned(),
    ))
}

async fn audit(
    stores: &Engines,
    config: &AuditConfig,
    what: &str,
    teller: &mut Teller,
) -> Result<Report, Failure> {
    let deps = AuditDeps {
        catalog: stores.catalog.clone(),
        log: stores.log.clone(),
        store: stores.store.clone(),
        archive: stores.archive.clone(),
        clock: Arc::new(SystemClock),
    };
    let report = souk_audit::audit(&deps, config, |progress| {
        teller.shows("audit", progress.events, progress.total);
    })
    .await;
    report.map_err(|error| Failure::Unreachable(format!("{what} could not be audited: {error:#}")))
}

fn failure(error: MoveError) -> Failure {
    match error {
        MoveError::Occupied(text) => Failure::Usage(text),
        MoveError::AtWork(text) => Failure::Unreachable(text),
        other => Failure::Unreachable(format!("{other}; run the move again, which goes on from here")),
    }
}
