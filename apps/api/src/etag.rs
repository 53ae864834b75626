//! Entity tags (RFC 9110, section 8.8.3): a product's is its version in quotes.

use http::{HeaderMap, HeaderName, header};
use souk_domain::{Precondition, Version};
use souk_http::{Code, Problem};
use souk_ports::fault;

use crate::request;

/// What [`tags`] takes, for contracts: `*`, or tags in quotes with commas between. A recipient has to take empty elements,
/// and so an empty list (RFC 9110, section 5.6.1.2).
pub(crate) const LIST_PATTERN: &str =
    r#"^(\*|[ \t,]*((W/)?"[ \t!#-~]*"[ \t]*(,[ \t,]*(W/)?"[ \t!#-~]*"[ \t]*)*(,[ \t,]*)?)?)$"#;

/// Returns the `ETag` of a version.
pub(crate) fn of(version: Version) -> String {
    format!("\"{version}\"")
}

/// Reads the condition of a change, which `If-Match` alone can state: a write whose `If-None-Match` is false must not be
/// carried out (RFC 9110, section 13.1.2), and no unit of work knows that condition.
///
/// # Errors
/// `malformed-request` when `If-None-Match` is there, or `If-Match` holds no tags.
pub(crate) fn of_change(headers: &HeaderMap) -> Result<Precondition, Problem> {
    if !fault::planted("change-despite-if-none-match") {
        let instead = "it is for reads; name the version that a change was made for with If-Match";
        request::without(headers, "If-None-Match", instead)?;
    }
    if_match(headers)
}

/// Reads `If-Match`: strong comparison, so a weak tag matches nothing.
fn if_match(headers: &HeaderMap) -> Result<Precondition, Problem> {
    Ok(match tags(headers, header::IF_MATCH)? {
        None | Some(Tags::Any) => Precondition::None,
        Some(Tags::OneOf(tags)) => {
            Precondition::OneOf(tags.iter().filter(|tag| !tag.weak).filter_map(|tag| tag.version).collect())
        }
    })
}

/// Tells whether `If-None-Match` names this version: weak comparison.
pub(crate) fn none_match_names(headers: &HeaderMap, version: Version) -> Result<bool, Problem> {
    Ok(match tags(headers, header::IF_NONE_MATCH)? {
        None => false,
        Some(Tags::Any) => true,
        Some(Tags::OneOf(tags)) => tags.iter().any(|tag| tag.version == Some(version)),
    })
}

#[derive(Debug, PartialEq)]
enum Tags {
    Any,
    OneOf(Vec<Tag>),
}

#[derive(Debug, PartialEq)]
struct Tag {
    weak: bool,
    /// `None` for a tag that no version has.
    version: Option<Version>,
}

fn tags(headers: &HeaderMap, name: HeaderName) -> Result<Option<Tags>, Problem> {
    if !headers.contains_key(&name) {
        return Ok(None);
    }
    let mut tags = Vec::new();
    for value in headers.get_all(&name) {
        let text = value.to_str().unwrap_or("\u{fffd}");
        if text.trim() == "*" {
            return Ok(Some(Tags::Any));
        }
        parse_list(text, &mut tags).ok_or_else(|| {
            let detail =
                format!("header '{name}' must hold tags in quotes such as \"3\", or *, not '{text}'");
            Problem::new(Code::MalformedRequest, detail)
        })?;
    }
    Ok(Some(Tags::OneOf(tags)))
}

/// Reads `"1", W/"2"`; `None` when it is not a list of tags.
fn parse_list(text: &str, tags: &mut Vec<Tag>) -> Option<()> {
    let mut rest = text.trim();
    loop {
        // Empty elements are to be ignored (RFC 9110, section 5.6.1.2).
        rest = rest.trim_start_matches([',', ' ', '\t']);
        if rest.is_empty() {
            return Some(());
        }
        let (weak, quoted) = match rest.strip_prefix("W/") {
            Some(quoted) => (true, quoted),
            None => (false, rest),
        };
        let (tag, after) = quoted.strip_prefix('"')?.split_once('"')?;
        tags.push(Tag { weak, version: parse_version(tag) });
        rest = after.trim_start_matches([' ', '\t']);
        if !rest.is_empty() && !rest.starts_with(',') {
            return None;
        }
    }
}

/// Reads a version in the one form that [`of`] writes.
fn parse_version(text: &str) -> Option<Version> {
    text.parse().ok().map(Version).filter(|version| version.to_string() == text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(name: HeaderName, values: &[&str]) -> HeaderMap {
        values.iter().map(|value| (name.clone(), value.parse().unwrap())).collect()
    }

    #[test]
    fn reads_what_clients_send() {
        let cases: [(&[&str], Precondition); 7] = [
            (&[], Precondition::None),
            (&["*"], Precondition::None),
            (&["\"3\""], Precondition::OneOf(vec![Version(3)])),
            (&["\"3\" , \"4\"", ",\"5\""], Precondition::OneOf(vec![Version(3), Version(4), Version(5)])),
            (&["W/\"3\""], Precondition::OneOf(vec![])),
            (&["\"abc\", \"03\", \"+3\", \"\""], Precondition::OneOf(vec![])),
            (&[""], Precondition::OneOf(vec![])),
        ];
        for (values, expected) in cases {
            assert_eq!(if_match(&headers(header::IF_MATCH, values)).unwrap(), expected, "{values:?}");
        }
    }

    #[test]
    fn says_how_a_tag_is_written() {
        for value in ["3", "\"3", "\"3\" \"4\"", "w/\"3\"", "'3'"] {
            let problem = if_match(&headers(header::IF_MATCH, &[value])).unwrap_err();
            assert_eq!(problem.code(), Code::MalformedRequest);
            assert!(problem.detail().contains(value) && problem.detail().contains("if-match"), "{value}");
        }
    }

    #[test]
    fn the_contract_has_the_form_that_is_read() {
        let schemas = souk_contract_check::Schemas::open(&serde_json::Value::Null);
        let schema = serde_json::json!({"pattern": LIST_PATTERN});
        for value in [
            "*",
            "\"3\"",
            "W/\"3\"",
            "\"3\" , \"4\"",
            ",\"5\",,",
            "",
            ",",
            "\"a b\"\t",
            "3",
            "\"3",
            "\"3\" \"4\"",
            "w/\"3\"",
            "'3'",
            "**",
            "*,\"3\"",
            "W/3",
            "\"3\"4",
        ] {
            let is_read = if_match(&headers(header::IF_MATCH, &[value])).is_ok();
            let is_described = schemas.faults(&schema, &value.into()).is_empty();
            assert_eq!(is_read, is_described, "{value:?}");
        }
    }

    #[test]
    fn caches_compare_weakly() {
        for (value, names) in [("\"3\"", true), ("W/\"3\"", true), ("*", true), ("\"2\", \"4\"", false)] {
            let headers = headers(header::IF_NONE_MATCH, &[value]);
            assert_eq!(none_match_names(&headers, Version(3)).unwrap(), names, "{value}");
        }
        assert!(!none_match_names(&HeaderMap::new(), Version(3)).unwrap());
    }
}
