//! Holds what services say against what they promise: answers against OpenAPI, frames and events against AsyncAPI, the
//! documents' own examples against their schemas. Test clients ask it about every answer that they get.
//!
//! The documents leave answers open, so that fields may be added; here they are closed, so that none is added without
//! being described.

mod calls;
mod examples;
mod messages;
mod schemas;

pub use calls::{Calls, Exchange};
pub use messages::Messages;
pub use schemas::{Schemas, document_faults};
