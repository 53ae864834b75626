//! The analytics service: recent events, aggregates and the archive, each fed by a consumer of its own, and the
//! HTTP queries over them.
//!
//! | folder | does |
//! |---|---|
//! | `consumer` | drives a sink: joins the group, retries, commits, says how it is doing |
//! | `aggregates` | what an event adds; folding; adding each offset once |
//! | `archive` | Parquet objects, written once, adopted after a crash; reading them |
//! | `routes` | the HTTP interface |

pub mod aggregates;
mod analytics;
pub mod archive;
mod catch_up;
mod config;
mod consumer;
mod health;
mod metrics;
mod ranking;
mod routes;
#[cfg(test)]
mod testing;

pub use analytics::{Analytics, AnalyticsDeps, contract};
pub use config::AnalyticsConfig;
