//! Parts of query strings that several resources have.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use souk_domain::{SellerId, Timestamp};
use souk_http::{Code, Params, Problem};

/// Returns the problem of a bad parameter; `expected` completes "must be …".
pub(super) fn bad(name: &str, value: &str, expected: &str) -> Problem {
    Problem::new(
        Code::MalformedRequest,
        format!("query parameter '{name}' must be {expected}, not '{value}'"),
    )
}

/// Reads a time. A `+` in an offset that was not percent-encoded arrives as a space, and is meant as it looks.
pub(super) fn time(params: &Params, name: &'static str) -> Result<Option<Timestamp>, Problem> {
    let Some(value) = params.get(name) else { return Ok(None) };
    let repaired = value.replace(' ', "+");
    match repaired.parse() {
        Ok(time) => Ok(Some(time)),
        Err(_) => Err(bad(name, value, "an RFC 3339 time such as 2026-11-22T18:00:00Z")),
    }
}

/// Reads `from` and `to`.
pub(super) fn range(params: &Params) -> Result<(Option<Timestamp>, Option<Timestamp>), Problem> {
    let (from, to) = (time(params, "from")?, time(params, "to")?);
    match (from, to) {
        (Some(from), Some(to)) if from > to => {
            let detail = format!("query parameter 'from' ({from}) must not be after 'to' ({to})");
            Err(Problem::new(Code::MalformedRequest, detail))
        }
        _ => Ok((from, to)),
    }
}

/// Reads `sellerId`.
pub(super) fn seller(params: &Params) -> Result<Option<SellerId>, Problem> {
    let Some(value) = params.get("sellerId") else { return Ok(None) };
    SellerId::new(value)
        .map(Some)
        .map_err(|_| bad("sellerId", value, "1 to 64 of A-Z, a-z, 0-9, '.', '_' and '-'"))
}

/// Makes a cursor of parts that say where a page ended.
pub(super) fn cursor(parts: &[&str]) -> String {
    URL_SAFE_NO_PAD.encode(parts.join("\n"))
}

/// Reads a cursor back; `None` in `parts` stands for what was not checked.
pub(super) fn cursor_parts<const N: usize>(params: &Params) -> Result<Option<[String; N]>, Problem> {
    let Some(value) = params.get("cursor") else { return Ok(None) };
    let text = URL_SAFE_NO_PAD.decode(value).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    let parts: Option<[String; N]> =
        text.and_then(|text| text.splitn(N, '\n').map(str::to_owned).collect::<Vec<_>>().try_into().ok());
    parts.map(Some).ok_or_else(|| bad_cursor(value))
}

/// Returns the problem of a cursor that the list did not give out for this query.
pub(super) fn bad_cursor(value: &str) -> Problem {
    bad("cursor", value, "the nextCursor of a page of the same query")
}
