//! The archive on S3 or on a server that speaks the same, such as MinIO.
//!
//! All of the archive's exactness rests on one thing: that the server refuses to write an object that exists. So it
//! is tried before the archive is used. A request whose reply was lost may have taken effect; then the object is in
//! its own way, and whoever archives finds and adopts it.

use std::sync::Arc;
use std::time::Duration;

use ::http::{Method, StatusCode};
use aws_sdk_dynamodb::config::SharedCredentialsProvider;
use bytes::Bytes;
use object_store::aws::{AmazonS3, AmazonS3Builder, S3ConditionalPut};
use object_store::client::{HttpConnector as _, HttpRequest, HttpRequestBody, ReqwestConnector};
use object_store::path::Path;
use object_store::signer::Signer as _;
use object_store::{
    BackoffConfig, ClientOptions, Error, ObjectStore, ObjectStoreExt as _, PutMode, RetryConfig,
};

use crate::config::CONNECT_TIMEOUT;
use crate::credentials::ChainCredentials;
use crate::{AwsConfig, ConnectError};

/// Attempts after the first, and how long all may take; then the archive's consumer says what is wrong and goes on
/// by itself.
const RETRIES: usize = 3;
const RETRY_TIMEOUT: Duration = Duration::from_secs(20);
/// How long the signature of the request that makes the bucket holds.
const SIGNATURE: Duration = Duration::from_secs(300);
/// The object by which the server is tried; made once and left where it is.
const PROBE: &str = "souk/create-only";
/// Where every object of the archive is, for a look whether the bucket is there.
const OBJECTS: &str = "product-events";
/// What S3 says to keys that it does not know or that may not do this.
const REFUSALS: [&str; 3] = ["AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch"];
/// The region whose buckets are made without naming it.
const FIRST_REGION: &str = "us-east-1";

/// A server on which an archive would not be safe, or that could not be tried.
#[derive(Debug, thiserror::Error)]
pub enum CreateOnlyError {
    /// It overwrites.
    #[error(
        "the archive's server overwrites an object that it was asked to create only: use one that has conditional writes (S3, MinIO since 2023)"
    )]
    Overwrites,
    /// It could not be tried.
    #[error("the archive's server could not be tried: {0}")]
    Untried(#[from] Error),
}

/// Opens the bucket, makes it when absent, and tries that the server refuses to overwrite.
///
/// # Errors
/// [`ConnectError::Unreachable`] when trying again may help; [`ConnectError::Refused`] when the bucket is somebody
/// else's, keys are wrong, or the server overwrites.
pub async fn archive(config: &AwsConfig) -> Result<Arc<dyn ObjectStore>, ConnectError> {
    let (store, region) = open(config).await?;
    if !exists(config, &store).await? {
        make_bucket(config, &store, &region).await?;
    }
    match check_create_only(&store).await {
        Ok(()) => Ok(Arc::new(store)),
        Err(error @ CreateOnlyError::Overwrites) => {
            Err(ConnectError::Refused(format!("{}: {error}", place(config))))
        }
        Err(CreateOnlyError::Untried(error)) => Err(connect_error(config, &error)),
    }
}

/// Opens the bucket as it is, for those who only read.
///
/// # Errors
/// As [`archive`], and [`ConnectError::Refused`] when there is no such bucket.
pub async fn existing_archive(config: &AwsConfig) -> Result<Arc<dyn ObjectStore>, ConnectError> {
    let (store, _) = open(config).await?;
    if exists(config, &store).await? {
        return Ok(Arc::new(store));
    }
    Err(ConnectError::Refused(format!(
        "{} does not exist: start `souk analytics` once, or correct ARCHIVE_BUCKET_NAME",
        place(config)
    )))
}

/// Tries whether `store` refuses to write an object that exists.
///
/// # Errors
/// [`CreateOnlyError`].
pub async fn check_create_only(store: &dyn ObjectStore) -> Result<(), CreateOnlyError> {
    let probe = Path::from(PROBE);
    let text = Bytes::from_static(b"souk writes this object once, to see that it is not overwritten\n");
    match store.put_opts(&probe, text.into(), PutMode::Create.into()).await {
        // It is there from an earlier start: refused, as it has to be.
        Err(Error::AlreadyExists { .. }) => return Ok(()),
        Err(error) => return Err(error.into()),
        Ok(_) => {}
    }
    match store.put_opts(&probe, Bytes::from_static(b"overwritten\n").into(), PutMode::Create.into()).await {
        Err(Error::AlreadyExists { .. }) => Ok(()),
        Err(error) => Err(error.into()),
        Ok(_) => {
            // The next look has to find it out anew.
            let _ = store.delete(&probe).await;
            Err(CreateOnlyError::Overwrites)
        }
    }
}

pub(crate) fn place(config: &AwsConfig) -> String {
    match &config.s3_endpoint {
        Some(endpoint) => format!("bucket {} at {endpoint}", config.bucket),
        None => format!("bucket {} on S3", config.bucket),
    }
}

async fn open(config: &AwsConfig) -> Result<(AmazonS3, String), ConnectError> {
    crate::http::choose_cryptography();
    let sdk = config.sdk().await?;
    let region = sdk.region().map_or(FIRST_REGION, |region| region.as_ref()).to_owned();
    let mut builder = AmazonS3Builder::new()
        .with_bucket_name(&config.bucket)
        .with_region(&region)
        .with_conditional_put(S3ConditionalPut::ETagMatch)
        .with_client_options(client_options(config))
        .with_retry(RetryConfig {
            backoff: BackoffConfig::default(),
            max_retries: RETRIES,
            retry_timeout: RETRY_TIMEOUT,
        });
    if let Some(endpoint) = &config.s3_endpoint {
        builder = builder.with_endpoint(endpoint.trim_end_matches('/'));
    }
    builder = match (&config.s3_keys, sdk.credentials_provider()) {
        (Some(keys), _) => builder.with_access_key_id(&keys.id).with_secret_access_key(&keys.secret),
        (None, Some(chain)) => with_chain(builder, chain),
        (None, None) => builder,
    };
    let store = builder
        .build()
        .map_err(|e| ConnectError::Refused(format!("{} cannot be used: {e}", place(config))))?;
    Ok((store, region))
}

fn with_chain(builder: AmazonS3Builder, chain: SharedCredentialsProvider) -> AmazonS3Builder {
    builder.with_credentials(Arc::new(ChainCredentials::new(chain)))
}

fn client_options(config: &AwsConfig) -> ClientOptions {
    let plain = config.s3_endpoint.as_deref().is_some_and(|endpoint| endpoint.starts_with("http://"));
    ClientOptions::new()
        .with_allow_http(plain)
        .with_connect_timeout(CONNECT_TIMEOUT)
        .with_timeout(config.s3_timeout)
}

async fn exists(config: &AwsConfig, store: &AmazonS3) -> Result<bool, ConnectError> {
    match store.list_with_delimiter(Some(&Path::from(OBJECTS))).await {
        Ok(_) => Ok(true),
        // A listing's errors have no kinds of their own.
        Err(error) if error.to_string().contains("<Code>NoSuchBucket</Code>") => Ok(false),
        Err(error) => Err(connect_error(config, &error)),
    }
}

fn connect_error(config: &AwsConfig, error: &Error) -> ConnectError {
    let place = place(config);
    let text = error.to_string();
    if REFUSALS.iter().any(|code| text.contains(&format!("<Code>{code}</Code>"))) {
        return ConnectError::Refused(format!(
            "{place} refuses these keys: {text}; check MINIO_ACCESS_KEY and MINIO_SECRET_KEY, or what AWS's keys may do"
        ));
    }
    ConnectError::Unreachable(format!("{place}: {text}"))
}

/// Makes the bucket by a signed request, which `object_store` has none for.
async fn make_bucket(config: &AwsConfig, store: &AmazonS3, region: &str) -> Result<(), ConnectError> {
    let unreachable =
        |what: String| ConnectError::Unreachable(format!("{} cannot be made: {what}", place(config)));
    let url = store
        .signed_url(Method::PUT, &Path::default(), SIGNATURE)
        .await
        .map_err(|e| unreachable(e.to_string()))?;
    // MinIO takes any region; the first region of AWS takes none.
    let body = if region == FIRST_REGION || config.s3_endpoint.is_some() {
        String::new()
    } else {
        format!(
            "<CreateBucketConfiguration xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><LocationConstraint>{region}</LocationConstraint></CreateBucketConfiguration>"
        )
    };
    let client = ReqwestConnector::default()
        .connect(&client_options(config))
        .map_err(|e| unreachable(e.to_string()))?;
    let request: HttpRequest = ::http::Request::builder()
        .method(Method::PUT)
        .uri(url.as_str())
        .body(HttpRequestBody::from(body))
        .map_err(|e| unreachable(e.to_string()))?;
    let response = client.execute(request).await.map_err(|e| unreachable(e.to_string()))?;
    let status = response.status();
    let answer = response.into_body().bytes().await.unwrap_or_default();
    let answer = String::from_utf8_lossy(&answer);
    match status {
        _ if status.is_success() => {
            tracing::info!("made {}", place(config));
            Ok(())
        }
        // Another process was faster.
        StatusCode::CONFLICT if answer.contains("BucketAlreadyOwnedByYou") => Ok(()),
        _ if status.is_server_error() => Err(unreachable(format!("{status}: {answer}"))),
        _ => Err(ConnectError::Refused(format!(
            "{} cannot be made: {status}: {answer}; name another by ARCHIVE_BUCKET_NAME, or make it by hand",
            place(config)
        ))),
    }
}
