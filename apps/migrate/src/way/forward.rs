//! What changes in the source comes to souk.
//!
//! The capture tells which keys changed; their rows are read as they stand and imported. At the beginning, after a burst too
//! large to be told key by key, after a truncation, a restore of the source or with another mapping, a whole copy takes the
//! place of telling. The position is recorded after what it stands for, so that a follower that ends anywhere repeats some
//! of it, without effect.

use std::collections::{BTreeMap, HashSet};
use std::time::{Duration, Instant};

use souk_domain::{Phase, ProductId};
use souk_ports::{Changes, ErrorKind, Keeper, OldTable, SourceQuery, TableName, fault};

use super::rolling::{Compared, Rolling};
use super::state::Pace;
use super::{DifferencesRecord, Direction, FollowRecord, Following, Way};
use crate::compare::{Difference, DifferenceKind, Suspect, compare_with, settle};
use crate::judge::Judge;
use crate::take::{Gone, delete};
use crate::{MigrateError, Progress};

mod apply;

use apply::Told;

/// Keys that are told one by one; beyond, comparing everything is cheaper, and memory stays bounded.
const MOST_KEYS: usize = 100_000;
/// Rows read and imported at once.
const BATCH: usize = 2_000;
/// Time between two looks when nothing changes: well under the second that a change may take.
const IDLE: Duration = Duration::from_millis(100);
/// Time after which the record is written though nothing was done, and what was told is forgotten.
const NOW_AND_THEN: Duration = Duration::from_secs(1);
/// What a follower rests with a planted bug: far longer than it takes to write everything once more.
const DAWDLING: Duration = Duration::from_secs(30);
/// Differences that the record shows.
const EXAMPLES: usize = 5;

/// Follows the source.
pub(super) struct Forward<'a> {
    way: &'a Way<'a>,
    /// `None` where there is no trigger.
    table: Option<OldTable>,
    /// Those that the mapping reads beside it.
    beside: Vec<TableName>,
    judge: Judge,
    query: SourceQuery,
    state: FollowRecord,
    differences: DifferencesRecord,
    rolling: Rolling,
    kept: Instant,
    /// Whether the capture was put up anew, and has told nothing since.
    mended: bool,
}

impl<'a> Forward<'a> {
    /// Begins as [`Self::begin`] does; where that fails, souk is as open as it was.
    pub async fn begin_or_leave(
        way: &'a Way<'a>,
        progress: &mut impl FnMut(Progress),
    ) -> Result<Self, MigrateError> {
        let before = way.deps.catalog.keeper().await?;
        match Self::begin(way, progress).await {
            Err(error) => Err(leave(way, before, error).await),
            begun => begun,
        }
    }

    /// Goes on where the record says, or begins: the capture first, then everything that was there before it. From now on
    /// nobody else writes to souk.
    pub async fn begin(way: &'a Way<'a>, progress: &mut impl FnMut(Progress)) -> Result<Self, MigrateError> {
        let (judge, query) = crate::plan::judge(&way.deps.source, way.mapping).await?;
        let (table, beside) = match way.trigger {
            true => (Some(way.table().await?), way.others().await?),
            false => (None, Vec::new()),
        };
        let installed = match &table {
            Some(table) => way.capture.is_installed(table, &beside).await?,
            None => true,
        };
        let record = way.folder.record()?;
        let known = record.follow.filter(|state| installed && state.trigger == way.trigger);
        let is_known =
            known.as_ref().is_some_and(|state| state.caught_up && state.mapping == way.mapping.digest());
        if !is_known && record.copy.is_none() {
            // A catalog that the copy would refuse is not shut, and the source is left as it is.
            crate::copy::only_if_empty(way.deps).await?;
        }
        if let Some(table) = &table {
            way.capture.install(table, &beside).await?;
        }
        way.deps.catalog.set_keeper(Keeper::Source).await?;
        let state = FollowRecord { trigger: way.trigger, ..known.unwrap_or_default() };
        let differences = record.differences.unwrap_or_default();
        let (mut rolling, kept) = (Rolling::new(), Instant::now());
        if !beside.is_empty() {
            // What the one before was told of those may have been taken along by its end.
            rolling.want();
        }
        let mut forward =
            Self { way, table, beside, judge, query, state, differences, rolling, kept, mended: false };
        if !is_known {
            forward.whole(progress).await?;
        }
        Ok(forward)
    }

    pub fn following(&self) -> Following {
        let (pace, differences) = (self.state.pace.clone(), self.differences.clone());
        Following { direction: Direction::Forward, pace, differences }
    }

    /// Notes that a side cannot be reached.
    pub fn away(&mut self, why: &str) {
        self.state.pace.away = Some(why.to_owned());
        // A record that cannot be written either is told at the next look.
        let _ = self.keep();
    }

    /// Takes what changed since the last look; returns how long to wait before the next one.
    pub async fn look(&mut self, progress: &mut impl FnMut(Progress)) -> Result<Duration, MigrateError> {
        if self.table.is_none() {
            return self.compare_and_take().await;
        }
        let found = self.rolling.poll(self.way.deps, self.way.mapping).await;
        let any = match self.way.capture.changes(&self.state.position, MOST_KEYS).await {
            Ok(changes) if changes.too_many || changes.truncated => {
                self.whole(progress).await?;
                true
            }
            Ok(changes) => {
                let any = !changes.keys.is_empty();
                self.mended = false;
                if changes.beside && !fault::planted("migrate-deaf-beside") {
                    self.rolling.want();
                }
                self.apply(changes).await?;
                any
            }
            // The source was restored, or somebody removed the capture.
            Err(error) if error.kind() == ErrorKind::InvalidData && !self.mended => {
                self.mended = true;
                if let Some(table) = &self.table {
                    self.way.capture.install(table, &self.beside).await?;
                }
                self.whole(progress).await?;
                true
            }
            Err(error) => return Err(error.into()),
        };
        self.state.pace.away = None;
        if let Some(Compared { suspects, was_wanted }) = found {
            // Codes that were shared may be so no more, and the other way round.
            (self.judge, self.query) = crate::plan::judge(&self.way.deps.source, self.way.mapping).await?;
            self.confirm(&suspects, was_wanted).await?;
            self.judge_refused().await?;
        }
        Ok(if any { Duration::ZERO } else { IDLE })
    }

    /// Tells whether the last look found nothing that had waited for long.
    pub fn is_close(&self) -> bool {
        self.state.pace.lag_ms < 1_000
    }

    /// Takes everything that is there, when nobody writes any more.
    pub async fn drain(&mut self, progress: &mut impl FnMut(Progress)) -> Result<(), MigrateError> {
        while self.look(&mut *progress).await? == Duration::ZERO {}
        Ok(())
    }

    /// Copies everything; what is committed from now on is told by the capture.
    async fn whole(&mut self, progress: &mut impl FnMut(Progress)) -> Result<(), MigrateError> {
        let position = match &self.table {
            Some(_) => self.way.capture.position().await?,
            None => String::new(),
        };
        self.state.mapping = self.way.mapping.digest();
        self.state.caught_up = false;
        self.state.pace.refused = BTreeMap::new();
        self.keep()?;
        let copied = crate::copy(self.way.deps, self.way.mapping, self.way.folder, &mut *progress).await?;
        (self.judge, self.query) = crate::plan::judge(&self.way.deps.source, self.way.mapping).await?;
        self.state.pace.taken += copied.changed + copied.deleted;
        self.state.position = position;
        self.state.caught_up = true;
        self.keep()?;
        self.forget().await
    }

    /// Brings souk to where the changed rows stand now.
    async fn apply(&mut self, changes: Changes) -> Result<(), MigrateError> {
        let waiting = changes.keys.len() as u64;
        if fault::planted("migrate-position-first") && !changes.keys.is_empty() {
            self.state.position.clone_from(&changes.position);
            self.keep()?;
        }
        if waiting > 0 {
            fault::crash_point("migrate.following");
        }
        // What was written beside the table waits for its comparison.
        let beside = self.rolling.waited();
        let beside_ms = beside.map_or(0, |waited| i64::try_from(waited.as_millis()).unwrap_or(i64::MAX));
        let mut pace = Pace {
            waiting: waiting + u64::from(beside.is_some()),
            lag_ms: changes.oldest_ms.unwrap_or(0).max(beside_ms),
            ..self.state.pace.clone()
        };
        let told: Vec<Told> = changes.keys.into_iter().map(|(key, at)| (key, Some(at))).collect();
        for told in told.chunks(BATCH) {
            self.apply_some(&mut pace, told).await?;
        }
        self.state.pace = pace;
        self.state.position = changes.position;
        if waiting > 0 {
            fault::crash_point("migrate.followed");
            self.keep()?;
            if fault::planted("migrate-follower-dawdles") {
                tokio::time::sleep(DAWDLING).await;
            }
        }
        if self.kept.elapsed() > NOW_AND_THEN {
            self.keep()?;
            self.forget().await?;
        }
        Ok(())
    }

    /// Forgets what is recorded; what is told again is only told in vain.
    async fn forget(&self) -> Result<(), MigrateError> {
        if self.table.is_none() {
            return Ok(());
        }
        match self.way.capture.forget(&self.state.position).await {
            Err(error) if !error.is_retryable() => Err(error.into()),
            _ => Ok(()),
        }
    }

    /// Looks again at what seemed to differ, having caught up: what is no change on its way is a difference, which is put
    /// right. A change that came since the last look is known by what the capture tells next; where the comparison was wanted,
    /// all that it found are changes.
    async fn confirm(&mut self, suspects: &[Suspect], was_wanted: bool) -> Result<(), MigrateError> {
        let lenient = self.judge.clone().lenient();
        let found = settle(self.way.deps, &lenient, &self.query, suspects).await?;
        let next = self.way.capture.changes(&self.state.position, MOST_KEYS).await?;
        let on_their_way: HashSet<ProductId> =
            next.keys.iter().filter_map(|(key, _)| self.judge.id(key)).collect();
        // Rows that nobody may take are there: they are named, and judged again at once.
        let refused: HashSet<ProductId> =
            self.state.pace.refused.keys().filter_map(|key| self.judge.id(key)).collect();
        let is_refused = |it: &Difference| it.kind == DifferenceKind::OnlyInSouk && refused.contains(&it.id);
        let all_may_be = next.too_many || next.truncated;
        let found: Vec<Difference> = found
            .into_iter()
            .filter(|difference| !all_may_be && !on_their_way.contains(&difference.id))
            .filter(|difference| !is_refused(difference))
            .collect();
        self.put_right(&found).await?;
        // Where changes were looked for and found, nothing is known of differences among them.
        if was_wanted && !found.is_empty() { Ok(()) } else { self.note(&found) }
    }

    /// Judges rows again that were refused: what stood in their way may have been another row.
    async fn judge_refused(&mut self) -> Result<(), MigrateError> {
        let refused: Vec<Told> = self.state.pace.refused.keys().map(|key| (key.clone(), None)).collect();
        let mut pace = self.state.pace.clone();
        self.apply_some(&mut pace, &refused).await?;
        self.state.pace = pace;
        Ok(())
    }

    async fn put_right(&mut self, found: &[Difference]) -> Result<(), MigrateError> {
        let mut pace = self.state.pace.clone();
        let is_gone = |difference: &&Difference| difference.kind == DifferenceKind::OnlyInSouk;
        let gone: Vec<Gone> = found.iter().filter(is_gone).map(|difference| (difference.id, None)).collect();
        pace.taken += delete(self.way.deps, &gone, &self.judge.migration(Phase::Follow)).await?;
        let keys: Vec<Told> = found.iter().filter_map(|it| Some((it.key.clone()?, None))).collect();
        for keys in keys.chunks(BATCH) {
            self.apply_some(&mut pace, keys).await?;
        }
        self.state.pace = pace;
        Ok(())
    }

    fn note(&mut self, found: &[Difference]) -> Result<(), MigrateError> {
        self.differences.at = Some(self.way.deps.clock.now());
        self.differences.comparisons += 1;
        self.differences.found = found.len() as u64;
        self.differences.in_all += found.len() as u64;
        if !found.is_empty() {
            self.differences.examples = found.iter().take(EXAMPLES).map(ToString::to_string).collect();
        }
        self.keep()
    }

    /// Finds changes by comparing everything, where no trigger tells of them.
    pub async fn compare_and_take(&mut self) -> Result<Duration, MigrateError> {
        let began = Instant::now();
        (self.judge, self.query) = crate::plan::judge(&self.way.deps.source, self.way.mapping).await?;
        let lenient = self.judge.clone().lenient();
        let mut found = Vec::new();
        compare_with(self.way.deps, &lenient, &self.query, &mut |_| {}, |difference: &Difference| {
            if found.len() < MOST_KEYS {
                found.push(difference.clone());
            }
        })
        .await?;
        self.put_right(&found).await?;
        let took = began.elapsed();
        // A change has waited for at most the comparison before, the pause and this one.
        self.state.pace.lag_ms = i64::try_from(took.as_millis()).unwrap_or(i64::MAX);
        self.state.pace.waiting = 0;
        self.state.pace.away = None;
        if found.is_empty() {
            // What was found are changes; where nothing is, both sides are the same.
            self.note(&found)?;
        } else {
            self.keep()?;
        }
        Ok(if found.is_empty() { IDLE.max(took / 2) } else { Duration::ZERO })
    }

    fn keep(&mut self) -> Result<(), MigrateError> {
        self.kept = Instant::now();
        self.state.pace.at = Some(self.way.deps.clock.now());
        self.way.change(|record| {
            record.follow = Some(self.state.clone());
            record.differences = Some(self.differences.clone());
        })
    }
}

/// Makes souk as open as it was before a beginning that failed.
pub(super) async fn leave(way: &Way<'_>, before: Keeper, error: MigrateError) -> MigrateError {
    if before == Keeper::Source {
        return error;
    }
    match way.deps.catalog.set_keeper(before).await {
        Ok(()) => error,
        Err(shut) => MigrateError::Unreachable(format!(
            "{error}; souk could not be opened again ({shut}): it takes no writes until `souk migrate finish --give-up`, or a \
             cut-over"
        )),
    }
}
