//! The servers, really started: each keeps its data through a kill, and none is left behind.
//!
//! Needs what `souk_servers::install` installs or asks for; nothing has to run beforehand.

mod clients;
mod data;
mod life;
