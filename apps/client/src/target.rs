//! Where a service is, and the errors that name it.

use std::io;
use std::time::Duration;

use tokio::net::TcpStream;

use crate::ClientError;
use crate::link::Link;

/// Longest wait for a connection: beyond it a host is taken as gone rather than slow.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Where a service is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// The service, for messages.
    pub service: &'static str,
    /// As in `Host:`.
    pub authority: String,
    /// What precedes every path, without a slash at its end.
    pub path: String,
    host: String,
    port: u16,
    /// Whether https is spoken there.
    secured: bool,
}

impl Target {
    /// Reads an `http://` or `https://` URL.
    ///
    /// # Errors
    /// [`ClientError::Url`] with what is wrong with it.
    pub fn parse(service: &'static str, url: &str) -> Result<Self, ClientError> {
        let wrong = |why: &str| {
            ClientError::Url(format!("the URL of {service} is {url:?}; {why}, such as http://localhost:3000"))
        };
        let (rest, secured) = match (url.strip_prefix("http://"), url.strip_prefix("https://")) {
            (Some(rest), _) => (rest, false),
            (None, Some(rest)) => (rest, true),
            (None, None) => return Err(wrong("it has to begin with http:// or https://")),
        };
        let (authority, path) = rest.find('/').map_or((rest, ""), |slash| rest.split_at(slash));
        let sane = |text: &str| text.bytes().all(|byte| byte.is_ascii_graphic());
        if !sane(authority) || !sane(path) || authority.contains(['@', '?', '#']) {
            return Err(wrong("it has to name a host and a port"));
        }
        let (host, port) = match authority.rsplit_once(':') {
            Some((host, port)) if !port.ends_with(']') => {
                (host, port.parse().map_err(|_| wrong("its port has to be a number"))?)
            }
            _ => (authority, if secured { 443 } else { 80 }),
        };
        let host = host.trim_start_matches('[').trim_end_matches(']');
        if host.is_empty() {
            return Err(wrong("it has to name a host"));
        }
        Ok(Self {
            service,
            authority: authority.to_owned(),
            path: path.trim_end_matches('/').to_owned(),
            host: host.to_owned(),
            port,
            secured,
        })
    }

    /// Returns another service on the same host.
    pub fn beside(&self, service: &'static str, port: u16, path: &str) -> Self {
        let (host, secured) = (self.host.clone(), self.secured);
        let authority =
            if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") };
        Self { service, authority, path: path.to_owned(), host, port, secured }
    }

    /// Returns another service at the same address.
    pub fn sharing(&self, service: &'static str, path: &str) -> Self {
        Self { service, path: path.to_owned(), ..self.clone() }
    }

    /// Returns the URL, as in a browser.
    pub fn url(&self) -> String {
        let scheme = if self.secured { "https" } else { "http" };
        format!("{scheme}://{}{}", self.authority, self.path)
    }

    /// Returns the service itself, where this is its event stream: what `/health` and the like are below.
    pub fn service_base(&self) -> Self {
        let path = self.path.strip_suffix("/events/stream").unwrap_or(&self.path);
        self.sharing(self.service, path)
    }

    /// Opens a connection.
    ///
    /// # Errors
    /// When the host is unknown, refuses, does not answer, or has a certificate that is not trusted.
    pub(crate) async fn connect(&self) -> io::Result<Link> {
        let connect = async {
            let stream = TcpStream::connect((self.host.as_str(), self.port)).await?;
            stream.set_nodelay(true)?;
            if self.secured { Link::secure(stream, &self.host).await } else { Ok(Link::Plain(stream)) }
        };
        tokio::time::timeout(CONNECT_TIMEOUT, connect).await?
    }

    /// Returns the error for a service that does not answer.
    pub fn unreachable(&self, reason: impl ToString) -> ClientError {
        ClientError::Unreachable { service: self.service, url: self.url(), reason: reason.to_string() }
    }

    /// Returns the error for an answer that is not the interface's.
    pub fn unexpected(&self, request: &str, reason: impl ToString) -> ClientError {
        ClientError::Unexpected {
            service: self.service,
            request: request.to_owned(),
            reason: reason.to_string(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_urls() {
        let target = Target::parse("api", "http://localhost:3000/").unwrap();
        assert_eq!((target.host.as_str(), target.port, target.path.as_str()), ("localhost", 3000, ""));
        let target = Target::parse("api", "http://[::1]:80/souk").unwrap();
        assert_eq!((target.host.as_str(), target.port, target.path.as_str()), ("::1", 80, "/souk"));
        let stream = target.beside("x", 3001, "/events/stream");
        assert_eq!(stream.url(), "http://[::1]:3001/events/stream");
        assert_eq!(stream.service_base().url(), "http://[::1]:3001");
        assert_eq!(Target::parse("api", "http://souk.example").unwrap().port, 80);
        let target = Target::parse("api", "https://souk.example/api/").unwrap();
        assert_eq!((target.port, target.url().as_str()), (443, "https://souk.example/api"));
        let beside = target.beside("x", 3001, "").url();
        assert_eq!(beside, "https://souk.example:3001");
    }

    #[test]
    fn refuses_urls_that_it_cannot_use() {
        for url in ["ftp://localhost", "localhost:3000", "http://", "http://a:b", "http://a b", "http://u@h"]
        {
            let error = Target::parse("api", url).unwrap_err().to_string();
            assert!(error.contains("URL of api") && error.contains(url), "{error}");
        }
    }
}
