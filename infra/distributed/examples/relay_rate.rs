//! How fast the relay carries events when 1,000 wait and when 1,000,000 do, beside a transactional producer alone with the
//! same bytes: `eval "$(cargo xtask services env)"; cargo run --release -p souk-distributed --example relay_rate`.
//!
//! Makes a database and topics of its own on those servers and leaves them; a ratio in one run is what counts.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use souk_distributed::{Outgoing, Relay, RelayConfig, RelayState};
use souk_kafka::{KafkaConfig, TransactionalProducer, ensure_topics};
use souk_ports::{RandomIds, SystemClock};
use souk_postgres::{Postgres, PostgresConfig};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Bytes of an event, with what a real one has before its product.
fn event(product: Uuid, filling: usize) -> Vec<u8> {
    format!(
        r#"{{"specversion":"1.0","id":"{}","source":"/souk/api","type":"ProductCreated","subject":"{product}","time":"2026-11-22T18:00:00.123Z","datacontenttype":"application/json","sellerid":"seller1","data":{{"version":1,"product":"{}"}}}}"#,
        Uuid::now_v7(),
        "x".repeat(filling)
    )
    .into_bytes()
}

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> Result<(), Failure> {
    let name = format!("souk_rate_{}", Uuid::now_v7().simple());
    let url = std::env::var("DATABASE_URL")?;
    let (server, _) = url.rsplit_once('/').ok_or("DATABASE_URL names no database")?;
    let (client, connection) = tokio_postgres::connect(&url, tokio_postgres::NoTls).await?;
    tokio::spawn(connection);
    client.batch_execute(&format!("CREATE DATABASE {name}")).await?;
    let config = PostgresConfig::parse(&format!("{server}/{name}"))?;
    let postgres = Postgres::connect(config, Arc::new(SystemClock), Arc::new(RandomIds)).await?;
    let mut kafka = KafkaConfig::new(std::env::var("KAFKA_BROKERS")?, "relay-rate");
    kafka.topic = name.clone();
    ensure_topics(&kafka).await?;

    let alone = producer_alone(&kafka, 200_000).await?;
    println!("a producer alone, 5,000 in a transaction: {alone:>9.0} events/s");
    let session = postgres.connection().await?;
    let relay = Arc::new(Relay::new(RelayConfig::new(&*name), &postgres, kafka, Arc::new(SystemClock)));
    // A thousand at a time, each made visible at once to a relay that looks on.
    let (shutdown, task) = start(&relay).await?;
    let mut took = Duration::ZERO;
    const ROUNDS: u64 = 50;
    for round in 0..=ROUNDS {
        fill(&session, 1_000).await?;
        let begun = Instant::now();
        postgres.nudge().notify_one();
        published(&relay, 1_000 * (round + 1)).await?;
        // The first one opens the producer's connections.
        took += if round == 0 { Duration::ZERO } else { begun.elapsed() };
    }
    let few = (1_000 * ROUNDS) as f64 / took.as_secs_f64();
    shutdown.cancel();
    task.await?;
    println!(
        "the relay with 1,000 waiting:             {few:>9.0} events/s ({:.2} of the producer)",
        few / alone
    );

    // A million, of a thousand transactions, for a relay that comes back.
    let before = relay.status().published_total;
    fill(&session, 1_000_000).await?;
    let (shutdown, task) = start(&relay).await?;
    let begun = Instant::now();
    published(&relay, before + 1_000_000).await?;
    let many = 1_000_000_f64 / begun.elapsed().as_secs_f64();
    shutdown.cancel();
    task.await?;
    println!(
        "the relay with 1,000,000 waiting:         {many:>9.0} events/s ({:.2} of the producer)",
        many / alone
    );
    println!("1,000,000 waiting against 1,000: {:.2}", many / few);
    Ok(())
}

/// Returns the rate of a producer that only produces.
async fn producer_alone(kafka: &KafkaConfig, events: usize) -> Result<f64, Failure> {
    let mut producer = TransactionalProducer::start(kafka, "relay-rate-alone").await?;
    let batch: Vec<Outgoing> = (0..5_000)
        .map(|_| {
            let key = Uuid::now_v7();
            Outgoing { key, payload: Bytes::from(event(key, 250)) }
        })
        .collect();
    producer.publish(batch.clone(), Bytes::from_static(b"{}")).await?;
    let begun = Instant::now();
    for _ in 0..events / batch.len() {
        producer.publish(batch.clone(), Bytes::from_static(b"{}")).await?;
    }
    Ok(events as f64 / begun.elapsed().as_secs_f64())
}

/// Lets rows wait that a hundred thousand batches could have written.
async fn fill(session: &tokio_postgres::Client, rows: i32) -> Result<(), Failure> {
    let sql = "INSERT INTO souk.outbox_0 (seq, product_id, payload) \
               SELECT nextval('souk.outbox_seq'), gen_random_uuid(), $1 FROM generate_series(1, $2)";
    const BATCH: i32 = 1_000;
    for _ in 0..rows / BATCH {
        session.execute(sql, &[&event(Uuid::now_v7(), 250), &BATCH]).await?;
    }
    Ok(())
}

/// Starts the relay and waits until it leads.
async fn start(relay: &Arc<Relay>) -> Result<(CancellationToken, JoinHandle<()>), Failure> {
    let shutdown = CancellationToken::new();
    let task = tokio::spawn({
        let (relay, shutdown) = (relay.clone(), shutdown.clone());
        async move { relay.run(shutdown).await }
    });
    relay.watch().wait_for(|status| status.state == RelayState::Leading).await?;
    Ok((shutdown, task))
}

/// Waits until the relay has published as many events.
async fn published(relay: &Relay, events: u64) -> Result<(), Failure> {
    relay.watch().wait_for(|status| status.published_total >= events).await?;
    Ok(())
}
