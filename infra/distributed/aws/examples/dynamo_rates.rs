//! How many events and items a second the event store gets into the DynamoDB of the environment: prints JSON.

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use souk_aws::{AwsConfig, DynamoEventStore};
use souk_domain::Amount;
use souk_events::LogId;
use souk_ports::{
    AggregateKey, Clock as _, Dimension, EventStore as _, ItemDelta, LogRecord, Measures, SystemClock, Window,
};

/// Of each kind.
const COUNT: u64 = 5_000;
/// Records of one delivery.
const BATCH: usize = 1_000;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let unique = format!("souk-rates-{}", SystemClock.now().millis());
    let config = AwsConfig {
        dynamo_endpoint: std::env::var("DYNAMO_ENDPOINT").ok(),
        recent_table: format!("{unique}-recent"),
        aggregates_table: format!("{unique}-aggregates"),
        ..AwsConfig::default()
    };
    let store = DynamoEventStore::connect(&config, Arc::new(SystemClock)).await?;
    let records: Vec<LogRecord> = (0..COUNT).map(record).collect();
    let began = Instant::now();
    for batch in records.chunks(BATCH) {
        store.put_recent(batch).await?;
    }
    println!("recent events/s: {:.0}", rate(began));
    for (what, first) in [("new items/s", 1), ("existing items/s", 2)] {
        let deltas: Vec<ItemDelta> = (0..COUNT).map(|n| delta(n, first)).collect();
        let began = Instant::now();
        for batch in deltas.chunks(BATCH) {
            store.add(LogId(1), 0, batch).await?;
        }
        println!("{what}: {:.0}", rate(began));
    }
    Ok(())
}

#[expect(clippy::cast_precision_loss, reason = "a count of thousands")]
fn rate(began: Instant) -> f64 {
    COUNT as f64 / began.elapsed().as_secs_f64()
}

fn record(number: u64) -> LogRecord {
    let now = SystemClock.now();
    let product = format!("01998f2e-7c1a-7000-8000-{:012x}", number % 500);
    let filler = "x".repeat(400);
    let payload = format!(
        r#"{{"specversion":"1.0","id":"01998f2e-7c1a-7000-9000-{number:012x}","source":"/souk/api","type":"ProductUpdated","subject":"{product}","time":"{now}","datacontenttype":"application/json","sellerid":"seller{}","data":{{"version":{number},"filler":"{filler}"}}}}"#,
        number % 20
    );
    LogRecord { partition: 0, offset: number, appended_at: now, payload: Bytes::from(payload) }
}

fn delta(number: u64, offset: u64) -> ItemDelta {
    let key = AggregateKey {
        window: Window::All,
        by: Dimension::Product,
        bucket: None,
        key: Arc::from(format!("01998f2e-7c1a-7000-8000-{number:012x}")),
    };
    let measures = Measures {
        events: [0, 1, 0, 0, 0],
        units_sold: 3,
        revenue: Amount::from_units(76_500),
        stock_delta: -3,
        stock_value: Amount::from_units(-76_500),
        ..Measures::default()
    };
    ItemDelta { key, first: offset, last: offset, measures }
}
