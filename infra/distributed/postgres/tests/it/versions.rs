//! What of these tests runs once more with each other version of Postgres that souk takes.

use souk_conformance::all_pass_again;
use souk_servers::Options;

/// Which major version the tests start themselves; the newest that is installed when it is not set.
const VERSION: &str = "SOUK_TEST_POSTGRES_VERSION";

/// How a test starts a server of its own.
pub fn options() -> Options {
    let version = std::env::var(VERSION).ok().map(|version| version.parse().unwrap());
    Options { version, ..Options::default() }
}

pub fn all_pass_with(version: u32, url: &str) {
    // Whether tests notice what is wrong does not depend on the server.
    let args = ["--skip", "versions::", "--skip", "planted::", "--skip", "are_noticed"];
    let passed = all_pass_again(&args, &[("DATABASE_URL", url), (VERSION, &version.to_string())]);
    assert!(passed > 50, "{passed} tests with PostgreSQL {version}");
}
