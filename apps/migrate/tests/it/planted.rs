//! Tests of tests: each is run once more with a planted bug, in a process of its own, and has to fail by it.

use std::process::Command;

fn assert_noticed(test: &str, bug: &str, by: &str) {
    let mut again = Command::new(std::env::current_exe().unwrap());
    let output = again.args(["--exact", test]).env("SOUK_PLANTED_BUG", bug).output().unwrap();
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert!(said.contains("0 passed; 1 failed") && said.contains(by), "{test} with {bug}:\n{said}");
}

#[test]
fn a_fence_around_one_table_of_several_is_noticed() {
    assert_noticed(
        "joining::the_tables_behind_views_joins_and_subqueries_are_named_fenced_and_compared",
        "migrate-fences-one-table",
        "unwrap_err",
    );
}

#[test]
fn a_side_that_stays_shut_is_noticed() {
    let cut_over = "breaking_off::a_cut_over_that_is_broken_off_lets_the_old_system_write_again";
    assert_noticed(cut_over, "migrate-stays-shut", "souk keeps the products now");
    let rollback = "breaking_off::a_rollback_that_is_broken_off_lets_souk_write_again";
    assert_noticed(rollback, "migrate-stays-shut", "souk writes again");
}

#[test]
fn a_table_beside_the_first_that_is_not_heard_is_noticed() {
    assert_noticed(
        "joining::the_tables_behind_views_joins_and_subqueries_are_named_fenced_and_compared",
        "migrate-deaf-beside",
        "in_all",
    );
}

#[test]
fn a_row_that_is_never_tried_again_is_noticed() {
    let test = "writing_back::a_row_that_the_old_table_refuses_is_told_and_written_once_it_may";
    assert_noticed(test, "migrate-back-gives-up", "has no 5000 pieces");
}

#[test]
fn a_session_that_is_kept_in_a_broken_transaction_is_noticed() {
    let test = "writing_back::what_failed_does_not_hold_up_what_comes_after";
    assert_noticed(test, "migrate-keeps-broken-session", "transaction is aborted");
}

#[test]
fn keys_that_are_not_remembered_are_noticed() {
    let test = "keys::a_row_whose_answer_was_lost_is_not_added_twice";
    assert_noticed(test, "migrate-forgets-keys", "a row is added once");
}

#[test]
fn rows_that_are_taken_for_gone_since_nobody_may_take_them_are_noticed() {
    let test = "undecided::without_a_trigger_the_product_of_a_row_that_breaks_a_rule_stays";
    assert_noticed(test, "migrate-forgets-unjudged", "its product stays");
}

#[test]
fn a_fence_that_is_not_waited_for_is_noticed() {
    let test = "breaking_off::a_fence_that_comes_up_after_its_cut_over_was_killed_shuts_nobody_out";
    assert_noticed(test, "migrate-trusts-a-late-fence", "a late fence is up");
}
