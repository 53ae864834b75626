//! Events on the wire: the CloudEvents envelope, the cursor over the log, the names that consumers hold on to.
//!
//! To add an event: extend `souk_domain::EventKind`, give it a form in `wire`, add a fixture under
//! `fixtures/` and its test.

#![deny(missing_docs)]

mod cursor;
mod envelope;
mod wire;

pub use cursor::{Cursor, CursorError, LogId};
pub use envelope::Envelope;
pub use wire::{DecodeError, decode, encode};

/// The topic that carries every event, keyed by product id.
pub const TOPIC: &str = "product-events";
/// The topic that takes what cannot be read.
pub const DEAD_LETTER_TOPIC: &str = "product-events.dlq";
/// CloudEvents `source` of every event.
pub const SOURCE: &str = "/souk/api";
