//! An installation in memory, everything on one port, as far as a verification needs it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use axum::routing::{delete, get, post};
use serde_json::{Value, json};
use souk_events::{Cursor, LogId};
use souk_verify::VerifyConfig;
use tokio::sync::watch;

/// What the installation does wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Misbehaviour {
    None,
    /// The api says that it cannot work.
    Unavailable,
    /// Another service answers at the api's place.
    IsAnalytics,
    RefuseCreate,
    /// The product is created and nobody is told.
    LoseAnswer,
    /// Events of that type do not arrive.
    LoseInStream(&'static str),
    /// The event says something else than the api.
    OtherInStream,
    DoubleInStream,
    Gap,
    NoFigures,
    NeverCount,
    CountTwice,
    LoseInRecent,
    DoubleInRecent,
    RefuseFlush,
    LoseInArchive,
    RefuseDelete,
}

/// The offset of the first event: others have written before.
const BASE: usize = 40;

pub struct Fake {
    pub misbehaviour: Misbehaviour,
    state: Mutex<Store>,
    log: watch::Sender<usize>,
}

#[derive(Default)]
struct Store {
    answers: HashMap<String, Value>,
    products: HashMap<String, Value>,
    events: Vec<Value>,
}

type Shared = Arc<Fake>;

impl Fake {
    /// Starts one; returns it and how to verify it.
    pub async fn start(misbehaviour: Misbehaviour) -> (Shared, VerifyConfig) {
        let fake = Arc::new(Self { misbehaviour, state: Mutex::default(), log: watch::channel(0).0 });
        let app = Router::new()
            .route("/health", get(health))
            .route("/products", post(create))
            .route("/products/{id}", delete(remove))
            .route("/events/stream", get(stream))
            .route("/metrics", get(metrics))
            .route("/aggregates", get(aggregates))
            .route("/events", get(recent))
            .route("/archive/flush", post(flush))
            .route("/archive", get(archive))
            .with_state(fake.clone());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let api = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, app).await });
        (fake, VerifyConfig { api, ..VerifyConfig::default() })
    }

    /// Returns how many products are there.
    pub fn products(&self) -> usize {
        self.state.lock().unwrap().products.len()
    }

    fn publish(&self, store: &mut Store, kind: &str, version: u64, product: &Value) {
        store.events.push(json!({
            "type": kind, "subject": product["id"], "sellerid": product["sellerId"],
            "time": "2026-11-22T18:00:00.123Z", "data": {"version": version, "product": product}
        }));
        self.log.send_replace(store.events.len());
    }

    fn is(&self, misbehaviour: Misbehaviour) -> bool {
        self.misbehaviour == misbehaviour
    }
}

async fn health(State(fake): State<Shared>) -> Response {
    let service = if fake.is(Misbehaviour::IsAnalytics) { "analytics" } else { "souk" };
    let (status, word) = match fake.is(Misbehaviour::Unavailable) {
        true => (StatusCode::SERVICE_UNAVAILABLE, "unavailable"),
        false => (StatusCode::OK, "ok"),
    };
    let document = json!({
        "status": word, "service": service, "version": "0", "backend": "embedded",
        "checks": {"catalog": {"status": word, "detail": "the disk is full"}}
    });
    (status, document.to_string()).into_response()
}

async fn create(State(fake): State<Shared>, headers: axum::http::HeaderMap, body: String) -> Response {
    if fake.is(Misbehaviour::RefuseCreate) {
        let problem = json!({"code": "validation-failed", "detail": "not like this"});
        return (StatusCode::UNPROCESSABLE_ENTITY, problem.to_string()).into_response();
    }
    let key = headers["idempotency-key"].to_str().unwrap().to_owned();
    let (product, first) = {
        let mut store = fake.state.lock().unwrap();
        match store.answers.get(&key) {
            Some(product) => (product.clone(), false),
            None => {
                let mut product: Value = serde_json::from_str(&body).unwrap();
                product["id"] = json!(uuid::Uuid::now_v7());
                store.answers.insert(key, product.clone());
                store.products.insert(product["id"].as_str().unwrap().to_owned(), product.clone());
                fake.publish(&mut store, "ProductCreated", 1, &product);
                (product, true)
            }
        }
    };
    if first && fake.is(Misbehaviour::LoseAnswer) {
        std::future::pending::<()>().await;
    }
    (StatusCode::CREATED, product.to_string()).into_response()
}

async fn remove(State(fake): State<Shared>, Path(id): Path<String>) -> StatusCode {
    if fake.is(Misbehaviour::RefuseDelete) {
        return StatusCode::FORBIDDEN;
    }
    let mut store = fake.state.lock().unwrap();
    let Some(product) = store.products.remove(&id) else { return StatusCode::NOT_FOUND };
    fake.publish(&mut store, "ProductDeleted", 2, &product);
    StatusCode::NO_CONTENT
}

fn id_of(events: usize) -> String {
    Cursor { log: LogId(1), next: vec![7, (BASE + events) as u64] }.to_string()
}

async fn stream(State(fake): State<Shared>, headers: axum::http::HeaderMap) -> Response {
    let from = headers.get("last-event-id").map_or(fake.state.lock().unwrap().events.len(), |id| {
        let cursor: Cursor = id.to_str().unwrap().parse().unwrap();
        cursor.next[1] as usize - BASE
    });
    let hello = format!("retry: 1\n\nid: {}\nevent: ready\ndata: {{}}\n\n", id_of(from));
    let log = fake.log.subscribe();
    let frames = futures_util::stream::unfold((fake, log, from, Some(hello)), |state| async move {
        let (fake, mut log, at, hello) = state;
        if let Some(hello) = hello {
            return Some((Ok::<_, std::io::Error>(hello), (fake, log, at, None)));
        }
        log.wait_for(|events| *events > at).await.ok()?;
        let mut event = fake.state.lock().unwrap().events[at].clone();
        if fake.is(Misbehaviour::OtherInStream) {
            event["data"]["product"]["stock"] = json!(1);
        }
        let frame = format!("id: {}\ndata: {event}\n\n", id_of(at + 1));
        let frame = match fake.misbehaviour {
            Misbehaviour::LoseInStream(kind) if event["type"] == kind => ": nothing\n\n".to_owned(),
            Misbehaviour::DoubleInStream => format!("{frame}{frame}"),
            Misbehaviour::Gap => format!("event: gap\ndata: {{\"reason\":\"expired\"}}\n\n{frame}"),
            _ => frame,
        };
        Some((Ok(frame), (fake, log, at + 1, None)))
    });
    (([("content-type", "text/event-stream")]), Body::from_stream(frames)).into_response()
}

async fn metrics(State(fake): State<Shared>) -> &'static str {
    if fake.is(Misbehaviour::NoFigures) { "# EOF\n" } else { "souk_build_info{version=\"0\"} 1\n# EOF\n" }
}

async fn aggregates(State(fake): State<Shared>, Query(query): Query<HashMap<String, String>>) -> String {
    let store = fake.state.lock().unwrap();
    let of_seller = |event: &&Value| event["sellerid"] == query["key"] && event["type"] == "ProductCreated";
    let count = store.events.iter().filter(of_seller).count();
    match fake.misbehaviour {
        Misbehaviour::NeverCount => json!({"items": []}),
        Misbehaviour::CountTwice => json!({"items": [{"events": {"ProductCreated": 2 * count}}]}),
        _ => json!({"items": [{"events": {"ProductCreated": count}}]}),
    }
    .to_string()
}

async fn recent(State(fake): State<Shared>, Query(query): Query<HashMap<String, String>>) -> String {
    let store = fake.state.lock().unwrap();
    let copies = match fake.misbehaviour {
        Misbehaviour::LoseInRecent => 0,
        Misbehaviour::DoubleInRecent => 2,
        _ => 1,
    };
    let of_seller = store.events.iter().filter(|event| event["sellerid"] == query["sellerId"]);
    let items: Vec<&Value> = of_seller.flat_map(|event| std::iter::repeat_n(event, copies)).collect();
    json!({"items": items, "nextCursor": null}).to_string()
}

async fn flush(State(fake): State<Shared>) -> StatusCode {
    if fake.is(Misbehaviour::RefuseFlush) { StatusCode::FORBIDDEN } else { StatusCode::OK }
}

/// Two pages: everything before, and everything since.
async fn archive(State(fake): State<Shared>, Query(query): Query<HashMap<String, String>>) -> String {
    let events = fake.state.lock().unwrap().events.len();
    let item = |first: usize, next: usize| json!({"key": format!("a/b/p=00001/o={first}.parquet"), "partition": 1, "firstOffset": first, "nextOffset": next});
    if query.contains_key("cursor") {
        let next = if fake.is(Misbehaviour::LoseInArchive) { BASE } else { BASE + events };
        json!({"items": [item(BASE, next)], "nextCursor": null}).to_string()
    } else {
        json!({"items": [item(0, BASE)], "nextCursor": "x"}).to_string()
    }
}

/// Long enough for a busy machine to do everything that works, short enough to wait for what does not.
pub const SHORT: Duration = Duration::from_secs(3);
