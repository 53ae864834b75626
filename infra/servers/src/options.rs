//! How a server is to run.

use serde::{Deserialize, Serialize};

/// How long a server lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Life {
    /// Until its [`crate::Server`] is dropped or the process that started it ends, however that ends.
    #[default]
    Parent,
    /// Until it is stopped: by the [`crate::Server`] itself or by another that attached to it.
    Detached,
}

/// How a server is to run. The default is right for tests: free ports, little memory, durable data.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Options {
    /// The port; a free one when `None`. A restart keeps it.
    pub port: Option<u16>,
    /// MinIO: the port of its console, which is off when `None`.
    pub console_port: Option<u16>,
    /// Kafka: for each port here, one more listener, whose clients are told to come back to 127.0.0.1 at this port.
    /// Something in between, such as a fault proxy, listens there and passes on to
    /// [`crate::Server::behind_proxy`]: without this, clients would go round it from the second connection on.
    pub advertise: Vec<u16>,
    /// Postgres: the major version; the newest that is installed when `None`. One that is not installed is fetched.
    pub version: Option<u32>,
    /// Settings of the server's own, the last word: of `postgresql.conf`, of `server.properties`, arguments of
    /// DynamoDB Local (`-delayTransientStatuses` with an empty value), environment variables of MinIO.
    pub settings: Vec<(String, String)>,
    /// Kafka and DynamoDB Local: the heap's limit in MiB.
    pub heap_mib: Option<u32>,
    /// Kafka and DynamoDB Local: compile as well as the virtual machine can, which costs start time and memory.
    pub optimised: bool,
    /// DynamoDB Local: keep tables in memory, some times faster, gone after a restart.
    pub in_memory: bool,
    /// How long it lives.
    pub life: Life,
}
