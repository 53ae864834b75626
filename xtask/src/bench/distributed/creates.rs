//! Durable creates per second over HTTP on Postgres, against pgbench with the same tables and indexes.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context as _;

use super::Town;
use crate::bench::http_load::{BODY, ensure_wrk, wrk, wrk_script};
use crate::bench::postgres::{CLIENTS, PAYLOAD, THREADS, read_tps, succeed};
use crate::bench::stats::{grouped, median};
use crate::bench::table::Row;
use crate::bench::{Bench, peers};

/// Connections that create.
const CONNECTIONS: u32 = 64;

/// One statement that writes the product and its outbox row, as an application without group commit would. Ids
/// ascend, as souk's do.
const CREATE: &str = "WITH product AS (\
 INSERT INTO souk.products (id, price, version, created_at, updated_at, stock, low_stock, seller_id, category, name) \
 VALUES (lpad(to_hex(nextval('ids')), 32, '0')::uuid, 999900, 1, \
 (extract(epoch FROM clock_timestamp()) * 1000)::bigint, (extract(epoch FROM clock_timestamp()) * 1000)::bigint, \
 10, false, 'seller1', 'general', 'Test Product') RETURNING id) \
 INSERT INTO souk.outbox_0 (seq, product_id, payload) \
 SELECT nextval('souk.outbox_seq'), id, convert_to(:payload, 'UTF8') FROM product;\n";

/// Measures souk with its relay paused and running, and pgbench, in turns.
pub fn against_pgbench(bench: &Bench) -> anyhow::Result<Vec<Row>> {
    ensure_wrk()?;
    let pgbench = pgbench()?;
    let script = wrk_script(bench, Some(BODY))?;
    let mut rounds: Vec<[f64; 4]> = Vec::new();
    for round in 0..bench.rounds() {
        let ours = |paused: bool| {
            let town = Town::new(bench)?;
            let mut api = if paused { town.start_without_relay()? } else { town.start("api", &[])? };
            town.sql("CHECKPOINT")?;
            let url = format!("http://127.0.0.1:{}/products", api.port);
            let rate = wrk(&url, &script, CONNECTIONS, bench.round())?;
            api.check()?;
            anyhow::Ok(rate)
        };
        let theirs = |protocol| peer(bench, &pgbench, protocol);
        let figures = [ours(true)?, ours(false)?, theirs("simple")?, theirs("prepared")?];
        eprintln!(
            "  round {}: relay paused {}, running {}; pgbench {}, prepared {}",
            round + 1,
            grouped(figures[0]),
            grouped(figures[1]),
            grouped(figures[2]),
            grouped(figures[3])
        );
        rounds.push(figures);
    }
    let [paused, running, simple, prepared] =
        std::array::from_fn(|column| median(&rounds.iter().map(|round| round[column]).collect::<Vec<_>>()));
    let row = |relay: &str, ours: f64, peer: &str, theirs: f64| {
        Row::new(
            format!("creates on Postgres, {CONNECTIONS} connections, relay {relay}"),
            format!("{}/s", grouped(ours)),
        )
        .against(format!("{peer} {}/s", grouped(theirs)))
        .ratio(ours / theirs)
    };
    Ok(vec![
        row("paused", paused, "pgbench", simple).at_least(paused / simple, 2.0),
        row("paused", paused, "pgbench, prepared", prepared),
        row("running", running, "pgbench", simple).at_least(running / simple, 1.3),
        row("running", running, "pgbench, prepared", prepared),
    ])
}

/// Returns how many creates per second pgbench gets into the tables that souk makes.
fn peer(bench: &Bench, pgbench: &Path, protocol: &str) -> anyhow::Result<f64> {
    let town = Town::new(bench)?;
    drop(town.start_without_relay()?);
    town.sql("CREATE SEQUENCE ids CACHE 100")?;
    town.sql("CHECKPOINT")?;
    let script = bench.scratch.folder("pgbench")?.join("create.sql");
    std::fs::write(&script, CREATE)?;
    // With the simple protocol, variables are pasted into the text as they are.
    let payload = match protocol {
        "simple" => format!("payload='{PAYLOAD}'"),
        _ => format!("payload={PAYLOAD}"),
    };
    let seconds = bench.round().as_secs().max(1).to_string();
    let output = succeed(
        Command::new(pgbench)
            .args(["--no-vacuum", "--client", CLIENTS, "--jobs", THREADS, "--time", &seconds])
            .args(["--protocol", protocol, "--define", &payload, "--file"])
            .arg(&script)
            .arg(town.setting("DATABASE_URL")?),
    )?;
    read_tps(&String::from_utf8_lossy(&output.stdout))
}

fn pgbench() -> anyhow::Result<PathBuf> {
    let find = || {
        let installed = std::fs::read_dir("/usr/lib/postgresql").ok().into_iter().flatten().flatten();
        let mut found: Vec<PathBuf> = installed.map(|entry| entry.path().join("bin/pgbench")).collect();
        found.extend(peers::find("pgbench"));
        found.into_iter().find(|path| path.is_file())
    };
    peers::ensure("pgbench", &["postgresql-contrib"], || find().is_some())?;
    find().context("pgbench has just been there")
}
