//! The archive as a log: a partition's events in order, for those who come too late for the log itself.

use futures_util::TryStreamExt as _;
use futures_util::stream::BoxStream;
use object_store::path::Path;
use object_store::{ObjectMeta, ObjectStore};
use souk_domain::Timestamp;
use souk_events::LogId;
use souk_ports::{LogRecord, Offset, Partition};

use super::reader::{ReadError, read_footer, read_object};
use super::{ArchivedObject, hour_folder, log_prefix};

/// Returns the records of `partition` in the object that holds `next` or begins there, from `next` on, and where the
/// object ends; `None` when no object does.
pub(crate) async fn replay(
    store: &dyn ObjectStore,
    log: LogId,
    partition: Partition,
    next: Offset,
) -> Result<Option<(Vec<LogRecord>, Offset)>, ReadError> {
    // Offsets in keys are where objects begin.
    let objects = of_partition(store, log, partition).await?;
    let Some((_, meta)) = objects.into_iter().rev().find(|(first, _)| *first <= next) else {
        return Ok(None);
    };
    records(store, &meta, next).await
}

/// As [`replay`], but begins no earlier than the hour of `since`, wherever that is.
pub(crate) async fn replay_since(
    store: &dyn ObjectStore,
    log: LogId,
    partition: Partition,
    next: Offset,
    since: Timestamp,
) -> Result<Option<(Vec<LogRecord>, Offset)>, ReadError> {
    let from = format!("{}/{}", log_prefix(log), hour_folder(since));
    let mut objects = of_partition(store, log, partition).await?;
    objects.retain(|(_, meta)| *meta.location.as_ref() >= *from);
    let place = objects.iter().rposition(|(first, _)| *first <= next).unwrap_or(0);
    let Some((first, meta)) = objects.get(place) else { return Ok(None) };
    records(store, meta, next.max(*first)).await
}

async fn records(
    store: &dyn ObjectStore,
    meta: &ObjectMeta,
    next: Offset,
) -> Result<Option<(Vec<LogRecord>, Offset)>, ReadError> {
    let contents = read_object(store, meta.location.as_ref()).await?;
    let footer = &contents.object.footer;
    if footer.next_offset <= next {
        return Ok(None);
    }
    let record = |event: super::ArchivedEvent| LogRecord {
        partition: footer.partition,
        offset: event.offset,
        appended_at: footer.created_at,
        payload: event.payload,
    };
    let end = footer.next_offset;
    Ok(Some((contents.events.into_iter().filter(|event| event.offset >= next).map(record).collect(), end)))
}

/// Returns the last object of `partition`.
pub(super) async fn last_object(
    store: &dyn ObjectStore,
    log: LogId,
    partition: Partition,
) -> Result<Option<ArchivedObject>, ReadError> {
    match of_partition(store, log, partition).await?.pop() {
        Some((_, meta)) => read_footer(store, meta).await.map(Some),
        None => Ok(None),
    }
}

/// Returns where an archive goes on that is at `position`, whose next record was appended at `time`: there, when no
/// object reaches beyond it or one begins there, which whoever finds it in the way proves; else where the last one ends.
pub(super) async fn beyond(
    store: &dyn ObjectStore,
    log: LogId,
    partition: Partition,
    position: Offset,
    time: Timestamp,
) -> Result<Offset, ReadError> {
    // No record is of a later hour than its object: what is older cannot hold it.
    let hour = Path::from(format!("{}/{}", log_prefix(log), hour_folder(time)));
    let prefix = Path::from(log_prefix(log));
    let mut objects = pick(store.list_with_offset(Some(&prefix), &hour), partition).await?;
    if objects.iter().any(|(first, _)| *first == position) {
        return Ok(position);
    }
    match objects.pop() {
        Some((_, meta)) => Ok(read_footer(store, meta).await?.footer.next_offset.max(position)),
        None => Ok(position),
    }
}

/// Returns the objects of `partition` with where they begin, in that order.
async fn of_partition(
    store: &dyn ObjectStore,
    log: LogId,
    partition: Partition,
) -> Result<Vec<(Offset, ObjectMeta)>, ReadError> {
    pick(store.list(Some(&Path::from(log_prefix(log)))), partition).await
}

async fn pick(
    objects: BoxStream<'_, object_store::Result<ObjectMeta>>,
    partition: Partition,
) -> Result<Vec<(Offset, ObjectMeta)>, ReadError> {
    let folder = format!("p={partition:05}");
    let mut found: Vec<(Offset, ObjectMeta)> = objects
        .try_filter_map(|meta| {
            let first = first_offset(meta.location.as_ref(), &folder);
            std::future::ready(Ok(first.map(|first| (first, meta))))
        })
        .try_collect()
        .await?;
    found.sort_unstable_by_key(|(first, _)| *first);
    Ok(found)
}

fn first_offset(key: &str, folder: &str) -> Option<Offset> {
    let mut parts = key.rsplit('/');
    let name = parts.next()?;
    (parts.next()? == folder).then_some(())?;
    name.strip_prefix("o=")?.strip_suffix(".parquet")?.parse().ok()
}
