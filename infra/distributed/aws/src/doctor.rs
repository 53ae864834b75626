//! What there is to look at in DynamoDB and S3, for `souk doctor`: changes nothing, but for an object that is written
//! and removed again.

use std::time::{SystemTime, UNIX_EPOCH};

use aws_sdk_dynamodb::primitives::{DateTime, DateTimeFormat};
use bytes::Bytes;
use object_store::path::Path;
use object_store::{Error, ObjectStore, ObjectStoreExt as _, PutMode};
use souk_ports::{Finding, Findings, clock_skew};

use crate::tables::{self, TableState};
use crate::{AwsConfig, ConnectError, archive};

/// Where the object lies by which the server is tried; its name ends in the time.
const PROBE: &str = "souk/doctor-";

/// Examines the tables.
pub async fn examine_dynamodb(config: &AwsConfig, findings: Findings<'_>) {
    const REMEDY: &str = "start the server, or correct DYNAMO_ENDPOINT";
    let states = match tables::check_tables(config).await {
        Ok(states) => states,
        Err(ConnectError::Unreachable(text)) => {
            return findings(Finding::unreachable("dynamodb", text, REMEDY));
        }
        Err(ConnectError::Refused(text)) => {
            let remedy =
                "correct AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_REGION, or what they may do";
            return findings(Finding::fail("dynamodb", text, remedy));
        }
    };
    findings(Finding::ok("dynamodb", format!("{} answers", config.dynamo_place())));
    for (table, state) in states {
        let name = format!("dynamodb.{table}");
        findings(match state {
            TableState::Fits => Finding::ok(&name, "its keys and indexes fit"),
            TableState::Absent => {
                let remedy =
                    "start `souk analytics` or `souk up`, which makes it, or correct the table's name";
                Finding::warn(&name, "there is no such table yet", remedy)
            }
            TableState::Differs(why) => {
                Finding::fail(&name, why, "name another table, or remove this one when nobody needs it")
            }
        });
    }
    if let Some(finding) = expiry(config).await {
        findings(finding);
    }
    let endpoint = config.dynamo_endpoint.clone();
    clock("dynamodb", endpoint.unwrap_or_else(|| aws_endpoint(config, "dynamodb")), findings).await;
}

/// Tells whether old recent events are removed; nothing where there is no table.
async fn expiry(config: &AwsConfig) -> Option<Finding> {
    let name = format!("dynamodb.{}.ttl", config.recent_table);
    match tables::expires(config).await {
        Ok(None) => None,
        Ok(Some(true)) => Some(Finding::ok(&name, "old events are removed")),
        Ok(Some(false)) => {
            let detail = "old events are never removed: the table grows for ever";
            let remedy = format!(
                "start `souk analytics` once, which switches it on, or do it by hand: time to live by the attribute `{}`",
                tables::TTL
            );
            Some(Finding::warn(&name, detail, remedy))
        }
        Err(text) => Some(Finding::warn(&name, text, "let the keys describe time to live")),
    }
}

/// Examines the bucket.
pub async fn examine_archive(config: &AwsConfig, findings: Findings<'_>) {
    let store = match archive::existing_archive(config).await {
        Ok(store) => store,
        Err(ConnectError::Unreachable(text)) => {
            let remedy = "start the server, or correct MINIO_ENDPOINT";
            return findings(Finding::unreachable("archive", text, remedy));
        }
        Err(ConnectError::Refused(text)) if text.contains("does not exist") => {
            let text = text.split(": start").next().unwrap_or_default();
            let remedy =
                "start `souk analytics` or `souk up`, which makes it, or correct ARCHIVE_BUCKET_NAME";
            return findings(Finding::warn("archive", text, remedy));
        }
        Err(ConnectError::Refused(text)) => {
            let remedy = "correct MINIO_ACCESS_KEY and MINIO_SECRET_KEY, or what they may do";
            return findings(Finding::fail("archive", text, remedy));
        }
    };
    findings(Finding::ok("archive", format!("{} answers", archive::place(config))));
    let name = now_ms().to_string();
    findings(create_only(&*store, &Path::from(format!("{PROBE}{name}"))).await);
    let endpoint = config.s3_endpoint.clone();
    clock("archive", endpoint.unwrap_or_else(|| aws_endpoint(config, "s3")), findings).await;
}

/// Writes an object twice, the second time in vain, and removes it.
async fn create_only(store: &dyn ObjectStore, probe: &Path) -> Finding {
    const NAME: &str = "archive.create-only";
    let put = async |text: &'static [u8]| {
        store.put_opts(probe, Bytes::from_static(text).into(), PutMode::Create.into()).await
    };
    let (first, second) = match put(b"written by souk doctor\n").await {
        Ok(_) => (Ok(()), put(b"overwritten\n").await),
        Err(error) => {
            (Err(error), Err(Error::NotImplemented { operation: String::new(), implementer: String::new() }))
        }
    };
    let removed = store.delete(probe).await;
    match (first, second) {
        (Err(error), _) => Finding::fail(
            NAME,
            format!("an object cannot be written: {error}"),
            "let the keys write and delete in the bucket, and see whether the server has room",
        ),
        (Ok(()), Ok(_)) => Finding::fail(
            NAME,
            "the server overwrites an object that it was asked to create only: archived events could be lost",
            "use a server that has conditional writes (S3, MinIO since 2023), with nothing in between that drops \
             If-None-Match",
        ),
        (Ok(()), Err(Error::AlreadyExists { .. })) => match removed {
            Ok(()) => Finding::ok(NAME, "an object that exists is not overwritten"),
            Err(error) => Finding::warn(
                NAME,
                format!("an object that exists is not overwritten, but {probe} cannot be removed: {error}"),
                "remove it by hand; souk itself never needs to delete",
            ),
        },
        (Ok(()), Err(error)) => Finding::fail(
            NAME,
            format!("an object that exists is refused with another error than it should be: {error}"),
            "see the server's log",
        ),
    }
}

fn aws_endpoint(config: &AwsConfig, service: &str) -> String {
    let region = config.region.clone().or_else(|| std::env::var("AWS_REGION").ok());
    format!("https://{service}.{}.amazonaws.com", region.as_deref().unwrap_or("us-east-1"))
}

/// Compares clocks by the `Date` of any answer.
async fn clock(server: &str, endpoint: String, findings: Findings<'_>) {
    crate::http::choose_cryptography();
    let before = now_ms();
    let Ok(answer) = reqwest::Client::new().get(&endpoint).send().await else { return };
    let ours = (before + now_ms()) / 2;
    let date = answer.headers().get("date").and_then(|date| date.to_str().ok());
    let date = date.and_then(|date| DateTime::from_str(date, DateTimeFormat::HttpDate).ok());
    let Some(theirs) = date.and_then(|date| date.to_millis().ok()) else { return };
    // The header has whole seconds: half of one is the best guess.
    let skew = theirs + 500 - ours;
    findings(clock_skew(&format!("{server}.clock"), if skew.abs() <= 500 { 0 } else { skew }));
}

fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}
