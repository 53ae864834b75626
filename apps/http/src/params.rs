//! Strict query strings: an unknown or repeated parameter is an error that names it, so that a typo never passes
//! in silence.

use std::fmt::Display;
use std::str::FromStr;

use crate::{Code, Problem};

/// The parameters of a query string.
#[derive(Debug, Default)]
pub struct Params(Vec<(String, String)>);

impl Params {
    /// Reads a query string that may hold the `known` parameters, each once. `+` is a space.
    ///
    /// # Errors
    /// `malformed-request` that names every parameter that is unknown, repeated or badly encoded.
    pub fn parse(query: Option<&str>, known: &[&'static str]) -> Result<Self, Problem> {
        let mut params: Vec<(String, String)> = Vec::new();
        let mut faults: Vec<String> = Vec::new();
        for pair in query.unwrap_or_default().split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let (Some(name), Some(value)) = (decode(name), decode(value)) else {
                faults.push(format!("'{pair}' is not percent-encoded UTF-8"));
                continue;
            };
            if !known.contains(&name.as_str()) {
                faults.push(format!("'{name}' is unknown"));
            } else if params.iter().any(|(other, _)| *other == name) {
                faults.push(format!("'{name}' is given twice"));
            } else {
                params.push((name, value));
            }
        }
        if faults.is_empty() {
            return Ok(Self(params));
        }
        let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
        let detail = format!("query parameters: {}; known are: {known}", faults.join(", "));
        Err(Problem::new(Code::MalformedRequest, detail))
    }

    /// Returns the value of a parameter.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// Returns the parsed value of a parameter; `expected` completes "must be …".
    ///
    /// # Errors
    /// `malformed-request` that names the parameter, its value and what it must be.
    pub fn parsed<T: FromStr>(&self, name: &'static str, expected: &str) -> Result<Option<T>, Problem> {
        self.get(name).map(|value| value.parse().map_err(|_| bad_param(name, value, expected))).transpose()
    }

    /// Returns `limit`, `default` when it is not given.
    ///
    /// # Errors
    /// `malformed-request` when it is not from 1 to `max`.
    pub fn limit(&self, default: usize, max: usize) -> Result<usize, Problem> {
        let Some(value) = self.get("limit") else { return Ok(default) };
        match value.parse() {
            Ok(limit) if (1..=max).contains(&limit) => Ok(limit),
            _ => Err(bad_param("limit", value, format_args!("a whole number from 1 to {max}"))),
        }
    }
}

/// Returns the problem of a parameter with a bad value; `expected` completes "must be …".
fn bad_param(name: &str, value: &str, expected: impl Display) -> Problem {
    Problem::new(
        Code::MalformedRequest,
        format!("query parameter '{name}' must be {expected}, not '{value}'"),
    )
}

/// Decodes percent-encoding and `+`; `None` when it is broken or not UTF-8.
fn decode(text: &str) -> Option<String> {
    if !text.contains(['%', '+']) {
        return Some(text.to_owned());
    }
    let mut decoded = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        decoded.push(match byte {
            b'+' => b' ',
            b'%' => hex(bytes.next()?)? << 4 | hex(bytes.next()?)?,
            other => other,
        });
    }
    String::from_utf8(decoded).ok()
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decodes_what_browsers_encode() {
        let params = Params::parse(Some("q=red+%C3%A9t%C3%A9&limit=7&&"), &["q", "limit"]).unwrap();
        assert_eq!(params.get("q"), Some("red été"));
        assert_eq!(params.limit(50, 500).unwrap(), 7);
        assert_eq!(params.get("cursor"), None);
        assert_eq!(Params::parse(None, &[]).unwrap().limit(50, 500).unwrap(), 50);
    }

    #[test]
    fn names_every_fault_at_once() {
        let problem = Params::parse(Some("limt=5&q=1&q=2&x=%zz&y=%ff"), &["limit", "q"]).unwrap_err();
        assert_eq!(problem.code(), Code::MalformedRequest);
        for part in ["'limt' is unknown", "'q' is given twice", "'x=%zz'", "'y=%ff'", "known are: limit, q"] {
            assert!(problem.detail().contains(part), "{part} in {}", problem.detail());
        }
    }

    #[test]
    fn refuses_limits_out_of_range() {
        for value in ["0", "501", "-1", "ten", "", "1e1"] {
            let params = Params::parse(Some(&format!("limit={value}")), &["limit"]).unwrap();
            let problem = params.limit(50, 500).unwrap_err();
            assert!(problem.detail().contains("from 1 to 500"), "{}", problem.detail());
        }
    }

    #[test]
    fn says_what_a_value_must_be() {
        let params = Params::parse(Some("lowStock=yes"), &["lowStock"]).unwrap();
        let problem = params.parsed::<bool>("lowStock", "true or false").unwrap_err();
        assert_eq!(problem.detail(), "query parameter 'lowStock' must be true or false, not 'yes'");
    }
}
