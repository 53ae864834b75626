//! Puts a process together, from top to bottom: listeners, adapters, components, servers.
//!
//! The only place that names adapters. Listeners are bound before anything is opened, so that a taken port stops the
//! start before it has touched data. The embedded stores are opened before anything is served; of the distributed ones
//! each service waits for what it needs behind a gate that says so.
//!
//! | file | does |
//! |---|---|
//! | `site` | what the services of a process share, and how one is served |
//! | `embedded` | all services over SQLite files and a folder |
//! | `distributed`, `services` | services over Postgres, Kafka, DynamoDB and S3, each on its own or all in one |
//! | `engines` | the stores themselves, for commands that look at them |
//! | `probes` | what `souk doctor` looks at |

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use souk_embedded::Embedded;
use souk_http::Shutdown;

use crate::failure::Failure;
use crate::screen::{Facts, Store};
use crate::settings::Settings;

mod about;
mod connections;
pub mod contract;
mod distributed;
mod embedded;
mod engines;
pub mod listeners;
mod parts;
pub mod probes;
mod services;
mod site;
mod waiting;

pub use engines::Engines;

use connections::Shares;
use distributed::Connected;
use listeners::{Door, Listeners};
use site::Site;

/// Everything that runs.
pub struct Running {
    site: Arc<Site>,
    doors: Vec<(Door, SocketAddr)>,
    stores: Vec<Store>,
    /// `None` where nothing is kept on this machine.
    data_dir: Option<String>,
    held: Held,
}

/// What is closed last.
enum Held {
    Embedded(Embedded),
    Distributed(Connected),
}

/// Starts what the settings' role asks for.
///
/// # Errors
/// `Unreachable` when a port is taken or the data folder cannot be used, `Usage` for settings that an adapter does not
/// take; each says what to do.
pub fn start(settings: &Settings) -> Result<Running, Failure> {
    let shares = Shares::of(settings.max_connections, settings.role)?;
    let engines =
        settings.distributed.as_ref().map(|of| distributed::Config::of(settings, of)).transpose()?;
    let Listeners { doors, bound } = Listeners::bind(settings)?;
    let site = Arc::new(Site::new(settings, bound, shares)?);
    let at = |door| {
        let bound = site.bound;
        let at = match door {
            Door::Api | Door::All => bound.api,
            Door::Notifications => bound.notifications,
            Door::Analytics => bound.analytics,
        };
        at.expect("every door was bound")
    };
    let places = doors.iter().map(|(door, _)| (*door, at(*door))).collect();
    let (stores, data_dir, held) = match engines {
        None => {
            let store = embedded::start(settings, &site, doors)?;
            let folder = settings.data_dir.display().to_string();
            (embedded::stores(settings), Some(folder), Held::Embedded(store))
        }
        Some(engines) => {
            let stores = engines.stores(settings.role);
            (stores, None, Held::Distributed(services::start(&site, engines, doors)))
        }
    };
    Ok(Running { site, doors: places, stores, data_dir, held })
}

impl Running {
    /// Returns what ends it.
    pub fn shutdown(&self) -> &Shutdown {
        &self.site.shutdown
    }

    /// Returns each service with its address.
    pub fn listeners(&self) -> Vec<(&'static str, SocketAddr)> {
        self.doors.iter().map(|(door, at)| (door.name(), *at)).collect()
    }

    /// Tells whether it may wait for servers for as long as these take.
    pub fn waits_for_servers(&self) -> bool {
        matches!(self.held, Held::Distributed(_))
    }

    /// Returns what is told when it is ready.
    pub fn facts(&self, ready_in: Duration) -> Facts {
        let bound = self.site.bound;
        Facts {
            api: bound.api,
            notifications: bound.notifications,
            analytics: bound.analytics,
            stores: self.stores.clone(),
            data_dir: self.data_dir.clone(),
            ready_in,
        }
    }

    /// Returns the reason for which it ended itself, if it did.
    pub fn stopped(&self) -> Option<Failure> {
        self.site.stopped().map(|reason| Failure::Unreachable(reason.to_owned()))
    }

    /// Closes the stores, after everything that uses them has ended.
    pub async fn close(self) {
        match self.held {
            Held::Embedded(store) => store.close().await,
            Held::Distributed(connected) => connected.close().await,
        }
    }
}
