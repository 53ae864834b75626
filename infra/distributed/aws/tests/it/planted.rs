//! Tests of tests: a planted bug has to turn its check red.

use souk_conformance::passes_with;

#[test]
fn counting_without_the_guard_turns_lost_replies_red() {
    let test = "faults::replies_that_are_lost_and_requests_that_are_throttled_count_once";
    assert!(passes_with("none", test));
    assert!(!passes_with("count-without-guard", test));
}

#[test]
fn dropping_what_comes_back_turns_unprocessed_items_red() {
    let test = "faults::items_that_come_back_unprocessed_are_written_all_the_same";
    assert!(passes_with("none", test));
    assert!(!passes_with("drop-unprocessed", test));
}

#[test]
fn asking_a_slow_table_for_as_much_as_ever_gets_nothing_through() {
    let test = "faults::a_table_that_answers_slowly_is_asked_for_less_at_once";
    assert!(passes_with("none", test));
    assert!(!passes_with("unpaced", test));
}
