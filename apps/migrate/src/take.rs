//! Hands imports to the catalog, in units, and gets over what refuses one.

use std::collections::BTreeSet;
use std::time::Duration;

use souk_domain::{Command, Import, Migration, Phase, Product, ProductId, Rejection, Replacement, Timestamp};
use souk_ports::{ExecuteError, Outcome, Refusal, UnitOfWork};
use tokio::task::JoinSet;

use crate::{Deps, MigrateError};

/// Commands of a unit: the catalog commits several units at once, so this need not be large.
const UNIT: usize = 128;
/// How long a catalog that takes nothing is tried again.
const PATIENCE: Duration = Duration::from_secs(60);
/// Pause between tries.
const PAUSE: Duration = Duration::from_millis(50);

/// What became of some imports.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Taken {
    /// Products that were created or changed.
    pub changed: u64,
    /// Products that were so already.
    pub same: u64,
    /// Products that were not taken, since another one has their sku.
    pub contested: Vec<ProductId>,
}

/// What is done about a sku that another product has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Contest {
    /// It changes hands: the other one has another sku in the source, or none.
    Win,
    /// The import is put aside, until somebody has looked who has it in the source.
    Tell,
}

/// Imports products; each is what it is to be when this returns, but for those that are contested.
pub(crate) async fn take(deps: &Deps, imports: Vec<Import>, contest: Contest) -> Result<Taken, MigrateError> {
    let mut units = JoinSet::new();
    let mut imports = imports.into_iter().peekable();
    while imports.peek().is_some() {
        let unit: Vec<Import> = imports.by_ref().take(UNIT).collect();
        let deps = deps.clone();
        units.spawn(async move { take_unit(&deps, unit, contest).await });
    }
    let mut taken = Taken::default();
    while let Some(unit) = units.join_next().await {
        let unit = unit.map_err(MigrateError::cut_off)??;
        taken.changed += unit.changed;
        taken.same += unit.same;
        taken.contested.extend(unit.contested);
    }
    Ok(taken)
}

/// A product that is gone in the source, and when that was noted.
pub(crate) type Gone = (ProductId, Option<Timestamp>);

/// Deletes products; one that is gone already is no fault. Returns how many there were.
pub(crate) async fn delete(deps: &Deps, gone: &[Gone], migration: &Migration) -> Result<u64, MigrateError> {
    let mut deleted = 0;
    for gone in gone.chunks(UNIT) {
        let command = |(id, noted_at): &Gone| Command::ImportDelete {
            id: *id,
            migration: migration.clone(),
            noted_at: *noted_at,
        };
        let mut left: Vec<Gone> = gone.to_vec();
        while !left.is_empty() {
            match execute(deps, left.iter().map(command).collect()).await? {
                Ok(_) => {
                    deleted += left.len() as u64;
                    break;
                }
                Err(refusals) => {
                    let gone: BTreeSet<usize> = refusals.iter().map(|refusal| refusal.index).collect();
                    let mut index = 0;
                    left.retain(|_| {
                        index += 1;
                        !gone.contains(&(index - 1))
                    });
                }
            }
        }
    }
    Ok(deleted)
}

async fn take_unit(deps: &Deps, imports: Vec<Import>, contest: Contest) -> Result<Taken, MigrateError> {
    let commands = imports.iter().cloned().map(Command::Import).collect();
    let refusals = match execute(deps, commands).await? {
        Ok(changed) => return Ok(count(&changed)),
        Err(refusals) => refusals,
    };
    // Those that nothing speaks against first, then each of the others by itself.
    let refused: BTreeSet<usize> = refusals.iter().map(|refusal| refusal.index).collect();
    let (mut against, mut free) = (Vec::new(), Vec::new());
    for (index, import) in imports.into_iter().enumerate() {
        if refused.contains(&index) { against.push(import) } else { free.push(import) }
    }
    let mut taken = Taken::default();
    if !free.is_empty() {
        match execute(deps, free.iter().cloned().map(Command::Import).collect()).await? {
            Ok(changed) => taken = count(&changed),
            // What is refused now was not before: somebody else writes here.
            Err(_) => against.extend(free),
        }
    }
    for import in against {
        let id = import.id;
        if take_one(deps, import, contest).await? { taken.changed += 1 } else { taken.contested.push(id) }
    }
    Ok(taken)
}

fn count(changed: &[bool]) -> Taken {
    let same = changed.iter().filter(|changed| !**changed).count() as u64;
    Taken { changed: changed.len() as u64 - same, same, contested: Vec::new() }
}

/// Takes a product that was refused: an id that was given to another product, or a sku that changed hands. Returns whether
/// it did.
async fn take_one(deps: &Deps, import: Import, contest: Contest) -> Result<bool, MigrateError> {
    /// A sku changes hands once, an id once: more is somebody else's work.
    const TRIES: usize = 6;
    let mut before: Vec<Command> = Vec::new();
    for _ in 0..TRIES {
        let commands = before.iter().cloned().chain([Command::Import(import.clone())]).collect();
        let Err(refusals) = execute(deps, commands).await? else { return Ok(true) };
        let Some(Refusal { rejection, .. }) = refusals.into_iter().next() else { break };
        match rejection {
            Rejection::AlreadyExists { product_id } => {
                let (migration, noted_at) = (import.migration.clone(), import.noted_at);
                before.push(Command::ImportDelete { id: product_id, migration, noted_at });
            }
            Rejection::SkuTaken { .. } if contest == Contest::Tell => return Ok(false),
            Rejection::SkuTaken { product_id } => match deps.catalog.product(product_id).await? {
                // It has another one in the source by now, and gets it when its turn comes.
                Some(holder) => before.push(Command::Import(without_sku(&holder, &import))),
                None => before.clear(),
            },
            // Deleted since.
            Rejection::NotFound { .. } => before.clear(),
            other => {
                return Err(MigrateError::Found(format!("product {} is refused: {other}", import.id)));
            }
        }
    }
    Err(MigrateError::Found(format!(
        "product {} is refused again and again: somebody else writes to the catalog; until the cut-over only the migration \
         may",
        import.id
    )))
}

fn without_sku(holder: &Product, import: &Import) -> Import {
    Import {
        id: holder.id,
        seller_id: holder.seller_id.clone(),
        fields: Replacement {
            sku: None,
            name: holder.name.clone(),
            description: holder.description.clone(),
            category: holder.category.clone(),
            price: holder.price,
            stock: holder.stock,
            low_stock_threshold: holder.low_stock_threshold,
        },
        unmapped: Vec::new(),
        created_at: Some(holder.created_at),
        updated_at: Some(holder.updated_at),
        noted_at: import.noted_at,
        migration: Migration { phase: Phase::Copy, ..import.migration.clone() },
    }
}

/// Carries out a unit, again and again while the catalog takes nothing; what it did twice is harmless. Returns
/// whether each command changed anything.
async fn execute(
    deps: &Deps,
    commands: Vec<Command>,
) -> Result<Result<Vec<bool>, Vec<Refusal>>, MigrateError> {
    let began = tokio::time::Instant::now();
    loop {
        let unit = UnitOfWork { commands: commands.clone(), idempotency: None };
        let why = match deps.catalog.execute(unit).await {
            Ok(Outcome::Applied(applied)) => {
                return Ok(Ok(applied.iter().map(|done| done.changed).collect()));
            }
            Ok(Outcome::Replayed(_)) => unreachable!("there was no key"),
            Err(ExecuteError::Rejected(refusals)) => return Ok(Err(refusals)),
            Err(ExecuteError::KeyReused) => unreachable!("there was no key"),
            Err(ExecuteError::Overloaded(why) | ExecuteError::OutcomeUnknown(why)) => why,
            Err(ExecuteError::Failed(error)) if error.is_retryable() => error.to_string(),
            Err(ExecuteError::Failed(error)) => return Err(error.into()),
        };
        if began.elapsed() > PATIENCE {
            return Err(MigrateError::Unreachable(format!("the catalog takes nothing: {why}")));
        }
        tokio::time::sleep(PAUSE).await;
    }
}
