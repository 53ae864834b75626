//! A move that ends anywhere goes on where it was: every call to the target fails once before and once after its effect.

use std::collections::BTreeMap;

use async_trait::async_trait;
use souk_events::LogId;
use souk_move::MoveError;
use souk_ports::{CatalogRow, Holds, Milestone, MoveTarget, MovedEvent, PortError, StoredAnswer};

use crate::bed::{Bed, gone};

/// A target that goes away at a call: before its effect, or after it and before the answer.
struct Failing {
    inner: Box<dyn MoveTarget>,
    calls: u32,
    fails_at: u32,
    after: bool,
    seen: BTreeMap<&'static str, u32>,
}

impl Failing {
    /// Whether this call is the one, with its effect still to come.
    fn call(&mut self, name: &'static str) -> Result<bool, PortError> {
        *self.seen.entry(name).or_default() += 1;
        self.calls += 1;
        let now = self.calls == self.fails_at;
        if now && !self.after { Err(gone()) } else { Ok(now) }
    }
}

fn answer(lost: bool) -> Result<(), PortError> {
    if lost { Err(gone()) } else { Ok(()) }
}

#[async_trait]
impl MoveTarget for Failing {
    fn log(&self) -> LogId {
        self.inner.log()
    }

    async fn unrest(&mut self) -> Result<Option<String>, PortError> {
        self.inner.unrest().await
    }

    async fn holds(&mut self) -> Result<Holds, PortError> {
        self.inner.holds().await
    }

    async fn note(&mut self, milestone: &Milestone) -> Result<(), PortError> {
        let lost = self.call("note")?;
        self.inner.note(milestone).await?;
        answer(lost)
    }

    async fn put_events(&mut self, events: Vec<MovedEvent>, milestone: &Milestone) -> Result<(), PortError> {
        let lost = self.call("events")?;
        self.inner.put_events(events, milestone).await?;
        answer(lost)
    }

    async fn clear_rows(&mut self, milestone: &Milestone) -> Result<(), PortError> {
        let lost = self.call("clear")?;
        self.inner.clear_rows(milestone).await?;
        answer(lost)
    }

    async fn put_rows(&mut self, rows: &[CatalogRow], milestone: &Milestone) -> Result<(), PortError> {
        let lost = self.call("rows")?;
        self.inner.put_rows(rows, milestone).await?;
        answer(lost)
    }

    async fn put_answers(
        &mut self,
        answers: &[StoredAnswer],
        milestone: &Milestone,
    ) -> Result<(), PortError> {
        let lost = self.call("answers")?;
        self.inner.put_answers(answers, milestone).await?;
        answer(lost)
    }

    async fn settle(&mut self, milestone: &Milestone) -> Result<(), PortError> {
        let lost = self.call("settle")?;
        self.inner.settle(milestone).await?;
        answer(lost)
    }

    async fn finish(&mut self, milestone: &Milestone) -> Result<(), PortError> {
        self.inner.finish(milestone).await
    }

    async fn close(self: Box<Self>) {
        self.inner.close().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn wherever_it_is_broken_off_it_goes_on_and_nothing_is_there_twice() {
    let bed = Bed::new();
    let shop = bed.open("old");
    // Several batches of events, from archive and log, and of rows.
    bed.trade(&shop, 3_000).await;
    bed.work_off(&shop).await;
    bed.forget(&shop).await;
    bed.trade(&shop, 500).await;
    shop.close().await;
    let before = bed.contents("old").await;
    let departure = bed.departure("old");

    let mut seen = BTreeMap::new();
    let mut broken = 0;
    for after in [false, true] {
        for fails_at in 1.. {
            let to = format!("new-{fails_at}-{after}");
            let inner = bed.target(&to);
            let mut target = Box::new(Failing { inner, calls: 0, fails_at, after, seen: BTreeMap::new() });
            let outcome = souk_move::load(&departure, &mut *target, &mut |_| {}).await;
            seen.append(&mut target.seen);
            target.close().await;
            let whole = match outcome {
                Ok(_) => true,
                Err(MoveError::Port(_)) => false,
                Err(other) => panic!("{other}"),
            };
            broken += u32::from(!whole);
            let mut progress = Vec::new();
            let mut target = bed.target(&to);
            let record =
                souk_move::load(&departure, &mut *target, &mut |step| progress.push(step)).await.unwrap();
            assert_eq!(record.events, before.events.len() as u64, "call {fails_at}, {after}");
            assert!(!whole || progress.is_empty(), "what is there does not move again: {progress:?}");
            target.close().await;
            let there = bed.contents(&to).await;
            assert!(there.events == before.events, "events after call {fails_at}, {after}");
            assert!(there == before, "rows or answers after call {fails_at}, {after}");
            std::fs::remove_dir_all(bed.path(&to)).unwrap();
            if whole {
                break;
            }
        }
    }
    assert!(seen.len() >= 5 && seen["events"] >= 2 && seen["rows"] >= 2, "{seen:?}");
    assert!(broken >= 16, "{broken} calls were broken off");
}
