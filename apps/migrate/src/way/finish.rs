//! The end: what souk installed in the source goes, after a last comparison.

use souk_ports::{Keeper, fault};

use super::backward::Backward;
use super::{Direction, Way};
use crate::compare::compare_with;
use crate::{Comparison, MigrateError, Progress};

/// Ends the migration: after a cut-over once both sides are proven the same, before one when it is given up.
///
/// # Errors
/// `Usage` when souk does not keep the products and nothing is given up; `Unreachable` when a side cannot be reached.
pub async fn finish(
    way: &Way<'_>,
    give_up: bool,
    mut progress: impl FnMut(Progress),
) -> Result<Comparison, MigrateError> {
    let record = way.bind().await?;
    way.change(|record| record.begin("finish", way.deps.clock.now()))?;
    let comparison = match record.direction {
        Direction::Back => {
            let mut backward = Backward::begin(way).await?;
            backward.drain().await?;
            let (judge, query) = crate::plan::judge(&way.deps.source, way.mapping).await?;
            compare_with(way.deps, &judge, &query, &mut progress, |_| {}).await?
        }
        // Nothing was written back: the source is of the past.
        Direction::OneWay | Direction::Finished => Comparison { ok: true, ..Comparison::default() },
        Direction::Forward if give_up => Comparison { ok: true, ..Comparison::default() },
        Direction::Forward => {
            return Err(MigrateError::Usage(
                "the source keeps the products: cut over first, or give the migration up with --give-up"
                    .to_owned(),
            ));
        }
    };
    if !comparison.ok {
        let told = format!("refused: {} differences", comparison.differences);
        way.change(|record| record.end("finish", way.deps.clock.now(), told))?;
        return Ok(comparison);
    }
    // The record first: with what is removed goes the place up to which was written back. Whoever is killed in between takes
    // the step again.
    way.change(|record| {
        record.shut = None;
        record.direction = if give_up && record.direction == Direction::Forward {
            record.follow = None;
            Direction::Forward
        } else {
            Direction::Finished
        };
    })?;
    fault::crash_point("migrate.finishing");
    way.old.remove().await?;
    fault::crash_point("migrate.removed");
    // What souk has from now on is its own, also of a migration that was given up.
    way.deps.catalog.set_keeper(Keeper::Souk).await?;
    way.change(|record| record.end("finish", way.deps.clock.now(), "nothing of souk is left in the source"))?;
    Ok(comparison)
}
