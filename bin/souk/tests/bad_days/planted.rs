//! Planted bugs: the checks of these days have to find each, or they are worth nothing.

use crate::crashes::{crash, role_of};
use crate::day::Day;
use crate::servers::Links;

/// Ends a service with `bug` at `point` again and again until the checks find what gives it away.
fn assert_found(bug: &str, point: &str, seed: u64, clue: &str) {
    /// Each of these crashes shows such a bug with near certainty.
    const MOST_CRASHES: u64 = 4;
    let mut day = Day::begin_with(seed, Links::Direct, &[("SOUK_PLANTED_BUG", bug)]).impatient();
    let mut last = Vec::new();
    for visit in 1..=MOST_CRASHES {
        crash(&mut day, point, visit);
        day.goes_on("after a crash");
        last = day.findings();
        if last.iter().any(|finding| finding.contains(clue)) {
            return;
        }
        day.work();
    }
    panic!("{bug} went unnoticed through {MOST_CRASHES} crashes of {:?}: {last:#?}", role_of(point));
}

#[test]
fn the_checks_find_counting_without_the_offset_guard() {
    assert_found("count-without-guard", "aggregates.stored", 61, r#""check":"aggregates""#);
}

/// With the bug, the point is passed once more between the position and the object: every second visit tells.
#[test]
fn the_checks_find_positions_committed_before_the_archive_object() {
    assert_found("commit-before-put", "archive.encoded", 62, r#""check":"archive-chain""#);
}

#[test]
fn the_checks_find_a_position_outside_of_the_transaction() {
    assert_found("position-before-the-events", "relay.sent", 63, "the stream lacks");
}
