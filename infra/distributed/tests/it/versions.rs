//! What of these tests depends on Postgres, and runs once more with each other version of it that souk takes.

use souk_conformance::all_pass_again;

/// What reads and empties the outbox, and judges the database. Of how the relay goes on after faults, what its sessions and
/// its lock make of it: the rest is between it and Kafka, and takes longest.
const TESTS: [&str; 6] = [
    "admission::",
    "ordering::",
    "restore::",
    "rotation::",
    "recovery::a_lost_session_with_postgres_is_made_anew",
    "recovery::one_relay_leads_and_another_takes_over_when_it_ends",
];

pub fn all_pass_with(version: u32, url: &str) {
    let passed = all_pass_again(&TESTS, &[("DATABASE_URL", url)]);
    assert!(passed > 20, "{passed} tests with PostgreSQL {version}");
}
