//! Examines an installation: every part is looked at beside the others, within a deadline, and each finding is a line
//! with its remedy.
//!
//! What to look at is a [`Probe`]; adapters know how their servers are looked at, and `bin/souk` brings both together.
//! A server that does not answer is a finding, never a wait.

mod consumers;
mod diagnosis;
mod probe;
mod service;

pub use consumers::examine_consumers;
pub use diagnosis::{Check, Diagnosis, Status};
pub use probe::{DEADLINE, Probe, Teller, examine};
pub use service::examine_service;
