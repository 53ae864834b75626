//! Tests of the embedded backend: the promises of the ports, and what is its own.

mod conformance;
mod folder;
mod full_disk;
mod retention;
