//! Tests of tests: a planted bug has to turn its check red.

use souk_conformance::passes_with;

#[test]
fn trusting_an_id_that_is_given_once_more_turns_a_crash_red() {
    let test = "crashed::an_id_that_is_given_once_more_acknowledges_nothing";
    assert!(!passes_with("resolve-trusts-ids", test));
}

#[test]
fn asking_for_answers_before_skus_turns_a_repeat_red() {
    let test = "interrupted::a_repeat_beside_its_first_request_gets_the_answer_of_that";
    assert!(!passes_with("answers-before-skus", test));
}

#[test]
fn leaving_unnoticed_turns_the_end_red() {
    assert!(!passes_with("committers-leave-unnoticed", "interrupted::the_end_waits_for_nobody_who_has_left"));
}
