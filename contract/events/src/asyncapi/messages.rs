//! The messages of the AsyncAPI document, each with examples that the code wrote or would write.

use serde_json::{Map, Value, json};
use souk_domain::{EventType, ProductId, SellerId};

use super::{HTTP_BINDING, KAFKA_BINDING, frame_headers, position};
use crate::schema::{EVENT, Schemas, described, object, reference, values, with_optional};
use crate::stream::{CURSOR, GAP, GapReason, READY};
use crate::{Cursor, LogId, TOPIC, fixture, headers};

/// The schema of a position.
pub(super) const POSITION: &str = "Position";
/// The message of the dead-letter topic.
pub(super) const DEAD_LETTER: &str = "DeadLetter";
/// A frame of the stream that carries an event.
const FRAME: &str = "EventFrame";

/// Returns the names of the stream's messages.
pub(super) fn of_stream() -> [&'static str; 4] {
    [FRAME, "StreamReady", "StreamGap", "StreamCursor"]
}

/// Returns the schemas that only this document has.
pub(super) fn schemas() -> Schemas {
    Schemas::from([
        (POSITION.to_owned(), values::position()),
        (
            "StreamReady".to_owned(),
            object(
                "What was understood.",
                &[
                    ("position", position()),
                    ("filters", filters()),
                    ("named", json!({"description": "Whether frames are named.", "type": "boolean"})),
                ],
            ),
        ),
        (
            "StreamGap".to_owned(),
            object(
                "Events that were lost to this reader, or may have been.",
                &[
                    ("reason", gap_reason()),
                    ("from", json!({"description": "The id that was asked for.", "type": "string"})),
                    ("to", described(values::position(), "Where the stream goes on.")),
                ],
            ),
        ),
    ])
}

fn filters() -> Value {
    let list = |of: Value| json!({"type": "array", "items": of, "minItems": 1});
    with_optional(
        "The filters that were given, under the names of the parameters.",
        &[],
        &[
            ("sellerId", list(values::seller_id())),
            ("types", list(json!({"enum": EventType::ALL}))),
            ("productId", list(values::product_id())),
        ],
    )
}

fn gap_reason() -> Value {
    json!({
        "description": "`expired` and `too-slow` go on at the oldest event that is held, the others from now.",
        "enum": GapReason::ALL,
    })
}

/// Returns every message by name.
pub(super) fn messages() -> Value {
    let mut messages: Map<String, Value> =
        EventType::ALL.map(|kind| (kind.as_str().to_owned(), event(kind))).into_iter().collect();
    messages.insert(DEAD_LETTER.to_owned(), dead_letter());
    messages.insert(FRAME.to_owned(), frame());
    messages.insert("StreamReady".to_owned(), ready());
    messages.insert("StreamGap".to_owned(), gap());
    messages.insert("StreamCursor".to_owned(), cursor());
    Value::Object(messages)
}

fn parsed(kind: EventType) -> Value {
    serde_json::from_str(fixture(kind)).expect("fixtures are JSON")
}

fn event(kind: EventType) -> Value {
    let payload = parsed(kind);
    let attributes = [
        (headers::CE_SPECVERSION, "specversion"),
        (headers::CE_ID, "id"),
        (headers::CE_SOURCE, "source"),
        (headers::CE_TYPE, "type"),
        (headers::CE_SUBJECT, "subject"),
        (headers::CE_TIME, "time"),
        (headers::CE_SELLERID, "sellerid"),
    ];
    let schema = |attribute: &str| {
        let same = format!("The event's `{attribute}`.");
        match attribute {
            "type" => json!({"description": same, "const": kind.as_str()}),
            _ => json!({"description": same, "type": "string"}),
        }
    };
    let content_type = json!({"description": "The value is the whole event.", "const": headers::CLOUD_EVENT});
    let mut fields: Vec<(&str, Value)> =
        attributes.iter().map(|(header, attribute)| (*header, schema(attribute))).collect();
    fields.push((headers::CONTENT_TYPE, content_type));
    let mut example: Map<String, Value> = attributes
        .iter()
        .map(|(header, attribute)| ((*header).to_owned(), payload[attribute].clone()))
        .collect();
    example.insert(headers::CONTENT_TYPE.to_owned(), json!(headers::CLOUD_EVENT));
    json!({
        "name": kind.as_str(),
        "title": kind.as_str(),
        "contentType": headers::CLOUD_EVENT,
        "headers": object("The event's attributes, for those who route without reading it.", &fields),
        "payload": reference(kind.as_str()),
        "bindings": {"kafka": {"key": key(), "bindingVersion": KAFKA_BINDING}},
        "examples": [{"name": kind.as_str(), "headers": example, "payload": payload}],
    })
}

fn key() -> Value {
    described(
        values::product_id(),
        "The product's id: all events of a product are in one partition, in order.",
    )
}

fn dead_letter() -> Value {
    let number =
        |description: &str| json!({"description": description, "type": "string", "pattern": "^[0-9]+$"});
    json!({
        "name": DEAD_LETTER,
        "title": "A record that cannot be read",
        "contentType": "application/octet-stream",
        "headers": object("Why, and where it was.", &[
            (headers::REASON, json!({"description": "Why it cannot be read, for people.", "type": "string"})),
            (headers::TOPIC, json!({"description": "The topic that it was in.", "type": "string"})),
            (headers::PARTITION, number("The partition that it was in.")),
            (headers::OFFSET, number("The offset that it had.")),
        ]),
        "payload": {"description": "The record's bytes as they were.", "type": "string", "format": "binary"},
        "bindings": {"kafka": {
            "key": {"description": "The record's key as it was.", "type": "string", "format": "binary"},
            "bindingVersion": KAFKA_BINDING,
        }},
        "examples": [{
            "name": "notJson",
            "headers": {
                (headers::REASON): "not an event: expected value at line 1 column 1",
                (headers::TOPIC): TOPIC,
                (headers::PARTITION): "3",
                (headers::OFFSET): "1066",
            },
            "payload": "poison",
        }],
    })
}

/// A position for examples, and its text.
fn example_position() -> String {
    Cursor { log: LogId(0x5af0_12c4_9b7e_d3a1), next: vec![1066] }.to_string()
}

fn block(name: &str, title: &str, payload: Value, examples: Value) -> Value {
    let event = json!({"description": "As `event:`.", "const": name});
    json!({
        "name": name,
        "title": title,
        "headers": frame_headers(event),
        "payload": payload,
        "bindings": {"http": {"statusCode": 200, "bindingVersion": HTTP_BINDING}},
        "examples": examples,
    })
}

fn frame() -> Value {
    let names: Vec<&str> = EventType::ALL.map(EventType::as_str).into();
    let event = json!({"description": "The type, as `event:`, with `named=1` alone.", "enum": names});
    let mut headers = frame_headers(event);
    headers["required"] = json!(["id"]);
    let payload = parsed(EventType::LowStockWarning);
    json!({
        "name": FRAME,
        "title": "A frame that carries an event",
        "headers": headers,
        "payload": reference(EVENT),
        "bindings": {"http": {"statusCode": 200, "bindingVersion": HTTP_BINDING}},
        "examples": [
            {"name": "unnamed", "headers": {"id": example_position()}, "payload": payload.clone()},
            {
                "name": "named",
                "headers": {"id": example_position(), "event": EventType::LowStockWarning.as_str()},
                "payload": payload,
            },
        ],
    })
}

fn ready() -> Value {
    let at = example_position();
    let seller = SellerId::new("seller1").expect("a seller's id");
    let product = ProductId("01990000-0000-7000-8000-000000000001".parse().expect("an id"));
    let payload = json!({
        "position": at,
        "filters": {"sellerId": [seller], "types": [EventType::LowStockWarning], "productId": [product]},
        "named": false,
    });
    let all = json!({"position": at, "filters": {}, "named": false});
    let headers = json!({"id": at, "event": READY});
    block(
        READY,
        "The stream begins",
        reference("StreamReady"),
        json!([
            {"name": "filtered", "headers": headers, "payload": payload},
            {"name": "everything", "headers": headers, "payload": all},
        ]),
    )
}

fn gap() -> Value {
    let at = example_position();
    let headers = json!({"id": at, "event": GAP});
    let examples = GapReason::ALL.map(|reason| {
        let from = match reason {
            GapReason::InvalidId => "yesterday".to_owned(),
            GapReason::UnknownLog => Cursor { log: LogId(1), next: vec![7] }.to_string(),
            _ => Cursor { log: LogId(0x5af0_12c4_9b7e_d3a1), next: vec![7] }.to_string(),
        };
        json!({"name": reason.as_str(), "headers": headers, "payload": {"reason": reason, "from": from, "to": at}})
    });
    block(GAP, "Events were lost, or may have been", reference("StreamGap"), json!(examples))
}

fn cursor() -> Value {
    let headers = json!({"id": example_position(), "event": CURSOR});
    block(
        CURSOR,
        "A quiet reader's id moves on",
        json!({"description": "Nothing.", "const": ""}),
        json!([{"name": "moved", "headers": headers, "payload": ""}]),
    )
}
