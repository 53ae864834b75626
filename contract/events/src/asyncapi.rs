//! AsyncAPI 3 of everything that souk says without being asked: the topics in Kafka and the event stream.
//!
//! It tells the names and shapes of this crate, so that it cannot differ from what is sent. Addresses are those of an
//! installation without settings of its own.

mod messages;

use serde_json::{Map, Value, json};
use souk_domain::EventType;

use crate::schema::{described, object, reference, schemas, values};
use crate::{DEAD_LETTER_TOPIC, TOPIC, stream};

/// The version of AsyncAPI that the document is in: the newest that tools in general read.
pub const VERSION: &str = "3.0.0";

/// The version of the Kafka bindings.
const KAFKA_BINDING: &str = "0.5.0";
/// The version of the HTTP bindings.
const HTTP_BINDING: &str = "0.3.0";

const ABOUT: &str = "Every change of a product becomes an event: CloudEvents 1.0.2 in structured JSON, exactly once and in \
order per product, readable as Server-Sent Events and, where souk runs on Kafka, from the topic.\n\nVersions are dense: \
per product, those of ProductCreated, ProductUpdated and ProductDeleted are 1, 2, 3 … without holes, so that a reader \
can prove that it missed nothing. LowStockWarning and StockReplenished follow the event that caused them and share its \
version.\n\nReaders have to let be what they do not know: fields and types of events may be added.";

/// Returns the document; `version` is souk's own.
pub fn document(version: &str) -> Value {
    let mut all = schemas();
    all.extend(messages::schemas());
    json!({
        "asyncapi": VERSION,
        "id": "urn:souk:events",
        "info": {
            "title": "souk: events",
            "version": version,
            "description": ABOUT,
            "license": {"name": "Apache-2.0", "url": "https://www.apache.org/licenses/LICENSE-2.0"},
        },
        "defaultContentType": "application/json",
        "servers": servers(),
        "channels": {
            "productEvents": product_events(),
            "deadLetters": dead_letters(),
            "eventStream": event_stream(),
        },
        "operations": operations(),
        "components": {"schemas": all, "messages": messages::messages()},
    })
}

fn servers() -> Value {
    json!({
        "kafka": {
            "host": "localhost:9092",
            "protocol": "kafka",
            "description": "The brokers that KAFKA_BROKERS names. An embedded installation has none.",
        },
        "notifications": {
            "host": "localhost:3001",
            "protocol": "http",
            "description": "The notifications service; NOTIFICATIONS_PORT, or its own PORT.",
        },
        "monolith": {
            "host": "localhost:3000",
            "protocol": "http",
            "description": "Everything on one port, as `souk up --monolith` serves it; API_PORT.",
        },
    })
}

/// Returns references to the messages of a channel, by name.
fn channel_messages<'a>(names: impl IntoIterator<Item = &'a str>) -> Value {
    let refer = |name: &str| (name.to_owned(), json!({"$ref": format!("#/components/messages/{name}")}));
    Value::Object(names.into_iter().map(refer).collect::<Map<_, _>>())
}

fn product_events() -> Value {
    json!({
        "address": TOPIC,
        "title": "The topic of all events",
        "description": "Every event, keyed by product id, so that all events of a product are in one partition and in \
                        order. Written in transactions: read it with isolation.level=read_committed. KAFKA_TOPIC \
                        gives it another name.",
        "servers": [{"$ref": "#/servers/kafka"}],
        "messages": channel_messages(EventType::ALL.map(EventType::as_str)),
        "bindings": {"kafka": {
            "topic": TOPIC,
            "topicConfiguration": {"cleanup.policy": ["delete"]},
            "bindingVersion": KAFKA_BINDING,
        }},
    })
}

fn dead_letters() -> Value {
    json!({
        "address": DEAD_LETTER_TOPIC,
        "title": "The topic of records that cannot be read",
        "description": "Records of the topic that are no events of souk's, as they were, with the reason in a header. \
                        Consumers set them aside and go on. Its name is that of the topic with .dlq behind it.",
        "servers": [{"$ref": "#/servers/kafka"}],
        "messages": channel_messages([messages::DEAD_LETTER]),
        "bindings": {"kafka": {"topic": DEAD_LETTER_TOPIC, "bindingVersion": KAFKA_BINDING}},
    })
}

fn event_stream() -> Value {
    json!({
        "address": stream::PATH,
        "title": "The event stream",
        "description": "Server-Sent Events (WHATWG HTML, section 9.2). A stream begins with `retry:` and `ready`; then one \
                        frame for each event, unnamed unless `named=1`. Each has an `id`, the position after it: a reader \
                        that comes back with it as Last-Event-ID misses nothing, on any instance and after any restart. \
                        What the log no longer holds is said by `gap`. A comment comes every 15 s, and `cursor` moves the \
                        id of a reader whose filter is quiet.",
        "servers": [{"$ref": "#/servers/notifications"}, {"$ref": "#/servers/monolith"}],
        "messages": channel_messages(messages::of_stream()),
    })
}

fn operations() -> Value {
    let refer = |channel: &str| json!({"$ref": format!("#/channels/{channel}")});
    json!({
        "publishProductEvents": {
            "action": "send",
            "channel": refer("productEvents"),
            "title": "Publish events",
            "summary": "The relay of the api carries committed events to Kafka, exactly once.",
            "bindings": {"kafka": {
                "clientId": described(json!({"type": "string"}), "KAFKA_CLIENT_ID of the service."),
                "bindingVersion": KAFKA_BINDING,
            }},
        },
        "consumeProductEvents": {
            "action": "receive",
            "channel": refer("productEvents"),
            "title": "Consume events",
            "summary": "analytics consumes with a group for each of its consumers; notifications reads without one.",
            "bindings": {"kafka": {
                "groupId": {
                    "type": "string",
                    "pattern": "-(recent|aggregates|archive)$",
                    "description": "The client id of analytics and the consumer's name.",
                },
                "bindingVersion": KAFKA_BINDING,
            }},
        },
        "setDeadLettersAside": {
            "action": "send",
            "channel": refer("deadLetters"),
            "title": "Set dead letters aside",
            "summary": "A consumer that finds a record it cannot read writes it here and goes on.",
        },
        "streamEvents": {
            "action": "send",
            "channel": refer("eventStream"),
            "title": "Stream events",
            "summary": "notifications sends each reader the events that its filter takes.",
            "bindings": {"http": {
                "method": "GET",
                "query": stream_query(),
                "bindingVersion": HTTP_BINDING,
            }},
        },
    })
}

/// Returns the parameters of a stream by name, as schemas of their texts; notifications reads these and no others.
pub fn stream_parameters() -> [(&'static str, Value); 5] {
    let list = |of: &str| described(json!({"type": "string", "minLength": 1}), of);
    let types = EventType::ALL.map(EventType::as_str).join(", ");
    [
        ("sellerId", list("Only events of these sellers: a comma list of at most 100.")),
        ("types", list(&format!("Only events of these types: a comma list out of {types}."))),
        ("productId", list("Only events of these products: a comma list of at most 100 ids.")),
        (
            "named",
            json!({
                "description": "Whether each frame has an `event:` with the type, which `onmessage` does not get.",
                "type": "string",
                "enum": ["1", "0", "true", "false"],
                "default": "0",
            }),
        ),
        (
            "lastEventId",
            json!({
                "description": "Where to go on, for those who cannot send Last-Event-ID; that header wins. `earliest`: \
                                all that is held. Without either: from now on. What is no position is answered with a gap.",
                "type": "string",
            }),
        ),
    ]
}

fn stream_query() -> Value {
    let parameters = stream_parameters();
    let mut query = object("All are optional.", &parameters);
    query["required"] = json!([]);
    query["additionalProperties"] = json!(false);
    query
}

/// Returns the schema of a position.
fn position() -> Value {
    reference(messages::POSITION)
}

/// Returns the schema of the Last-Event-ID that a frame carries.
fn frame_headers(event: Value) -> Value {
    let id = described(values::position(), "The position after this frame, as `id:`.");
    object("The fields of the frame beside `data:`.", &[("id", id), ("event", event)])
}
