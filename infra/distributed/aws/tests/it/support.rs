//! Servers from the environment, names of one test's own, and what removes them again.

use std::sync::Arc;
use std::time::Duration;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::{BehaviorVersion, Credentials, Region};
use futures_util::TryStreamExt as _;
use object_store::aws::AmazonS3Builder;
use object_store::client::{ClientOptions, HttpConnector as _, HttpRequestBody, ReqwestConnector};
use object_store::path::Path;
use object_store::signer::Signer as _;
use object_store::{ObjectStore, ObjectStoreExt as _};
use souk_aws::{AwsConfig, AwsKeys, DynamoEventStore};
use souk_domain::Timestamp;
use souk_ports::Clock;

/// Returns a variable that says where a server is.
fn env(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| {
        panic!(
            "{name} is not set: run `cargo xtask test`, or `eval \"$(cargo xtask services env)\"` after `cargo xtask services up`"
        )
    })
}

fn keys(id: &str, secret: &str) -> AwsKeys {
    AwsKeys { id: env(id), secret: env(secret), token: None }
}

/// Names that no other test has, on the servers of the environment; removed when dropped.
pub struct Place {
    pub config: AwsConfig,
}

impl Place {
    pub fn new() -> Self {
        let unique = uuid::Uuid::now_v7().simple().to_string();
        let config = AwsConfig {
            region: Some(env("AWS_REGION")),
            dynamo_endpoint: Some(env("DYNAMO_ENDPOINT")),
            keys: Some(keys("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")),
            s3_endpoint: Some(env("MINIO_ENDPOINT")),
            s3_keys: Some(keys("MINIO_ACCESS_KEY", "MINIO_SECRET_KEY")),
            recent_table: format!("souk-test-{unique}-recent"),
            aggregates_table: format!("souk-test-{unique}-aggregates"),
            bucket: format!("souk-test-{unique}"),
            ..AwsConfig::default()
        };
        Self { config }
    }

    /// Returns a client that knows nothing of the store.
    pub fn client(&self) -> Client {
        client(&self.config)
    }

    pub async fn store(&self, now: Timestamp) -> DynamoEventStore {
        DynamoEventStore::connect(&self.config, Arc::new(Still(now))).await.unwrap()
    }
}

/// A clock that stands still.
pub struct Still(pub Timestamp);

impl Clock for Still {
    fn now(&self) -> Timestamp {
        self.0
    }
}

fn client(config: &AwsConfig) -> Client {
    let keys = config.keys.as_ref().unwrap();
    let config = aws_sdk_dynamodb::Config::builder()
        .behavior_version(BehaviorVersion::v2026_01_12())
        .http_client(aws_smithy_http_client::Builder::new().build_http())
        .region(Region::new(config.region.clone().unwrap()))
        .endpoint_url(config.dynamo_endpoint.clone().unwrap())
        .credentials_provider(Credentials::new(&keys.id, &keys.secret, None, None, "test"))
        .build();
    Client::from_conf(config)
}

impl Drop for Place {
    fn drop(&mut self) {
        let config = self.config.clone();
        // A runtime of its own: the test's may be ending.
        let removing = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(remove(&config));
        });
        let _ = removing.join();
    }
}

async fn remove(config: &AwsConfig) {
    let client = client(config);
    for table in [&config.recent_table, &config.aggregates_table] {
        let _ = client.delete_table().table_name(table).send().await;
    }
    let keys = config.s3_keys.as_ref().unwrap();
    let store = AmazonS3Builder::new()
        .with_bucket_name(&config.bucket)
        .with_region("us-east-1")
        .with_endpoint(config.s3_endpoint.clone().unwrap())
        .with_allow_http(true)
        .with_access_key_id(&keys.id)
        .with_secret_access_key(&keys.secret)
        .build();
    let Ok(store) = store else { return };
    let Ok(objects) = store.list(None).try_collect::<Vec<_>>().await else { return };
    for object in objects {
        let _ = store.delete(&object.location).await;
    }
    let Ok(url) = store.signed_url(http::Method::DELETE, &Path::default(), Duration::from_secs(60)).await
    else {
        return;
    };
    let options = ClientOptions::new().with_allow_http(true);
    if let Ok(client) = ReqwestConnector::default().connect(&options) {
        let request = http::Request::builder().method("DELETE").uri(url.as_str());
        if let Ok(request) = request.body(HttpRequestBody::empty()) {
            let _ = client.execute(request).await;
        }
    }
}
