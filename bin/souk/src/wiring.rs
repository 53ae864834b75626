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
//! | `moving` | the two sides of a shop that moves |
//! | `dashboard` | the page that talks to the services, and the sample that fills a shop |
//! | `probes` | what `souk doctor` looks at |

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use souk_embedded::Embedded;
use souk_http::Shutdown;
use souk_web::Web;

use crate::failure::Failure;
use crate::screen::{Facts, Store};
use crate::settings::{Role, Settings};

mod about;
mod connections;
pub mod contract;
mod dashboard;
mod distributed;
mod embedded;
mod engines;
pub mod listeners;
mod moving;
mod own;
mod parts;
pub mod probes;
mod services;
mod site;
mod target;
mod waiting;

pub use engines::Engines;
pub use moving::Side;
pub use own::own;
pub use target::Target;

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
    /// `None` where a service runs on its own.
    web: Option<Arc<Web>>,
    held: Held,
}

/// What is closed last.
enum Held {
    /// A dashboard keeps nothing.
    Nothing,
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
            Door::Web => bound.web,
        };
        at.expect("every door was bound")
    };
    let places = doors.iter().map(|(door, _)| (*door, at(*door))).collect();
    let web = dashboard::build(settings, &site);
    let (stores, data_dir, held) = match (engines, &web) {
        (None, Some(web)) if settings.role == Role::Web => {
            for (door, listener) in doors {
                site.serve(door, listener, web.app().router());
            }
            (Vec::new(), None, Held::Nothing)
        }
        (None, web) => {
            let web = web.as_ref().expect("whatever is embedded is all in one process");
            let store = embedded::start(settings, &site, doors, web)?;
            let folder = settings.data_dir.display().to_string();
            (embedded::stores(settings), Some(folder), Held::Embedded(store))
        }
        (Some(engines), web) => {
            let stores = engines.stores(settings.role);
            (stores, None, Held::Distributed(services::start(&site, engines, doors, web.as_ref())))
        }
    };
    Ok(Running { site, doors: places, stores, data_dir, web, held })
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
            web: bound.web,
            stores: self.stores.clone(),
            data_dir: self.data_dir.clone(),
            ready_in,
        }
    }

    /// Fills the shop with the sample, if it is empty; how that goes is told in the log.
    pub async fn fill(&self) {
        if let Some(web) = &self.web
            && let Err(refused) = web.demo().start().await
        {
            tracing::warn!(reason = %refused, "the shop is not filled with the sample");
        }
    }

    /// Returns the reason for which it ended itself, if it did.
    pub fn stopped(&self) -> Option<Failure> {
        self.site.stopped().map(|reason| Failure::Unreachable(reason.to_owned()))
    }

    /// Closes the stores, after everything that uses them has ended.
    pub async fn close(self) {
        match self.held {
            Held::Nothing => {}
            Held::Embedded(store) => store.close().await,
            Held::Distributed(connected) => connected.close().await,
        }
    }
}
