//! The relay: carries every event from the outbox in Postgres to Kafka, exactly once and in order per product.
//!
//! Its position is in the Kafka transaction that carries the events, so the two cannot disagree. On any doubt it
//! drops its producer, starts a new one (which fences the old, so that nothing of it can still be committed), reads the
//! position and goes on from there:
//!
//! ```text
//! wait for Postgres ─► lock, else stand by ─► wait for Kafka, fence ─► position ─► publish, publish, …
//!        ▲                                                                │            │ lost, unclear, fenced
//!        └────────────────────────────────────────────────────────────────┼────────────┘
//!                                                                         └─► does not fit: stop, say how to go on
//! ```
//!
//! What it finds is waited for by whoever takes writes: [`RelayStatus::takes_writes`]. Where Kafka cannot be asked, the
//! database's own memory has to do. Who stands by goes by what the other one found.

use std::sync::Arc;
use std::time::Duration;

use souk_ports::Clock;
use tokio::sync::watch;
use tokio_postgres::Client;
use tokio_util::sync::CancellationToken;

use crate::backoff::Backoff;
use crate::compare;
use crate::judge::{self, Memory, Verdict};
use crate::lead::{self, Leading};
use crate::leaves::{Leaves, Rotation, keep_hint};
use crate::outbox::{Outbox, ReadError};
use crate::position::{Position, Unsettled};
use crate::session::{self, DatabaseNow, Sessions};
use crate::sink::{SendError, Sink, Sinks};
use crate::status::{RelayState, RelayStatus};

/// How the relay works.
#[derive(Debug, Clone)]
pub struct RelayConfig {
    /// `KAFKA_TRANSACTIONAL_ID`: names the relay to Kafka; the same for every instance that may take over.
    pub transactional_id: String,
    /// `RELAY_ACCEPT`: the word by which an operator accepts that database and position do not fit, once.
    pub accept: Option<String>,
    /// How long a leader may be silent before another takes over; one that ends lets go at once.
    pub lease: Duration,
    /// When leaves of the outbox are emptied.
    pub rotation: Rotation,
}

impl RelayConfig {
    /// The defaults under `transactional_id`.
    pub fn new(transactional_id: impl Into<String>) -> Self {
        Self {
            transactional_id: transactional_id.into(),
            accept: None,
            // Longer than any pause of a machine that is merely busy.
            lease: Duration::from_secs(10),
            rotation: Rotation::default(),
        }
    }
}

/// Pause of a relay that stands by: so soon does it notice that nobody leads.
const STANDBY_POLL: Duration = Duration::from_millis(500);
/// The first pause: the lock may be that of this relay's last session, which is just ending.
const FIRST_STANDBY_POLL: Duration = Duration::from_millis(20);

/// How leading, or the way there, came to an end.
#[derive(Debug)]
pub(crate) enum Ended {
    /// It was asked for.
    Shutdown,
    /// A server is not there, or an outcome is unclear: begin anew.
    Retry(String),
    /// Another relay took over.
    Fenced,
    /// Nothing helps but somebody.
    Stopped(String),
}

impl From<ReadError> for Ended {
    fn from(error: ReadError) -> Self {
        Self::Retry(error.to_string())
    }
}

impl From<tokio_postgres::Error> for Ended {
    fn from(error: tokio_postgres::Error) -> Self {
        ReadError::from(error).into()
    }
}

/// Where to go on.
enum Found {
    /// From here.
    At(Position),
    /// Nowhere, unless an operator settles it with the word.
    Doubtful { reason: String, token: String },
}

/// The relay. It runs in every process that may publish; one of them does, the others stand by.
pub struct Relay {
    config: RelayConfig,
    sessions: Arc<dyn Sessions>,
    sinks: Arc<dyn Sinks>,
    clock: Arc<dyn Clock>,
    status: watch::Sender<RelayStatus>,
}

impl Relay {
    /// Makes a relay between any database and any producer.
    pub fn over(
        config: RelayConfig,
        sessions: Arc<dyn Sessions>,
        sinks: Arc<dyn Sinks>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self { config, sessions, sinks, clock, status: watch::Sender::default() }
    }

    /// Tells how it is doing; does not wait.
    pub fn status(&self) -> RelayStatus {
        self.status.borrow().clone().aged(self.clock.now())
    }

    /// Follows how it is doing.
    pub fn watch(&self) -> watch::Receiver<RelayStatus> {
        self.status.subscribe()
    }

    /// Relays until `shutdown`, whatever becomes of the servers. A transaction that is being sent is finished first;
    /// to drop the future instead is safe, too.
    pub async fn run(&self, shutdown: CancellationToken) {
        let mut backoff = Backoff::default();
        loop {
            let published = self.status.borrow().published_total;
            let ended = self.attempt(&shutdown).await;
            if self.status.borrow().published_total > published {
                backoff.reset();
            }
            self.status.send_modify(|status| status.restarts_total += 1);
            match ended {
                Ended::Shutdown => return,
                Ended::Retry(reason) => {
                    self.wait_for(reason);
                    tokio::select! {
                        () = tokio::time::sleep(backoff.next()) => {}
                        () = shutdown.cancelled() => return,
                    }
                }
                Ended::Fenced => {
                    tracing::info!("another relay took over");
                    self.set(RelayState::Standby);
                    tokio::select! {
                        () = tokio::time::sleep(backoff.next()) => {}
                        () = shutdown.cancelled() => return,
                    }
                }
                Ended::Stopped(reason) => {
                    tracing::error!("{reason}");
                    self.set(RelayState::Stopped(reason));
                    return shutdown.cancelled().await;
                }
            }
        }
    }

    fn set(&self, state: RelayState) {
        self.status.send_if_modified(|status| {
            let changes = status.state != state;
            if state == RelayState::Standby {
                // Who publishes tells what waits; what this one counted last would only grow older.
                status.waiting(0, None);
            }
            status.state = state;
            changes
        });
    }

    fn wait_for(&self, reason: String) {
        let state = RelayState::Waiting(reason);
        if self.status.borrow().state != state
            && let RelayState::Waiting(reason) = &state
        {
            tracing::warn!("the relay waits: {reason}");
        }
        self.set(state);
    }

    async fn attempt(&self, shutdown: &CancellationToken) -> Ended {
        // Until it publishes, it can be left at any moment.
        let leading = tokio::select! {
            leading = self.take_over() => leading,
            () = shutdown.cancelled() => return Ended::Shutdown,
        };
        match leading {
            Ok(leading) => {
                self.set(RelayState::Leading);
                tracing::info!(to = self.sinks.place(), "the relay publishes");
                leading.run(shutdown).await
            }
            Err(ended) => ended,
        }
    }

    /// Becomes the relay that publishes.
    async fn take_over(&self) -> Result<Leading<'_>, Ended> {
        let mut client = self.sessions.open().await.map_err(Ended::Retry)?;
        session::prepare(&client).await?;
        self.stand_by(&client).await?;
        let Some(database) = session::identify(&client).await? else {
            return Err(Ended::Retry(
                "the database is a standby that takes no writes: it waits to be promoted".into(),
            ));
        };
        let memory = judge::remember(&client, None).await?;
        let suspicion = memory.against(database.identity);
        if souk_ports::fault::planted("relay-admits-unasked") {
            self.admit(&client).await?;
        }
        let mut sink = self.fence(&client, &database, memory, suspicion.as_deref()).await?;
        let committed = match self.find(&client, &mut *sink, &database, suspicion.as_deref()).await? {
            Found::At(position) => {
                self.admit(&client).await?;
                position
            }
            Found::Doubtful { reason, token } => {
                self.settle(&mut client, &mut *sink, &reason, &token, &database).await?
            }
        };
        let id = &self.config.transactional_id;
        Ok(Leading {
            config: &self.config,
            outbox: Outbox::open(&client, committed.clone()).await?,
            leaves: Leaves::open(&client, self.config.rotation, id).await?,
            client,
            sink,
            committed,
            nudge: self.sessions.nudge(),
            status: &self.status,
        })
    }

    /// Waits until no other relay has the lock, going by what the one that has it found.
    async fn stand_by(&self, client: &Client) -> Result<(), Ended> {
        let mut pause = FIRST_STANDBY_POLL;
        while !session::try_lead(client, self.config.lease).await? {
            self.set(RelayState::Standby);
            if !self.status.borrow().takes_writes && session::is_admitted(client).await? {
                self.status.send_modify(|status| status.takes_writes = true);
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(STANDBY_POLL);
        }
        Ok(())
    }

    /// Lets writes begin, here and wherever a relay stands by.
    async fn admit(&self, client: &Client) -> Result<(), Ended> {
        session::admit(client).await?;
        self.status.send_if_modified(|status| !std::mem::replace(&mut status.takes_writes, true));
        Ok(())
    }

    /// Decides without Kafka, which cannot be asked: writes go on unless the database itself speaks against them.
    /// Returns what is waited for.
    async fn unanswered(
        &self,
        client: &Client,
        suspicion: Option<&str>,
        error: String,
    ) -> Result<String, Ended> {
        let Some(suspicion) = suspicion else {
            self.admit(client).await?;
            return Ok(error);
        };
        Ok(format!("{}: {error}", awaiting_kafka(suspicion)))
    }

    /// Starts a producer, however long Kafka is away, and keeps the figures true meanwhile.
    async fn fence(
        &self,
        client: &Client,
        database: &DatabaseNow,
        memory: Memory,
        suspicion: Option<&str>,
    ) -> Result<Box<dyn Sink>, Ended> {
        let own = memory.hints.into_iter().find(|(id, _)| *id == self.config.transactional_id);
        let hint = own.map_or_else(|| Position::start(database.identity), |(_, hint)| hint);
        let outbox = Outbox::open(client, hint).await?;
        if let Some(suspicion) = suspicion {
            self.wait_for(awaiting_kafka(suspicion));
        }
        let mut backoff = Backoff::default();
        loop {
            let mut starting = std::pin::pin!(self.sinks.start());
            let started = loop {
                tokio::select! {
                    started = &mut starting => break started,
                    () = tokio::time::sleep(self.config.lease / 4) => {
                        lead::count_waiting(client, &outbox, &self.status).await?;
                    }
                }
            };
            match started {
                Ok(sink) => return Ok(sink),
                Err(error) => self.wait_for(self.unanswered(client, suspicion, error.to_string()).await?),
            }
            lead::count_waiting(client, &outbox, &self.status).await?;
            tokio::time::sleep(backoff.next()).await;
        }
    }

    /// Finds where to go on.
    async fn find(
        &self,
        client: &Client,
        sink: &mut dyn Sink,
        database: &DatabaseNow,
        suspicion: Option<&str>,
    ) -> Result<Found, Ended> {
        let record = match session::speak_while(client, self.config.lease, sink.position()).await? {
            Ok(record) => record,
            // There is one, of a topic that is gone.
            Err(SendError::Fatal(reason)) => {
                return Ok(Found::Doubtful { reason, token: judge::token(None, database) });
            }
            Err(SendError::Fenced(_)) => return Err(Ended::Fenced),
            Err(error) => {
                return Err(Ended::Retry(self.unanswered(client, suspicion, error.to_string()).await?));
            }
        };
        if let Some(doubt) = record.as_deref().and_then(Unsettled::from_record) {
            let reason = "a comparison of the outbox with the topic was cut off".to_owned();
            return Ok(Found::Doubtful { reason, token: doubt.unsettled });
        }
        let token = judge::token(record.as_deref(), database);
        let position = match record.as_deref().map(Position::from_record).transpose() {
            Ok(position) => position,
            Err(error) => return Ok(Found::Doubtful { reason: error.to_string(), token }),
        };
        let anchor = position.as_ref().and_then(|position| position.anchor);
        let memory = judge::remember(client, anchor).await?;
        Ok(match judge::judge(position, database, &memory, &self.config.transactional_id) {
            Verdict::GoOn(position) => Found::At(position),
            Verdict::Doubt(reason) => Found::Doubtful { reason, token },
        })
    }

    /// Settles a doubt, if an operator said that it is to be.
    async fn settle(
        &self,
        client: &mut Client,
        sink: &mut dyn Sink,
        reason: &str,
        token: &str,
        database: &DatabaseNow,
    ) -> Result<Position, Ended> {
        if self.config.accept.as_deref() != Some(token) {
            return Err(Ended::Stopped(judge::remedy(reason, token)));
        }
        tracing::warn!(reason, "accepted by RELAY_ACCEPT: the outbox is compared with the topic");
        // Writes meanwhile only wait to be published.
        self.admit(client).await?;
        self.wait_for("the outbox is being compared with the topic".into());
        let lease = self.config.lease;
        let log = session::speak_while(&*client, lease, self.sinks.log()).await?;
        let log = log.map_err(|error| Ended::Retry(judge::chain(&error)))?;
        let settled = compare::publish_missing(client, sink, &*log, token, database.identity, lease).await?;
        keep_hint(client, &self.config.transactional_id, &settled.position).await?;
        tracing::warn!(
            in_outbox = settled.in_outbox,
            published_before = settled.in_outbox - settled.missing,
            published_now = settled.missing,
            "the outbox and the topic agree again"
        );
        Ok(settled.position)
    }
}

/// Says for what a database waits that something speaks against.
fn awaiting_kafka(suspicion: &str) -> String {
    format!("{suspicion}; it takes no write before Kafka says how far that was")
}
