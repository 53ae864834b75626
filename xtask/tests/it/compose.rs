//! The compose files: names, ports and settings are those of the guide that people migrate by.

use std::collections::BTreeSet;

use serde_yaml_ng::Value;

/// Reads a compose file, with `<<` merged in as Compose does.
fn compose(path: &str) -> Value {
    let mut value: Value =
        serde_yaml_ng::from_str(&super::read(path)).unwrap_or_else(|error| panic!("{path}: {error}"));
    value.apply_merge().unwrap_or_else(|error| panic!("{path}: {error}"));
    value
}

fn names(value: &Value) -> BTreeSet<&str> {
    value.as_mapping().expect("a mapping").keys().map(|key| key.as_str().expect("a text")).collect()
}

fn texts(value: &Value) -> Vec<&str> {
    let list = value.as_sequence().map(Vec::as_slice).unwrap_or_default();
    list.iter().map(|item| item.as_str().expect("a text")).collect()
}

const SERVERS: [&str; 4] = ["postgres", "redpanda", "minio", "dynamodb"];
const SERVICES: [&str; 4] = ["api", "notifications", "analytics", "web"];

#[test]
fn everything_is_there_under_the_guides_names_and_ports() {
    let file = compose("deploy/compose.yaml");
    let services = &file["services"];
    let all: BTreeSet<&str> = SERVERS.into_iter().chain(SERVICES).chain(["dynamodb-admin"]).collect();
    assert_eq!(names(services), all);
    for (name, ports) in [
        ("postgres", vec![5432]),
        ("redpanda", vec![9092]),
        ("minio", vec![9000, 9001]),
        ("dynamodb", vec![8000]),
        ("dynamodb-admin", vec![8001]),
        ("api", vec![3000]),
        ("notifications", vec![3001]),
        ("analytics", vec![8080]),
        ("web", vec![5173]),
    ] {
        // The same port inside and outside, and only for this machine: the passwords are known to everybody.
        let expected: Vec<String> = ports.iter().map(|port| format!("127.0.0.1:{port}:{port}")).collect();
        assert_eq!(texts(&services[name]["ports"]), expected, "{name}");
        assert_eq!(services[name]["container_name"].as_str(), Some(name), "`docker exec {name}` finds it");
    }
}

#[test]
fn the_guides_environment_works_from_this_machine() {
    let file = compose("deploy/compose.yaml");
    let services = &file["services"];
    // DATABASE_URL=postgresql://postgres:password@localhost:5432/app
    let postgres = &services["postgres"]["environment"];
    assert_eq!(postgres["POSTGRES_USER"], "postgres");
    assert_eq!(postgres["POSTGRES_PASSWORD"], "password");
    assert_eq!(postgres["POSTGRES_DB"], "app");
    // KAFKA_BROKERS=localhost:9092: what a client is told has to be reachable from where it is.
    let redpanda = texts(&services["redpanda"]["command"]);
    assert!(redpanda.contains(&"--advertise-kafka-addr=inside://redpanda:29092,outside://localhost:9092"));
    assert!(
        redpanda.contains(&"redpanda.auto_create_topics_enabled=false"),
        "else it makes them with 1 partition"
    );
    // MINIO_ACCESS_KEY=minio, MINIO_SECRET_KEY=minio123
    let minio = &services["minio"]["environment"];
    assert_eq!(minio["MINIO_ROOT_USER"], "minio");
    assert_eq!(minio["MINIO_ROOT_PASSWORD"], "minio123");
    // `docker-compose up postgres redpanda minio dynamodb -d`, then `curl http://localhost:8001`.
    assert_eq!(texts(&services["dynamodb"]["depends_on"]), ["dynamodb-admin"]);
}

#[test]
fn each_service_has_the_guides_environment_and_nothing_secret_beyond() {
    let file = compose("deploy/compose.yaml");
    let environment = |name: &str| names(&file["services"][name]["environment"]);
    let with =
        |names: &[&'static str]| names.iter().copied().chain(["BIND_ADDRESS"]).collect::<BTreeSet<_>>();
    let api = [
        "DATABASE_URL",
        "KAFKA_BROKERS",
        "KAFKA_CLIENT_ID",
        "KAFKA_TRANSACTIONAL_ID",
        "LOW_STOCK_THRESHOLD",
        "PORT",
    ];
    assert_eq!(environment("api"), with(&api));
    assert_eq!(environment("notifications"), with(&["KAFKA_BROKERS", "KAFKA_CLIENT_ID", "PORT"]));
    let analytics = [
        "KAFKA_BROKERS",
        "KAFKA_CLIENT_ID",
        "DYNAMO_ENDPOINT",
        "AWS_REGION",
        "AWS_ACCESS_KEY_ID",
        "AWS_SECRET_ACCESS_KEY",
        "RECENT_EVENTS_TABLE_NAME",
        "MINIO_ENDPOINT",
        "MINIO_ACCESS_KEY",
        "MINIO_SECRET_KEY",
        "ARCHIVE_BUCKET_NAME",
        "HEALTH_PORT",
    ];
    assert_eq!(environment("analytics"), with(&analytics));
    let web = [
        "WEB_PORT",
        "API_URL",
        "SSE_URL",
        "ANALYTICS_URL",
        "INTERNAL_API_URL",
        "INTERNAL_SSE_URL",
        "INTERNAL_ANALYTICS_URL",
    ];
    assert_eq!(environment("web"), with(&web));
    // A browser on this machine and a container know the services by different names.
    let web = &file["services"]["web"]["environment"];
    assert_eq!(web["SSE_URL"], "http://localhost:3001/events/stream");
    assert_eq!(web["INTERNAL_SSE_URL"], "http://notifications:3001/events/stream");
}

#[test]
fn everything_has_a_health_check_and_every_volume_is_declared() {
    for path in ["deploy/compose.yaml", "deploy/compose.services.yaml"] {
        let file = compose(path);
        let declared = names(&file["volumes"]);
        for name in names(&file["services"]) {
            let service = &file["services"][name];
            let test = texts(&service["healthcheck"]["test"]);
            // Its image has nothing to ask with, and nothing waits for it.
            assert!(!test.is_empty() || name == "dynamodb-admin", "{path}: {name} has no health check");
            assert!(!test.iter().any(|word| word.contains("curl")), "{path}: {name} may have no curl");
            for volume in texts(&service["volumes"]) {
                let (volume, _) = volume.split_once(':').expect("name and place");
                assert!(declared.contains(volume), "{path}: {volume} is not declared");
            }
            for on in texts(&service["depends_on"]) {
                assert!(
                    !file["services"][on].is_null(),
                    "{path}: {name} depends on {on}, which is not there"
                );
            }
        }
    }
}

#[test]
fn services_of_ours_run_without_rights() {
    let file = compose("deploy/compose.yaml");
    for name in SERVICES {
        let service = &file["services"][name];
        assert_eq!(service["build"]["dockerfile"], "deploy/Containerfile", "{name}");
        assert_eq!(service["read_only"], true, "{name}");
        assert_eq!(texts(&service["cap_drop"]), ["ALL"], "{name}");
        assert_eq!(texts(&service["command"]), [name], "the subcommand is the service's name");
    }
}

#[test]
fn the_servers_for_developers_are_off_the_usual_ports_and_can_run_beside() {
    let file = compose("deploy/compose.services.yaml");
    let services = &file["services"];
    assert_eq!(names(services), SERVERS.into_iter().collect());
    let usual = compose("deploy/compose.yaml");
    for name in SERVERS {
        assert!(services[name]["container_name"].is_null(), "a fixed name would collide");
        assert_eq!(services[name]["image"], usual["services"][name]["image"], "one version of {name}");
    }
    // As `cargo xtask services` sets them.
    let ports: Vec<&str> = SERVERS.iter().flat_map(|name| texts(&services[*name]["ports"])).collect();
    assert_eq!(
        ports,
        [
            "127.0.0.1:${SOUK_POSTGRES_PORT:-15432}:5432",
            "127.0.0.1:${SOUK_KAFKA_PORT:-19092}:9092",
            "127.0.0.1:${SOUK_MINIO_PORT:-19000}:9000",
            "127.0.0.1:${SOUK_MINIO_CONSOLE_PORT:-19001}:9001",
            "127.0.0.1:${SOUK_DYNAMO_PORT:-18000}:8000",
        ]
    );
    let told = texts(&services["redpanda"]["command"]).join(" ");
    assert!(told.contains("outside://127.0.0.1:${SOUK_KAFKA_PORT:-19092}"), "{told}");
}
