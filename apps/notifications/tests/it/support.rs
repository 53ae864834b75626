//! A service on a port of its own, a log to follow, and a plain client.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, Response};
use http_body_util::{BodyExt as _, Empty};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use souk_contract_check::{Calls, Exchange, Messages};
use souk_domain::{Category, Command, Name, NewProduct, ProductId, Replacement, SellerId, Stock};
use souk_embedded::{Embedded, EmbeddedConfig};
use souk_http::{ConnectionLimit, Cors, Refusal, Server, Shutdown};
use souk_notifications::sse::Parser;
use souk_notifications::{Notifications, NotificationsConfig, NotificationsDeps};
use souk_ports::{IdGenerator as _, RandomIds, ReadLimit, SystemClock, UnitOfWork};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;

/// What the service promises: every answer that a test gets is held against it.
pub static CALLS: LazyLock<Calls> =
    LazyLock::new(|| Calls::new(souk_notifications::contract().document("notifications")));

/// What is promised of frames: every one that a test reads is held against it.
pub static FRAMES: LazyLock<Messages> =
    LazyLock::new(|| Messages::new(souk_events::asyncapi::document(souk_http::VERSION)));

/// Holds an answer against the contract; without a body where it has no end.
fn check<B>(method: &Method, target: &str, response: &Response<B>, body: Option<&[u8]>) {
    CALLS.check(&Exchange {
        method: method.as_str(),
        target,
        sent: b"",
        status: response.status().as_u16(),
        headers: response.headers(),
        body,
    });
}

/// Longer than any machine needs; a test that gets here has failed.
pub const DEADLINE: Duration = Duration::from_secs(180);

/// Waits for a future that must come.
pub async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    match tokio::time::timeout(DEADLINE, future).await {
        Ok(value) => value,
        Err(_) => panic!("{what} did not happen within {} s", DEADLINE.as_secs()),
    }
}

/// Opens the embedded backend in a folder.
pub fn open(folder: &Path) -> Embedded {
    Embedded::open(&EmbeddedConfig::new(folder), Arc::new(SystemClock), Arc::new(RandomIds))
        .expect("the folder can be opened")
}

/// Creates a product and returns its id, once it is durable.
pub async fn create(backend: &Embedded, seller: &str) -> ProductId {
    let id = ProductId(RandomIds.next_id());
    let fields = Replacement {
        sku: None,
        name: Name::new("Test Product").unwrap(),
        description: None,
        category: Category::default(),
        price: "99.99".parse().unwrap(),
        stock: Stock::new(10).unwrap(),
        low_stock_threshold: None,
    };
    let new = NewProduct { id, seller_id: SellerId::new(seller).unwrap(), fields };
    let unit = UnitOfWork { commands: vec![Command::Create(new)], idempotency: None };
    backend.catalog().execute(unit).await.expect("the write is accepted");
    id
}

/// Creates many products at once.
pub async fn create_many(backend: &Embedded, count: usize) -> Vec<ProductId> {
    futures_util::future::join_all((0..count).map(|n| create(backend, ["a", "b"][n % 2]))).await
}

/// Returns every event of the log as it was published.
pub async fn logged(backend: &Embedded) -> Vec<String> {
    let (log, mut from, mut events) = (backend.log(), 0, Vec::new());
    loop {
        let records = log.read(0, from, ReadLimit::default()).await.unwrap();
        let Some(last) = records.last() else { return events };
        from = last.offset + 1;
        events.extend(records.iter().map(|record| String::from_utf8(record.payload.to_vec()).unwrap()));
    }
}

/// A service that runs.
pub struct Running {
    pub address: SocketAddr,
    pub shutdown: Shutdown,
    tasks: Vec<JoinHandle<()>>,
}

/// Starts the service and waits until it is ready.
pub async fn serve(backend: &Embedded, config: NotificationsConfig) -> Running {
    serve_at("127.0.0.1:0".parse().unwrap(), backend, config).await
}

/// Starts the service at an address.
pub async fn serve_at(address: SocketAddr, backend: &Embedded, config: NotificationsConfig) -> Running {
    let listener = souk_http::bind(address).expect("the address is free");
    let address = listener.local_addr().unwrap();
    let deps = NotificationsDeps {
        log: backend.log(),
        backend: "embedded",
        cors: Cors::parse("*").unwrap(),
        about: "the event stream".into(),
        config,
    };
    let service = Arc::new(Notifications::new(deps));
    let (limit, shutdown) = (ConnectionLimit::new(10_000), Shutdown::new());
    let server = Server::new(listener, service.router(), limit, shutdown.clone(), Refusal::EventStream);
    let run = {
        let (service, shutdown) = (service.clone(), shutdown.clone());
        async move { service.run(shutdown).await }
    };
    let running = Running { address, shutdown, tasks: vec![tokio::spawn(server.run()), tokio::spawn(run)] };
    soon("the service becomes ready", async {
        while running.get("/readyz").await.0 != 200 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    })
    .await;
    running
}

impl Running {
    /// Drains the service and waits until it has ended.
    pub async fn stop(self) {
        self.shutdown.soft.cancel();
        for task in self.tasks {
            soon("the drain", task).await.expect("the service does not panic");
        }
    }

    /// Stops the service at once, as a crash would.
    pub async fn kill(self) {
        self.shutdown.hard.cancel();
        self.stop().await;
    }

    /// Sends a request and returns the answer.
    pub async fn request(&self, method: Method, path: &str, headers: &[(&str, &str)]) -> Response<Incoming> {
        let mut request = Request::builder().method(method.clone()).uri(path).header("host", "localhost");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response =
            send(self.address, request.body(Empty::new()).unwrap()).await.expect("the service answers");
        check(&method, path, &response, None);
        response
    }

    /// Returns status and body of a page.
    pub async fn get(&self, path: &str) -> (u16, String) {
        let response = self.request(Method::GET, path, &[]).await;
        let (parts, body) = response.into_parts();
        let status = parts.status.as_u16();
        let body = body.collect().await.expect("a whole body").to_bytes();
        check(&Method::GET, path, &Response::from_parts(parts, ()), Some(&body));
        (status, String::from_utf8(body.to_vec()).expect("text"))
    }

    /// Opens a stream.
    pub async fn stream(&self, query: &str, last_event_id: Option<&str>) -> Stream {
        let headers: Vec<_> = last_event_id.map(|id| ("last-event-id", id)).into_iter().collect();
        let response = self.request(Method::GET, &format!("/events/stream?{query}"), &headers).await;
        assert_eq!(response.status(), 200);
        let mut stream = Stream {
            body: response.into_body(),
            parser: Parser::new(),
            got: Vec::new(),
            events: 0,
            ended: false,
        };
        stream.until(|stream| stream.ended || !stream.got.is_empty()).await;
        stream
    }
}

/// Sends a request over a connection of its own.
pub async fn send(
    address: SocketAddr,
    request: Request<Empty<Bytes>>,
) -> Result<Response<Incoming>, std::io::Error> {
    let socket = TcpStream::connect(address).await?;
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(socket)).await.map_err(std::io::Error::other)?;
    tokio::spawn(connection);
    sender.send_request(request).await.map_err(std::io::Error::other)
}

/// A block: name, id and data.
pub type Got = (String, String, String);

/// A stream that is read.
pub struct Stream {
    body: Incoming,
    pub parser: Parser,
    pub got: Vec<Got>,
    /// How many of them are unnamed: readers of thousands ask at each.
    events: usize,
    pub ended: bool,
}

impl Stream {
    /// Reads until the condition holds.
    pub async fn until(&mut self, mut condition: impl FnMut(&Self) -> bool) {
        let read = async {
            while !condition(self) {
                match self.body.frame().await {
                    Some(Ok(frame)) => {
                        let Self { parser, got, events, .. } = self;
                        parser.push(frame.data_ref().expect("no trailers"), |event| {
                            let faults = FRAMES.frame_faults(&event.name(), &event.id(), &event.data());
                            assert!(faults.is_empty(), "a frame is not as promised: {faults:#?}");
                            *events += usize::from(event.name() == "message");
                            got.push((event.name().into(), event.id().into(), event.data().into()));
                        });
                    }
                    Some(Err(_)) | None => self.ended = true,
                }
            }
        };
        soon("what the stream waits for", read).await;
    }

    /// Returns the data of unnamed events.
    pub fn events(&self) -> Vec<String> {
        self.got.iter().filter(|got| got.0 == "message").map(|got| got.2.clone()).collect()
    }

    /// Reads until so many events have come and returns them.
    pub async fn read(&mut self, count: usize) -> Vec<String> {
        self.until(|stream| stream.events >= count).await;
        self.events()
    }
}
