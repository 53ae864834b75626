//! Records to Parquet bytes, with the low-level column writers: no copy of a payload but the one into its page.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock};

use bytes::Bytes;
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::data_type::{ByteArray, ByteArrayType, DataType, Int32Type, Int64Type};
use parquet::errors::ParquetError;
use parquet::file::metadata::SortingColumn;
use parquet::file::properties::{EnabledStatistics, WriterProperties, WriterPropertiesPtr};
use parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use parquet::schema::parser::parse_message_type;
use parquet::schema::types::{ColumnPath, TypePtr};
use souk_domain::{EventType, Timestamp};
use souk_events::LogId;
use souk_ports::{LogRecord, Offset, Partition};

use super::envelope::{Columns, columns};
use super::footer::{Footer, RecordDigest, is_archivable};

/// zstd's fastest ordinary level: level 3 saves a tenth of the bytes and costs a third of the speed.
const ZSTD_LEVEL: i32 = 1;

/// Values handed to a column writer at once: enough to hide the call, few enough to stay in the cache.
const CHUNK: usize = 1024;

/// The columns, in their order.
static SCHEMA: LazyLock<TypePtr> = LazyLock::new(|| {
    let message = "message event {
        required int32 partition;
        required int64 offset;
        required binary id (STRING);
        required binary type (STRING);
        required binary subject (STRING);
        required binary sellerid (STRING);
        required int64 time (TIMESTAMP(MILLIS, true));
        required int64 version;
        required binary event (STRING);
    }";
    Arc::new(parse_message_type(message).expect("the schema is written above"))
});

/// Positions in the schema of the columns that rows are sorted by.
const SORTED_BY: [i32; 2] = [5, 6];

static PROPERTIES: LazyLock<WriterPropertiesPtr> = LazyLock::new(|| {
    let level = ZstdLevel::try_new(ZSTD_LEVEL).expect("a level that zstd has");
    let sorted =
        SORTED_BY.map(|column_idx| SortingColumn { column_idx, descending: false, nulls_first: false });
    let column = |name: &str| ColumnPath::from(name);
    // Numbers of a few bits each, and places in a dictionary: zstd makes them no smaller, and takes memory for each.
    let packed = ["partition", "offset", "type", "sellerid", "time", "version"];
    let properties = packed
        .into_iter()
        .fold(WriterProperties::builder(), |properties, name| {
            properties.set_column_compression(column(name), Compression::UNCOMPRESSED)
        })
        .set_created_by(concat!("souk ", env!("CARGO_PKG_VERSION")).to_owned())
        .set_compression(Compression::ZSTD(level))
        .set_sorting_columns(Some(sorted.to_vec()))
        // Ids and events do not repeat; looking them up in a dictionary would only cost time.
        .set_dictionary_enabled(false)
        .set_column_dictionary_enabled(column("type"), true)
        .set_column_dictionary_enabled(column("sellerid"), true)
        // Runs and small steps: a few bits each.
        .set_column_encoding(column("partition"), Encoding::DELTA_BINARY_PACKED)
        .set_column_encoding(column("offset"), Encoding::DELTA_BINARY_PACKED)
        .set_column_encoding(column("time"), Encoding::DELTA_BINARY_PACKED)
        .set_column_encoding(column("version"), Encoding::DELTA_BINARY_PACKED)
        // The smallest and the largest of what rows are not sorted by say nothing to anybody.
        .set_column_statistics_enabled(column("id"), EnabledStatistics::None)
        .set_column_statistics_enabled(column("subject"), EnabledStatistics::None)
        .set_column_statistics_enabled(column("event"), EnabledStatistics::None)
        .build();
    Arc::new(properties)
});

/// Which part of the log an object holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// The log.
    pub log: LogId,
    /// The partition.
    pub partition: Partition,
    /// Where the object begins: the next offset of the object before it.
    pub first_offset: Offset,
    /// Where the next object begins.
    pub next_offset: Offset,
    /// When it is written.
    pub created_at: Timestamp,
}

/// Records that cannot be made an object: a bug, or no memory.
#[derive(Debug, thiserror::Error)]
#[error("records cannot be encoded as parquet: {0}")]
pub struct EncodeError(#[from] ParquetError);

/// A row before it is written: where its values are.
struct Row {
    /// Position in the records.
    index: u32,
    /// Position in the sellers.
    seller: u32,
    event_type: Option<EventType>,
    time: i64,
    version: i64,
    id: Place,
    subject: Place,
}

/// Where a text is.
enum Place {
    /// In the record's payload, 36 bytes from here.
    Payload(u32),
    /// Nowhere in one piece.
    Own(ByteArray),
}

/// Encodes `records`, which are in the order of offsets, as one Parquet object. Records that are not text are left
/// out (the dead-letter topic takes them).
///
/// # Errors
/// [`EncodeError`].
pub fn encode(records: &[LogRecord], span: &Span) -> Result<Bytes, EncodeError> {
    encode_object(records, span).map(|(bytes, _)| bytes)
}

/// [`encode`] that also returns the footer written.
pub(super) fn encode_object(records: &[LogRecord], span: &Span) -> Result<(Bytes, Footer), EncodeError> {
    let mut digest = RecordDigest::default();
    let (rows, sellers) = sorted_rows(records, &mut digest);
    let footer = Footer {
        log: span.log,
        partition: span.partition,
        first_offset: span.first_offset,
        next_offset: span.next_offset,
        rows: rows.len() as u64,
        digest: digest.finish(),
        created_at: span.created_at,
    };
    let raw: usize = records.iter().map(|record| record.payload.len()).sum();
    // Events compress to about a seventh.
    let out = Vec::with_capacity(raw / 6 + 16 * 1024);
    let mut file = SerializedFileWriter::new(out, SCHEMA.clone(), PROPERTIES.clone())?;
    for pair in footer.to_metadata() {
        file.append_key_value_metadata(pair);
    }
    if !rows.is_empty() {
        let mut group = file.next_row_group()?;
        write_columns(&mut group, records, &rows, &sellers, span)?;
        group.close()?;
    }
    Ok((Bytes::from(file.into_inner()?), footer))
}

fn write_columns(
    group: &mut SerializedRowGroupWriter<'_, Vec<u8>>,
    records: &[LogRecord],
    rows: &[Row],
    sellers: &[ByteArray],
    span: &Span,
) -> Result<(), EncodeError> {
    let partition = i32::try_from(span.partition).unwrap_or(i32::MAX);
    let types = EventType::ALL.map(|kind| ByteArray::from(Bytes::from_static(kind.as_str().as_bytes())));
    let record = |row: &Row| &records[row.index as usize];
    let text = |row: &Row, place: &Place| match place {
        Place::Payload(at) => {
            let at = *at as usize;
            ByteArray::from(record(row).payload.slice(at..at + 36))
        }
        Place::Own(text) => text.clone(),
    };
    write::<Int32Type>(group, rows, |_| partition)?;
    write::<Int64Type>(group, rows, |row| record(row).offset.cast_signed())?;
    write::<ByteArrayType>(group, rows, |row| text(row, &row.id))?;
    write::<ByteArrayType>(group, rows, |row| {
        row.event_type.map_or_else(empty, |kind| types[kind.index()].clone())
    })?;
    write::<ByteArrayType>(group, rows, |row| text(row, &row.subject))?;
    write::<ByteArrayType>(group, rows, |row| sellers[row.seller as usize].clone())?;
    write::<Int64Type>(group, rows, |row| row.time)?;
    write::<Int64Type>(group, rows, |row| row.version)?;
    write::<ByteArrayType>(group, rows, |row| ByteArray::from(record(row).payload.clone()))
}

/// Writes the next column.
fn write<T: DataType>(
    group: &mut SerializedRowGroupWriter<'_, Vec<u8>>,
    rows: &[Row],
    value: impl Fn(&Row) -> T::T,
) -> Result<(), EncodeError> {
    let mut column = group.next_column()?.expect("as many columns are written as the schema has");
    let mut values = Vec::with_capacity(CHUNK.min(rows.len()));
    for chunk in rows.chunks(CHUNK) {
        values.clear();
        values.extend(chunk.iter().map(&value));
        column.typed::<T>().write_batch(&values, None, None)?;
    }
    column.close()?;
    Ok(())
}

fn empty() -> ByteArray {
    ByteArray::from(Bytes::new())
}

/// Reads the rows' columns and sorts them by seller and time; equal ones stay in the order of offsets. The digest takes
/// each in while its payload is in the cache.
fn sorted_rows(records: &[LogRecord], digest: &mut RecordDigest) -> (Vec<Row>, Vec<ByteArray>) {
    let mut numbers: HashMap<&[u8], u32> = HashMap::new();
    let mut parsed = Vec::new();
    let mut rows = Vec::with_capacity(records.len());
    for (index, record) in (0_u32..).zip(records) {
        if !is_archivable(record) {
            continue;
        }
        let payload = &record.payload[..];
        digest.update(record.offset, payload);
        match columns(payload) {
            Columns::InPlace(layout) => {
                let next = u32::try_from(numbers.len()).expect("fewer sellers than records");
                let place = |part: &[u8]| Place::Payload(offset_in(payload, part));
                rows.push(Row {
                    index,
                    seller: *numbers.entry(layout.seller).or_insert(next),
                    event_type: Some(layout.event_type),
                    time: layout.time,
                    version: layout.version.cast_signed(),
                    id: place(layout.id),
                    subject: place(layout.subject),
                });
            }
            Columns::Parsed(envelope) => parsed.push((index, Some(envelope))),
            Columns::Unreadable => parsed.push((index, None)),
        }
    }
    for (index, envelope) in &parsed {
        let seller = envelope.as_ref().map_or("", |envelope| envelope.seller_id.as_str());
        let next = u32::try_from(numbers.len()).expect("fewer sellers than records");
        let own = |text: Option<String>| {
            Place::Own(text.map_or_else(empty, |text| ByteArray::from(text.into_bytes())))
        };
        let time = envelope.as_ref().map_or(records[*index as usize].appended_at, |envelope| envelope.time);
        rows.push(Row {
            index: *index,
            seller: *numbers.entry(seller.as_bytes()).or_insert(next),
            event_type: envelope.as_ref().map(|envelope| envelope.event_type),
            time: time.millis(),
            version: envelope.as_ref().map_or(0, |envelope| envelope.version.0.cast_signed()),
            id: own(envelope.as_ref().map(|envelope| envelope.id.to_string())),
            subject: own(envelope.as_ref().map(|envelope| envelope.subject.to_string())),
        });
    }
    let mut sellers: Vec<(&[u8], u32)> = numbers.into_iter().collect();
    sellers.sort_unstable();
    let mut ranks = vec![0; sellers.len()];
    for (rank, (_, number)) in (0..).zip(&sellers) {
        ranks[*number as usize] = rank;
    }
    for row in &mut rows {
        row.seller = ranks[row.seller as usize];
    }
    rows.sort_unstable_by_key(|row| (row.seller, row.time, row.index));
    (rows, sellers.into_iter().map(|(seller, _)| ByteArray::from(seller)).collect())
}

/// Returns where `part`, a piece of `whole`, begins in it.
fn offset_in(whole: &[u8], part: &[u8]) -> u32 {
    let at = part.as_ptr().addr() - whole.as_ptr().addr();
    u32::try_from(at).expect("the columns are within the first 400 bytes")
}
