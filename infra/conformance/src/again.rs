//! Tests of tests, and tests on another server: some of the same program once more, in a process of its own.

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

/// Runs tests of this program once more, chosen by `args`, with `env` beside the environment; returns how many passed.
///
/// # Panics
/// With all that it printed, when one fails.
pub fn all_pass_again(args: &[&str], env: &[(&str, &str)]) -> usize {
    let mut again = Command::new(std::env::current_exe().unwrap());
    let output = again.args(args).envs(env.iter().copied()).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    let passed = text.rsplit_once("test result: ok. ").and_then(|(_, rest)| rest.split(' ').next());
    assert!(output.status.success() && passed.is_some(), "with {args:?} and {env:?}:\n{text}");
    passed.and_then(|passed| passed.parse().ok()).unwrap()
}
