//! Cut-over and rollback: who keeps the products changes, once both sides are proven the same.
//!
//! Both go the same way: bring the follower close while everybody writes; shut the writers of the side that keeps them out;
//! let what is on its way arrive; compare everything; then turn the record, and open the other side. Anything that is not as
//! it should be, an error or the operator's word included, opens the side again that was open before. The record is turned
//! before the other side is opened, and from there on nothing is broken off: whoever is killed in between finds both sides
//! shut and the same, and either step opens one of them.

mod back;
mod over;
mod told;

use std::future::Future;
use std::time::{Duration, Instant};

use serde::Serialize;
use souk_ports::{Keeper, fault};

use super::backward::inverse;
use super::{Direction, ShutRecord, TurnRecord, Way};
use crate::{Comparison, MigrateError};

pub use back::roll_back;
pub use over::cut_over;

/// Pause before something is tried or looked for again.
const PAUSE: Duration = Duration::from_millis(100);
/// How long a side that has to be opened is tried: nobody can write meanwhile.
const INSISTENCE: Duration = Duration::from_secs(30);

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

/// A turn under way.
struct Turning<'a> {
    way: &'a Way<'a>,
    step: &'static str,
    /// Who keeps the products when it is refused.
    before: Keeper,
    /// Since when nobody can write, as far as this run knows.
    began: Option<Instant>,
    /// Who shut both sides, and when; `None`: one is open.
    shut: Option<ShutRecord>,
}

impl<'a> Turning<'a> {
    /// Notes that it begins.
    fn begin(way: &'a Way<'a>, step: &'static str, before: Keeper) -> Result<Self, MigrateError> {
        let mut shut = None;
        way.change(|record| {
            shut.clone_from(&record.shut);
            record.begin(step, way.deps.clock.now());
        })?;
        Ok(Self { way, step, before, began: None, shut })
    }

    /// Notes that the side that is open is about to be shut.
    fn shut(&mut self) -> Result<(), MigrateError> {
        self.began = Some(Instant::now());
        if self.shut.is_some() {
            return Ok(());
        }
        let shut = ShutRecord { by: self.step.to_owned(), since: self.way.deps.clock.now() };
        self.way.change(|record| record.shut = Some(shut.clone()))?;
        self.shut = Some(shut);
        Ok(())
    }

    /// What is left of the time for which nobody may be able to write.
    fn left(&self, within: Duration) -> Duration {
        within.saturating_sub(self.began.map_or(Duration::ZERO, |began| began.elapsed()))
    }

    /// Opens a side, and insists on it.
    async fn open(&self, keeper: Keeper) -> Result<(), MigrateError> {
        let tried = Instant::now();
        loop {
            let opened = match keeper {
                Keeper::Souk => self.way.deps.catalog.set_keeper(Keeper::Souk).await,
                Keeper::Source => self.way.old.lift().await,
            };
            match opened {
                Err(error) if error.is_retryable() && tried.elapsed() < INSISTENCE => {
                    tokio::time::sleep(PAUSE).await;
                }
                opened => return Ok(opened?),
            }
        }
    }

    /// Ends a step that did not take effect: the side is opened again that was open before.
    async fn refuse(self, outcome: Result<Comparison, MigrateError>) -> Result<Turned, MigrateError> {
        let told = match &outcome {
            Ok(comparison) => format!("refused: {} differences", comparison.differences),
            Err(error) => format!("refused: {error}"),
        };
        let downtime = self.downtime();
        if self.shut.is_some()
            && !fault::planted("migrate-stays-shut")
            && let Err(error) = self.open(self.before).await
        {
            return Err(self.stuck(&told, self.before, &error));
        }
        let now = self.way.deps.clock.now();
        self.way.change(|record| {
            record.shut = None;
            record.end(self.step, now, told);
        })?;
        let (keeper, downtime_seconds) = (self.before, downtime.as_secs_f64());
        Ok(Turned { keeper, ok: false, downtime_seconds, comparison: outcome?, one_way: false })
    }

    /// Ends a step that took effect.
    fn done(self, keeper: Keeper, comparison: Comparison) -> Result<Turned, MigrateError> {
        let (downtime, at) = (self.downtime(), self.way.deps.clock.now());
        let mut one_way = false;
        self.way.change(|record| {
            one_way = record.direction == Direction::OneWay;
            match record.shut.take() {
                // Of one that was broken off and came to nothing, this is the end.
                Some(shut) if shut.by != self.step => {
                    record.end(&shut.by, at, format!("broken off, and undone by a {}", self.step));
                }
                _ => {
                    let downtime_ms = u64::try_from(downtime.as_millis()).ok();
                    record.turns.push(TurnRecord { at, to: keeper, downtime_ms });
                }
            }
            let told = format!("0 differences, {:.1} s without writes", downtime.as_secs_f64());
            record.end(self.step, at, told);
        })?;
        let downtime_seconds = downtime.as_secs_f64();
        Ok(Turned { keeper, ok: true, downtime_seconds, comparison, one_way })
    }

    /// For how long nobody can write.
    fn downtime(&self) -> Duration {
        let since = |shut: &ShutRecord| self.way.deps.clock.now().millis() - shut.since.millis();
        let recorded = self.shut.as_ref().map_or(0, since);
        let known =
            self.began.map_or(0, |began| u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX));
        Duration::from_millis(known.max(u64::try_from(recorded).unwrap_or(0)))
    }

    /// Says what is shut, and how to go on.
    fn stuck(&self, why: &str, keeper: Keeper, error: &MigrateError) -> MigrateError {
        let side = match keeper {
            Keeper::Souk => "souk",
            Keeper::Source => "the old system's table",
        };
        let text = format!(
            "{why}; {side} could not be opened: {error}; nobody can write now: `souk migrate cutover` given again lets souk \
             write, `souk migrate rollback` the old system"
        );
        // A record that cannot be written either says since before that both sides are shut.
        let _ = self.way.change(|record| record.end(self.step, self.way.deps.clock.now(), &*text));
        MigrateError::Unreachable(text)
    }
}

/// Does `work` unless `stop` comes first.
async fn unless<T>(
    stop: impl Future<Output = ()>,
    work: impl Future<Output = Result<T, MigrateError>>,
) -> Result<T, MigrateError> {
    tokio::select! {
        biased;
        () = stop => Err(MigrateError::Found(
            "broken off before anything was turned: whoever wrote before writes again".to_owned(),
        )),
        done = work => done,
    }
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

/// Tells before anybody is shut out which of the tables no fence can go around.
async fn ready_for_the_fence(way: &Way<'_>) -> Result<(), MigrateError> {
    let obstacles = way.old.unfenceable(&way.tables().await?).await?;
    if obstacles.is_empty() {
        return Ok(());
    }
    Err(MigrateError::Found(format!(
        "old writers could not be shut out: {}; --writers-stopped is your word that nobody writes there",
        obstacles.join("; ")
    )))
}

fn late(within: Duration) -> MigrateError {
    MigrateError::Found(format!(
        "the two sides were not proven the same within {} s: give --within more, or choose a quieter hour; everything is as it \
         was before",
        within.as_secs()
    ))
}

/// What is the same since both sides were shut.
fn same() -> Comparison {
    Comparison { ok: true, ..Comparison::default() }
}
