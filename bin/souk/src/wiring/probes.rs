//! What `souk doctor` looks at: the adapters' own examinations, each as a probe.

use std::sync::Arc;

use souk_analytics::AnalyticsConfig;
use souk_doctor::Probe;
use souk_embedded::Embedded;
use souk_kafka::KafkaEventLog;
use souk_ports::{Finding, SystemClock};
use souk_postgres::{Postgres, PostgresConfig};

use crate::failure::Failure;
use crate::settings::{Distributed, Settings};
use crate::wiring::distributed::Config;

/// Looks at the data folder.
pub fn folder(settings: &Settings) -> Probe {
    let folder = settings.data_dir.clone();
    Probe::new("folder", "see whether the disk of DATA_DIR answers (dmesg)", |teller| async move {
        let examined = tokio::task::spawn_blocking(move || {
            souk_embedded::doctor::examine(&folder, &mut |finding| teller.tell(finding));
        });
        let _ = examined.await;
    })
}

/// Looks at every server.
pub fn servers(settings: &Settings, engines: &Distributed) -> Vec<Probe> {
    let config = match Config::of(settings, engines) {
        Ok(config) => config,
        Err(failure) => {
            let (Failure::Usage(text) | Failure::Unreachable(text) | Failure::Fault(text)) = failure;
            return vec![Probe::new("settings", "", |teller| async move {
                teller.tell(Finding::fail(
                    "settings",
                    text,
                    "correct it: `souk config` shows where it came from",
                ));
            })];
        }
    };
    let mut probes = Vec::new();
    if let Some(database) = config.postgres.clone() {
        probes.push(postgres(database.clone()));
        probes.push(outbox(database, config.relay.transactional_id.clone()));
    }
    let (kafka, retention) = (config.kafka_of_analytics(), settings.log_retention);
    let remedy =
        "see whether the brokers of KAFKA_BROKERS answer, and whether what they advertise can be reached";
    probes.push(Probe::new("kafka", remedy, |teller| async move {
        souk_kafka::doctor::examine(&kafka, retention, &mut |finding| teller.tell(finding)).await;
    }));
    let (kafka, id) = (config.kafka_of_api(), config.relay.transactional_id.clone());
    probes.push(Probe::new("kafka.transaction", remedy, |teller| async move {
        souk_kafka::doctor::examine_transactions(&kafka, &id, &mut |finding| teller.tell(finding)).await;
    }));
    let aws = config.aws.clone();
    probes.push(Probe::new("dynamodb", "see whether DYNAMO_ENDPOINT answers", |teller| async move {
        souk_aws::doctor::examine_dynamodb(&aws, &mut |finding| teller.tell(finding)).await;
    }));
    let aws = config.aws.clone();
    probes.push(Probe::new("archive", "see whether MINIO_ENDPOINT answers", |teller| async move {
        souk_aws::doctor::examine_archive(&aws, &mut |finding| teller.tell(finding)).await;
    }));
    probes
}

fn postgres(config: PostgresConfig) -> Probe {
    let remedy =
        "see whether the server of DATABASE_URL answers, and what its sessions wait for (pg_stat_activity)";
    Probe::new("postgres", remedy, |teller| async move {
        souk_postgres::doctor::examine(&config, &mut |finding| teller.tell(finding)).await;
    })
}

/// Looks at what waits to be published; why it cannot is told by the probe of Postgres.
fn outbox(config: PostgresConfig, transactional_id: String) -> Probe {
    let remedy = "see what the sessions of Postgres wait for (pg_stat_activity)";
    Probe::new("outbox", remedy, |teller| async move {
        let clock = Arc::new(SystemClock);
        let Ok(postgres) = Postgres::read_only(config, clock.clone()).await else { return };
        if let Ok(client) = postgres.connection().await {
            let mut tell = |finding| teller.tell(finding);
            souk_distributed::doctor::examine(&client, &transactional_id, &*clock, &mut tell).await;
        }
        postgres.close().await;
    })
}

/// Looks at the consumers through the log. What keeps it from being opened is told by those who look at the stores.
pub fn consumers(settings: &Settings) -> Probe {
    let remedy = "see whether the log can be reached, then look again";
    let config = settings.distributed.as_ref().and_then(|engines| Config::of(settings, engines).ok());
    let (folder, retention) = (settings.data_dir.clone(), settings.recent_events_retention);
    Probe::new("consumers", remedy, move |teller| async move {
        let mut tell = |finding| teller.tell(finding);
        if let Some(config) = config {
            let kafka = config.kafka_of_analytics();
            let client_id = kafka.client_id.clone();
            if let Ok(log) = KafkaEventLog::connect(kafka).await {
                souk_doctor::examine_consumers(&log, &client_id, &mut tell).await;
            }
        } else if let Ok(store) = Embedded::open_read_only(&folder, retention, Arc::new(SystemClock)) {
            let client_id = AnalyticsConfig::default().client_id;
            souk_doctor::examine_consumers(&*store.log(), &client_id, &mut tell).await;
            store.close().await;
        }
    })
}
