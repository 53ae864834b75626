//! Reading the archive: objects in the order of keys, and what an object holds.

use bytes::Bytes;
use futures_util::{StreamExt as _, TryStreamExt as _};
use object_store::path::Path;
use object_store::{GetOptions, GetRange, ObjectMeta, ObjectStore, ObjectStoreExt as _};
use parquet::column::reader::get_typed_column_reader;
use parquet::data_type::{ByteArray, ByteArrayType, DataType, Int64Type};
use parquet::errors::ParquetError;
use parquet::file::FOOTER_SIZE;
use parquet::file::metadata::{FooterTail, ParquetMetaData, ParquetMetaDataReader};
use parquet::file::reader::{FileReader, RowGroupReader, SerializedFileReader};
use souk_domain::Timestamp;
use souk_events::LogId;
use souk_ports::{Offset, Partition};

use super::footer::RecordDigest;
use super::{Footer, hour_folder, log_prefix};

/// Bytes read from an object's end at first: a footer with its statistics takes about two thousand.
const TAIL_BYTES: u64 = 16 * 1024;

/// Footers read at once, to hide a store's round trips.
const CONCURRENT_READS: usize = 16;

/// Positions of the columns that are read back.
pub(super) const OFFSET_COLUMN: usize = 1;
pub(super) const EVENT_COLUMN: usize = 8;

/// What cannot be read from the archive; each names the object.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The store failed; it may succeed later.
    #[error("archive cannot be read: {0}")]
    Store(#[from] object_store::Error),
    /// An object is not what its key says, or damaged.
    #[error("archived object {key} is damaged or not souk's: {reason}")]
    Damaged {
        /// The object.
        key: String,
        /// What is wrong with it.
        reason: String,
    },
}

impl ReadError {
    pub(super) fn damaged(key: &str, reason: impl ToString) -> Self {
        Self::Damaged { key: key.to_owned(), reason: reason.to_string() }
    }
}

/// An object of the archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ArchivedObject {
    /// Its key.
    pub key: String,
    /// Its size.
    pub bytes: u64,
    /// What it says about itself.
    pub footer: Footer,
}

/// An event as it lies in the archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ArchivedEvent {
    /// Its offset in the log.
    pub offset: Offset,
    /// The event as it was published.
    pub payload: Bytes,
}

/// An object with its events, in the order of offsets.
#[derive(Debug)]
pub struct Contents {
    /// The object.
    pub object: ArchivedObject,
    /// Its partition.
    pub partition: Partition,
    /// Its events.
    pub events: Vec<ArchivedEvent>,
}

/// Which objects.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ObjectQuery {
    /// Whose events were logged in this hour or later.
    pub from: Option<Timestamp>,
    /// Whose first event was logged before this time, as far as its hour tells.
    pub to: Option<Timestamp>,
    /// After this key.
    pub after: Option<String>,
    /// Most objects returned.
    pub limit: usize,
}

/// Returns the objects of `log` in the order of keys, which is by hour, partition and offset, and whether there are
/// more. Folders are walked one by one, so a page costs what it shows.
///
/// # Errors
/// [`ReadError`].
pub async fn objects(
    store: &dyn ObjectStore,
    log: LogId,
    query: &ObjectQuery,
) -> Result<(Vec<ArchivedObject>, bool), ReadError> {
    let mut found = walk(store, log, query).await?;
    let more = found.len() > query.limit;
    found.truncate(query.limit);
    let footers = futures_util::stream::iter(found)
        .map(|meta| read_footer(store, meta))
        .buffered(CONCURRENT_READS)
        .try_collect()
        .await?;
    Ok((footers, more))
}

/// A folder yet to be listed, or an object.
enum Node {
    Folder(Path),
    Object(ObjectMeta),
}

impl Node {
    fn key(&self) -> &str {
        match self {
            Self::Folder(path) => path.as_ref(),
            Self::Object(meta) => meta.location.as_ref(),
        }
    }
}

/// Returns the first objects that match, one more than wanted if there are more.
async fn walk(
    store: &dyn ObjectStore,
    log: LogId,
    query: &ObjectQuery,
) -> Result<Vec<ObjectMeta>, ReadError> {
    let root = log_prefix(log);
    let from = query.from.map(|from| format!("{root}/{}", hour_folder(from)));
    // An hour that begins at `to` is past it.
    let last = query.to.map(|to| Timestamp::from_millis(to.millis().saturating_sub(1)));
    let to = last.map(|last| format!("{root}/{}", hour_folder(last)));
    // Names in a folder have one length, so that keys compare as their prefixes do.
    let head = |bound: &str, key: &str| bound[..bound.len().min(key.len())].to_owned();
    let wanted = |node: &Node| {
        let key = node.key();
        let cut = |bound: &str| &key[..bound.len().min(key.len())];
        let after = query.after.as_deref().is_none_or(|after| match node {
            Node::Folder(_) => key >= &*head(after, key),
            Node::Object(_) => key > after,
        });
        after
            && from.as_deref().is_none_or(|from| cut(from) >= &*head(from, key))
            && to.as_deref().is_none_or(|to| cut(to) <= &*head(to, key))
    };
    let mut found = Vec::new();
    // The next node is on top.
    let mut nodes = vec![Node::Folder(Path::from(root.as_str()))];
    while let Some(node) = nodes.pop() {
        match node {
            Node::Object(meta) => {
                found.push(meta);
                if found.len() > query.limit {
                    break;
                }
            }
            Node::Folder(path) => {
                let listed = store.list_with_delimiter(Some(&path)).await?;
                let folders = listed.common_prefixes.into_iter().map(Node::Folder);
                let objects =
                    listed.objects.into_iter().filter(|meta| meta.location.as_ref().ends_with(".parquet"));
                let start = nodes.len();
                nodes.extend(folders.chain(objects.map(Node::Object)).filter(&wanted));
                nodes[start..].sort_unstable_by(|a, b| b.key().cmp(a.key()));
            }
        }
    }
    Ok(found)
}

/// Reads an object's footer from its end.
pub(super) async fn read_footer(
    store: &dyn ObjectStore,
    meta: ObjectMeta,
) -> Result<ArchivedObject, ReadError> {
    let key = meta.location.as_ref();
    if meta.size < FOOTER_SIZE as u64 {
        return Err(ReadError::damaged(key, "it is too short"));
    }
    let mut tail = read_tail(store, &meta.location, TAIL_BYTES.min(meta.size)).await?;
    let damaged = |error: ParquetError| ReadError::damaged(key, error);
    let end = tail.last_chunk::<FOOTER_SIZE>().ok_or_else(|| ReadError::damaged(key, "it is too short"))?;
    let length = FooterTail::try_new(end).map_err(damaged)?.metadata_length();
    let whole = length.saturating_add(FOOTER_SIZE);
    if whole as u64 > meta.size {
        return Err(ReadError::damaged(key, "its footer is longer than itself"));
    }
    if whole > tail.len() {
        tail = read_tail(store, &meta.location, whole as u64).await?;
    }
    let from = tail.len().checked_sub(whole).ok_or_else(|| ReadError::damaged(key, "it is too short"))?;
    let metadata =
        ParquetMetaDataReader::decode_metadata(&tail[from..tail.len() - FOOTER_SIZE]).map_err(damaged)?;
    object(key, meta.size, &metadata)
}

async fn read_tail(store: &dyn ObjectStore, location: &Path, bytes: u64) -> Result<Bytes, ReadError> {
    let options = GetOptions { range: Some(GetRange::Suffix(bytes)), ..GetOptions::default() };
    Ok(store.get_opts(location, options).await?.bytes().await?)
}

pub(super) fn object(key: &str, bytes: u64, metadata: &ParquetMetaData) -> Result<ArchivedObject, ReadError> {
    let footer = Footer::of(metadata).map_err(|reason| ReadError::damaged(key, reason))?;
    Ok(ArchivedObject { key: key.to_owned(), bytes, footer })
}

/// Reads an object whole and proves it: the rows have to be those of its digest.
///
/// # Errors
/// [`ReadError`]; `Store` with `NotFound` when there is no such object.
pub async fn read_object(store: &dyn ObjectStore, key: &str) -> Result<Contents, ReadError> {
    let bytes = store.get(&Path::from(key)).await?.bytes().await?;
    let owned = key.to_owned();
    tokio::task::spawn_blocking(move || decode(&owned, bytes))
        .await
        .map_err(|e| ReadError::damaged(key, format!("reading it was cut off: {e}")))?
}

fn decode(key: &str, bytes: Bytes) -> Result<Contents, ReadError> {
    let damaged = |error: ParquetError| ReadError::damaged(key, error);
    let size = bytes.len() as u64;
    let file = SerializedFileReader::new(bytes).map_err(damaged)?;
    let object = object(key, size, file.metadata())?;
    let mut events = Vec::new();
    for group in 0..file.num_row_groups() {
        let group = file.get_row_group(group).map_err(damaged)?;
        let offsets = column::<Int64Type>(&*group, OFFSET_COLUMN).map_err(damaged)?;
        let payloads: Vec<ByteArray> = column::<ByteArrayType>(&*group, EVENT_COLUMN).map_err(damaged)?;
        if offsets.len() != payloads.len() {
            return Err(ReadError::damaged(key, "its columns differ in length"));
        }
        events.extend(offsets.into_iter().zip(payloads).map(|(offset, payload)| ArchivedEvent {
            offset: offset.cast_unsigned(),
            payload: Bytes::copy_from_slice(payload.data()),
        }));
    }
    events.sort_unstable_by_key(|event| event.offset);
    let mut digest = RecordDigest::default();
    for event in &events {
        digest.update(event.offset, &event.payload);
    }
    let footer = &object.footer;
    if events.len() as u64 != footer.rows {
        let reason = format!("it has {} rows, its footer says {}", events.len(), footer.rows);
        return Err(ReadError::damaged(key, reason));
    }
    if digest.finish() != footer.digest {
        return Err(ReadError::damaged(key, "its rows do not match its digest"));
    }
    if events.iter().any(|event| !(footer.first_offset..footer.next_offset).contains(&event.offset)) {
        return Err(ReadError::damaged(key, "it holds offsets outside its range"));
    }
    Ok(Contents { partition: footer.partition, object, events })
}

fn column<T: DataType>(group: &dyn RowGroupReader, index: usize) -> Result<Vec<T::T>, ParquetError> {
    let rows = usize::try_from(group.metadata().num_rows()).unwrap_or(0);
    let mut values = Vec::with_capacity(rows);
    let mut reader = get_typed_column_reader::<T>(group.get_column_reader(index)?);
    while values.len() < rows {
        let (read, ..) = reader.read_records(rows - values.len(), None, None, &mut values)?;
        if read == 0 {
            break;
        }
    }
    Ok(values)
}
