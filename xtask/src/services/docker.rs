//! Servers by Docker Compose: `deploy/compose.services.yaml`, with the ports as variables.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, bail};
use serde::{Deserialize, Serialize};
use souk_servers::{Access, Kind};

use super::settings::Ports;
use super::{Backend, Status};

/// The name of the project: what belongs together for Compose, whatever folder the checkout lies in.
const PROJECT: &str = "souk-services";
/// The record of what was started, in the data folder.
const RECORD: &str = "docker.json";

/// Servers in containers; their data lies in Docker's volumes, the folder only says that they are there.
pub struct Docker {
    folder: PathBuf,
}

#[derive(Serialize, Deserialize)]
struct Record {
    kinds: Vec<Kind>,
    ports: Ports,
    /// False after `down`: only the volumes are there.
    up: bool,
}

/// # Errors
/// When no engine runs or Compose is missing; names the remedy.
pub fn engine_runs() -> anyhow::Result<()> {
    let succeeds = |args: &[&str]| {
        let mut docker = Command::new("docker");
        docker.args(args).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        docker.status().is_ok_and(|status| status.success())
    };
    if !succeeds(&["info"]) {
        bail!("no Docker engine answers: start it, or take `--engine local`");
    }
    if !succeeds(&["compose", "version"]) {
        bail!(
            "this Docker has no Compose: install its plugin `docker-compose-plugin`, or take `--engine local`"
        );
    }
    Ok(())
}

impl Docker {
    pub fn new(folder: PathBuf) -> Self {
        Self { folder }
    }

    /// Tells whether servers were started by Docker and not stopped.
    pub fn is_used(&self) -> bool {
        matches!(self.record(), Ok(Some(record)) if record.up)
    }

    /// Tells whether Docker keeps anything of ours, be it only data.
    pub fn is_known(&self) -> bool {
        self.folder.join(RECORD).is_file()
    }

    fn record(&self) -> anyhow::Result<Option<Record>> {
        let path = self.folder.join(RECORD);
        if !path.is_file() {
            return Ok(None);
        }
        let text =
            std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        Ok(Some(
            serde_json::from_str(&text).with_context(|| format!("cannot understand {}", path.display()))?,
        ))
    }

    fn write(&self, record: &Record) -> anyhow::Result<()> {
        let path = self.folder.join(RECORD);
        let text = serde_json::to_string_pretty(record)?;
        std::fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))
    }

    fn compose(ports: &Ports) -> Command {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/compose.services.yaml");
        let mut command = Command::new("docker");
        command.args(["compose", "--project-name", PROJECT, "--file"]).arg(file);
        let ports = [
            ("SOUK_POSTGRES_PORT", ports.postgres),
            ("SOUK_KAFKA_PORT", ports.kafka),
            ("SOUK_DYNAMO_PORT", ports.dynamo),
            ("SOUK_MINIO_PORT", ports.minio),
            ("SOUK_MINIO_CONSOLE_PORT", ports.minio_console),
        ];
        command.envs(ports.map(|(name, port)| (name, port.to_string())));
        command
    }

    /// Returns the names of the containers that run, by service.
    fn running(ports: &Ports) -> anyhow::Result<Vec<String>> {
        let output = Self::compose(ports)
            .args(["ps", "--services", "--status", "running"])
            .output()
            .context("could not ask docker compose")?;
        Ok(String::from_utf8_lossy(&output.stdout).lines().map(|line| line.trim().to_owned()).collect())
    }
}

/// The names of the services in the compose file.
fn service(kind: Kind) -> &'static str {
    match kind {
        Kind::Postgres => "postgres",
        Kind::Kafka => "redpanda",
        Kind::Dynamo => "dynamodb",
        Kind::Minio => "minio",
    }
}

impl Backend for Docker {
    fn up(&self, kinds: &[Kind], ports: &Ports) -> anyhow::Result<()> {
        if let Some(record) = self.record()?
            && record.up
            && record.ports != *ports
        {
            bail!("the servers run at other ports: `cargo xtask services down` first");
        }
        let mut all = self.record()?.map(|record| record.kinds).unwrap_or_default();
        all.extend(kinds);
        all.sort_unstable();
        all.dedup();
        std::fs::create_dir_all(&self.folder)
            .with_context(|| format!("cannot make {}", self.folder.display()))?;
        // First: a start that breaks off halfway can be taken down.
        self.write(&Record { kinds: all, ports: ports.clone(), up: true })?;
        let mut command = Self::compose(ports);
        command.args(["up", "--detach", "--wait"]).args(kinds.iter().map(|kind| service(*kind)));
        succeed(&mut command, "docker compose up")
    }

    fn down(&self, wipe: bool) -> anyhow::Result<()> {
        let Some(record) = self.record()? else { return Ok(()) };
        let mut command = Self::compose(&record.ports);
        command.arg("down");
        if wipe {
            command.arg("--volumes");
        }
        succeed(&mut command, "docker compose down")?;
        if !wipe {
            return self.write(&Record { kinds: Vec::new(), up: false, ..record });
        }
        std::fs::remove_file(self.folder.join(RECORD))?;
        let _ = std::fs::remove_dir(&self.folder);
        Ok(())
    }

    fn status(&self) -> anyhow::Result<Vec<Status>> {
        let record = self.record()?;
        let running = match &record {
            Some(record) => Self::running(&record.ports)?,
            None => Vec::new(),
        };
        let of = |kind: Kind| {
            let record = record.as_ref().filter(|record| record.kinds.contains(&kind));
            Status {
                name: kind.name(),
                state: match record {
                    None => "not started",
                    Some(_) if running.iter().any(|name| name == service(kind)) => "ready",
                    Some(_) => "stopped",
                },
                address: record.map(|record| format!("127.0.0.1:{}", record.ports.of(kind))),
                by: record.map(|_| format!("{PROJECT}-{}", service(kind))),
            }
        };
        Ok(Kind::ALL.into_iter().map(of).collect())
    }

    fn access(&self) -> anyhow::Result<Vec<Access>> {
        let Some(record) = self.record()? else { return Ok(Vec::new()) };
        Ok(record.kinds.iter().map(|kind| Access::at(*kind, record.ports.of(*kind))).collect())
    }
}

fn succeed(command: &mut Command, what: &str) -> anyhow::Result<()> {
    // Its progress goes to stderr, where it belongs.
    let status = command.stdin(Stdio::null()).status().with_context(|| format!("could not start {what}"))?;
    if !status.success() {
        bail!("{what} failed ({status}); what it printed says why");
    }
    Ok(())
}
