//! Idempotency keys: which request a key belongs to.

use bytes::Bytes;
use http::header::IF_MATCH;
use http::request::Parts;
use sha2::{Digest as _, Sha256};
use souk_http::{Code, Problem};
use souk_ports::{Answer, Applied, Idempotency, fault};

use crate::request::{self, X_SELLER_ID};

const IDEMPOTENCY_KEY: &str = "idempotency-key";

/// Longest key taken.
pub(crate) const MAX_LENGTH: usize = 255;

/// Reads `Idempotency-Key`; `answer` makes the answer that is stored and replayed.
///
/// # Errors
/// `malformed-request` unless it is 1 to 255 printable ASCII characters, spaces included, once.
pub(crate) fn of(
    parts: &Parts,
    body: &Bytes,
    answer: fn(&[Applied]) -> Answer,
) -> Result<Option<Idempotency>, Problem> {
    let Some(key) = request::single(&parts.headers, IDEMPOTENCY_KEY)? else { return Ok(None) };
    if !(1..=MAX_LENGTH).contains(&key.len()) || !key.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
        return Err(Problem::new(
            Code::MalformedRequest,
            format!("header '{IDEMPOTENCY_KEY}' must have 1 to {MAX_LENGTH} printable ASCII characters"),
        ));
    }
    Ok(Some(Idempotency { key: key.into(), fingerprint: fingerprint(parts, body), answer }))
}

/// Digests what makes a request: method, path, seller, condition and body, each with its length in front, so that no
/// two requests run together into the same bytes.
fn fingerprint(parts: &Parts, body: &[u8]) -> [u8; 32] {
    let mut digest = Sha256::new();
    let mut part = |bytes: &[u8]| {
        digest.update((bytes.len() as u64).to_be_bytes());
        digest.update(bytes);
    };
    part(parts.method.as_str().as_bytes());
    part(parts.uri.path().as_bytes());
    for name in [X_SELLER_ID, IF_MATCH.as_str()] {
        let mut values = parts.headers.get_all(name).iter().peekable();
        // An absent header differs from an empty one.
        part(if values.peek().is_some() { b"given" } else { b"absent" });
        for value in values {
            part(value.as_bytes());
        }
    }
    if !fault::planted("fingerprint-without-body") {
        part(body);
    }
    digest.finalize().into()
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    fn of_request(request: http::request::Builder, body: &str) -> [u8; 32] {
        fingerprint(&request.body(()).unwrap().into_parts().0, body.as_bytes())
    }

    #[test]
    fn everything_that_makes_a_request_counts() {
        let post = || Request::post("/products");
        let all = [
            of_request(post(), "{}"),
            of_request(post(), "{} "),
            of_request(Request::put("/products"), "{}"),
            of_request(Request::post("/products/1/stock-adjustments"), "{}"),
            of_request(post().header("x-seller-id", "a"), "{}"),
            of_request(post().header("x-seller-id", ""), "{}"),
            of_request(post().header("if-match", "a"), "{}"),
        ];
        for (index, one) in all.iter().enumerate() {
            assert!(!all[index + 1..].contains(one), "{index}");
        }
        assert_eq!(of_request(post().header("x-request-id", "7"), "{}"), all[0]);
    }
}
