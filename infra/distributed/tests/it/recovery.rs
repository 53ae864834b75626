//! The relay is ended, paused, cut off and left without answers; every event is published once, in order.

use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use souk_conformance::{Dice, eventually};
use souk_distributed::{Outgoing, RelayState, SendError, Sink, Sinks};
use souk_ports::{EventLog, PortError};
use tokio::task::JoinHandle;
use uuid::Uuid;

use crate::bed::{Database, Running, TestSessions, config, insert, insert_many};
use crate::memory_sink::{Fault, MemoryLog, MemorySinks};

fn start(database: &Arc<Database>, log: &Arc<MemoryLog>) -> Running {
    Running::start(config(), TestSessions::new(database), Arc::new(MemorySinks(log.clone())))
}

/// Writes versions of one product until it is told to stop; returns how many.
fn writer(database: &Arc<Database>, product: Uuid) -> (JoinHandle<u64>, Arc<std::sync::atomic::AtomicBool>) {
    let stop = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let (database, stopped) = (database.clone(), stop.clone());
    let task = tokio::spawn(async move {
        let client = database.client().await;
        let mut version = 0;
        while !stopped.load(std::sync::atomic::Ordering::SeqCst) {
            version += 1;
            insert(&client, product, version).await;
        }
        version
    });
    (task, stop)
}

async fn all_once(log: &MemoryLog, product: Uuid, versions: u64) {
    eventually("all to be published", || async {
        (log.versions(product).last() == Some(&versions)).then_some(())
    })
    .await;
    assert!(log.versions(product) == (1..=versions).collect::<Vec<_>>(), "each once, in order");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn faults_of_transactions_lose_and_repeat_nothing() {
    for fault in [Fault::Aborted, Fault::LostReply, Fault::LostRequest] {
        let (database, log) = (Database::create().await, Arc::new(MemoryLog::default()));
        let relay = start(&database, &log);
        relay.leads().await;
        let product = Uuid::now_v7();
        let (task, stop) = writer(&database, product);
        for _ in 0..5 {
            log.fail([fault, fault]);
            eventually("the faults", || async { log.has_failed().then_some(()) }).await;
        }
        stop.store(true, std::sync::atomic::Ordering::SeqCst);
        all_once(&log, product, task.await.unwrap()).await;
        assert!(relay.relay.status().restarts_total >= 10);
        relay.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_relay_that_is_killed_anywhere_loses_and_repeats_nothing() {
    let (database, log) = (Database::create().await, Arc::new(MemoryLog::default()));
    let product = Uuid::now_v7();
    let (task, stop) = writer(&database, product);
    let mut dice = Dice::new(4);
    for _ in 0..30 {
        let relay = start(&database, &log);
        relay.leads().await;
        let published = log.events().len();
        eventually("progress", || async { (log.events().len() > published).then_some(()) }).await;
        tokio::time::sleep(Duration::from_micros(dice.roll(20_000))).await;
        relay.kill().await;
    }
    stop.store(true, std::sync::atomic::Ordering::SeqCst);
    let relay = start(&database, &log);
    all_once(&log, product, task.await.unwrap()).await;
    relay.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_long_queue_goes_on_where_it_was_cut_off() {
    let (database, log) = (Database::create().await, Arc::new(MemoryLog::default()));
    let (client, product) = (database.client().await, Uuid::now_v7());
    const ROWS: u64 = 60_000;
    insert_many(&client, 0, product, ROWS as i64).await;
    let mut cuts = 0;
    while log.events().len() < ROWS as usize {
        log.fail([Fault::LostReply]);
        let relay = start(&database, &log);
        eventually("a transaction", || async {
            (log.has_failed() || log.events().len() == ROWS as usize).then_some(())
        })
        .await;
        relay.kill().await;
        cuts += 1;
    }
    assert!(cuts >= 4, "{cuts}");
    assert!(log.versions(product) == (1..=ROWS).collect::<Vec<_>>(), "each once, in order");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_session_with_postgres_is_made_anew() {
    let (database, log) = (Database::create().await, Arc::new(MemoryLog::default()));
    let relay = start(&database, &log);
    relay.leads().await;
    let product = Uuid::now_v7();
    let (task, stop) = writer(&database, product);
    let admin = database.client().await;
    for _ in 0..5 {
        let published = log.events().len();
        eventually("progress", || async { (log.events().len() > published).then_some(()) }).await;
        let ended = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
                     WHERE datname = current_database() AND application_name = 'souk-relay'";
        // Progress may be of what was on its way when the last session ended, before there is another.
        eventually("a session to end", || async {
            (!admin.query(ended, &[]).await.unwrap().is_empty()).then_some(())
        })
        .await;
    }
    stop.store(true, std::sync::atomic::Ordering::SeqCst);
    all_once(&log, product, task.await.unwrap()).await;
    relay.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_relay_without_kafka_says_so_and_counts_what_waits() {
    let (database, log) = (Database::create().await, Arc::new(MemoryLog::default()));
    log.set_unreachable(true);
    let relay = start(&database, &log);
    let waits =
        |state: &RelayState| matches!(state, RelayState::Waiting(why) if why.contains("KAFKA_BROKERS"));
    relay.until("it to wait for Kafka", waits).await;
    let (client, product) = (database.client().await, Uuid::now_v7());
    for version in 1..=7 {
        insert(&client, product, version).await;
    }
    eventually("the figures to be true", || async {
        let status = relay.relay.status();
        (status.waiting_events == 7 && status.oldest_waiting.is_some()).then_some(())
    })
    .await;
    log.set_unreachable(false);
    all_once(&log, product, 7).await;
    relay.leads().await;
    eventually("nothing to wait", || async { (relay.relay.status().waiting_events == 0).then_some(()) })
        .await;
    relay.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_relay_leads_and_another_takes_over_when_it_ends() {
    let (database, log) = (Database::create().await, Arc::new(MemoryLog::default()));
    let product = Uuid::now_v7();
    let (task, stop) = writer(&database, product);
    let mut leader = start(&database, &log);
    leader.leads().await;
    for round in 0..6 {
        let next = start(&database, &log);
        next.until("the other to stand by", |state| *state == RelayState::Standby).await;
        assert_eq!(leader.relay.status().state, RelayState::Leading);
        if round % 2 == 0 {
            leader.stop().await;
        } else {
            leader.kill().await;
        }
        next.leads().await;
        leader = next;
    }
    stop.store(true, std::sync::atomic::Ordering::SeqCst);
    all_once(&log, product, task.await.unwrap()).await;
    leader.stop().await;
}

/// A shop that is opened and closed before anybody has bought or changed anything.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_relay_that_ends_before_its_first_event_can_begin_again() {
    let (database, log) = (Database::create().await, Arc::new(MemoryLog::default()));
    for _ in 0..2 {
        let relay = start(&database, &log);
        relay.leads().await;
        relay.stop().await;
    }
    let product = Uuid::now_v7();
    insert(&database.client().await, product, 1).await;
    let relay = start(&database, &log);
    relay.leads().await;
    all_once(&log, product, 1).await;
    relay.stop().await;
}

/// Stops whoever comes by, thread and all, as SIGSTOP does.
#[derive(Default)]
pub struct Freezer {
    frozen: Mutex<bool>,
    changed: Condvar,
}

impl Freezer {
    pub fn set(&self, frozen: bool) {
        *self.frozen.lock().unwrap() = frozen;
        self.changed.notify_all();
    }

    fn pass(&self) {
        let frozen = self.frozen.lock().unwrap();
        drop(self.changed.wait_while(frozen, |frozen| *frozen).unwrap());
    }
}

/// Producers that a [`Freezer`] can stop just before they publish.
pub struct FreezingSinks<S>(pub S, pub Arc<Freezer>);

struct FreezingSink(Box<dyn Sink>, Arc<Freezer>);

#[async_trait]
impl<S: Sinks> Sinks for FreezingSinks<S> {
    async fn start(&self) -> Result<Box<dyn Sink>, SendError> {
        Ok(Box::new(FreezingSink(self.0.start().await?, self.1.clone())))
    }

    async fn log(&self) -> Result<Arc<dyn EventLog>, PortError> {
        self.0.log().await
    }

    fn place(&self) -> String {
        self.0.place()
    }
}

#[async_trait]
impl Sink for FreezingSink {
    async fn position(&mut self) -> Result<Option<Bytes>, SendError> {
        self.0.position().await
    }

    async fn publish(&mut self, batch: Vec<Outgoing>, position: Bytes) -> Result<(), SendError> {
        self.1.pass();
        self.0.publish(batch, position).await
    }
}

/// Runs a relay on a thread of its own, which `freezer` can stop as a whole.
pub fn start_frozen<S: Sinks + 'static>(
    database: &Arc<Database>,
    sinks: S,
    freezer: &Arc<Freezer>,
) -> (Arc<souk_distributed::Relay>, tokio_util::sync::CancellationToken, std::thread::JoinHandle<()>) {
    let sinks = Arc::new(FreezingSinks(sinks, freezer.clone()));
    let clock = Arc::new(souk_ports::SystemClock);
    let relay = Arc::new(souk_distributed::Relay::over(config(), TestSessions::new(database), sinks, clock));
    let shutdown = tokio_util::sync::CancellationToken::new();
    let thread = std::thread::spawn({
        let (relay, shutdown) = (relay.clone(), shutdown.clone());
        move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(relay.run(shutdown));
        }
    });
    (relay, shutdown, thread)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_leader_that_is_paused_is_replaced_and_wakes_up_fenced() {
    let (database, log) = (Database::create().await, Arc::new(MemoryLog::default()));
    let freezer = Arc::new(Freezer::default());
    let (zombie, shutdown, thread) = start_frozen(&database, MemorySinks(log.clone()), &freezer);
    let leads = |status: &souk_distributed::RelayStatus| status.state == RelayState::Leading;
    zombie.watch().wait_for(leads).await.unwrap();
    let product = Uuid::now_v7();
    let (task, stop) = writer(&database, product);
    eventually("the first to publish", || async { (log.events().len() > 10).then_some(()) }).await;
    freezer.set(true);
    let second = start(&database, &log);
    second.leads().await;
    let published = log.events().len();
    eventually("the second to publish", || async { (log.events().len() > published + 10).then_some(()) })
        .await;
    freezer.set(false);
    // It wakes up with a batch in hand that is long published.
    zombie.watch().wait_for(|status| status.state == RelayState::Standby).await.unwrap();
    // What that batch left behind is no outbox that grows older and older.
    let status = zombie.status();
    assert_eq!((status.waiting_events, status.oldest_age_ms), (0, 0), "{status:?}");
    stop.store(true, std::sync::atomic::Ordering::SeqCst);
    all_once(&log, product, task.await.unwrap()).await;
    assert_eq!(second.relay.status().state, RelayState::Leading);
    shutdown.cancel();
    thread.join().unwrap();
    second.stop().await;
}
