//! From the command to ready, and the memory of an idle installation.

use std::time::Duration;

use super::Bench;
use super::souk::Souk;
use super::stats::median;
use super::table::Row;

/// Starts to take the middle of.
const STARTS: usize = 5;
/// Until an installation is idle.
const SETTLE: Duration = Duration::from_secs(3);

/// Measures souk on empty folders.
pub fn start(bench: &Bench) -> anyhow::Result<Vec<Row>> {
    let (mut seconds, mut bytes) = (Vec::new(), Vec::new());
    for _ in 0..STARTS {
        let souk = Souk::start(bench, "start")?;
        seconds.push(souk.ready_after.as_secs_f64());
        std::thread::sleep(SETTLE);
        bytes.push(souk.memory("VmRSS")?);
    }
    let (seconds, megabytes) = (median(&seconds), median(&bytes) / 1e6);
    Ok(vec![
        Row::new("`souk up` to ready", format!("{seconds:.3} s")).target("≤ 0.5 s", seconds <= 0.5),
        Row::new("memory when idle", format!("{megabytes:.1} MB")).target("≤ 60 MB", megabytes <= 60.0),
    ])
}
