//! Figures: what each event adds, folded by batches and counted exactly once.

mod consume;
mod fold;
mod measure;

pub use fold::{Batch, Unreadable};
pub use measure::Fact;

pub(crate) use consume::{AggregateParts, AggregateSink, Pace};
