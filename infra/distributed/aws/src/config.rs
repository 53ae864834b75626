//! Where DynamoDB and S3 are and whose keys are used, and the client made of it.

use std::fmt;
use std::time::Duration;

use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::Credentials;

use crate::ConnectError;

/// How long a connection may take to open: another zone answers within milliseconds.
pub(crate) const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// How long one attempt of a request to DynamoDB may take; its own limit for slow requests is of this size.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long all attempts of a request may take; then the caller says what is wrong and tries again itself.
const OPERATION_TIMEOUT: Duration = Duration::from_secs(15);
/// Attempts of a request; a throttled table or a restarted connection has often passed by then.
const ATTEMPTS: u32 = 4;
/// The first pause between attempts, doubled each time, with jitter.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
/// How long a request to S3 may take: an object has at most a few megabytes.
const S3_TIMEOUT: Duration = Duration::from_secs(30);
/// The same for a test that has to see it pass.
const HURRIED_S3_TIMEOUT: Duration = Duration::from_secs(5);
/// The region of servers that have none.
const LOCAL_REGION: &str = "us-east-1";

/// A pair of keys; only what is no secret is ever shown.
#[derive(Clone, PartialEq, Eq)]
pub struct AwsKeys {
    /// `AWS_ACCESS_KEY_ID` or `MINIO_ACCESS_KEY`.
    pub id: String,
    /// `AWS_SECRET_ACCESS_KEY` or `MINIO_SECRET_KEY`.
    pub secret: String,
    /// `AWS_SESSION_TOKEN`: keys that expire are worth nothing without it.
    pub token: Option<String>,
}

impl fmt::Debug for AwsKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AwsKeys").field("id", &self.id).finish_non_exhaustive()
    }
}

/// Where DynamoDB and S3 are, and what things are called there.
#[derive(Debug, Clone)]
pub struct AwsConfig {
    /// `AWS_REGION`; `None`: as the SDK's own chain finds it, or any for servers named below.
    pub region: Option<String>,
    /// `DYNAMO_ENDPOINT`; `None`: the real DynamoDB.
    pub dynamo_endpoint: Option<String>,
    /// `AWS_ACCESS_KEY_ID` and `AWS_SECRET_ACCESS_KEY` where they are known from elsewhere than the environment;
    /// `None`: the SDK's own chain (environment, profile, container, instance).
    pub keys: Option<AwsKeys>,
    /// `MINIO_ENDPOINT`; `None`: the real S3.
    pub s3_endpoint: Option<String>,
    /// `MINIO_ACCESS_KEY` and `MINIO_SECRET_KEY`; `None`: the same keys as for DynamoDB.
    pub s3_keys: Option<AwsKeys>,
    /// `RECENT_EVENTS_TABLE_NAME`.
    pub recent_table: String,
    /// `AGGREGATES_TABLE_NAME`.
    pub aggregates_table: String,
    /// `ARCHIVE_BUCKET_NAME`.
    pub bucket: String,
    /// How long a request to S3 may take.
    pub s3_timeout: Duration,
    /// `RECENT_EVENTS_RETENTION`.
    pub recent_retention: Duration,
    /// Events of one seller (or type, or of all) in a second that one shard of an index takes. A partition of
    /// DynamoDB takes 1,000 write units a second, an event is one or two: half of that leaves room for bursts.
    pub events_per_shard: u32,
}

impl Default for AwsConfig {
    /// The real AWS with the names of the design.
    fn default() -> Self {
        Self {
            region: None,
            dynamo_endpoint: None,
            keys: None,
            s3_endpoint: None,
            s3_keys: None,
            recent_table: "RecentEvents".to_owned(),
            aggregates_table: "Aggregates".to_owned(),
            bucket: "event-archive".to_owned(),
            s3_timeout: if souk_ports::fault::hurried() { HURRIED_S3_TIMEOUT } else { S3_TIMEOUT },
            recent_retention: Duration::from_secs(7 * 86_400),
            events_per_shard: 250,
        }
    }
}

impl AwsConfig {
    /// Returns what AWS's own chain and these settings say together.
    pub(crate) async fn sdk(&self) -> Result<SdkConfig, ConnectError> {
        let mut loader =
            aws_config::defaults(BehaviorVersion::v2026_01_12()).http_client(crate::http::sdk_client());
        // For the archive's client, which is built without a choice of its own.
        crate::http::choose_cryptography();
        let local = self.dynamo_endpoint.is_some() && self.s3_endpoint.is_some();
        match (&self.region, local) {
            (Some(region), _) => loader = loader.region(Region::new(region.clone())),
            (None, true) => loader = loader.region(Region::new(LOCAL_REGION)),
            (None, false) => {}
        }
        if let Some(AwsKeys { id, secret, token }) = &self.keys {
            loader = loader.credentials_provider(Credentials::new(id, secret, token.clone(), None, "souk"));
        }
        let sdk = loader.load().await;
        if sdk.region().is_none() {
            return Err(ConnectError::Refused(
                "AWS_REGION is not set and no profile or instance tells it: set it to the region of the tables"
                    .to_owned(),
            ));
        }
        Ok(sdk)
    }

    /// Returns a client of DynamoDB.
    pub(crate) fn dynamo(&self, sdk: &SdkConfig) -> Client {
        let retries = RetryConfig::standard().with_max_attempts(ATTEMPTS).with_initial_backoff(FIRST_PAUSE);
        let timeouts = TimeoutConfig::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .operation_attempt_timeout(ATTEMPT_TIMEOUT)
            .operation_timeout(OPERATION_TIMEOUT)
            .build();
        let mut config =
            aws_sdk_dynamodb::config::Builder::from(sdk).retry_config(retries).timeout_config(timeouts);
        if let Some(endpoint) = &self.dynamo_endpoint {
            config = config.endpoint_url(endpoint);
        }
        Client::from_conf(config.build())
    }

    /// Tells where DynamoDB is, for people.
    pub(crate) fn dynamo_place(&self) -> String {
        match &self.dynamo_endpoint {
            Some(endpoint) => format!("DynamoDB at {endpoint}"),
            None => "DynamoDB on AWS".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use aws_sdk_dynamodb::config::ProvideCredentials as _;
    use object_store::CredentialProvider as _;

    use super::*;
    use crate::credentials::ChainCredentials;

    fn keys() -> AwsKeys {
        let token = Some("session456".to_owned());
        AwsKeys { id: "minio".to_owned(), secret: "minio123".to_owned(), token }
    }

    #[test]
    fn secrets_are_never_shown() {
        let config = AwsConfig { s3_keys: Some(keys()), ..AwsConfig::default() };
        let shown = format!("{config:?}");
        assert!(shown.contains("minio"), "{shown}");
        assert!(!shown.contains("minio123") && !shown.contains("session456"), "{shown}");
    }

    #[tokio::test]
    async fn keys_that_expire_come_with_their_token_for_tables_and_bucket() {
        let region = Some("eu-central-1".to_owned());
        let config = AwsConfig { region, keys: Some(keys()), ..AwsConfig::default() };
        let chain = config.sdk().await.unwrap().credentials_provider().unwrap();
        let found = chain.provide_credentials().await.unwrap();
        assert_eq!((found.access_key_id(), found.session_token()), ("minio", Some("session456")));
        let of_bucket = ChainCredentials::new(chain).get_credential().await.unwrap();
        assert_eq!(of_bucket.token.as_deref(), Some("session456"));
    }
}
