//! Tests of tests: a planted bug has to turn its check red.

use souk_conformance::passes_with;

#[test]
fn trusting_an_id_that_is_given_once_more_turns_a_crash_red() {
    let test = "crashed::an_id_that_is_given_once_more_acknowledges_nothing";
    assert!(!passes_with("resolve-trusts-ids", test));
}
