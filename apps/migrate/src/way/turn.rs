//! Cut-over and rollback: who keeps the products changes, once both sides are proven the same.
//!
//! Both go the same way: bring the follower close while everybody writes; shut the writers of the side that keeps them out;
//! let what is on its way arrive; compare everything; then turn the record, and open the other side. Anything that is not as
//! it should be opens the side again that was open before. The record is turned before the other side is opened: whoever is
//! killed in between takes the same step again, and finds both sides shut and the same.

use std::fmt;
use std::time::{Duration, Instant};

use serde::Serialize;
use souk_ports::{Keeper, fault};

use super::backward::{Backward, Position, inverse};
use super::forward::Forward;
use super::{Direction, TurnRecord, Way};
use crate::compare::compare_with;
use crate::{Comparison, MigrateError, Progress};

/// Pause before events are looked for again that are on their way to the log.
const PAUSE: Duration = Duration::from_millis(100);

/// How to turn.
#[derive(Debug, Clone, Copy)]
pub struct Turn {
    /// How long nobody may be able to write.
    pub within: Duration,
    /// The operator's word that nobody writes to the source: no fence is needed.
    pub writers_stopped: bool,
    /// Nothing is to be written back.
    pub one_way: bool,
}

/// What became of it.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Turned {
    /// Who keeps the products now.
    pub keeper: Keeper,
    /// Whether the step took effect.
    pub ok: bool,
    /// For how long nobody could write.
    pub downtime_seconds: f64,
    /// The comparison that decided.
    pub comparison: Comparison,
    /// Whether there is a way back.
    pub one_way: bool,
}

/// Makes souk the keeper.
///
/// # Errors
/// `Usage` when it is already; `Found` when the mapping cannot be turned round, a row breaks a rule, or it did not end in
/// time; `Unreachable` when a side cannot be reached. The old system writes as before then.
pub async fn cut_over(
    way: &Way<'_>,
    turn: Turn,
    mut progress: impl FnMut(Progress),
) -> Result<Turned, MigrateError> {
    let record = way.bind_to_turn().await?;
    match record.direction {
        Direction::Forward => {}
        Direction::Back | Direction::OneWay if way.deps.catalog.keeper().await? == Keeper::Source => {
            // Killed after the record was turned: both sides are shut, and the same.
            return opened(way, Instant::now(), Comparison { ok: true, ..Comparison::default() }).await;
        }
        Direction::Back | Direction::OneWay | Direction::Finished => {
            return Err(MigrateError::Usage("souk keeps the products already".to_owned()));
        }
    }
    if !turn.one_way {
        ready_for_the_way_back(way).await?;
    }
    way.change(|record| record.begin("cutover", way.deps.clock.now()))?;
    let mut forward = Forward::begin(way, &mut progress).await?;
    loop {
        let pause = forward.look(&mut progress).await?;
        progress(Progress {
            doing: "catching up, changes taken",
            done: forward.following().pace.taken,
            total: None,
        });
        if forward.is_close() || pause > Duration::ZERO {
            break;
        }
    }
    let began = Instant::now();
    if !turn.writers_stopped {
        way.old.fence(&way.table().await?, turn.within).await?;
    }
    fault::crash_point("migrate.fenced");
    let settled = tokio::time::timeout(turn.within.saturating_sub(began.elapsed()), async {
        forward.drain(&mut progress).await?;
        if fault::planted("migrate-turns-unproven") {
            return Ok(Comparison { ok: true, ..Comparison::default() });
        }
        crate::compare(way.deps, way.mapping, &mut progress).await
    });
    let outcome = settled.await.unwrap_or_else(|_| Err(late(turn.within)));
    let comparison = match outcome {
        Ok(comparison) if comparison.ok => comparison,
        other => {
            if !turn.writers_stopped {
                way.old.lift().await?;
            }
            return refused(way, "cutover", Keeper::Source, began, other);
        }
    };
    let position = Position::end(way).await?;
    if !turn.one_way {
        let (table, columns) = (way.table().await?, Vec::new());
        let nothing = souk_ports::BackWriting { table: &table, columns: &columns, put: &[], delete: &[] };
        way.old.write(&nothing, &position.text()).await?;
    }
    way.change(|record| {
        record.direction = if turn.one_way { Direction::OneWay } else { Direction::Back };
        record.back = None;
        record.differences = None;
    })?;
    fault::crash_point("migrate.turning");
    opened(way, began, comparison).await
}

/// Opens souk, and notes it.
async fn opened(way: &Way<'_>, began: Instant, comparison: Comparison) -> Result<Turned, MigrateError> {
    way.deps.catalog.set_keeper(Keeper::Souk).await?;
    fault::crash_point("migrate.turned");
    noted(way, "cutover", Keeper::Souk, began, comparison)
}

/// Gives the products back to the source.
///
/// # Errors
/// As [`cut_over`]; souk writes as before then.
pub async fn roll_back(
    way: &Way<'_>,
    turn: Turn,
    mut progress: impl FnMut(Progress),
) -> Result<Turned, MigrateError> {
    let record = way.bind_to_turn().await?;
    let table = way.table().await;
    match record.direction {
        Direction::Back => {}
        Direction::Forward if way.old.is_fenced(&table.map_err(only_forward)?).await? => {
            // Killed after the record was turned: both sides are shut, and the same.
            way.old.lift().await?;
            let comparison = Comparison { ok: true, ..Comparison::default() };
            return noted(way, "rollback", Keeper::Source, Instant::now(), comparison);
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
    way.change(|record| record.begin("rollback", way.deps.clock.now()))?;
    let mut backward = Backward::begin(way).await?;
    backward.drain().await?;
    let began = Instant::now();
    way.deps.catalog.set_keeper(Keeper::Source).await?;
    fault::crash_point("migrate.fenced");
    let (judge, query) = crate::plan::judge(&way.deps.source, way.mapping).await?;
    let outcome = loop {
        let round = async {
            backward.drain().await?;
            progress(Progress {
                doing: "rows written back",
                done: backward.following().pace.taken,
                total: None,
            });
            compare_with(way.deps, &judge, &query, &mut progress, |_| {}).await
        };
        let left = turn.within.saturating_sub(began.elapsed());
        match tokio::time::timeout(left, round).await {
            // What was committed last may be on its way to the log: as long as there is time, it is waited for.
            Ok(Ok(comparison)) if !comparison.ok && began.elapsed() + PAUSE < turn.within => {
                tokio::time::sleep(PAUSE).await;
            }
            Ok(outcome) => break outcome,
            Err(_) => break Err(late(turn.within)),
        }
    };
    let comparison = match outcome {
        Ok(comparison) if comparison.ok => comparison,
        other => {
            way.deps.catalog.set_keeper(Keeper::Souk).await?;
            return refused(way, "rollback", Keeper::Souk, began, other);
        }
    };
    let position = way.capture.position().await?;
    way.change(|record| {
        record.direction = Direction::Forward;
        record.differences = None;
        if let Some(follow) = &mut record.follow {
            follow.position = position;
            follow.caught_up = true;
            follow.pace = super::state::Pace::default();
        }
    })?;
    fault::crash_point("migrate.turning");
    way.old.lift().await?;
    fault::crash_point("migrate.turned");
    noted(way, "rollback", Keeper::Source, began, comparison)
}

/// Tells before anybody is shut out what would stand in the way afterwards.
pub(super) async fn ready_for_the_way_back(way: &Way<'_>) -> Result<(), MigrateError> {
    let inverse = inverse(way).await?;
    let obstacles = way.old.obstacles(&way.table().await?, &inverse.columns).await?;
    if obstacles.is_empty() {
        return Ok(());
    }
    Err(MigrateError::Found(format!(
        "souk could not write back: {}; --one-way gives the way back up, and rollback with it",
        obstacles.join("; ")
    )))
}

fn only_forward(_: MigrateError) -> MigrateError {
    MigrateError::Usage("the source keeps the products already".to_owned())
}

fn late(within: Duration) -> MigrateError {
    MigrateError::Found(format!(
        "the two sides were not proven the same within {} s: give --within more, or choose a quieter hour; everything is as it \
         was before",
        within.as_secs()
    ))
}

fn seconds(began: Instant) -> f64 {
    (began.elapsed().as_secs_f64() * 1_000.0).round() / 1_000.0
}

/// Notes a step that did not take effect.
fn refused(
    way: &Way<'_>,
    step: &str,
    keeper: Keeper,
    began: Instant,
    outcome: Result<Comparison, MigrateError>,
) -> Result<Turned, MigrateError> {
    let told = match &outcome {
        Ok(comparison) => format!("refused: {} differences", comparison.differences),
        Err(error) => format!("refused: {error}"),
    };
    way.change(|record| record.end(step, way.deps.clock.now(), told))?;
    let comparison = outcome?;
    Ok(Turned { keeper, ok: false, downtime_seconds: seconds(began), comparison, one_way: false })
}

/// Notes a step that took effect.
fn noted(
    way: &Way<'_>,
    step: &str,
    keeper: Keeper,
    began: Instant,
    comparison: Comparison,
) -> Result<Turned, MigrateError> {
    let downtime_seconds = seconds(began);
    let mut one_way = false;
    way.change(|record| {
        one_way = record.direction == Direction::OneWay;
        let at = way.deps.clock.now();
        let downtime_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
        record.turns.push(TurnRecord { at, to: keeper, downtime_ms });
        if !record.steps.contains_key(step) {
            record.begin(step, at);
        }
        record.end(step, at, format!("0 differences, {downtime_seconds:.1} s without writes"));
    })?;
    Ok(Turned { keeper, ok: true, downtime_seconds, comparison, one_way })
}

impl fmt::Display for Turned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.comparison.fmt(f)?;
        let seconds = self.downtime_seconds;
        match (self.ok, self.keeper) {
            (false, Keeper::Source) => {
                write!(f, "\nnot cut over: the old system writes again, after {seconds:.1} s")
            }
            (false, Keeper::Souk) => write!(f, "\nnot rolled back: souk writes again, after {seconds:.1} s"),
            (true, Keeper::Source) => write!(
                f,
                "\nthe old system keeps the products; nobody could write for {seconds:.1} s\nnext: souk migrate follow, so that \
                 souk stays up to date"
            ),
            (true, Keeper::Souk) => {
                writeln!(f, "\nsouk keeps the products; nobody could write for {seconds:.1} s")?;
                writeln!(
                    f,
                    "the front end's one line: SSE_URL = http://localhost:3001/events/stream, before on port 3000"
                )?;
                write!(f, "(souk up --monolith serves the stream on port 3000, and the line stays)")?;
                if self.one_way {
                    return write!(f, "\nthere is no way back; next: souk migrate finish");
                }
                write!(
                    f,
                    "\nnext: souk migrate follow, which keeps the old table up to date; souk migrate rollback gives it back"
                )
            }
        }
    }
}
