//! The Kafka headers of events and dead letters: a promise to consumers that route without reading the value.

/// Says that the value is a whole event (CloudEvents, Kafka protocol binding 1.0.2, structured mode).
pub const CONTENT_TYPE: &str = "content-type";
/// The value of [`CONTENT_TYPE`].
pub const CLOUD_EVENT: &str = "application/cloudevents+json; charset=UTF-8";

/// The event's `specversion`.
pub const CE_SPECVERSION: &str = "ce_specversion";
/// The event's `id`.
pub const CE_ID: &str = "ce_id";
/// The event's `source`.
pub const CE_SOURCE: &str = "ce_source";
/// The event's `type`.
pub const CE_TYPE: &str = "ce_type";
/// The event's `subject`, the product's id.
pub const CE_SUBJECT: &str = "ce_subject";
/// The event's `time`.
pub const CE_TIME: &str = "ce_time";
/// The event's `sellerid`.
pub const CE_SELLERID: &str = "ce_sellerid";

/// Of a dead letter: why the record cannot be read, for people.
pub const REASON: &str = "souk_reason";
/// Of a dead letter: the topic that it was in.
pub const TOPIC: &str = "souk_topic";
/// Of a dead letter: the partition that it was in, in decimal.
pub const PARTITION: &str = "souk_partition";
/// Of a dead letter: the offset that it had, in decimal.
pub const OFFSET: &str = "souk_offset";
