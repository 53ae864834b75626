//! What every call says of itself: enough for a page and for a generated client.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::tools::printed;

/// Collects what does not hold.
struct Findings(Vec<String>);

impl Findings {
    fn ask(&mut self, holds: bool, what: impl FnOnce() -> String) {
        if !holds {
            self.0.push(what());
        }
    }
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().unwrap_or_default()
}

fn findings(document: &Value) -> Vec<String> {
    let mut findings = Findings(Vec::new());
    let tags: Vec<&str> =
        document["tags"].as_array().into_iter().flatten().map(|tag| text(tag, "name")).collect();
    let mut ids = BTreeSet::new();
    for (path, item) in document["paths"].as_object().into_iter().flatten() {
        let parts = item.as_object().into_iter().flatten();
        for (method, operation) in parts.filter(|(name, _)| *name != "servers") {
            let place = format!("{method} {path}");
            let id = text(operation, "operationId");
            findings.ask(ids.insert(id.to_owned()), || format!("{place}: the id {id} is taken"));
            findings.ask(id.chars().all(char::is_alphanumeric) && !id.is_empty(), || {
                format!("{place}: the id {id}")
            });
            let summary = text(operation, "summary");
            let is_short = (1..=80).contains(&summary.len()) && !summary.ends_with('.');
            findings.ask(is_short, || format!("{place}: the summary '{summary}'"));
            findings.ask(!text(operation, "description").is_empty(), || format!("{place}: no description"));
            for tag in operation["tags"].as_array().into_iter().flatten() {
                findings.ask(tags.contains(&tag.as_str().unwrap_or_default()), || {
                    format!("{place}: no tag {tag}")
                });
            }
            responses(&mut findings, &place, operation);
        }
    }
    for (name, schema) in document["components"]["schemas"].as_object().into_iter().flatten() {
        findings.ask(!text(schema, "description").is_empty(), || format!("{name}: no description"));
        for (field, schema) in schema["properties"].as_object().into_iter().flatten() {
            let tells = !text(schema, "description").is_empty() || schema.get("$ref").is_some();
            findings.ask(tells, || format!("{name}.{field}: no description"));
        }
    }
    unused(&mut findings, document);
    findings.0
}

fn responses(findings: &mut Findings, place: &str, operation: &Value) {
    let responses = operation["responses"].as_object().cloned().unwrap_or_default();
    findings.ask(responses.keys().any(|status| status.starts_with('2')), || {
        format!("{place}: it never succeeds")
    });
    for status in ["400", "500"] {
        findings.ask(responses.contains_key(status), || format!("{place}: {status} is not described"));
    }
    for (status, response) in &responses {
        findings
            .ask(!text(response, "description").is_empty(), || format!("{place}, {status}: no description"));
        let has_id = response["headers"].get("X-Request-Id").is_some();
        findings.ask(has_id, || format!("{place}, {status}: no X-Request-Id"));
        let is_refusal = status.starts_with('4') || status.starts_with('5');
        let content = response["content"].as_object();
        let is_problem = content.is_some_and(|content| content.contains_key("application/problem+json"));
        // Health says itself why it is unavailable.
        let is_health = ["get /health", "get /readyz"].contains(&place) && status == "503";
        findings.ask(!is_refusal || is_problem || is_health, || {
            format!("{place}, {status}: no problem document")
        });
    }
}

/// Components that nothing refers to mislead whoever reads them.
fn unused(findings: &mut Findings, document: &Value) {
    let text = document.to_string();
    for (kind, all) in document["components"].as_object().into_iter().flatten() {
        // What no call answers, but the service does.
        for name in all.as_object().into_iter().flat_map(|all| all.keys()).filter(|_| kind != "responses") {
            let reference = format!("\"#/components/{kind}/{name}\"");
            findings.ask(text.contains(&reference), || format!("{kind}/{name} is not used"));
        }
    }
}

#[test]
fn every_call_says_what_it_does() {
    for args in [&["openapi"][..], &["openapi", "--service", "notifications"]] {
        assert_eq!(findings(&printed(args)), [""; 0]);
    }
}

#[test]
fn a_call_that_says_too_little_is_found() {
    let mut document = printed(&["openapi", "--service", "api"]);
    document["paths"]["/products"]["get"]["summary"] = "".into();
    document["paths"]["/products"]["post"]["operationId"] = "getProduct".into();
    document["components"]["schemas"]["Left"] = serde_json::json!({"description": "Left over."});
    assert_eq!(findings(&document).len(), 3, "{:#?}", findings(&document));
}
