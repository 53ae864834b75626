//! From the POST to the frame at a reader, through Postgres and Kafka.

use super::Town;
use crate::bench::Bench;
use crate::bench::latency::{at_rate, rows};
use crate::bench::table::Row;

/// Writes per second.
const RATE: u32 = 200;
/// A minute's worth at the beginning does not count: as long does Kafka's virtual machine compile what it runs, with half
/// of the cores' time, which a broker that an operator runs did long ago.
const WARM: u32 = 60 * RATE;

/// Measures an api and a notifications service.
pub fn post_to_frame(bench: &Bench) -> anyhow::Result<Vec<Row>> {
    let town = Town::new(bench)?;
    let mut api = town.start("api", &[])?;
    let mut notifications = town.start("notifications", &[])?;
    let figures = at_rate(api.port, notifications.port, RATE, WARM, bench.round().as_secs())?;
    api.check()?;
    notifications.check()?;
    Ok(rows(&figures, "Postgres and Kafka, 200 writes/s", [20.0, 60.0]))
}
