//! `souk verify` against the real binary: embedded, on one port, as services on servers; with parts of it away.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::{Value, json};

use crate::support::{
    Client, Installation, Output, Running, Souk, Start, eventually, free_port, run_souk, souk,
};

fn here() -> tempfile::TempDir {
    tempfile::tempdir().expect("a scratch folder")
}

/// Returns what names the services at these ports.
fn urls(api: u16, notifications: u16, analytics: u16) -> [String; 6] {
    let url = |port: u16| format!("http://127.0.0.1:{port}");
    let stream = format!("{}/events/stream", url(notifications));
    ["--api".to_owned(), url(api), "--stream".to_owned(), stream, "--analytics".to_owned(), url(analytics)]
}

fn verify(folder: &Path, urls: &[String], more: &[&str]) -> Output {
    let args: Vec<&str> =
        ["verify"].into_iter().chain(urls.iter().map(String::as_str)).chain(more.iter().copied()).collect();
    run_souk(folder, &args, &[])
}

fn of(souk: &Souk) -> [String; 6] {
    urls(souk.ports.api, souk.ports.notifications, souk.ports.analytics)
}

/// Returns each step's name and status.
fn steps(report: &Value) -> Vec<(&str, &str)> {
    let steps = report["steps"].as_array().expect("steps are an array").iter();
    steps
        .map(|step| (step["step"].as_str().expect("a name"), step["status"].as_str().expect("a status")))
        .collect()
}

/// Returns the first failed check of a step.
fn failed<'a>(report: &'a Value, step: &str) -> &'a Value {
    let steps = report["steps"].as_array().expect("steps are an array");
    let step =
        steps.iter().find(|made| made["step"] == step).unwrap_or_else(|| panic!("no {step}: {report:#}"));
    let checks = step["checks"].as_array().expect("checks are an array");
    checks
        .iter()
        .find(|check| check["status"] == "failed")
        .unwrap_or_else(|| panic!("nothing failed: {step:#}"))
}

const ALL_WELL: [(&str, &str); 5] =
    [("api", "ok"), ("notifications", "ok"), ("analytics", "ok"), ("end-to-end", "ok"), ("clean-up", "ok")];

fn assert_no_product(api: &mut Client) {
    let products = api.get("/products?limit=500").json();
    assert_eq!(products["items"], json!([]), "something is left behind");
}

#[test]
fn an_embedded_installation_is_verified_by_its_ports_and_nothing_is_left() {
    let folder = here();
    let souk = Souk::start(folder.path());
    let ports = [
        ("API_PORT", souk.ports.api.to_string()),
        ("NOTIFICATIONS_PORT", souk.ports.notifications.to_string()),
        ("HEALTH_PORT", souk.ports.analytics.to_string()),
    ];
    let ports: Vec<(&str, &str)> = ports.iter().map(|(name, port)| (*name, port.as_str())).collect();
    let verified = run_souk(folder.path(), &["verify"], &ports);
    assert_eq!(verified.code, Some(0), "{}{}", verified.stdout, verified.stderr);
    for (line, (step, _)) in verified.stdout.lines().zip(ALL_WELL) {
        assert!(line.starts_with(&format!("ok    {step} ")) && line.contains(" ms  "), "{}", verified.stdout);
    }
    assert!(verified.stdout.contains("everything works"), "{}", verified.stdout);
    assert_eq!(verified.stderr, "", "there is no terminal to draw on");

    let report = run_souk(folder.path(), &["verify", "--json"], &ports).json();
    assert_eq!((steps(&report), &report["ok"]), (ALL_WELL.to_vec(), &json!(true)), "{report:#}");
    assert_eq!(report["backend"], "embedded");
    assert_no_product(&mut souk.api());
    eventually("the summary has no product", || {
        let summary = souk.analytics().get("/summary").json();
        (summary["products"] == 0).then_some(())
    });
    let data = folder.path().join("data");
    let audited =
        run_souk(folder.path(), &["audit", "--data-dir", data.to_str().expect("a plain name")], &[]);
    assert_eq!(audited.code, Some(0), "{}{}", audited.stdout, audited.stderr);
}

#[test]
fn a_monolith_is_found_by_its_api_alone() {
    let folder = here();
    let souk = Start::new(folder.path()).monolith().start();
    let api = format!("http://127.0.0.1:{}", souk.ports.api);
    let verified = run_souk(folder.path(), &["verify", "--api", &api, "--json"], &[]);
    assert_eq!(verified.code, Some(0), "{}{}", verified.stdout, verified.stderr);
    let report = verified.json();
    assert_eq!(report["stream"], json!(format!("{api}/events/stream")));
    assert_no_product(&mut souk.api());
}

#[test]
fn several_at_once_beside_other_writers_do_not_disturb_each_other() {
    let folder = here();
    let souk = Souk::start(folder.path());
    let (urls, over, api) = (of(&souk), AtomicBool::new(false), souk.ports.api);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let mut api = Client::new(api);
                while !over.load(Ordering::Relaxed) {
                    let created =
                        api.post("/products", r#"{"name":"Lantern","price":1,"stock":9,"sellerId":"s"}"#);
                    assert_eq!(created.status, 201, "{}", created.text());
                }
            });
        }
        let runs: Vec<_> =
            (0..3).map(|_| scope.spawn(|| verify(folder.path(), &urls, &["--json"]))).collect();
        let outputs: Vec<Output> = runs.into_iter().map(|run| run.join().expect("no run panics")).collect();
        over.store(true, Ordering::Relaxed);
        for output in outputs {
            assert_eq!(output.code, Some(0), "{}{}", output.stdout, output.stderr);
            let seller = output.json()["sellerId"].as_str().expect("a seller").to_owned();
            let left = souk.api().get(&format!("/products?sellerId={seller}")).json();
            assert_eq!(left["items"], json!([]));
        }
    });
}

#[test]
fn a_service_that_is_away_fails_its_step_with_the_remedy_and_nothing_is_left() {
    let folder = here();
    let souk = Souk::start(folder.path());
    let nobody = free_port();
    for (service, more) in
        [("api", "souk api"), ("notifications", "souk notifications"), ("analytics", "souk analytics")]
    {
        let port = |of: &str, port: u16| if of == service { nobody } else { port };
        let urls = urls(
            port("api", souk.ports.api),
            port("notifications", souk.ports.notifications),
            port("analytics", souk.ports.analytics),
        );
        let verified = verify(folder.path(), &urls, &["--json"]);
        assert_eq!(verified.code, Some(3), "{}{}", verified.stdout, verified.stderr);
        let report = verified.json();
        let bad: Vec<&str> = steps(&report)
            .into_iter()
            .filter(|(_, status)| *status == "failed")
            .map(|(step, _)| step)
            .collect();
        assert_eq!(bad, [service], "{report:#}");
        let check = failed(&report, service);
        assert!(check["detail"].as_str().is_some_and(|d| d.contains(&nobody.to_string())), "{check:#}");
        assert!(check["remedy"].as_str().is_some_and(|remedy| remedy.contains(more)), "{check:#}");
    }
    assert_no_product(&mut souk.api());
}

#[test]
fn a_stream_that_drops_events_in_silence_is_found_out() {
    let folder = here();
    let souk = Start::new(folder.path()).env("SOUK_PLANTED_BUG", "stream-drops-events").start();
    let verified = verify(folder.path(), &of(&souk), &["--json", "--timeout", "3s"]);
    assert_eq!(verified.code, Some(1), "{}{}", verified.stdout, verified.stderr);
    let report = verified.json();
    let check = failed(&report, "notifications");
    assert_eq!(check["check"], "event", "{report:#}");
    assert!(check["detail"].as_str().is_some_and(|detail| detail.contains("did not arrive")), "{check:#}");
    assert!(check["remedy"].as_str().is_some_and(|remedy| remedy.contains("curl")), "{check:#}");
    assert_no_product(&mut souk.api());
}

#[test]
fn ctrl_c_leaves_nothing_behind() {
    let folder = here();
    let planted = Start::new(folder.path()).env("SOUK_PLANTED_BUG", "stream-drops-events").start();
    let mut command = souk();
    command.arg("verify").args(of(&planted)).current_dir(folder.path());
    let mut verifying = Running::spawn(command);
    eventually("the product is there, and its event is waited for", || {
        let products = planted.api().get("/products").json();
        products["items"].as_array().is_some_and(|items| items.len() == 1).then_some(())
    });
    verifying.signal(libc::SIGINT);
    assert_eq!(verifying.wait().code(), Some(1));
    assert_no_product(&mut planted.api());
}

#[test]
fn wrong_use_is_told() {
    let folder = here();
    for args in [&["verify", "--timeout", "soon"][..], &["verify", "--api", "localhost:3000"]] {
        let output = run_souk(folder.path(), args, &[]);
        assert_eq!(output.code, Some(2), "{output:?}");
        assert!(output.stderr.starts_with("error: "), "{output:?}");
    }
}

#[test]
fn services_on_servers_are_verified_and_a_broker_that_is_away_is_named() {
    let folder = here();
    let servers = Installation::new();
    let mut api = servers.service(folder.path(), "api", &[]);
    let mut notifications = servers.service(folder.path(), "notifications", &[]);
    let mut analytics = servers.service(folder.path(), "analytics", &[]);
    for service in [&mut api, &mut notifications, &mut analytics] {
        service.wait_ready();
    }
    let report = {
        let verified = verify(
            folder.path(),
            &urls(api.port, notifications.port, analytics.port),
            &["--json", "--timeout", "60s"],
        );
        assert_eq!(verified.code, Some(0), "{}{}", verified.stdout, verified.stderr);
        verified.json()
    };
    assert_eq!(
        (steps(&report), &report["backend"]),
        (ALL_WELL.to_vec(), &json!("distributed")),
        "{report:#}"
    );
    assert_no_product(&mut api.client());

    // An api without its broker takes writes, and nothing of them arrives.
    let nobody = format!("127.0.0.1:{}", free_port());
    let lonely = Installation::new();
    let mut alone = lonely.service(folder.path(), "api", &[("KAFKA_BROKERS", &nobody)]);
    alone.wait_ready();
    // Not before it has tried: until then it has nothing to say of the broker.
    eventually("it names the broker itself", || {
        alone.get("/health").json().to_string().contains(&nobody).then_some(())
    });
    let verified = verify(
        folder.path(),
        &urls(alone.port, notifications.port, analytics.port),
        &["--json", "--timeout", "3s"],
    );
    assert_eq!(verified.code, Some(1), "{}{}", verified.stdout, verified.stderr);
    let report = verified.json();
    let remedy = failed(&report, "notifications")["remedy"].as_str().unwrap_or_default().to_owned();
    assert!(remedy.contains("relay") && remedy.contains(&nobody), "{report:#}");
    assert_no_product(&mut alone.client());
}
