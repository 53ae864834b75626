//! The dashboard: a page for people, embedded in the binary, that talks to the other services from the browser.
//!
//! The server's part is small. It serves the files of `assets/`, which `build.rs` joined and put into the binary, under an
//! address with a hash over all of them; it tells the page where the services are (`/config.json`), and fills an empty shop with
//! a sample when asked (`/demo`). What the page is made of is said in `assets/app/main.js`.
//!
//! | file | does |
//! |---|---|
//! | `assets`, `serve` | the embedded files, and how one is answered |
//! | `page` | the page at `/` and its Content-Security-Policy |
//! | `places`, `host` | where the services are for whoever asks |
//! | `demo` | fills the shop, once at a time |
//! | `describe` | the calls, for the contract |
//! | `reach` | looks whether the services are there, for `/health` |

mod assets;
mod demo;
mod describe;
mod host;
mod page;
mod places;
mod reach;
mod routes;
mod serve;

use std::sync::Arc;

use souk_http::openapi::Contract;
use souk_http::{App, Cors, Metrics, Service, Shutdown};
use souk_ports::Clock;

pub use demo::{Demo, Refused, Sample, State, Step};
pub use places::{Place, Places};
pub use reach::Upstream;

use reach::Reach;
use routes::Dashboard;

/// Returns what the service promises to programs.
pub fn contract() -> Contract {
    routes::routes().into_contract()
}

/// What the service is made of.
pub struct WebDeps {
    /// Where the page finds the services.
    pub places: Places,
    /// Where this process finds them, to look after them; none where it is they.
    pub upstreams: Vec<Upstream>,
    /// Fills the shop.
    pub sample: Arc<dyn Sample>,
    /// Tells the page the time.
    pub clock: Arc<dyn Clock>,
    /// `embedded` or `distributed`.
    pub backend: &'static str,
    /// Which origins may call.
    pub cors: Cors,
    /// For `GET /` without a browser.
    pub about: String,
    /// Ends a demo that runs.
    pub shutdown: Shutdown,
}

/// The service.
pub struct Web {
    dashboard: Arc<Dashboard>,
    reach: Arc<Reach>,
    cors: Cors,
    about: String,
}

impl Web {
    /// Puts the service together.
    pub fn new(deps: WebDeps) -> Self {
        let WebDeps { places, upstreams, sample, clock, backend, cors, about, shutdown } = deps;
        let demo = Demo::new(sample, shutdown);
        let dashboard = Arc::new(Dashboard { places, demo, clock, backend });
        Self { dashboard, reach: Arc::new(Reach::new(upstreams)), cors, about }
    }

    /// Returns its routes, with what makes a service of them.
    pub fn app(&self) -> App {
        let service = Service {
            name: "web",
            about: self.about.clone(),
            backend: self.dashboard.backend,
            cors: self.cors.clone(),
            health: self.reach.clone(),
        };
        let home = self.dashboard.clone();
        App::new(service, routes::routes().with_state(self.dashboard.clone()), Metrics::new("web"))
            .with_home(Arc::new(move |headers| page::answer(headers, &home.places)))
    }

    /// Returns what fills the shop.
    pub fn demo(&self) -> &Arc<Demo> {
        &self.dashboard.demo
    }
}
