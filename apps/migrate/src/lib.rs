//! Migration from another system's table into souk, as steps that an operator takes one by one.
//!
//! Rows are read by a [`Mapping`]'s SQL expressions, judged by its policies, and handed to the catalog as they stand:
//! "make it this". So every step may be killed and repeated; what is the same already is left alone. What each step did is
//! in a [`Record`] in the operator's folder.
//!
//! | step | reads | writes |
//! |---|---|---|
//! | [`plan()`] | every row | the folder |
//! | [`back_up()`], [`restore()`] | the source's database, souk's own | a folder, a scratch database |
//! | [`copy()`] | every row, in the key's order | the catalog, the folder |
//! | [`compare()`] | every row and every product | nothing |
//! | [`shadow()`] | answers of both APIs | nothing |
//! | [`follow()`] | what changes on the side that keeps the products | the other side, the folder |
//! | [`cut_over()`], [`roll_back()`] | every row and every product | who keeps them, the fence |
//! | [`finish()`] | every row, every product, souk's stores | takes away what is installed in the source |

mod backup;
mod check;
mod columns;
mod compare;
mod copy;
mod decimal;
mod digest;
mod error;
mod inverse;
mod judge;
mod mapping;
mod patient;
mod plan;
mod policy;
mod propose;
mod record;
mod report;
mod rows;
mod shadow;
mod status;
mod take;
mod way;

use std::sync::Arc;

use souk_ports::{Catalog, Clock, Source};

pub use backup::{
    Backup, CopyFiles, DatabaseProof, Judgement, LeftOut, Manifest, Own, Proof, StoredFile, TableProof,
    back_up, check_free, restore,
};
pub use check::{Checklist, Criterion, Crud, Met, as_fast, crud, reads};
pub use compare::{Comparison, Difference, DifferenceKind, compare};
pub use copy::{Copied, copy};
pub use error::MigrateError;
pub use mapping::Mapping;
pub use patient::Patient;
pub use plan::{KindCount, Plan, note_plan, plan};
pub use policy::{Fault, FaultKind, Policy};
pub use propose::{Proposal, propose};
pub use record::{AtWork, CopyRecord, Folder, Record, StepRecord, Waiting};
pub use shadow::{Example, Fields, Shadow, ShadowConfig, Speed, Until, shadow};
pub use status::Standing;
pub use way::{
    BackRecord, DifferencesRecord, Direction, Finished, FollowRecord, Following, Pace, ProvenRecord,
    ShutRecord, Turn, TurnRecord, Turned, Way, cut_over, finish, follow, roll_back,
};

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
