//! Real servers on this machine: Postgres, Kafka, DynamoDB Local and MinIO, without containers.
//!
//! [`install()`] brings the programs into a cache outside the checkout, once. [`Server`] is one server with a folder and
//! a port of its own; [`Servers`] is one of each kind. Several may run at once. What a test started ends with the value
//! that stands for it, and also when the test's process is killed; what `cargo xtask services up` started is
//! [`Life::Detached`] and goes on until it is taken down.
//!
//! A server can be killed, paused, resumed and restarted, on the same port with the same data: that is what it is for.
//!
//! ```no_run
//! # fn main() -> anyhow::Result<()> {
//! use souk_servers::{Kind, Options, Scratch, Server};
//!
//! let scratch = Scratch::new("bad-day")?;
//! let mut kafka = Server::start(Kind::Kafka, scratch.folder("kafka"), Options::default())?;
//! for (name, value) in kafka.env() {
//!     println!("export {name}={value}");
//! }
//! kafka.kill();
//! kafka.restart()?;
//! # Ok(())
//! # }
//! ```

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

mod classes;
mod dynamo;
mod install;
mod java;
mod kafka;
mod memory;
mod minio;
mod options;
mod pause;
mod ports;
mod postgres;
mod process;
mod ready;
mod record;
mod scratch;
mod server;
mod servers;
mod spawn;
mod tools;

pub use install::{Installed, cache, install, once};
pub use options::{Life, Options};
pub use ports::free as free_port;
pub use process::{end_group, end_with_parent};
pub use scratch::Scratch;
pub use server::Server;
pub use servers::{Access, Servers};
pub use tools::{Tool, on_path, provide, quietly};

/// Which server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// PostgreSQL 15 or later, from the system's packages.
    Postgres,
    /// Apache Kafka in KRaft mode, one node.
    Kafka,
    /// DynamoDB Local.
    Dynamo,
    /// MinIO: S3 on this machine.
    Minio,
}

impl Kind {
    /// Every kind, in the order in which they are named to people.
    pub const ALL: [Self; 4] = [Self::Postgres, Self::Kafka, Self::Dynamo, Self::Minio];

    /// Returns the name by which commands, folders and records call it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Postgres => "postgres",
            Self::Kafka => "kafka",
            Self::Dynamo => "dynamo",
            Self::Minio => "minio",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Kind {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|kind| kind.name() == name)
            .ok_or_else(|| format!("`{name}` is no server: take postgres, kafka, dynamo or minio"))
    }
}
