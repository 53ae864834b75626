//! How fast the archive's consumer brings events from Kafka into objects on S3, or how fast the same consumer only
//! counts them: prints JSON for `cargo xtask bench --distributed`.
//!
//! `MODE` is `archive` or `count`; the rest of the environment is that of `souk analytics`. The other consumers of
//! analytics get nothing: what is measured is the archive alone.

use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use axum::body::{Body, to_bytes};
use souk_analytics::{Analytics, AnalyticsConfig, AnalyticsDeps};
use souk_aws::{AwsConfig, AwsKeys};
use souk_embedded::{Embedded, EmbeddedConfig};
use souk_events::LogId;
use souk_http::{Cors, Shutdown};
use souk_kafka::{KafkaConfig, KafkaEventLog};
use souk_ports::{
    Delivery, EventLog, GroupConsumer, LogRecord, Offset, Partition, PartitionBounds, PortError, RandomIds,
    ReadLimit, SystemClock, Tail,
};
use tower::ServiceExt as _;

/// What anything here may fail with.
type Failure = Box<dyn std::error::Error>;

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let text = |name: &str| std::env::var(name).map_err(|_| format!("{name} is not set"));
    let group = text("KAFKA_CLIENT_ID")?;
    let kafka =
        KafkaConfig { topic: text("KAFKA_TOPIC")?, ..KafkaConfig::new(text("KAFKA_BROKERS")?, &group) };
    let log = Arc::new(KafkaEventLog::connect(kafka).await?);
    let (events, took) = match text("MODE")?.as_str() {
        "count" => count(&*log, &group).await?,
        "archive" => archive(log, group).await?,
        other => return Err(format!("MODE is {other}, neither archive nor count").into()),
    };
    #[expect(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
    let rate = events as f64 / took.as_secs_f64();
    let figures = serde_json::json!({
        "eventsPerSecond": rate,
        "events": events,
        "peakMemoryBytes": peak_memory()?,
    });
    println!("{figures}");
    Ok(())
}

/// Joins a group and counts until the end of the log as it was at the beginning; the time begins with the first
/// records, as the group's making is no part of it.
async fn count(log: &dyn EventLog, group: &str) -> Result<(u64, Duration), Failure> {
    let ends: Vec<Offset> = log.bounds().await?.iter().map(|bounds| bounds.next).collect();
    let mut open = ends.iter().filter(|end| **end > 0).count();
    let mut consumer = log.consumer(group).await?;
    let (mut events, mut began, mut reached) = (0, None, vec![0; ends.len()]);
    while open > 0 {
        match consumer.next(Duration::from_secs(1)).await? {
            Delivery::Records(records) => {
                began.get_or_insert_with(Instant::now);
                events += records.len() as u64;
                for record in &records {
                    reached[record.partition as usize] = record.offset + 1;
                }
                // Behind the last record there may be the marker of its transaction, and nothing else.
                open = reached.iter().zip(&ends).filter(|(reached, end)| **reached + 1 < **end).count();
            }
            Delivery::Assigned(_) | Delivery::Revoking(_) | Delivery::Idle => {}
        }
    }
    Ok((events, began.map_or(Duration::ZERO, |began| began.elapsed())))
}

/// Runs analytics with its archive alone until all that was in the log is in objects.
async fn archive(log: Arc<KafkaEventLog>, group: String) -> Result<(u64, Duration), Failure> {
    let text = |name: &str| std::env::var(name).map_err(|_| format!("{name} is not set"));
    let keys = |id: &str, secret: &str| {
        Ok::<_, String>(AwsKeys { id: text(id)?, secret: text(secret)?, token: None })
    };
    let config = AwsConfig {
        region: Some(text("AWS_REGION")?),
        dynamo_endpoint: Some(text("DYNAMO_ENDPOINT")?),
        keys: Some(keys("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")?),
        s3_endpoint: Some(text("MINIO_ENDPOINT")?),
        s3_keys: Some(keys("MINIO_ACCESS_KEY", "MINIO_SECRET_KEY")?),
        bucket: text("ARCHIVE_BUCKET_NAME")?,
        ..AwsConfig::default()
    };
    let folder = tempfile::tempdir()?;
    let clock = Arc::new(SystemClock);
    let nothing = Embedded::open(&EmbeddedConfig::new(folder.path()), clock.clone(), Arc::new(RandomIds))?;
    let first = Arc::new(parking_lot::Mutex::new(None));
    let analytics = Analytics::new(AnalyticsDeps {
        log: Arc::new(ArchiveAlone { log, first: first.clone() }),
        store: nothing.event_store(),
        archive: souk_aws::archive(&config).await?,
        clock,
        backend: "distributed",
        cors: Cors::any(),
        about: "the archive alone".to_owned(),
        config: AnalyticsConfig {
            client_id: group,
            flush_timeout: Duration::from_secs(300),
            ..AnalyticsConfig::default()
        },
    });
    let (router, shutdown) = (analytics.router(), Shutdown::new());
    let running = tokio::spawn(analytics.run(shutdown.clone()));
    let request = http::Request::post("/archive/flush").body(Body::empty())?;
    let reply = router.clone().oneshot(request).await?;
    let took = first.lock().map_or(Duration::ZERO, |first: Instant| first.elapsed());
    let status = reply.status();
    let body = to_bytes(reply.into_body(), 16 << 20).await?;
    if status != http::StatusCode::OK {
        return Err(format!("the flush was answered {status}: {}", String::from_utf8_lossy(&body)).into());
    }
    let events = rows(router).await?;
    shutdown.soft.cancel();
    running.await?;
    Ok((events, took))
}

/// Counts the rows of all objects.
async fn rows(router: axum::Router) -> Result<u64, Failure> {
    let (mut rows, mut path) = (0, "/archive?limit=500".to_owned());
    loop {
        let reply = router.clone().oneshot(http::Request::get(&path).body(Body::empty())?).await?;
        let page: serde_json::Value = serde_json::from_slice(&to_bytes(reply.into_body(), 16 << 20).await?)?;
        let items = page["items"].as_array().ok_or_else(|| format!("no page of the archive: {page}"))?;
        rows += items.iter().filter_map(|item| item["rows"].as_u64()).sum::<u64>();
        match page["nextCursor"].as_str() {
            Some(cursor) => path = format!("/archive?limit=500&cursor={cursor}"),
            None => return Ok(rows),
        }
    }
}

/// A log whose records only the archive's group gets; notes when the first came.
struct ArchiveAlone {
    log: Arc<KafkaEventLog>,
    first: Arc<parking_lot::Mutex<Option<Instant>>>,
}

#[async_trait]
impl EventLog for ArchiveAlone {
    fn identity(&self) -> LogId {
        self.log.identity()
    }

    async fn bounds(&self) -> Result<Vec<PartitionBounds>, PortError> {
        self.log.bounds().await
    }

    async fn read(
        &self,
        partition: Partition,
        from: Offset,
        limit: ReadLimit,
    ) -> Result<Vec<LogRecord>, PortError> {
        self.log.read(partition, from, limit).await
    }

    async fn tail(&self, from: &[Offset]) -> Result<Box<dyn Tail>, PortError> {
        self.log.tail(from).await
    }

    async fn consumer(&self, group: &str) -> Result<Box<dyn GroupConsumer>, PortError> {
        if group.ends_with("-archive") {
            return Ok(Box::new(Noting {
                consumer: self.log.consumer(group).await?,
                first: self.first.clone(),
            }));
        }
        Ok(Box::<Silent>::default())
    }

    async fn committed(&self, group: &str) -> Result<Vec<Offset>, PortError> {
        if group.ends_with("-archive") {
            return self.log.committed(group).await;
        }
        // A flush waits for the other groups: these have everything.
        Ok(self.log.bounds().await?.iter().map(|bounds| bounds.next).collect())
    }

    async fn dead_letter(&self, record: &LogRecord, reason: &str) -> Result<(), PortError> {
        self.log.dead_letter(record, reason).await
    }
}

/// Notes when the first records came.
struct Noting {
    consumer: Box<dyn GroupConsumer>,
    first: Arc<parking_lot::Mutex<Option<Instant>>>,
}

#[async_trait]
impl GroupConsumer for Noting {
    async fn next(&mut self, max_wait: Duration) -> Result<Delivery, PortError> {
        let delivery = self.consumer.next(max_wait).await?;
        if matches!(delivery, Delivery::Records(_)) {
            self.first.lock().get_or_insert_with(Instant::now);
        }
        Ok(delivery)
    }

    async fn commit(&mut self, partition: Partition, next: Offset) -> Result<(), PortError> {
        self.consumer.commit(partition, next).await
    }

    async fn seek(&mut self, partition: Partition, next: Offset) -> Result<(), PortError> {
        self.consumer.seek(partition, next).await
    }
}

/// A member that gets nothing.
#[derive(Default)]
struct Silent {
    joined: bool,
}

#[async_trait]
impl GroupConsumer for Silent {
    async fn next(&mut self, max_wait: Duration) -> Result<Delivery, PortError> {
        if !std::mem::replace(&mut self.joined, true) {
            return Ok(Delivery::Assigned(Vec::new()));
        }
        tokio::time::sleep(max_wait).await;
        Ok(Delivery::Idle)
    }

    async fn commit(&mut self, _: Partition, _: Offset) -> Result<(), PortError> {
        Ok(())
    }

    async fn seek(&mut self, _: Partition, _: Offset) -> Result<(), PortError> {
        Ok(())
    }
}

/// Returns the most memory that this process had.
fn peak_memory() -> Result<u64, Failure> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).ok_or("no VmHWM")?;
    Ok(line.trim().trim_end_matches(" kB").trim().parse::<u64>()? * 1024)
}
