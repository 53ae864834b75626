//! Who sold most, however many there are.
//!
//! The store has its figures in the order of their keys, so that a ranking reads all of them: a page at a time, keeping the
//! best alone, or a sum for each key where days are added up. Dashboards ask for the same again and again: an answer is kept
//! for some seconds, longer the longer it took, and one is made at a time.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use souk_domain::{Amount, Timestamp};
use souk_http::{Code, Problem};
use souk_ports::{Aggregate, AggregateQuery, Dimension, Window};
use tokio::sync::Mutex;
use tokio::time::Instant;

use crate::analytics::Shared;
use crate::consumer::complete_to;

/// Figures read at once.
const PAGE: usize = 1000;
/// Keys whose days are added up: some tens of megabytes.
const MOST_KEYS: usize = 200_000;
/// How long an answer is kept at least.
const KEPT: Duration = Duration::from_secs(2);
/// How many times as long as it took: a fifth of the time goes into rankings at most.
const KEPT_FOR: u32 = 4;
/// Candidates beyond the best that are held before the worse of them are let go.
const SPARE: usize = 4096;

/// What is ranked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Wanted {
    pub by: Dimension,
    /// The days from the first, to and without the second; all time when both are open.
    pub from: Option<Timestamp>,
    pub to: Option<Timestamp>,
    /// How many of the best.
    pub limit: usize,
}

/// The best, the first of them first.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Ranking {
    pub items: Vec<Ranked>,
    /// Everything up to here is in.
    pub as_of: Timestamp,
}

/// What a key has sold.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Ranked {
    pub key: Arc<str>,
    #[serde(flatten)]
    pub sold: Sold,
}

#[derive(Debug, Clone, Copy, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Sold {
    units_sold: i64,
    units_returned: i64,
    revenue: Amount,
}

/// Those that were made last.
#[derive(Default)]
pub(crate) struct Rankings(Mutex<Vec<Kept>>);

struct Kept {
    wanted: Wanted,
    until: Instant,
    ranking: Arc<Ranking>,
}

impl Rankings {
    /// Returns the ranking that is wanted, of now or of some seconds ago.
    ///
    /// # Errors
    /// A problem when the store cannot be read, or when there are more keys than days can be added up for.
    pub async fn get(&self, shared: &Shared, wanted: Wanted) -> Result<Arc<Ranking>, Problem> {
        // Held while one is made: who wants the same then finds it.
        let mut kept = self.0.lock().await;
        let began = Instant::now();
        kept.retain(|kept| kept.until > began);
        if let Some(kept) = kept.iter().find(|kept| kept.wanted == wanted) {
            return Ok(kept.ranking.clone());
        }
        let ranking = Arc::new(make(shared, &wanted).await?);
        let until = Instant::now() + KEPT.max(began.elapsed() * KEPT_FOR);
        kept.push(Kept { wanted, until, ranking: ranking.clone() });
        Ok(ranking)
    }
}

async fn make(shared: &Shared, wanted: &Wanted) -> Result<Ranking, Problem> {
    let log = &*shared.log;
    // Before the figures are read: they may be newer than they claim, never older.
    let as_of = complete_to(log, &shared.aggregates, &log.bounds().await?, shared.clock.now()).await?;
    let Wanted { by, from, to, limit } = wanted.clone();
    let window = if from.is_none() && to.is_none() { Window::All } else { Window::Day };
    let mut query = AggregateQuery { window, by, key: None, from, to, limit: PAGE, after: None };
    let mut best: Vec<Ranked> = Vec::new();
    let mut sums: HashMap<Arc<str>, Sold> = HashMap::new();
    loop {
        let page = shared.store.aggregates(log.identity(), &query).await?;
        query.after = page.items.last().map(|last| (last.key.bucket, last.key.key.clone()));
        for item in page.items {
            let Some(sold) = Sold::of(&item) else { continue };
            if window == Window::All {
                best.push(Ranked { key: item.key.key, sold });
            } else {
                sums.entry(item.key.key).or_default().add(sold);
            }
        }
        if sums.len() > MOST_KEYS {
            return Err(too_many());
        }
        if best.len() > limit + SPARE {
            keep_best(&mut best, limit);
        }
        if !page.more {
            break;
        }
    }
    // One of the two is empty.
    best.extend(sums.into_iter().map(|(key, sold)| Ranked { key, sold }));
    keep_best(&mut best, limit);
    Ok(Ranking { items: best, as_of })
}

impl Sold {
    /// `None` when nothing was sold and nothing came back.
    fn of(item: &Aggregate) -> Option<Self> {
        let measures = &item.measures;
        let (units_sold, units_returned) = (measures.units_sold, measures.units_returned);
        (units_sold > 0 || units_returned > 0).then_some(Self {
            units_sold,
            units_returned,
            revenue: measures.revenue,
        })
    }

    fn add(&mut self, other: Self) {
        self.units_sold += other.units_sold;
        self.units_returned += other.units_returned;
        self.revenue += other.revenue;
    }
}

/// Sorts, and lets all but the best go.
fn keep_best(best: &mut Vec<Ranked>, limit: usize) {
    best.sort_unstable_by(|one, other| {
        other.sold.revenue.cmp(&one.sold.revenue).then_with(|| one.key.cmp(&other.key))
    });
    best.truncate(limit);
}

fn too_many() -> Problem {
    let detail = format!(
        "more than {MOST_KEYS} of them sold something on these days: choose fewer days, or leave 'from' and 'to' away for a \
         ranking over all time"
    );
    Problem::new(Code::MalformedRequest, detail)
}
