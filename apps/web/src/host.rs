//! The host under which a visitor knows us, from what the request says of itself; never trusted further than to answer
//! the one who said it.

use http::header::HOST;
use http::uri::Authority;
use http::{HeaderMap, HeaderName};

/// Set by proxies that speak https to the visitor.
const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

/// Scheme, host and port as the visitor sees them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Host {
    scheme: &'static str,
    name: String,
    port: Option<u16>,
}

impl Host {
    /// Reads it; `localhost` where the request names none, or none that is sane.
    pub fn of(headers: &HeaderMap) -> Self {
        let scheme = match headers.get(X_FORWARDED_PROTO) {
            Some(scheme) if scheme == "https" => "https",
            _ => "http",
        };
        let told = headers.get(HOST).and_then(|host| host.to_str().ok()).and_then(parse);
        let (name, port) = told.unwrap_or_else(|| ("localhost".to_owned(), None));
        Self { scheme, name, port }
    }

    /// Returns the page's own origin.
    pub fn origin(&self) -> String {
        match self.port {
            Some(port) => self.at(port),
            None => format!("{}://{}", self.scheme, self.name),
        }
    }

    /// Returns the origin of another port of the same host.
    pub fn at(&self, port: u16) -> String {
        format!("{}://{}:{port}", self.scheme, self.name)
    }

    /// Tells whether a request with this `Origin` comes from our own page. A proxy may have spoken https for us, so that
    /// schemes are not compared.
    pub fn is_origin(&self, origin: &str) -> bool {
        let Some((scheme, authority)) = origin.split_once("://") else { return false };
        let usual = |port: Option<u16>| port.unwrap_or(if scheme == "https" { 443 } else { 80 });
        parse(authority).is_some_and(|(name, port)| {
            name.eq_ignore_ascii_case(&self.name) && usual(port) == usual(self.port)
        })
    }
}

/// Reads `host[:port]`. What is neither name nor address never gets into a header or a page.
fn parse(text: &str) -> Option<(String, Option<u16>)> {
    let authority: Authority = text.parse().ok()?;
    let name = authority.host();
    let inner = name.strip_prefix('[').and_then(|name| name.strip_suffix(']'));
    let sane = match inner {
        Some(address) => address.parse::<std::net::Ipv6Addr>().is_ok(),
        None => {
            !name.is_empty()
                && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_'))
        }
    };
    let has_user = authority.as_str().contains('@');
    let port_is_read = authority.port_u16().is_some() || authority.as_str() == name;
    (sane && !has_user && port_is_read).then(|| (name.to_owned(), authority.port_u16()))
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn of(host: &str) -> Host {
        Host::of(&HeaderMap::from_iter([(HOST, HeaderValue::from_bytes(host.as_bytes()).unwrap())]))
    }

    #[test]
    fn takes_names_and_addresses() {
        for host in ["localhost:5173", "127.0.0.1:80", "[::1]:5173", "shop.example", "my_pc:1"] {
            assert_eq!(of(host).origin(), format!("http://{host}"));
        }
        assert_eq!(of("192.168.0.7:5173").at(3000), "http://192.168.0.7:3000");
    }

    #[test]
    fn what_is_no_host_is_this_machine() {
        for host in
            ["", "a b", "a;script-src *", "user@host", "a/b", "[::x]:1", "host:port", "host:99999", "a'b"]
        {
            assert_eq!(of(host).origin(), "http://localhost", "{host}");
        }
        assert_eq!(Host::of(&HeaderMap::new()).at(3000), "http://localhost:3000");
    }

    #[test]
    fn a_proxy_that_speaks_https_is_believed() {
        let mut headers = HeaderMap::from_iter([(HOST, HeaderValue::from_static("shop.example"))]);
        headers.insert(X_FORWARDED_PROTO, HeaderValue::from_static("https"));
        let host = Host::of(&headers);
        assert_eq!(host.origin(), "https://shop.example");
        assert!(host.is_origin("https://shop.example"));
    }

    #[test]
    fn only_our_own_page_is_our_own_origin() {
        let host = of("localhost:5173");
        assert!(host.is_origin("http://localhost:5173") && host.is_origin("http://LOCALHOST:5173"));
        for other in [
            "null",
            "http://localhost:3000",
            "http://localhost",
            "http://evil.example:5173",
            "localhost:5173",
            "",
        ] {
            assert!(!host.is_origin(other), "{other}");
        }
        assert!(of("shop.example").is_origin("http://shop.example:80"));
        assert!(of("shop.example").is_origin("https://shop.example:443"));
    }
}
