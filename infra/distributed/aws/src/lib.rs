//! The event store on DynamoDB and the archive on S3, for the real AWS or for servers that speak the same.
//!
//! | module | does |
//! |---|---|
//! | `config` | where the services are, and whose keys are used; one client for a process |
//! | `tables` | creates the two tables when absent, checks those that are there |
//! | `recent` | recent events: one item per event, three indexes in shards |
//! | `aggregates` | one item per aggregate, bucket and partition, updated under an offset guard |
//! | `batch` | batches of writes and reads in which nothing that came back is dropped |
//! | `pace` | how many requests are under way at once: fewer while the table answers slowly |
//! | `http` | HTTPS for the SDK and for `object_store`, both on ring; the SDK is built without a client of its own |
//! | `doctor` | looks at tables and bucket, and says what is wrong |
//! | `archive` | an `ObjectStore` over S3 whose server was seen to refuse a second write |
//!
//! Every write here can be repeated: by the SDK after a lost reply, by the caller after an error, by another process
//! after a crash. Recent events are put under their own key; aggregates are guarded by the last offset counted.

#![deny(missing_docs)]

mod aggregates;
mod archive;
mod batch;
mod config;
mod credentials;
pub mod doctor;
mod error;
mod http;
mod pace;
mod recent;
mod store;
mod tables;

pub use archive::{CreateOnlyError, archive, check_create_only, existing_archive};
pub use config::{AwsConfig, AwsKeys};
pub use error::ConnectError;
pub use store::DynamoEventStore;
pub use tables::{TableState, check_tables};
