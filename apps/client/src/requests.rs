//! Request bytes, and what a refusal says.

use std::io::Write;

use serde::Deserialize;
use uuid::Uuid;

use crate::Target;

/// Writing into a vector does not fail.
const INFALLIBLE: &str = "memory does not fail to be written";

/// Replaces `out` by a GET.
pub fn get(out: &mut Vec<u8>, target: &Target, path: &str) {
    out.clear();
    write!(
        out,
        "GET {}{path} HTTP/1.1\r\nHost: {}\r\nAccept: application/json\r\n\r\n",
        target.path, target.authority
    )
    .expect(INFALLIBLE);
}

/// Replaces `out` by a POST of JSON.
pub fn post(out: &mut Vec<u8>, target: &Target, path: &str, key: &str, body: &[u8]) {
    out.clear();
    write!(
        out,
        "POST {}{path} HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\nIdempotency-Key: {key}\r\n\
         Content-Length: {}\r\n\r\n",
        target.path,
        target.authority,
        body.len()
    )
    .expect(INFALLIBLE);
    out.extend_from_slice(body);
}

/// Replaces `out` by a DELETE.
pub fn delete(out: &mut Vec<u8>, target: &Target, path: &str) {
    out.clear();
    write!(out, "DELETE {}{path} HTTP/1.1\r\nHost: {}\r\n\r\n", target.path, target.authority)
        .expect(INFALLIBLE);
}

/// A problem document as far as it matters here.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ProblemAnswer {
    /// Its code, such as `sku-taken`; empty when the body is no problem document.
    pub code: String,
    /// What to do.
    pub detail: String,
    /// The product that it is about.
    pub product_id: Option<Uuid>,
}

impl ProblemAnswer {
    /// Reads a body; one that is no problem document has no code.
    pub fn read(body: &[u8]) -> Self {
        serde_json::from_slice(body).unwrap_or_default()
    }
}

/// Returns a problem's code and detail as text; of another body, its beginning.
pub fn problem(body: &[u8]) -> String {
    /// Enough to recognise an answer by.
    const SHOWN: usize = 200;
    let problem = ProblemAnswer::read(body);
    if problem.code.is_empty() {
        String::from_utf8_lossy(&body[..body.len().min(SHOWN)]).into_owned()
    } else {
        format!("{}: {}", problem.code, problem.detail)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn problems_are_shown_by_code_and_detail() {
        assert_eq!(
            problem(br#"{"code":"overloaded","detail":"try later","status":503}"#),
            "overloaded: try later"
        );
        assert_eq!(problem(b"<html>"), "<html>");
    }
}
