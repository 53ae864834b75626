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
fn a_cursor_over_seq_turns_late_rows_red() {
    assert!(passes("ordering::a_row_that_commits_late_is_not_lost", "none"));
    assert!(!passes("ordering::a_row_that_commits_late_is_not_lost", "relay-seq-cursor"));
}

#[test]
fn a_horizon_of_transactions_turns_order_red() {
    assert!(passes("ordering::transactions_that_commit_out_of_order_keep_a_product_in_order", "none"));
    assert!(!passes(
        "ordering::transactions_that_commit_out_of_order_keep_a_product_in_order",
        "relay-xmin-horizon"
    ));
}

#[test]
fn a_horizon_of_transactions_turns_open_transactions_red() {
    assert!(!passes(
        "ordering::a_transaction_left_open_on_another_table_holds_nothing_up",
        "relay-xmin-horizon"
    ));
}

#[test]
fn truncating_without_looking_turns_rotation_red() {
    assert!(passes("rotation::nothing_is_lost_while_leaves_rotate_under_load", "none"));
    assert!(!passes("rotation::nothing_is_lost_while_leaves_rotate_under_load", "relay-truncates-unseen"));
}
