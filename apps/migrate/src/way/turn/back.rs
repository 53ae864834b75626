//! Rollback: the source becomes the keeper again.

use std::future::Future;
use std::pin::pin;

use souk_ports::{Keeper, fault};

use super::{PAUSE, Turn, Turned, Turning, late, same, unless};
use crate::compare::compare_with;
use crate::way::backward::Backward;
use crate::way::state::Pace;
use crate::way::{Direction, ProvenRecord, Way};
use crate::{Comparison, MigrateError, Progress};

/// Gives the products back to the source. Broken off by `stop` before the record is turned, it opens souk again; afterwards
/// it comes to its end.
///
/// # Errors
/// As [`super::cut_over`]; souk writes as before then, or the text says that nobody can and how to go on.
pub async fn roll_back(
    way: &Way<'_>,
    turn: Turn,
    stop: impl Future<Output = ()>,
    mut progress: impl FnMut(Progress),
) -> Result<Turned, MigrateError> {
    let record = way.bind_to_turn().await?;
    match record.direction {
        Direction::Back => {}
        Direction::Forward if record.shut.is_some() => {
            // Broken off after the record was turned, or a cut-over before: both sides are shut, and souk has nothing that
            // the source does not have.
            let turning = Turning::begin(way, "rollback", Keeper::Source)?;
            return opened(turning, same()).await;
        }
        Direction::Forward => {
            return Err(MigrateError::Usage("the source keeps the products already".to_owned()));
        }
        Direction::OneWay | Direction::Finished => {
            return Err(MigrateError::Usage(
                "no way leads back: nothing was written to the source".to_owned(),
            ));
        }
    }
    let mut stop = pin!(stop);
    let mut turning = Turning::begin(way, "rollback", Keeper::Souk)?;
    let close = async {
        let mut backward = Backward::begin(way).await?;
        backward.drain().await?;
        Ok(backward)
    };
    let backward = match unless(stop.as_mut(), close).await {
        Ok(backward) => backward,
        Err(error) => return turning.refuse(Err(error)).await,
    };
    if let Err(error) = shut(&mut turning).await {
        return turning.refuse(Err(error)).await;
    }
    fault::crash_point("migrate.fenced");
    let comparison = match unless(stop, prove(&turning, turn, backward, &mut progress)).await {
        Ok(comparison) if comparison.ok => comparison,
        other => return turning.refuse(other).await,
    };
    if let Err(error) = turn_record(way, &comparison).await {
        // Whether it was turned is what it says, not what was told of writing it.
        match way.folder.record() {
            Ok(record) if record.direction == Direction::Back => return turning.refuse(Err(error)).await,
            Ok(_) => {}
            Err(unread) => return Err(turning.stuck(&error.to_string(), Keeper::Souk, &unread)),
        }
    }
    fault::crash_point("migrate.turning");
    opened(turning, comparison).await
}

/// Shuts souk. Not to be broken off: who keeps the products might change afterwards.
async fn shut(turning: &mut Turning<'_>) -> Result<(), MigrateError> {
    turning.shut()?;
    Ok(turning.way.deps.catalog.set_keeper(Keeper::Source).await?)
}

/// Writes back what is left and proves both sides the same.
async fn prove(
    turning: &Turning<'_>,
    turn: Turn,
    mut backward: Backward<'_>,
    progress: &mut impl FnMut(Progress),
) -> Result<Comparison, MigrateError> {
    let way = turning.way;
    let mut found = None;
    loop {
        let round = async {
            backward.drain().await?;
            progress(Progress {
                doing: "rows written back",
                done: backward.following().pace.taken,
                total: None,
            });
            let (judge, query) = crate::plan::judge(&way.deps.source, way.mapping).await?;
            compare_with(way.deps, &judge, &query, progress, |_| {}).await
        };
        match tokio::time::timeout(turning.left(turn.within), round).await {
            // What was committed last may be on its way to the log: as long as there is time, it is waited for.
            Ok(Ok(comparison)) if !comparison.ok && turning.left(turn.within) > PAUSE => {
                found = Some(comparison);
                tokio::time::sleep(PAUSE).await;
            }
            Ok(outcome) => return outcome,
            // What was found last says more than that time is up.
            Err(_) => return found.ok_or_else(|| late(turn.within)),
        }
    }
}

/// The point of no return.
async fn turn_record(way: &Way<'_>, comparison: &Comparison) -> Result<(), MigrateError> {
    let position = way.capture.position().await?;
    let proven = ProvenRecord::of("rollback", way.deps.clock.now(), comparison);
    way.change(|record| {
        record.proven = Some(proven);
        record.direction = Direction::Forward;
        record.differences = None;
        if let Some(follow) = &mut record.follow {
            follow.position = position;
            follow.caught_up = true;
            follow.pace = Pace::default();
        }
    })
}

/// Opens the source, and notes it.
async fn opened(turning: Turning<'_>, comparison: Comparison) -> Result<Turned, MigrateError> {
    if let Err(error) = turning.open(Keeper::Source).await {
        return Err(turning.stuck("both sides are the same", Keeper::Source, &error));
    }
    fault::crash_point("migrate.turned");
    turning.done(Keeper::Source, comparison)
}
