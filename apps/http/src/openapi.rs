//! OpenAPI from the code: each route is registered together with its [`Operation`], so that none is served without
//! being described, and what it tells of limits, names, codes and statuses comes from where the code has them.
//!
//! An app's routes are its [`Contract`]; contracts of several apps merge like the apps. [`Contract::document`] makes the
//! document that `GET /openapi.json` and `souk openapi` show, with the pages that every service has. To add a call: a
//! route with its operation in the app, and nothing else.

mod contract;
mod headers;
mod operation;
mod problems;

pub use contract::Contract;
pub use headers::{
    ALLOW, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_SECURITY_POLICY, ETAG, IDEMPOTENT_REPLAYED, LINK,
    LOCATION, RETRY_AFTER, X_ACCEL_BUFFERING, X_REQUEST_ID,
};
pub use operation::{Answer, Operation, Parameter, cursor, limit};

/// The version of OpenAPI that the document is in.
pub const VERSION: &str = "3.1.0";
