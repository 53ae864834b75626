//! The memory of each service, idle and under load.

use std::time::Duration;

use super::Town;
use crate::bench::Bench;
use crate::bench::http_load::{BODY, ensure_wrk, wrk, wrk_script};
use crate::bench::table::Row;

/// Until a service that was just started is idle.
const SETTLE: Duration = Duration::from_secs(5);

/// Measures api, notifications and analytics beside each other, while creates come in as fast as they can.
pub fn each_service(bench: &Bench) -> anyhow::Result<Vec<Row>> {
    ensure_wrk()?;
    let town = Town::new(bench)?;
    let api = town.start("api", &[])?;
    let url = format!("http://127.0.0.1:{}/products", api.port);
    let mut services = vec![
        ("api", api),
        ("notifications", town.start("notifications", &[])?),
        ("analytics", town.start("analytics", &[])?),
    ];
    std::thread::sleep(SETTLE);
    let mut rows = Vec::new();
    for (name, service) in &services {
        let megabytes = service.memory("VmRSS")? / 1e6;
        rows.push(
            Row::new(format!("memory of {name}, idle"), format!("{megabytes:.1} MB"))
                .target("≤ 60 MB", megabytes <= 60.0),
        );
    }
    wrk(&url, &wrk_script(bench, Some(BODY))?, 64, bench.round() * 2)?;
    for (name, service) in &mut services {
        service.check()?;
        let megabytes = service.memory("VmHWM")? / 1e6;
        rows.push(
            Row::new(format!("memory of {name}, most under load"), format!("{megabytes:.1} MB"))
                .target("≤ 200 MB", megabytes <= 200.0),
        );
    }
    Ok(rows)
}
