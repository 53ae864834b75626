//! The service over HTTP, on the embedded log.

#![expect(clippy::unwrap_used, reason = "a failure in a test's helper fails the test")]

mod foreign_client;
mod over_http;
mod restart;
mod support;
mod unread;
