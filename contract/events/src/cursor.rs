//! A position in the log as a whole, as the text that readers keep.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// The identity of one log: a log that is made anew gets another one, so that positions never pass for each other's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LogId(pub u64);

impl fmt::Display for LogId {
    /// Eleven characters of base64url.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&URL_SAFE_NO_PAD.encode(self.0.to_be_bytes()))
    }
}

impl FromStr for LogId {
    type Err = CursorError;

    fn from_str(text: &str) -> Result<Self, CursorError> {
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| CursorError)?;
        Ok(Self(u64::from_be_bytes(bytes.try_into().map_err(|_| CursorError)?)))
    }
}

/// A position in the merged log: the log's identity and the next offset of every partition.
///
/// As text: `<log>.<offsets>`, where offsets are LEB128 in base64url; at most 128 characters for up to 16
/// partitions with offsets below 2^35, all of `A-Za-z0-9._-`, so that a browser may send it across origins
/// without asking first (WHATWG Fetch, CORS-safelisted request header).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Cursor {
    /// The log.
    pub log: LogId,
    /// The next offset of each partition, by partition number.
    pub next: Vec<u64>,
}

/// A text that is no position.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a position in an event log")]
pub struct CursorError;

/// Bounds what a made-up id can make us allocate.
const MAX_PARTITIONS: usize = 4096;

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut bytes = Vec::with_capacity(self.next.len() * 5);
        for offset in &self.next {
            let mut rest = *offset;
            loop {
                let low = (rest & 0x7f) as u8;
                rest >>= 7;
                if rest == 0 {
                    bytes.push(low);
                    break;
                }
                bytes.push(low | 0x80);
            }
        }
        write!(f, "{}.{}", self.log, URL_SAFE_NO_PAD.encode(bytes))
    }
}

impl FromStr for Cursor {
    type Err = CursorError;

    fn from_str(text: &str) -> Result<Self, CursorError> {
        let (log, offsets) = text.split_once('.').ok_or(CursorError)?;
        let bytes = URL_SAFE_NO_PAD.decode(offsets).map_err(|_| CursorError)?;
        let mut next = Vec::new();
        let (mut value, mut shift) = (0_u64, 0_u32);
        for byte in bytes {
            let low = u64::from(byte & 0x7f);
            // Offsets fit i64 everywhere; 9 groups of 7 bits are all that is ever written.
            if shift > 56 {
                return Err(CursorError);
            }
            value |= low << shift;
            if byte & 0x80 == 0 {
                // A group of zeros at the end would give one position two texts.
                if low == 0 && shift > 0 {
                    return Err(CursorError);
                }
                next.push(value);
                (value, shift) = (0, 0);
                if next.len() > MAX_PARTITIONS {
                    return Err(CursorError);
                }
            } else {
                shift += 7;
            }
        }
        if shift != 0 || next.is_empty() {
            return Err(CursorError);
        }
        Ok(Self { log: log.parse()?, next })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn survives_text(log: u64, next in proptest::collection::vec(0_u64..1 << 62, 1..20)) {
            let cursor = Cursor { log: LogId(log), next };
            prop_assert_eq!(cursor.to_string().parse::<Cursor>(), Ok(cursor));
        }

        #[test]
        fn is_short_and_plain(log: u64, next in proptest::collection::vec(0_u64..1 << 35, 1..=16)) {
            let text = Cursor { log: LogId(log), next }.to_string();
            prop_assert!(text.len() <= 128);
            prop_assert!(text.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b)));
        }

        #[test]
        fn never_panics_on_made_up_text(text in ".{0,200}") {
            if let Ok(cursor) = text.parse::<Cursor>() {
                prop_assert_eq!(cursor.to_string(), text);
            }
        }
    }
}
