//! `souk migrate follow`, `cutover`, `rollback` and `finish`: the steps while both systems run.

use std::sync::Arc;

use parking_lot::Mutex;
use souk_migrate::{Direction, Following, Mapping, Turn, Way};
use souk_postgres::PgOutpost;
use tokio::sync::Notify;

use super::{Step, backup, told, with_progress};
use crate::cli::{CutoverArgs, FinishArgs, FollowArgs, RollbackArgs};
use crate::commands::progress::ProgressLine;
use crate::failure::Failure;
use crate::lifecycle::Signals;
use crate::wiring::Target;

/// Follows until a signal.
///
/// # Errors
/// As every step.
pub fn follow(args: FollowArgs) -> Result<(), Failure> {
    let (trigger, once) = (!args.without_trigger, args.once);
    let step = Step::begin(args.args)?;
    if args.dry_run {
        return step
            .run(async move |step| rehearse(&step, if trigger { "follow" } else { "compare and follow" }));
    }
    step.run(async move |step| {
        let mut signals = Signals::listen()?;
        let enough = Notify::new();
        let line = Arc::new(Mutex::new(ProgressLine::new()));
        let following = with_way(&step, trigger, async |way| {
            let stop = async {
                tokio::select! {
                    _ = signals.next() => {}
                    () = enough.notified() => {}
                }
            };
            let show = |following: Following| {
                line.lock().show(|| following.to_string());
                if once && following.pace.waiting == 0 && following.pace.away.is_none() {
                    enough.notify_one();
                }
            };
            let copying = |progress| line.lock().show(|| told(progress));
            Ok(souk_migrate::follow(way, stop, copying, show).await?)
        })
        .await;
        line.lock().clear();
        step.print(&following?);
        Ok(())
    })
}

/// Cuts over.
///
/// # Errors
/// As every step; `Fault` when a difference is left or time is up.
pub fn cut_over(args: CutoverArgs) -> Result<(), Failure> {
    let turn = Turn { within: args.within, writers_stopped: args.writers_stopped, one_way: args.one_way };
    let step = Step::begin(args.args)?;
    if args.dry_run {
        return step.run(async move |step| rehearse(&step, "cut over"));
    }
    step.run(async move |step| {
        let trigger = triggered(&step)?;
        let turned = with_way(&step, trigger, async |way| {
            Ok(with_progress(|line| souk_migrate::cut_over(way, turn, line)).await?)
        })
        .await?;
        step.print(&turned);
        if turned.ok { Ok(()) } else { Err(Failure::reported()) }
    })
}

/// Rolls back.
///
/// # Errors
/// As every step; `Fault` when a difference is left or time is up.
pub fn roll_back(args: RollbackArgs) -> Result<(), Failure> {
    let turn = Turn { within: args.within, writers_stopped: false, one_way: false };
    let step = Step::begin(args.args)?;
    if args.dry_run {
        return step.run(async move |step| rehearse(&step, "roll back"));
    }
    step.run(async move |step| {
        let trigger = triggered(&step)?;
        let turned = with_way(&step, trigger, async |way| {
            Ok(with_progress(|line| souk_migrate::roll_back(way, turn, line)).await?)
        })
        .await?;
        step.print(&turned);
        if turned.ok { Ok(()) } else { Err(Failure::reported()) }
    })
}

/// Finishes.
///
/// # Errors
/// As every step; `Fault` when a difference is left, or souk's stores do not agree.
pub fn finish(args: FinishArgs) -> Result<(), Failure> {
    let give_up = args.give_up;
    let step = Step::begin(args.args)?;
    if args.dry_run {
        return step.run(async move |step| rehearse(&step, "finish"));
    }
    step.run(async move |step| {
        let trigger = triggered(&step)?;
        let finished = with_way(&step, trigger, async |way| {
            let audit = async || backup::audited(&step.settings).await;
            Ok(with_progress(|line| souk_migrate::finish(way, give_up, audit, line)).await?)
        })
        .await?;
        step.print(&finished);
        if !finished.ok {
            return Err(Failure::reported());
        }
        eprintln!("nothing of souk is left in {}", step.source.address());
        Ok(())
    })
}

/// Whether the migration under way has a trigger.
fn triggered(step: &Step) -> Result<bool, Failure> {
    Ok(step.folder.record()?.follow.is_none_or(|follow| follow.trigger))
}

/// Opens both sides, as the one operator, and closes them again.
async fn with_way<T>(
    step: &Step,
    trigger: bool,
    work: impl AsyncFnOnce(&Way<'_>) -> Result<T, Failure>,
) -> Result<T, Failure> {
    let mapping: Mapping = step.mapping()?;
    let target = Target::open_to_write(&step.settings).await?;
    let outcome = async {
        let deps = step.deps(step.source().await?, &target);
        let outpost = PgOutpost::new(&step.source);
        let way = Way {
            deps: &deps,
            capture: outpost.clone(),
            old: outpost,
            log: target.log.clone(),
            mapping: &mapping,
            folder: &step.folder,
            trigger,
        };
        work(&way).await
    };
    let outcome = outcome.await;
    target.close().await;
    outcome
}

/// Says what a step would do.
fn rehearse(step: &Step, wanted: &str) -> Result<(), Failure> {
    step.mapping()?;
    let (old, here) = (step.source.address(), Target::place(&step.settings));
    let record = step.folder.record()?;
    let text = match (wanted, record.direction) {
        ("follow", Direction::Forward) => format!(
            "would install a trigger and the schema souk_capture in {old}, take nothing but its changes into {here}, and refuse \
             all other writes there"
        ),
        ("compare and follow", Direction::Forward) => {
            format!(
                "would compare {old} with {here} again and again, take what differs, and refuse all other writes there"
            )
        }
        (_, Direction::Back) if wanted.ends_with("follow") => {
            format!("would write what changes in {here} into the table of {old}")
        }
        ("cut over", Direction::Forward) => format!(
            "would refuse writes to the table of {old} by a trigger, compare everything, and let {here} take writes if nothing \
             differs"
        ),
        ("roll back", Direction::Back) => format!(
            "would refuse writes in {here}, write the rest back, compare everything, and let {old} take writes if nothing differs"
        ),
        ("finish", Direction::Back | Direction::OneWay) => {
            format!(
                "would compare everything, audit {here}, and remove the schema souk_capture and its triggers from {old}"
            )
        }
        (_, Direction::Forward) => {
            return Err(Failure::Usage("the source keeps the products: cut over first".to_owned()));
        }
        _ => return Err(Failure::Usage("souk keeps the products already".to_owned())),
    };
    crate::output::print_line(&text);
    Ok(())
}
