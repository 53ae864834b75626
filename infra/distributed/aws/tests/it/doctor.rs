//! What `souk doctor` finds in DynamoDB and S3.

use aws_sdk_dynamodb::types::{
    AttributeDefinition, BillingMode, KeySchemaElement, KeyType, ScalarAttributeType,
};
use futures_util::TryStreamExt as _;
use souk_aws::{AwsConfig, archive, doctor};
use souk_domain::Timestamp;
use souk_ports::{Finding, Level};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use crate::support::Place;

async fn dynamodb(config: &AwsConfig) -> Vec<Finding> {
    let mut found = Vec::new();
    doctor::examine_dynamodb(config, &mut |finding| found.push(finding)).await;
    found
}

async fn s3(config: &AwsConfig) -> Vec<Finding> {
    let mut found = Vec::new();
    doctor::examine_archive(config, &mut |finding| found.push(finding)).await;
    found
}

fn find<'a>(found: &'a [Finding], name: &str) -> &'a Finding {
    found.iter().find(|finding| finding.name == name).unwrap_or_else(|| panic!("no {name}: {found:?}"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tables_as_souk_makes_them_are_well() {
    let place = Place::new();
    let (recent, aggregates) = (&place.config.recent_table, &place.config.aggregates_table);
    let absent = dynamodb(&place.config).await;
    assert_eq!(find(&absent, &format!("dynamodb.{recent}")).level, Level::Warn, "{absent:?}");
    place.store(Timestamp::from_millis(0)).await;
    let found = dynamodb(&place.config).await;
    for name in
        [format!("dynamodb.{recent}"), format!("dynamodb.{aggregates}"), format!("dynamodb.{recent}.ttl")]
    {
        assert_eq!(find(&found, &name).level, Level::Ok, "{found:?}");
    }
    let shown = format!("{found:?}");
    assert!(
        !shown.contains(&place.config.keys.as_ref().unwrap().secret) || shown.contains("fake"),
        "{shown}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_table_with_other_keys_that_never_expires_is_named_for_both() {
    let place = Place::new();
    let table = place.config.recent_table.clone();
    let key = KeySchemaElement::builder().attribute_name("id").key_type(KeyType::Hash).build().unwrap();
    let attribute = AttributeDefinition::builder()
        .attribute_name("id")
        .attribute_type(ScalarAttributeType::S)
        .build()
        .unwrap();
    let create =
        place.client().create_table().table_name(&table).key_schema(key).attribute_definitions(attribute);
    create.billing_mode(BillingMode::PayPerRequest).send().await.unwrap();
    let found = dynamodb(&place.config).await;
    let keys = find(&found, &format!("dynamodb.{table}"));
    assert_eq!(keys.level, Level::Fail);
    assert!(keys.detail.contains("id (HASH)"), "{keys:?}");
    let expiry = find(&found, &format!("dynamodb.{table}.ttl"));
    assert_eq!(expiry.level, Level::Warn);
    assert!(expiry.remedy.as_ref().unwrap().contains("`ttl`"), "{expiry:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bucket_refuses_a_second_write_and_keeps_nothing_of_it() {
    let place = Place::new();
    let absent = s3(&place.config).await;
    assert_eq!(find(&absent, "archive").level, Level::Warn, "{absent:?}");
    let store = archive(&place.config).await.unwrap();
    let objects = async || store.list(None).try_collect::<Vec<_>>().await.unwrap().len();
    let before = objects().await;
    let found = s3(&place.config).await;
    assert_eq!(find(&found, "archive.create-only").level, Level::Ok, "{found:?}");
    assert_eq!(find(&found, "archive.clock").level, Level::Ok, "{found:?}");
    assert_eq!(objects().await, before, "the probe is removed");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn servers_that_are_not_there_are_unreachable() {
    let mut place = Place::new();
    let config = AwsConfig {
        dynamo_endpoint: Some("http://127.0.0.1:9".to_owned()),
        s3_endpoint: Some("http://127.0.0.1:9".to_owned()),
        ..place.config.clone()
    };
    for found in [dynamodb(&config).await, s3(&config).await] {
        assert!(found.len() == 1 && found[0].unreachable && found[0].remedy.is_some(), "{found:?}");
    }
    place.config.s3_keys.as_mut().unwrap().secret = "wrong-secret-key".to_owned();
    let found = s3(&place.config).await;
    assert!(found[0].level == Level::Fail && !found[0].unreachable, "{found:?}");
    assert!(!format!("{found:?}").contains("wrong-secret-key"), "secrets are not shown");
}

/// A server that takes every write, whatever its conditions.
async fn overwriting_server() -> String {
    const EMPTY: &str =
        "<?xml version=\"1.0\"?><ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>";
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut request = Vec::new();
                let mut chunk = [0; 4096];
                // The probes' bodies are so short that they come with their heads, or right behind.
                while let Ok(read @ 1..) = stream.read(&mut chunk).await {
                    request.extend_from_slice(&chunk[..read]);
                    let text = String::from_utf8_lossy(&request);
                    let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
                    let length = head.lines().find_map(|line| {
                        line.to_ascii_lowercase().strip_prefix("content-length: ")?.parse::<usize>().ok()
                    });
                    if body.len() >= length.unwrap_or(0) {
                        break;
                    }
                }
                let answer = match request.split(|byte| *byte == b' ').next() {
                    Some(b"PUT") => "HTTP/1.1 200 OK\r\nETag: \"1\"\r\nContent-Length: 0\r\n\r\n".to_owned(),
                    Some(b"DELETE") => "HTTP/1.1 204 No Content\r\n\r\n".to_owned(),
                    _ => format!(
                        "HTTP/1.1 200 OK\r\nDate: Thu, 01 Jan 2015 00:00:00 GMT\r\nContent-Type: application/xml\r\n\
                         Content-Length: {}\r\n\r\n{EMPTY}",
                        EMPTY.len()
                    ),
                };
                let answer = answer.replacen("\r\n", "\r\nConnection: close\r\n", 1);
                let _ = stream.write_all(answer.as_bytes()).await;
            });
        }
    });
    format!("http://{address}")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_overwrites_and_whose_clock_is_wrong_fails_for_both() {
    let place = Place::new();
    let config = AwsConfig { s3_endpoint: Some(overwriting_server().await), ..place.config.clone() };
    let found = s3(&config).await;
    let finding = find(&found, "archive.create-only");
    assert_eq!(finding.level, Level::Fail);
    assert!(finding.detail.contains("overwrites"), "{finding:?}");
    assert_eq!(find(&found, "archive.clock").level, Level::Fail, "{found:?}");
}
