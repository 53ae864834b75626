//! What is vendored is what was published, and the page needs nothing else.

#![expect(clippy::unwrap_used, reason = "a failure in a test's helper fails the test")]

use std::collections::BTreeMap;
use std::path::Path;

use sha2::{Digest as _, Sha256};

#[derive(serde::Deserialize)]
struct Vendor {
    version: String,
    license: String,
    files: BTreeMap<String, String>,
}

fn folder() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/vendor"))
}

fn vendor() -> Vendor {
    serde_json::from_slice(&std::fs::read(folder().join("vendor.json")).unwrap()).unwrap()
}

#[test]
fn every_vendored_file_has_its_recorded_digest_and_no_other_is_there() {
    let mut found = BTreeMap::new();
    for entry in std::fs::read_dir(folder()).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name().into_string().unwrap();
        if name != "vendor.json" {
            let digest = Sha256::digest(std::fs::read(entry.path()).unwrap());
            found.insert(name, digest.iter().map(|byte| format!("{byte:02x}")).collect::<String>());
        }
    }
    assert_eq!(found, vendor().files);
}

#[test]
fn version_and_licence_are_those_of_the_files() {
    let bundle = std::fs::read_to_string(folder().join("swagger-ui-bundle.js")).unwrap();
    let vendor = vendor();
    assert!(bundle.contains(&format!("\"{}\"", vendor.version)), "the bundle is another version");
    assert_eq!(vendor.license, "Apache-2.0");
    assert!(std::fs::read_to_string(folder().join("LICENSE")).unwrap().contains("Apache License"));
}

#[test]
fn the_page_names_its_own_files_and_nothing_from_elsewhere() {
    for file in souk_docs::files() {
        assert!(
            souk_docs::PAGE.contains(&format!("\"docs/{}\"", file.name)),
            "{} is not asked for",
            file.name
        );
        assert_eq!(souk_docs::file(file.name).unwrap().plain(), file.plain());
    }
    assert!(!souk_docs::PAGE.contains('{') && !souk_docs::PAGE.contains("://"), "{}", souk_docs::PAGE);
    assert!(!souk_docs::PAGE.contains("<style") && !souk_docs::PAGE.contains(" style="), "inline style");
    assert!(!souk_docs::POLICY.contains("unsafe") && !souk_docs::POLICY.contains("://"));
}

#[test]
fn files_are_what_they_were_before_they_were_compressed() {
    let vendored = std::fs::read(folder().join("swagger-ui-bundle.js")).unwrap();
    let file = souk_docs::files().iter().find(|file| file.name.starts_with("swagger-ui-bundle")).unwrap();
    assert_eq!(file.plain(), vendored);
    assert!(file.gzip.len() * 3 < vendored.len());
}
