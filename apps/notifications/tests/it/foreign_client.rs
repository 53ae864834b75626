//! The stream as a client sees it that nobody here wrote: LaunchDarkly's eventsource-client.

use std::time::Duration;

use bytes::Bytes;
use eventsource_client::{Client, ClientBuilder, ReconnectOptions, SSE};
use futures_util::StreamExt as _;
use http_body_util::{BodyExt as _, Empty};
use launchdarkly_sdk_transport::{ByteStream, HttpTransport, ResponseFuture, TransportError};
use souk_notifications::NotificationsConfig;
use tokio::sync::{mpsc, oneshot};

use crate::support::{create_many, logged, open, send, serve, serve_at, soon};

/// One connection for each request.
#[derive(Clone)]
struct Transport;

impl HttpTransport for Transport {
    fn request(&self, request: http::Request<Option<Bytes>>) -> ResponseFuture {
        let (parts, _) = request.into_parts();
        let address = parts.uri.authority().expect("an absolute URL").as_str().parse().expect("an address");
        let mut request = http::Request::builder().method(parts.method).uri(parts.uri.path());
        request.headers_mut().expect("a valid request").extend(parts.headers);
        let request = request.header("host", "localhost").body(Empty::new()).expect("a valid request");
        let (answer, answered) = oneshot::channel();
        // The client wants futures that are `Sync`; channels are.
        tokio::spawn(async move {
            let response = send(address, request).await.map_err(TransportError::new);
            let _ = answer.send(response.map(|response| {
                let (parts, mut body) = response.into_parts();
                let (chunks, mut received) = mpsc::channel(16);
                tokio::spawn(async move {
                    while let Some(frame) = body.frame().await {
                        let chunk =
                            frame.map_err(TransportError::new).map(|frame| frame.into_data().unwrap());
                        if chunks.send(chunk).await.is_err() {
                            break;
                        }
                    }
                });
                let chunks = futures_util::stream::poll_fn(move |cx| received.poll_recv(cx));
                http::Response::from_parts(parts, Box::pin(chunks) as ByteStream)
            }));
        });
        Box::pin(async move {
            answered.await.unwrap_or_else(|_| Err(TransportError::new(std::io::Error::other("gone"))))
        })
    }
}

#[tokio::test]
async fn it_reconnects_through_a_drain_and_misses_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let backend = open(folder.path());
    // A drain asks for one second at least; the client takes `retry:` as its base delay.
    let config = NotificationsConfig { retry: Duration::from_millis(50), ..Default::default() };
    let running = serve(&backend, config.clone()).await;
    let address = running.address;
    let reconnect = ReconnectOptions::reconnect(true)
        .retry_initial(true)
        .delay(Duration::from_millis(50))
        .delay_max(Duration::from_millis(500))
        .build();
    let client = ClientBuilder::for_url(&format!("http://{address}/events/stream"))
        .unwrap()
        .reconnect(reconnect)
        .build_with_transport(Transport);
    let mut stream = client.stream();
    let (mut names, mut events) = (Vec::new(), Vec::new());
    let mut running = Some(running);
    for round in 0..3 {
        // Whoever connects without an id gets what comes from then on: so write once it is ready.
        if round == 0 {
            soon("the client is ready", async {
                while !names.contains(&"ready".to_owned()) {
                    take(stream.next().await, &mut names, &mut events);
                }
            })
            .await;
        }
        create_many(&backend, 30).await;
        let count = events.len() + if round == 0 { 30 } else { 45 };
        soon("the events", async {
            while events.len() < count {
                take(stream.next().await, &mut names, &mut events);
            }
        })
        .await;
        running.take().unwrap().stop().await;
        // Written while the service is away.
        create_many(&backend, 15).await;
        running = Some(serve_at(address, &backend, config.clone()).await);
    }
    soon("the last events", async {
        while events.len() < 135 {
            take(stream.next().await, &mut names, &mut events);
        }
    })
    .await;
    assert_eq!(events, logged(&backend).await, "each event once, in order");
    assert!(names.iter().filter(|name| *name == "ready").count() >= 3, "it reconnected: {names:?}");
    assert!(!names.contains(&"gap".to_owned()));
}

fn take(item: Option<eventsource_client::Result<SSE>>, names: &mut Vec<String>, events: &mut Vec<String>) {
    // Errors are how this client tells of a lost connection; it goes on by itself.
    if let Some(Ok(SSE::Event(event))) = item {
        if event.event_type == "message" {
            events.push(event.data);
        } else {
            names.push(event.event_type);
        }
    }
}
