//! What the tests need of the system. The servers' own needs are theirs, in `souk-servers`.

use std::process::{Command, Stdio};

use anyhow::bail;
use souk_servers::{Tool, on_path, provide};

/// The programs that the build and the tests call. What a new kind of test needs, such as a browser, goes here.
const TOOLS: &[&Tool] = &[
    &Tool {
        name: "cc",
        why: "compiles the SQLite, zstd, OpenSSL and librdkafka that are built in",
        found: || on_path("cc").is_some(),
        debian: &["gcc", "libc6-dev"],
        otherwise: "install a C compiler",
    },
    &Tool {
        name: "c++",
        why: "compiles the librdkafka that is built in",
        found: || on_path("c++").is_some(),
        debian: &["g++"],
        otherwise: "install a C++ compiler",
    },
    &Tool {
        name: "make",
        why: "builds OpenSSL and librdkafka",
        found: || on_path("make").is_some(),
        debian: &["make"],
        otherwise: "install GNU make",
    },
    &Tool {
        name: "perl",
        why: "configures OpenSSL",
        // A minimal system has a Perl without the modules that this takes.
        found: || succeeds("perl", &["-MFindBin", "-MIPC::Cmd", "-e", "1"]),
        debian: &["perl"],
        otherwise: "install Perl 5",
    },
    &Tool {
        name: "Python 3 with venv",
        why: "runs the tools that test the contracts",
        // Debian has `venv` and what it needs in a package of its own.
        found: || succeeds("python3", &["-c", "import ensurepip, venv"]),
        debian: &["python3", "python3-venv"],
        otherwise: "install Python 3.10 or later",
    },
    &Tool {
        name: "node",
        why: "runs the tests of the dashboard's modules",
        found: || on_path("node").is_some(),
        debian: &["nodejs"],
        otherwise: "install Node.js, 18 or later",
    },
    &Tool {
        name: "chromium",
        why: "the browser that the dashboard is tested in",
        found: || on_path("chromium").is_some(),
        debian: &["chromium"],
        otherwise: "install Chromium",
    },
    &Tool {
        name: "chromedriver",
        why: "moves that browser's pointer and keyboard",
        found: || on_path("chromedriver").is_some(),
        debian: &["chromium-driver"],
        otherwise: "install the chromedriver of the same version",
    },
];

/// What the tests open at once at most, with room to spare.
const OPEN_FILES_NEEDED: u64 = 1_024;

/// # Errors
/// When something is missing; names it and the remedy.
pub fn check() -> anyhow::Result<()> {
    provide(TOOLS)?;
    check_open_files()
}

fn succeeds(program: &str, args: &[&str]) -> bool {
    let mut command = Command::new(program);
    command.args(args).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
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
