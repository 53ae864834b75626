//! What souk has of its own, for a backup.

use souk_migrate::{LeftOut, Own};
use souk_ports::{ErrorKind, PortError};
use souk_postgres::PgDump;

use crate::failure::Failure;
use crate::settings::Settings;
use crate::wiring::distributed::Config;

/// Returns what is copied of an installation, and what is not.
///
/// # Errors
/// `Unreachable` when a database cannot be asked whether it has something.
pub async fn own(settings: &Settings) -> Result<(Own, Vec<LeftOut>), Failure> {
    let Some(engines) = &settings.distributed else { return Ok(of_folder(settings)) };
    let config = Config::of(settings, engines)?;
    let database = config.postgres.as_ref().expect("the settings name a database, or are embedded");
    let dump = PgDump::of_souk(database);
    let is_there = dump.holds_any().await.map_err(souk_migrate::MigrateError::from)?;
    let own = if is_there { Own::Database(dump) } else { Own::Nothing };
    let left_out = |what: String, why: &str| LeftOut { what, why: why.to_owned() };
    let kafka = format!("the topic {} at {}", config.kafka.topic, config.kafka.brokers);
    Ok((
        own,
        vec![
            left_out(
                kafka,
                "its brokers keep it in as many copies as the topic has, and the archive has every event",
            ),
            left_out(
                "aggregates and recent events in DynamoDB".to_owned(),
                "analytics makes them anew from topic and archive (souk audit --repair); the service has backups of its own",
            ),
            left_out(
                "the archive in S3".to_owned(),
                "its objects are never changed; versioning or replication of the bucket keeps them",
            ),
        ],
    ))
}

fn of_folder(settings: &Settings) -> (Own, Vec<LeftOut>) {
    let folder = settings.data_dir.clone();
    let left_out = LeftOut {
        what: "search.db".to_owned(),
        why: "words are indexed anew from the catalog at the next start".to_owned(),
    };
    if !folder.join("souk.db").is_file() {
        return (Own::Nothing, Vec::new());
    }
    let group = format!("{}-archive", souk_analytics::AnalyticsConfig::default().client_id);
    let copy = move |to: &std::path::Path| {
        souk_embedded::back_up(&folder, to, &group, |_| {})
            .map_err(|error| PortError::new(ErrorKind::Unavailable, error.to_string()))
    };
    (Own::Files(Box::new(copy)), vec![left_out])
}
