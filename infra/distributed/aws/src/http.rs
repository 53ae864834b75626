//! HTTPS for the AWS SDK and for `object_store`, both on ring: it compiles in seconds, where the SDK's default takes a
//! minute of two cores.

use aws_sdk_dynamodb::config::SharedHttpClient;
use aws_smithy_http_client::tls::Provider;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;

/// Returns the HTTP client that every SDK configuration has to be given (`.http_client(…)`): the SDK is built without
/// one of its own.
pub(crate) fn sdk_client() -> SharedHttpClient {
    aws_smithy_http_client::Builder::new().tls_provider(Provider::Rustls(CryptoMode::Ring)).build_https()
}

/// Chooses the process's cryptography; has to be called before an `object_store` client is built.
pub(crate) fn choose_cryptography() {
    // An error says that somebody has chosen before, which is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
}
