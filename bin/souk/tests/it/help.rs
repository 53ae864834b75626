//! Every command explains itself.

use crate::support::run_souk;

const COMMANDS: [&str; 15] = [
    "up",
    "api",
    "notifications",
    "analytics",
    "web",
    "load",
    "verify",
    "audit",
    "doctor",
    "migrate",
    "move",
    "config",
    "openapi",
    "asyncapi",
    "version",
];

fn here() -> tempfile::TempDir {
    tempfile::tempdir().expect("a scratch folder")
}

#[test]
fn every_help_has_an_example() {
    let folder = here();
    for command in COMMANDS {
        let output = run_souk(folder.path(), &[command, "--help"], &[]);
        assert_eq!(output.code, Some(0), "{command}: {output:?}");
        assert!(output.stdout.contains("Example:"), "{command}: {}", output.stdout);
        assert!(output.stdout.contains(&format!("  souk {command}")), "{command}: {}", output.stdout);
    }
    let output = run_souk(folder.path(), &["--help"], &[]);
    assert!(output.stdout.contains("Examples:"), "{}", output.stdout);
    for command in COMMANDS {
        assert!(output.stdout.contains(&format!("\n  {command} ")), "{command} in {}", output.stdout);
    }
}

/// Whoever does not know a command asks in one of these ways.
#[test]
fn help_is_there_however_it_is_asked_for() {
    let folder = here();
    let help = |args: &[&str]| {
        let output = run_souk(folder.path(), args, &[]);
        assert_eq!(output.code, Some(0), "{args:?}: {output:?}");
        output.stdout
    };
    for (args, same) in [
        (&["help", "--help"][..], &["help"][..]),
        (&["help", "-h"], &["help"]),
        (&["help", "audit", "--help"], &["help", "audit"]),
        (&["migrate", "help", "--help"], &["migrate", "help"]),
        (&["migrate", "help", "copy", "-h"], &["migrate", "help", "copy"]),
    ] {
        assert_eq!(help(args), help(same), "{args:?}");
    }
    // A value is no question.
    let file = run_souk(folder.path(), &["load", "--data", "help", "--no-such-flag"], &[]);
    assert_eq!(file.code, Some(2), "{file:?}");
}

#[test]
fn help_names_every_exit_code() {
    let output = run_souk(here().path(), &["--help"], &[]);
    let text = output.stdout.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(
        text.contains("0 done, 1 the check found a fault, 2 wrong use, 3 could not reach what it needs"),
        "{text}"
    );
}

#[test]
fn wrong_use_is_exit_code_2() {
    for args in [&["--no-such-flag"][..], &["no-such-command"], &["load", "--concurrency", "0"]] {
        let output = run_souk(here().path(), args, &[]);
        assert_eq!(output.code, Some(2), "{args:?}: {output:?}");
    }
}

#[test]
fn version_is_for_people_and_for_scripts() {
    let output = run_souk(here().path(), &["version"], &[]);
    assert_eq!(output.stdout.split(' ').next(), Some("souk"), "{output:?}");
    let json = run_souk(here().path(), &["version", "--json"], &[]).json();
    assert_eq!(json["name"], "souk");
    assert_eq!(json["version"], env!("CARGO_PKG_VERSION"));
}

#[test]
fn a_load_without_a_server_is_exit_code_3() {
    // Port 1 is never listened on.
    let args = [
        "load",
        "--api",
        "http://127.0.0.1:1",
        "--stream",
        "http://127.0.0.1:1/events/stream",
        "--analytics",
        "http://127.0.0.1:1",
    ];
    let output = run_souk(here().path(), &args, &[]);
    assert_eq!(output.code, Some(3), "{output:?}");
    assert!(output.stderr.contains("http://127.0.0.1:1"), "{output:?}");
}

#[test]
fn an_audit_without_data_is_exit_code_3_and_makes_none() {
    let folder = here();
    let output = run_souk(folder.path(), &["audit"], &[]);
    assert_eq!(output.code, Some(3), "{output:?}");
    assert!(output.stderr.contains("souk-data") && output.stderr.contains("--data-dir"), "{output:?}");
    assert!(!folder.path().join("souk-data").exists());
}
