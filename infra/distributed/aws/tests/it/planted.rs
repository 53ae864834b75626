//! Tests of tests: a planted bug has to turn its check red.

use std::process::Command;

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
fn counting_without_the_guard_turns_lost_replies_red() {
    let test = "faults::replies_that_are_lost_and_requests_that_are_throttled_count_once";
    assert!(passes(test, "none"));
    assert!(!passes(test, "count-without-guard"));
}

#[test]
fn dropping_what_comes_back_turns_unprocessed_items_red() {
    let test = "faults::items_that_come_back_unprocessed_are_written_all_the_same";
    assert!(passes(test, "none"));
    assert!(!passes(test, "drop-unprocessed"));
}
