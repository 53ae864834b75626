//! Prints how fast the producer publishes by transaction size, how fast a group and a tail take it in, and how long
//! a lone event is on its way.
//!
//! `cargo run --release -p souk-kafka --example rates`, with `KAFKA_BROKERS` set. With `idle` as its argument it joins
//! three groups and follows the log as services do, does nothing for ten seconds, and prints what that takes.

use std::time::{Duration, Instant};

use bytes::Bytes;
use souk_kafka::{KafkaConfig, KafkaEventLog, Outgoing, TransactionalProducer, ensure_topics};
use souk_ports::{Delivery, EventLog, ReadLimit};
use uuid::Uuid;

type Failure = Box<dyn std::error::Error>;

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let brokers = std::env::var("KAFKA_BROKERS").map_err(|_| "set KAFKA_BROKERS")?;
    let mut config = KafkaConfig::new(brokers, "rates");
    config.topic = format!("rates-{}", Uuid::now_v7());
    ensure_topics(&config).await?;
    if std::env::args().nth(1).as_deref() == Some("idle") {
        return idle(config).await;
    }
    let mut producer = TransactionalProducer::start(&config, &config.topic).await?;
    let mut total = 0;
    for size in [1, 100, 1_000, 5_000, 10_000] {
        let batch = batch(size);
        let mut times = Vec::new();
        let begin = Instant::now();
        while begin.elapsed() < Duration::from_secs(3) {
            let at = Instant::now();
            producer.publish(batch.clone(), Bytes::from_static(b"position")).await?;
            times.push(at.elapsed());
            total += size;
        }
        let rate = rate(size as usize * times.len(), begin.elapsed());
        println!("{size:>6} per transaction: {rate:>8.0} events/s, {}", percentiles(&mut times));
    }
    let total = total as usize;
    let log = KafkaEventLog::connect(config).await?;
    group(&log, total).await?;
    tail(&log, total).await?;
    read(&log, total).await?;
    on_its_way(&log, &mut producer).await?;
    println!("memory: {}", memory()?);
    Ok(())
}

async fn idle(config: KafkaConfig) -> Result<(), Failure> {
    let log = KafkaEventLog::connect(config).await?;
    let group = Uuid::now_v7();
    let mut groups = Vec::new();
    for name in ["recent", "aggregates", "archive"] {
        groups.push(log.consumer(&format!("{group}-{name}")).await?);
    }
    let _tail = log.tail(&[]).await?;
    for seconds in 0..10 {
        for consumer in &mut groups {
            drop(consumer.next(Duration::from_millis(300)).await?);
        }
        if seconds == 0 || seconds == 9 {
            let ticks = std::fs::read_to_string("/proc/self/stat")?;
            let ticks: Vec<&str> = ticks.split_whitespace().skip(13).take(2).collect();
            println!("memory: {}, processor time in ticks: {}", memory()?, ticks.join(" + "));
        }
    }
    drop(groups);
    log.close(Duration::from_secs(5)).await;
    Ok(())
}

async fn group(log: &KafkaEventLog, total: usize) -> Result<(), Failure> {
    let mut consumer = log.consumer(&format!("rates-{}", Uuid::now_v7())).await?;
    let (mut begin, mut count) = (None, 0);
    while count < total {
        if let Delivery::Records(records) = consumer.next(Duration::from_secs(5)).await? {
            begin.get_or_insert_with(Instant::now);
            count += records.len();
        }
    }
    println!("group: {:.0} events/s", rate(count, begin.map_or(Duration::ZERO, |at| at.elapsed())));
    Ok(())
}

async fn tail(log: &KafkaEventLog, total: usize) -> Result<(), Failure> {
    let mut tail = log.tail(&[]).await?;
    let (begin, mut count) = (Instant::now(), 0);
    while count < total {
        count += tail.next().await?.len();
    }
    println!("tail:  {:.0} events/s", rate(count, begin.elapsed()));
    Ok(())
}

async fn read(log: &KafkaEventLog, total: usize) -> Result<(), Failure> {
    let (begin, mut count) = (Instant::now(), 0);
    for (partition, bounds) in (0..).zip(log.bounds().await?) {
        let mut from = bounds.earliest;
        while let Some(last) = {
            let batch = log.read(partition, from, ReadLimit::default()).await?;
            count += batch.len();
            batch.last().map(|record| record.offset)
        } {
            from = last + 1;
        }
    }
    if count != total {
        return Err(format!("read {count} of {total}").into());
    }
    println!("read:  {:.0} events/s", rate(count, begin.elapsed()));
    Ok(())
}

/// Publishes events one by one and waits for each at a tail and at a group's member.
async fn on_its_way(log: &KafkaEventLog, producer: &mut TransactionalProducer) -> Result<(), Failure> {
    let ends: Vec<u64> = log.bounds().await?.iter().map(|bounds| bounds.next).collect();
    let mut tail = log.tail(&ends).await?;
    let mut times = Vec::new();
    for _ in 0..200 {
        let at = Instant::now();
        let publish = producer.publish(batch(1), Bytes::from_static(b"position"));
        let (published, records) = tokio::join!(publish, tail.next());
        published?;
        times.push(at.elapsed());
        if records?.len() != 1 {
            return Err("one event was published and others came".into());
        }
    }
    println!("published and at a tail: {}", percentiles(&mut times));
    Ok(())
}

#[expect(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
fn rate(count: usize, took: Duration) -> f64 {
    count as f64 / took.as_secs_f64()
}

fn percentiles(times: &mut [Duration]) -> String {
    times.sort_unstable();
    let at = |percent: usize| times[(times.len() * percent / 100).min(times.len() - 1)];
    format!("p50 {:.1?} p99 {:.1?}", at(50), at(99))
}

fn memory() -> Result<String, Failure> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let lines = status.lines().filter(|line| line.starts_with("VmHWM") || line.starts_with("VmRSS"));
    Ok(lines.map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect::<Vec<_>>().join(", "))
}

fn batch(size: u32) -> Vec<Outgoing> {
    (0..size)
        .map(|n| {
            let key = Uuid::from_u64_pair(0x0199_0000_0000_7000, (0x8000 << 48) | u64::from(n % 997));
            let payload = format!(
                r#"{{"specversion":"1.0","id":"{key}","source":"/souk/api","type":"ProductUpdated","subject":"{key}","time":"2026-11-22T18:00:00.123Z","datacontenttype":"application/json","sellerid":"seller{n}","data":{{"version":{n},"product":{{"id":"{key}","sellerId":"seller{n}","sku":"85123A","name":"WHITE HANGING HEART T-LIGHT HOLDER {n}","description":null,"category":"general","price":2.55,"stock":{n},"lowStockThreshold":null,"lowStock":false,"version":{n},"createdAt":"2026-11-22T18:00:00.123Z","updatedAt":"2026-11-22T18:00:00.123Z"}}}}}}"#
            );
            Outgoing { key, payload: Bytes::from(payload) }
        })
        .collect()
}
