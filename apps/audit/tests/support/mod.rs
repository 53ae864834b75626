//! An installation in memory, as the distributed engines make one: several partitions whose offsets have holes, a
//! log that may trail its catalog, recent events that are copies.

mod catalog;
mod log;
mod store;
mod world;

pub use world::World;
