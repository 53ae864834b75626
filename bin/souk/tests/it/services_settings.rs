//! Settings of services that run on their own: what each needs, what it lets be, and secrets from files.

use std::path::Path;

use serde_json::Value;

use crate::support::{Output, run_souk};

const DATABASE: (&str, &str) = ("DATABASE_URL", "postgresql://postgres:letmein@localhost:1/app");
const BROKERS: (&str, &str) = ("KAFKA_BROKERS", "localhost:1");

fn here() -> tempfile::TempDir {
    tempfile::tempdir().expect("a scratch folder")
}

fn refused_in(folder: &Path, args: &[&str], env: &[(&str, &str)]) -> Output {
    let output = run_souk(folder, args, env);
    assert_eq!(output.code, Some(2), "{args:?} {env:?}: {output:?}");
    assert!(output.stderr.contains("remedy: "), "{output:?}");
    for secret in ["letmein", "hush"] {
        assert!(!output.stderr.contains(secret), "a secret was shown: {}", output.stderr);
    }
    output
}

fn refused(args: &[&str], env: &[(&str, &str)]) -> Output {
    refused_in(here().path(), args, env)
}

fn assert_says(output: &Output, words: &[&str]) {
    for word in words {
        assert!(output.stderr.contains(word), "{word:?} is missing in: {}", output.stderr);
    }
}

fn config(folder: &Path, env: &[(&str, &str)]) -> Value {
    let output = run_souk(folder, &["config", "--json"], env);
    assert_eq!(output.code, Some(0), "{output:?}");
    output.json()
}

fn setting<'a>(config: &'a Value, name: &str) -> &'a Value {
    let settings = config["settings"].as_array().expect("settings are an array");
    settings.iter().find(|s| s["name"] == name).unwrap_or_else(|| panic!("no {name} in {config}"))
}

#[test]
fn a_service_without_its_servers_says_what_to_set() {
    assert_says(
        &refused(&["api"], &[]),
        &["2 faults", "DATABASE_URL is not set", "KAFKA_BROKERS is not set", "`souk up`"],
    );
    assert_says(&refused(&["api"], &[BROKERS]), &["1 fault,", "DATABASE_URL", "DATABASE_URL_FILE"]);
    assert_says(&refused(&["notifications"], &[DATABASE]), &["1 fault,", "KAFKA_BROKERS=localhost:9092"]);
    assert_says(&refused(&["analytics"], &[]), &["1 fault,", "KAFKA_BROKERS"]);
}

#[test]
fn half_of_the_distributed_settings_is_refused_naming_both() {
    for command in ["up", "audit"] {
        assert_says(
            &refused(&[command], &[DATABASE]),
            &["DATABASE_URL", "set KAFKA_BROKERS too", "unset DATABASE_URL"],
        );
        assert_says(
            &refused(&[command], &[BROKERS]),
            &["KAFKA_BROKERS", "set DATABASE_URL too", "unset KAFKA_BROKERS"],
        );
    }
}

#[test]
fn a_bad_value_is_refused_by_who_reads_it_and_by_nobody_else() {
    for (name, value, reader) in [
        ("DATABASE_URL", "mysql://root:letmein@localhost/app", "api"),
        ("DATABASE_URL", "host=localhost password='letmein now'", "api"),
        ("DATABASE_URL", "postgresql://postgres:letmein@localhost/app?sslmode=maybe", "api"),
        ("DATABASE_COMMITTERS", "5", "api"),
        ("KAFKA_BROKERS", "localhost", "notifications"),
        ("KAFKA_BROKERS", "kafka://localhost:9092", "notifications"),
        ("KAFKA_TOPIC", "my topic", "analytics"),
        ("KAFKA_TOPIC_PARTITIONS", "0", "api"),
        ("KAFKA_SECURITY_PROTOCOL", "TLS", "notifications"),
        ("KAFKA_CA_FILE", "/no/such/file.pem", "notifications"),
        ("DYNAMO_ENDPOINT", "localhost:8000", "analytics"),
        ("MINIO_ENDPOINT", "ftp://localhost", "analytics"),
        ("RECENT_EVENTS_TABLE_NAME", "R", "analytics"),
        ("ARCHIVE_BUCKET_NAME", "Event_Archive", "analytics"),
        ("PORT", "http", "api"),
    ] {
        let env = [DATABASE, BROKERS, (name, value)];
        assert_says(&refused(&[reader], &env), &["1 fault,", name, "the environment"]);
        assert_says(&refused(&["config"], &[(name, value)]), &[name]);
    }
    // What only others read is their matter: a shared file serves all.
    let env = [("DYNAMO_ENDPOINT", "localhost:8000"), ("STREAM_RING_BYTES", "5")];
    assert_says(
        &refused(&["api"], &env),
        &["2 faults", "DATABASE_URL is not set", "KAFKA_BROKERS is not set"],
    );
}

#[test]
fn a_misspelt_name_is_refused_by_every_service() {
    for command in ["api", "notifications", "analytics"] {
        let env = [DATABASE, BROKERS, ("KAFKA_BROKRES", "localhost:9092")];
        assert_says(&refused(&[command], &env), &["KAFKA_BROKRES", "misspelt", "write KAFKA_BROKERS"]);
    }
    let env = [DATABASE, BROKERS, ("DATABASE_URL_FILES", "/run/secrets/url")];
    assert_says(&refused(&["api"], &env), &["DATABASE_URL_FILES", "write DATABASE_URL_FILE"]);
}

#[test]
fn users_passwords_and_protocols_of_kafka_have_to_agree() {
    let base = [BROKERS];
    let with = |more: &[(&'static str, &'static str)]| [&base[..], more].concat();
    assert_says(
        &refused(&["notifications"], &with(&[("KAFKA_SECURITY_PROTOCOL", "sasl_ssl")])),
        &["KAFKA_SASL_USERNAME is not set", "KAFKA_SASL_PASSWORD is not set"],
    );
    let env = with(&[("KAFKA_SASL_USERNAME", "shop"), ("KAFKA_SASL_PASSWORD", "hush")]);
    assert_says(
        &refused(&["notifications"], &env),
        &["KAFKA_SASL_USERNAME=", "set KAFKA_SECURITY_PROTOCOL to SASL_SSL"],
    );
}

#[test]
fn a_key_needs_its_secret() {
    let env = [BROKERS, ("AWS_ACCESS_KEY_ID", "fake"), ("MINIO_SECRET_KEY", "hush")];
    assert_says(&refused(&["analytics"], &env), &["AWS_SECRET_ACCESS_KEY is not", "MINIO_ACCESS_KEY is not"]);
}

#[test]
fn a_token_needs_its_key_and_is_shown_nowhere() {
    assert_says(
        &refused(&["analytics"], &[BROKERS, ("AWS_SESSION_TOKEN", "hush")]),
        &["AWS_ACCESS_KEY_ID is not"],
    );
    let folder = here();
    std::fs::write(folder.path().join("token"), "hush\n").expect("a file");
    let found = config(
        folder.path(),
        &[
            ("AWS_ACCESS_KEY_ID", "fake"),
            ("AWS_SECRET_ACCESS_KEY", "quiet"),
            ("AWS_SESSION_TOKEN_FILE", "token"),
        ],
    );
    let token = setting(&found, "AWS_SESSION_TOKEN");
    assert!(token["value"].as_str().is_some_and(|shown| !shown.contains("hush")), "{token}");
}

#[test]
fn a_secret_can_come_from_a_file() {
    let folder = here();
    std::fs::write(folder.path().join("url"), "  postgresql://postgres:letmein@localhost:1/app\n\n")
        .expect("a file");
    let found = config(folder.path(), &[("DATABASE_URL_FILE", "url")]);
    let url = setting(&found, "DATABASE_URL");
    assert_eq!(url["value"], "postgresql://postgres:********@localhost:1/app", "{url}");
    assert_eq!((&url["source"], &url["from"]), (&"file".into(), &"url".into()), "{url}");

    let both = [DATABASE, ("DATABASE_URL_FILE", "url")];
    assert_says(
        &refused_in(folder.path(), &["config"], &both),
        &["DATABASE_URL=", "DATABASE_URL_FILE", "both given", "keep one"],
    );
    assert_says(
        &refused_in(folder.path(), &["config"], &[("KAFKA_SASL_PASSWORD_FILE", "absent")]),
        &["KAFKA_SASL_PASSWORD_FILE=\"absent\"", "cannot be read"],
    );
    std::fs::write(folder.path().join("empty"), "\n").expect("a file");
    assert_says(
        &refused_in(folder.path(), &["config"], &[("MINIO_SECRET_KEY_FILE", "empty")]),
        &["is empty"],
    );
    // Nobody but its reader opens it.
    let env = [BROKERS, DATABASE, ("MINIO_SECRET_KEY_FILE", "absent"), ("KAFKA_TOPIC", "a b")];
    assert_says(&refused_in(folder.path(), &["api"], &env), &["1 fault,", "KAFKA_TOPIC"]);
}

#[test]
fn a_file_that_holds_a_bad_value_is_named_and_its_contents_are_not() {
    let folder = here();
    std::fs::write(folder.path().join("url"), "mysql://root:letmein@localhost").expect("a file");
    let env = [BROKERS, ("DATABASE_URL_FILE", "url")];
    assert_says(&refused_in(folder.path(), &["api"], &env), &["DATABASE_URL=", "url (DATABASE_URL_FILE)"]);
}

#[test]
fn config_says_which_service_reads_what_and_each_ones_default() {
    let found = config(here().path(), &[]);
    let client = setting(&found, "KAFKA_CLIENT_ID");
    assert_eq!(client["readBy"], serde_json::json!(["api", "notifications", "analytics"]));
    assert_eq!(client["defaults"]["analytics"], "analytics-service");
    assert_eq!(
        setting(&found, "PORT")["defaults"],
        serde_json::json!({"api": "3000", "notifications": "3001"})
    );
    assert_eq!(setting(&found, "DATABASE_URL")["readBy"], serde_json::json!(["up", "api", "audit"]));
    let text = run_souk(here().path(), &["config"], &[]).stdout;
    let line = text.lines().find(|line| line.starts_with("KAFKA_CLIENT_ID ")).expect("a line");
    assert!(line.contains("api-service | notifications-service | analytics-service"), "{line}");
    assert!(line.ends_with("api, notifications, analytics"), "{line}");
}

#[test]
fn the_guides_own_files_are_understood() {
    const API: &str = "# Remove consumer-related variables\n# ENABLE_ANALYTICS=true  # Remove this\n\n\
        DATABASE_URL=postgresql://postgres:password@localhost:5432/app\nKAFKA_BROKERS=localhost:9092\n\
        KAFKA_CLIENT_ID=api-service\nKAFKA_TRANSACTIONAL_ID=api-service-transaction\nLOW_STOCK_THRESHOLD=5\n";
    const ANALYTICS: &str = "KAFKA_BROKERS=localhost:9092\nKAFKA_CLIENT_ID=analytics-service\n\
        DYNAMO_ENDPOINT=http://localhost:8000\nAWS_ACCESS_KEY_ID=fake\nAWS_SECRET_ACCESS_KEY=fake\n\
        RECENT_EVENTS_TABLE_NAME=RecentEvents\nMINIO_ENDPOINT=http://localhost:9000\nMINIO_ACCESS_KEY=minio\n\
        MINIO_SECRET_KEY=minio123\nARCHIVE_BUCKET_NAME=event-archive\nHEALTH_PORT=8080\n";
    const NOTIFICATIONS: &str =
        "KAFKA_BROKERS=localhost:9092\nKAFKA_CLIENT_ID=notifications-service\nPORT=3001\n";
    for file in [API, ANALYTICS, NOTIFICATIONS] {
        let folder = here();
        std::fs::write(folder.path().join(".env"), file).expect("a scratch file");
        let found = config(folder.path(), &[]);
        let given = file.lines().filter(|line| !line.is_empty() && !line.starts_with('#')).count();
        let settings = found["settings"].as_array().expect("an array");
        let of_file = settings.iter().filter(|setting| setting["source"] == "file").count();
        assert_eq!(of_file, given, "{found}");
        let shown: Vec<&str> = settings.iter().filter_map(|setting| setting["value"].as_str()).collect();
        let shown = shown.join("\n");
        assert!(!shown.contains("minio123") && !shown.contains("postgres:password"), "{shown}");
    }
}

#[test]
fn one_client_id_for_all_is_told_to_be_none() {
    let env = [DATABASE, BROKERS, ("KAFKA_CLIENT_ID", "shop"), ("KAFKA_TOPIC", "a b")];
    // Refused for its topic, before anything starts; the warning would come after.
    refused(&["up"], &env);
    let output = run_souk(here().path(), &["audit"], &[DATABASE, BROKERS, ("KAFKA_CLIENT_ID", "shop")]);
    assert_eq!(output.code, Some(3), "{output:?}");
    assert_says(&output, &["warning: KAFKA_CLIENT_ID=\"shop\"", "ANALYTICS_CLIENT_ID"]);
    let output =
        run_souk(here().path(), &["audit"], &[DATABASE, BROKERS, ("KAFKA_CLIENT_ID", "api-service")]);
    assert!(!output.stderr.contains("warning"), "{output:?}");
}

#[test]
fn a_folder_and_servers_are_two_installations() {
    assert_says(
        &refused(&["audit", "--data-dir", "data"], &[DATABASE, BROKERS]),
        &["--data-dir", "DATABASE_URL", "two installations"],
    );
}
