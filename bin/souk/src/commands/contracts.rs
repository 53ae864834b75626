//! `souk openapi` and `souk asyncapi`: what the services promise, without anything that runs.

use souk_domain::EventType;
use souk_http::VERSION;

use crate::cli::{AsyncapiArgs, OpenapiArgs};
use crate::failure::Failure;
use crate::output;
use crate::wiring::contract;
use crate::wiring::listeners::Door;

/// Prints the calls of a service, of all on one port, or of all at ports of their own.
///
/// # Errors
/// None so far.
pub fn openapi(args: &OpenapiArgs) -> Result<(), Failure> {
    let door = match args.service.as_deref() {
        Some("api") => Door::Api,
        Some("notifications") => Door::Notifications,
        Some("analytics") => Door::Analytics,
        Some("web") => Door::Web,
        _ => Door::All,
    };
    let contract = if door == Door::All && !args.monolith { contract::apart() } else { contract::of(door) };
    output::print_json(&contract.document(door.name()));
    Ok(())
}

/// Prints topics and stream, or the schema of one event.
///
/// # Errors
/// None so far.
pub fn asyncapi(args: &AsyncapiArgs) -> Result<(), Failure> {
    output::print_json(&match args.event.as_deref().and_then(EventType::parse) {
        Some(kind) => souk_events::schema::standalone(kind),
        None => souk_events::asyncapi::document(VERSION),
    });
    Ok(())
}
