//! How fast a catalog takes writes, without HTTP: what each backend's example measures.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use souk_domain::{Command, ProductId};
use souk_ports::{Catalog, IdGenerator as _, RandomIds, UnitOfWork};

use crate::make;

/// Products that sales are spread over.
const SOLD: usize = 1_000;
/// Pieces of each: more than anybody sells meanwhile.
const PIECES: i64 = 1_000_000;

/// Prints how many creates, and then sales, of `writers` at once are committed in a second; each waits for its commit.
pub async fn print_write_rate(what: &str, catalog: Arc<dyn Catalog>, writers: usize, time: Duration) {
    let new = || ProductId(RandomIds.next_id());
    let creates =
        rate(&catalog, writers, time, move |_, _| make::create(new(), "Test Product", PIECES)).await;
    println!("{what}: {creates:.0} creates/s");
    let ids: Vec<ProductId> = std::iter::repeat_with(new).take(SOLD).collect();
    let commands = ids.iter().map(|id| make::create(*id, "Test Product", PIECES)).collect();
    catalog.execute(UnitOfWork { commands, idempotency: None }).await.unwrap();
    let sale = move |writer: usize, step: usize| make::adjust(ids[(writer * 31 + step * 7) % ids.len()], -1);
    let sales = rate(&catalog, writers, time, sale).await;
    println!("{what}: {sales:.0} sales/s over {SOLD} products");
}

async fn rate(
    catalog: &Arc<dyn Catalog>,
    writers: usize,
    time: Duration,
    make: impl Fn(usize, usize) -> Command + Send + Sync + 'static,
) -> f64 {
    let (done, make) = (Arc::new(AtomicU64::new(0)), Arc::new(make));
    let end = Instant::now() + time;
    let tasks: Vec<_> = (0..writers)
        .map(|writer| {
            let (catalog, done, make) = (catalog.clone(), done.clone(), make.clone());
            tokio::spawn(async move {
                let mut step = 0;
                while Instant::now() < end {
                    let unit = UnitOfWork { commands: vec![make(writer, step)], idempotency: None };
                    catalog.execute(unit).await.unwrap();
                    done.fetch_add(1, Ordering::Relaxed);
                    step += 1;
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    done.load(Ordering::Relaxed) as f64 / time.as_secs_f64()
}
