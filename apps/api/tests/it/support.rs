//! The api over an embedded catalog in a folder of its own, and ways to talk to it.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, LazyLock};

use axum::Router;
use axum::body::Body;
use http::{HeaderMap, Request, StatusCode};
use http_body_util::BodyExt as _;
use serde_json::{Value, json};
use souk_api::{Api, ApiDeps};
use souk_contract_check::{Calls, Exchange};
use souk_domain::{EventType, ProductId, Timestamp};
use souk_embedded::{Embedded, EmbeddedConfig};
use souk_http::Cors;
use souk_ports::{Catalog, Clock, IdGenerator, ReadLimit};
use tempfile::TempDir;
use tower::ServiceExt as _;
use uuid::Uuid;

/// A clock that moves when told.
pub struct TestClock(AtomicI64);

impl TestClock {
    pub fn advance(&self, millis: i64) {
        self.0.fetch_add(millis, Ordering::SeqCst);
    }
}

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.0.load(Ordering::SeqCst))
    }
}

/// Ids that count up.
pub struct CountedIds(AtomicU64);

impl IdGenerator for CountedIds {
    fn next_id(&self) -> Uuid {
        Uuid::from_u64_pair(
            0x0199_0000_0000_7000,
            0x8000_0000_0000_0000 | self.0.fetch_add(1, Ordering::SeqCst),
        )
    }
}

pub struct Shop {
    pub router: Router,
    pub clock: Arc<TestClock>,
    pub embedded: Embedded,
    _folder: TempDir,
}

/// An answer, with its body as JSON (null when empty).
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    pub text: String,
    pub body: Value,
}

impl Answer {
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    pub fn code(&self) -> &str {
        self.body["code"].as_str().unwrap_or_default()
    }

    pub fn id(&self) -> String {
        self.body["id"].as_str().unwrap_or_else(|| panic!("no product: {self:?}")).to_owned()
    }

    pub fn pointers(&self) -> Vec<&str> {
        self.body["errors"]
            .as_array()
            .unwrap()
            .iter()
            .map(|fault| fault["pointer"].as_str().unwrap())
            .collect()
    }

    #[track_caller]
    pub fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{}", self.text);
        self
    }

    #[track_caller]
    pub fn expect_problem(self, status: u16, code: &str) -> Self {
        let answer = self.expect(status);
        assert_eq!(answer.code(), code, "{}", answer.text);
        assert_eq!(answer.header("content-type"), "application/problem+json");
        assert_eq!(answer.body["requestId"].as_str(), Some(answer.header("x-request-id")));
        answer
    }
}

impl Shop {
    pub fn open() -> Self {
        let folder = tempfile::tempdir().unwrap();
        // 2026-11-22T18:00:00.000Z
        let clock = Arc::new(TestClock(AtomicI64::new(1_795_370_400_000)));
        let ids = Arc::new(CountedIds(AtomicU64::new(1)));
        let embedded =
            Embedded::open(&EmbeddedConfig::new(folder.path()), clock.clone(), ids.clone()).unwrap();
        let router = router(embedded.catalog(), clock.clone(), ids);
        Self { router, clock, embedded, _folder: folder }
    }

    pub async fn call(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        call(&self.router, method, path, headers, body).await
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.call("GET", path, &[], "").await
    }

    pub async fn post(&self, path: &str, body: Value) -> Answer {
        self.call("POST", path, &[], &body.to_string()).await
    }

    /// Creates a product with the given fields over usual ones.
    pub async fn create(&self, fields: Value) -> Answer {
        let mut product = json!({"name": "Lantern", "price": 4.25, "stock": 10, "sellerId": "seller1"});
        merge(&mut product, fields);
        self.post("/products", product).await.expect(201)
    }

    pub async fn stock(&self, id: &str) -> i64 {
        self.get(&format!("/products/{id}")).await.expect(200).body["stock"].as_i64().unwrap()
    }

    pub async fn adjust(&self, id: &str, body: Value) -> Answer {
        self.post(&format!("/products/{id}/stock-adjustments"), body).await
    }

    /// Returns the types of all events of a product, in order.
    pub async fn events(&self, id: &str) -> Vec<EventType> {
        let id: ProductId = id.parse().unwrap();
        let limit = ReadLimit { records: 10_000, bytes: 100 << 20 };
        let records = self.embedded.log().read(0, 0, limit).await.unwrap();
        let events = records.iter().map(|record| souk_events::decode(&record.payload).unwrap());
        events.filter(|event| event.product.id == id).map(|event| event.event_type()).collect()
    }
}

pub fn merge(target: &mut Value, fields: Value) {
    let Value::Object(fields) = fields else { panic!("fields are an object") };
    for (name, value) in fields {
        target[name] = value;
    }
}

pub fn router(catalog: Arc<dyn Catalog>, clock: Arc<dyn Clock>, ids: Arc<dyn IdGenerator>) -> Router {
    let about = "products\n/products".to_owned();
    Api::new(ApiDeps { catalog, clock, ids, backend: "embedded", cors: Cors::any(), about }).router()
}

/// What the service promises: every answer that a test gets is held against it.
pub static CONTRACT: LazyLock<Calls> = LazyLock::new(|| Calls::new(souk_api::contract().document("api")));

pub async fn call(router: &Router, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
    send(router, method, path, headers, body.as_bytes()).await
}

pub async fn send(
    router: &Router,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> Answer {
    let mut request = Request::builder().method(method).uri(path);
    if !headers.iter().any(|(name, _)| *name == "content-type") && !body.is_empty() {
        request = request.header("content-type", "application/json");
    }
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request.body(Body::from(body.to_vec())).unwrap();
    let (parts, received) = router.clone().oneshot(request).await.unwrap().into_parts();
    let text = String::from_utf8(received.collect().await.unwrap().to_bytes().to_vec()).unwrap();
    let exchange = Exchange {
        method,
        target: path,
        sent: body,
        status: parts.status.as_u16(),
        headers: &parts.headers,
        body: Some(text.as_bytes()),
    };
    CONTRACT.check(&exchange);
    let body = if text.is_empty() { Value::Null } else { serde_json::from_str(&text).unwrap_or(Value::Null) };
    assert_ne!(parts.status, StatusCode::INTERNAL_SERVER_ERROR, "{text}");
    Answer { status: parts.status.as_u16(), headers: parts.headers, text, body }
}
