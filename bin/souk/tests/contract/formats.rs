//! The documents, by what their formats ask for.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::Path;
use std::process::{Output, Stdio};

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::tools::{printed, python};

fn vendor() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/contract/vendor"))
}

fn read(name: &str) -> Value {
    let text = std::fs::read(vendor().join(name)).expect("it is in the checkout");
    serde_json::from_slice(&text).expect("JSON")
}

/// Runs openapi-spec-validator over a document.
fn validate(document: &Value) -> Output {
    let mut child = python()
        .args(["-m", "openapi_spec_validator", "--schema", "3.1", "--errors", "all", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the environment has a Python");
    let mut stdin = child.stdin.take().expect("stdin was asked for");
    stdin.write_all(document.to_string().as_bytes()).expect("it reads to the end");
    drop(stdin);
    child.wait_with_output().expect("it ends")
}

#[test]
fn openapi_is_valid() {
    for args in [
        &["openapi"][..],
        &["openapi", "--monolith"],
        &["openapi", "--service", "api"],
        &["openapi", "--service", "notifications"],
        &["openapi", "--service", "analytics"],
        &["openapi", "--service", "web"],
    ] {
        let output = validate(&printed(args));
        assert!(output.status.success(), "{args:?}: {output:?}");
    }
}

#[test]
fn openapi_that_is_not_valid_is_found() {
    let mut document = printed(&["openapi", "--service", "api"]);
    document["paths"]["/products/{id}"]["get"]["parameters"] = json!([]);
    assert!(!validate(&document).status.success());
}

#[test]
fn asyncapi_is_valid() {
    let faults = souk_contract_check::document_faults(&read("asyncapi-3.0.0.json"), &printed(&["asyncapi"]));
    assert_eq!(faults, [""; 0]);
}

#[test]
fn asyncapi_that_is_not_valid_is_found() {
    let mut document = printed(&["asyncapi"]);
    document["operations"]["streamEvents"]["action"] = json!("shout");
    assert_ne!(souk_contract_check::document_faults(&read("asyncapi-3.0.0.json"), &document), [""; 0]);
}

#[test]
fn every_reference_of_asyncapi_leads_somewhere() {
    fn walk(document: &Value, value: &Value, seen: &mut usize) {
        match value {
            Value::Object(map) => {
                if let Some(reference) = map.get("$ref").and_then(Value::as_str) {
                    let target = reference.strip_prefix('#').and_then(|pointer| document.pointer(pointer));
                    assert!(target.is_some(), "{reference} is nowhere");
                    *seen += 1;
                }
                map.values().for_each(|value| walk(document, value, seen));
            }
            Value::Array(items) => items.iter().for_each(|value| walk(document, value, seen)),
            _ => {}
        }
    }
    let document = printed(&["asyncapi"]);
    let mut seen = 0;
    walk(&document, &document, &mut seen);
    assert!(seen > 20, "{seen}");
}

#[test]
fn the_vendored_schema_is_the_published_one() {
    let recorded: BTreeMap<String, String> =
        serde_json::from_value(read("vendor.json")["files"].clone()).expect("digests by name");
    for (name, digest) in &recorded {
        let content = std::fs::read(vendor().join(name)).expect("every recorded file is there");
        let actual: String = Sha256::digest(content).iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(&actual, digest, "{name}");
    }
    assert!(recorded.contains_key("LICENSE"));
}
