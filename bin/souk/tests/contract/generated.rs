//! schemathesis over a running souk: generated requests that fit the contract and that do not, and calls that follow
//! each other, with a fixed seed.

use std::path::Path;
use std::process::Stdio;

use crate::support::{Souk, Start};
use crate::tools::{folder_of_tests, python};

/// Another seed finds other requests; a fixed one finds the same each time.
const SEED: &str = "20261122";

/// Requests of a kind for each call: enough for the edges of every schema within a minute on two cores.
const EXAMPLES: &str = "40";

/// What schemathesis found.
struct Verdict {
    passed: bool,
    said: String,
}

fn run(souk: &Souk, port: u16, folder: &Path, examples: &str) -> Verdict {
    run_but(souk, port, folder, examples, &[])
}

/// Leaves out these paths.
fn run_but(souk: &Souk, port: u16, folder: &Path, examples: &str, paths: &[&str]) -> Verdict {
    let output = python()
        .current_dir(folder)
        .env("SCHEMATHESIS_HOOKS", "hooks")
        .args(["-m", "schemathesis.cli", "--no-color", "--config-file"])
        .arg(folder_of_tests().join("schemathesis.toml"))
        .arg("run")
        .arg(format!("http://127.0.0.1:{port}/openapi.json"))
        .args(["--seed", SEED, "--max-examples", examples, "--checks", "all", "--request-timeout", "30"])
        // How long this machine takes says nothing about souk.
        .args(["--suppress-health-check", "all", "--continue-on-failure"])
        .args(paths.iter().flat_map(|path| ["--exclude-path", *path]))
        .stdin(Stdio::null())
        .output()
        .expect("the environment has a Python");
    let said =
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(said.contains("Schemathesis"), "it did not start: {said}");
    assert!(souk.log().iter().all(|line| !line.contains("panicked")), "souk panicked: {:#?}", souk.log());
    Verdict { passed: output.status.success(), said }
}

#[test]
fn no_answer_of_the_api_is_outside_of_its_contract() {
    let folder = tempfile::tempdir().expect("a scratch folder");
    let souk = Souk::start(folder.path());
    let verdict = run(&souk, souk.ports.api, folder.path(), EXAMPLES);
    assert!(verdict.passed, "{}", verdict.said);
}

#[test]
fn no_answer_of_analytics_is_outside_of_its_contract() {
    let folder = tempfile::tempdir().expect("a scratch folder");
    let souk = Souk::start(folder.path());
    // Something to answer with.
    for n in 0..30 {
        let product =
            format!(r#"{{"name":"Lantern {n}","price":4.25,"stock":{n},"sellerId":"seller{}"}}"#, n % 3);
        assert_eq!(souk.api().post("/products", &product).status, 201);
    }
    let verdict = run(&souk, souk.ports.analytics, folder.path(), EXAMPLES);
    assert!(verdict.passed, "{}", verdict.said);
}

#[test]
fn no_answer_of_notifications_is_outside_of_its_contract() {
    let folder = tempfile::tempdir().expect("a scratch folder");
    let souk = Souk::start(folder.path());
    // A stream has no end to wait for; `apps/notifications` holds every frame against its contract.
    let verdict = run_but(&souk, souk.ports.notifications, folder.path(), EXAMPLES, &["/events/stream"]);
    assert!(verdict.passed, "{}", verdict.said);
}

#[test]
fn no_answer_of_the_dashboards_server_is_outside_of_its_contract() {
    let folder = tempfile::tempdir().expect("a scratch folder");
    let souk = Souk::start(folder.path());
    // The sample is for an empty shop; in this one every wish for it is refused.
    let product = r#"{"name":"Lantern","price":4.25,"stock":1,"sellerId":"seller1"}"#;
    assert_eq!(souk.api().post("/products", product).status, 201);
    let verdict = run(&souk, souk.ports.web, folder.path(), EXAMPLES);
    assert!(verdict.passed, "{}", verdict.said);
}

#[test]
fn an_answer_outside_of_the_contract_is_found() {
    let folder = tempfile::tempdir().expect("a scratch folder");
    let souk = Start::new(folder.path()).env("SOUK_PLANTED_BUG", "answer-without-etag").start();
    let verdict = run(&souk, souk.ports.api, folder.path(), "3");
    assert!(!verdict.passed && verdict.said.contains("ETag"), "{}", verdict.said);
}
