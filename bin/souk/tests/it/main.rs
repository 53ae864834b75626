//! souk as its users meet it: the real binary, over real sockets.
//!
//! - `architecture`: which crate may depend on which, and how long a file may be.
//! - `settings`, `services_settings`: what is refused before anything starts.
//! - `help`: every command explains itself; `docs`: the guide tells every setting as it is.
//! - `read_only`: a data folder that cannot be written.
//! - `migrate`: a shop's table is taken over, whatever ends the steps.
//! - `moving`: a whole shop moves between the embedded engines and the real servers.
//! - `services`: each service on its own against the real servers; `monolith`: all on one port, and what `on_servers` asks
//!   of it: the doctor, the audit and its repair.
//! - `web`: the dashboard, beside the services and on its own.
//! - `up`: the guide's own commands, readiness, drain, restart, a second `up`, an audit beside it.
//! - `buyers`: many want the last unit; `full_disk`: the catalog's file may not grow any more.
//! - `revenue`: the sample's figures by the hour, computed from its file alone.
//! - `load`: it finds what it is told of; `verify`: every step of it, on every kind of installation.
//!
//! Starting and talking is in `support`.

mod architecture;
mod buyers;
mod crash;
mod docs;
mod doctor;
mod full_disk;
mod help;
mod load;
mod migrate;
mod monolith;
mod moving;
mod on_servers;
mod read_only;
mod revenue;
mod services;
mod services_settings;
mod settings;
mod support;
mod up;
mod verify;
mod web;
