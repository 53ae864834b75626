//! What an archive promises.

pub mod objects;
