//! The public API from outside, for commands that talk to services wherever they run: a lean HTTP/1.1 client, and a
//! reader of the event stream, over http and https.
//!
//! - [`Target`] is where a service is; [`Client`] talks to it over one connection.
//! - [`get`], [`post`] and [`delete`] write request bytes; [`problem`] reads what a refusal says.
//! - [`Feed`] is one connection to the stream, [`Place`] what outlives it.
//!
//! It costs little, since it often shares the machine with the server that it measures.

mod client;
mod error;
mod feed;
mod link;
mod requests;
mod target;
mod targets;
mod wire;

pub use client::{Client, Reply, jitter};
pub use error::ClientError;
pub use feed::{Feed, Frame, Place};
pub use requests::{ProblemAnswer, delete, get, post, problem};
pub use target::Target;
pub use targets::{Named, Targets};
