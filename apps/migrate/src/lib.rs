//! Migration from another system's table into souk, as steps that an operator takes one by one.
//!
//! Rows are read by a [`Mapping`]'s SQL expressions, judged by its policies, and handed to the catalog as they stand:
//! "make it this". So every step may be killed and repeated; what is the same already is left alone. What each step did is
//! in a [`Record`] in the operator's folder.
//!
//! | step | reads | writes |
//! |---|---|---|
//! | [`plan()`] | every row | the folder |
//! | [`copy()`] | every row, in the key's order | the catalog, the folder |
//! | [`compare()`] | every row and every product | nothing |

mod compare;
mod copy;
mod decimal;
mod digest;
mod error;
mod judge;
mod mapping;
mod patient;
mod plan;
mod policy;
mod propose;
mod record;
mod report;
mod rows;
mod take;

use std::sync::Arc;

use souk_ports::{Catalog, Clock, Source};

pub use compare::{Comparison, Difference, DifferenceKind, compare};
pub use copy::{Copied, copy};
pub use error::MigrateError;
pub use mapping::Mapping;
pub use patient::Patient;
pub use plan::{KindCount, Plan, plan};
pub use policy::{Fault, FaultKind, Policy};
pub use propose::{Proposal, propose};
pub use record::{CopyRecord, Folder, Record, StepRecord};

/// What the steps work with.
#[derive(Clone)]
pub struct Deps {
    /// The other system's database.
    pub source: Arc<dyn Source>,
    /// The catalog that products go to.
    pub catalog: Arc<dyn Catalog>,
    /// Tells which installation it is: the identity of its log.
    pub target: String,
    /// Time for the record.
    pub clock: Arc<dyn Clock>,
}

/// How far a step is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// What it does now.
    pub doing: &'static str,
    /// Rows or products done.
    pub done: u64,
    /// Of so many, as far as is known.
    pub total: Option<u64>,
}
