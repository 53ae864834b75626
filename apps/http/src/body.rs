//! Reading of request bodies: JSON only, bounded in size and time.

use std::time::Duration;

use axum::body::{Body, HttpBody as _};
use bytes::{Bytes, BytesMut};
use http::header::{CONTENT_ENCODING, CONTENT_TYPE, EXPECT};
use http::{HeaderMap, HeaderValue};
use http_body_util::BodyExt as _;

use crate::{Code, Problem};

/// Largest body taken, 1 MiB: an order of 500 lines has a tenth of it.
pub const BODY_LIMIT: usize = 1 << 20;

/// Most bytes read and thrown away before a refusal, 8 MiB: an ordinary client sends its whole body before it looks
/// at the answer, and would see a reset connection instead.
const DRAIN_LIMIT: usize = 8 << 20;

/// Longest time that a body may take as a whole, whatever its pace.
const BODY_TIMEOUT: Duration = Duration::from_secs(30);

/// Reads a JSON body as bytes; it is not parsed yet.
///
/// # Errors
/// `unsupported-media-type` unless `Content-Type` is `application/json` or `application/…+json`, without
/// `Content-Encoding`; `payload-too-large` beyond [`BODY_LIMIT`]; `malformed-request` when it breaks off or takes
/// longer than 30 s.
pub async fn read_json(headers: &HeaderMap, body: Body) -> Result<Bytes, Problem> {
    if let Err(problem) = check_media_type(headers) {
        drain(headers, body).await;
        return Err(problem);
    }
    match tokio::time::timeout(BODY_TIMEOUT, collect(headers, body)).await {
        Ok(result) => result,
        Err(_) => Err(Problem::new(
            Code::MalformedRequest,
            format!(
                "the body did not arrive within {} s: send it faster, or less at once",
                BODY_TIMEOUT.as_secs()
            ),
        )),
    }
}

/// Reads and throws away what is left of a body that is refused, up to 8 MiB and 30 s; nothing when the client
/// waits for a word before it sends one (`Expect: 100-continue`).
pub async fn drain(headers: &HeaderMap, body: Body) {
    if !body.is_end_stream() && !waits_for_word(headers) {
        // How it ends makes no difference: the answer is a refusal anyway.
        let _ = tokio::time::timeout(BODY_TIMEOUT, skip(body, 0)).await;
    }
}

async fn collect(headers: &HeaderMap, mut body: Body) -> Result<Bytes, Problem> {
    if body.size_hint().lower() > BODY_LIMIT as u64 {
        if !waits_for_word(headers) {
            skip(body, 0).await;
        }
        return Err(too_large());
    }
    // Nearly every body comes in one piece, which is then taken as it is.
    let Some(first) = next_data(&mut body).await? else { return Ok(Bytes::new()) };
    if body.is_end_stream() && first.len() <= BODY_LIMIT {
        return Ok(first);
    }
    let expected = usize::try_from(body.size_hint().lower()).unwrap_or(0);
    let mut whole = BytesMut::with_capacity((first.len() + expected).min(BODY_LIMIT));
    whole.extend_from_slice(&first);
    while let Some(data) = next_data(&mut body).await? {
        if whole.len() + data.len() > BODY_LIMIT {
            skip(body, whole.len() + data.len()).await;
            return Err(too_large());
        }
        whole.extend_from_slice(&data);
    }
    Ok(whole.freeze())
}

async fn next_data(body: &mut Body) -> Result<Option<Bytes>, Problem> {
    loop {
        match body.frame().await {
            None => return Ok(None),
            Some(Ok(frame)) => {
                // Trailers carry nothing that we read.
                if let Ok(data) = frame.into_data() {
                    return Ok(Some(data));
                }
            }
            Some(Err(error)) => {
                return Err(Problem::new(Code::MalformedRequest, format!("the body broke off: {error}")));
            }
        }
    }
}

async fn skip(mut body: Body, mut read: usize) {
    while read <= DRAIN_LIMIT {
        match next_data(&mut body).await {
            Ok(Some(data)) => read += data.len(),
            Ok(None) | Err(_) => return,
        }
    }
}

fn waits_for_word(headers: &HeaderMap) -> bool {
    headers.get(EXPECT).is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"100-continue"))
}

fn too_large() -> Problem {
    Problem::new(
        Code::PayloadTooLarge,
        format!("the body is larger than {BODY_LIMIT} bytes: send less at once"),
    )
}

fn check_media_type(headers: &HeaderMap) -> Result<(), Problem> {
    let refuse = |what: String| {
        Problem::new(
            Code::UnsupportedMediaType,
            format!("{what}: send JSON with 'Content-Type: application/json'"),
        )
    };
    match headers.get(CONTENT_TYPE) {
        Some(value) if is_json(value) => {}
        Some(value) => {
            return Err(refuse(format!("the body is {}", String::from_utf8_lossy(value.as_bytes()))));
        }
        None => return Err(refuse("the body has no Content-Type".to_owned())),
    }
    match headers.get(CONTENT_ENCODING) {
        Some(coding) if !coding.as_bytes().eq_ignore_ascii_case(b"identity") => {
            Err(refuse("the body is compressed, send it plain".to_owned()))
        }
        _ => Ok(()),
    }
}

/// Tells whether a media type is `application/json` or `application/…+json`, whatever its parameters.
fn is_json(value: &HeaderValue) -> bool {
    let Ok(value) = value.to_str() else { return false };
    let essence = value.split(';').next().unwrap_or_default().trim();
    let Some((kind, subtype)) = essence.split_once('/') else { return false };
    let suffix = subtype.rsplit_once('+').map_or(subtype, |(_, suffix)| suffix);
    kind.eq_ignore_ascii_case("application") && suffix.eq_ignore_ascii_case("json")
}
