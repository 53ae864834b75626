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

/// Reads `scheme://host[:port]`, the form in which browsers send an origin.
fn parse_origin(text: &str) -> Result<HeaderValue, String> {
    let origin = text.parse::<Uri>().ok().filter(|uri| {
        matches!(uri.scheme_str(), Some("http" | "https"))
            && uri.authority().is_some_and(|authority| {
                !authority.as_str().contains('@')
                    && text.len()
                        == uri.scheme_str().map_or(0, str::len) + "://".len() + authority.as_str().len()
            })
    });
    match (origin, HeaderValue::from_str(text)) {
        (Some(_), Ok(value)) => Ok(value),
        _ => Err(format!(
            "'{text}' is no origin: give scheme, host and port without a path, such as https://shop.example or \
             http://localhost:5173, or '*' for all"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_lists_and_the_star() {
        for origins in ["*", " * ", "http://localhost:5173", "https://a.example, http://[::1]:80", ""] {
            assert!(Cors::parse(origins).is_ok(), "{origins}");
        }
    }

    #[test]
    fn names_what_is_no_origin() {
        for origins in ["localhost", "http://a/", "http://a/x", "ftp://a", "http://u@a", "a, *", "null"] {
            let error = Cors::parse(origins).unwrap_err();
            assert!(error.contains('\''), "{error}");
        }
    }
}
