//! Looks whether the services are there that the page needs: for `/health`, which says which one is not.
//!
//! The dashboard itself works without them, as far as it goes: it is never unready for it.

use std::time::Duration;

use async_trait::async_trait;
use futures_util::future::join_all;
use souk_http::{Check, Health, HealthCheck, Status};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::Instant;

use crate::assets::ASSETS;

/// How long an answer is waited for: a page that takes longer is no use to anybody.
const PATIENCE: Duration = Duration::from_secs(1);
/// How long what was seen is told again: whoever asks more often asks us, not the services.
const KEPT: Duration = Duration::from_secs(5);
/// The same where something was wrong: services that start beside us are there a moment later.
const KEPT_BAD: Duration = Duration::from_secs(1);
/// Bytes of an answer that are read: its first line is enough.
const ANSWER: u64 = 1024;

/// A service to look after.
#[derive(Debug, Clone)]
pub struct Upstream {
    /// Its name.
    pub service: &'static str,
    /// Where it is, such as `http://localhost:3001/events/stream`.
    pub url: String,
    /// The setting that says so.
    pub setting: &'static str,
}

/// Looks after the services.
pub struct Reach {
    upstreams: Vec<Upstream>,
    seen: tokio::sync::Mutex<Option<(Instant, Vec<Check>)>>,
}

impl Reach {
    pub fn new(upstreams: Vec<Upstream>) -> Self {
        Self { upstreams, seen: tokio::sync::Mutex::new(None) }
    }

    /// Returns a check for each; who comes while one looks waits for what it sees.
    async fn look(&self) -> Vec<Check> {
        let mut seen = self.seen.lock().await;
        if let Some((at, checks)) = &*seen {
            let kept = if checks.iter().all(|check| check.status == Status::Ok) { KEPT } else { KEPT_BAD };
            if at.elapsed() < kept {
                return checks.clone();
            }
        }
        let checks = join_all(self.upstreams.iter().map(look_at)).await;
        *seen = Some((Instant::now(), checks.clone()));
        checks
    }
}

#[async_trait]
impl HealthCheck for Reach {
    async fn check(&self) -> Health {
        let bytes: usize = ASSETS.iter().map(|asset| asset.bytes.len()).sum();
        let number = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
        let page = Check {
            status: Status::Ok,
            detail: "the page is in the binary".to_owned(),
            figures: vec![("files", number(ASSETS.len())), ("bytes", number(bytes))],
        };
        let services = self.upstreams.iter().map(|upstream| upstream.service);
        let mut checks = vec![("page", page)];
        checks.extend(services.zip(self.look().await));
        Health { ready: true, checks }
    }
}

async fn look_at(upstream: &Upstream) -> Check {
    let Upstream { service, url, setting } = upstream;
    let told = |status, detail| Check { status, detail, figures: Vec::new() };
    let Some((address, path)) = place(url) else {
        // Other schemes are somebody's gateway.
        return told(Status::Ok, format!("{url} is not asked: it is not plain http"));
    };
    let answer = match tokio::time::timeout(PATIENCE, ask(&address, &path)).await {
        Ok(Ok(answer)) => answer,
        Ok(Err(error)) => {
            let detail = format!("{url} cannot be reached: {error}; start {service}, or correct {setting}");
            return told(Status::Degraded, detail);
        }
        Err(_) => {
            let detail = format!(
                "{url} does not answer within {} s; see the log of {service}, or correct {setting}",
                PATIENCE.as_secs()
            );
            return told(Status::Degraded, detail);
        }
    };
    match answer.split(' ').nth(1).unwrap_or_default() {
        "200" => told(Status::Ok, format!("ready at {url}")),
        "503" => told(
            Status::Degraded,
            format!("{service} is not ready: http://{address}/health says for what it waits"),
        ),
        other => told(
            Status::Degraded,
            format!("{address} answers {other:?} to {path}: see what listens there, and correct {setting}"),
        ),
    }
}

/// Returns `host:port` and the path of `/readyz`.
fn place(url: &str) -> Option<(String, String)> {
    let rest = url.strip_prefix("http://")?;
    let (authority, path) = rest.find('/').map_or((rest, ""), |slash| rest.split_at(slash));
    let host = authority.rsplit('@').next()?;
    let has_port = host.rsplit_once(':').is_some_and(|(_, port)| !port.ends_with(']'));
    let address = if has_port { host.to_owned() } else { format!("{host}:80") };
    let base = path.trim_end_matches('/');
    let base = base.strip_suffix("/events/stream").unwrap_or(base);
    Some((address, format!("{base}/readyz")))
}

async fn ask(address: &str, path: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(address).await?;
    let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut answer = Vec::new();
    stream.take(ANSWER).read_to_end(&mut answer).await?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    #[test]
    fn readiness_is_asked_at_the_base() {
        for (url, address, path) in [
            ("http://localhost:3001/events/stream", "localhost:3001", "/readyz"),
            ("http://souk.example/figures/", "souk.example:80", "/figures/readyz"),
            ("http://[::1]", "[::1]:80", "/readyz"),
            ("http://user:pass@[::1]:3000", "[::1]:3000", "/readyz"),
        ] {
            assert_eq!(place(url), Some((address.to_owned(), path.to_owned())), "{url}");
        }
        assert_eq!(place("https://souk.example"), None);
    }

    fn upstream(url: String) -> Upstream {
        Upstream { service: "api", url, setting: "API_URL" }
    }

    #[tokio::test]
    async fn what_cannot_be_reached_is_named_and_the_page_is_ready_anyway() {
        // Port 1 is never listened on.
        let health = Reach::new(vec![upstream("http://127.0.0.1:1".to_owned())]).check().await;
        assert!(health.ready);
        assert_eq!(health.status(), Status::Degraded);
        let (name, check) = &health.checks[1];
        assert_eq!((*name, check.status), ("api", Status::Degraded));
        for word in ["http://127.0.0.1:1", "start api", "API_URL"] {
            assert!(check.detail.contains(word), "{word} in {}", check.detail);
        }
    }

    #[tokio::test]
    async fn answers_are_judged_and_kept_for_a_while() {
        for (answer, status, word) in [
            ("HTTP/1.1 200 OK\r\n\r\n", Status::Ok, "ready at"),
            ("HTTP/1.1 503 Service Unavailable\r\n\r\n", Status::Degraded, "/health says"),
            ("SSH-2.0-x\r\n", Status::Degraded, "see what listens there"),
        ] {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let url = format!("http://{}", listener.local_addr().unwrap());
            let server = tokio::spawn(async move {
                let (mut stream, _) = listener.accept().await.unwrap();
                let mut request = [0; 1024];
                let _ = stream.read(&mut request).await.unwrap();
                stream.write_all(answer.as_bytes()).await.unwrap();
            });
            let reach = Reach::new(vec![upstream(url)]);
            let first = reach.check().await;
            server.await.unwrap();
            assert_eq!(first.checks[1].1.status, status, "{first:?}");
            assert!(first.checks[1].1.detail.contains(word), "{first:?}");
            // Nobody listens any more, and no time goes by but what the test lets pass.
            tokio::time::pause();
            assert_eq!(reach.check().await, first);
            tokio::time::advance(if status == Status::Ok { KEPT } else { KEPT_BAD }).await;
            assert_ne!(reach.check().await, first);
            tokio::time::resume();
        }
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_hangs_is_not_waited_for_long() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let health = Reach::new(vec![upstream(url)]).check().await;
        assert!(health.checks[1].1.detail.contains("within 1 s"), "{health:?}");
    }
}
