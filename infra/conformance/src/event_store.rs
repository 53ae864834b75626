//! What a [`souk_ports::EventStore`] promises.

pub mod aggregates;
pub mod counting;
pub mod recent;
pub mod repair;
