//! `souk up --monolith`: everything on one port, `/events/stream` included.

use crate::on_servers::{audit_finds_and_mends_damage, doctor_finds_all_well};
use crate::support::{Client, EventStream, Installation, Start, eventually, run_souk};

const GUIDES_PRODUCT: &str = r#"{"name":"Test Product","price":99.99,"stock":10,"sellerId":"seller1"}"#;

/// Walks through everything that the one port has.
fn walk_through(port: u16, backend: &str) {
    let mut client = Client::new(port);
    let about = client.get("/").text();
    assert_eq!(about.lines().count(), 3, "{about}");
    for path in ["/products", "/events/stream", "/aggregates", "/metrics"] {
        assert!(about.contains(path), "{path} is missing in {about}");
    }
    let mut stream = EventStream::open(port, "/events/stream");
    assert_eq!(stream.try_next().expect("it begins").event.as_deref(), Some("ready"));

    let created = client.post("/products", GUIDES_PRODUCT);
    assert_eq!(created.status, 201, "{}", created.text());
    let id = created.json()["id"].as_str().expect("an id").to_owned();
    let event = stream.next_event().json();
    assert_eq!((&event["type"], &event["subject"]), (&"ProductCreated".into(), &id.clone().into()));

    eventually("the event is among the recent ones", || {
        let recent = client.get("/events?sellerId=seller1").json();
        (recent["items"][0]["id"] == event["id"]).then_some(())
    });
    eventually("the summary has the product", || {
        let reply = client.get("/summary");
        let summary = (reply.status == 200).then(|| reply.json())?;
        (summary["products"] == 1).then_some(())
    });
    let flushed = client.post("/archive/flush", "");
    assert_eq!(flushed.status, 200, "{}", flushed.text());
    let archive = client.get("/archive").json();
    assert!(archive["items"].as_array().is_some_and(|objects| !objects.is_empty()), "{archive}");

    let health = client.get("/health");
    assert_eq!(health.status, 200, "{}", health.text());
    let health = health.json();
    assert_eq!((&health["service"], &health["backend"]), (&"souk".into(), &backend.into()), "{health}");
    for check in ["catalog", "pump", "stream", "eventStore", "recent", "aggregates", "archive"] {
        assert!(health["checks"][check].is_object(), "{check} is missing in {health}");
    }
    let metrics = client.get("/metrics").text();
    for metric in ["souk_build_info{", "souk_http_requests_total{", "souk_stream_", "souk_consumer_"] {
        assert!(metrics.contains(metric), "{metric} is missing in {metrics}");
    }
    assert_eq!(metrics.matches("souk_build_info{").count(), 1);
    assert_eq!(client.get("/nothing").status, 404);
    dashboard(&mut client);
}

/// Looks at the dashboard at `/`, beside the api's own paths.
fn dashboard(client: &mut Client) {
    let page = client.call("GET", "/", &[("Accept", "text/html")], None);
    assert_eq!(page.header("content-type"), Some("text/html; charset=utf-8"), "{}", page.text());
    let policy = page.header("content-security-policy").unwrap_or_default();
    assert!(policy.contains("connect-src 'self'; "), "{policy}");
    let page = page.text();
    let script =
        page.split("src=\"").nth(1).and_then(|rest| rest.split('"').next()).expect("the page has a script");
    assert_eq!(client.get(script).status, 200, "{script}");
    // The client names no port in `Host`, and gets none back.
    assert_eq!(client.get("/config.json").json()["sseUrl"], "http://localhost/events/stream");
    let products = client.call("GET", "/products", &[("Accept", "text/html")], None);
    assert!(products.json()["items"].is_array(), "{}", products.text());
}

#[test]
fn everything_is_on_one_port_embedded() {
    let folder = tempfile::tempdir().expect("a scratch folder");
    let souk = Start::new(folder.path()).monolith().start();
    assert_eq!((souk.ports.notifications, souk.ports.analytics), (souk.ports.api, souk.ports.api));
    assert_eq!(souk.ports.web, souk.ports.api);
    walk_through(souk.ports.api, "embedded");
    let data = folder.path().join("data");
    let audit = ["audit", "--data-dir", data.to_str().expect("a plain name")];
    let audited = run_souk(folder.path(), &audit, &[]);
    assert_eq!(audited.code, Some(0), "{}{}", audited.stdout, audited.stderr);
    assert_eq!(souk.terminate().code(), Some(0));

    // And back to three ports, on the same data.
    let souk = Start::new(folder.path()).start();
    assert_ne!(souk.ports.notifications, souk.ports.api);
    assert_eq!(souk.api().get("/products").json()["items"].as_array().map(Vec::len), Some(1));
}

#[test]
fn only_the_port_that_is_used_has_to_be_free() {
    let folder = tempfile::tempdir().expect("a scratch folder");
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = taken.local_addr().expect("it is bound").port().to_string();
    let start = Start::new(folder.path())
        .env("NOTIFICATIONS_PORT", &port)
        .env("HEALTH_PORT", &port)
        .env("WEB_PORT", &port)
        .monolith();
    assert_eq!(start.start().terminate().code(), Some(0));
}

#[test]
fn everything_is_on_one_port_distributed_and_the_way_back_is_open() {
    let folder = tempfile::tempdir().expect("a scratch folder");
    let servers = Installation::new();
    let with_servers =
        |start: Start| servers.env().into_iter().fold(start, |start, (name, value)| start.env(name, value));
    let souk = with_servers(Start::new(folder.path()).monolith()).start();
    walk_through(souk.ports.api, "distributed");
    assert!(!folder.path().join("data").exists(), "nothing is kept on this machine");
    assert_eq!(souk.terminate().code(), Some(0));

    let souk = with_servers(Start::new(folder.path())).start();
    for (mut client, service) in
        [(souk.api(), "api"), (souk.notifications(), "notifications"), (souk.analytics(), "analytics")]
    {
        let health = client.get("/health").json();
        assert_eq!(
            (&health["service"], &health["backend"]),
            (&service.into(), &"distributed".into()),
            "{health}"
        );
    }
    let mut stream = souk.stream("");
    let created = souk.api().post("/products", GUIDES_PRODUCT);
    assert_eq!(created.status, 201, "{}", created.text());
    assert_eq!(stream.next_event().json()["subject"], created.json()["id"]);
    eventually("analytics goes on where the monolith was", || {
        (souk.analytics().get("/summary").json()["products"] == 2).then_some(())
    });
    drop(stream);
    doctor_finds_all_well(folder.path(), &servers, &souk.ports);
    let audited = run_souk(folder.path(), &["audit"], &servers.env());
    assert_eq!(audited.code, Some(0), "{}{}", audited.stdout, audited.stderr);
    // It is for an installation at rest.
    let refused = run_souk(folder.path(), &["audit", "--repair"], &servers.env());
    assert_eq!(refused.code, Some(3), "{}{}", refused.stdout, refused.stderr);
    assert_eq!(souk.terminate().code(), Some(0));
    audit_finds_and_mends_damage(folder.path(), &servers);
}
