//! What changes in souk goes back into the source's table.
//!
//! The log tells which products changed; they are written as they stand in the catalog, in one transaction with the position in
//! the log, which therefore lies in the source. What is told twice is written once: a row that is right already is left
//! alone, and of one that is not, the columns that differ are written. Where keys are no ids, a row that is added gets one of the
//! table's, and whose it is is written with it: nobody could tell afterwards.

use std::collections::{BTreeSet, HashSet};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use souk_domain::ProductId;
use souk_ports::{LogRecord, OldTable, PartitionBounds, SourceQuery, Tail, fault};

use super::rolling::Rolling;
use super::state::Pace;
use super::{BackRecord, DifferencesRecord, Direction, Following, Way};
use crate::compare::{Difference, Suspect, settle};
use crate::inverse::Inverse;
use crate::judge::Judge;
use crate::{MigrateError, compare};

mod keys;
mod write;

use keys::RowKeys;

/// How long the next record is waited for before the record is brought up to date.
const IDLE: Duration = Duration::from_millis(200);
/// Looks without a record after which there is none.
const SILENCE: u32 = 10;
/// Time after which the record is written though nothing was done.
const NOW_AND_THEN: Duration = Duration::from_secs(1);
/// Events of a change that was just committed reach the log within this time.
const ON_THE_WAY: Duration = Duration::from_secs(2);
/// Differences that the record shows.
const EXAMPLES: usize = 5;

/// A position in souk's log, as the source keeps it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Position {
    /// The log.
    pub log: String,
    /// The next offset of each partition.
    pub next: Vec<u64>,
}

impl Position {
    /// The end of the log.
    pub async fn end(way: &Way<'_>) -> Result<Self, MigrateError> {
        let bounds = way.log.bounds().await?;
        Ok(Self { log: way.log.identity().to_string(), next: bounds.iter().map(|it| it.next).collect() })
    }

    pub fn text(&self) -> String {
        serde_json::to_string(self).expect("texts and numbers")
    }

    fn waiting(&self, bounds: &[PartitionBounds]) -> u64 {
        bounds.iter().zip(&self.next).map(|(bounds, next)| bounds.next.saturating_sub(*next)).sum()
    }
}

/// Makes the mapping's inverse.
pub(super) async fn inverse(way: &Way<'_>) -> Result<Inverse, MigrateError> {
    let key = way.deps.source.check(&way.mapping.query()).await?;
    let column = match way.table().await {
        Ok(table) => way.old.key_column(&table).await?,
        // What cannot be turned round says so itself.
        Err(MigrateError::Found(_)) => None,
        Err(error) => return Err(error),
    };
    Inverse::of(way.mapping, &key, column.as_ref(), &way.deps.source.tables().await?)
}

/// Follows souk.
pub(super) struct Backward<'a> {
    way: &'a Way<'a>,
    table: OldTable,
    inverse: Inverse,
    judge: Judge,
    query: SourceQuery,
    keys: RowKeys,
    position: Position,
    tail: Option<Box<dyn Tail>>,
    /// Looks since the last record.
    quiet: u32,
    pace: Pace,
    differences: DifferencesRecord,
    rolling: Rolling,
    kept: Instant,
}

impl<'a> Backward<'a> {
    pub async fn begin(way: &'a Way<'a>) -> Result<Self, MigrateError> {
        let (judge, query) = crate::plan::judge(&way.deps.source, way.mapping).await?;
        let (table, inverse) = (way.table().await?, inverse(way).await?);
        let keys = RowKeys::read(&way.deps.source, &query, &judge).await?;
        let record = way.folder.record()?;
        let known = way.old.back_position().await?.and_then(|text| serde_json::from_str(&text).ok());
        let now = Position::end(way).await?;
        let position = known.clone().unwrap_or_else(|| now.clone());
        let pace = record.back.unwrap_or_default().pace;
        let differences = record.differences.unwrap_or_default();
        let (rolling, kept) = (Rolling::new(), Instant::now());
        let mut backward = Self {
            way,
            table,
            inverse,
            judge,
            query,
            keys,
            position,
            tail: None,
            quiet: 0,
            pace,
            differences,
            rolling,
            kept,
        };
        let bounds = way.log.bounds().await?;
        let is_held = |position: &Position| {
            position.log == now.log
                && position.next.len() == bounds.len()
                && position.next.iter().zip(&bounds).all(|(next, held)| *next >= held.earliest)
        };
        if !known.as_ref().is_some_and(is_held) {
            // The log has forgotten what came after the position, or is another one: everything is looked at.
            backward.position = now;
            backward.whole().await?;
        }
        backward.write_refused().await?;
        Ok(backward)
    }

    pub fn following(&self) -> Following {
        let (pace, differences) = (self.pace.clone(), self.differences.clone());
        Following { direction: Direction::Back, pace, differences }
    }

    /// Returns what judges rows, those that were added just now included.
    pub fn judge(&self) -> &Judge {
        &self.judge
    }

    /// Notes that a side cannot be reached.
    pub fn away(&mut self, why: &str) {
        self.pace.away = Some(why.to_owned());
        self.tail = None;
        // A record that cannot be written either is told at the next look.
        let _ = self.keep();
    }

    /// Writes back what changed since the last look; waits a moment for the next change.
    pub async fn look(&mut self) -> Result<(), MigrateError> {
        let found = self.rolling.poll(self.way.deps, self.way.mapping).await;
        if self.pace.away.is_some() && !self.judge.keeps_ids() {
            // Rows may have been added of which the answer was lost.
            (self.judge, self.query) = crate::plan::judge(&self.way.deps.source, self.way.mapping).await?;
        }
        let records = self.next().await?;
        if records.is_empty() {
            self.quiet += 1;
            let bounds = self.way.log.bounds().await?;
            // Offsets may have holes at the end: silence is the other sign.
            self.pace.waiting = if self.quiet < SILENCE { self.position.waiting(&bounds) } else { 0 };
            self.pace.lag_ms = if self.pace.waiting == 0 { 0 } else { self.pace.lag_ms };
        } else {
            self.quiet = 0;
            self.apply(&records).await?;
        }
        self.pace.away = None;
        if let Some(compared) = found {
            (self.judge, self.query) = crate::plan::judge(&self.way.deps.source, self.way.mapping).await?;
            self.confirm(&compared.suspects).await?;
            self.write_refused().await?;
        }
        if self.kept.elapsed() > NOW_AND_THEN {
            self.keep()?;
        }
        Ok(())
    }

    /// Writes back everything up to the log's end of now.
    pub async fn drain(&mut self) -> Result<(), MigrateError> {
        let end = Position::end(self.way).await?;
        // Offsets may have holes at the end: silence is the other sign.
        while self.position.next.iter().zip(&end.next).any(|(next, end)| next < end) {
            let records = self.next().await?;
            if records.is_empty() {
                break;
            }
            self.apply(&records).await?;
        }
        Ok(())
    }

    async fn next(&mut self) -> Result<Vec<LogRecord>, MigrateError> {
        if self.tail.is_none() {
            self.tail = Some(self.way.log.tail(&self.position.next).await?);
        }
        let tail = self.tail.as_mut().expect("just made");
        match tokio::time::timeout(IDLE, tail.next()).await {
            Err(_) => Ok(Vec::new()),
            Ok(Ok(records)) => Ok(records),
            Ok(Err(error)) => {
                self.tail = None;
                Err(error.into())
            }
        }
    }

    async fn apply(&mut self, records: &[LogRecord]) -> Result<(), MigrateError> {
        let now = self.way.deps.clock.now().millis();
        self.pace.lag_ms = records.first().map_or(0, |first| now - first.appended_at.millis()).max(0);
        self.pace.waiting = records.len() as u64;
        let mut position = self.position.clone();
        for record in records {
            let partition = record.partition as usize;
            if position.next.len() <= partition {
                position.next.resize(partition + 1, 0);
            }
            position.next[partition] = record.offset + 1;
        }
        let done = self.write_all(&ids(records), &position).await;
        if done.is_err() {
            // The tail is ahead of what was written.
            self.tail = None;
        }
        done?;
        self.position = position;
        Ok(())
    }

    /// Tries again what the table refused: what stood in the way may be gone.
    async fn write_refused(&mut self) -> Result<(), MigrateError> {
        if fault::planted("migrate-back-gives-up") {
            return Ok(());
        }
        let refused: Vec<ProductId> = self.pace.refused.keys().filter_map(|id| id.parse().ok()).collect();
        let position = self.position.clone();
        self.write_all(&refused, &position).await
    }

    /// Looks at everything instead of what the log tells.
    async fn whole(&mut self) -> Result<(), MigrateError> {
        let position = self.position.clone();
        let judge = self.judge.clone().lenient();
        let (mut suspects, keys): (Vec<ProductId>, _) = (Vec::new(), &mut self.keys);
        let mut found = |difference: &Difference| {
            suspects.push(difference.id);
            difference.key.iter().for_each(|key| keys.learn(difference.id, key));
        };
        compare::compare_with(self.way.deps, &judge, &self.query, &mut |_| {}, &mut found).await?;
        self.write_all(&suspects, &position).await?;
        Ok(self.write(&[], &[], &position).await?)
    }

    /// Looks again at what seemed to differ, once what was on its way has arrived.
    async fn confirm(&mut self, suspects: &[Suspect]) -> Result<(), MigrateError> {
        let judge = self.judge.clone().lenient();
        let mut found = settle(self.way.deps, &judge, &self.query, suspects).await?;
        let since = Instant::now();
        let mut touched: HashSet<ProductId> = HashSet::new();
        while !found.is_empty() && since.elapsed() < ON_THE_WAY {
            let records = self.next().await?;
            touched.extend(ids(&records));
            if !records.is_empty() {
                self.apply(&records).await?;
            }
        }
        found.retain(|difference| !touched.contains(&difference.id));
        let still: Vec<Suspect> = found.into_iter().map(|found| (found.id, found.key)).collect();
        let judge = self.judge.clone().lenient();
        let mut found = settle(self.way.deps, &judge, &self.query, &still).await?;
        found.retain(|difference| !self.pace.refused.contains_key(&difference.id.to_string()));
        for Difference { id, key, .. } in &found {
            key.iter().for_each(|key| self.keys.learn(*id, key));
        }
        let wrong: Vec<ProductId> = found.iter().map(|difference| difference.id).collect();
        let position = self.position.clone();
        self.write_all(&wrong, &position).await?;
        self.differences.at = Some(self.way.deps.clock.now());
        self.differences.comparisons += 1;
        self.differences.found = found.len() as u64;
        self.differences.in_all += found.len() as u64;
        if !found.is_empty() {
            self.differences.examples = found.iter().take(EXAMPLES).map(ToString::to_string).collect();
        }
        self.keep()
    }

    fn keep(&mut self) -> Result<(), MigrateError> {
        self.kept = Instant::now();
        self.pace.at = Some(self.way.deps.clock.now());
        self.way.change(|record| {
            record.back = Some(BackRecord { pace: self.pace.clone() });
            record.differences = Some(self.differences.clone());
        })
    }
}

/// The products that records are about, each once.
fn ids(records: &[LogRecord]) -> Vec<ProductId> {
    // What cannot be read is no change of a product: analytics sets it aside and says so.
    let id = |record: &LogRecord| souk_events::decode(&record.payload).ok().map(|event| event.product.id);
    records.iter().filter_map(id).collect::<BTreeSet<_>>().into_iter().collect()
}
