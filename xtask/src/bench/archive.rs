//! From events in memory to Parquet bytes, on one core.

use std::process::Command;

use anyhow::{Context as _, bail};

use super::Bench;
use super::stats::grouped;
use super::table::Row;

/// What pyarrow reaches on one core with the same columns and zstd; a figure from elsewhere, so it makes no ratio.
const PYARROW: f64 = 470_000.0;

/// Runs the example of souk-analytics that encodes, and reads its figures.
pub fn encode(_: &Bench) -> anyhow::Result<Vec<Row>> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(["run", "--release", "--quiet", "--package", "souk-analytics", "--example", "archive_rate"])
        .output()
        .context("could not run cargo")?;
    if !output.status.success() {
        bail!("the example archive_rate failed: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    let figures: serde_json::Value =
        serde_json::from_slice(&output.stdout).context("the example archive_rate printed no JSON")?;
    let figure = |name: &str| figures[name].as_f64().with_context(|| format!("archive_rate tells no {name}"));
    let (rate, memory) = (figure("eventsPerSecond")?, figure("peakMemoryBytes")? / 1e6);
    Ok(vec![
        Row::new("archive: events to Parquet, one core", format!("{}/s", grouped(rate)))
            .against(format!("pyarrow {}/s, elsewhere", grouped(PYARROW)))
            .target("≥ 250,000/s", rate >= 250_000.0),
        Row::new("memory while doing so", format!("{memory:.0} MB")).target("≤ 200 MB", memory <= 200.0),
    ])
}
