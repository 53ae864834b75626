//! Postgres as a peer: a cluster of its own with default durability, and pgbench writing the same rows.

use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};

use super::cleanup::Server;
use super::{Bench, peers};

/// The version that is measured.
const VERSION: &str = "15";
/// Where its programs lie on Debian.
const PROGRAMS: &str = "/usr/lib/postgresql/15/bin";
/// Clients and threads of pgbench.
pub const CLIENTS: &str = "16";
pub const THREADS: &str = "2";
/// How long the cluster may take to answer.
const START_LIMIT: Duration = Duration::from_secs(30);

/// Which indexes the tables have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Indexes {
    /// Those of the embedded catalog and log.
    Same,
    /// None beyond the primary keys.
    PrimaryKeysOnly,
}

/// How statements reach the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// As text, parsed and planned each time: what pgbench does unless told otherwise.
    Simple,
    /// Prepared once, values as parameters: what a careful application does.
    Prepared,
}

/// The tables of the embedded catalog and log, in Postgres' types.
const TABLES: &str = "
DROP TABLE IF EXISTS products, events;
DROP SEQUENCE IF EXISTS ids;
CREATE SEQUENCE ids CACHE 100;
CREATE TABLE products (
  id uuid PRIMARY KEY, seller_id text NOT NULL, sku text, name text NOT NULL, description text,
  category text NOT NULL, price bigint NOT NULL, stock integer NOT NULL, low_stock_threshold integer,
  low_stock boolean NOT NULL, version bigint NOT NULL, created_at bigint NOT NULL, updated_at bigint NOT NULL);
CREATE TABLE events (
  \"offset\" bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, seller_id text NOT NULL, product_id uuid NOT NULL,
  type smallint NOT NULL, time bigint NOT NULL, payload text NOT NULL);
";

/// The other indexes of the embedded catalog and log.
const INDEXES: &str = "
CREATE UNIQUE INDEX ON products (sku, seller_id) WHERE sku IS NOT NULL;
CREATE INDEX ON products (created_at);
CREATE INDEX ON products (name);
CREATE INDEX ON products (stock);
CREATE INDEX ON products (seller_id, created_at);
CREATE INDEX ON products (seller_id, name);
CREATE INDEX ON products (seller_id, stock);
CREATE INDEX ON products (category, created_at);
CREATE INDEX ON products (category, name);
CREATE INDEX ON products (category, stock);
CREATE INDEX ON products (created_at) WHERE low_stock;
CREATE INDEX ON products (name) WHERE low_stock;
CREATE INDEX ON products (stock) WHERE low_stock;
CREATE INDEX ON products (seller_id, created_at) WHERE low_stock;
CREATE INDEX ON products (seller_id, name) WHERE low_stock;
CREATE INDEX ON products (seller_id, stock) WHERE low_stock;
CREATE INDEX ON events (seller_id);
CREATE INDEX ON events (product_id);
CREATE INDEX ON events (type);
";

/// An event of a create, as long as souk's.
pub const PAYLOAD: &str = r#"{"specversion":"1.0","id":"01998f2e-7c1a-7000-8000-000001990000","source":"/souk/api","type":"ProductCreated","subject":"01998f2e-7c1a-7000-8000-000000000042","time":"2026-11-22T18:00:00.123Z","datacontenttype":"application/json","sellerid":"seller1","data":{"version":1,"product":{"id":"01998f2e-7c1a-7000-8000-000000000042","sellerId":"seller1","sku":null,"name":"Test Product","description":null,"category":"general","price":99.99,"stock":10,"lowStockThreshold":null,"lowStock":false,"version":1,"createdAt":"2026-11-22T18:00:00.123Z","updatedAt":"2026-11-22T18:00:00.123Z"}}}"#;

/// A running cluster.
pub struct Postgres {
    _server: Server,
    programs: PathBuf,
    folder: PathBuf,
    user: Option<(u32, u32)>,
}

impl Postgres {
    /// Makes a cluster and starts it, reachable through a socket in its folder alone.
    pub fn start(bench: &Bench) -> anyhow::Result<Self> {
        peers::ensure("Postgres", &["postgresql-15", "postgresql-client-15"], || programs().is_some())?;
        let programs = programs().context("Postgres has just been there")?;
        let folder = bench.scratch.folder("postgres")?;
        // initdb refuses to run as root.
        let user = if peers::is_root() { Some(other_user()?) } else { None };
        if let Some((uid, gid)) = user {
            std::os::unix::fs::chown(&folder, Some(uid), Some(gid))?;
        }
        let data = folder.join("data");
        let run = |program: &str| as_user(&programs.join(program), user, &folder);
        succeed(run("initdb").arg("--pgdata").arg(&data).args(["--username", "bench", "--auth", "trust"]))?;
        let server = Server::spawn(
            run("postgres").arg("-D").arg(&data).arg("-k").arg(&folder).args(["-c", "listen_addresses="]),
            "INT",
            &bench.scratch.folder("postgres-log")?.join("postgres.log"),
        )?;
        let postgres = Self { _server: server, programs, folder, user };
        let began = Instant::now();
        while postgres.psql("SELECT 1").is_err() {
            if began.elapsed() > START_LIMIT {
                bail!("Postgres did not get ready within {} s", START_LIMIT.as_secs());
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        Ok(postgres)
    }

    /// Makes empty tables and returns how many creates per second pgbench gets into them.
    pub fn creates(&mut self, indexes: Indexes, protocol: Protocol, time: Duration) -> anyhow::Result<f64> {
        self.psql(TABLES)?;
        if indexes == Indexes::Same {
            self.psql(INDEXES)?;
        }
        self.psql("CHECKPOINT")?;
        let script = self.folder.join("create.sql");
        std::fs::write(&script, CREATE)?;
        let seconds = time.as_secs().max(1).to_string();
        let (protocol, payload) = match protocol {
            // Variables are pasted into the text as they are.
            Protocol::Simple => ("simple", format!("payload='{PAYLOAD}'")),
            Protocol::Prepared => ("prepared", format!("payload={PAYLOAD}")),
        };
        let output = succeed(
            self.run("pgbench")
                .args(["--no-vacuum", "--client", CLIENTS, "--jobs", THREADS, "--time", &seconds])
                .args(["--protocol", protocol, "--define", &payload, "--file"])
                .arg(&script)
                .arg("postgres"),
        )?;
        read_tps(&String::from_utf8_lossy(&output.stdout))
    }

    /// Returns a URL of it.
    pub fn url(&self) -> String {
        let folder = self.folder.display().to_string().replace('/', "%2F");
        format!("postgresql://bench@{folder}/postgres")
    }

    /// Runs a statement.
    pub fn psql(&self, sql: &str) -> anyhow::Result<Output> {
        succeed(self.run("psql").args(["--quiet", "--set", "ON_ERROR_STOP=1", "--command", sql, "postgres"]))
    }

    fn run(&self, program: &str) -> Command {
        let mut command = as_user(&self.programs.join(program), self.user, &self.folder);
        command
            .env("PGHOST", &self.folder)
            .env("PGUSER", "bench")
            .env("PGOPTIONS", "-c client_min_messages=error");
        command
    }
}

/// One statement that writes the product and its event, as an application with a prepared statement would.
/// Ids ascend, as souk's do: that favours Postgres over random ones.
const CREATE: &str = "WITH product AS (\
 INSERT INTO products VALUES (lpad(to_hex(nextval('ids')), 32, '0')::uuid, 'seller1', NULL, 'Test Product', NULL, \
 'general', 999900, 10, NULL, false, 1, (extract(epoch FROM clock_timestamp()) * 1000)::bigint, \
 (extract(epoch FROM clock_timestamp()) * 1000)::bigint) RETURNING id, created_at) \
 INSERT INTO events (seller_id, product_id, type, time, payload) \
 SELECT 'seller1', id, 0, created_at, :payload FROM product;\n";

fn programs() -> Option<PathBuf> {
    let debian = PathBuf::from(PROGRAMS);
    if debian.join("postgres").is_file() && debian.join("pgbench").is_file() {
        return Some(debian);
    }
    let found = peers::find("postgres")?.parent()?.to_owned();
    let version = Command::new(found.join("postgres")).arg("--version").output().ok()?;
    let right = String::from_utf8_lossy(&version.stdout).contains(&format!(" {VERSION}."));
    (right && found.join("pgbench").is_file()).then_some(found)
}

/// Returns user and group to run as when this process is root.
fn other_user() -> anyhow::Result<(u32, u32)> {
    for name in ["postgres", "nobody"] {
        let number = |what| peers::id(&[what, name]).and_then(|text| text.parse().ok());
        if let (Some(uid), Some(gid)) = (number("-u"), number("-g")) {
            return Ok((uid, gid));
        }
    }
    bail!(
        "Postgres refuses to run as root and there is neither a user postgres nor nobody; run this as another user"
    )
}

fn as_user(program: &Path, user: Option<(u32, u32)>, folder: &Path) -> Command {
    let mut command = Command::new(program);
    command.current_dir(folder);
    if let Some((uid, gid)) = user {
        command.uid(uid).gid(gid);
    }
    command
}

pub fn succeed(command: &mut Command) -> anyhow::Result<Output> {
    let name = command.get_program().to_string_lossy().into_owned();
    let output = command.output().with_context(|| format!("could not run {name}"))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        bail!("{name} failed: {}", said.lines().next().unwrap_or("it says nothing"));
    }
    Ok(output)
}

/// Reads pgbench's rate; a run with failed transactions has none.
pub fn read_tps(text: &str) -> anyhow::Result<f64> {
    let failed = text.lines().find_map(|line| line.strip_prefix("number of failed transactions:"));
    if failed.is_some_and(|failed| !failed.trim().starts_with("0 ")) {
        bail!("pgbench had failed transactions: {text}");
    }
    let line = text.lines().find_map(|line| line.strip_prefix("tps = "));
    let number = line.and_then(|line| line.split_whitespace().next());
    Ok(number.with_context(|| format!("pgbench tells no rate: {text}"))?.parse()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_rate_and_refuses_failures() {
        let good =
            "number of failed transactions: 0 (0.000%)\ntps = 13400.123 (without initial connection time)\n";
        assert!((read_tps(good).unwrap() - 13_400.123).abs() < 1e-6);
        assert!(read_tps(&good.replace(": 0 (0.000%)", ": 3 (0.1%)")).is_err());
    }
}
