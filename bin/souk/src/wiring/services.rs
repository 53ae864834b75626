//! Services over the distributed engines: each waits for what it needs behind its gate, then opens it.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use souk_analytics::{Analytics, AnalyticsDeps};
use souk_api::{Api, ApiDeps};
use souk_aws::DynamoEventStore;
use souk_distributed::Relay;
use souk_http::{App, Gate, Waits};
use souk_kafka::{ConnectError, KafkaConfig, KafkaEventLog};
use souk_notifications::{Notifications, NotificationsDeps};
use souk_postgres::Postgres;
use souk_web::Web;
use tokio::net::TcpListener;

use crate::wiring::distributed::{Config, Connected};
use crate::wiring::listeners::Door;
use crate::wiring::parts::{LogPart, RelayPart};
use crate::wiring::site::Site;
use crate::wiring::waiting::until_there;

/// Names under which `/health` tells what is waited for.
const POSTGRES: &str = "postgres";
const KAFKA: &str = "kafka";
const DYNAMODB: &str = "dynamodb";
const S3: &str = "s3";

/// Pause between two attempts to make the topics; others wait for them.
const TOPICS_PAUSE: Duration = Duration::from_millis(500);

/// How often it is asked whether the log is still the same; the log's own watch looks every few seconds.
const LOG_WATCH: Duration = Duration::from_secs(1);

/// A service that has what it needs.
struct Built {
    app: App,
    /// What runs beside its router, by name.
    work: Vec<Work>,
}

/// A task and its name.
type Work = (&'static str, Pin<Box<dyn Future<Output = ()> + Send>>);

/// Serves each door at once, and opens its gate when the service is there.
pub fn start(
    site: &Arc<Site>,
    config: Config,
    doors: Vec<(Door, TcpListener)>,
    web: Option<&Arc<Web>>,
) -> Connected {
    let connected = Connected::default();
    let config = Arc::new(config);
    for (door, listener) in doors {
        let web = web.cloned();
        if let (Door::Web, Some(web)) = (door, &web) {
            // It waits for nothing: the page itself says what is not there.
            site.serve(door, listener, web.app().router());
            continue;
        }
        let waits = Waits::default();
        let gate = site.closed_gate(door, waits.clone());
        site.serve(door, listener, gate.clone());
        let (site, config, connected) = (site.clone(), config.clone(), connected.clone());
        let shutdown = site.shutdown.clone();
        shutdown.clone().spawn("start", async move {
            let building = async {
                match door {
                    Door::Api => api(&site, &config, &waits, &connected).await,
                    Door::Notifications => notifications(&site, &config, &waits, &connected).await,
                    Door::Analytics => analytics(&site, &config, &waits, &connected).await,
                    Door::All | Door::Web => {
                        let web = web.expect("who shares a port has a dashboard");
                        all(&site, &config, &waits, &connected, &web).await
                    }
                }
            };
            tokio::select! {
                biased;
                () = shutdown.soft.cancelled() => {}
                built = building => match built {
                    Ok(built) => open(&site, door, &gate, built),
                    Err(reason) => site.stop(reason),
                },
            }
        });
    }
    connected
}

fn open(site: &Site, door: Door, gate: &Gate, built: Built) {
    for (name, work) in built.work {
        site.shutdown.spawn(name, work);
    }
    gate.open(built.app.router());
    tracing::info!("{} has what it needs", door.name());
}

/// The api needs Postgres, and the relay's word that it goes with Kafka. Kafka itself is the relay's matter: without it
/// writes go on, and events wait in the outbox.
async fn api(
    site: &Arc<Site>,
    config: &Config,
    waits: &Waits,
    connected: &Connected,
) -> Result<Built, String> {
    let database = config.postgres.as_ref().expect("the settings of an api name a database");
    let postgres = until_there(POSTGRES, waits, || {
        Postgres::connect(database.clone(), site.clock.clone(), site.ids.clone())
    })
    .await?;
    connected.hold_postgres(postgres.clone());
    let app = Api::new(ApiDeps {
        catalog: postgres.catalog(),
        clock: site.clock.clone(),
        ids: site.ids.clone(),
        backend: site.backend,
        cors: site.cors.clone(),
        about: site.about(Door::Api),
    })
    .app();
    let kafka = config.kafka_of_api();
    let relay = Arc::new(Relay::new(config.relay.clone(), &postgres, kafka.clone(), site.clock.clone()));
    let app = app.with_part(Arc::new(RelayPart::new(relay.clone())));
    site.shutdown.spawn("relay", RelayPart::run(relay.clone(), site.clone()));
    site.shutdown.spawn("topics", make_topics(kafka, site.clone()));
    RelayPart::until_writable(&relay, waits).await;
    Ok(Built { app, work: Vec::new() })
}

/// Makes the topics as soon as Kafka is there, and ends the process where they do not fit or Kafka refuses us. What
/// becomes of Kafka later is the relay's matter.
async fn make_topics(config: KafkaConfig, site: Arc<Site>) {
    let made = async {
        loop {
            match souk_kafka::ensure_topics(&config).await {
                Ok(_) => return,
                Err(ConnectError::Refused(reason)) => return site.stop(reason),
                // The relay tells that it waits, and for what.
                Err(ConnectError::Unreachable(_)) => tokio::time::sleep(TOPICS_PAUSE).await,
            }
        }
    };
    tokio::select! {
        () = made => {}
        () = site.shutdown.soft.cancelled() => {}
    }
}

/// Follows the log, and ends the process when its topic is another one: positions of ours mean nothing there.
async fn log(
    config: KafkaConfig,
    site: &Arc<Site>,
    waits: &Waits,
    connected: &Connected,
) -> Result<(Arc<KafkaEventLog>, Work), String> {
    let log = until_there(KAFKA, waits, || KafkaEventLog::connect(config.clone())).await?;
    let log = Arc::new(log);
    connected.hold_log(log.clone());
    let (watched, site) = (log.clone(), site.clone());
    let watch = async move {
        let lost = async {
            loop {
                match watched.lost() {
                    Some(reason) => return reason,
                    None => tokio::time::sleep(LOG_WATCH).await,
                }
            }
        };
        tokio::select! {
            reason = lost => site.stop(reason),
            () = site.shutdown.soft.cancelled() => {}
        }
    };
    Ok((log, ("log watch", Box::pin(watch))))
}

async fn notifications(
    site: &Arc<Site>,
    config: &Config,
    waits: &Waits,
    connected: &Connected,
) -> Result<Built, String> {
    let (log, watch) = log(config.kafka_of_notifications(), site, waits, connected).await?;
    let part = Arc::new(LogPart(log.clone()));
    let notifications = Notifications::new(NotificationsDeps {
        log,
        backend: site.backend,
        cors: site.cors.clone(),
        about: site.about(Door::Notifications),
        config: site.stream.clone(),
    });
    let app = notifications.app().with_part(part);
    let until = site.shutdown.clone();
    let work = async move { notifications.run(until).await };
    Ok(Built { app, work: vec![watch, ("event stream", Box::pin(work))] })
}

async fn analytics(
    site: &Arc<Site>,
    config: &Config,
    waits: &Waits,
    connected: &Connected,
) -> Result<Built, String> {
    let store = until_there(DYNAMODB, waits, || DynamoEventStore::connect(&config.aws, site.clock.clone()));
    let archive = until_there(S3, waits, || souk_aws::archive(&config.aws));
    let log = log(config.kafka_of_analytics(), site, waits, connected);
    let ((log, watch), store, archive) = tokio::try_join!(log, store, archive)?;
    let part = Arc::new(LogPart(log.clone()));
    let analytics = Analytics::new(AnalyticsDeps {
        log,
        store: Arc::new(store),
        archive,
        clock: site.clock.clone(),
        backend: site.backend,
        cors: site.cors.clone(),
        about: site.about(Door::Analytics),
        config: site.figures.clone(),
    });
    // Beside everything else on one port, notifications tells how Kafka is doing.
    let app = analytics.app();
    let app = if site.shares_a_port() { app } else { app.with_part(part) };
    Ok(Built { app, work: vec![watch, ("consumers", Box::pin(analytics.run(site.shutdown.clone())))] })
}

/// Everything on one port is there when every app is; the topic that two of them wait for is made beside the third.
async fn all(
    site: &Arc<Site>,
    config: &Config,
    waits: &Waits,
    connected: &Connected,
    web: &Web,
) -> Result<Built, String> {
    let (api, notifications, analytics) = tokio::try_join!(
        api(site, config, waits, connected),
        notifications(site, config, waits, connected),
        analytics(site, config, waits, connected)
    )?;
    let mut work = Vec::new();
    let mut apps = Vec::new();
    for built in [api, notifications, analytics] {
        work.extend(built.work);
        apps.push(built.app);
    }
    apps.push(web.app());
    Ok(Built { app: site.merge(apps), work })
}
