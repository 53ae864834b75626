//! Cut-over: souk becomes the keeper.

use std::future::Future;
use std::time::{Duration, Instant};

use souk_ports::{BackKeys, BackWriting, Keeper, fault};

use super::{Turn, Turned, Turning, late, ready_for_the_fence, ready_for_the_way_back, same, unless};
use crate::way::backward::Position;
use crate::way::forward::Forward;
use crate::way::{Direction, ProvenRecord, Way};
use crate::{Comparison, MigrateError, Progress};

/// Makes souk the keeper. Broken off by `stop` before the record is turned, it opens the old system again; afterwards it
/// comes to its end.
///
/// # Errors
/// `Usage` when it is already; `Found` when the mapping cannot be turned round, a row breaks a rule, it did not end in
/// time, or was broken off; `Unreachable` when a side cannot be reached. The old system writes as before then, or the text
/// says that nobody can and how to go on.
pub async fn cut_over(
    way: &Way<'_>,
    turn: Turn,
    stop: impl Future<Output = ()>,
    mut progress: impl FnMut(Progress),
) -> Result<Turned, MigrateError> {
    let record = way.bind_to_turn().await?;
    match record.direction {
        Direction::Forward => {}
        Direction::Back | Direction::OneWay if way.deps.catalog.keeper().await? == Keeper::Source => {
            // Broken off after the record was turned: both sides are shut, and the same.
            let turning = Turning::begin(way, "cutover", Keeper::Source)?;
            return opened(turning, same()).await;
        }
        Direction::Back | Direction::OneWay | Direction::Finished => {
            return Err(MigrateError::Usage("souk keeps the products already".to_owned()));
        }
    }
    if !turn.one_way {
        ready_for_the_way_back(way).await?;
    }
    if !turn.writers_stopped {
        ready_for_the_fence(way).await?;
    }
    let mut turning = Turning::begin(way, "cutover", Keeper::Source)?;
    let comparison = match unless(stop, prove(&mut turning, turn, &mut progress)).await {
        Ok(comparison) if comparison.ok => comparison,
        other => return turning.refuse(other).await,
    };
    if let Err(error) = turn_record(way, turn, &comparison).await {
        // Whether it was turned is what it says, not what was told of writing it.
        match way.folder.record() {
            Ok(record) if record.direction == Direction::Forward => return turning.refuse(Err(error)).await,
            Ok(_) => {}
            Err(unread) => return Err(turning.stuck(&error.to_string(), Keeper::Source, &unread)),
        }
    }
    fault::crash_point("migrate.turning");
    opened(turning, comparison).await
}

/// Shuts the old writers out and proves both sides the same.
async fn prove(
    turning: &mut Turning<'_>,
    turn: Turn,
    progress: &mut impl FnMut(Progress),
) -> Result<Comparison, MigrateError> {
    let way = turning.way;
    let others = way.others().await?;
    let mut forward = Forward::begin_or_leave(way, progress).await?;
    loop {
        let pause = forward.look(progress).await?;
        progress(Progress {
            doing: "catching up, changes taken",
            done: forward.following().pace.taken,
            total: None,
        });
        if forward.is_close() || pause > Duration::ZERO {
            break;
        }
    }
    let mut tables = if turn.writers_stopped { Vec::new() } else { way.tables().await? };
    if fault::planted("migrate-fences-one-table") {
        tables.truncate(1);
    }
    if turn.writers_stopped {
        turning.began = Some(Instant::now());
    } else {
        turning.shut()?;
        way.old.fence(&tables, turn.within).await?;
    }
    fault::crash_point("migrate.fenced");
    let settled = tokio::time::timeout(turning.left(turn.within), async {
        forward.drain(progress).await?;
        if fault::planted("migrate-turns-unproven") {
            return Ok(same());
        }
        let comparison = crate::compare(way.deps, way.mapping, &mut *progress).await?;
        if comparison.ok || others.is_empty() {
            return Ok(comparison);
        }
        // Of changes in other tables nobody tells: what was found of them is taken, and everything is compared once more.
        forward.compare_and_take().await?;
        crate::compare(way.deps, way.mapping, &mut *progress).await
    });
    settled.await.unwrap_or_else(|_| Err(late(turn.within)))
}

/// The point of no return.
async fn turn_record(way: &Way<'_>, turn: Turn, comparison: &Comparison) -> Result<(), MigrateError> {
    let position = Position::end(way).await?;
    if !turn.one_way {
        let table = way.table().await?;
        let nothing =
            BackWriting { table: &table, keys: &BackKeys::Ids, columns: &[], put: &[], delete: &[] };
        way.old.write(&nothing, &position.text()).await?;
    }
    let proven = ProvenRecord::of("cutover", way.deps.clock.now(), comparison);
    way.change(|record| {
        record.proven = Some(proven);
        record.direction = if turn.one_way { Direction::OneWay } else { Direction::Back };
        record.back = None;
        record.differences = None;
    })
}

/// Opens souk, and notes it.
async fn opened(turning: Turning<'_>, comparison: Comparison) -> Result<Turned, MigrateError> {
    if let Err(error) = turning.open(Keeper::Souk).await {
        return Err(turning.stuck("both sides are the same", Keeper::Souk, &error));
    }
    fault::crash_point("migrate.turned");
    turning.done(Keeper::Souk, comparison)
}
