//! Services on their own against the real servers: the guide's commands, any order of starts, servers that are away.

use serde_json::{Value, json};

use crate::support::{Client, EventStream, Installation, Service, eventually, free_port, run_souk};

const GUIDES_PRODUCT: &str = r#"{"name":"Test Product","price":99.99,"stock":10,"sellerId":"seller1"}"#;

fn here() -> tempfile::TempDir {
    tempfile::tempdir().expect("a scratch folder")
}

#[test]
fn started_in_any_order_the_guides_commands_answer() {
    let folder = here();
    let servers = Installation::new();

    // The readers of a topic that nobody has made yet are there at once, and say for what they wait.
    let mut notifications = servers.service(folder.path(), "notifications", &[]);
    let mut analytics = servers.service(folder.path(), "analytics", &[]);
    for service in [&notifications, &analytics] {
        assert_eq!(service.get("/livez").status, 200);
        assert_eq!(service.get("/readyz").status, 503);
        let waiting = eventually("it waits for the topic", || {
            let check = service.check("kafka");
            check["detail"]
                .as_str()
                .filter(|detail| detail.contains(servers.get("KAFKA_TOPIC")))
                .map(str::to_owned)
        });
        assert!(waiting.starts_with("waiting: "), "{waiting}");
        assert!(service.check("kafka")["waitingSeconds"].is_u64());
    }
    let refused = analytics.get("/summary");
    assert_eq!((refused.status, refused.json()["code"].clone()), (503, json!("overloaded")));
    assert!(refused.header("retry-after").is_some());
    let early = notifications.get("/events/stream");
    assert_eq!((early.status, early.text().starts_with("retry: ")), (200, true), "{}", early.text());

    let mut api = servers.service(folder.path(), "api", &[]);
    for service in [&mut api, &mut notifications, &mut analytics] {
        service.wait_ready();
    }
    let mut stream = notifications.stream("");
    let created = api.client().post("/products", GUIDES_PRODUCT);
    assert_eq!(created.status, 201, "{}", created.text());
    let id = created.json()["id"].as_str().expect("an id").to_owned();
    let event = stream.next_event().json();
    assert_eq!((&event["type"], &event["subject"]), (&json!("ProductCreated"), &json!(id)));
    for (service, name) in [(&api, "api"), (&notifications, "notifications"), (&analytics, "analytics")] {
        let health = service.get("/health");
        let document = health.json();
        assert_eq!((health.status, &document["service"]), (200, &json!(name)), "{document}");
        assert_eq!(document["backend"], "distributed");
        assert!(service.get("/metrics").text().contains("souk_build_info{"), "{name}");
    }
    for metric in
        ["souk_relay_published_events_total 1", "souk_relay_leading 1", "souk_outbox_waiting_events 0"]
    {
        // A reader may have the event before the relay has heard that it is there.
        eventually(metric, || api.get("/metrics").text().contains(metric).then_some(()));
    }
    assert!(analytics.get("/metrics").text().contains("souk_consumer_lag_events"));

    eventually("the event is in DynamoDB for another client", || servers.dynamo_holds(&id).then_some(()));
    let flushed = analytics.client().post("/archive/flush", "");
    assert_eq!(flushed.status, 200, "{}", flushed.text());
    let archive = analytics.get("/archive").json();
    assert_eq!(archive["items"][0]["rows"], 1, "{archive}");

    drop(stream);
    for service in [api, analytics, notifications] {
        assert_eq!(service.terminate().code(), Some(0));
    }
    let audited = run_souk(folder.path(), &["audit"], &servers.env());
    assert_eq!(audited.code, Some(0), "{}{}", audited.stdout, audited.stderr);
}

#[test]
fn without_kafka_the_api_takes_writes_and_their_events_are_published_later() {
    let folder = here();
    let servers = Installation::new();
    let nobody = format!("127.0.0.1:{}", free_port());
    let mut api = servers.service(folder.path(), "api", &[("KAFKA_BROKERS", &nobody)]);
    api.wait_ready();
    for _ in 0..3 {
        assert_eq!(api.client().post("/products", GUIDES_PRODUCT).status, 201);
    }
    let health = eventually("the waiting events are counted, and it is said why", || {
        let health = api.get("/health").json();
        let relay = &health["checks"]["relay"];
        let named = relay["detail"].as_str().is_some_and(|detail| detail.contains(&nobody));
        (named && relay["waitingEvents"] == 3).then_some(health)
    });
    assert_eq!(health["status"], "degraded", "{health}");
    assert!(health["checks"]["relay"]["oldestSeconds"].is_u64(), "{health}");
    assert!(api.get("/metrics").text().contains("souk_outbox_waiting_events 3"));
    assert_eq!(api.terminate().code(), Some(0));

    let mut api = servers.service(folder.path(), "api", &[]);
    let mut notifications = servers.service(folder.path(), "notifications", &[]);
    api.wait_ready();
    notifications.wait_ready();
    let mut stream = EventStream::open(notifications.port, "/events/stream?lastEventId=earliest");
    for _ in 0..3 {
        assert_eq!(stream.next_event().json()["type"], "ProductCreated");
    }
    eventually("nothing waits any more", || (api.check("relay")["waitingEvents"] == 0).then_some(()));
    assert_eq!(api.get("/health").json()["status"], "ok");
}

#[test]
fn without_postgres_the_api_says_so_and_ends_when_asked() {
    let folder = here();
    let servers = Installation::new();
    let port = free_port();
    let url = format!("postgresql://postgres:letmein@127.0.0.1:{port}/app");
    let api = servers.service(folder.path(), "api", &[("DATABASE_URL", &url)]);
    assert_eq!(api.get("/livez").status, 200);
    let health = eventually("it says for what it waits", || {
        let health = api.get("/health");
        health.text().contains(&port.to_string()).then_some(health)
    });
    assert_eq!((health.status, api.get("/readyz").status), (503, 503));
    assert_eq!(health.json()["status"], "unavailable");
    let refused = api.client().post("/products", GUIDES_PRODUCT);
    assert_eq!((refused.status, refused.json()["code"].clone()), (503, json!("overloaded")));
    let detail = refused.json()["detail"].as_str().unwrap_or_default().to_owned();
    assert!(detail.contains("postgres"), "{detail}");
    let log = api.log();
    let told = log.iter().filter(|line| line.contains("waiting for postgres")).count();
    assert_eq!(told, 1, "a line for each reason, not for each attempt: {log:#?}");
    assert!(!log.join("").contains("letmein") && !health.text().contains("letmein"));
    assert_eq!(api.terminate().code(), Some(0));
}

/// Waits until `/health` names every one of `names` as waited for, each with its own address, and nothing else.
fn waits_for(service: &Service, names: &[(&str, u16)]) {
    let waits = |check: &Value, port: u16| {
        let detail = check["detail"].as_str().unwrap_or_default();
        detail.starts_with("waiting: ")
            && detail.contains(&port.to_string())
            && check["waitingSeconds"].is_u64()
    };
    eventually("it says for what it waits", || {
        let health = service.get("/health").json();
        let checks = health["checks"].as_object()?;
        let all = names.iter().all(|(name, port)| checks.get(*name).is_some_and(|check| waits(check, *port)));
        (all && checks.len() == names.len()).then_some(())
    });
    assert_eq!((service.get("/livez").status, service.get("/readyz").status), (200, 503));
    for (name, _) in names {
        let told = format!("waiting for {name}");
        eventually("the log says it, too", || {
            service.log().iter().any(|line| line.contains(&told)).then_some(())
        });
    }
}

/// Each of the servers that a service needs, away when it starts: it says for which it waits, and where it looked.
#[test]
fn a_service_that_starts_without_a_server_says_which_one() {
    let folder = here();
    let servers = Installation::new();
    // Makes the topic, for which readers would wait beside the server that is away.
    let mut api = servers.service(folder.path(), "api", &[]);
    api.wait_ready();
    for (service, name, setting) in [
        ("notifications", "kafka", "KAFKA_BROKERS"),
        ("analytics", "kafka", "KAFKA_BROKERS"),
        ("analytics", "dynamodb", "DYNAMO_ENDPOINT"),
        ("analytics", "s3", "MINIO_ENDPOINT"),
    ] {
        let port = free_port();
        let scheme = if name == "kafka" { "" } else { "http://" };
        let nobody = format!("{scheme}127.0.0.1:{port}");
        let waiting = servers.service(folder.path(), service, &[(setting, &nobody)]);
        waits_for(&waiting, &[(name, port)]);
        assert_eq!(waiting.terminate().code(), Some(0), "{service} without {name} ends when asked");
    }
}

/// All on one port needs all of them, and names each.
#[test]
fn one_process_that_starts_without_servers_says_for_which_it_waits() {
    let folder = here();
    let servers = Installation::new();
    let ports = [free_port(), free_port(), free_port(), free_port()];
    let [postgres, kafka, dynamo, s3] = ports.map(|port| format!("127.0.0.1:{port}"));
    let away = [
        ("DATABASE_URL", format!("postgresql://postgres:letmein@{postgres}/app")),
        ("KAFKA_BROKERS", kafka),
        ("DYNAMO_ENDPOINT", format!("http://{dynamo}")),
        ("MINIO_ENDPOINT", format!("http://{s3}")),
    ];
    let mut env: Vec<(&str, String)> = servers.env().into_iter().map(|(n, v)| (n, v.to_owned())).collect();
    env.retain(|(name, _)| !away.iter().any(|(n, _)| n == name));
    env.extend(away);
    let souk = Service::start(folder.path(), "up --monolith", &env);
    let names = ["postgres", "kafka", "dynamodb", "s3"];
    waits_for(&souk, &names.iter().copied().zip(ports).collect::<Vec<_>>());
    assert!(!souk.log().join("").contains("letmein") && !souk.get("/health").text().contains("letmein"));
    assert_eq!(souk.terminate().code(), Some(0));
}

#[test]
fn a_wrong_password_ends_the_start_with_the_remedy() {
    let folder = here();
    let servers = Installation::new();
    let url = servers.get("DATABASE_URL").replace(":password@", ":letmein@");
    assert_ne!(url, servers.get("DATABASE_URL"), "the server's password is another one: check the test");
    let mut api = servers.service(folder.path(), "api", &[("DATABASE_URL", &url)]);
    let ended = api.wait();
    let log = api.log().join("\n");
    assert_eq!(ended.code(), Some(3), "{log}");
    assert!(log.contains("error: DATABASE_URL") && log.contains("check the password"), "{log}");
    assert!(!log.contains("letmein"), "{log}");
}

#[test]
fn a_database_url_can_come_from_a_file() {
    let folder = here();
    let servers = Installation::new();
    let file = folder.path().join("database-url");
    std::fs::write(&file, format!("{}\n", servers.get("DATABASE_URL"))).expect("a scratch file");
    let file = file.to_str().expect("a plain name");
    let mut api = servers.service(folder.path(), "api", &[("DATABASE_URL", ""), ("DATABASE_URL_FILE", file)]);
    api.wait_ready();
    assert_eq!(Client::new(api.port).post("/products", GUIDES_PRODUCT).status, 201);
}

#[test]
fn a_topic_that_does_not_fit_ends_the_api_with_the_remedy() {
    let folder = here();
    let servers = Installation::new();
    let mut api = servers.service(folder.path(), "api", &[("KAFKA_REPLICATION_FACTOR", "9")]);
    let ended = api.wait();
    let log = api.log().join("\n");
    assert_eq!(ended.code(), Some(3), "{log}");
    assert!(log.contains("KAFKA_REPLICATION_FACTOR") || log.contains("replication"), "{log}");
}
