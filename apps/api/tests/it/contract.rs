//! What is promised is what is served: the examples fit their schemas, and an answer outside of the contract is found.

use std::process::Command;

use crate::support::{CONTRACT, Shop};

#[test]
fn every_example_fits_its_schema_and_none_is_missing() {
    assert_eq!(CONTRACT.example_faults(), [""; 0]);
}

#[tokio::test]
async fn every_path_knows_exactly_the_methods_that_are_described() {
    let shop = Shop::open();
    let mut paths: Vec<String> = CONTRACT.operations().into_iter().map(|(_, path)| path).collect();
    paths.dedup();
    assert!(paths.len() > 10, "{paths:?}");
    for path in paths {
        let target = path.replace("{id}", "01990000-0000-7000-8000-000000000001").replace(['{', '}'], "");
        let answer = shop.call("TRACE", &target, &[], "").await.expect_problem(405, "method-not-allowed");
        let mut served: Vec<&str> = answer.header("allow").split(',').map(str::trim).collect();
        served.retain(|method| *method != "HEAD");
        served.sort_unstable();
        let described: Vec<String> = CONTRACT
            .operations()
            .into_iter()
            .filter(|(_, of)| *of == path)
            .map(|(method, _)| method)
            .collect();
        let mut described: Vec<&str> = described.iter().map(String::as_str).collect();
        described.sort_unstable();
        assert_eq!(served, described, "{path}");
    }
}

/// Runs one test of this binary with a planted bug and returns whether it passed.
fn passes(test: &str, bug: &str) -> bool {
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", test])
        .env("SOUK_PLANTED_BUG", bug)
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(text.contains("running 1 test"), "{test} does not exist: {text}");
    output.status.success()
}

#[test]
fn a_change_despite_its_condition_turns_its_check_red() {
    let check = "conditions::no_write_passes_over_if_none_match";
    assert!(passes(check, "none"));
    assert!(!passes(check, "change-despite-if-none-match"));
}

#[test]
fn an_answer_outside_of_the_contract_turns_any_flow_red() {
    let flow = "conditions::a_star_matches_what_exists";
    assert!(passes(flow, "none"));
    assert!(!passes(flow, "answer-without-etag"));
    assert!(!passes(flow, "answer-with-unknown-field"));
}
