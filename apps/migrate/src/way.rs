//! The way between: one side keeps the products, the other follows it; and turning round.
//!
//! | module | does |
//! |---|---|
//! | `forward` | what changes in the source comes to souk |
//! | `backward` | what changes in souk comes to the source |
//! | `rolling` | compares everything meanwhile, again and again |
//! | `turn` | cut-over and rollback |
//! | `finish` | the end |

mod backward;
mod finish;
mod forward;
mod rolling;
mod state;
mod turn;

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use souk_domain::Timestamp;
use souk_ports::{Capture, EventLog, Keeper, OldTable, TableName, WayBack, fault};

use crate::columns::FirstTable;
use crate::record::Record;
use crate::{Deps, Folder, Mapping, MigrateError, Progress};

use backward::Backward;
use forward::{Forward, leave};

pub use finish::{Finished, finish};
pub use state::{
    BackRecord, DifferencesRecord, Direction, FollowRecord, Following, Pace, ProvenRecord, ShutRecord,
    TurnRecord,
};
pub use turn::{Turn, Turned, cut_over, roll_back};

/// Time between two tries when a side cannot be reached.
const AWAY: Duration = Duration::from_millis(500);

/// What the steps work with that are taken while both systems run.
pub struct Way<'a> {
    /// Source and target.
    pub deps: &'a Deps,
    /// The capture in the source.
    pub capture: Arc<dyn Capture>,
    /// The fence there, and the way to write.
    pub old: Arc<dyn WayBack>,
    /// souk's log.
    pub log: Arc<dyn EventLog>,
    /// The mapping.
    pub mapping: &'a Mapping,
    /// The operator's folder.
    pub folder: &'a Folder,
    /// Whether changes may be captured by a trigger; else they are found by comparing.
    pub trigger: bool,
}

impl Way<'_> {
    /// Finds the table that a trigger goes on.
    async fn table(&self) -> Result<OldTable, MigrateError> {
        let plain = FirstTable::of(&self.mapping.from)
            .and_then(|table| Some((table.column(&self.mapping.key)?, table.name)));
        let (key, name) = plain.ok_or_else(|| {
            MigrateError::Found(format!(
                "no trigger can watch `{}` by `{}`: both have to be plain, a table and its column; --without-trigger finds \
                 changes by comparing",
                self.mapping.from, self.mapping.key
            ))
        })?;
        Ok(self.capture.find(&name, &key).await?)
    }

    /// Names the other tables that the mapping reads: no trigger tells which products their changes concern, comparisons do.
    ///
    /// # Errors
    /// `Found` when the source does not understand the mapping, `Unreachable` when it cannot be read.
    pub async fn others(&self) -> Result<Vec<TableName>, MigrateError> {
        let first = match self.table().await {
            Ok(table) => Some(table.table()),
            Err(MigrateError::Found(_)) => None,
            Err(error) => return Err(error),
        };
        let mut tables = self.deps.source.tables_of(&self.mapping.query()).await?;
        tables.retain(|table| Some(table) != first.as_ref());
        Ok(tables)
    }

    /// Says why products that are created in souk after a cut-over get no row in the old table; `None` when they do.
    ///
    /// # Errors
    /// As a cut-over that is not one-way.
    pub async fn gives_no_keys(&self) -> Result<Option<String>, MigrateError> {
        let inverse = backward::inverse(self).await?;
        Ok((!inverse.adds_rows).then(|| self.gets_no_row()))
    }

    fn gets_no_row(&self) -> String {
        let Mapping { from, key, .. } = self.mapping;
        let column = FirstTable::of(from).and_then(|table| table.column(key)).unwrap_or_default();
        format!(
            "the table gives no keys, and [back] of the mapping has no line that makes {key} of a product, such as \
             \"{column}\" = \"p.sku\""
        )
    }

    /// Tells whether souk has added rows to the table whose products only the source knows.
    async fn has_added_rows(&self) -> Result<bool, MigrateError> {
        let Some(table) = FirstTable::of(&self.mapping.from) else { return Ok(false) };
        Ok(!self.deps.source.given_keys(&table.name).await?.is_empty())
    }

    /// Every table that the mapping reads, the one that products are written back to first.
    async fn tables(&self) -> Result<Vec<TableName>, MigrateError> {
        let first = self.table().await?.table();
        Ok(std::iter::once(first).chain(self.others().await?).collect())
    }

    /// Reads the record, bound to this source and target, and changes it.
    fn change(&self, change: impl FnOnce(&mut Record)) -> Result<(), MigrateError> {
        let mut record = self.folder.record()?;
        change(&mut record);
        self.folder.keep(&record)
    }

    /// Binds the record to both sides.
    async fn bind(&self) -> Result<Record, MigrateError> {
        let identity = self.deps.source.identity().await?;
        let mut record = self.folder.record()?;
        let is_other = |known: &Option<String>, now: &str| known.as_deref().is_some_and(|known| known != now);
        if record.direction != Direction::Forward
            && (is_other(&record.source, &identity.id) || is_other(&record.target, &self.deps.target))
        {
            return Err(MigrateError::Usage(
                "the record is of a cut-over between another source and another souk: name the right ones, or another folder \
                 by --state"
                    .to_owned(),
            ));
        }
        record.of_source(&identity.id, &identity.place);
        record.of_target(&self.deps.target);
        self.folder.keep(&record)?;
        Ok(record)
    }

    /// Binds the record to both sides, for a step that shuts or opens one of them. The record says which keeps the products;
    /// one that knows nothing of the cut-over that both sides bear the marks of would open a side that is behind, or shut
    /// the one that everybody works with.
    async fn bind_to_turn(&self) -> Result<Record, MigrateError> {
        let mut record = self.bind().await?;
        if let Some(shut) = record.shut.clone()
            && self.is_open(record.direction).await?
        {
            if record.direction == Direction::Forward && !fault::planted("migrate-trusts-a-late-fence") {
                // A fence may still be on its way: the server waits for the table though nobody waits for the answer. This
                // waits until it is up or given up, and leaves none.
                self.old.lift().await?;
            }
            self.change(|record| ended_unsaid(record, &shut, self.deps.clock.now()))?;
            record = self.folder.record()?;
        }
        if record.direction == Direction::Forward && self.is_turned_elsewhere(&record).await? {
            return Err(MigrateError::Usage(format!(
                "a cut-over was made here that the record in {} knows nothing of: name the folder that has it by --state; \
                 nothing was changed",
                self.folder.file("").display()
            )));
        }
        Ok(record)
    }

    /// Whether the side that keeps the products takes writes.
    async fn is_open(&self, direction: Direction) -> Result<bool, MigrateError> {
        match direction {
            Direction::Forward => match self.table().await {
                Ok(table) => Ok(!self.old.is_fenced(&table.table()).await?),
                // No trigger was ever on it.
                Err(MigrateError::Found(_)) => Ok(true),
                Err(error) => Err(error),
            },
            _ => Ok(self.deps.catalog.keeper().await? == Keeper::Souk),
        }
    }

    async fn is_turned_elsewhere(&self, record: &Record) -> Result<bool, MigrateError> {
        if self.deps.catalog.keeper().await? == Keeper::Souk && self.old.back_position().await?.is_some() {
            return Ok(true);
        }
        // Broken off while it turned: the fence is this record's own.
        if record.shut.is_some() {
            return Ok(false);
        }
        Ok(!self.is_open(Direction::Forward).await?)
    }
}

/// Notes the end of a turn that was killed when a side was open already, before it could say so.
fn ended_unsaid(record: &mut Record, shut: &ShutRecord, now: Timestamp) {
    let took_effect = match record.direction {
        Direction::Forward => (shut.by == "rollback").then_some(Keeper::Source),
        _ => (shut.by == "cutover").then_some(Keeper::Souk),
    };
    record.shut = None;
    if let Some(to) = took_effect {
        record.turns.push(TurnRecord { at: now, to, downtime_ms: None });
    }
    let told = if took_effect.is_some() { "took effect" } else { "came to nothing" };
    record.end(&shut.by, now, format!("{told}, and was killed before it could say so"));
}

/// Leads what changes on one side to the other, until `stop`: from the source to souk, or back after a cut-over. A side that
/// is away is waited for; a row that breaks a rule is named and holds nothing up.
///
/// # Errors
/// `Found` when the source does not understand the mapping, or a right is missing; `Unreachable` when the record cannot be
/// written. What was done until then is recorded.
pub async fn follow(
    way: &Way<'_>,
    stop: impl Future<Output = ()>,
    mut progress: impl FnMut(Progress),
    mut told: impl FnMut(Following),
) -> Result<Following, MigrateError> {
    let record = way.bind_to_turn().await?;
    way.change(|record| record.begin("follow", way.deps.clock.now()))?;
    let mut last = Following { direction: record.direction, ..Following::default() };
    let following = async {
        match record.direction {
            Direction::Forward => forward(way, &mut progress, &mut told, &mut last).await,
            Direction::Back => backward(way, &mut told, &mut last).await,
            Direction::OneWay | Direction::Finished => Err(MigrateError::Usage(
                "there is nothing to follow: souk keeps the products, and no way leads back".to_owned(),
            )),
        }
    };
    let outcome = tokio::select! {
        biased;
        () = stop => Ok(()),
        ended = following => ended,
    };
    // What was recorded last: the end may come in the middle of a look.
    let ended = way.folder.record()?;
    let pace = match ended.direction {
        Direction::Back => ended.back.map(|back| back.pace),
        _ => ended.follow.map(|follow| follow.pace),
    };
    last.pace = pace.unwrap_or(last.pace);
    last.differences = ended.differences.unwrap_or_default();
    way.change(|record| {
        record.end(
            "follow",
            way.deps.clock.now(),
            match &outcome {
                Ok(()) => last.to_string(),
                Err(error) => error.to_string(),
            },
        )
    })?;
    outcome.map(|()| last)
}

async fn forward(
    way: &Way<'_>,
    progress: &mut impl FnMut(Progress),
    told: &mut impl FnMut(Following),
    last: &mut Following,
) -> Result<(), MigrateError> {
    let before = until_there(async || Ok(way.deps.catalog.keeper().await?)).await?;
    let begun = until_there(async || Forward::begin(way, &mut *progress).await).await;
    let mut forward = match begun {
        Ok(forward) => forward,
        Err(error) => return Err(leave(way, before, error).await),
    };
    loop {
        let pause = match forward.look(&mut *progress).await {
            Ok(pause) => pause,
            Err(MigrateError::Unreachable(why)) => {
                forward.away(&why);
                AWAY
            }
            Err(error) => return Err(remedied(error)),
        };
        *last = forward.following();
        told(last.clone());
        tokio::time::sleep(pause).await;
    }
}

async fn backward(
    way: &Way<'_>,
    told: &mut impl FnMut(Following),
    last: &mut Following,
) -> Result<(), MigrateError> {
    let mut backward = until_there(async || Backward::begin(way).await).await?;
    loop {
        match backward.look().await {
            Ok(()) => {}
            Err(MigrateError::Unreachable(why)) => {
                backward.away(&why);
                tokio::time::sleep(AWAY).await;
            }
            Err(error) => return Err(remedied(error)),
        }
        *last = backward.following();
        told(last.clone());
    }
}

/// Tries until both sides are there.
async fn until_there<T>(mut begin: impl AsyncFnMut() -> Result<T, MigrateError>) -> Result<T, MigrateError> {
    loop {
        match begin().await {
            Err(MigrateError::Unreachable(_)) => tokio::time::sleep(AWAY).await,
            Err(error) => return Err(remedied(error)),
            begun => return begun,
        }
    }
}

/// Says how to go on when the source does not understand the mapping any more.
fn remedied(error: MigrateError) -> MigrateError {
    match error {
        MigrateError::Found(text) if text.contains(" says: ") => MigrateError::Found(format!(
            "{text}; mend the mapping or the table, look at it with `souk migrate plan`, and follow again: nothing is lost"
        )),
        other => other,
    }
}
