//! Blocks of the event stream as bytes.

use std::fmt::Write as _;

use serde::Serialize;
use souk_domain::EventType;
use souk_events::Cursor;
use souk_events::stream::{CURSOR, GAP, GapReason, READY};

use crate::filter::Filter;

/// A comment, every 15 s on every stream: it keeps proxies from closing a quiet connection (WHATWG HTML §9.2.7
/// advises it), and tells a client that it is not cut off.
pub(crate) const HEARTBEAT: &[u8] = b":\n\n";

/// Returns the room that a frame takes beside its event: `id: `, the log and the offsets in base64url, `data: ` and
/// line ends, for offsets below 2^35.
pub(crate) fn overhead(partitions: usize) -> usize {
    4 + 12 + 7 * partitions + 1 + 6 + 2
}

/// Appends the id line of a position.
pub(crate) fn push_id(out: &mut Vec<u8>, cursor: &Cursor) {
    write_text(out, format_args!("id: {cursor}\n"));
}

/// Appends the line that names a frame's event type.
pub(crate) fn push_name(out: &mut Vec<u8>, kind: EventType) {
    out.extend_from_slice(b"event: ");
    out.extend_from_slice(kind.as_str().as_bytes());
    out.push(b'\n');
}

/// Appends an event's data and ends the block. Line breaks are white space between JSON tokens; each begins a
/// `data:` line of its own.
pub(crate) fn push_data(out: &mut Vec<u8>, mut payload: &[u8]) {
    loop {
        out.extend_from_slice(b"data: ");
        let Some(end) = memchr::memchr2(b'\n', b'\r', payload) else { break };
        out.extend_from_slice(&payload[..end]);
        out.push(b'\n');
        let skip = if payload[end..].starts_with(b"\r\n") { 2 } else { 1 };
        payload = &payload[end + skip..];
    }
    out.extend_from_slice(payload);
    out.extend_from_slice(b"\n\n");
}

/// Appends `retry:` as a block of its own.
pub(crate) fn push_retry(out: &mut Vec<u8>, millis: u64) {
    write_text(out, format_args!("retry: {millis}\n\n"));
}

/// Appends `event: ready`: the filters that were taken and the place where the stream goes on.
pub(crate) fn push_ready(out: &mut Vec<u8>, filter: &Filter, cursor: &Cursor) {
    #[derive(Serialize)]
    struct Ready<'a> {
        position: String,
        filters: &'a Filter,
        named: bool,
    }
    let ready = Ready { position: cursor.to_string(), filters: filter, named: filter.named };
    push_event(out, READY, cursor, &ready);
}

/// Appends `event: gap`.
pub(crate) fn push_gap(out: &mut Vec<u8>, reason: GapReason, from: &str, to: &Cursor) {
    #[derive(Serialize)]
    struct Gap<'a> {
        reason: GapReason,
        from: &'a str,
        to: String,
    }
    push_event(out, GAP, to, &Gap { reason, from, to: to.to_string() });
}

/// Appends a heartbeat with `event: cursor`, which moves the id of a reader whose filter is quiet. Browsers keep the
/// id of a block only when it has data, so there is an empty `data:`.
pub(crate) fn push_cursor(out: &mut Vec<u8>, cursor: &Cursor) {
    write_text(out, format_args!(":\nevent: {CURSOR}\n"));
    push_id(out, cursor);
    out.extend_from_slice(b"data:\n\n");
}

fn push_event(out: &mut Vec<u8>, name: &str, cursor: &Cursor, data: &impl Serialize) {
    write_text(out, format_args!("event: {name}\n"));
    push_id(out, cursor);
    let data = serde_json::to_vec(data).expect("the data has string keys");
    push_data(out, &data);
}

fn write_text(out: &mut Vec<u8>, text: std::fmt::Arguments<'_>) {
    struct Utf8<'a>(&'a mut Vec<u8>);
    impl std::fmt::Write for Utf8<'_> {
        fn write_str(&mut self, text: &str) -> std::fmt::Result {
            self.0.extend_from_slice(text.as_bytes());
            Ok(())
        }
    }
    Utf8(out).write_fmt(text).expect("memory does not fail to be written");
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use souk_events::LogId;

    use super::*;
    use crate::sse::Parser;

    fn cursor() -> Cursor {
        Cursor { log: LogId(7), next: vec![3, 300] }
    }

    proptest! {
        #[test]
        fn what_is_written_parses_back_cut_at_any_byte(
            payloads in proptest::collection::vec("[^\r\n]{1,12}", 1..4),
            named: bool,
        ) {
            let mut stream = Vec::new();
            push_retry(&mut stream, 2000);
            push_ready(&mut stream, &Filter::default(), &cursor());
            for payload in &payloads {
                if named {
                    push_name(&mut stream, EventType::ProductCreated);
                }
                push_id(&mut stream, &cursor());
                push_data(&mut stream, payload.as_bytes());
            }
            for cut in 0..=stream.len() {
                let mut parser = Parser::new();
                let mut seen = Vec::new();
                for chunk in [&stream[..cut], &stream[cut..]] {
                    parser.push(chunk, |event| {
                        assert_eq!(event.id(), cursor().to_string());
                        seen.push((event.name().into_owned(), event.data().into_owned()));
                    });
                }
                prop_assert_eq!(parser.retry(), Some(2000));
                prop_assert_eq!(&seen.remove(0).0, "ready");
                let name = if named { "ProductCreated" } else { "message" };
                let expected: Vec<_> = payloads.iter().map(|data| (name.to_owned(), data.clone())).collect();
                prop_assert_eq!(seen, expected);
            }
        }

        #[test]
        fn line_breaks_between_tokens_stay_inside_the_block(payload in "[\\[\\]\r\n]{0,9}") {
            let mut stream = Vec::new();
            push_data(&mut stream, payload.as_bytes());
            let mut seen = Vec::new();
            Parser::new().push(&stream, |event| seen.push(event.data().into_owned()));
            prop_assert_eq!(seen, [payload.replace("\r\n", "\n").replace('\r', "\n")]);
        }
    }

    #[test]
    fn a_cursor_event_moves_the_id_and_carries_nothing() {
        let mut stream = Vec::new();
        push_cursor(&mut stream, &cursor());
        let mut seen = Vec::new();
        let mut parser = Parser::new();
        parser.push(&stream, |event| seen.push((event.name().into_owned(), event.data().into_owned())));
        assert_eq!(seen, [("cursor".to_owned(), String::new())]);
        assert_eq!(parser.last_event_id(), cursor().to_string());
    }

    #[test]
    fn a_gap_says_why_from_where_and_to_where() {
        let mut stream = Vec::new();
        push_gap(&mut stream, GapReason::InvalidId, "a\"\nb", &cursor());
        let mut seen = Vec::new();
        Parser::new().push(&stream, |event| seen.push(event.data().into_owned()));
        assert_eq!(seen, [format!(r#"{{"reason":"invalid-id","from":"a\"\nb","to":"{}"}}"#, cursor())]);
        for reason in GapReason::ALL {
            assert_eq!(serde_json::to_value(reason).unwrap(), reason.as_str());
        }
    }
}
