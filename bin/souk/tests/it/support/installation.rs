//! An installation on the real servers, under names of its own: database, topic, groups, tables, bucket.

use std::future::Future;
use std::path::Path;

use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions};
use rdkafka::client::DefaultClientContext;
use serde_json::{Value, json};
use uuid::Uuid;

use super::http::Client;
use super::service::Service;

/// How to have the servers that these tests need.
const REMEDY: &str = "run `cargo xtask test`, or `eval \"$(cargo xtask services env)\"` after \
                      `cargo xtask services up`";

fn server(name: &str) -> String {
    std::env::var(name)
        .unwrap_or_else(|_| panic!("{name} is not set, and this test needs the real servers: {REMEDY}"))
}

/// Names on the servers, removed when dropped.
pub struct Installation {
    name: String,
    env: Vec<(&'static str, String)>,
}

impl Installation {
    /// # Panics
    /// When the servers are not there.
    pub fn new() -> Self {
        let name = format!("souk_it_{}", &Uuid::now_v7().simple().to_string()[12..]);
        let url = server("DATABASE_URL");
        sql(&url, &format!("CREATE DATABASE \"{name}\" ENCODING 'UTF8' TEMPLATE template0"));
        let (base, _) = url.rsplit_once('/').expect("a URL ends in a database");
        let mut env = vec![
            ("DATABASE_URL", format!("{base}/{name}")),
            ("KAFKA_TOPIC", name.clone()),
            ("KAFKA_TOPIC_PARTITIONS", "3".to_owned()),
            ("KAFKA_TRANSACTIONAL_ID", name.clone()),
            ("ANALYTICS_CLIENT_ID", format!("{name}-analytics")),
            ("RECENT_EVENTS_TABLE_NAME", format!("{name}_recent")),
            ("AGGREGATES_TABLE_NAME", format!("{name}_aggregates")),
            ("ARCHIVE_BUCKET_NAME", name.replace('_', "-")),
        ];
        for name in [
            "KAFKA_BROKERS",
            "DYNAMO_ENDPOINT",
            "AWS_ACCESS_KEY_ID",
            "AWS_SECRET_ACCESS_KEY",
            "MINIO_ENDPOINT",
            "MINIO_ACCESS_KEY",
            "MINIO_SECRET_KEY",
        ] {
            env.push((name, server(name)));
        }
        Self { name, env }
    }

    /// Returns a setting.
    pub fn get(&self, name: &str) -> &str {
        let found = self.env.iter().find(|(n, _)| *n == name);
        found.map(|(_, value)| value.as_str()).unwrap_or_else(|| panic!("no {name}"))
    }

    /// Returns every setting, for commands that work with all servers.
    pub fn env(&self) -> Vec<(&str, &str)> {
        self.env.iter().map(|(name, value)| (*name, value.as_str())).collect()
    }

    /// Returns the guide's own block of a service, with this installation's names.
    fn block(&self, service: &str) -> Vec<(&str, String)> {
        let names: &[&str] = match service {
            "api" => &[
                "DATABASE_URL",
                "KAFKA_BROKERS",
                "KAFKA_TRANSACTIONAL_ID",
                "KAFKA_TOPIC",
                "KAFKA_TOPIC_PARTITIONS",
            ],
            "notifications" => &["KAFKA_BROKERS", "KAFKA_TOPIC"],
            "analytics" => &[
                "KAFKA_BROKERS",
                "KAFKA_TOPIC",
                "DYNAMO_ENDPOINT",
                "AWS_ACCESS_KEY_ID",
                "AWS_SECRET_ACCESS_KEY",
                "RECENT_EVENTS_TABLE_NAME",
                "AGGREGATES_TABLE_NAME",
                "MINIO_ENDPOINT",
                "MINIO_ACCESS_KEY",
                "MINIO_SECRET_KEY",
                "ARCHIVE_BUCKET_NAME",
            ],
            other => panic!("no service {other}"),
        };
        let mut env: Vec<(&str, String)> =
            names.iter().map(|name| (*name, self.get(name).to_owned())).collect();
        env.push(("KAFKA_CLIENT_ID", format!("{}-{service}", self.name)));
        env
    }

    /// Starts a service on its own, with `more` beside or in place of its block.
    pub fn service(&self, folder: &Path, service: &str, more: &[(&str, &str)]) -> Service {
        let mut env = self.block(service);
        env.retain(|(name, _)| !more.iter().any(|(n, _)| n == name));
        env.extend(more.iter().filter(|(_, value)| !value.is_empty()).map(|(n, v)| (*n, (*v).to_owned())));
        Service::start(folder, service, &env)
    }

    /// Asks DynamoDB over plain HTTP, as a client that is none of ours.
    pub fn dynamo(&self, operation: &str, body: &Value) -> Value {
        let endpoint = self.get("DYNAMO_ENDPOINT");
        let port =
            endpoint.rsplit(':').next().and_then(|port| port.parse().ok()).expect("an endpoint has a port");
        let target = format!("DynamoDB_20120810.{operation}");
        let signature = format!(
            "AWS4-HMAC-SHA256 Credential={}/20261122/us-east-1/dynamodb/aws4_request, SignedHeaders=host, Signature=0",
            self.get("AWS_ACCESS_KEY_ID")
        );
        let headers = [
            ("X-Amz-Target", target.as_str()),
            ("Content-Type", "application/x-amz-json-1.0"),
            ("Authorization", signature.as_str()),
            ("X-Amz-Date", "20261122T000000Z"),
        ];
        Client::new(port).call("POST", "/", &headers, Some(&body.to_string())).json()
    }

    /// Returns whether an event of `product` is among DynamoDB's recent events.
    pub fn dynamo_holds(&self, product: &str) -> bool {
        let items = self.dynamo("Scan", &json!({"TableName": self.get("RECENT_EVENTS_TABLE_NAME")}));
        items.to_string().contains(product)
    }
}

impl Drop for Installation {
    /// Removes what can be removed; a server that is gone took its data along.
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("the installation is left as it is, for a look: {}", self.name);
            return;
        }
        sql(&server("DATABASE_URL"), &format!("DROP DATABASE \"{}\" WITH (FORCE)", self.name));
        for table in ["RECENT_EVENTS_TABLE_NAME", "AGGREGATES_TABLE_NAME"] {
            self.dynamo("DeleteTable", &json!({"TableName": self.get(table)}));
        }
        let admin: Result<AdminClient<DefaultClientContext>, _> =
            ClientConfig::new().set("bootstrap.servers", self.get("KAFKA_BROKERS")).create();
        if let Ok(admin) = admin {
            let topics = ["", ".dlq", ".relay"].map(|suffix| format!("{}{suffix}", self.name));
            let topics = topics.each_ref().map(String::as_str);
            let _ = run(async { admin.delete_topics(&topics, &AdminOptions::new()).await });
        }
    }
}

fn sql(url: &str, statement: &str) {
    run(async {
        let (client, connection) = tokio_postgres::connect(url, tokio_postgres::NoTls)
            .await
            .unwrap_or_else(|error| panic!("Postgres does not answer ({error}): {REMEDY}"));
        let driver = tokio::spawn(connection);
        client.batch_execute(statement).await.unwrap_or_else(|error| panic!("{statement}: {error:?}"));
        drop(client);
        let _ = driver.await;
    });
}

fn run<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime").block_on(future)
}
