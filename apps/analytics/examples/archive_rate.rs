//! How fast one core makes Parquet of events, and how much memory that takes: prints JSON for `cargo xtask bench`.
//!
//! The events are a day of a shop: creates, then sales that carry reason, invoice and price.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use souk_analytics::archive::{Span, encode};
use souk_domain::{
    Category, Cause, Changes, Event, EventKind, Name, Price, Product, ProductId, Reason, Reference, SellerId,
    Sku, Stock, Timestamp, Version,
};
use souk_events::LogId;
use souk_ports::LogRecord;
use uuid::Uuid;

/// Raw rows that all open files together may hold.
const RAW_BYTES: usize = 32 << 20;
/// Products of the shop.
const PRODUCTS: usize = 3_000;
/// How long to encode the same events again and again.
const TIME: Duration = Duration::from_secs(5);

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let records = records()?;
    let span = Span {
        log: LogId(1),
        partition: 0,
        first_offset: 0,
        next_offset: records.len() as u64,
        created_at: Timestamp::from_millis(1_795_370_400_000),
    };
    let mut object = encode(&records, &span)?;
    let (mut rounds, began) = (0, Instant::now());
    while began.elapsed() < TIME {
        object = encode(&records, &span)?;
        rounds += 1;
    }
    #[expect(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
    let rate = (records.len() * rounds) as f64 / began.elapsed().as_secs_f64();
    let raw: usize = records.iter().map(|record| record.payload.len()).sum();
    let figures = serde_json::json!({
        "eventsPerSecond": rate,
        "peakMemoryBytes": peak_memory()?,
        "events": records.len(),
        "rawBytes": raw,
        "objectBytes": object.len(),
    });
    println!("{figures}");
    Ok(())
}

/// Events up to the most that is ever encoded at once.
fn records() -> Result<Vec<LogRecord>, Box<dyn std::error::Error>> {
    let start = 1_795_370_400_000;
    let mut products: Vec<Arc<Product>> = (0..PRODUCTS).map(product).collect::<Result<_, _>>()?;
    let (mut records, mut bytes, mut mix) = (Vec::new(), 0, 7_usize);
    while bytes < RAW_BYTES {
        let offset = records.len();
        let time = Timestamp::from_millis(start + i64::try_from(offset)? / 20);
        // A small generator of numbers that look random, the same in every run.
        mix = mix.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let (number, kind) = if offset < PRODUCTS {
            (offset, EventKind::Created)
        } else {
            let number = (mix >> 33) % PRODUCTS;
            (number, sale(&mut products[number], offset, time)?)
        };
        let product = products[number].clone();
        let id = Uuid::from_u64_pair(0x0199_8f2e_7c1a_7000 + offset as u64, mix as u64);
        let mut payload = Vec::with_capacity(1024);
        souk_events::encode(
            &Event { id, time, version: product.version, product, kind, origin: None },
            &mut payload,
        );
        bytes += payload.len();
        records.push(LogRecord {
            partition: 0,
            offset: offset as u64,
            appended_at: time,
            payload: Bytes::from(payload),
        });
    }
    Ok(records)
}

fn product(number: usize) -> Result<Arc<Product>, Box<dyn std::error::Error>> {
    let time = Timestamp::from_millis(1_795_370_400_000);
    Ok(Arc::new(Product {
        id: ProductId(Uuid::from_u64_pair(
            0x0199_8f2e_7c1a_7000 + number as u64,
            (number as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15),
        )),
        seller_id: SellerId::new(format!("{}", 10 + number % 80))?,
        sku: Some(Sku::new(format!("{}A", 20_000 + number))?),
        name: Name::new(format!("WHITE HANGING HEART T-LIGHT HOLDER {number}"))?,
        description: None,
        category: Category::new("retail")?,
        price: Price::from_units(10_000 + i64::try_from(number)? * 100)?,
        stock: Stock::MAX,
        low_stock_threshold: None,
        low_stock: false,
        version: Version(1),
        created_at: time,
        updated_at: time,
    }))
}

/// Sells some pieces.
fn sale(
    product: &mut Arc<Product>,
    number: usize,
    time: Timestamp,
) -> Result<EventKind, Box<dyn std::error::Error>> {
    let before = product.clone();
    let after = Arc::make_mut(product);
    after.stock = Stock::new(before.stock.get() - 1 - i64::try_from(number % 24)?).ok_or("stock ran out")?;
    after.version = before.version.next();
    after.updated_at = time;
    let cause = Cause {
        reason: Reason::Sale,
        reference: Some(Reference::new(format!("{}", 536_365 + number / 20))?),
        unit_price: Some(before.price),
        occurred_at: Some(time),
    };
    let changes = Changes::between(&before, after).ok_or("a sale changes something")?;
    Ok(EventKind::Updated { changes: Box::new(changes), cause: Some(Box::new(cause)) })
}

/// Returns the most memory that this process had.
fn peak_memory() -> Result<u64, Box<dyn std::error::Error>> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).ok_or("no VmHWM")?;
    Ok(line.trim().trim_end_matches(" kB").trim().parse::<u64>()? * 1024)
}
