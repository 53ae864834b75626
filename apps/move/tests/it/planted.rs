//! Tests of tests: each is run once more with a planted bug, in a process of its own, and has to fail by it.

use souk_conformance::passes_with;

#[test]
fn an_offset_that_is_taken_for_a_mark_is_noticed() {
    let test = "moves::an_event_that_the_archive_alone_holds_moves_where_the_log_begins_just_after_it";
    assert!(passes_with("none", test));
    assert!(!passes_with("move-skips-an-offset", test));
}

#[test]
fn marks_that_are_taken_for_events_are_noticed() {
    for test in [
        "marks::a_move_that_goes_on_moves_nothing_again_because_of_them",
        "marks::a_move_that_is_done_stays_done_in_spite_of_them",
    ] {
        assert!(passes_with("none", test));
        assert!(!passes_with("move-counts-marks", test));
    }
}
