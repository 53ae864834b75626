//! `cargo xtask test`: every test of the workspace, with what it needs, and one closing line.
//!
//! A test that is ignored counts as a failure: what cannot run here has to say why, not pass in silence.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context as _, bail};

/// Runs every test of the workspace.
#[derive(clap::Args)]
#[command(after_help = "Example:\n  cargo xtask test\n  cargo xtask test -- --package souk-domain")]
pub struct Args {
    /// Passed on to `cargo test`, in place of `--workspace`.
    #[arg(last = true)]
    cargo: Vec<String>,
}

/// A tool that the build calls, and how to get it.
struct Tool {
    command: &'static str,
    why: &'static str,
    remedy: &'static str,
}

const TOOLS: &[Tool] = &[
    Tool { command: "cargo", why: "builds everything", remedy: "install it from https://rustup.rs" },
    Tool { command: "rustc", why: "builds everything", remedy: "install it from https://rustup.rs" },
    Tool {
        command: "cc",
        why: "compiles the SQLite and zstd that are built in",
        remedy: "install a C compiler, on Debian and Ubuntu `apt-get install gcc libc6-dev`",
    },
];

/// What the tests open at once at most, with room to spare.
const OPEN_FILES_NEEDED: u64 = 1_024;

/// Returns whether every test passed.
///
/// # Errors
/// When something that the tests need is missing; names it and the remedy.
pub fn run(args: &Args) -> anyhow::Result<bool> {
    check_tools()?;
    check_open_files()?;
    let began = Instant::now();
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.args(["test", "--no-fail-fast"]);
    if args.cargo.is_empty() {
        command.arg("--workspace");
    } else {
        command.args(&args.cargo);
    }
    let mut child = command.stdout(Stdio::piped()).spawn().context("could not start cargo test")?;
    let output = child.stdout.take().expect("stdout was asked for");
    let mut count = Count::default();
    let mut screen = std::io::stdout();
    for line in BufReader::new(output).lines() {
        let line = line.context("the output of cargo test broke off")?;
        count.add(&line);
        // A closed pipe on our side is no reason to stop testing.
        let _ = writeln!(screen, "{line}");
    }
    let status = child.wait().context("cargo test did not end in order")?;
    println!();
    for name in &count.failures {
        println!("failed: {name}");
    }
    if count.ignored > 0 {
        println!("{} ignored: a test that cannot run has to fail and say what it needs", count.ignored);
    }
    println!("{} s", began.elapsed().as_secs());
    println!("{} passed, {} failed", count.passed, count.failed);
    if !status.success() && count.failed == 0 {
        println!("cargo test ended with {status} all the same; its own output says why");
    }
    Ok(status.success() && count.failed == 0 && count.ignored == 0 && count.passed > 0)
}

fn check_tools() -> anyhow::Result<()> {
    let mut missing = Vec::new();
    for tool in TOOLS {
        let found = Command::new(tool.command)
            .arg("--version")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .is_ok_and(|status| status.success());
        if !found {
            missing.push(format!("  {} ({}): {}", tool.command, tool.why, tool.remedy));
        }
    }
    if !missing.is_empty() {
        bail!("the tests need what is missing here:\n{}", missing.join("\n"));
    }
    Ok(())
}

/// Reads the hard limit: the tests raise the soft one themselves.
fn check_open_files() -> anyhow::Result<()> {
    // Other systems than Linux keep theirs elsewhere; there the tests say it themselves.
    let Ok(limits) = std::fs::read_to_string("/proc/self/limits") else { return Ok(()) };
    let hard = limits
        .lines()
        .find_map(|line| line.strip_prefix("Max open files"))
        .and_then(|rest| rest.split_whitespace().nth(1))
        .and_then(|hard| hard.parse::<u64>().ok());
    match hard {
        Some(hard) if hard < OPEN_FILES_NEEDED => bail!(
            "the hard limit of open files is {hard}, the tests need {OPEN_FILES_NEEDED}: raise it with \
             `ulimit -Hn` as root or in /etc/security/limits.conf"
        ),
        _ => Ok(()),
    }
}

/// The sum over all test binaries.
#[derive(Debug, Default, PartialEq, Eq)]
struct Count {
    passed: u64,
    failed: u64,
    ignored: u64,
    failures: Vec<String>,
}

impl Count {
    /// Takes in a line that libtest printed.
    fn add(&mut self, line: &str) {
        if let Some(name) = line.strip_prefix("test ").and_then(|rest| rest.strip_suffix(" ... FAILED")) {
            self.failures.push(name.to_owned());
        }
        let Some(rest) = line.strip_prefix("test result: ") else { return };
        let Some((_, counts)) = rest.split_once(". ") else { return };
        for part in counts.split("; ") {
            let Some((number, what)) = part.split_once(' ') else { continue };
            let Ok(number) = number.parse::<u64>() else { continue };
            match what {
                "passed" => self.passed += number,
                "failed" => self.failed += number,
                "ignored" => self.ignored += number,
                _ => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Count;

    #[test]
    fn sums_over_test_binaries() {
        let mut count = Count::default();
        for line in [
            "test a::b ... ok",
            "test a::c ... FAILED",
            "test result: FAILED. 3 passed; 1 failed; 2 ignored; 0 measured; 0 filtered out; finished in 0.01s",
            "test result: ok. 4 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.01s",
        ] {
            count.add(line);
        }
        assert_eq!(count, Count { passed: 7, failed: 1, ignored: 2, failures: vec!["a::c".to_owned()] });
    }
}
