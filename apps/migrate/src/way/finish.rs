//! The end: what souk installed in the source goes, after a last comparison and a last audit.

use std::fmt;
use std::time::Duration;

use serde::Serialize;
use souk_ports::{Keeper, fault};

use super::backward::Backward;
use super::{Direction, ProvenRecord, Way};
use crate::backup::Judgement;
use crate::compare::{Difference, NAMED, Suspect, compare_with, settle};
use crate::{Comparison, MigrateError, Progress};

/// Looks at what seems to differ while souk is in use: a sale is back in the source a moment later.
const LOOKS: u32 = 5;
/// Time between two of them, in which events of what was just committed reach the log.
const BETWEEN: Duration = Duration::from_millis(500);
/// Differences that are looked at again; so many are no changes on their way.
const MOST: usize = 10_000;

/// What the end found, and whether it was one.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Finished {
    /// Whether what souk had in the source is gone.
    pub ok: bool,
    /// Who kept the products until then.
    pub direction: Direction,
    /// The last comparison; absent where there was nothing to compare, or it was given up.
    pub comparison: Option<Comparison>,
    /// Why there was none.
    pub not_compared: Option<String>,
    /// What the audit of souk's stores said, where there was one.
    pub audit: Option<Judgement>,
}

/// Ends the migration: after a cut-over once both sides are proven the same and souk's stores agree, which `audit` tells;
/// otherwise when it is given up.
///
/// # Errors
/// `Usage` when souk does not keep the products and nothing is given up; `Unreachable` when a side cannot be reached.
pub async fn finish(
    way: &Way<'_>,
    give_up: bool,
    audit: impl AsyncFnOnce() -> Judgement,
    mut progress: impl FnMut(Progress),
) -> Result<Finished, MigrateError> {
    let record = way.bind().await?;
    let direction = record.direction;
    if direction == Direction::Forward && !give_up {
        return Err(MigrateError::Usage(
            "the source keeps the products: cut over first, or give the migration up with --give-up"
                .to_owned(),
        ));
    }
    way.change(|record| record.begin("finish", way.deps.clock.now()))?;
    let mut finished = Finished { ok: true, direction, ..Finished::default() };
    match direction {
        Direction::Forward => finished.not_compared = Some("the migration is given up".to_owned()),
        Direction::Finished => {
            finished.not_compared = Some("it was finished before, and only goes on".to_owned());
        }
        Direction::Back | Direction::OneWay => {
            match last_comparison(way, direction, &mut progress).await {
                Ok(comparison) => finished.comparison = Some(comparison),
                Err(error) if give_up => finished.not_compared = Some(error.to_string()),
                Err(error) => return Err(error),
            }
            finished.audit = Some(audit().await);
            finished.ok = give_up || finished.is_proven();
        }
    }
    if !finished.ok {
        way.change(|record| record.end("finish", way.deps.clock.now(), finished.outcome()))?;
        return Ok(finished);
    }
    let only_here = direction == Direction::Forward && way.has_added_rows().await?;
    // The record first: with what is removed goes the place up to which was written back. Whoever is killed in between takes
    // the step again.
    let proven = finished.comparison.as_ref().filter(|it| it.ok);
    let proven = proven.map(|it| ProvenRecord::of("finish", way.deps.clock.now(), it));
    way.change(|record| {
        record.shut = None;
        record.proven = proven.or(record.proven.take());
        if direction == Direction::Forward {
            record.follow = None;
            if only_here {
                // Whose the added rows are is about to be forgotten: a copy would take them for others.
                record.copy = None;
            }
        } else {
            record.direction = Direction::Finished;
        }
    })?;
    fault::crash_point("migrate.finishing");
    way.old.remove().await?;
    fault::crash_point("migrate.removed");
    // What souk has from now on is its own, also of a migration that was given up.
    way.deps.catalog.set_keeper(Keeper::Souk).await?;
    way.change(|record| record.end("finish", way.deps.clock.now(), finished.outcome()))?;
    Ok(finished)
}

/// Compares everything while souk is in use.
async fn last_comparison(
    way: &Way<'_>,
    direction: Direction,
    progress: &mut impl FnMut(Progress),
) -> Result<Comparison, MigrateError> {
    let mut backward = match direction {
        Direction::Back => Some(Backward::begin(way).await?),
        // Nothing is written back.
        _ => None,
    };
    if let Some(backward) = &mut backward {
        backward.drain().await?;
    }
    let (judge, query) = crate::plan::judge(&way.deps.source, way.mapping).await?;
    let mut found = Vec::new();
    let note = |difference: &Difference| {
        if found.len() <= MOST {
            found.push(difference.clone());
        }
    };
    let mut comparison = compare_with(way.deps, &judge, &query, progress, note).await?;
    let Some(mut backward) = backward.filter(|_| found.len() <= MOST) else { return Ok(comparison) };
    for _ in 0..LOOKS {
        if found.is_empty() {
            break;
        }
        tokio::time::sleep(BETWEEN).await;
        backward.drain().await?;
        let suspects: Vec<Suspect> = found.into_iter().map(|it| (it.id, it.key)).collect();
        found = settle(way.deps, backward.judge(), &query, &suspects).await?;
    }
    comparison.differences = found.len() as u64;
    comparison.ok = found.is_empty();
    found.truncate(NAMED);
    comparison.named = found;
    Ok(comparison)
}

impl Finished {
    fn is_proven(&self) -> bool {
        self.comparison.as_ref().is_some_and(|it| it.ok) && self.audit.as_ref().is_some_and(|it| it.ok)
    }

    /// In a line, for the record.
    fn outcome(&self) -> String {
        let done = if self.ok { "nothing of souk is left in the source" } else { "refused" };
        let compared = match (&self.comparison, &self.not_compared) {
            (Some(comparison), _) => format!("; {} differences", comparison.differences),
            (None, Some(why)) => format!("; nothing was compared: {why}"),
            (None, None) => String::new(),
        };
        let audited = match &self.audit {
            Some(audit) if audit.ok => "; souk's stores agree",
            Some(_) => "; souk's stores do not agree",
            None => "",
        };
        format!("{done}{compared}{audited}")
    }
}

impl fmt::Display for Finished {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.comparison, &self.not_compared) {
            (Some(comparison), _) => write!(f, "{comparison}")?,
            (None, why) => write!(f, "nothing was compared: {}", why.as_deref().unwrap_or_default())?,
        }
        if let Some(audit) = &self.audit {
            write!(f, "\nsouk's own stores: {}", audit.detail)?;
        }
        let differs = self.comparison.as_ref().is_some_and(|comparison| !comparison.ok);
        if differs && self.direction == Direction::OneWay {
            write!(
                f,
                "\n(there is no way back: the source is as it was at the cut-over, and souk has been written to since)"
            )?;
        }
        if self.ok {
            return Ok(());
        }
        write!(f, "\nnothing was removed")?;
        if differs && self.direction == Direction::Back {
            write!(f, ": `souk migrate follow` puts right what differs")?;
        } else if !differs {
            write!(f, ": `souk audit` names what does not agree")?;
        }
        write!(f, "; --give-up removes what souk has in the source all the same")
    }
}
