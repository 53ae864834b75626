//! The headers of an event: its CloudEvents attributes beside the structured JSON, so that a consumer can route
//! without reading the value. `content-type` says that the value is the whole event (CloudEvents, Kafka protocol
//! binding 1.0.2, structured mode); consumers that know the binding go by it and ignore the rest.

use std::borrow::Cow;

use rdkafka::message::{Header, OwnedHeaders};
use serde::Deserialize;
use souk_events::headers::{
    CE_ID, CE_SELLERID, CE_SOURCE, CE_SPECVERSION, CE_SUBJECT, CE_TIME, CE_TYPE, CLOUD_EVENT, CONTENT_TYPE,
};

/// The attributes, in the order in which our encoder writes them.
#[derive(Debug, PartialEq, Eq, Deserialize)]
struct Attributes<'a> {
    #[serde(borrow)]
    specversion: Cow<'a, str>,
    #[serde(borrow)]
    id: Cow<'a, str>,
    #[serde(borrow)]
    source: Cow<'a, str>,
    #[serde(borrow, rename = "type")]
    event_type: Cow<'a, str>,
    #[serde(borrow)]
    subject: Cow<'a, str>,
    #[serde(borrow)]
    time: Cow<'a, str>,
    #[serde(borrow)]
    sellerid: Cow<'a, str>,
}

/// Returns the headers of an event; of a payload that is none, the content type alone.
pub(crate) fn headers(payload: &[u8]) -> OwnedHeaders {
    let attributes = scan(payload).or_else(|| serde_json::from_slice(payload).ok());
    let headers = OwnedHeaders::new_with_capacity(8);
    let headers = match &attributes {
        Some(found) => [
            (CE_SPECVERSION, &found.specversion),
            (CE_ID, &found.id),
            (CE_SOURCE, &found.source),
            (CE_TYPE, &found.event_type),
            (CE_SUBJECT, &found.subject),
            (CE_TIME, &found.time),
            (CE_SELLERID, &found.sellerid),
        ]
        .into_iter()
        .fold(headers, |headers, (key, value)| headers.insert(Header { key, value: Some(value.as_bytes()) })),
        None => headers,
    };
    headers.insert(Header { key: CONTENT_TYPE, value: Some(CLOUD_EVENT.as_bytes()) })
}

/// Reads the attributes of an event as our encoder writes it, without looking at the product; `None` when a field
/// is elsewhere or holds an escape.
fn scan(payload: &[u8]) -> Option<Attributes<'_>> {
    let mut rest = payload.strip_prefix(b"{")?;
    let mut field = |name: &str| -> Option<Cow<'_, str>> {
        rest = rest.strip_prefix(b"\"")?.strip_prefix(name.as_bytes())?.strip_prefix(b"\":\"")?;
        let end = memchr::memchr2(b'"', b'\\', rest)?;
        let value = std::str::from_utf8(&rest[..end]).ok()?;
        rest = rest[end..].strip_prefix(b"\",")?;
        Some(Cow::Borrowed(value))
    };
    let (specversion, id, source) = (field("specversion")?, field("id")?, field("source")?);
    let (event_type, subject, time) = (field("type")?, field("subject")?, field("time")?);
    field("datacontenttype")?;
    let sellerid = field("sellerid")?;
    Some(Attributes { specversion, id, source, event_type, subject, time, sellerid })
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use rdkafka::message::Headers as _;

    use super::*;

    #[test]
    fn scanning_and_parsing_agree_on_every_event() {
        let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../contract/events/fixtures");
        let mut seen = 0;
        for entry in std::fs::read_dir(fixtures).unwrap() {
            let text = std::fs::read(entry.unwrap().path()).unwrap();
            let scanned = scan(&text).expect("our own encoder's order");
            assert_eq!(scanned, serde_json::from_slice(&text).unwrap());
            seen += 1;
        }
        assert!(seen >= 6);
    }

    #[test]
    fn another_order_and_escapes_are_parsed() {
        let text = br#"{"id":"1","specversion":"1.0","source":"/s","type":"T","subject":"p","time":"t","sellerid":"a\"b","data":{}}"#;
        assert_eq!(scan(text), None);
        let headers = headers(text);
        let seller = headers.iter().find(|header| header.key == "ce_sellerid").unwrap();
        assert_eq!(seller.value, Some(&b"a\"b"[..]));
        assert_eq!(headers.count(), 8);
    }

    #[test]
    fn what_is_no_event_has_a_content_type_alone() {
        assert_eq!(headers(b"poison").count(), 1);
        assert_eq!(headers(br#"{"specversion":"1.0"}"#).count(), 1);
    }
}
