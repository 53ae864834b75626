//! The old system's database.

use std::io::Read as _;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context as _, bail};
use bytes::Bytes;
use futures_util::SinkExt as _;
use souk_servers::{Kind, Servers};
use tokio::runtime::Runtime;
use tokio_postgres::{Client, NoTls};

use super::keys::Keys;

/// The table that most shops come with, but for its key.
const COLUMNS: &str = "sellerId TEXT NOT NULL, name TEXT NOT NULL, \
     description TEXT, price NUMERIC NOT NULL, quantity INTEGER NOT NULL, category TEXT NOT NULL, \
     createdAt TIMESTAMP DEFAULT now() NOT NULL, updatedAt TIMESTAMP DEFAULT now() NOT NULL";
const LINES: &str = "CREATE UNLOGGED TABLE lines (invoice text, code text, description text, quantity int, at timestamp, \
     price numeric, country text)";
/// As the shop has them, faults included: what was last said of each, what it was last sold for, and how many are left of
/// twice what was ever sold. Their like are added until there are enough rows.
fn fill(keys: Keys) -> String {
    let (column, value) = keys.new_key();
    format!(
        "WITH items AS (
  SELECT code, (array_agg(description ORDER BY at DESC) FILTER (WHERE description IS NOT NULL))[1] AS name,
    (array_agg(price ORDER BY at DESC))[1] AS price, sum(abs(quantity)) AS sold, min(at) AS first, max(at) AS last
  FROM lines GROUP BY code)
  INSERT INTO products ({column}sellerId, name, description, price, quantity, category, createdAt, updatedAt)
  SELECT {value}'seller' || 1 + abs(hashtext(code)) % 20,
    coalesce(name, '') || CASE WHEN n = 1 OR name IS NULL THEN '' ELSE ' no. ' || n END, NULL, price,
    least(sold * 2, 1000000) - sold / 2, 'retail', first, last
  FROM items, generate_series(1, 1 + $1::int / (SELECT count(*)::int FROM items)) AS n ORDER BY n, code LIMIT $1"
    )
}

/// A database with the table.
pub struct OldShop {
    runtime: Runtime,
    sql: Client,
    url: String,
    keys: Keys,
}

impl OldShop {
    /// Makes an empty one.
    pub fn new(servers: &Servers, keys: Keys) -> anyhow::Result<Self> {
        let server = servers.get(Kind::Postgres).context("there is no Postgres")?;
        let (_, url) =
            server.env().into_iter().find(|(name, _)| *name == "DATABASE_URL").context("no URL")?;
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        let admin = connect(&runtime, &url)?;
        runtime.block_on(admin.batch_execute("CREATE DATABASE old_shop"))?;
        let (front, _) = url.rsplit_once('/').context("the URL names no database")?;
        let url = format!("{front}/old_shop");
        let sql = connect(&runtime, &url)?;
        runtime.block_on(
            sql.batch_execute(&format!("CREATE TABLE products ({}, {COLUMNS}); {LINES}", keys.column())),
        )?;
        Ok(Self { runtime, sql, url, keys })
    }

    /// Fills it; returns how many products the transactions know.
    pub fn fill(&self, rows: u32, data: Option<&Path>) -> anyhow::Result<i64> {
        let file = data.map_or_else(super::sample, Path::to_path_buf);
        let csv = read(&file)?;
        self.runtime.block_on(async {
            let into =
                self.sql.copy_in::<_, Bytes>("COPY lines FROM STDIN WITH (FORMAT csv, HEADER)").await?;
            let mut into = std::pin::pin!(into);
            into.send(Bytes::from(csv)).await?;
            into.finish().await.with_context(|| format!("{} is not as expected", file.display()))?;
            self.sql.execute(&fill(self.keys), &[&i32::try_from(rows)?]).await?;
            let products = self.sql.query_one("SELECT count(DISTINCT code) FROM lines", &[]).await?.get(0);
            self.sql.batch_execute("DROP TABLE lines; ANALYZE products").await?;
            Ok(products)
        })
    }

    /// Returns where it is.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Returns what its rows are called by.
    pub fn keys(&self) -> Keys {
        self.keys
    }

    /// Opens a session more.
    pub fn session(&self) -> anyhow::Result<Client> {
        connect(&self.runtime, &self.url)
    }

    /// The runtime that sessions are on.
    pub fn handle(&self) -> tokio::runtime::Handle {
        self.runtime.handle().clone()
    }
}

fn connect(runtime: &Runtime, url: &str) -> anyhow::Result<Client> {
    let (client, connection) =
        runtime.block_on(tokio_postgres::connect(url, NoTls)).context("the old shop's Postgres")?;
    runtime.spawn(connection);
    Ok(client)
}

fn read(file: &Path) -> anyhow::Result<Vec<u8>> {
    let place = || format!("cannot read {}", file.display());
    if file.extension().is_none_or(|extension| extension != "gz") {
        return std::fs::read(file).with_context(place);
    }
    let mut gzip =
        Command::new("gzip").arg("-dc").arg(file).stdout(Stdio::piped()).spawn().context("gzip")?;
    let mut csv = Vec::new();
    gzip.stdout.take().context("stdout was asked for")?.read_to_end(&mut csv)?;
    if !gzip.wait()?.success() {
        bail!("{}: gzip failed", place());
    }
    Ok(csv)
}
