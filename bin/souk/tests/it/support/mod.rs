//! Boots the real binary and talks to it over plain sockets, with nothing of souk's own in between.

mod http;
mod installation;
mod process;
mod service;

pub use http::{Client, EventStream, Reply, eventually};
pub use installation::Installation;
pub use process::{Output, Ports, Running, Souk, Start, run_souk, run_souk_as, souk};
pub use service::{Service, free_port};
