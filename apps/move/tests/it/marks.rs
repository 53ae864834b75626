//! Marks that a producer's start leaves in a log: they take offsets and are no records.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use souk_conformance::make;
use souk_domain::ProductId;
use souk_events::LogId;
use souk_move::{Departure, Stage};
use souk_ports::{
    DeadLetter, EventLog, GroupConsumer, IdGenerator as _, LogRecord, Offset, Partition, PartitionBounds,
    PortError, ReadLimit, Tail,
};

use crate::bed::{Bed, refusal};

/// A log that ends with marks, as one in Kafka does.
struct Marked {
    inner: Arc<dyn EventLog>,
    marks: Offset,
    /// Retention has let go of every record.
    is_emptied: bool,
}

#[async_trait]
impl EventLog for Marked {
    fn identity(&self) -> LogId {
        self.inner.identity()
    }

    async fn bounds(&self) -> Result<Vec<PartitionBounds>, PortError> {
        let mut bounds = self.inner.bounds().await?;
        for bounds in &mut bounds {
            bounds.next += self.marks;
            if self.is_emptied {
                bounds.earliest = bounds.next;
            }
        }
        Ok(bounds)
    }

    async fn read(
        &self,
        partition: Partition,
        from: Offset,
        limit: ReadLimit,
    ) -> Result<Vec<LogRecord>, PortError> {
        if self.is_emptied { Ok(Vec::new()) } else { self.inner.read(partition, from, limit).await }
    }

    async fn tail(&self, from: &[Offset]) -> Result<Box<dyn Tail>, PortError> {
        self.inner.tail(from).await
    }

    async fn consumer(&self, group: &str) -> Result<Box<dyn GroupConsumer>, PortError> {
        self.inner.consumer(group).await
    }

    async fn committed(&self, group: &str) -> Result<Vec<Offset>, PortError> {
        self.inner.committed(group).await
    }

    async fn dead_letter(&self, record: &LogRecord, reason: &str) -> Result<(), PortError> {
        self.inner.dead_letter(record, reason).await
    }

    async fn dead_letters(&self, limit: usize) -> Result<Vec<DeadLetter>, PortError> {
        self.inner.dead_letters(limit).await
    }
}

/// Returns the side that a shop leaves, its log with marks at the end.
fn departure(bed: &Bed, shop: &str, marks: Offset) -> Departure {
    let departure = bed.departure(shop);
    let log = Arc::new(Marked { inner: departure.log.clone(), marks, is_emptied: false });
    Departure { log, ..departure }
}

async fn write(bed: &Bed, shop: &str) {
    let shop = bed.open(shop);
    bed.run(&shop, make::unit([make::create(ProductId(bed.ids.next_id()), "thing", 50)])).await;
    shop.close().await;
    bed.clock.advance(Duration::from_secs(60));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_move_that_goes_on_moves_nothing_again_because_of_them() {
    let bed = Bed::new();
    write(&bed, "old").await;
    let mut target = bed.target("new");
    let settled = souk_move::load(&departure(&bed, "old", 0), &mut *target, &mut |_| {}).await.unwrap();
    assert_eq!((settled.stage, settled.events, settled.products), (Stage::Settled, 1, 1));

    let mut progress = Vec::new();
    let from = departure(&bed, "old", 2);
    let again = souk_move::load(&from, &mut *target, &mut |step| progress.push(step)).await.unwrap();
    assert_eq!((&again, progress), (&settled, Vec::new()), "marks are nothing that could move");
    drop(from);

    // A record moves, however many marks come with it.
    write(&bed, "old").await;
    let more = souk_move::load(&departure(&bed, "old", 2), &mut *target, &mut |_| {}).await.unwrap();
    assert_eq!((more.stage, more.events, more.products), (Stage::Settled, 2, 2));
    target.close().await;
    assert_eq!(bed.contents("new").await, bed.contents("old").await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_move_that_is_done_stays_done_in_spite_of_them() {
    let bed = Bed::new();
    write(&bed, "old").await;
    let done = bed.complete("old", "new").await;
    let mut target = bed.target("new");
    let again = souk_move::load(&departure(&bed, "old", 2), &mut *target, &mut |_| {}).await.unwrap();
    assert_eq!(again, done);

    write(&bed, "old").await;
    let told = refusal(souk_move::load(&departure(&bed, "old", 2), &mut *target, &mut |_| {}).await);
    assert!(told.contains("has taken writes since"), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_log_has_let_go_of_since_is_still_a_write() {
    let bed = Bed::new();
    write(&bed, "old").await;
    bed.complete("old", "new").await;
    write(&bed, "old").await;
    let shop = bed.open("old");
    bed.work_off(&shop).await;
    shop.close().await;
    let from = bed.departure("old");
    let log = Arc::new(Marked { inner: from.log.clone(), marks: 2, is_emptied: true });
    let from = Departure { log, ..from };
    let mut target = bed.target("new");
    let told = refusal(souk_move::load(&from, &mut *target, &mut |_| {}).await);
    assert!(told.contains("has taken writes since"), "{told}");
}
