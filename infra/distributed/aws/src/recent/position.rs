//! Where an event is among all: by time, within a millisecond by offset, so that a product's events keep their
//! order, and by id where offsets of different partitions are the same.

use std::fmt;
use std::str::FromStr;

use souk_domain::Timestamp;
use souk_ports::{ErrorKind, Offset, PortError};

/// An event's place. As text it sorts as itself, since all parts have one length: RFC 3339 in the years 0000 to 9999,
/// twenty digits, thirty-two hexadecimal ones.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Position {
    pub time: Timestamp,
    pub offset: Offset,
    pub id: String,
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}#{:020}#{}", self.time, self.offset, self.id)
    }
}

impl Position {
    /// Reads a stored text back.
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split('#');
        let (time, offset, id) = (parts.next()?, parts.next()?, parts.next()?);
        Some(Self { time: time.parse().ok()?, offset: offset.parse().ok()?, id: id.to_owned() })
    }

    /// Returns the cursor of a page that ended here.
    pub fn cursor(&self) -> String {
        format!("{}.{}.{}", self.time.millis(), self.offset, self.id)
    }

    /// Reads a cursor; only what [`Position::cursor`] writes is one.
    pub fn from_cursor(text: &str) -> Result<Self, PortError> {
        let read = || {
            let mut parts = text.split('.');
            let time = i64::from_str(parts.next()?).ok()?;
            let offset = Offset::from_str(parts.next()?).ok()?;
            let id = parts.next()?.to_owned();
            let position = Self { time: Timestamp::from_millis(time), offset, id };
            let hexadecimal = position.id.len() == 32
                && position.id.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
            (hexadecimal && position.cursor() == text).then_some(position)
        };
        read().ok_or_else(|| {
            PortError::new(
                ErrorKind::InvalidData,
                format!("cursor \"{text}\" was not given out by this list"),
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn position(millis: i64, offset: Offset, id: u8) -> Position {
        Position { time: Timestamp::from_millis(millis), offset, id: format!("{id:032x}") }
    }

    #[test]
    fn texts_sort_as_positions_do() {
        let mut positions = Vec::new();
        for time in [Timestamp::MIN.millis(), -1, 0, 999, 1_795_370_400_000, Timestamp::MAX.millis()] {
            for offset in [0, 9, 10, u64::MAX] {
                positions.extend([position(time, offset, 1), position(time, offset, 255)]);
            }
        }
        let texts: Vec<String> = positions.iter().map(ToString::to_string).collect();
        let mut sorted = texts.clone();
        sorted.sort();
        assert_eq!(texts, sorted);
        for (position, text) in positions.iter().zip(&texts) {
            assert_eq!(Position::parse(text).as_ref(), Some(position));
            assert_eq!(&Position::from_cursor(&position.cursor()).unwrap(), position);
        }
        // A bound of a time alone lies before all of its events and after all that are earlier.
        let bound = Timestamp::from_millis(999).to_string();
        assert!(position(998, u64::MAX, 255).to_string() < bound && bound < position(999, 0, 0).to_string());
    }

    #[test]
    fn made_up_cursors_are_refused() {
        let good = position(7, 8, 9).cursor();
        for text in [
            "",
            ".",
            "..",
            "1.2.3",
            "-1",
            "01.8.x",
            &format!("0{good}"),
            &format!("{good}."),
            &good.to_uppercase().replace('0', "G"),
        ] {
            assert_eq!(Position::from_cursor(text).unwrap_err().kind(), ErrorKind::InvalidData, "{text}");
        }
    }
}
