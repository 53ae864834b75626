//! The dashboard: where its page finds the services, and what fills a shop for it.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use souk_events::stream;
use souk_load::{LoadConfig, Phase, Progress};
use souk_web::{Place, Places, Sample, Step, Upstream, Web, WebDeps};

use crate::ready::reachable;
use crate::settings::{Role, Settings};
use crate::wiring::listeners::Door;
use crate::wiring::site::Site;

/// Lines of the sample a second: all of it takes ten seconds, short enough to wait for and long enough to watch.
const RATE: f64 = 500.0;
/// Requests of the sample in flight: as many as that takes, so that others hardly notice.
const CONCURRENCY: usize = 4;
/// How often the page is told how far it is.
const TOLD_EVERY: Duration = Duration::from_millis(100);
/// How long somebody who asks for the sample waits to hear that the api is not there.
const PATIENCE: Duration = Duration::from_secs(3);

/// Puts the dashboard together, where the process has one.
pub fn build(settings: &Settings, site: &Site) -> Option<Arc<Web>> {
    site.bound.web?;
    let (api, stream, analytics) = addresses(settings, site);
    let upstream = |service, url: &str, setting| Upstream { service, url: url.to_owned(), setting };
    // Beside everything else on one port, the services' own checks say how they are.
    let upstreams = if settings.role == Role::Monolith {
        Vec::new()
    } else {
        vec![
            upstream("api", &api, "API_URL"),
            upstream("notifications", &stream, "SSE_URL"),
            upstream("analytics", &analytics, "ANALYTICS_URL"),
        ]
    };
    let door = if settings.role == Role::Monolith { Door::All } else { Door::Web };
    Some(Arc::new(Web::new(WebDeps {
        places: places(settings, site),
        upstreams,
        sample: Arc::new(LoadSample(LoadConfig {
            api,
            stream: Some(stream),
            analytics: Some(analytics),
            concurrency: CONCURRENCY,
            rate: Some(RATE),
            ..LoadConfig::default()
        })),
        clock: site.clock.clone(),
        backend: site.backend,
        cors: site.cors.clone(),
        about: site.about(door),
        shutdown: site.shutdown.clone(),
    })))
}

/// Returns where the page finds the services: where a setting says, or beside it on the host that the visitor uses.
fn places(settings: &Settings, site: &Site) -> Places {
    let place = |name: &str, door: Option<std::net::SocketAddr>, usual: u16, path: &'static str| {
        if let Some(url) = settings.given(name) {
            Place::Url(url)
        } else if settings.role == Role::Monolith {
            Place::Here { path }
        } else {
            Place::Beside { port: door.map_or(usual, |at| at.port()), path }
        }
    };
    let bound = site.bound;
    Places {
        api: place("API_URL", bound.api, settings.api_port, ""),
        stream: place("SSE_URL", bound.notifications, settings.notifications_port, stream::PATH),
        analytics: place("ANALYTICS_URL", bound.analytics, settings.health_port, ""),
    }
}

/// Returns where this process finds them.
fn addresses(settings: &Settings, site: &Site) -> (String, String, String) {
    let here = |at, path: &str| format!("http://{}{path}", reachable(at));
    let bound = site.bound;
    if let (Some(api), Some(notifications), Some(analytics)) =
        (bound.api, bound.notifications, bound.analytics)
    {
        return (here(api, ""), here(notifications, stream::PATH), here(analytics, ""));
    }
    let told = |name: &str, public: &String| settings.given(name).unwrap_or_else(|| public.clone());
    (
        told("INTERNAL_API_URL", &settings.api_url),
        told("INTERNAL_SSE_URL", &settings.sse_url),
        told("INTERNAL_ANALYTICS_URL", &settings.analytics_url),
    )
}

/// The sample of `souk load`.
struct LoadSample(LoadConfig);

#[async_trait]
impl Sample for LoadSample {
    async fn shop_is_empty(&self) -> Result<bool, String> {
        let config = LoadConfig { patience: PATIENCE, ..self.0.clone() };
        souk_load::shop_is_empty(&config).await.map_err(|error| error.to_string())
    }

    async fn fill(&self, tell: &(dyn Fn(Step) + Send + Sync)) -> Result<String, String> {
        let progress = Progress::new(false);
        let watch = async {
            let mut ticks = tokio::time::interval(TOLD_EVERY);
            let mut lines = 0;
            loop {
                ticks.tick().await;
                let step = progress.step();
                if step.phase == Phase::Replay {
                    lines = step.total;
                }
                tell(Step {
                    detail: format!("{}: {} of {}", step.phase.label(), step.done, step.total),
                    lines_done: if step.phase == Phase::Replay { step.done } else { lines },
                    lines_total: lines,
                });
            }
        };
        let verdict = tokio::select! {
            verdict = souk_load::run_watched(self.0.clone(), progress.clone()) => verdict,
            () = watch => unreachable!("watching has no end"),
        };
        let verdict = verdict.map_err(|error| error.to_string())?;
        match verdict.faults.first() {
            None => Ok(format!("{} products and {} lines of a real shop", verdict.products, verdict.lines)),
            Some(fault) => Err(format!(
                "the shop is filled, and the proof found a fault: {} ({} times), {}",
                fault.kind,
                fault.count,
                fault.examples.first().map_or("", String::as_str)
            )),
        }
    }
}
