//! How far each consumer is behind the log.

use serde::Serialize;
use souk_domain::Timestamp;
use souk_ports::{EventLog, Offset, Partition, PartitionBounds, PortError, ReadLimit};

use super::ConsumerState;

/// A consumer's progress, as `GET /progress` gives it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Progress {
    pub name: &'static str,
    pub group: String,
    pub partitions: Vec<PartitionProgress>,
    /// Events not yet done with, over all partitions.
    pub lag_events: u64,
    /// Age of the oldest of them.
    pub lag_seconds: f64,
    /// What keeps it from going on.
    pub problem: Option<String>,
}

/// A consumer's progress in one partition.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PartitionProgress {
    pub partition: Partition,
    /// Everything before is done with and durable.
    pub position: Offset,
    /// The offset that the log's next record will have at least.
    pub end: Offset,
    pub lag_events: u64,
    pub lag_seconds: f64,
}

/// Measures how far the consumer is behind `bounds`.
///
/// Offsets have holes, so `lagEvents` may count a few too many, but it is 0 exactly when nothing is left.
///
/// # Errors
/// When the log cannot be read.
pub(crate) async fn progress(
    log: &dyn EventLog,
    state: &ConsumerState,
    bounds: &[PartitionBounds],
    now: Timestamp,
) -> Result<Progress, PortError> {
    let places = places(log, state, bounds).await?;
    let partitions: Vec<PartitionProgress> = places
        .into_iter()
        .map(|Place { partition, position, end, oldest }| {
            let (lag_events, lag_seconds) = match oldest {
                Some((offset, appended_at)) => {
                    #[expect(clippy::cast_precision_loss, reason = "an age in milliseconds")]
                    let age = (now.millis() - appended_at.millis()).max(0) as f64 / 1000.0;
                    (end.saturating_sub(offset).max(1), age)
                }
                None => (0, 0.0),
            };
            PartitionProgress { partition, position, end, lag_events, lag_seconds }
        })
        .collect();
    Ok(Progress {
        name: state.name,
        group: state.group.clone(),
        lag_events: partitions.iter().map(|p| p.lag_events).sum(),
        lag_seconds: partitions.iter().map(|p| p.lag_seconds).fold(0.0, f64::max),
        partitions,
        problem: state.problem(),
    })
}

/// Returns the time up to which the consumer has taken everything in: `now` when it has caught up with `bounds`,
/// else the time of the oldest event that is left.
///
/// # Errors
/// When the log cannot be read.
pub(crate) async fn complete_to(
    log: &dyn EventLog,
    state: &ConsumerState,
    bounds: &[PartitionBounds],
    now: Timestamp,
) -> Result<Timestamp, PortError> {
    let places = places(log, state, bounds).await?;
    Ok(places.into_iter().filter_map(|place| place.oldest).map(|(_, time)| time).fold(now, Timestamp::min))
}

/// Where a consumer is in a partition.
struct Place {
    partition: Partition,
    position: Offset,
    end: Offset,
    /// Offset and time of the first record that it has not taken in.
    oldest: Option<(Offset, Timestamp)>,
}

async fn places(
    log: &dyn EventLog,
    state: &ConsumerState,
    bounds: &[PartitionBounds],
) -> Result<Vec<Place>, PortError> {
    let mut committed = None;
    let mut places = Vec::with_capacity(bounds.len());
    for (partition, bounds) in (0..).zip(bounds) {
        let position = match state.position(partition) {
            Some(position) => position,
            // Another member has it, or nobody yet.
            None => {
                if committed.is_none() {
                    committed = Some(log.committed(&state.group).await?);
                }
                committed.as_ref().and_then(|all| all.get(partition as usize).copied()).unwrap_or(0)
            }
        };
        let records = if position >= bounds.next {
            Vec::new()
        } else {
            log.read(partition, position, ReadLimit { records: 1, bytes: 1 }).await?
        };
        let oldest = records.first().map(|record| (record.offset, record.appended_at));
        places.push(Place { partition, position, end: bounds.next, oldest });
    }
    Ok(places)
}

/// Tells whether a reader at `position` has everything before `target`: it is there, or the rest is a hole.
///
/// # Errors
/// When the log cannot be read.
pub(crate) async fn caught_up(
    log: &dyn EventLog,
    partition: Partition,
    position: Offset,
    target: Offset,
) -> Result<bool, PortError> {
    if position >= target {
        return Ok(true);
    }
    let records = log.read(partition, position, ReadLimit { records: 1, bytes: 1 }).await?;
    Ok(records.first().is_none_or(|record| record.offset >= target))
}
