//! AWS's own chain of credentials for S3: what the SDK finds, the archive uses too.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use aws_sdk_dynamodb::config::{ProvideCredentials as _, SharedCredentialsProvider};
use object_store::CredentialProvider;
use object_store::aws::AwsCredential;
use tokio::sync::Mutex;

/// Keys are asked for anew so long before they expire, so that no request is under way with old ones.
const MARGIN: Duration = Duration::from_secs(300);

/// Keys with the time at which they expire, when they do.
type Cached = (Arc<AwsCredential>, Option<SystemTime>);

/// Gives `object_store` the keys that the SDK's chain finds; asks the chain only when the last ones are about to
/// expire, since it may be a request each time.
pub(crate) struct ChainCredentials {
    chain: SharedCredentialsProvider,
    cached: Mutex<Option<Cached>>,
}

impl ChainCredentials {
    pub fn new(chain: SharedCredentialsProvider) -> Self {
        Self { chain, cached: Mutex::new(None) }
    }
}

impl fmt::Debug for ChainCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ChainCredentials")
    }
}

#[async_trait]
impl CredentialProvider for ChainCredentials {
    type Credential = AwsCredential;

    async fn get_credential(&self) -> object_store::Result<Arc<AwsCredential>> {
        let mut cached = self.cached.lock().await;
        if let Some((keys, expiry)) = &*cached
            && expiry.is_none_or(|expiry| expiry > SystemTime::now() + MARGIN)
        {
            return Ok(keys.clone());
        }
        let found = self
            .chain
            .provide_credentials()
            .await
            .map_err(|e| object_store::Error::Generic { store: "S3", source: Box::new(e) })?;
        let keys = Arc::new(AwsCredential {
            key_id: found.access_key_id().to_owned(),
            secret_key: found.secret_access_key().to_owned(),
            token: found.session_token().map(str::to_owned),
        });
        *cached = Some((keys.clone(), found.expiry()));
        Ok(keys)
    }
}
