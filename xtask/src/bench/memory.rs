//! Memory for each idle reader, against nchan.

use std::time::Duration;

use super::Bench;
use super::http::{self, Connection};
use super::nchan::Nchan;
use super::readers::Readers;
use super::souk::Souk;
use super::stats::grouped;
use super::table::Row;

/// Readers that wait; a peer's worker and we hold a socket for each.
const READERS: usize = 10_000;
/// Until buffers of the connecting have been given back.
const SETTLE: Duration = Duration::from_secs(3);

/// Measures both.
pub fn idle_readers(bench: &Bench) -> anyhow::Result<Vec<Row>> {
    let souk = Souk::start(bench, "readers")?;
    std::thread::sleep(SETTLE);
    let before = souk.memory("VmRSS")?;
    let readers = Readers::connect(souk.stream, "/events/stream", READERS)?;
    std::thread::sleep(SETTLE);
    let ours = each(souk.memory("VmRSS")? - before);
    readers.check()?;
    drop((readers, souk));

    let nchan = Nchan::start(bench)?;
    http::block_on(async {
        let message = http::request("POST", "/pub", Some("{}"));
        Connection::open(nchan.port).await?.succeed(&message).await?;
        Ok(())
    })?;
    std::thread::sleep(SETTLE);
    let before = nchan.worker_memory()?;
    let readers = Readers::connect(nchan.port, "/sub", READERS)?;
    std::thread::sleep(SETTLE);
    let theirs = each(nchan.worker_memory()? - before);
    readers.check()?;
    eprintln!("  souk {} bytes, nchan {}", grouped(ours), grouped(theirs));
    Ok(vec![
        Row::new("memory for each idle reader, 10,000 readers", format!("{:.1} KB", ours / 1e3))
            .against(format!("nchan {:.1} KB", theirs / 1e3))
            .at_most(ours / theirs, 2.5),
    ])
}

#[expect(clippy::cast_precision_loss, reason = "10,000")]
fn each(bytes: f64) -> f64 {
    bytes / READERS as f64
}
