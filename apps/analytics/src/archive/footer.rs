//! What an object says about itself in its Parquet footer.

use std::fmt::Write as _;

use parquet::file::metadata::{KeyValue, ParquetMetaData};
use sha2::{Digest as _, Sha256};
use souk_domain::Timestamp;
use souk_events::LogId;
use souk_ports::{LogRecord, Offset, Partition};

/// The version of the columns and of this footer.
const FORMAT: &str = "1";

const KEYS: [&str; 8] = [
    "souk.format",
    "souk.log",
    "souk.partition",
    "souk.firstOffset",
    "souk.nextOffset",
    "souk.rows",
    "souk.digest",
    "souk.createdAt",
];

/// An object's footer: what it holds, and the digest that proves it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Footer {
    /// The log that the records are of.
    pub log: LogId,
    /// The partition.
    pub partition: Partition,
    /// Where the object begins: the next offset of the object before it.
    pub first_offset: Offset,
    /// Where the next object begins.
    pub next_offset: Offset,
    /// Number of records.
    pub rows: u64,
    /// [`RecordDigest`] of the records, as hexadecimal digits.
    pub digest: String,
    /// When it was written.
    pub created_at: Timestamp,
}

impl Footer {
    /// Returns the footer as key-value metadata.
    pub(super) fn to_metadata(&self) -> Vec<KeyValue> {
        let values = [
            FORMAT.to_owned(),
            self.log.to_string(),
            self.partition.to_string(),
            self.first_offset.to_string(),
            self.next_offset.to_string(),
            self.rows.to_string(),
            self.digest.clone(),
            self.created_at.to_string(),
        ];
        KEYS.into_iter().zip(values).map(|(key, value)| KeyValue::new(key.to_owned(), value)).collect()
    }

    /// Reads a footer back; the error names what is missing or wrong.
    pub(super) fn of(metadata: &ParquetMetaData) -> Result<Self, String> {
        let pairs = metadata.file_metadata().key_value_metadata();
        let value = |key: &str| -> Result<&str, String> {
            pairs
                .and_then(|pairs| pairs.iter().find(|pair| pair.key == key)?.value.as_deref())
                .ok_or_else(|| format!("its footer has no {key}"))
        };
        fn parse<T: std::str::FromStr>(key: &str, value: &str) -> Result<T, String> {
            value.parse().map_err(|_| format!("its footer has {key} {value:?}"))
        }
        let [format, log, partition, first_offset, next_offset, rows, digest, created_at] = KEYS;
        if value(format)? != FORMAT {
            return Err(format!("it has format {:?}, this souk knows {FORMAT:?}", value(format)?));
        }
        Ok(Self {
            log: parse(log, value(log)?)?,
            partition: parse(partition, value(partition)?)?,
            first_offset: parse(first_offset, value(first_offset)?)?,
            next_offset: parse(next_offset, value(next_offset)?)?,
            rows: parse(rows, value(rows)?)?,
            digest: value(digest)?.to_owned(),
            created_at: parse(created_at, value(created_at)?)?,
        })
    }
}

/// SHA-256 over the records in the order of offsets: of each the offset (64 bits, little endian), the payload's
/// length (32 bits, little endian) and the payload.
#[derive(Default)]
pub struct RecordDigest(Sha256);

impl RecordDigest {
    /// Takes the next record in.
    pub fn update(&mut self, offset: Offset, payload: &[u8]) {
        self.0.update(offset.to_le_bytes());
        self.0.update(u32::try_from(payload.len()).unwrap_or(u32::MAX).to_le_bytes());
        self.0.update(payload);
    }

    /// Takes the next records in, leaving out what the archive does.
    pub(super) fn update_all(&mut self, records: &[LogRecord]) -> u64 {
        let mut rows = 0;
        for record in records.iter().filter(|record| is_archivable(record)) {
            self.update(record.offset, &record.payload);
            rows += 1;
        }
        rows
    }

    /// Returns the digest as hexadecimal digits.
    pub fn finish(self) -> String {
        self.0.finalize().iter().fold(String::with_capacity(64), |mut text, byte| {
            write!(text, "{byte:02x}").expect("strings do not fail to be written");
            text
        })
    }
}

/// Tells whether a record can be a row: its column is text, and readers refuse files where it is not.
pub(super) fn is_archivable(record: &LogRecord) -> bool {
    std::str::from_utf8(&record.payload).is_ok()
}
