//! Servers on this machine itself, without Docker.

use std::path::PathBuf;

use anyhow::{Context as _, bail};
use souk_servers::{Access, Kind, Life, Options, Servers};

use super::settings::Ports;
use super::{Backend, Status};

/// Room for what a developer tries by hand, load tests included.
const KAFKA_HEAP_MIB: u32 = 1_024;

/// Servers whose data lies in a folder.
pub struct Local {
    folder: PathBuf,
}

impl Local {
    pub fn new(folder: PathBuf) -> Self {
        Self { folder }
    }

    /// Tells whether servers were started here and not stopped.
    pub fn is_used(&self) -> anyhow::Result<bool> {
        Ok(self.servers()?.iter().next().is_some())
    }

    fn servers(&self) -> anyhow::Result<Servers> {
        Servers::attach(&self.folder)
    }
}

impl Backend for Local {
    fn up(&self, kinds: &[Kind], ports: &Ports) -> anyhow::Result<()> {
        let servers = self.servers()?;
        let mut missing = Vec::new();
        for kind in kinds {
            match servers.get(*kind).filter(|server| server.is_running()) {
                Some(server) if server.port() != ports.of(*kind) => bail!(
                    "{kind} runs at port {}, not {}: `cargo xtask services down` first, or ask for that port",
                    server.port(),
                    ports.of(*kind)
                ),
                Some(_) => {}
                None => missing.push(*kind),
            }
        }
        if missing.is_empty() {
            return Ok(());
        }
        let options = |kind: Kind| Options {
            port: Some(ports.of(kind)),
            console_port: (kind == Kind::Minio).then_some(ports.minio_console),
            heap_mib: (kind == Kind::Kafka).then_some(KAFKA_HEAP_MIB),
            optimised: kind == Kind::Kafka,
            life: Life::Detached,
            ..Options::default()
        };
        let names: Vec<&str> = missing.iter().map(|kind| kind.name()).collect();
        eprintln!("starting {} in {}", names.join(", "), self.folder.display());
        Servers::start(&self.folder, &missing, options)?;
        Ok(())
    }

    fn down(&self, wipe: bool) -> anyhow::Result<()> {
        let mut servers = self.servers()?;
        let names: Vec<&str> = servers.iter().map(|server| server.kind().name()).collect();
        if names.is_empty() {
            eprintln!("no server runs");
        } else {
            eprintln!("stopping {}", names.join(", "));
        }
        servers.stop()?;
        if wipe {
            // What we made, nothing else: the folder may be one that somebody named by mistake.
            for kind in Kind::ALL {
                remove(&self.folder.join(kind.name()))?;
            }
            let _ = std::fs::remove_dir(&self.folder);
            eprintln!("removed their data from {}", self.folder.display());
        }
        Ok(())
    }

    fn status(&self) -> anyhow::Result<Vec<Status>> {
        let servers = self.servers()?;
        let of = |kind: Kind| match servers.get(kind) {
            Some(server) => Status {
                name: kind.name(),
                state: match (server.is_running(), server.answers()) {
                    (false, _) => "stopped",
                    (true, false) => "not answering",
                    (true, true) => "ready",
                },
                address: Some(format!("127.0.0.1:{}", server.port())),
                by: server.pid().map(|pid| format!("pid {pid}")),
            },
            None => Status { name: kind.name(), state: "not started", address: None, by: None },
        };
        Ok(Kind::ALL.into_iter().map(of).collect())
    }

    fn access(&self) -> anyhow::Result<Vec<Access>> {
        Ok(self.servers()?.iter().map(|server| Access::at(server.kind(), server.port())).collect())
    }
}

fn remove(folder: &std::path::Path) -> anyhow::Result<()> {
    match std::fs::remove_dir_all(folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("cannot remove {}", folder.display()))
        }
        _ => Ok(()),
    }
}
