//! The dashboard: beside the services, and as a service on its own.

use serde_json::json;

use crate::support::{Client, Souk, Start, eventually, free_port};

const PAGE: &[(&str, &str)] = &[("Accept", "text/html")];

fn here() -> tempfile::TempDir {
    tempfile::tempdir().expect("a scratch folder")
}

#[test]
fn up_serves_the_page_and_tells_where_the_services_are() {
    let folder = here();
    let souk = Souk::start(folder.path());
    let mut web = souk.web();
    let page = web.call("GET", "/", PAGE, None);
    assert_eq!((page.status, page.header("content-type")), (200, Some("text/html; charset=utf-8")));
    let html = page.text();
    let script =
        html.split("src=\"").nth(1).and_then(|rest| rest.split('"').next()).expect("it has a script");
    let module = web.get(script);
    assert_eq!((module.status, module.header("content-type")), (200, Some("text/javascript; charset=utf-8")));

    let config = web.get("/config.json").json();
    assert_eq!(config["apiUrl"], format!("http://localhost:{}", souk.ports.api));
    assert_eq!(config["sseUrl"], format!("http://localhost:{}/events/stream", souk.ports.notifications));
    assert_eq!(config["analyticsUrl"], format!("http://localhost:{}", souk.ports.analytics));
    assert_eq!(config["backend"], "embedded");
    let policy = page.header("content-security-policy").unwrap_or_default();
    for port in [souk.ports.api, souk.ports.notifications, souk.ports.analytics] {
        assert!(policy.contains(&format!(" http://localhost:{port}")), "{policy}");
    }

    let health = web.get("/health").json();
    assert_eq!((&health["service"], &health["status"]), (&json!("web"), &json!("ok")), "{health}");
    for service in ["api", "notifications", "analytics"] {
        assert_eq!(health["checks"][service]["status"], "ok", "{health}");
    }
    assert_eq!(web.get("/readyz").status, 200);
    assert_eq!(web.get("/").text().lines().count(), 3);
}

#[test]
fn settings_say_where_browsers_find_the_services() {
    let folder = here();
    let souk = Start::new(folder.path()).env("API_URL", "https://shop.example/api").start();
    let config = souk.web().get("/config.json").json();
    assert_eq!(config["apiUrl"], "https://shop.example/api");
    assert_eq!(config["analyticsUrl"], format!("http://localhost:{}", souk.ports.analytics));
    let page = souk.web().call("GET", "/", PAGE, None);
    let policy = page.header("content-security-policy").unwrap_or_default();
    assert!(policy.contains(" https://shop.example "), "{policy}");
}

/// Starts the dashboard alone, beside nothing or with the services of `souk`.
fn alone(folder: &std::path::Path, env: &[(&str, String)]) -> (crate::support::Service, Client) {
    let service = crate::support::Service::start(folder, "web", env);
    let client = service.client();
    (service, client)
}

#[test]
fn on_its_own_it_needs_nothing_and_says_what_cannot_be_reached() {
    let folder = here();
    let nobody = format!("http://127.0.0.1:{}", free_port());
    let env = ["API_URL", "SSE_URL", "ANALYTICS_URL"].map(|name| (name, nobody.clone()));
    let (mut service, mut web) = alone(folder.path(), &env);
    service.wait_ready();
    assert_eq!(web.call("GET", "/", PAGE, None).status, 200);
    let health = web.get("/health");
    assert_eq!(health.status, 200, "{}", health.text());
    let health = health.json();
    assert_eq!(health["status"], "degraded", "{health}");
    for (service, setting) in
        [("api", "API_URL"), ("notifications", "SSE_URL"), ("analytics", "ANALYTICS_URL")]
    {
        let check = &health["checks"][service];
        assert_eq!(check["status"], "degraded", "{health}");
        let detail = check["detail"].as_str().unwrap_or_default();
        assert!(detail.contains(&nobody) && detail.contains(setting), "{detail}");
    }
    let refused = web.post("/demo", "");
    assert_eq!((refused.status, refused.json()["code"].clone()), (503, json!("overloaded")));
    assert_eq!(service.terminate().code(), Some(0));
    assert!(
        std::fs::read_dir(folder.path()).expect("the folder is there").next().is_none(),
        "it keeps nothing"
    );
}

#[test]
fn on_its_own_it_reaches_the_services_where_they_are_for_itself() {
    let folder = here();
    let souk = Souk::start(folder.path());
    let at = |port: u16, path: &str| format!("http://127.0.0.1:{port}{path}");
    let env = [
        ("API_URL", "https://shop.example/api".to_owned()),
        ("INTERNAL_API_URL", at(souk.ports.api, "")),
        ("INTERNAL_SSE_URL", at(souk.ports.notifications, "/events/stream")),
        ("INTERNAL_ANALYTICS_URL", at(souk.ports.analytics, "")),
    ];
    let (mut service, mut web) = alone(folder.path(), &env);
    service.wait_ready();
    assert_eq!(web.get("/health").json()["status"], "ok", "{}", web.get("/health").text());
    let config = web.get("/config.json").json();
    assert_eq!(config["apiUrl"], "https://shop.example/api");
    assert_eq!(
        config["sseUrl"], "http://localhost:3001/events/stream",
        "the usual port of the visitor's host"
    );
    fill(&mut web, &souk);
}

/// Fills the shop through the dashboard, and looks at what came of it.
fn fill(web: &mut Client, souk: &Souk) {
    let began = web.post("/demo", "");
    assert_eq!((began.status, began.json()["state"].clone()), (202, json!("running")), "{}", began.text());
    let again = web.post("/demo", "");
    assert_eq!((again.status, again.json()["code"].clone()), (409, json!("demo-refused")));
    let done = eventually("the shop is filled", || {
        let state = web.get("/demo").json();
        assert_ne!(state["state"], "failed", "{state}");
        (state["state"] == "done").then_some(state)
    });
    assert!(done["linesTotal"].as_u64().is_some_and(|lines| lines > 1_000), "{done}");
    assert_eq!(done["linesDone"], done["linesTotal"]);
    assert!(!souk.api().get("/products?limit=1").json()["items"].as_array().expect("items").is_empty());
    let full = web.post("/demo", "");
    assert!(full.status == 409 && full.text().contains("has products"), "{}", full.text());
}

#[test]
fn a_start_with_the_demo_fills_an_empty_shop_and_leaves_another_alone() {
    let folder = here();
    let souk = Start::new(folder.path()).demo().start();
    eventually("the shop is filled", || {
        let state = souk.web().get("/demo").json();
        assert_ne!(state["state"], "failed", "{state}");
        (state["state"] == "done").then_some(())
    });
    let events = |souk: &Souk| souk.analytics().get("/summary").json()["events"].clone();
    let before = events(&souk);
    assert_eq!(souk.terminate().code(), Some(0));

    let souk = Start::new(folder.path()).demo().start();
    eventually("it says that the shop has products", || {
        souk.log().iter().any(|line| line.contains("has products already")).then_some(())
    });
    assert_eq!(events(&souk), before);
}

#[test]
fn a_demo_does_not_hold_the_drain_up() {
    let folder = here();
    let souk = Start::new(folder.path()).demo().env("DRAIN_TIMEOUT", "1h").start();
    eventually("the demo is under way", || {
        (souk.web().get("/demo").json()["linesTotal"].as_u64() > Some(0)).then_some(())
    });
    assert_eq!(souk.terminate().code(), Some(0));
}
