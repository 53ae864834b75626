//! Modules of others: each is what its author published, but for the rewrites that are written down.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use serde_json::Value;
use sha2::{Digest as _, Sha256};

use crate::support::assets;

fn folder() -> std::path::PathBuf {
    assets().join("vendor")
}

fn modules() -> Vec<Value> {
    let record = std::fs::read_to_string(folder().join("vendor.json")).expect("vendor.json is there");
    let record: Value = serde_json::from_str(&record).expect("vendor.json is JSON");
    record["modules"].as_array().expect("modules").clone()
}

fn field<'a>(module: &'a Value, name: &str) -> &'a str {
    module[name].as_str().filter(|text| !text.is_empty()).unwrap_or_else(|| panic!("no {name} in {module}"))
}

fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().fold(String::new(), |mut text, byte| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// Undoes the rewrites, the last one first.
fn undone(content: &str, module: &Value) -> String {
    let rewrites = module["rewrites"].as_array().expect("rewrites, even if there are none");
    rewrites.iter().rev().fold(content.to_owned(), |content, rewrite| {
        let (from, to) = (field(rewrite, "from"), field(rewrite, "to"));
        assert!(content.contains(to), "{} has no {to:?}", field(module, "file"));
        content.replace(to, from)
    })
}

#[test]
fn every_module_is_the_published_one() {
    for module in modules() {
        let file = field(&module, "file");
        let content =
            std::fs::read_to_string(folder().join(file)).unwrap_or_else(|error| panic!("{file}: {error}"));
        assert_eq!(sha256(content.as_bytes()), field(&module, "sha256"), "{file} was changed");
        assert_eq!(
            sha256(undone(&content, &module).as_bytes()),
            field(&module, "upstreamSha256"),
            "{file} is not {} {} with the rewrites of vendor.json",
            field(&module, "name"),
            field(&module, "version")
        );
    }
}

#[test]
fn a_change_of_one_byte_is_noticed() {
    for module in modules() {
        let content = std::fs::read_to_string(folder().join(field(&module, "file"))).expect("it is there");
        let changed = format!("{content} ");
        assert_ne!(sha256(undone(&changed, &module).as_bytes()), field(&module, "upstreamSha256"));
    }
}

#[test]
fn every_file_is_written_down_with_its_licence() {
    let mut known: BTreeSet<String> = ["vendor.json".to_owned()].into();
    for module in modules() {
        for name in ["name", "version", "license", "path"] {
            field(&module, name);
        }
        let licence = field(&module, "licenseFile");
        let text = std::fs::read_to_string(folder().join(licence))
            .unwrap_or_else(|error| panic!("{licence}: {error}"));
        assert!(text.len() > 500, "{licence} is no licence");
        known.extend([field(&module, "file").to_owned(), licence.to_owned()]);
    }
    let there = std::fs::read_dir(folder()).expect("the folder is there");
    let there: BTreeSet<String> =
        there.map(|entry| entry.expect("readable").file_name().to_string_lossy().into_owned()).collect();
    assert_eq!(there, known);
}
