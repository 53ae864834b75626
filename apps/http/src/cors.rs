//! Cross-origin access: which origins may call, never with credentials.

use std::time::Duration;

use http::{HeaderName, HeaderValue, Method, Uri, header};
use tower_http::cors::{AllowOrigin, CorsLayer};

/// How long a browser may keep a preflight's answer: browsers cap it at one to two hours.
const PREFLIGHT_MAX_AGE: Duration = Duration::from_secs(3600);

/// The origins that may call, with what they may send and see.
#[derive(Debug, Clone)]
pub struct Cors(CorsLayer);

impl Cors {
    /// Reads a comma list of origins, such as `https://shop.example,http://localhost:5173`, or `*` for all.
    ///
    /// # Errors
    /// A text that names the entry that is no origin, and what one looks like.
    pub fn parse(origins: &str) -> Result<Self, String> {
        let origins: Vec<&str> =
            origins.split(',').map(str::trim).filter(|entry| !entry.is_empty()).collect();
        if origins == ["*"] {
            return Ok(Self::with(AllowOrigin::any()));
        }
        if origins.contains(&"*") {
            return Err("'*' stands for all origins: give it alone, or list origins without it".to_owned());
        }
        let origins = origins.into_iter().map(parse_origin).collect::<Result<Vec<_>, _>>()?;
        Ok(Self::with(AllowOrigin::list(origins)))
    }

    /// Allows every origin.
    pub fn any() -> Self {
        Self::with(AllowOrigin::any())
    }

    fn with(origin: AllowOrigin) -> Self {
        let header = HeaderName::from_static;
        Self(
            CorsLayer::new()
                .allow_origin(origin)
                .allow_methods([
                    Method::GET,
                    Method::HEAD,
                    Method::POST,
                    Method::PUT,
                    Method::PATCH,
                    Method::DELETE,
                ])
                .allow_headers([
                    // What a gateway in front asks for; nothing here reads it. `*` would not stand for it (Fetch, 4.9).
                    header::AUTHORIZATION,
                    // Readers of the stream that are not the browser's own send it.
                    header::CACHE_CONTROL,
                    header::CONTENT_TYPE,
                    header::IF_MATCH,
                    header::IF_NONE_MATCH,
                    header("idempotency-key"),
                    header("last-event-id"),
                    header("x-request-id"),
                    header("x-seller-id"),
                ])
                .expose_headers([
                    header::ETAG,
                    header::LOCATION,
                    header::LINK,
                    header::RETRY_AFTER,
                    header("x-request-id"),
                    header("idempotent-replayed"),
                ])
                .max_age(PREFLIGHT_MAX_AGE),
        )
    }

    pub(crate) fn layer(&self) -> &CorsLayer {
        &self.0
    }
}

/// Reads `scheme://host[:port]` and returns it as browsers send it: origins are compared byte for byte, and theirs are in
/// lower case and without the port that the scheme has anyway (Fetch, 3.2; URL, 4.4).
fn parse_origin(text: &str) -> Result<HeaderValue, String> {
    as_browsers_send_it(text).and_then(|origin| HeaderValue::try_from(origin).ok()).ok_or_else(|| {
        format!(
            "'{text}' is no origin: give scheme, host and port without a path, such as https://shop.example or \
             http://localhost:5173, or '*' for all"
        )
    })
}

fn as_browsers_send_it(text: &str) -> Option<String> {
    let uri = text.parse::<Uri>().ok()?;
    let (scheme, authority) = (uri.scheme_str()?.to_ascii_lowercase(), uri.authority()?);
    let usual_port = match scheme.as_str() {
        "http" => 80,
        "https" => 443,
        _ => return None,
    };
    let has_more = text.len() != scheme.len() + "://".len() + authority.as_str().len();
    if has_more || authority.as_str().contains('@') {
        return None;
    }
    let host = Some(authority.host()).filter(|host| !host.is_empty())?;
    let port = match authority.as_str().strip_prefix(host)? {
        "" | ":" => None,
        after => {
            let digits =
                after.strip_prefix(':').filter(|digits| digits.bytes().all(|b| b.is_ascii_digit()))?;
            Some(digits.parse::<u16>().ok()?)
        }
    };
    let host = host.to_ascii_lowercase();
    Some(match port.filter(|port| *port != usual_port) {
        Some(port) => format!("{scheme}://{host}:{port}"),
        None => format!("{scheme}://{host}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_lists_and_the_star() {
        for origins in ["*", " * ", "http://localhost:5173", "https://a.example, http://[::1]:8080", ""] {
            assert!(Cors::parse(origins).is_ok(), "{origins}");
        }
    }

    #[test]
    fn origins_are_kept_as_browsers_send_them() {
        for (text, sent) in [
            ("https://shop.example", "https://shop.example"),
            ("https://Shop.Example", "https://shop.example"),
            ("HTTPS://shop.example:443", "https://shop.example"),
            ("http://shop.example:80", "http://shop.example"),
            ("http://shop.example:", "http://shop.example"),
            ("http://shop.example:0080", "http://shop.example"),
            ("https://shop.example:80", "https://shop.example:80"),
            ("http://shop.example:443", "http://shop.example:443"),
            ("http://LOCALHOST:5173", "http://localhost:5173"),
            ("http://[::1]:80", "http://[::1]"),
            ("http://[2001:DB8::1]:8080", "http://[2001:db8::1]:8080"),
        ] {
            assert_eq!(parse_origin(text).unwrap(), sent, "{text}");
        }
    }

    #[test]
    fn names_what_is_no_origin() {
        for origins in [
            "localhost",
            "http://a/",
            "http://a/x",
            "ftp://a",
            "http://u@a",
            "a, *",
            "null",
            "http://a:65536",
            "http://a:x",
            "http://:80",
        ] {
            let error = Cors::parse(origins).unwrap_err();
            assert!(error.contains('\''), "{error}");
        }
    }
}
