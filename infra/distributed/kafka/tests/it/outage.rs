//! A broker that is killed and comes back: whoever was about to commit gets through, or is told to join anew.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use souk_kafka::{KafkaConfig, KafkaEventLog, TransactionalProducer, ensure_topics};
use souk_ports::{Delivery, ErrorKind, EventLog, GroupConsumer};
use souk_servers::{Kind, Options, Scratch, Server};

use crate::support::{publish, unmade};

/// Members that commit at the moment of the kill: enough for every state that one of them can be in.
const MEMBERS: usize = 12;
/// Longer than a session, so that the group has forgotten its members.
const OUTAGE: Duration = Duration::from_secs(8);
/// Longer than a client waits for an answer.
const STANDSTILL: Duration = Duration::from_secs(20);
/// How long a member may take after the broker is back: a commit's patience, sessions and a rebalance, and some more.
const PATIENCE: Duration = Duration::from_secs(120);

/// Takes what is there and commits it over and over, as a consumer does under load: while a commit fails, it is all
/// that the member does.
async fn commit_for_ever(
    log: Arc<dyn EventLog>,
    group: String,
    commits: Arc<AtomicUsize>,
    stop: Arc<AtomicBool>,
) {
    'member: while !stop.load(Ordering::SeqCst) {
        let Ok(mut consumer) = log.consumer(&group).await else { continue };
        let mut next = None;
        while !stop.load(Ordering::SeqCst) {
            match consumer.next(Duration::from_millis(20)).await {
                Ok(Delivery::Records(records)) => {
                    next = records.last().map(|record| (record.partition, record.offset + 1))
                }
                Ok(Delivery::Assigned(assigned)) => next = next.or(assigned.first().copied()),
                Ok(_) => {}
                Err(_) => continue 'member,
            }
            let Some((partition, offset)) = next else { continue };
            while let Err(error) = commit(&mut *consumer, partition, offset).await {
                if error == ErrorKind::Conflict {
                    continue 'member;
                }
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
            commits.fetch_add(1, Ordering::SeqCst);
        }
    }
}

async fn commit(consumer: &mut dyn GroupConsumer, partition: u32, next: u64) -> Result<(), ErrorKind> {
    consumer.commit(partition, next).await.map_err(|error| error.kind())
}

/// A broker of its own, and members of as many groups that commit all the time.
struct Town {
    server: Server,
    members: Vec<(Arc<AtomicUsize>, tokio::task::JoinHandle<()>)>,
    stop: Arc<AtomicBool>,
    _scratch: Scratch,
}

impl Town {
    async fn begin() -> Self {
        let scratch = Scratch::new("kafka-outage").unwrap();
        let folder = scratch.folder("kafka");
        let server =
            tokio::task::spawn_blocking(move || Server::start(Kind::Kafka, folder, Options::default()))
                .await
                .unwrap()
                .unwrap();
        let mut config = KafkaConfig { partitions: 1, ..unmade() };
        config.brokers = format!("127.0.0.1:{}", server.port());
        ensure_topics(&config).await.unwrap();
        publish(&mut TransactionalProducer::start(&config, "outage").await.unwrap(), 0..100, 10).await;
        let log: Arc<dyn EventLog> = Arc::new(KafkaEventLog::connect(config).await.unwrap());
        let stop = Arc::new(AtomicBool::new(false));
        let members = (0..MEMBERS)
            .map(|number| {
                let commits = Arc::new(AtomicUsize::new(0));
                let task =
                    commit_for_ever(log.clone(), format!("outage-{number}"), commits.clone(), stop.clone());
                (commits, tokio::spawn(task))
            })
            .collect();
        let town = Self { server, members, stop, _scratch: scratch };
        town.goes_on("at first").await;
        town
    }

    /// Waits until each member has committed again.
    async fn goes_on(&self, when: &str) {
        let commits = |(commits, _): &(Arc<AtomicUsize>, _)| commits.load(Ordering::SeqCst);
        let before: Vec<usize> = self.members.iter().map(commits).collect();
        let began = Instant::now();
        loop {
            let stuck: Vec<usize> =
                (0..MEMBERS).filter(|number| commits(&self.members[*number]) < before[*number] + 3).collect();
            if stuck.is_empty() {
                return;
            }
            assert!(began.elapsed() < PATIENCE, "{when}: these members commit no more: {stuck:?}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    async fn end(self) {
        self.stop.store(true, Ordering::SeqCst);
        for (_, task) in self.members {
            task.await.unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn commits_go_on_after_a_broker_was_killed_and_came_back() {
    let mut town = Town::begin().await;
    for outage in [Duration::from_secs(1), OUTAGE] {
        town.server.kill();
        tokio::time::sleep(outage).await;
        let mut server = town.server;
        town.server =
            tokio::task::spawn_blocking(move || server.restart().map(|()| server)).await.unwrap().unwrap();
        town.goes_on("after the broker came back").await;
    }
    town.end().await;
}

/// One that stands still keeps its connections, and answers afterwards what was asked meanwhile.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn commits_go_on_after_a_broker_stood_still() {
    let town = Town::begin().await;
    for _ in 0..2 {
        town.server.pause();
        tokio::time::sleep(STANDSTILL).await;
        town.server.resume();
        town.goes_on("after the broker went on").await;
    }
    town.end().await;
}
