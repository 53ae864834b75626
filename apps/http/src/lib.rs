//! The manners that every HTTP service of souk has: problem documents, request ids, CORS, health, metrics,
//! limits on bodies and connections, and a server that drains.
//!
//! An app builds its [`Routes`], each with its description, as an [`App`]; one of them, or several merged, become a service
//! with [`App::router`], and a [`Server`] serves it through a [`Gate`], which is closed while the service waits for what
//! it needs. To add a manner, put it into the one layer of `manners.rs`: each further tower layer costs every request two
//! allocations. To add a page that every service has: a route with its description in `common.rs`.

mod app;
mod body;
mod code;
mod common;
mod cors;
mod fault_code;
mod gate;
mod health;
mod limit;
mod listener;
mod manners;
mod metrics;
pub mod openapi;
mod pages;
mod params;
mod problem;
mod request_id;
mod routes;
mod server;
mod service;
mod shutdown;
mod unreadable;

pub use app::{App, Home, Part};
pub use body::{BODY_LIMIT, drain, read_json};
pub use code::Code;
pub use cors::Cors;
pub use fault_code::FaultCode;
pub use gate::{Face, Gate, Waits};
pub use health::{Check, Health, HealthCheck, Status};
pub use limit::ConnectionLimit;
pub use listener::bind;
pub use manners::Refusal;
pub use metrics::Metrics;
pub use pages::{STREAM_CACHE_CONTROL, event_stream, wants_html};
pub use params::Params;
pub use problem::{FieldError, Problem};
pub use routes::Routes;
pub use server::Server;
pub use service::Service;
pub use shutdown::Shutdown;

/// The version that every service reports.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");
