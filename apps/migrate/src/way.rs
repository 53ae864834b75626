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

use souk_ports::{Capture, EventLog, Keeper, OldTable, WayBack};

use crate::columns::FirstTable;
use crate::record::Record;
use crate::{Deps, Folder, Mapping, MigrateError, Progress};

use backward::Backward;
use forward::Forward;

pub use finish::{Finished, finish};
pub use state::{BackRecord, DifferencesRecord, Direction, FollowRecord, Following, TurnRecord};
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
        let record = self.bind().await?;
        if record.direction == Direction::Forward && self.is_turned_elsewhere(&record).await? {
            return Err(MigrateError::Usage(format!(
                "a cut-over was made here that the record in {} knows nothing of: name the folder that has it by --state; \
                 nothing was changed",
                self.folder.file("").display()
            )));
        }
        Ok(record)
    }

    async fn is_turned_elsewhere(&self, record: &Record) -> Result<bool, MigrateError> {
        if self.deps.catalog.keeper().await? == Keeper::Souk && self.old.back_position().await?.is_some() {
            return Ok(true);
        }
        // Killed while it turned: the fence is this record's own.
        let broken_off = |step: &str| record.steps.get(step).is_some_and(|step| step.ended.is_none());
        if broken_off("cutover") || broken_off("rollback") {
            return Ok(false);
        }
        match self.table().await {
            Ok(table) => Ok(self.old.is_fenced(&table).await?),
            // No trigger was ever on it.
            Err(MigrateError::Found(_)) => Ok(false),
            Err(error) => Err(error),
        }
    }
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
    let mut forward = until_there(async || Forward::begin(way, &mut *progress).await).await?;
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
