//! Stock adjustments over a real shop's transactions through `souk load`, against the same process's creates.

use std::process::Command;

use anyhow::{Context as _, bail};

use super::Bench;
use super::http_load::{BODY, ensure_wrk, wrk, wrk_script};
use super::souk::Souk;
use super::stats::{grouped, median};
use super::table::Row;

/// Measures both on one installation, in turns with new ones.
pub fn replay(bench: &Bench) -> anyhow::Result<Vec<Row>> {
    ensure_wrk()?;
    let (mut creates, mut adjustments, mut lines) = (Vec::new(), Vec::new(), 0);
    for round in 0..bench.rounds() {
        let mut souk = Souk::start(bench, "load")?;
        let verdict = load(bench, &souk)?;
        let rate = verdict["adjustmentsPerSecond"].as_f64().context("the verdict tells no rate")?;
        adjustments.push(rate);
        lines = verdict["lines"].as_u64().unwrap_or(0);
        let script = wrk_script(bench, Some(BODY))?;
        creates.push(wrk(&format!("http://127.0.0.1:{}/products", souk.api), &script, 64, bench.round())?);
        souk.check()?;
        eprintln!(
            "  round {}: {} adjustments/s over {lines} lines, {} creates/s",
            round + 1,
            grouped(rate),
            grouped(creates[round])
        );
    }
    let (creates, adjustments) = (median(&creates), median(&adjustments));
    #[expect(clippy::cast_precision_loss, reason = "a count of lines")]
    let what = format!("adjustments through `souk load`, {} real lines", grouped(lines as f64));
    Ok(vec![
        Row::new(what, format!("{}/s", grouped(adjustments)))
            .against(format!("creates of the same process {}/s", grouped(creates)))
            .at_least(adjustments / creates, 0.8),
    ])
}

fn load(bench: &Bench, souk: &Souk) -> anyhow::Result<serde_json::Value> {
    let mut command = Command::new(&bench.souk);
    command.args(["load", "--json", "--api", &format!("http://127.0.0.1:{}", souk.api)]);
    if let Some(data) = &bench.data {
        command.arg("--data").arg(data);
    }
    let output = command
        .current_dir(bench.scratch.folder("load-client")?)
        .env("SSE_URL", format!("http://127.0.0.1:{}/events/stream", souk.stream))
        .env("ANALYTICS_URL", format!("http://127.0.0.1:{}", souk.analytics))
        .output()
        .context("could not run souk load")?;
    if !output.status.success() {
        let said = if output.stderr.is_empty() { output.stdout } else { output.stderr };
        bail!("souk load found faults or failed: {}", String::from_utf8_lossy(&said).trim());
    }
    serde_json::from_slice(&output.stdout).context("souk load --json printed no JSON")
}
