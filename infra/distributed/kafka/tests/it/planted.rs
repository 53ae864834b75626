//! Each guarantee's test is red when the guarantee is taken away.

use std::process::Command;

/// Runs a test of this binary in a process of its own with a planted bug.
fn fails_with(bug: &str, test: &str) {
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", test])
        .env("SOUK_PLANTED_BUG", bug)
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(text.contains("running 1 test"), "there is no test {test}: {text}");
    assert!(!output.status.success(), "{test} does not notice {bug}");
}

#[test]
fn partitions_that_go_without_a_word_are_noticed() {
    fails_with("partitions-go-without-a-word", "rebalance::members_come_and_go_and_each_event_is_done_once");
}

#[test]
fn positions_outside_of_their_transaction_are_noticed() {
    fails_with(
        "position-before-the-events",
        "producer::a_record_that_is_too_large_is_refused_and_the_next_batch_goes_on",
    );
}

#[test]
fn reading_what_is_not_committed_is_noticed() {
    fails_with("uncommitted-is-read", "producer::what_is_not_committed_is_invisible");
}

#[test]
fn a_skip_over_what_retention_removed_is_noticed() {
    fails_with("expired-is-skipped", "retention::a_position_gone_past_retention_is_told_as_it_is");
}

#[test]
fn markers_that_nobody_notes_are_noticed() {
    fails_with(
        "looks-are-not-noted",
        "retention::a_partition_that_never_had_a_record_is_no_loss_whatever_expires_there",
    );
}

#[test]
fn members_that_never_leave_are_noticed() {
    fails_with(
        "leaves-without-an-answer",
        "rebalance::a_member_that_leaves_while_it_should_hand_over_holds_nobody_up",
    );
}

#[test]
fn spent_producers_that_go_on_are_noticed() {
    fails_with("spent-producers-go-on", "late::a_commit_that_may_come_twice_is_a_producers_last");
}

#[test]
fn late_requests_that_are_let_in_are_noticed() {
    fails_with("late-requests-are-let-in", "late::what_an_earlier_producer_sent_comes_too_late");
}
