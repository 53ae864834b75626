//! TLS towards the server.

use std::sync::OnceLock;

use openssl::error::ErrorStack;
use openssl::ssl::{SslConnector, SslConnectorBuilder, SslFiletype, SslMethod, SslVerifyMode};
use openssl::x509::store::X509StoreBuilder;
use postgres_openssl::MakeTlsConnector;
use souk_ports::fault;

/// What is wanted of the server's certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verify {
    /// Any will do.
    Nothing,
    /// One of an authority that is trusted.
    Authority,
    /// That, and the host's name in it.
    AuthorityAndName,
}

/// How the link is secured.
#[derive(Debug, Clone)]
pub(crate) struct Tls {
    pub verify: Verify,
    /// A file of authorities; `None`: the system's.
    pub root: Option<String>,
    /// The client's own certificate chain.
    pub certificate: Option<String>,
    /// Its key.
    pub key: Option<String>,
}

impl Tls {
    /// Makes what connects. Files are read each time, since certificates are renewed under a running service.
    ///
    /// # Errors
    /// A text that names the file that cannot be read.
    pub fn connector(&self) -> Result<MakeTlsConnector, String> {
        /// Where no file is read, one serves all: OpenSSL reads the authorities that it was built to look for, whether
        /// they are asked for or not, which takes longer than everything else that a connection does.
        static OF_NO_FILE: OnceLock<MakeTlsConnector> = OnceLock::new();
        if self.verify != Verify::Nothing || self.certificate.is_some() || self.key.is_some() {
            return self.make();
        }
        if let Some(made) = OF_NO_FILE.get() {
            return Ok(made.clone());
        }
        let made = self.make()?;
        Ok(OF_NO_FILE.get_or_init(|| made).clone())
    }

    fn make(&self) -> Result<MakeTlsConnector, String> {
        let unavailable = |error| format!("TLS is not available: {error}");
        let mut builder = SslConnector::builder(SslMethod::tls()).map_err(unavailable)?;
        if !fault::planted("trusts-more-than-named") {
            // It trusts already whom it was built to trust, beside whom it is told to.
            builder.set_cert_store(X509StoreBuilder::new().map_err(unavailable)?.build());
        }
        match (self.verify, &self.root) {
            (Verify::Nothing, _) => builder.set_verify(SslVerifyMode::NONE),
            (_, Some(file)) => {
                builder.set_ca_file(file).map_err(|error| unreadable("sslrootcert", file, &error))?;
            }
            (_, None) => trust_the_system(&mut builder),
        }
        if let Some(file) = &self.certificate {
            builder.set_certificate_chain_file(file).map_err(|error| unreadable("sslcert", file, &error))?;
        }
        if let Some(file) = &self.key {
            builder
                .set_private_key_file(file, SslFiletype::PEM)
                .map_err(|error| unreadable("sslkey", file, &error))?;
        }
        let mut connector = MakeTlsConnector::new(builder.build());
        let by_name = self.verify == Verify::AuthorityAndName;
        connector.set_callback(move |connection, _| {
            connection.set_verify_hostname(by_name);
            Ok(())
        });
        Ok(connector)
    }
}

fn unreadable(parameter: &str, file: &str, error: &ErrorStack) -> String {
    format!("names {parameter}={file}, which cannot be read as PEM: {error}")
}

/// The built-in OpenSSL knows no system: its authorities are looked for where systems keep them.
fn trust_the_system(builder: &mut SslConnectorBuilder) {
    let found = openssl_probe::probe();
    if let Some(file) = &found.cert_file {
        // One that cannot be read leaves nothing trusted, and the handshake says so.
        let _ = builder.set_ca_file(file);
    }
    for folder in &found.cert_dir {
        let _ = builder.load_verify_locations(None, Some(folder));
    }
}
