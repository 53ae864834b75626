//! A shop moves between real folders: whole, wherever it is broken off, and not where it must not.

mod bed;
mod interruptions;
mod moves;
mod refusals;
