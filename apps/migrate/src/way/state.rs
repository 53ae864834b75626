//! What the record says of the way between.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};
use souk_domain::Timestamp;

use crate::Comparison;

/// Rows that break a rule which the record names; more are let go until they change again.
const MOST_REFUSED: usize = 1_000;

/// Which side is followed by the other.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Direction {
    /// The source keeps the products, souk follows.
    #[default]
    Forward,
    /// souk keeps them, and they are written back.
    Back,
    /// souk keeps them, and nothing leads back.
    OneWay,
    /// Nothing of souk is left in the source.
    Finished,
}

/// How far following the source is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FollowRecord {
    /// The mapping that it was made with, as a digest.
    pub mapping: String,
    /// Whether a trigger tells of changes.
    pub trigger: bool,
    /// Everything committed in the source up to here is in souk, once `caught_up`.
    pub position: String,
    /// Whether the copy that it begins with has come to its end.
    pub caught_up: bool,
    /// How it goes.
    #[serde(flatten)]
    pub pace: Pace,
}

/// How far following souk is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BackRecord {
    /// How it goes.
    #[serde(flatten)]
    pub pace: Pace,
}

/// How following goes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Pace {
    /// Rows that were written or deleted since it began.
    pub taken: u64,
    /// Changes that waited at the last look.
    pub waiting: u64,
    /// How long the oldest of them had waited.
    pub lag_ms: i64,
    /// When that was.
    pub at: Option<Timestamp>,
    /// Why a side cannot be reached now.
    #[serde(default)]
    pub away: Option<String>,
    /// Rows that break a rule for which there is no policy, with what is wrong: the other side has them as they were before.
    #[serde(default)]
    pub refused: BTreeMap<String, String>,
}

impl Pace {
    /// Notes a row that is refused.
    pub(super) fn refuse(&mut self, key: &str, why: String) {
        if self.refused.len() < MOST_REFUSED {
            self.refused.insert(key.to_owned(), why);
        }
    }
}

/// What a comparison found that went on while both systems ran.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DifferencesRecord {
    /// When the last one ended.
    pub at: Option<Timestamp>,
    /// How many have ended.
    pub comparisons: u64,
    /// Differences that the last one found and that were no changes on their way; they were put right.
    pub found: u64,
    /// Some of them.
    pub examples: Vec<String>,
    /// How many all have found.
    pub in_all: u64,
}

/// A change of who keeps the products.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TurnRecord {
    /// When it took effect.
    pub at: Timestamp,
    /// Who keeps them since: `souk` or `source`.
    pub to: souk_ports::Keeper,
    /// For how long nobody could write, in milliseconds; `None`: it was killed before it could say.
    pub downtime_ms: Option<u64>,
}

/// What a comparison of everything found that was no difference, and upon which a step took effect.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ProvenRecord {
    /// The step.
    pub by: String,
    /// When.
    pub at: Timestamp,
    /// Rows of the source.
    pub rows: u64,
    /// Those of them that the policies leave out.
    pub skipped: u64,
    /// Products in souk.
    pub products: u64,
}

impl ProvenRecord {
    /// Notes a comparison without a difference.
    pub(super) fn of(by: &str, at: Timestamp, comparison: &Comparison) -> Self {
        let Comparison { rows, skipped, products, .. } = *comparison;
        Self { by: by.to_owned(), at, rows, skipped, products }
    }
}

impl fmt::Display for ProvenRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { by, at, rows, skipped, products } = self;
        write!(f, "{rows} rows ({skipped} skipped), {products} products: 0 differences at the {by} of {at}")
    }
}

/// Both sides are shut: a turn is under way, or was broken off.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ShutRecord {
    /// The step that shut the one that was open.
    pub by: String,
    /// When.
    pub since: Timestamp,
}

impl fmt::Display for ShutRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "nobody can write since {}, when a {} began that has not come to its end: `souk migrate cutover` lets souk write \
             if nothing differs, `souk migrate rollback` the old system",
            self.since, self.by
        )
    }
}

/// What is told while one side follows the other.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Following {
    /// Where to.
    pub direction: Direction,
    /// How it goes.
    #[serde(flatten)]
    pub pace: Pace,
    /// What comparisons found meanwhile.
    pub differences: DifferencesRecord,
}

impl fmt::Display for Following {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Pace { taken, waiting, lag_ms, refused, away, .. } = &self.pace;
        #[expect(clippy::cast_precision_loss, reason = "for people")]
        let lag = *lag_ms as f64 / 1_000.0;
        let to = if self.direction == Direction::Back { "written back" } else { "taken over" };
        write!(f, "{taken} changes {to}, {waiting} waiting, lag {lag:.1} s")?;
        if let Some(away) = away {
            write!(f, "; waiting: {away}")?;
        }
        if !refused.is_empty() {
            write!(f, "; {} rows refused", refused.len())?;
            if let Some((key, why)) = refused.iter().next() {
                write!(f, ", such as {key}: {why}")?;
            }
        }
        if self.differences.comparisons > 0 {
            write!(f, "; compared meanwhile: {} differences", self.differences.found)?;
        }
        // Each was put right when it was found.
        if self.differences.in_all > 0 {
            write!(f, ", {} in all", self.differences.in_all)?;
        }
        Ok(())
    }
}
