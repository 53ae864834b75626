//! axe-core, which knows the rules of the Web Content Accessibility Guidelines that a machine can check.

use serde_json::Value;
use sha2::{Digest as _, Sha256};

use crate::browser::Browser;

const SOURCE: &str = include_str!("vendor/axe.min.js");
const RECORD: &str = include_str!("vendor/vendor.json");

/// The guidelines up to 2.2, A and AA, and what is good practice beside them.
const RUN: &str = "axe.run(document, {
    runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'], resultTypes: ['violations']
}).then((found) => done(found.violations.map((rule) => ({
    rule: rule.id, help: rule.help, at: rule.nodes.map((node) => node.target.join(' ') + ': ' + node.failureSummary)
}))), (error) => done([{rule: 'axe failed', help: String(error)}]))";

/// Returns what violates the rules on the page as it is now.
pub fn violations(browser: &Browser) -> Vec<Value> {
    browser.script(&format!("{SOURCE}; window.axe = axe"));
    browser.later(RUN).as_array().cloned().unwrap_or_default()
}

#[test]
fn the_vendored_file_is_what_its_record_says() {
    let record: Value = serde_json::from_str(RECORD).expect("the record is JSON");
    let [file] = &record["files"].as_array().expect("files")[..] else {
        panic!("one file is vendored: {record}")
    };
    let hash: String = Sha256::digest(SOURCE).iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(file["sha256"], hash);
    let version = file["version"].as_str().expect("a version");
    assert!(SOURCE.starts_with(&format!("/*! axe v{version}\n")));
    for licence in file["licenseFiles"].as_array().expect("licences") {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/browser/vendor");
        assert!(folder.join(licence.as_str().expect("a name")).is_file(), "{licence}");
    }
}
