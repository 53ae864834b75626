//! Tests of tests: one of the same program once more, with a bug planted in it.

use std::process::Command;

/// Runs the test `test` of this program in a process of its own with the planted bug `bug`, and returns whether it passed; a
/// bug that nothing knows, such as `none`, changes nothing.
///
/// # Panics
/// When there is no such test.
pub fn passes_with(bug: &str, test: &str) -> bool {
    let mut again = Command::new(std::env::current_exe().unwrap());
    let output = again.args(["--exact", test]).env("SOUK_PLANTED_BUG", bug).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(text.contains("running 1 test"), "{test} does not exist: {text}");
    output.status.success()
}
