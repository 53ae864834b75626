//! Reading an object from a local file in batches of rows, so that memory does not grow with the object.

use std::fs::File;

use parquet::column::reader::{ColumnReaderImpl, get_typed_column_reader};
use parquet::data_type::{ByteArray, ByteArrayType, Int64Type};
use parquet::errors::ParquetError;
use parquet::file::reader::{FileReader as _, SerializedFileReader};
use souk_ports::Offset;

use super::reader::{EVENT_COLUMN, OFFSET_COLUMN, object};
use super::{ArchivedObject, ReadError};

/// Rows read at once: a page of payloads or so.
const BATCH_ROWS: usize = 1024;

/// An object in a local file.
pub struct ObjectFile {
    /// What it says about itself.
    pub object: ArchivedObject,
    file: SerializedFileReader<File>,
}

impl ObjectFile {
    /// Opens the object `key`, which lies in `file`.
    ///
    /// # Errors
    /// [`ReadError::Damaged`] when it is no object of souk's.
    pub fn open(key: &str, file: File) -> Result<Self, ReadError> {
        let damaged = |error: ParquetError| ReadError::damaged(key, error);
        let size = file.metadata().map_err(|error| ReadError::damaged(key, error))?.len();
        let file = SerializedFileReader::new(file).map_err(damaged)?;
        let object = object(key, size, file.metadata())?;
        Ok(Self { object, file })
    }

    /// Shows each row's offset and event, in the order of rows, which is not that of offsets. Whether they are those
    /// of the footer's digest is the caller's to compare.
    ///
    /// # Errors
    /// [`ReadError::Damaged`] when a row cannot be read; else what `show` fails with.
    pub fn rows<E: From<ReadError>>(
        &self,
        mut show: impl FnMut(Offset, &[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        let key = &self.object.key;
        let damaged = |error: ParquetError| ReadError::damaged(key, error);
        for group in 0..self.file.num_row_groups() {
            let group = self.file.get_row_group(group).map_err(damaged)?;
            let mut offsets = get_typed_column_reader::<Int64Type>(
                group.get_column_reader(OFFSET_COLUMN).map_err(damaged)?,
            );
            let mut events = get_typed_column_reader::<ByteArrayType>(
                group.get_column_reader(EVENT_COLUMN).map_err(damaged)?,
            );
            let mut left = usize::try_from(group.metadata().num_rows()).unwrap_or(0);
            let (mut offset_batch, mut event_batch) = (Vec::<i64>::new(), Vec::<ByteArray>::new());
            while left > 0 {
                offset_batch.clear();
                event_batch.clear();
                let want = left.min(BATCH_ROWS);
                fill(&mut offsets, want, &mut offset_batch).map_err(damaged)?;
                fill(&mut events, want, &mut event_batch).map_err(damaged)?;
                if offset_batch.len() != want || event_batch.len() != want {
                    return Err(ReadError::damaged(key, "its columns differ in length").into());
                }
                for (offset, event) in offset_batch.iter().zip(&event_batch) {
                    show(offset.cast_unsigned(), event.data())?;
                }
                left -= want;
            }
        }
        Ok(())
    }
}

fn fill<T: parquet::data_type::DataType>(
    reader: &mut ColumnReaderImpl<T>,
    rows: usize,
    values: &mut Vec<T::T>,
) -> Result<(), ParquetError> {
    while values.len() < rows {
        let (read, ..) = reader.read_records(rows - values.len(), None, None, values)?;
        if read == 0 {
            break;
        }
    }
    Ok(())
}
