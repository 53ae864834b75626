//! From Kafka to an object on S3, against the same consumer that only counts.

use anyhow::{Context as _, bail};
use serde_json::Value;

use super::Town;
use super::relay::fill_topic;
use crate::bench::Bench;
use crate::bench::stats::{grouped, median};
use crate::bench::table::Row;
use crate::cargo;

/// The ids of the payload: where all events were the same, they would compress to nothing, and unpack into more memory
/// than real ones do.
const IDS: &str = "01998f2e-7c1a-7000-8000-000001990000,01998f2e-7c1a-7000-8000-000000000042";

/// Measures the archive's consumer alone, in a process of its own: the others of analytics would wait for DynamoDB.
pub fn against_counting(bench: &Bench) -> anyhow::Result<Vec<Row>> {
    let events: u32 = if bench.quick { 50_000 } else { 500_000 };
    let town = Town::new(bench)?;
    drop(town.start("api", &[])?);
    fill_topic(&town, events, IDS)?;
    let (mut archived, mut counted, mut memory) = (Vec::new(), Vec::new(), 0.0_f64);
    for round in 0..bench.rounds() {
        let run = |what: &str| {
            // A group of its own, and a bucket: each round begins at the beginning.
            let name = format!("{}-{what}-{round}", town.name.replace('_', "-"));
            cargo::example("souk-analytics", "kafka_archive_rate", |command| {
                town.equip(command);
                command.env("MODE", what).env("KAFKA_CLIENT_ID", &name).env("ARCHIVE_BUCKET_NAME", &name);
            })
        };
        let (count, archive) = (run("count")?, run("archive")?);
        let figure =
            |figures: &Value, name: &str| figures[name].as_f64().with_context(|| format!("no figure {name}"));
        for figures in [&count, &archive] {
            let seen = figure(figures, "events")?;
            if seen < f64::from(events) {
                bail!("{seen} events of {events} were consumed");
            }
        }
        counted.push(figure(&count, "eventsPerSecond")?);
        archived.push(figure(&archive, "eventsPerSecond")?);
        memory = memory.max(figure(&archive, "peakMemoryBytes")? / 1e6);
        let (ours, theirs) = (grouped(archived[round]), grouped(counted[round]));
        eprintln!("  round {}: archived {ours}, counted {theirs}, {memory:.0} MB", round + 1);
    }
    let (ours, theirs) = (median(&archived), median(&counted));
    Ok(vec![
        Row::new("archive, events from Kafka to objects on S3", format!("{}/s", grouped(ours)))
            .against(format!("the same consumer that only counts {}/s", grouped(theirs)))
            .at_least(ours / theirs, 0.3),
        Row::new("memory while doing so", format!("{memory:.0} MB")).target("≤ 200 MB", memory <= 200.0),
    ])
}
