//! The service with a sample that does as told, and ways to talk to it.

use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock};

use async_trait::async_trait;
use axum::Router;
use axum::body::{Body, Bytes};
use axum::response::Response;
use http::request::Builder;
use http::{Request, StatusCode};
use http_body_util::BodyExt as _;
use souk_contract_check::{Calls, Exchange};
use souk_domain::Timestamp;
use souk_http::{Cors, Shutdown};
use souk_ports::Clock;
use souk_web::{Place, Places, Sample, Step, Web, WebDeps};
use tokio::sync::Semaphore;
use tower::ServiceExt as _;

/// A sample of two lines, the second of which waits until the test lets it go.
pub struct Told {
    pub empty: Result<bool, String>,
    pub outcome: Result<String, String>,
    pub go: Semaphore,
}

impl Told {
    pub fn new() -> Self {
        Self { empty: Ok(true), outcome: Ok("all of it".to_owned()), go: Semaphore::new(0) }
    }
}

#[async_trait]
impl Sample for Told {
    async fn shop_is_empty(&self) -> Result<bool, String> {
        self.empty.clone()
    }

    async fn fill(&self, tell: &(dyn Fn(Step) + Send + Sync)) -> Result<String, String> {
        tell(Step { detail: "replaying lines".to_owned(), lines_done: 1, lines_total: 2 });
        self.go.acquire().await.expect("it is never closed").forget();
        self.outcome.clone()
    }
}

struct Frozen;

impl Clock for Frozen {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(1_700_000_000_123)
    }
}

/// Services of the same process, each at a port of its own.
pub fn beside() -> Places {
    Places {
        api: Place::Beside { port: 3000, path: "" },
        stream: Place::Beside { port: 3001, path: "/events/stream" },
        analytics: Place::Beside { port: 8080, path: "" },
    }
}

/// What the service promises: every answer that a test gets is held against it.
static CONTRACT: LazyLock<Calls> = LazyLock::new(|| Calls::new(souk_web::contract().document("web")));

pub fn web(places: Places, sample: Told) -> (Router, Arc<Told>, Shutdown) {
    let (sample, shutdown) = (Arc::new(sample), Shutdown::new());
    let web = Web::new(WebDeps {
        places,
        upstreams: Vec::new(),
        sample: sample.clone(),
        clock: Arc::new(Frozen),
        backend: "embedded",
        cors: Cors::any(),
        about: "a dashboard for tests\n/config.json".to_owned(),
        shutdown: shutdown.clone(),
    });
    (web.app().router(), sample, shutdown)
}

pub fn app() -> Router {
    web(beside(), Told::new()).0
}

/// Sends a request as a visitor of `localhost:5173`, unless it says otherwise.
pub async fn call(app: &Router, request: Builder) -> (Response, Bytes) {
    let mut request = request.body(Body::empty()).expect("a request of the test's making");
    request.headers_mut().entry("host").or_insert("localhost:5173".parse().expect("a host"));
    let (method, target) = (request.method().clone(), request.uri().to_string());
    let mut response = app.clone().oneshot(request).await.expect("it answers always");
    let body = std::mem::take(response.body_mut()).collect().await.expect("the body is in memory").to_bytes();
    // The page and its files are no interface for programs.
    let html =
        response.headers().get("content-type").is_some_and(|is| is.as_bytes().starts_with(b"text/html"));
    let page = target == "/" && (html || response.status() == StatusCode::NOT_MODIFIED);
    if !page && !target.starts_with("/assets") {
        CONTRACT.check(&Exchange {
            method: method.as_str(),
            target: &target,
            sent: b"",
            status: response.status().as_u16(),
            headers: response.headers(),
            body: Some(&body),
        });
    }
    (response, body)
}

pub async fn get(app: &Router, path: &str) -> (Response, Bytes) {
    call(app, Request::get(path)).await
}

/// Asks as a browser that opens a page does.
pub fn browser(path: &str) -> Builder {
    Request::get(path)
        .header("accept", "text/html,application/xhtml+xml,*/*;q=0.8")
        .header("accept-encoding", "gzip, deflate, br, zstd")
}

/// # Panics
/// When the header is not there exactly once.
pub fn header<'a>(response: &'a Response, name: &str) -> &'a str {
    let values: Vec<_> = response.headers().get_all(name).iter().collect();
    assert_eq!(values.len(), 1, "{name} in {:?}", response.headers());
    values[0].to_str().expect("headers of ours are text")
}

/// Returns every value of a list header.
pub fn listed(response: &Response, name: &str) -> Vec<String> {
    let lines = response.headers().get_all(name).into_iter();
    let lines = lines.filter_map(|line| line.to_str().ok());
    lines.flat_map(|line| line.split(',')).map(|value| value.trim().to_ascii_lowercase()).collect()
}

pub fn text(body: &Bytes) -> String {
    String::from_utf8(body.to_vec()).expect("it is text")
}

pub fn json(body: &Bytes) -> serde_json::Value {
    serde_json::from_slice(body).unwrap_or_else(|error| panic!("{error}: {}", text(body)))
}

/// Returns the page, as it is without compression.
pub async fn page(app: &Router) -> String {
    let (response, body) = call(app, Request::get("/").header("accept", "text/html")).await;
    assert_eq!(response.status(), 200);
    text(&body)
}

/// Returns where the page's files are, such as `/assets/0123456789abcdef`.
pub async fn base(app: &Router) -> String {
    let page = page(app).await;
    let from = page.find("/assets/").expect("the page has files");
    page[from..from + "/assets/".len() + 16].to_owned()
}

/// Returns the folder of the files, as they are in the checkout.
pub fn assets() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("assets")
}

/// Returns every file of the folder that is served as it is, by its path: modules of our own and of the first page are
/// joined or pointed to what is, and so are its sheets.
pub fn files() -> Vec<String> {
    let (mut folders, mut files) = (vec![assets()], Vec::new());
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).expect("the checkout is readable") {
            let path = entry.expect("the checkout is readable").path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let path = path.strip_prefix(assets()).expect("it is below").to_string_lossy().into_owned();
                files.push(path.replace('\\', "/"));
            }
        }
    }
    let index = std::fs::read_to_string(assets().join("index.html")).expect("it is in the checkout");
    let is_script = |path: &str| path.ends_with(".js") && path != "vendor/uplot.js";
    files.retain(|path| path != "index.html" && !is_script(path));
    files.retain(|path| path == "icon.svg" || !index.contains(&format!("{{{{assets}}}}/{path}\"")));
    files.sort();
    assert!(files.len() > 10, "{files:?}");
    files
}
