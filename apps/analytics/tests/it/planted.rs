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
fn counting_without_the_guard_turns_replays_red() {
    assert!(passes("counting::replays_count_once", "none"));
    assert!(!passes("counting::replays_count_once", "count-without-guard"));
}

#[test]
fn committing_before_the_put_turns_the_archive_red() {
    assert!(passes("archive::nothing_is_committed_that_is_not_archived", "none"));
    assert!(!passes("archive::nothing_is_committed_that_is_not_archived", "commit-before-put"));
}

#[test]
fn an_answer_outside_of_the_contract_turns_any_query_red() {
    let query = "queries::summary_tells_how_things_stand";
    assert!(passes(query, "none"));
    assert!(!passes(query, "answer-as-text"));
}
