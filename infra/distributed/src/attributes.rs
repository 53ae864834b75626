//! An event's id and time, found in its JSON without reading the rest.

use souk_domain::Timestamp;
use uuid::Uuid;

/// What tells an event from another, and how long it waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Attributes {
    /// Its id.
    pub id: Uuid,
    /// When it was decided.
    pub time: Timestamp,
}

impl Attributes {
    /// Finds them in an event as `souk_events::encode` writes it, attributes first; `None` in anything else.
    pub fn find(payload: &[u8]) -> Option<Self> {
        // Attributes have no characters that JSON escapes, and stand before `data`.
        let head = &payload[..payload.len().min(HEAD)];
        Some(Self {
            id: Uuid::try_parse(value(head, "\"id\":\"")?).ok()?,
            time: value(head, "\"time\":\"")?.parse().ok()?,
        })
    }
}

/// Bytes within which the attributes end: 8 names and values, of which the longest is a seller's id of 64.
const HEAD: usize = 400;

/// Returns what stands between the first `name` and the next quote.
fn value<'a>(head: &'a [u8], name: &str) -> Option<&'a str> {
    let start = head.windows(name.len()).position(|window| window == name.as_bytes())? + name.len();
    let end = start + head[start..].iter().position(|byte| *byte == b'"')?;
    std::str::from_utf8(&head[start..end]).ok()
}

#[cfg(test)]
mod tests {
    use souk_events::Envelope;

    use super::*;

    #[test]
    fn finds_what_the_envelope_says_in_every_golden_event() {
        let fixtures = concat!(env!("CARGO_MANIFEST_DIR"), "/../../contract/events/fixtures");
        let mut seen = 0;
        for fixture in std::fs::read_dir(fixtures).unwrap() {
            let event = std::fs::read(fixture.unwrap().path()).unwrap();
            let envelope = Envelope::read(&event).unwrap();
            let expected = Attributes { id: envelope.id, time: envelope.time };
            assert_eq!(Attributes::find(&event), Some(expected));
            seen += 1;
        }
        assert!(seen >= 6);
    }

    #[test]
    fn finds_nothing_in_anything_else() {
        for other in [&b""[..], b"{", br#"{"id":"1","time":"2"}"#, br#"{"specversion":"1.0","id":"#] {
            assert_eq!(Attributes::find(other), None);
        }
    }
}
