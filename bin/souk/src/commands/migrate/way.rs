//! `souk migrate follow`, `cutover`, `rollback` and `finish`: the steps while both systems run.

use std::pin::Pin;
use std::sync::Arc;

use parking_lot::Mutex;
use souk_migrate::{Direction, Following, Mapping, MigrateError, Progress, Turn, Turned, Way};
use souk_postgres::PgOutpost;
use tokio::sync::{Notify, oneshot};

use super::rehearse::{Wanted, rehearse};
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
    if args.dry_run {
        return Step::look(args.args)?.run(async move |step| rehearse(&step, Wanted::Follow { trigger }));
    }
    Step::begin(args.args, "follow")?.run(async move |mut step| {
        let mut signals = Signals::listen()?;
        loop {
            let (following, ended) = follow_for_now(&step, trigger, once, &mut signals).await?;
            if ended == Ended::Here {
                step.print(&following);
                return Ok(());
            }
            eprintln!("makes way for a step that turns, and follows again after it");
            tokio::select! {
                _ = signals.next() => {
                    step.print(&following);
                    return Ok(());
                }
                made = step.folder.make_way("follow") => made?,
            }
            if let Direction::OneWay | Direction::Finished = step.folder.record()?.direction {
                step.print(&following);
                return Ok(());
            }
        }
    })
}

/// Why following ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ended {
    /// Somebody said so, or everything is up to date.
    Here,
    /// A step that turns wants the folder.
    ToMakeWay,
}

/// Follows until a signal, or until somebody wants to turn.
async fn follow_for_now(
    step: &Step,
    trigger: bool,
    once: bool,
    signals: &mut Signals,
) -> Result<(Following, Ended), Failure> {
    let (enough, mut ended) = (Notify::new(), Ended::Here);
    let line = Arc::new(Mutex::new(ProgressLine::new()));
    let following = with_way(step, trigger, async |way| {
        warn_of_others(way, "are found by comparisons, which take longer the more products there are").await;
        let stop = async {
            tokio::select! {
                _ = signals.next() => {}
                () = enough.notified() => {}
                () = step.folder.is_asked_for() => ended = Ended::ToMakeWay,
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
    Ok((following?, ended))
}

/// Cuts over.
///
/// # Errors
/// As every step; `Fault` when a difference is left or time is up.
pub fn cut_over(args: CutoverArgs) -> Result<(), Failure> {
    let turn = Turn { within: args.within, writers_stopped: args.writers_stopped, one_way: args.one_way };
    if args.dry_run {
        return Step::look(args.args)?.run(async move |step| rehearse(&step, Wanted::CutOver(turn)));
    }
    let step = Step::begin(args.args, "cutover")?;
    step.run(async move |step| {
        let turned = turning(&step, async |way, stop, line| {
            if !turn.one_way {
                warn_of_keys(way).await;
            }
            souk_migrate::cut_over(way, turn, stop, line).await
        });
        told_of(&step, turned.await?)
    })
}

/// Rolls back.
///
/// # Errors
/// As every step; `Fault` when a difference is left or time is up.
pub fn roll_back(args: RollbackArgs) -> Result<(), Failure> {
    let turn = Turn { within: args.within, writers_stopped: false, one_way: false };
    if args.dry_run {
        return Step::look(args.args)?.run(async move |step| rehearse(&step, Wanted::RollBack));
    }
    let step = Step::begin(args.args, "rollback")?;
    step.run(async move |step| {
        let turned =
            turning(&step, async |way, stop, line| souk_migrate::roll_back(way, turn, stop, line).await);
        told_of(&step, turned.await?)
    })
}

fn told_of(step: &Step, turned: Turned) -> Result<(), Failure> {
    step.print(&turned);
    if turned.ok { Ok(()) } else { Err(Failure::reported()) }
}

/// Turns. The first signal asks it to open the side again that was open before, or to come to its end where both are proven
/// the same; the second one leaves everything as it is, and says how that is.
async fn turning(
    step: &Step,
    turn: impl AsyncFnOnce(&Way<'_>, Asked, Line) -> Result<Turned, MigrateError>,
) -> Result<Turned, Failure> {
    let mut signals = Signals::listen()?;
    let trigger = triggered(step)?;
    with_way(step, trigger, async |way| {
        warn_of_others(way, "are refused from a cut-over to the next rollback, or until the end").await;
        let (ask, asked) = oneshot::channel();
        let stop: Asked = Box::pin(async move {
            if asked.await.is_err() {
                // Whoever might have asked is gone.
                std::future::pending::<()>().await;
            }
        });
        let turned = with_progress(|line| turn(way, stop, line));
        tokio::select! {
            turned = turned => Ok(turned?),
            () = twice(&mut signals, ask) => Err(left_as_it_is(step)),
        }
    })
    .await
}

/// Warns of a mapping that reads several tables.
async fn warn_of_others(way: &Way<'_>, what: &str) {
    // What stands in the way of asking stands in the way of the step, which says so.
    let others: Vec<String> =
        way.others().await.unwrap_or_default().iter().map(ToString::to_string).collect();
    if !others.is_empty() {
        eprintln!("warning: the mapping reads {} too: changes there {what}", others.join(", "));
    }
}

/// Warns of a table that has no place for what is created in souk.
async fn warn_of_keys(way: &Way<'_>) {
    // What stands in the way of asking stands in the way of the step, which says so.
    if let Ok(Some(why)) = way.gives_no_keys().await {
        eprintln!(
            "warning: products that are created in souk after the cut-over have no way back: {why}; a rollback waits until they \
             are deleted in souk or have a key"
        );
    }
}

type Asked = Pin<Box<dyn Future<Output = ()> + Send>>;
type Line = Box<dyn FnMut(Progress) + Send>;

/// Waits for two signals; the first one asks for the end.
async fn twice(signals: &mut Signals, ask: oneshot::Sender<()>) {
    let name = signals.next().await;
    eprintln!("{name}: whoever wrote before is let in again; once more to leave everything as it is");
    // It may have come to its end meanwhile.
    let _ = ask.send(());
    signals.next().await;
}

/// Says what a second signal leaves behind.
fn left_as_it_is(step: &Step) -> Failure {
    let shut = step.folder.record().ok().and_then(|record| record.shut);
    Failure::Fault(match shut {
        Some(shut) => format!("broken off; {shut}"),
        None => "broken off; nobody was shut out".to_owned(),
    })
}

/// Finishes.
///
/// # Errors
/// As every step; `Fault` when a difference is left, or souk's stores do not agree.
pub fn finish(args: FinishArgs) -> Result<(), Failure> {
    let give_up = args.give_up;
    if args.dry_run {
        return Step::look(args.args)?.run(async move |step| rehearse(&step, Wanted::Finish { give_up }));
    }
    let step = Step::begin(args.args, "finish")?;
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
