//! What a place promises that a shop moves to.

pub mod targets;
