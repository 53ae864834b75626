//! The three services in one, in memory: as much of the interface as a run uses, and faults on request. Events are in
//! one order; a product's are all in one of two partitions. `store` is what is kept.

mod store;

use std::collections::HashMap;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use serde_json::{Value, json};
use souk_events::Cursor;
use souk_load::LoadConfig;
use tokio::sync::{Mutex, watch};
use uuid::Uuid;

use store::{Store, id_of, now};

/// What goes wrong; `n` counts events or requests from 0.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Misbehaviour {
    #[default]
    None,
    /// The stream leaves out the event at this offset.
    LoseInStream(usize),
    /// The stream sends that event twice.
    DoubleInStream(usize),
    /// The stream says that it lost something there.
    Gap(usize),
    /// The recent events leave out the event at this offset.
    LoseInRecent(usize),
    /// The recent events have it twice.
    DoubleInRecent(usize),
    /// The recent events lack those from this offset on, which are on their way.
    TrailInRecent(usize),
    /// The archive has a row less than events.
    LoseInArchive,
    /// The archive begins later than it should.
    BreakArchiveChain,
    /// Products are read with a piece less than they have.
    WrongStock,
    /// Every n-th write is carried out, but its answer is cut.
    CutAnswers(usize),
    /// Every n-th write is refused with 503.
    Overload(usize),
    /// The stream ends after every n-th frame.
    CutStream(usize),
    /// Writes are carried out whatever their idempotency key says, and every n-th answer is cut.
    ForgetKeys(usize),
}

/// Offsets that hold no event, as Kafka's transactions leave them: ids and objects pass them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Markers {
    #[default]
    None,
    /// One in each partition behind the event at this offset: the id of the next event moves both.
    After(usize),
    /// One in each partition behind every event: every id moves both.
    Everywhere,
}

/// What the archive never takes in, however often it is asked to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Lacks {
    #[default]
    Nothing,
    /// All of this partition.
    Partition(usize),
    /// The last event of each partition.
    Ends,
    /// A row of the last object.
    Row,
}

/// How the log is laid out, and what is archived of it.
#[derive(Debug, Clone, Copy, Default)]
pub struct Layout {
    pub markers: Markers,
    pub lacks: Lacks,
}

pub struct Fake {
    misbehaviour: Misbehaviour,
    layout: Layout,
    state: Mutex<Store>,
    /// How many events there are.
    log: watch::Sender<usize>,
}

type Shared = Arc<Fake>;

impl Fake {
    /// Starts one; returns the settings of a run against it.
    pub async fn start(misbehaviour: Misbehaviour) -> LoadConfig {
        Self::start_with(misbehaviour, Layout::default()).await
    }

    /// As [`Fake::start`], with a log and an archive of its own.
    pub async fn start_with(misbehaviour: Misbehaviour, layout: Layout) -> LoadConfig {
        let fake: Shared =
            Arc::new(Self { misbehaviour, layout, state: Mutex::default(), log: watch::Sender::new(0) });
        let router = Router::new()
            .route("/readyz", get(|| async {}))
            .route("/health", get(|| async { json!({"status": "ok", "service": "souk"}).to_string() }))
            .route("/products", post(create))
            .route("/products/{id}", get(read))
            .route("/products/{id}/stock-adjustments", post(adjust))
            .route("/stock-adjustments", post(order))
            .route("/events/stream", get(stream))
            .route("/events", get(recent))
            .route("/progress", get(progress))
            .route("/archive", get(archive))
            .route("/archive/flush", post(flush))
            .with_state(fake);
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        LoadConfig {
            stream: Some(format!("{url}/events/stream")),
            analytics: Some(url.clone()),
            api: url,
            concurrency: 8,
            settle: std::time::Duration::from_millis(300),
            ..LoadConfig::default()
        }
    }

    /// Carries out a write once for each key, then answers as well or badly as it was told to.
    async fn write(
        &self,
        headers: &HeaderMap,
        run: impl FnOnce(&mut Store) -> (StatusCode, Value),
    ) -> Response {
        let mut store = self.state.lock().await;
        store.writes += 1;
        let hit = |n: usize| store.writes % n == n - 1;
        if let Misbehaviour::Overload(n) = self.misbehaviour
            && hit(n)
        {
            let body = json!({"code": "overloaded", "detail": "try again"}).to_string();
            return (StatusCode::SERVICE_UNAVAILABLE, [("retry-after", "0")], body).into_response();
        }
        let cut = match self.misbehaviour {
            Misbehaviour::CutAnswers(n) | Misbehaviour::ForgetKeys(n) => hit(n),
            _ => false,
        };
        let key = headers["idempotency-key"].to_str().unwrap().to_owned();
        let known = store.answers.get(&key).cloned();
        let (status, body) = match known {
            Some((status, body)) if !matches!(self.misbehaviour, Misbehaviour::ForgetKeys(_)) => {
                (StatusCode::from_u16(status).unwrap(), body)
            }
            _ => run(&mut store),
        };
        if status.is_success() {
            store.answers.insert(key, (status.as_u16(), body.clone()));
        }
        self.log.send_replace(store.events.len());
        if cut {
            let error: Result<String, _> = Err(std::io::Error::other("cut"));
            return Body::from_stream(futures_util::stream::iter([error])).into_response();
        }
        (status, body.to_string()).into_response()
    }
}

async fn create(State(fake): State<Shared>, headers: HeaderMap, body: String) -> Response {
    let wanted: Value = serde_json::from_str(&body).unwrap();
    fake.write(&headers, |store| {
        let sku = format!("{}/{}", wanted["sellerId"], wanted["sku"]);
        if let Some(id) = store.skus.get(&sku) {
            return (StatusCode::CONFLICT, json!({"code": "sku-taken", "detail": "taken", "productId": id}));
        }
        let (id, low) = (Uuid::now_v7(), wanted["stock"].as_i64().unwrap() < 5);
        let mut product = wanted.clone();
        product["id"] = json!(id);
        product["version"] = json!(1);
        product["lowStock"] = json!(low);
        product["updatedAt"] = json!(now(store.events.len()));
        store.skus.insert(sku, id);
        store.products.insert(id, product.clone());
        store.publish("ProductCreated", &product);
        if low {
            store.publish("LowStockWarning", &product);
        }
        (StatusCode::CREATED, product)
    })
    .await
}

async fn read(State(fake): State<Shared>, Path(id): Path<Uuid>) -> Response {
    let mut product = fake.state.lock().await.products[&id].clone();
    if fake.misbehaviour == Misbehaviour::WrongStock {
        product["stock"] = json!(product["stock"].as_i64().unwrap() - 1);
    }
    product.to_string().into_response()
}

async fn adjust(
    State(fake): State<Shared>,
    Path(id): Path<Uuid>,
    headers: HeaderMap,
    body: String,
) -> Response {
    let wanted: Value = serde_json::from_str(&body).unwrap();
    fake.write(&headers, |store| match store.adjust(id, wanted["delta"].as_i64().unwrap()) {
        Ok(answer) => (StatusCode::OK, answer),
        Err(refusal) => refusal,
    })
    .await
}

async fn order(State(fake): State<Shared>, headers: HeaderMap, body: String) -> Response {
    let wanted: Value = serde_json::from_str(&body).unwrap();
    fake.write(&headers, |store| {
        let mut items = Vec::new();
        for item in wanted["items"].as_array().unwrap() {
            let id = item["productId"].as_str().unwrap().parse().unwrap();
            match store.adjust(id, item["delta"].as_i64().unwrap()) {
                Ok(answer) => items.push(answer),
                Err(refusal) => return refusal,
            }
        }
        (StatusCode::OK, json!({"items": items}))
    })
    .await
}

async fn stream(State(fake): State<Shared>, headers: HeaderMap) -> Response {
    let from = match headers.get("last-event-id") {
        Some(id) => {
            let cursor: Cursor = id.to_str().unwrap().parse().unwrap();
            fake.state.lock().await.event_at(&cursor.next, fake.layout.markers)
        }
        None => fake.state.lock().await.events.len(),
    };
    let position = fake.state.lock().await.position(from, fake.layout.markers);
    let hello = format!("retry: 1\n\nid: {}\nevent: ready\ndata: {{}}\n\n", id_of(position));
    let log = fake.log.subscribe();
    let frames = futures_util::stream::unfold((fake, log, from, Some(hello)), |state| async move {
        let (fake, mut log, at, hello) = state;
        if let Some(hello) = hello {
            return Some((Ok::<_, std::io::Error>(hello), (fake, log, at, None)));
        }
        log.wait_for(|events| *events > at).await.ok()?;
        let (event, before, after) = {
            let (store, markers) = (fake.state.lock().await, fake.layout.markers);
            (store.events[at].clone(), store.position(at, markers), store.position(at + 1, markers))
        };
        let frame = format!("id: {}\ndata: {event}\n\n", id_of(after));
        let frame = match fake.misbehaviour {
            Misbehaviour::LoseInStream(n) if n == at => ": nothing\n\n".to_owned(),
            Misbehaviour::DoubleInStream(n) if n == at => format!("{frame}{frame}"),
            Misbehaviour::Gap(n) if n == at => {
                format!("event: gap\ndata: {{}}\nid: {}\n\n{frame}", id_of(before))
            }
            Misbehaviour::CutStream(n) if at % n == n - 1 && at > 0 && log.has_changed().is_ok() => {
                // Half a frame, then the end; the reader comes back for the whole of it, once.
                let resumed = headers_resumed_at(&fake, at).await;
                if !resumed {
                    return Some((Err(std::io::Error::other("cut")), (fake, log, at, None)));
                }
                frame
            }
            _ => frame,
        };
        Some((Ok(frame), (fake, log, at + 1, None)))
    });
    ([("content-type", "text/event-stream")], Body::from_stream(frames)).into_response()
}

/// Tells whether the stream was cut at this place before, and notes that it is now.
async fn headers_resumed_at(fake: &Fake, at: usize) -> bool {
    let mut store = fake.state.lock().await;
    store.answers.insert(format!("cut-{at}"), (0, Value::Null)).is_some()
}

async fn recent(State(fake): State<Shared>, Query(query): Query<HashMap<String, String>>) -> Response {
    let store = fake.state.lock().await;
    let end: usize = query.get("cursor").map_or(store.events.len(), |cursor| cursor.parse().unwrap());
    let begin = end.saturating_sub(query["limit"].parse().unwrap());
    let mut items = Vec::new();
    for at in (begin..end).rev() {
        let event: Value = serde_json::from_str(&store.events[at]).unwrap();
        let copies = match fake.misbehaviour {
            Misbehaviour::LoseInRecent(n) if n == at => 0,
            Misbehaviour::DoubleInRecent(n) if n == at => 2,
            Misbehaviour::TrailInRecent(n) if n <= at => 0,
            _ => 1,
        };
        let held = event["time"].as_str().unwrap() >= query["from"].as_str();
        items.extend(std::iter::repeat_n(event, if held { copies } else { 0 }));
    }
    let next = (begin > 0).then(|| begin.to_string());
    json!({"items": items, "nextCursor": next}).to_string().into_response()
}

async fn progress(State(fake): State<Shared>) -> Response {
    let store = fake.state.lock().await;
    let lag = match fake.misbehaviour {
        Misbehaviour::TrailInRecent(n) => store.events.len().saturating_sub(n),
        _ => 0,
    };
    json!({"consumers": [{"name": "recent", "lagEvents": lag}]}).to_string().into_response()
}

async fn archive(State(fake): State<Shared>) -> Response {
    let store = fake.state.lock().await;
    let last = store.archived.len().saturating_sub(1);
    let item = |(index, object): (usize, &store::Object)| {
        let (mut first, mut rows) = (object.first, object.rows);
        if index == last && rows > 1 {
            match fake.misbehaviour {
                _ if fake.layout.lacks == Lacks::Row => rows -= 1,
                Misbehaviour::LoseInArchive => rows -= 1,
                Misbehaviour::BreakArchiveChain => first += 1,
                _ => {}
            }
        }
        json!({
            "key": "k", "rows": rows, "partition": object.partition, "firstOffset": first, "nextOffset": object.next
        })
    };
    let items: Vec<Value> = store.archived.iter().enumerate().map(item).collect();
    json!({"items": items, "nextCursor": null}).to_string().into_response()
}

async fn flush(State(fake): State<Shared>) -> Response {
    fake.state.lock().await.flush(fake.layout);
    "{}".into_response()
}
