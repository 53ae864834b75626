//! Whole flows through a wrapped router, in memory and over sockets.

#![expect(clippy::unwrap_used, reason = "a failure in a test's helper fails the test")]

mod bodies;
mod connections;
mod gate;
mod manners;
mod support;
