//! What is refused before anything starts: each case against the real binary.

use std::net::TcpListener;
use std::path::Path;

use serde_json::Value;

use crate::support::{Output, run_souk};

fn here() -> tempfile::TempDir {
    tempfile::tempdir().expect("a scratch folder")
}

/// Runs `souk up` with wrong settings; it must not get as far as making its data folder.
fn refused(env: &[(&str, &str)]) -> Output {
    let folder = here();
    refused_in(folder.path(), &["up"], env)
}

fn refused_in(folder: &Path, args: &[&str], env: &[(&str, &str)]) -> Output {
    let output = run_souk(folder, args, env);
    assert_eq!(output.code, Some(2), "{env:?}: {output:?}");
    assert!(output.stderr.contains("remedy: "), "{output:?}");
    assert!(!folder.join("souk-data").exists(), "something was started: {output:?}");
    output
}

fn assert_says(output: &Output, words: &[&str]) {
    for word in words {
        assert!(output.stderr.contains(word), "{word:?} is missing in: {}", output.stderr);
    }
}

fn setting(output: &Output, name: &str) -> Value {
    let json = output.json();
    let settings = json["settings"].as_array().expect("settings are an array");
    settings.iter().find(|s| s["name"] == name).unwrap_or_else(|| panic!("no {name} in {json}")).clone()
}

#[test]
fn refuses_unreadable_values_naming_setting_value_and_source() {
    for (name, value) in [
        ("API_PORT", "http"),
        ("NOTIFICATIONS_PORT", "65536"),
        ("HEALTH_PORT", "-1"),
        ("BIND_ADDRESS", "localhost"),
        ("LOW_STOCK_THRESHOLD", "many"),
        ("LOW_STOCK_THRESHOLD", "-5"),
        ("LOG_RETENTION", "0d"),
        ("LOG_RETENTION", "7"),
        ("RECENT_EVENTS_RETENTION", "0s"),
        ("RECENT_EVENTS_RETENTION", "soon"),
        ("DATA_MAX_BYTES", "10 potatoes"),
        ("STREAM_RING_BYTES", "5"),
        ("MAX_CONNECTIONS", "0"),
        ("CORS_ALLOWED_ORIGINS", "localhost"),
        ("LOG_FORMAT", "xml"),
        ("LOG_LEVEL", "inof"),
    ] {
        assert_says(&refused(&[(name, value)]), &[name, &format!("{value:?}"), "the environment"]);
    }
}

#[test]
fn refuses_a_flag_as_it_refuses_a_variable() {
    let output = refused_in(here().path(), &["up", "--api-port", "http"], &[]);
    assert_says(&output, &["API_PORT", "\"http\"", "--api-port"]);
    let output = refused_in(here().path(), &["--api-port", "http"], &[]);
    assert_says(&output, &["API_PORT", "\"http\"", "--api-port"]);
}

#[test]
fn tells_every_fault_at_once() {
    let output = refused(&[("API_PORT", "x"), ("LOG_RETENTION", "0d"), ("LOW_STOCK_TRESHOLD", "3")]);
    assert_says(&output, &["3 faults", "API_PORT=", "LOG_RETENTION=", "LOW_STOCK_TRESHOLD="]);
}

#[test]
fn refuses_misspelt_names_and_names_the_right_one() {
    for (wrong, right) in [
        ("LOW_STOCK_TRESHOLD", "LOW_STOCK_THRESHOLD"),
        ("NOTIFICATION_PORT", "NOTIFICATIONS_PORT"),
        ("DATA_DRI", "DATA_DIR"),
        ("KAFKA_BROKER", "KAFKA_BROKERS"),
        ("BIND_ADRESS", "BIND_ADDRESS"),
    ] {
        assert_says(&refused(&[(wrong, "3")]), &[wrong, right, "misspelt", "\"3\"", "the environment"]);
        let folder = here();
        std::fs::write(folder.path().join(".env"), format!("{wrong}=3\n")).expect("a scratch file");
        assert_says(&refused_in(folder.path(), &["up"], &[]), &[wrong, right, "misspelt", ".env"]);
    }
}

#[test]
fn lets_names_of_others_be() {
    let env = [
        ("AWS_PROFILE", "shop"),
        ("AWS_DEFAULT_REGION", "eu-west-1"),
        ("HOSTNAME", "shop"),
        ("PORTS", "1,2"),
        ("APP_PORT", "80"),
        ("API_KEY", "x"),
        ("DATABASE_NAME", "app"),
        ("XDG_DATA_DIRS", "/usr/share"),
        ("RUST_LOG", "debug"),
        ("KAFKA_HEAP_OPTS", "-Xmx1G"),
    ];
    let output = run_souk(here().path(), &["config", "--json"], &env);
    assert_eq!(output.code, Some(0), "{output:?}");
    assert_eq!(output.json()["warnings"], serde_json::json!([]));
}

#[test]
fn warns_of_the_older_systems_names_and_says_what_took_their_place() {
    let names = ["ENABLE_ANALYTICS", "KAFKA_ANALYSIS_SERVICE_CLIENT_ID", "KAFKA_PRODUCT_TOPIC", "REDIS_URL"];
    let env: Vec<(&str, &str)> = names.iter().map(|name| (*name, "something")).collect();
    let output = run_souk(here().path(), &["config", "--json"], &env);
    assert_eq!(output.code, Some(0), "{output:?}");
    let warnings = output.json()["warnings"].clone();
    for name in names {
        let told = warnings.as_array().expect("an array").iter().filter_map(Value::as_str);
        assert!(told.into_iter().any(|w| w.starts_with(name) && w.contains(": ")), "{name} in {warnings}");
    }
}

#[test]
fn refuses_half_of_the_distributed_settings_naming_both() {
    let output = refused(&[("DATABASE_URL", "postgresql://postgres:password@localhost:5432/app")]);
    assert_says(&output, &["DATABASE_URL", "KAFKA_BROKERS", "unset DATABASE_URL"]);
    assert!(!output.stderr.contains(":password@"), "a secret was shown: {}", output.stderr);
    let output = refused(&[("KAFKA_BROKERS", "localhost:9092")]);
    assert_says(&output, &["DATABASE_URL", "KAFKA_BROKERS", "unset KAFKA_BROKERS"]);
}

#[test]
fn refuses_one_port_for_two_services() {
    let output = refused(&[("API_PORT", "4000"), ("HEALTH_PORT", "4000")]);
    assert_says(&output, &["API_PORT=\"4000\"", "HEALTH_PORT=\"4000\"", "same port"]);
    assert_says(
        &refused(&[("API_PORT", "3001")]),
        &["API_PORT=\"3001\"", "NOTIFICATIONS_PORT", "the default"],
    );
    assert_says(&refused(&[("WEB_PORT", "8080")]), &["HEALTH_PORT", "WEB_PORT=\"8080\"", "same port"]);
}

#[test]
fn refuses_a_taken_port_naming_setting_and_remedy() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = taken.local_addr().expect("it is bound").port().to_string();
    let folder = here();
    let env =
        [("API_PORT", "0"), ("NOTIFICATIONS_PORT", port.as_str()), ("HEALTH_PORT", "0"), ("WEB_PORT", "0")];
    let output = run_souk(folder.path(), &["up"], &env);
    assert_eq!(output.code, Some(3), "{output:?}");
    assert_says(&output, &["NOTIFICATIONS_PORT", &port, "taken", "set NOTIFICATIONS_PORT to another port"]);
    assert!(!folder.path().join("souk-data").exists(), "something was started: {output:?}");
}

#[test]
fn refuses_an_address_of_another_machine_once() {
    // Of the block that is kept for documentation (RFC 5737).
    let env = [("BIND_ADDRESS", "192.0.2.1")];
    let folder = here();
    let output = run_souk(folder.path(), &["up"], &env);
    assert_eq!(output.code, Some(3), "{output:?}");
    assert_says(&output, &["BIND_ADDRESS=\"192.0.2.1\"", "0.0.0.0"]);
    assert_eq!(output.stderr.matches("192.0.2.1").count(), 1, "{}", output.stderr);
    assert!(!folder.path().join("souk-data").exists(), "something was started: {output:?}");
}

#[test]
fn refuses_a_data_folder_that_cannot_be_used() {
    let folder = here();
    // A file where the folder should be: root may write read-only folders, but not into a file.
    std::fs::write(folder.path().join("occupied"), "").expect("a scratch file");
    let env = [
        ("API_PORT", "0"),
        ("NOTIFICATIONS_PORT", "0"),
        ("HEALTH_PORT", "0"),
        ("WEB_PORT", "0"),
        ("DATA_DIR", "occupied"),
    ];
    let output = run_souk(folder.path(), &["up"], &env);
    assert_eq!(output.code, Some(3), "{output:?}");
    assert_says(&output, &["DATA_DIR", "occupied", "another folder"]);
}

#[test]
fn refuses_an_env_file_that_is_not_there_or_broken() {
    let output = refused_in(here().path(), &["up", "--env-file", "absent.env"], &[]);
    assert_says(&output, &["absent.env", "--env-file"]);
    let folder = here();
    std::fs::write(folder.path().join(".env"), "API_PORT=1\nMINIO_SECRET_KEY s3cret value\n")
        .expect("a scratch file");
    let output = refused_in(folder.path(), &["up"], &[]);
    assert_says(&output, &[".env", "MINIO_SECRET_KEY"]);
    assert!(!output.stderr.contains("s3cret"), "a secret was shown: {}", output.stderr);
}

#[test]
fn refuses_a_setting_that_a_file_gives_twice() {
    let folder = here();
    std::fs::write(folder.path().join(".env"), "API_PORT=4000\nAPI_PORT=4001\n").expect("a scratch file");
    assert_says(&refused_in(folder.path(), &["up"], &[]), &["API_PORT", ".env", "more than once"]);
}

#[test]
fn flag_wins_over_environment_over_file_over_default() {
    let folder = here();
    let file = "API_PORT=4001\nHEALTH_PORT=4002\nNOTIFICATIONS_PORT=4003\n";
    std::fs::write(folder.path().join(".env"), file).expect("a scratch file");
    let args = ["config", "--json", "--api-port", "4004"];
    let env = [("API_PORT", "4005"), ("HEALTH_PORT", "4006"), ("LOG_LEVEL", "")];
    let output = run_souk(folder.path(), &args, &env);
    for (name, value, source) in [
        ("API_PORT", "4004", "flag"),
        ("HEALTH_PORT", "4006", "environment"),
        ("NOTIFICATIONS_PORT", "4003", "file"),
        ("LOW_STOCK_THRESHOLD", "5", "default"),
        ("LOG_LEVEL", "info", "default"),
        ("API_URL", "http://localhost:4004", "derived"),
    ] {
        let found = setting(&output, name);
        assert_eq!((&found["value"], &found["source"]), (&value.into(), &source.into()), "{name}");
    }
}

#[test]
fn an_env_file_takes_the_place_of_the_one_here() {
    let folder = here();
    std::fs::write(folder.path().join(".env"), "API_PORT=4001\n").expect("a scratch file");
    std::fs::write(folder.path().join("other.env"), "HEALTH_PORT=4002\n").expect("a scratch file");
    let output = run_souk(folder.path(), &["config", "--json", "--env-file", "other.env"], &[]);
    assert_eq!(setting(&output, "API_PORT")["value"], "3000");
    assert_eq!(setting(&output, "HEALTH_PORT")["from"], "other.env");
}

#[test]
fn config_hides_secrets() {
    let env = [
        ("MINIO_SECRET_KEY", "minio123"),
        ("AWS_SECRET_ACCESS_KEY", "hush"),
        ("API_URL", "http://admin:letmein@localhost:3000"),
    ];
    for args in [&["config"][..], &["config", "--json"]] {
        let output = run_souk(here().path(), args, &env);
        assert_eq!(output.code, Some(0), "{output:?}");
        for secret in ["minio123", "hush", "letmein"] {
            assert!(!output.stdout.contains(secret), "{secret} was shown: {}", output.stdout);
        }
        assert!(output.stdout.contains("MINIO_SECRET_KEY") && output.stdout.contains("http://admin:"));
    }
}
