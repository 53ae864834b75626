//! The ledger of `tests/it/crash`: what was asked for, what was answered, and how both are held against each other.

#[allow(dead_code, reason = "shared with `tests/it`, which uses the rest")]
#[path = "../it/crash/ledger.rs"]
pub mod ledger;
#[path = "../it/crash/operation.rs"]
pub mod operation;
#[allow(dead_code, reason = "shared with `tests/it`, which uses the rest")]
#[path = "../it/crash/verdict.rs"]
pub mod verdict;
#[allow(dead_code, reason = "shared with `tests/it`, which uses the rest")]
#[path = "../it/crash/writer.rs"]
pub mod writer;
