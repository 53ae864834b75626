//! What everything that reads the log has in common: a client for questions, the identity, and a watch over both.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI32, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};
use rdkafka::Offset;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use souk_ports::{ErrorKind, PortError, StoreHealth};

use crate::config::{CALL_TIMEOUT, KafkaConfig};
use crate::consumer::Committed;
use crate::context::Context;
use crate::error::{ConnectError, is_refusal, sentence};
use crate::identity::Identity;
use crate::lifelines::Lifelines;
use crate::polling::{list, listen};
use crate::pool::Pool;

/// How often the watch looks: a topic made anew is noticed within it, and a look costs one small request.
const WATCH_EVERY: Duration = Duration::from_secs(1);
/// A look may take this long; a slow broker is not a lost one.
const WATCH_TIMEOUT: Duration = Duration::from_secs(3);

/// What everything that reads the log has in common.
pub(crate) struct Shared {
    pub config: KafkaConfig,
    pub identity: Identity,
    pub pool: Pool,
    pub lifelines: Arc<Lifelines>,
    /// Asks questions; reads nothing.
    client: Option<Arc<BaseConsumer<Context>>>,
    /// Ask for the positions of a group each, and never join it.
    askers: Mutex<BTreeMap<String, Arc<BaseConsumer<Context>>>>,
    partitions: AtomicI32,
    recreated: OnceLock<String>,
    problem: Mutex<Option<String>>,
    members: AtomicUsize,
    stop: Arc<(Mutex<bool>, Condvar)>,
}

impl Shared {
    /// Connects; the topic must be there. Blocks.
    pub fn connect(config: KafkaConfig) -> Result<Arc<Self>, ConnectError> {
        config.validate().map_err(|error| ConnectError::Refused(error.to_string()))?;
        let context = Context::default();
        let mut settings = config.client();
        settings.set("isolation.level", "read_committed");
        let client: BaseConsumer<Context> =
            settings.create_with_context(context.clone()).map_err(|error| {
                ConnectError::Refused(sentence("cannot use the settings for Kafka", &error, None))
            })?;
        let classify = |error| {
            let what = format!("cannot reach the brokers at {} (KAFKA_BROKERS)", config.brokers);
            listen(&client);
            let text = sentence(&what, &error, context.trouble.reason());
            if error.rdkafka_error_code().is_some_and(is_refusal) || context.trouble.is_refusal() {
                ConnectError::Refused(text)
            } else {
                ConnectError::Unreachable(text)
            }
        };
        let metadata = client.fetch_metadata(Some(&config.topic), CALL_TIMEOUT).map_err(classify)?;
        let found = metadata.topics().iter().find(|topic| topic.name() == config.topic);
        let partitions = found.map_or(0, |topic| topic.partitions().len());
        if partitions == 0 {
            return Err(ConnectError::Unreachable(format!(
                "topic {} is not there yet (KAFKA_TOPIC); the api creates it when it starts",
                config.topic
            )));
        }
        let identity = Identity::find(client.client(), &config.topic, CALL_TIMEOUT).map_err(classify)?;
        let (client, lifelines) = (Arc::new(client), Arc::new(Lifelines::new(&config.brokers)));
        lifelines.hold(&client);
        let shared = Arc::new(Self {
            pool: Pool::new(&config, lifelines.clone()),
            lifelines,
            identity,
            client: Some(client),
            askers: Mutex::default(),
            partitions: AtomicI32::new(i32::try_from(partitions).unwrap_or(i32::MAX)),
            recreated: OnceLock::new(),
            problem: Mutex::new(None),
            members: AtomicUsize::new(0),
            stop: Arc::new((Mutex::new(false), Condvar::new())),
            config,
        });
        let (weak, stop) = (Arc::downgrade(&shared), shared.stop.clone());
        thread::Builder::new()
            .name("kafka-watch".to_owned())
            .spawn(move || {
                let mut stopped = stop.0.lock();
                while !*stopped {
                    stop.1.wait_for(&mut stopped, WATCH_EVERY);
                    parking_lot::MutexGuard::unlocked(&mut stopped, || {
                        if let Some(shared) = weak.upgrade() {
                            shared.look();
                        }
                    });
                }
            })
            .map_err(|error| ConnectError::Unreachable(format!("cannot start a thread: {error}")))?;
        Ok(shared)
    }

    /// Returns the client that asks questions.
    pub fn client(&self) -> &BaseConsumer<Context> {
        self.client.as_ref().expect("taken when this is dropped, not before")
    }

    /// Returns what `group` committed in each partition. Blocks.
    pub fn committed(&self, group: &str) -> Result<Vec<Committed>, KafkaError> {
        let asker = self.asker(group)?;
        // What the client has to say about itself is thrown away: the questions have errors of their own.
        drop(asker.poll(Duration::ZERO));
        let wanted = (0..self.partitions()).map(|partition| (partition, Offset::Invalid));
        let found = asker.committed_offsets(list(&self.config.topic, wanted)?, CALL_TIMEOUT)?;
        found.elements().iter().map(Committed::of).collect()
    }

    fn asker(&self, group: &str) -> Result<Arc<BaseConsumer<Context>>, KafkaError> {
        let mut askers = self.askers.lock();
        if let Some(asker) = askers.get(group) {
            return Ok(asker.clone());
        }
        let mut settings = self.config.client();
        settings.set("group.id", group).set("enable.auto.commit", "false");
        let asker: Arc<BaseConsumer<Context>> = Arc::new(settings.create_with_context(Context::default())?);
        self.lifelines.hold(&asker);
        askers.insert(group.to_owned(), asker.clone());
        Ok(asker)
    }

    /// Returns how many partitions the topic has.
    pub fn partitions(&self) -> i32 {
        self.partitions.load(Ordering::Relaxed)
    }

    /// Fails when the topic is another one by now.
    pub fn check(&self) -> Result<(), PortError> {
        match self.recreated.get() {
            Some(text) => Err(PortError::new(ErrorKind::InvalidData, text.clone())),
            None => Ok(()),
        }
    }

    /// Fails when a tail over `partitions` does not see everything.
    pub fn check_tail(&self, partitions: usize) -> Result<(), PortError> {
        self.check()?;
        if usize::try_from(self.partitions()) == Ok(partitions) {
            return Ok(());
        }
        Err(PortError::new(
            ErrorKind::Unavailable,
            format!("topic {} has more partitions by now; follow the log anew", self.config.topic),
        ))
    }

    /// Asks the brokers whether all is as it was. Blocks.
    fn look(&self) {
        listen(self.client());
        self.pool.retire();
        let trouble = &self.client().context().trouble;
        let problem = match self.identity.partitions(self.client().client(), WATCH_TIMEOUT) {
            Ok(None) => Some(self.recreated.get_or_init(|| self.identity.recreated()).clone()),
            Ok(Some(count)) => {
                trouble.clear();
                self.note_partitions(i32::try_from(count).unwrap_or(i32::MAX));
                None
            }
            Err(error) => {
                let what = format!("cannot reach the brokers at {} (KAFKA_BROKERS)", self.config.brokers);
                Some(sentence(&what, &error, trouble.reason()))
            }
        };
        self.lifelines.tend(problem.is_none());
        *self.problem.lock() = problem.or_else(|| self.recreated.get().cloned());
    }

    fn note_partitions(&self, count: i32) {
        let before = self.partitions();
        if count > before {
            tracing::warn!(
                messaging.destination.name = self.config.topic,
                "topic {} has {count} partitions, and had {before}: events of a product from before and after are \
                 in different ones",
                self.config.topic
            );
            self.partitions.store(count, Ordering::Relaxed);
        }
    }

    /// Says how the log is doing, without asking anybody.
    pub fn health(&self) -> StoreHealth {
        let members = self.members.load(Ordering::Relaxed);
        StoreHealth {
            problem: self.problem.lock().clone(),
            detail: format!("Kafka at {}, topic {}", self.config.brokers, self.config.topic),
            figures: vec![
                ("partitions", i64::from(self.partitions())),
                ("groupMembers", i64::try_from(members).unwrap_or(i64::MAX)),
                ("idleReaders", i64::try_from(self.pool.idle()).unwrap_or(i64::MAX)),
            ],
        }
    }

    pub fn member_joined(&self) {
        self.members.fetch_add(1, Ordering::Relaxed);
    }

    pub fn member_left(&self) {
        self.members.fetch_sub(1, Ordering::Relaxed);
    }

    /// Waits until every member has left its group, at most `patience`. Blocks.
    pub fn await_members(&self, patience: Duration) {
        let deadline = Instant::now() + patience;
        while self.members.load(Ordering::Relaxed) > 0 && Instant::now() < deadline {
            thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        *self.stop.0.lock() = true;
        self.stop.1.notify_all();
        // Ending a client waits for its threads, and this may be an async one.
        let ending = (self.client.take(), self.pool.take(), std::mem::take(&mut *self.askers.lock()));
        drop(thread::Builder::new().name("kafka-close".to_owned()).spawn(move || drop(ending)));
    }
}
