//! Tests of tests: a planted bug has to turn its check red.

use souk_conformance::passes_with;

#[test]
fn counting_without_the_guard_turns_replays_red() {
    assert!(passes_with("none", "counting::replays_count_once"));
    assert!(!passes_with("count-without-guard", "counting::replays_count_once"));
}

#[test]
fn committing_before_the_put_turns_the_archive_red() {
    assert!(passes_with("none", "archive::nothing_is_committed_that_is_not_archived"));
    assert!(!passes_with("commit-before-put", "archive::nothing_is_committed_that_is_not_archived"));
}

#[test]
fn an_answer_outside_of_the_contract_turns_any_query_red() {
    let query = "queries::summary_tells_how_things_stand";
    assert!(passes_with("none", query));
    assert!(!passes_with("answer-as-text", query));
}

#[test]
fn blaming_callers_for_damage_turns_its_check_red() {
    let check = "trouble::damage_is_told_as_ours";
    assert!(passes_with("none", check));
    assert!(!passes_with("blame-callers-for-damage", check));
}

#[test]
fn a_flush_that_does_not_let_the_log_settle_turns_its_check_red() {
    let check = "trouble::a_flush_asks_for_the_end_once_the_log_has_settled";
    assert!(passes_with("none", check));
    assert!(!passes_with("flush-at-once", check));
}
