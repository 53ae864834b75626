//! Events on the wire: the CloudEvents envelope, the cursor over the log, the names that consumers hold on to.
//!
//! What is here in code is told to others in [`schema`], the JSON Schema of each event, and in [`asyncapi`], the
//! AsyncAPI document of topics and stream.
//!
//! To add an event: extend `souk_domain::EventKind`, give it a form in `wire` and in `schema`, add a fixture under
//! `fixtures/` and its test.

#![deny(missing_docs)]

pub mod asyncapi;
mod cursor;
mod envelope;
mod fixtures;
pub mod headers;
pub mod schema;
pub mod stream;
mod wire;

pub use cursor::{Cursor, CursorError, LogId};
pub use envelope::Envelope;
pub use fixtures::{FIXTURES, MIGRATED, fixture};
pub use wire::{DecodeError, decode, encode};

/// The topic that carries every event, keyed by product id.
pub const TOPIC: &str = "product-events";
/// The topic that takes what cannot be read.
pub const DEAD_LETTER_TOPIC: &str = "product-events.dlq";
/// CloudEvents `source` of every event.
pub const SOURCE: &str = "/souk/api";
/// CloudEvents `specversion` of every event.
pub const SPEC_VERSION: &str = "1.0";
/// CloudEvents `datacontenttype` of every event.
pub const DATA_CONTENT_TYPE: &str = "application/json";
