//! The marketplace's own rules: what a product is, what may be done to it, and which events follow.
//!
//! Everything here is pure. Values are checked when they are made, so a [`Product`] that exists is valid;
//! [`decide()`] turns a command into a new state and its events without any I/O, and both catalogs call it
//! inside their transaction.
//!
//! To add an event: add a variant to [`EventKind`], produce it in `decide`, give it a wire form and a
//! fixture in `souk-events`.

#![deny(missing_docs)]

mod command;
mod decide;
mod event;
mod ids;
mod migration;
mod money;
mod product;
mod rejection;
mod text;
mod time;
mod tokens;

pub use command::{
    Adjustment, AdjustmentError, Asserted, Command, Delta, Direction, Field, NewProduct, Patch, Precondition,
    Reason, Replacement,
};
pub use decide::{Context, Decision, Write, decide};
pub use event::{Cause, Change, Changes, Crossing, Event, EventKind, EventType, Origin};
pub use ids::{ProductId, SellerId, Version};
pub use migration::{Import, Migration, OptionalField, Phase};
pub use money::{Amount, NumberError, Price};
pub use product::{Product, Stock};
pub use rejection::Rejection;
pub use text::{Category, Description, Name, Reference, Sku, TextError};
pub use time::Timestamp;
pub use tokens::{query_tokens, tokens};
