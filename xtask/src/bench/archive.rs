//! From events in memory to Parquet bytes, on one core.

use anyhow::Context as _;

use super::Bench;
use super::stats::grouped;
use super::table::Row;

/// What pyarrow reaches on one core with the same columns and zstd; a figure from elsewhere, so it makes no ratio.
const PYARROW: f64 = 470_000.0;

/// Runs the example of souk-analytics that encodes, and reads its figures.
pub fn encode(_: &Bench) -> anyhow::Result<Vec<Row>> {
    let figures = crate::cargo::example("souk-analytics", "archive_rate", |_| ())?;
    let figure = |name: &str| figures[name].as_f64().with_context(|| format!("archive_rate tells no {name}"));
    let (rate, memory) = (figure("eventsPerSecond")?, figure("peakMemoryBytes")? / 1e6);
    Ok(vec![
        Row::new("archive: events to Parquet, one core", format!("{}/s", grouped(rate)))
            .against(format!("pyarrow {}/s, elsewhere", grouped(PYARROW)))
            .target("≥ 250,000/s", rate >= 250_000.0),
        Row::new("memory while doing so", format!("{memory:.0} MB")).target("≤ 200 MB", memory <= 200.0),
    ])
}
