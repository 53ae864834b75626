//! A connection, plain or secured.

use std::io;
use std::pin::Pin;

use openssl::ssl::{SslConnector, SslMethod};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_openssl::SslStream;

/// One connection to a service, or to whoever speaks https before it.
pub(crate) enum Link {
    Plain(TcpStream),
    Secured(Pin<Box<SslStream<TcpStream>>>),
}

impl Link {
    /// Secures a connection to `host`, whose certificate has to be by an authority that the system trusts, or one of
    /// `SSL_CERT_FILE` or `SSL_CERT_DIR`.
    ///
    /// # Errors
    /// When the other side does not speak TLS, or its certificate is not good.
    pub async fn secure(stream: TcpStream, host: &str) -> io::Result<Self> {
        let mut builder = SslConnector::builder(SslMethod::tls()).map_err(io::Error::other)?;
        // The built-in OpenSSL knows no system: its authorities are looked for where systems keep them.
        let found = openssl_probe::probe();
        if let Some(file) = &found.cert_file {
            // One that cannot be read leaves nothing trusted, and the handshake says so.
            let _ = builder.set_ca_file(file);
        }
        for folder in &found.cert_dir {
            let _ = builder.load_verify_locations(None, Some(folder));
        }
        Self::handshake(stream, host, &builder.build()).await
    }

    async fn handshake(stream: TcpStream, host: &str, connector: &SslConnector) -> io::Result<Self> {
        let session = connector.configure().and_then(|it| it.into_ssl(host)).map_err(io::Error::other)?;
        let mut stream = Box::pin(SslStream::new(session, stream).map_err(io::Error::other)?);
        let shaken = stream.as_mut().connect().await;
        shaken.map_err(|error| io::Error::other(format!("no TLS with {host}: {error}{}", hint(&stream))))?;
        Ok(Self::Secured(stream))
    }

    /// Reads what has come into `buffer`; 0 at the end.
    pub async fn read_buf(&mut self, buffer: &mut Vec<u8>) -> io::Result<usize> {
        match self {
            Self::Plain(stream) => stream.read_buf(buffer).await,
            Self::Secured(stream) => stream.read_buf(buffer).await,
        }
    }

    /// Sends all of `bytes`.
    pub async fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Self::Plain(stream) => stream.write_all(bytes).await,
            Self::Secured(stream) => stream.write_all(bytes).await,
        }
    }
}

/// Says what to do about a certificate that is not trusted.
fn hint(stream: &SslStream<TcpStream>) -> String {
    let verdict = stream.ssl().verify_result();
    if verdict == openssl::x509::X509VerifyResult::OK {
        return String::new();
    }
    format!(" ({verdict}; SSL_CERT_FILE names a file of authorities to trust)")
}

#[cfg(test)]
mod tests {
    use openssl::asn1::Asn1Time;
    use openssl::hash::MessageDigest;
    use openssl::pkey::{PKey, Private};
    use openssl::rsa::Rsa;
    use openssl::ssl::{Ssl, SslAcceptor};
    use openssl::x509::extension::SubjectAlternativeName;
    use openssl::x509::{X509, X509NameBuilder};
    use tokio::net::TcpListener;

    use super::*;

    fn certificate() -> (X509, PKey<Private>) {
        let key = PKey::from_rsa(Rsa::generate(2048).unwrap()).unwrap();
        let mut name = X509NameBuilder::new().unwrap();
        name.append_entry_by_text("CN", "localhost").unwrap();
        let name = name.build();
        let mut builder = X509::builder().unwrap();
        builder.set_version(2).unwrap();
        builder.set_subject_name(&name).unwrap();
        builder.set_issuer_name(&name).unwrap();
        builder.set_pubkey(&key).unwrap();
        builder.set_not_before(&Asn1Time::days_from_now(0).unwrap()).unwrap();
        builder.set_not_after(&Asn1Time::days_from_now(2).unwrap()).unwrap();
        let context = builder.x509v3_context(None, None);
        let names = SubjectAlternativeName::new().dns("localhost").build(&context).unwrap();
        builder.append_extension(names).unwrap();
        builder.sign(&key, MessageDigest::sha256()).unwrap();
        (builder.build(), key)
    }

    /// Answers each connection with what it says, and returns where it is.
    async fn echo(certificate: &X509, key: &PKey<Private>) -> std::net::SocketAddr {
        let mut acceptor = SslAcceptor::mozilla_intermediate_v5(SslMethod::tls()).unwrap();
        acceptor.set_certificate(certificate).unwrap();
        acceptor.set_private_key(key).unwrap();
        let acceptor = acceptor.build();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let session = Ssl::new(acceptor.context()).unwrap();
                let mut stream = Box::pin(SslStream::new(session, stream).unwrap());
                if stream.as_mut().accept().await.is_err() {
                    continue;
                }
                let mut said = Vec::new();
                let _ = stream.read_buf(&mut said).await;
                let _ = stream.write_all(&said).await;
            }
        });
        address
    }

    fn trusting(certificate: &X509) -> SslConnector {
        let mut builder = SslConnector::builder(SslMethod::tls()).unwrap();
        builder.cert_store_mut().add_cert(certificate.clone()).unwrap();
        builder.build()
    }

    #[tokio::test]
    async fn a_secured_connection_carries_bytes_both_ways() {
        let (certificate, key) = certificate();
        let address = echo(&certificate, &key).await;
        let stream = TcpStream::connect(address).await.unwrap();
        let mut link = Link::handshake(stream, "localhost", &trusting(&certificate)).await.unwrap();
        link.write_all(b"souk").await.unwrap();
        let mut heard = Vec::new();
        assert_eq!(link.read_buf(&mut heard).await.unwrap(), 4);
        assert_eq!(heard, b"souk");
    }

    #[tokio::test]
    async fn a_stranger_s_certificate_and_another_host_s_are_refused() {
        let (certificate, key) = certificate();
        let address = echo(&certificate, &key).await;
        let stream = TcpStream::connect(address).await.unwrap();
        let error = Link::secure(stream, "localhost").await.err().expect("nobody vouches for it").to_string();
        assert!(error.contains("self-signed") && error.contains("SSL_CERT_FILE"), "{error}");
        let stream = TcpStream::connect(address).await.unwrap();
        let other = Link::handshake(stream, "souk.example", &trusting(&certificate)).await.err();
        assert!(other.expect("it is localhost's").to_string().contains("mismatch"));
    }
}
