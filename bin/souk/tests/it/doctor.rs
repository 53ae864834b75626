//! `souk doctor` on embedded stores: a shop that runs, one that does not, one that is not there.

use serde_json::Value;

use crate::support::{Souk, run_souk};

fn check<'a>(diagnosis: &'a Value, name: &str) -> &'a Value {
    let checks = diagnosis["checks"].as_array().expect("checks");
    checks.iter().find(|check| check["name"] == name).unwrap_or_else(|| panic!("no {name}: {diagnosis:#}"))
}

#[test]
fn a_shop_that_runs_is_well_and_says_who_holds_its_folder() {
    let folder = tempfile::tempdir().expect("a scratch folder");
    let souk = Souk::start(folder.path());
    let body = r#"{"name":"Lantern","price":1,"stock":10,"sellerId":"s"}"#;
    assert_eq!(souk.api().post("/products", body).status, 201);
    let examined = run_souk(folder.path(), &["doctor", "--data-dir", "data", "--json"], &[]);
    assert_eq!(examined.code, Some(0), "{}{}", examined.stdout, examined.stderr);
    let diagnosis = examined.json();
    assert_eq!(diagnosis["ok"], true);
    assert!(check(&diagnosis, "folder.lock")["figures"]["process"].as_i64().is_some(), "{diagnosis:#}");
    assert!(
        check(&diagnosis, "folder.writable")["figures"]["syncMicros"].as_i64().is_some(),
        "{diagnosis:#}"
    );
    for name in [
        "settings",
        "folder",
        "folder.souk.db",
        "folder.analytics.db",
        "folder.positions",
        "consumer.archive",
    ] {
        assert_eq!(check(&diagnosis, name)["status"], "ok", "{diagnosis:#}");
    }
    assert_eq!(souk.terminate().code(), Some(0));

    let examined = run_souk(folder.path(), &["doctor", "--data-dir", "data"], &[]);
    assert_eq!(examined.code, Some(0), "{}{}", examined.stdout, examined.stderr);
    assert!(examined.stdout.contains("nobody writes here now"), "{}", examined.stdout);
}

#[test]
fn a_file_of_a_newer_version_is_broken_and_named() {
    let folder = tempfile::tempdir().expect("a scratch folder");
    assert_eq!(Souk::start(folder.path()).terminate().code(), Some(0));
    // SQLite keeps the version big-endian in the header, 60 bytes in.
    let file = folder.path().join("data/analytics.db");
    let mut bytes = std::fs::read(&file).expect("it was made");
    bytes[60..64].copy_from_slice(&99_u32.to_be_bytes());
    std::fs::write(&file, bytes).expect("our own file");
    let examined = run_souk(folder.path(), &["doctor", "--data-dir", "data", "--json"], &[]);
    assert_eq!(examined.code, Some(1), "{}{}", examined.stdout, examined.stderr);
    let diagnosis = examined.json();
    let broken = check(&diagnosis, "folder.analytics.db");
    assert_eq!(broken["status"], "fail");
    assert!(broken["detail"].as_str().is_some_and(|detail| detail.contains("schema 99")), "{broken}");
    assert!(broken["remedy"].is_string());
}

#[test]
fn a_folder_without_data_is_not_to_be_reached() {
    let folder = tempfile::tempdir().expect("a scratch folder");
    let examined = run_souk(folder.path(), &["doctor", "--data-dir", "nowhere"], &[]);
    assert_eq!(examined.code, Some(3), "{}{}", examined.stdout, examined.stderr);
    assert!(examined.stdout.contains("run `souk up` first"), "{}", examined.stdout);
}

#[test]
fn wrong_settings_are_findings_with_their_remedies() {
    let folder = tempfile::tempdir().expect("a scratch folder");
    let half = [("DATABASE_URL", "postgres://ann:s3cret@localhost/app")];
    let examined = run_souk(folder.path(), &["doctor", "--json"], &half);
    assert_eq!(examined.code, Some(1), "{}{}", examined.stdout, examined.stderr);
    let diagnosis = examined.json();
    let finding = check(&diagnosis, "settings");
    assert_eq!(finding["status"], "fail");
    assert!(finding["remedy"].as_str().is_some_and(|remedy| remedy.contains("KAFKA_BROKERS")), "{finding}");
    assert!(!examined.stdout.contains("s3cret"), "secrets are not shown: {}", examined.stdout);
}

#[test]
fn servers_that_are_not_there_are_told_in_time() {
    let folder = tempfile::tempdir().expect("a scratch folder");
    let away = [
        ("DATABASE_URL", "postgres://ann:s3cret@127.0.0.1:9/app"),
        ("KAFKA_BROKERS", "127.0.0.1:9"),
        ("DYNAMO_ENDPOINT", "http://127.0.0.1:9"),
        ("MINIO_ENDPOINT", "http://127.0.0.1:9"),
        ("AWS_ACCESS_KEY_ID", "fake"),
        ("AWS_SECRET_ACCESS_KEY", "s3cret"),
    ];
    let examined = run_souk(folder.path(), &["doctor", "--json"], &away);
    assert_eq!(examined.code, Some(3), "{}{}", examined.stdout, examined.stderr);
    let diagnosis = examined.json();
    for server in ["postgres", "kafka", "dynamodb", "archive"] {
        let finding = check(&diagnosis, server);
        assert!(finding["status"] == "fail" && finding["remedy"].is_string(), "{finding}");
    }
    assert!(!examined.stdout.contains("s3cret"), "secrets are not shown: {}", examined.stdout);
}
