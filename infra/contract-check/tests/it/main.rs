//! Tests of the test: whatever is outside of a contract is found.

#![expect(clippy::unwrap_used, reason = "a failure in a test's helper fails the test")]

use http::{HeaderMap, HeaderName, HeaderValue};
use serde_json::{Value, json};
use souk_contract_check::{Calls, Exchange};

fn contract() -> Calls {
    let thing = json!({
        "type": "object",
        "required": ["name"],
        "properties": {"name": {"type": "string"}, "stock": {"type": "integer"}},
    });
    let problem = json!({"type": "object", "required": ["code"], "properties": {"code": {"type": "string"}}});
    let refusal = json!({
        "description": "Refused",
        "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
    });
    let ok = json!({
        "description": "The thing",
        "headers": {"ETag": {"$ref": "#/components/headers/ETag"}},
        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Thing"}}},
    });
    let body = json!({"content": {"application/json": {"schema": {"$ref": "#/components/schemas/Thing"}}}});
    let limit = json!({"name": "limit", "in": "query", "schema": {"type": "integer"}});
    Calls::new(json!({
        "paths": {
            "/things/{id}": {
                "get": {"parameters": [limit], "responses": {"200": ok}},
                "put": {"requestBody": body, "responses": {"200": ok, "204": {"description": "Nothing"}}},
            },
            "/things/best": {"servers": [{"url": "/"}], "get": {"responses": {"404": refusal}}},
        },
        "components": {
            "schemas": {"Thing": thing, "Problem": problem},
            "headers": {"ETag": {"required": true, "schema": {"type": "string", "pattern": "^\"[0-9]+\"$"}}},
            "responses": {"UnknownPath": refusal, "UnknownMethod": refusal, "Overloaded": refusal},
        },
    }))
}

/// What every answer has.
const OF_ALL: &[(&str, &str)] = &[("vary", "origin, accept"), ("x-content-type-options", "nosniff")];

/// Returns what is found about an answer.
fn faults(request: (&str, &str, &str), status: u16, headers: &[(&str, &str)], body: &str) -> Vec<String> {
    let (method, target, sent) = request;
    let headers: HeaderMap = headers
        .iter()
        .chain(OF_ALL)
        .map(|(name, value)| (HeaderName::try_from(*name).unwrap(), HeaderValue::from_str(value).unwrap()))
        .collect();
    let (sent, body) = (sent.as_bytes(), Some(body.as_bytes()));
    contract().faults(&Exchange { method, target, sent, status, headers: &headers, body })
}

const JSON: (&str, &str) = ("content-type", "application/json; charset=utf-8");
const PROBLEM: (&str, &str) = ("content-type", "application/problem+json");
const TAG: (&str, &str) = ("etag", "\"7\"");
const GET: (&str, &str, &str) = ("GET", "/things/1?limit=5", "");

#[test]
fn what_is_promised_has_no_fault() {
    assert_eq!(faults(GET, 200, &[JSON, TAG], r#"{"name":"lantern","stock":3}"#), [""; 0]);
    assert_eq!(faults(("HEAD", "/things/1", ""), 200, &[JSON, TAG], ""), [""; 0]);
    assert_eq!(faults(("PUT", "/things/1", r#"{"name":"lantern"}"#), 204, &[], ""), [""; 0]);
    assert_eq!(faults(("GET", "/nowhere", ""), 404, &[PROBLEM], r#"{"code":"not-found"}"#), [""; 0]);
    assert_eq!(faults(("POST", "/things/1", ""), 405, &[PROBLEM], r#"{"code":"no"}"#), [""; 0]);
    // Who has too much to do does not look what is asked for.
    assert_eq!(faults(("GET", "/nowhere", ""), 503, &[PROBLEM], r#"{"code":"busy"}"#), [""; 0]);
    assert_eq!(faults(("POST", "/things/1", ""), 503, &[PROBLEM], r#"{"code":"busy"}"#), [""; 0]);
    let preflight = ("access-control-allow-methods", "GET");
    assert_eq!(faults(("OPTIONS", "/things/1", ""), 200, &[preflight], ""), [""; 0]);
    let cors = [JSON, TAG, ("access-control-allow-origin", "*"), ("date", "Sun, 29 Nov 2026 10:00:00 GMT")];
    assert_eq!(faults(GET, 200, &cors, r#"{"name":"lantern"}"#), [""; 0]);
}

#[test]
fn each_fault_is_found() {
    type Call = (&'static str, &'static str, &'static str);
    type Case<'a> = (Call, u16, &'a [(&'a str, &'a str)], &'a str, &'a str);
    let cases: [Case<'_>; 14] = [
        (GET, 418, &[JSON, TAG], r#"{"name":"a"}"#, "status 418"),
        (GET, 200, &[JSON], r#"{"name":"a"}"#, "ETag is missing"),
        (GET, 200, &[JSON, ("etag", "7")], r#"{"name":"a"}"#, "header ETag"),
        (GET, 200, &[JSON, TAG, ("retry-after", "1")], r#"{"name":"a"}"#, "retry-after is not described"),
        (GET, 200, &[JSON, TAG, ("cache-control", "no-store")], r#"{"name":"a"}"#, "cache-control is not"),
        (
            ("GET", "/nowhere", ""),
            200,
            &[PROBLEM],
            r#"{"code":"not-found"}"#,
            "status 200 for what is no call",
        ),
        (("POST", "/things/1", ""), 404, &[PROBLEM], r#"{"code":"no"}"#, "in place of 405"),
        (GET, 200, &[TAG], r#"{"name":"a"}"#, "no Content-Type"),
        (GET, 200, &[("content-type", "text/html"), TAG], "<p>", "text/html is not described"),
        (GET, 200, &[JSON, TAG], r#"{"stock":3}"#, "required"),
        (GET, 200, &[JSON, TAG], r#"{"name":"a","colour":"red"}"#, "colour"),
        (GET, 200, &[JSON, TAG], "{", "not JSON"),
        (("HEAD", "/things/1", ""), 200, &[JSON, TAG], "{}", "a body where none"),
        // The path without a parameter comes before the one with it.
        (("GET", "/things/best", ""), 200, &[JSON, TAG], r#"{"name":"a"}"#, "status 200"),
    ];
    for (request, status, headers, body, part) in cases {
        let found = faults(request, status, headers, body);
        assert!(found.len() == 1 && found[0].contains(part), "{part}: {found:#?}");
    }
}

#[test]
fn what_every_answer_has_is_missed() {
    let bare = HeaderMap::from_iter([(http::header::VARY, HeaderValue::from_static("accept"))]);
    let (method, target, sent, body) = ("PUT", "/things/1", br#"{"name":"a"}"#.as_slice(), Some(&b""[..]));
    let found = contract().faults(&Exchange { method, target, sent, status: 204, headers: &bare, body });
    assert!(found.len() == 2 && found[0].contains("Vary") && found[1].contains("nosniff"), "{found:#?}");
}

#[test]
fn what_was_taken_without_being_described_is_found() {
    let taken = |target: &str, sent: &str| faults(("PUT", target, sent), 204, &[], "");
    assert_eq!(taken("/things/1", r#"{"name":7}"#).len(), 1);
    assert!(taken("/things/1?force=1", r#"{"name":"a"}"#)[0].contains("force"));
}

#[test]
fn an_example_that_is_missing_or_does_not_fit_is_found() {
    let schema = json!({"type": "integer"});
    let document = |media: Value| {
        let content = json!({"application/json": media});
        Calls::new(
            json!({"paths": {"/": {"get": {"responses": {"200": {"content": content}}}}}, "components": {}}),
        )
    };
    let with = |value: Value| document(json!({"schema": schema, "examples": {"one": {"value": value}}}));
    assert_eq!(with(json!(7)).example_faults(), [""; 0]);
    assert_eq!(with(json!("7")).example_faults().len(), 1);
    assert_eq!(document(json!({"schema": schema})).example_faults().len(), 1);
}
