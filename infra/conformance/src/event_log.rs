//! What a [`souk_ports::EventLog`] promises. Events come into being through the catalog alone.

pub mod dead_letters;
pub mod groups;
pub mod reading;
pub mod tails;
