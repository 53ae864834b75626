//! What a [`souk_ports::Catalog`] promises.

pub mod concurrency;
pub mod imports;
pub mod keys;
pub mod lists;
pub mod reads;
pub mod search;
pub mod skus;
pub mod units;
