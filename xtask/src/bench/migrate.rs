//! A shop's table copied into the embedded engines, with the comparison that ends every copy.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};

use super::postgres::Postgres;
use super::stats::grouped;
use super::table::Row;
use super::{Bench, peers};

/// What an operator may expect of a small machine.
const WANTED_PER_SECOND: f64 = 20_000.0;
/// Flat: the same for a thousand rows and for a million.
const MOST_MEMORY: f64 = 200e6;

const TABLE: &str = "CREATE TABLE products (id UUID PRIMARY KEY, sellerId TEXT NOT NULL, name TEXT NOT NULL, \
     description TEXT, price NUMERIC NOT NULL, quantity INTEGER NOT NULL, category TEXT NOT NULL, \
     createdAt TIMESTAMP DEFAULT now() NOT NULL, updatedAt TIMESTAMP DEFAULT now() NOT NULL)";

/// Copies, and copies again.
pub fn copy(bench: &Bench) -> anyhow::Result<Vec<Row>> {
    let rows = if bench.quick { 100_000 } else { 1_000_000 };
    let postgres = Postgres::start(bench)?;
    postgres.psql(TABLE)?;
    postgres.psql(&format!(
        "INSERT INTO products SELECT gen_random_uuid(), 'seller' || n % 500, 'Product number ' || n, \
         'A product as shops have them, number ' || n, n % 10000 / 100.0, n % 200, 'category ' || n % 30, \
         '2020-01-01'::timestamp + n * interval '1 second' FROM generate_series(1, {rows}) AS n"
    ))?;
    postgres.psql("VACUUM ANALYZE products")?;
    let folder = bench.scratch.folder("migrate")?;
    std::fs::write(folder.join("source.url"), postgres.url())?;
    step(bench, &folder, "plan")?;
    let first = step(bench, &folder, "copy")?;
    let second = step(bench, &folder, "copy")?;
    let compared = step(bench, &folder, "compare")?;
    let rate = |step: &Step| f64::from(rows) / step.time.as_secs_f64();
    let all = grouped(f64::from(rows));
    Ok(vec![
        Row::new(
            format!("migrate: copy of {all} rows, compared at the end"),
            format!("{}/s", grouped(rate(&first))),
        )
        .against(format!("{:.1} s in all", first.time.as_secs_f64()))
        .target(format!("≥ {}/s", grouped(WANTED_PER_SECOND)), rate(&first) >= WANTED_PER_SECOND),
        Row::new("migrate: the same again, nothing to do", format!("{}/s", grouped(rate(&second)))),
        Row::new("migrate: comparison alone", format!("{}/s", grouped(rate(&compared)))),
        Row::new("migrate: memory meanwhile", format!("{:.0} MB", first.memory / 1e6))
            .target(format!("≤ {:.0} MB", MOST_MEMORY / 1e6), first.memory <= MOST_MEMORY),
    ])
}

struct Step {
    time: Duration,
    /// The most that it held.
    memory: f64,
}

fn step(bench: &Bench, folder: &Path, name: &str) -> anyhow::Result<Step> {
    let began = Instant::now();
    let mut child = Command::new(&bench.souk)
        .args(["migrate", name, "--source-file", "source.url"])
        .current_dir(folder)
        .stdout(Stdio::null())
        .spawn()
        .context("souk does not start")?;
    let mut memory = 0.0_f64;
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break status;
        }
        // It may just have ended.
        memory = memory.max(peers::memory(child.id(), "VmHWM").unwrap_or(0.0));
        std::thread::sleep(Duration::from_millis(10));
    };
    if !status.success() {
        bail!("souk migrate {name} ended with {status}");
    }
    Ok(Step { time: began.elapsed(), memory })
}
