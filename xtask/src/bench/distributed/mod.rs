//! souk's services on the real engines, all on this machine: Postgres, Kafka, DynamoDB Local and MinIO.
//!
//! One set of servers for a whole run; every measurement works in a [`Town`], a database, topics, tables and a bucket
//! that no other uses.

pub mod archive;
pub mod creates;
pub mod latency;
pub mod memory;
pub mod relay;

use std::cell::Cell;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use souk_servers::{Kind, Options, Servers};

use super::cleanup::Server;
use super::http::{self, Connection};
use super::{Bench, peers};

/// How long a service may take to become ready: it makes tables, topics and a bucket first.
const START_LIMIT: Duration = Duration::from_secs(60);
/// A broker with this heap does not collect garbage all the time.
const KAFKA_HEAP_MIB: u32 = 1024;

/// The servers.
pub struct Bed {
    servers: Servers,
    towns: Cell<u32>,
}

impl Bench {
    /// Returns the servers; starts them the first time.
    pub fn bed(&self) -> anyhow::Result<&Bed> {
        if self.bed.get().is_none() {
            eprintln!("  starting Postgres, Kafka, DynamoDB Local and MinIO");
            let servers = Servers::start(&self.scratch.folder("servers")?, &Kind::ALL, |kind| Options {
                // As an operator runs them, not as a test does.
                optimised: true,
                heap_mib: (kind == Kind::Kafka).then_some(KAFKA_HEAP_MIB),
                in_memory: true,
                ..Options::default()
            })?;
            let _ = self.bed.set(Bed { servers, towns: Cell::new(0) });
        }
        self.bed.get().context("it was just set")
    }
}

/// An installation's names on the servers.
pub struct Town<'a> {
    bench: &'a Bench,
    /// What its engines are called.
    pub name: String,
    settings: Vec<(String, String)>,
}

impl<'a> Town<'a> {
    /// Makes an empty database; the services make the rest.
    pub fn new(bench: &'a Bench) -> anyhow::Result<Self> {
        let bed = bench.bed()?;
        bed.towns.set(bed.towns.get() + 1);
        let name = format!("bench_{}", bed.towns.get());
        let mut settings: Vec<(String, String)> =
            bed.servers.env().into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        for (setting, value) in [
            ("KAFKA_TOPIC", name.clone()),
            ("KAFKA_CLIENT_ID", name.clone()),
            ("KAFKA_TRANSACTIONAL_ID", format!("{name}-relay")),
            ("RECENT_EVENTS_TABLE_NAME", format!("{name}.recent")),
            ("AGGREGATES_TABLE_NAME", format!("{name}.aggregates")),
            ("ARCHIVE_BUCKET_NAME", name.replace('_', "-")),
        ] {
            settings.push((setting.to_owned(), value));
        }
        let mut town = Self { bench, name, settings };
        town.sql(&format!("CREATE DATABASE {}", town.name))?;
        let name = town.name.clone();
        let url = town.setting_mut("DATABASE_URL")?;
        let (server, _) = url.rsplit_once('/').context("DATABASE_URL names no database")?;
        *url = format!("{server}/{name}");
        Ok(town)
    }

    /// Starts a service and waits until it is ready.
    pub fn start(&self, service: &'static str, more: &[(&str, &str)]) -> anyhow::Result<Service> {
        let port = souk_servers::free_port()?;
        let log = self.bench.scratch.folder(&format!("{}-{service}", self.name))?.join("log");
        let mut command = Command::new(&self.bench.souk);
        self.equip(command.arg(service));
        command.env(if service == "analytics" { "HEALTH_PORT" } else { "PORT" }, port.to_string());
        command.envs(more.iter().copied());
        let mut service = Service { server: Server::spawn(&mut command, "TERM", &log)?, port, log };
        let began = Instant::now();
        while !service.is_ready()? {
            service.check()?;
            if began.elapsed() > START_LIMIT {
                bail!("{} did not get ready: {}", self.name, service.last_words());
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        Ok(service)
    }

    /// Starts an api whose relay finds no Kafka: writes go on, the outbox grows.
    pub fn start_without_relay(&self) -> anyhow::Result<Service> {
        let closed = format!("127.0.0.1:{}", souk_servers::free_port()?);
        self.start("api", &[("KAFKA_BROKERS", &closed)])
    }

    /// Gives a command the settings of its services.
    pub fn equip<'c>(&self, command: &'c mut Command) -> &'c mut Command {
        command.envs(self.settings.iter().map(|(name, value)| (name, value)))
    }

    /// Returns a setting.
    pub fn setting(&self, name: &str) -> anyhow::Result<&str> {
        let found = self.settings.iter().find(|(n, _)| n == name);
        found.map(|(_, value)| value.as_str()).with_context(|| format!("the servers set no {name}"))
    }

    /// Runs statements on its database.
    pub fn sql(&self, statements: &str) -> anyhow::Result<()> {
        let url = self.setting("DATABASE_URL")?.to_owned();
        http::block_on(async move {
            let (client, connection) = tokio_postgres::connect(&url, tokio_postgres::NoTls).await?;
            let connection = tokio::task::spawn_local(connection);
            client.batch_execute(statements).await?;
            drop(client);
            connection.await??;
            Ok(())
        })
    }

    fn setting_mut(&mut self, name: &str) -> anyhow::Result<&mut String> {
        let found = self.settings.iter_mut().find(|(n, _)| n == name);
        found.map(|(_, value)| value).with_context(|| format!("the servers set no {name}"))
    }
}

/// A running service; ends with this value.
pub struct Service {
    server: Server,
    /// Where it listens.
    pub port: u16,
    log: PathBuf,
}

impl Service {
    /// Returns a figure of its memory in bytes, such as `VmRSS`.
    pub fn memory(&self, figure: &str) -> anyhow::Result<f64> {
        peers::memory(self.server.pid(), figure)
    }

    /// Fails when it has ended.
    pub fn check(&mut self) -> anyhow::Result<()> {
        if self.server.is_running() { Ok(()) } else { bail!("a service ended: {}", self.last_words()) }
    }

    /// Returns one of its metrics.
    pub async fn metric(&self, connection: &mut Connection, name: &str) -> anyhow::Result<f64> {
        let text = connection.succeed(&http::request("GET", "/metrics", None)).await?;
        let text = std::str::from_utf8(text)?;
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        Ok(line.with_context(|| format!("no metric {name}"))?.trim().parse()?)
    }

    fn is_ready(&self) -> anyhow::Result<bool> {
        let port = self.port;
        http::block_on(async move {
            let Ok(mut connection) = Connection::open(port).await else { return Ok(false) };
            Ok(connection
                .call(&http::request("GET", "/readyz", None))
                .await
                .is_ok_and(|(status, _)| status == 200))
        })
    }

    fn last_words(&self) -> String {
        let text = std::fs::read_to_string(&self.log).unwrap_or_default();
        text.lines().last().unwrap_or("it says nothing").to_owned()
    }
}
