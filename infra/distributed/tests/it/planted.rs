//! Tests of tests: a planted bug has to turn its check red.

use souk_conformance::passes_with;

#[test]
fn a_cursor_over_seq_turns_late_rows_red() {
    assert!(passes_with("none", "ordering::a_row_that_commits_late_is_not_lost"));
    assert!(!passes_with("relay-seq-cursor", "ordering::a_row_that_commits_late_is_not_lost"));
}

#[test]
fn a_horizon_of_transactions_turns_order_red() {
    assert!(passes_with("none", "ordering::transactions_that_commit_out_of_order_keep_a_product_in_order"));
    assert!(!passes_with(
        "relay-xmin-horizon",
        "ordering::transactions_that_commit_out_of_order_keep_a_product_in_order"
    ));
}

#[test]
fn a_horizon_of_transactions_turns_open_transactions_red() {
    assert!(!passes_with(
        "relay-xmin-horizon",
        "ordering::a_transaction_left_open_on_another_table_holds_nothing_up"
    ));
}

#[test]
fn truncating_without_looking_turns_rotation_red() {
    assert!(passes_with("none", "rotation::nothing_is_lost_while_leaves_rotate_under_load"));
    assert!(!passes_with(
        "relay-truncates-unseen",
        "rotation::nothing_is_lost_while_leaves_rotate_under_load"
    ));
}

#[test]
fn admitting_writes_before_kafka_was_asked_turns_restores_red() {
    let test = "admission::a_database_that_does_not_go_with_kafka_takes_no_write_before_it_is_accepted";
    assert!(passes_with("none", test));
    assert!(!passes_with("relay-admits-unasked", test));
}

#[test]
fn a_relay_that_takes_its_first_end_for_a_lost_position_is_noticed() {
    let test = "recovery::a_relay_that_ends_before_its_first_event_can_begin_again";
    assert!(!passes_with("relay-believes-empty-hints", test));
}

#[test]
fn a_relay_that_is_silent_while_it_compares_is_noticed() {
    let test = "restore::a_comparison_that_takes_long_is_left_alone_by_whoever_stands_by";
    assert!(!passes_with("relay-compares-in-silence", test));
}

#[test]
fn ending_a_session_that_is_at_work_is_noticed() {
    let test = "restore::a_statement_that_takes_long_is_left_alone_by_whoever_stands_by";
    assert!(!passes_with("relay-ends-sessions-at-work", test));
}
