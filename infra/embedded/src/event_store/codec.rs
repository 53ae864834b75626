//! How aggregates lie in columns: one number for log, window and dimension, 16 bytes for product ids, and the
//! measures as one compact blob, since most of them are 0 in most rows.

use std::sync::Arc;

use rusqlite::ToSql;
use rusqlite::types::{FromSqlError, ToSqlOutput, ValueRef};
use souk_domain::Amount;
use souk_ports::{Dimension, Measures, Window};
use uuid::Uuid;

/// Dimensions take the lowest two bits of a series, windows the next two, the log's number the rest.
const BITS: u32 = 4;

/// Returns the number of a log's aggregate: `log` is the log's number in this file.
pub(super) fn series(log: i64, window: Window, by: Dimension) -> i64 {
    let window = match window {
        Window::Minute => 0,
        Window::Hour => 1,
        Window::Day => 2,
        Window::All => 3,
    };
    let dimension = match by {
        Dimension::Total => 0,
        Dimension::Seller => 1,
        Dimension::Category => 2,
        Dimension::Product => 3,
    };
    log << BITS | window << 2 | dimension
}

/// Returns window and dimension of a series of `log`.
pub(super) fn series_of(log: i64, code: i64) -> Option<(Window, Dimension)> {
    let all = Window::ALL.into_iter().flat_map(|window| Dimension::ALL.map(|by| (window, by)));
    all.into_iter().find(|(window, by)| series(log, *window, *by) == code)
}

/// Returns the series of `log`: from, and before.
pub(super) fn series_range(log: i64) -> (i64, i64) {
    (log << BITS, (log + 1) << BITS)
}

/// A key as it is stored.
///
/// Product ids are 16 bytes, which sort as their text does; everything else is text. [`StoredKey::Lowest`] sorts
/// before both and is never stored.
pub(super) enum StoredKey<'a> {
    Lowest,
    Text(&'a str),
    Id(Uuid),
}

impl<'a> StoredKey<'a> {
    pub fn new(by: Dimension, key: &'a str) -> Self {
        if by == Dimension::Product
            && let Ok(id) = Uuid::try_parse(key)
        {
            let mut buffer = Uuid::encode_buffer();
            // Any other spelling of an id is another key.
            if id.as_hyphenated().encode_lower(&mut buffer) == key {
                return Self::Id(id);
            }
        }
        Self::Text(key)
    }

    /// Reads a key back.
    pub fn read(value: ValueRef<'_>) -> Result<Arc<str>, FromSqlError> {
        match value {
            ValueRef::Blob(bytes) => {
                let id = Uuid::from_slice(bytes).map_err(FromSqlError::other)?;
                Ok(Arc::from(&*id.as_hyphenated().encode_lower(&mut Uuid::encode_buffer())))
            }
            other => other.as_str().map(Arc::from),
        }
    }
}

impl ToSql for StoredKey<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(match self {
            // Numbers sort before text, text before blobs.
            Self::Lowest => ToSqlOutput::from(0_i64),
            Self::Text(text) => ToSqlOutput::Borrowed(ValueRef::Text(text.as_bytes())),
            Self::Id(id) => ToSqlOutput::Borrowed(ValueRef::Blob(id.as_bytes())),
        })
    }
}

/// Fields of [`Measures`] in their order; also in the blob.
const FIELDS: usize = 11;

/// Writes the measures: each field's zigzag value as LEB128, in the order of the struct, zeros at the end left out.
pub(super) fn encode_measures(measures: &Measures, out: &mut Vec<u8>) {
    let fields = to_fields(measures);
    let used = FIELDS - fields.iter().rev().take_while(|field| **field == 0).count();
    out.clear();
    for field in &fields[..used] {
        let mut rest = (field.cast_unsigned() << 1) ^ (field >> 127).cast_unsigned();
        while rest >= 0x80 {
            out.push((rest & 0x7f) as u8 | 0x80);
            rest >>= 7;
        }
        out.push(rest as u8);
    }
}

/// Reads measures back; `None` when the blob is not one of ours.
pub(super) fn decode_measures(blob: &[u8]) -> Option<Measures> {
    let mut fields = [0_i128; FIELDS];
    let mut bytes = blob.iter();
    let mut index = 0;
    while let Some(first) = bytes.next() {
        let (mut byte, mut value, mut shift) = (*first, 0_u128, 0_u32);
        loop {
            if shift > 126 {
                return None;
            }
            value |= u128::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                break;
            }
            shift += 7;
            byte = *bytes.next()?;
        }
        *fields.get_mut(index)? = (value >> 1).cast_signed() ^ -((value & 1).cast_signed());
        index += 1;
    }
    from_fields(&fields)
}

fn to_fields(measures: &Measures) -> [i128; FIELDS] {
    let Measures {
        events,
        units_sold,
        units_returned,
        revenue,
        stock_delta,
        stock_value,
        low_stock_products,
    } = measures;
    let mut fields = [0; FIELDS];
    for (field, count) in fields.iter_mut().zip(events) {
        *field = i128::from(*count);
    }
    fields[5] = i128::from(*units_sold);
    fields[6] = i128::from(*units_returned);
    fields[7] = revenue.units();
    fields[8] = i128::from(*stock_delta);
    fields[9] = stock_value.units();
    fields[10] = i128::from(*low_stock_products);
    fields
}

fn from_fields(fields: &[i128; FIELDS]) -> Option<Measures> {
    let mut events = [0; 5];
    for (count, field) in events.iter_mut().zip(fields) {
        *count = u64::try_from(*field).ok()?;
    }
    Some(Measures {
        events,
        units_sold: i64::try_from(fields[5]).ok()?,
        units_returned: i64::try_from(fields[6]).ok()?,
        revenue: Amount::from_units(fields[7]),
        stock_delta: i64::try_from(fields[8]).ok()?,
        stock_value: Amount::from_units(fields[9]),
        low_stock_products: i64::try_from(fields[10]).ok()?,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn measures_survive_their_blob(
            events: [u64; 5], units: [i64; 4], revenue in -10_i128.pow(37)..10_i128.pow(37), value: i64,
        ) {
            let measures = Measures {
                events,
                units_sold: units[0],
                units_returned: units[1],
                revenue: Amount::from_units(revenue),
                stock_delta: units[2],
                stock_value: Amount::from_units(i128::from(value)),
                low_stock_products: units[3],
            };
            let mut blob = Vec::new();
            encode_measures(&measures, &mut blob);
            prop_assert_eq!(decode_measures(&blob), Some(measures));
        }

        #[test]
        fn made_up_blobs_do_no_harm(blob: Vec<u8>) {
            let _ = decode_measures(&blob);
        }
    }

    #[test]
    fn nothing_counted_takes_no_bytes() {
        let mut blob = vec![1];
        encode_measures(&Measures::default(), &mut blob);
        assert!(blob.is_empty());
        assert_eq!(decode_measures(&blob), Some(Measures::default()));
    }
}
