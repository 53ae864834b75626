//! The relay: events per second from the outbox to Kafka.

use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};

use super::{Service, Town};
use crate::bench::Bench;
use crate::bench::http::{self, Connection};
use crate::bench::postgres::PAYLOAD;
use crate::bench::stats::{grouped, median};
use crate::bench::table::Row;

/// Events per transaction of the producer alone.
const PER_TRANSACTION: u32 = 5_000;
/// How long a drain may take.
const LIMIT: Duration = Duration::from_secs(300);
/// Between two looks at the relay's count: short beside a transaction, long beside a look.
const LOOK: Duration = Duration::from_millis(2);
/// The relay's count of events that Kafka has.
const PUBLISHED: &str = "souk_relay_published_events_total";

/// Against a producer that has nothing to read and nothing to remember, with the same bytes.
pub fn against_a_producer(bench: &Bench) -> anyhow::Result<Vec<Row>> {
    let events: u32 = if bench.quick { 50_000 } else { 400_000 };
    let mut rounds = Vec::new();
    for round in 0..bench.rounds() {
        let town = Town::new(bench)?;
        fill(&town, events)?;
        let ours = drain(&town, events, events)?;
        let alone = producer_alone(&town, events)?;
        eprintln!("  round {}: relay {}, producer alone {}", round + 1, grouped(ours), grouped(alone));
        rounds.push((ours, alone));
    }
    let ours = median(&rounds.iter().map(|round| round.0).collect::<Vec<_>>());
    let alone = median(&rounds.iter().map(|round| round.1).collect::<Vec<_>>());
    Ok(vec![
        Row::new("relay, events from outbox to Kafka", format!("{}/s", grouped(ours)))
            .against(format!(
                "producer alone, {} per transaction, {}/s",
                grouped(PER_TRANSACTION.into()),
                grouped(alone)
            ))
            .at_least(ours / alone, 0.5),
    ])
}

/// With very many waiting against a thousand waiting.
pub fn with_a_backlog(bench: &Bench) -> anyhow::Result<Vec<Row>> {
    let many: u32 = if bench.quick { 100_000 } else { 1_000_000 };
    let town = Town::new(bench)?;
    fill(&town, many)?;
    // While nearly all of them still wait.
    let backlog = drain(&town, many, many / 5)?;
    let town = Town::new(bench)?;
    let few = with_a_thousand(&town, bench.round())?;
    eprintln!("  {many} waiting {}, 1,000 waiting {}", grouped(backlog), grouped(few));
    Ok(vec![
        Row::new(
            format!("relay with {} events waiting", grouped(many.into())),
            format!("{}/s", grouped(backlog)),
        )
        .against(format!("with 1,000 waiting {}/s", grouped(few)))
        .at_least(backlog / few, 0.9),
    ])
}

/// Statements that put `events` into the outbox, as large as those of creates.
fn insert(events: u32) -> String {
    format!(
        "INSERT INTO souk.outbox_0 (seq, product_id, payload) SELECT nextval('souk.outbox_seq'), gen_random_uuid(), \
         convert_to('{PAYLOAD}', 'UTF8') FROM generate_series(1, {events})"
    )
}

fn fill(town: &Town<'_>, events: u32) -> anyhow::Result<()> {
    drop(town.start_without_relay()?);
    town.sql(&insert(events))?;
    town.sql("VACUUM ANALYZE souk.outbox_0; CHECKPOINT").or_else(|_| town.sql("CHECKPOINT"))
}

/// Starts a relay on what waits; returns events per second from its first tenth of `measured` events to the last.
fn drain(town: &Town<'_>, waiting: u32, measured: u32) -> anyhow::Result<f64> {
    ensure!(measured <= waiting, "more measured than there are");
    let mut api = town.start("api", &[])?;
    let rate = http::block_on(async {
        let mut connection = Connection::open(api.port).await?;
        let (first, last) = (f64::from(measured / 10), f64::from(measured));
        let (at_first, from) = reach(&api, &mut connection, first).await?;
        let (at_last, to) = reach(&api, &mut connection, last).await?;
        let took = at_last - at_first;
        // Started so fast that the whole of it was over at the first look.
        ensure!(to > from, "all {to} events were published before they could be counted");
        Ok((to - from) / took.as_secs_f64())
    })?;
    api.check()?;
    Ok(rate)
}

/// Waits until the relay has published `events`; returns when it had, and how many.
async fn reach(api: &Service, connection: &mut Connection, events: f64) -> anyhow::Result<(Instant, f64)> {
    let began = Instant::now();
    loop {
        let published = api.metric(connection, PUBLISHED).await?;
        if published >= events {
            return Ok((Instant::now(), published));
        }
        if began.elapsed() > LIMIT {
            bail!("the relay published {published} of {events} events within {LIMIT:?}");
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// Keeps a thousand events waiting for `time`; returns how many per second were published.
fn with_a_thousand(town: &Town<'_>, time: Duration) -> anyhow::Result<f64> {
    const WAITING: u32 = 1_000;
    let mut api = town.start("api", &[])?;
    let url = town.setting("DATABASE_URL")?.to_owned();
    let rate = http::block_on(async {
        let (client, session) = tokio_postgres::connect(&url, tokio_postgres::NoTls).await?;
        let session = tokio::task::spawn_local(session);
        let mut connection = Connection::open(api.port).await?;
        let statement = client.prepare(&insert(WAITING)).await?;
        let (mut inserted, mut began, mut warm) = (0.0, Instant::now(), None);
        let published = loop {
            let published = api.metric(&mut connection, PUBLISHED).await?;
            if inserted - published <= f64::from(WAITING) {
                client.execute(&statement, &[]).await?;
                inserted += f64::from(WAITING);
            }
            match warm {
                // The first second only warms up.
                None if began.elapsed() > Duration::from_secs(1) => {
                    warm = Some(published);
                    began = Instant::now();
                }
                Some(before) if began.elapsed() > time => break published - before,
                _ => {}
            }
        };
        let took = began.elapsed();
        drop(client);
        session.await??;
        Ok(published / took.as_secs_f64())
    })?;
    api.check()?;
    Ok(rate)
}

/// Returns the rate of the example of souk-kafka that produces to this town's topic and does nothing else.
pub fn producer_alone(town: &Town<'_>, events: u32) -> anyhow::Result<f64> {
    fill_topic(town, events, "")
}

/// Fills this town's topic with events whose ids in `vary` differ; returns the rate.
pub fn fill_topic(town: &Town<'_>, events: u32, vary: &str) -> anyhow::Result<f64> {
    let figures = crate::cargo::example("souk-kafka", "transaction_rate", |command| {
        town.equip(command)
            .env("VARY", vary)
            .env("EVENTS", events.to_string())
            .env("PER_TRANSACTION", PER_TRANSACTION.to_string())
            .env("PAYLOAD", PAYLOAD);
    })?;
    figures["eventsPerSecond"].as_f64().context("transaction_rate tells no rate")
}
