//! Answers with an embedded file: conditional, compressed where the client takes it, for ever in caches.

use axum::body::Body;
use axum::response::Response;
use http::header::{
    ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, ETAG, IF_NONE_MATCH, VARY,
};
use http::{HeaderMap, HeaderValue, StatusCode};

use crate::assets::Asset;

/// The address has a hash of the content in it: what is there never changes.
pub const FOR_EVER: HeaderValue = HeaderValue::from_static("public, max-age=31536000, immutable");
/// Ask each time; unchanged costs a 304.
pub const ASK: HeaderValue = HeaderValue::from_static("no-cache");

/// Answers with `asset`; 304 when the client has it.
pub fn answer(asset: &Asset, headers: &HeaderMap, cache: HeaderValue) -> Response {
    let gzip = asset.gzip && accepts_gzip(headers);
    // Each encoding is a representation of its own, with its own strong tag (RFC 9110, section 8.8.3.3).
    let etag = format!("\"{}{}\"", asset.hash, if gzip { "-gzip" } else { "" });
    let known = is_known(headers, &etag);
    let body = match (known, gzip) {
        (true, _) => Body::empty(),
        (false, true) => Body::from(asset.bytes),
        (false, false) => match asset.content() {
            std::borrow::Cow::Borrowed(bytes) => Body::from(bytes),
            std::borrow::Cow::Owned(bytes) => Body::from(bytes),
        },
    };
    let mut response = Response::new(body);
    let answer = response.headers_mut();
    answer.insert(CACHE_CONTROL, cache);
    answer.insert(ETAG, HeaderValue::try_from(etag).expect("a hash in quotes is visible ASCII"));
    if asset.gzip {
        answer.append(VARY, HeaderValue::from_static("accept-encoding"));
    }
    if known {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        return response;
    }
    answer.insert(CONTENT_TYPE, HeaderValue::from_static(asset.media_type));
    if gzip {
        answer.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    response
}

/// Tells whether `If-None-Match` names the tag, or everything (RFC 9110, section 13.1.2: weak comparison).
fn is_known(headers: &HeaderMap, etag: &str) -> bool {
    list(headers, &IF_NONE_MATCH).any(|tag| tag == "*" || tag.strip_prefix("W/").unwrap_or(tag) == etag)
}

/// Tells whether the client takes gzip (RFC 9110, section 12.5.3): named with a weight above 0, or by `*` where it is not
/// named.
fn accepts_gzip(headers: &HeaderMap) -> bool {
    let mut others = false;
    for coding in list(headers, &ACCEPT_ENCODING) {
        let (name, parameters) = coding.split_once(';').unwrap_or((coding, ""));
        let weight = parameters.trim().strip_prefix("q=").map_or(Ok(1.0), str::parse::<f32>);
        let taken = weight.is_ok_and(|weight| weight > 0.0);
        match name.trim() {
            name if name.eq_ignore_ascii_case("gzip") || name.eq_ignore_ascii_case("x-gzip") => return taken,
            "*" => others = taken,
            _ => {}
        }
    }
    others
}

/// Returns the members of a list header, over all its lines.
fn list<'a>(headers: &'a HeaderMap, name: &http::HeaderName) -> impl Iterator<Item = &'a str> {
    let lines = headers.get_all(name).into_iter();
    lines.filter_map(|line| line.to_str().ok()).flat_map(|line| line.split(',')).map(str::trim)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(name: http::HeaderName, value: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(name, HeaderValue::from_static(value))])
    }

    #[test]
    fn reads_which_encodings_are_taken() {
        for taken in ["gzip", "deflate, gzip;q=0.5, br", "GZIP", "*", "br, *;q=0.1", "x-gzip", "gzip; q=1"] {
            assert!(accepts_gzip(&with(ACCEPT_ENCODING, taken)), "{taken}");
        }
        for refused in ["", "identity", "gzip;q=0", "gzip;q=0, *", "br", "gzip;q=x", "*;q=0"] {
            assert!(!accepts_gzip(&with(ACCEPT_ENCODING, refused)), "{refused}");
        }
        assert!(!accepts_gzip(&HeaderMap::new()));
    }

    #[test]
    fn reads_which_versions_are_known() {
        for known in ["\"a\"", "\"b\", \"a\"", "W/\"a\"", "*"] {
            assert!(is_known(&with(IF_NONE_MATCH, known), "\"a\""), "{known}");
        }
        for other in ["\"b\"", "a", "\"a-gzip\"", ""] {
            assert!(!is_known(&with(IF_NONE_MATCH, other), "\"a\""), "{other}");
        }
    }
}
