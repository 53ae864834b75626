//! The services over SQLite files and a folder, all in this process.

use std::sync::Arc;

use object_store::ObjectStore;
use object_store::local::LocalFileSystem;
use souk_analytics::{Analytics, AnalyticsDeps};
use souk_api::{Api, ApiDeps};
use souk_domain::Stock;
use souk_embedded::{Embedded, EmbeddedConfig, OpenError};
use souk_notifications::{Notifications, NotificationsDeps};
use souk_web::Web;
use tokio::net::TcpListener;

use crate::failure::Failure;
use crate::screen::Store;
use crate::settings::Settings;
use crate::wiring::listeners::Door;
use crate::wiring::site::Site;

/// Opens the stores and serves every app behind its door.
///
/// # Errors
/// `Unreachable` when the data folder cannot be used.
pub fn start(
    settings: &Settings,
    site: &Arc<Site>,
    doors: Vec<(Door, TcpListener)>,
    web: &Web,
) -> Result<Embedded, Failure> {
    let store = Embedded::open(&config(settings), site.clock.clone(), site.ids.clone()).map_err(refused)?;
    let archive = open_archive(&store)?;
    let api = Api::new(ApiDeps {
        catalog: store.catalog(),
        clock: site.clock.clone(),
        ids: site.ids.clone(),
        backend: site.backend,
        cors: site.cors.clone(),
        about: site.about(Door::Api),
    });
    let notifications = Notifications::new(NotificationsDeps {
        log: store.log(),
        backend: site.backend,
        cors: site.cors.clone(),
        about: site.about(Door::Notifications),
        config: site.stream.clone(),
    });
    let analytics = Analytics::new(AnalyticsDeps {
        log: store.log(),
        store: store.event_store(),
        archive,
        clock: site.clock.clone(),
        backend: site.backend,
        cors: site.cors.clone(),
        about: site.about(Door::Analytics),
        config: site.figures.clone(),
    });

    let mut apps = vec![
        (Door::Api, api.app()),
        (Door::Notifications, notifications.app()),
        (Door::Analytics, analytics.app()),
        (Door::Web, web.app()),
    ];
    for (door, listener) in doors {
        let app = match door {
            Door::All => site.merge(apps.drain(..).map(|(_, app)| app).collect()),
            one => {
                let at = apps.iter().position(|(door, _)| *door == one);
                apps.remove(at.expect("each app has one door")).1
            }
        };
        site.serve(door, listener, app.router());
    }
    let until = site.shutdown.clone();
    site.shutdown.spawn("event stream", async move { notifications.run(until).await });
    site.shutdown.spawn("consumers", analytics.run(site.shutdown.clone()));
    Ok(store)
}

pub fn config(settings: &Settings) -> EmbeddedConfig {
    EmbeddedConfig {
        low_stock_threshold: Stock::new(settings.low_stock_threshold.into())
            .expect("the table bounds it to 1e9"),
        log_retention: settings.log_retention,
        recent_retention: settings.recent_events_retention,
        max_bytes: settings.data_max_bytes,
        ..EmbeddedConfig::new(&settings.data_dir)
    }
}

/// Opens the archive beside the store's files, with each object on disk before it counts.
///
/// # Errors
/// `Unreachable` when the folder cannot be used.
pub fn open_archive(store: &Embedded) -> Result<Arc<dyn ObjectStore>, Failure> {
    let folder = store.archive_dir();
    let archive = LocalFileSystem::new_with_prefix(&folder).map_err(|error| {
        Failure::Unreachable(format!("the archive in {} cannot be used: {error}", folder.display()))
    })?;
    Ok(Arc::new(archive.with_fsync(true)))
}

/// Turns a data folder that cannot be opened into a failure.
pub fn refused(error: OpenError) -> Failure {
    Failure::Unreachable(error.to_string())
}

/// Returns which file holds what.
pub fn stores(settings: &Settings) -> Vec<Store> {
    let folder = settings.data_dir.display().to_string();
    let place = |file: &str| format!("{}/{file}", folder.trim_end_matches('/'));
    vec![
        Store { name: "catalog, log", place: place("souk.db"), holds: "products and their events (SQLite)" },
        Store { name: "event store", place: place("analytics.db"), holds: "aggregates, positions (SQLite)" },
        Store { name: "archive", place: place("archive"), holds: "every event (Parquet)" },
    ]
}
