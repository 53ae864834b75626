//! One server of each kind, and how souk finds them.

use std::path::Path;

use crate::{Kind, Options, Server, dynamo, install, minio, postgres};

/// How souk finds a server on this machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Access {
    kind: Kind,
    port: u16,
}

impl Access {
    /// A server with the names and passwords that those started here have.
    pub fn at(kind: Kind, port: u16) -> Self {
        Self { kind, port }
    }

    /// Returns the settings, as (name, value).
    pub fn env(self) -> Vec<(&'static str, String)> {
        let Self { kind, port } = self;
        let text = str::to_owned;
        match kind {
            Kind::Postgres => vec![("DATABASE_URL", postgres::url(port))],
            Kind::Kafka => vec![("KAFKA_BROKERS", format!("127.0.0.1:{port}"))],
            Kind::Dynamo => vec![
                ("DYNAMO_ENDPOINT", format!("http://127.0.0.1:{port}")),
                ("AWS_ACCESS_KEY_ID", text(dynamo::CREDENTIALS.0)),
                ("AWS_SECRET_ACCESS_KEY", text(dynamo::CREDENTIALS.1)),
                ("AWS_REGION", text(dynamo::REGION)),
            ],
            Kind::Minio => vec![
                ("MINIO_ENDPOINT", format!("http://127.0.0.1:{port}")),
                ("MINIO_ACCESS_KEY", text(minio::CREDENTIALS.0)),
                ("MINIO_SECRET_KEY", text(minio::CREDENTIALS.1)),
            ],
        }
    }
}

/// Servers of several kinds, at most one of each.
#[derive(Debug, Default)]
pub struct Servers(Vec<Server>);

impl Servers {
    /// Starts a server of each kind, side by side, each in a folder of its name; waits until all answer.
    ///
    /// # Errors
    /// As [`Server::start`]; those that came up are stopped then.
    pub fn start(folder: &Path, kinds: &[Kind], options: impl Fn(Kind) -> Options) -> anyhow::Result<Self> {
        // First all of it: what takes minutes or fails should not keep servers waiting.
        install(kinds)?;
        let launched: Vec<anyhow::Result<Server>> = std::thread::scope(|scope| {
            let launch = |kind: Kind| {
                let options = options(kind);
                scope.spawn(move || Server::launch(kind, folder.join(kind.name()), options))
            };
            let launching: Vec<_> = kinds.iter().map(|kind| launch(*kind)).collect();
            launching.into_iter().map(|thread| thread.join().expect("launching does not panic")).collect()
        });
        let (mut servers, mut fault) = (Self::default(), None);
        for outcome in launched {
            match outcome {
                Ok(server) => servers.0.push(server),
                Err(error) => fault = fault.or(Some(error)),
            }
        }
        for server in &mut servers.0 {
            if fault.is_none() {
                fault = server.wait_ready_or_move().err();
            }
        }
        if let Some(fault) = fault {
            // Detached ones would go on, though nobody was told of them.
            let _ = servers.stop();
            return Err(fault);
        }
        Ok(servers)
    }

    /// Finds those that another process started in `folder`, running or not, but not those that were stopped.
    ///
    /// # Errors
    /// As [`Server::attach`].
    pub fn attach(folder: &Path) -> anyhow::Result<Self> {
        let mut servers = Vec::new();
        for kind in Kind::ALL {
            servers.extend(Server::attach(folder.join(kind.name()))?);
        }
        Ok(Self(servers))
    }

    /// Returns the settings by which souk finds them, as (name, value).
    pub fn env(&self) -> Vec<(&'static str, String)> {
        self.0.iter().flat_map(Server::env).collect()
    }

    /// Returns the one of `kind`.
    pub fn get(&self, kind: Kind) -> Option<&Server> {
        self.0.iter().find(|server| server.kind() == kind)
    }

    /// Returns the one of `kind`, to do something to it.
    pub fn get_mut(&mut self, kind: Kind) -> Option<&mut Server> {
        self.0.iter_mut().find(|server| server.kind() == kind)
    }

    /// Returns them in the order of [`Kind::ALL`].
    pub fn iter(&self) -> impl Iterator<Item = &Server> {
        self.0.iter()
    }

    /// Stops all in order, side by side.
    ///
    /// # Errors
    /// The first of [`Server::stop`]; the others are stopped all the same.
    pub fn stop(&mut self) -> anyhow::Result<()> {
        let outcomes: Vec<anyhow::Result<()>> = std::thread::scope(|scope| {
            let stopping: Vec<_> = self.0.iter_mut().map(|server| scope.spawn(|| server.stop())).collect();
            stopping.into_iter().map(|thread| thread.join().expect("stopping does not panic")).collect()
        });
        outcomes.into_iter().collect()
    }
}
