//! Durable creates per second over HTTP, against Postgres with the same rows.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, bail};

use super::postgres::{Indexes, Postgres, Protocol};
use super::souk::Souk;
use super::stats::{grouped, median};
use super::table::Row;
use super::{Bench, peers};

/// The body of the guide's own example.
pub const BODY: &str = r#"{"name":"Test Product","price":99.99,"stock":10,"sellerId":"seller1"}"#;

/// Creates at 64 and 256 connections, all consumers running, and an empty handler for reference.
pub fn creates(bench: &Bench) -> anyhow::Result<Vec<Row>> {
    ensure_wrk()?;
    let mut postgres = Postgres::start(bench)?;
    let mut rounds: Vec<[f64; 6]> = Vec::new();
    for round in 0..bench.rounds() {
        let souk = souk_round(bench)?;
        let mut peer = |indexes, protocol| postgres.creates(indexes, protocol, bench.round());
        let peers = [
            peer(Indexes::Same, Protocol::Simple)?,
            peer(Indexes::Same, Protocol::Prepared)?,
            peer(Indexes::PrimaryKeysOnly, Protocol::Simple)?,
        ];
        eprintln!(
            "  round {}: souk {} and {}, empty {}; pgbench {}, prepared {}, primary keys only {}",
            round + 1,
            grouped(souk[0]),
            grouped(souk[1]),
            grouped(souk[2]),
            grouped(peers[0]),
            grouped(peers[1]),
            grouped(peers[2])
        );
        rounds.push([souk[0], souk[1], souk[2], peers[0], peers[1], peers[2]]);
    }
    let [at_64, at_256, empty, same, prepared, bare] =
        std::array::from_fn(|column| median(&rounds.iter().map(|round| round[column]).collect::<Vec<_>>()));
    let rate = |value| format!("{}/s", grouped(value));
    let row = |connections, ours, peer: &str, theirs| {
        Row::new(format!("creates, {connections} connections"), rate(ours))
            .against(format!("{peer} {}", rate(theirs)))
            .ratio(ours / theirs)
    };
    Ok(vec![
        row(64, at_64, "pgbench, same indexes", same).at_least(at_64 / same, 2.0),
        row(64, at_64, "pgbench, same indexes, prepared", prepared),
        row(64, at_64, "pgbench, primary keys only", bare),
        row(64, at_64, "empty handler", empty),
        row(256, at_256, "pgbench, same indexes", same).at_least(at_256 / same, 3.0),
        row(256, at_256, "pgbench, same indexes, prepared", prepared),
        row(256, at_256, "pgbench, primary keys only", bare),
    ])
}

/// Returns creates per second at 64 and 256 connections and the rate of an empty handler.
fn souk_round(bench: &Bench) -> anyhow::Result<[f64; 3]> {
    let script = wrk_script(bench, Some(BODY))?;
    let mut at = [0.0; 3];
    for (rate, connections) in at.iter_mut().zip([64, 256]) {
        // A new installation each time: both begin with empty tables, as the peer does.
        let mut souk = Souk::start(bench, "creates")?;
        let url = format!("http://127.0.0.1:{}/products", souk.api);
        *rate = wrk(&url, &script, connections, bench.round())?;
        souk.check()?;
    }
    let souk = Souk::start(bench, "creates")?;
    let script = wrk_script(bench, None)?;
    at[2] = wrk(&format!("http://127.0.0.1:{}/livez", souk.api), &script, 64, bench.round() / 2)?;
    Ok(at)
}

/// Makes sure that wrk is there.
pub fn ensure_wrk() -> anyhow::Result<()> {
    peers::ensure("wrk", &["wrk"], || peers::find("wrk").is_some())
}

/// Writes a script for wrk that sends this body, or plain GETs, and counts what was answered how.
pub fn wrk_script(bench: &Bench, body: Option<&str>) -> anyhow::Result<std::path::PathBuf> {
    let path = bench.scratch.folder("wrk")?.join("script.lua");
    let setup = body.map_or_else(String::new, |body| {
        format!(
            "wrk.method = \"POST\"\nwrk.body = [==[{body}]==]\nwrk.headers[\"Content-Type\"] = \"application/json\"\n"
        )
    });
    std::fs::write(&path, setup)?;
    Ok(path)
}

/// Runs wrk; returns successful answers per second.
pub fn wrk(url: &str, script: &Path, connections: u32, time: Duration) -> anyhow::Result<f64> {
    let seconds = time.as_secs().max(1);
    let output = Command::new("wrk")
        .args(["--threads", "2", "--timeout", "10s"])
        .args(["--connections", &connections.to_string(), "--duration", &format!("{seconds}s")])
        .arg("--script")
        .arg(script)
        .arg(url)
        .output()
        .context("could not run wrk")?;
    let text = String::from_utf8_lossy(&output.stdout);
    read_wrk(&text).with_context(|| format!("wrk {url} said: {text}"))
}

/// Reads wrk's report; an answer other than 2xx, or a socket error, spoils the figure.
fn read_wrk(text: &str) -> anyhow::Result<f64> {
    if let Some(line) = text.lines().find(|line| line.contains("Non-2xx") || line.contains("Socket errors")) {
        bail!("{}", line.trim());
    }
    let line = text.lines().find_map(|line| line.trim().strip_prefix("Requests/sec:"));
    Ok(line.context("there is no rate")?.trim().parse()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_rate_and_refuses_errors() {
        let good = "  1000 requests in 1.00s, 100KB read\nRequests/sec:  31234.56\nTransfer/sec: 1MB\n";
        assert!((read_wrk(good).unwrap() - 31_234.56).abs() < 1e-6);
        assert!(read_wrk(&format!("  Non-2xx or 3xx responses: 3\n{good}")).is_err());
        assert!(
            read_wrk(&format!("  Socket errors: connect 0, read 1, write 0, timeout 0\n{good}")).is_err()
        );
    }
}
