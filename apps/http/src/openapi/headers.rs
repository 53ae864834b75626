//! Headers of answers.

use serde_json::{Value, json};

/// The id of the request, in every answer.
pub const X_REQUEST_ID: &str = "X-Request-Id";
/// A product's version in quotes.
pub const ETAG: &str = "ETag";
/// Where what was made is.
pub const LOCATION: &str = "Location";
/// Where the next page is.
pub const LINK: &str = "Link";
/// How long to wait.
pub const RETRY_AFTER: &str = "Retry-After";
/// That an answer was stored before.
pub const IDEMPOTENT_REPLAYED: &str = "Idempotent-Replayed";
/// Which methods a resource knows.
pub const ALLOW: &str = "Allow";
/// Whether the answer may be kept.
pub const CACHE_CONTROL: &str = "Cache-Control";
/// Whether a proxy may hold the answer back.
pub const X_ACCEL_BUFFERING: &str = "X-Accel-Buffering";
/// How the body is compressed.
pub const CONTENT_ENCODING: &str = "Content-Encoding";
/// What a page may do.
pub const CONTENT_SECURITY_POLICY: &str = "Content-Security-Policy";

/// Returns each as the document has it: always there, unless the answer says otherwise.
pub(super) fn all() -> [(&'static str, Value); 11] {
    let header = |description: &str, schema: Value, example: Value| json!({"description": description, "required": true, "schema": schema, "example": example});
    let text = |pattern: &str| json!({"type": "string", "pattern": pattern});
    [
        (
            X_REQUEST_ID,
            header(
                "The request's own id when that is 1 to 128 of A-Za-z0-9._-, else a new one; the log has it, too.",
                text("^[A-Za-z0-9._-]{1,128}$"),
                json!("8c2f6b1f9d3e4a57-0000000001"),
            ),
        ),
        (
            ETAG,
            header(
                "The product's version in quotes, for If-Match and If-None-Match.",
                text("^\"[1-9][0-9]*\"$"),
                json!("\"1\""),
            ),
        ),
        (
            LOCATION,
            header(
                "Where the product is.",
                json!({"type": "string", "format": "uri-reference"}),
                json!("/products/01990000-0000-7000-8000-000000000001"),
            ),
        ),
        (
            LINK,
            header(
                "The next page, when there is one: rel=\"next\" (RFC 8288).",
                text("^<[^>]+>; rel=\"next\"$"),
                json!("</products?limit=50&cursor=bGFzdA>; rel=\"next\""),
            ),
        ),
        (
            RETRY_AFTER,
            header(
                "After how many seconds to repeat the request.",
                json!({"type": "integer", "minimum": 1}),
                json!(1),
            ),
        ),
        (
            IDEMPOTENT_REPLAYED,
            header(
                "The answer is the one that was given when the key was first used.",
                json!({"type": "string", "const": "true"}),
                json!("true"),
            ),
        ),
        (
            ALLOW,
            header(
                "The methods that the resource knows.",
                text("^[A-Z]+(, ?[A-Z]+)*$"),
                json!("GET,HEAD,POST"),
            ),
        ),
        (
            CACHE_CONTROL,
            header("Whether the answer may be kept, and how long.", text("^[a-z]"), json!("no-store")),
        ),
        (
            X_ACCEL_BUFFERING,
            header("Asks proxies, nginx above all, to hold nothing back.", text("^no$"), json!("no")),
        ),
        (
            CONTENT_ENCODING,
            header("How the body is compressed, for clients that take it.", text("^gzip$"), json!("gzip")),
        ),
        (
            CONTENT_SECURITY_POLICY,
            header("What the page may do.", text("^default-src "), json!("default-src 'none'")),
        ),
    ]
}
