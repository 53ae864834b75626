//! What readers are promised, on a log in memory.

mod catching_up;
mod filters;
mod gaps;
mod life;
mod markers;
mod races;
mod resuming;
