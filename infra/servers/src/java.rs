//! The Java virtual machine, for Kafka and DynamoDB Local.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use anyhow::{Context as _, bail};

use crate::tools::{Tool, on_path};
use crate::{Options, classes};

/// Kafka 4 and DynamoDB Local 2 need this one.
const OLDEST: u32 = 17;

pub const TOOL: Tool = Tool {
    name: "Java",
    why: "runs Kafka and DynamoDB Local",
    found: || program().is_some(),
    debian: &["default-jre-headless"],
    otherwise: "install a Java runtime, version 17 or later",
};

fn program() -> Option<PathBuf> {
    let home = std::env::var_os("JAVA_HOME").map(|home| Path::new(&home).join("bin/java"));
    on_path("java").or_else(|| home.filter(|java| java.is_file()))
}

/// # Errors
/// When Java is too old; names the remedy.
pub fn check_version() -> anyhow::Result<()> {
    let java = program().context("Java has just been there")?;
    match version().and_then(major) {
        Some(version) if version < OLDEST => bail!(
            "{} is version {version}, Kafka needs {OLDEST} or later: install a newer one, on Debian and Ubuntu \
             `sudo apt-get install openjdk-{OLDEST}-jre-headless`, and put it on the search path",
            java.display()
        ),
        // A version that nobody can read is not held against it.
        _ => Ok(()),
    }
}

/// Returns what Java calls its version: `17.0.15`, `1.8.0_412`. Asked once.
pub fn version() -> Option<&'static str> {
    static VERSION: OnceLock<Option<String>> = OnceLock::new();
    let ask = || {
        let output = Command::new(program()?).arg("-version").output().ok()?;
        quoted(&String::from_utf8_lossy(&output.stderr))
    };
    VERSION.get_or_init(ask).as_deref()
}

/// Reads the version out of what `java -version` says: `openjdk version "17.0.15" 2025-04-15`.
fn quoted(text: &str) -> Option<String> {
    let (version, _) = text.split_once("version \"")?.1.split_once('"')?;
    let fits = |c: char| c.is_ascii_alphanumeric() || "._+-".contains(c);
    version.chars().all(fits).then(|| version.to_owned())
}

/// Reads the number that people call a version by.
fn major(version: &str) -> Option<u32> {
    let mut parts = version.split(['.', '-', '_', '+']);
    match parts.next()?.parse().ok()? {
        1 => parts.next()?.parse().ok(),
        version => Some(version),
    }
}

/// Returns the command that runs `main` from the jars in `installed/lib`.
pub fn command(installed: &Path, main: &str, options: &Options, heap_mib: u32) -> anyhow::Result<Command> {
    let mut command =
        Command::new(program().context("Java is missing: install a Java runtime, version 17 or later")?);
    command
        .arg(format!("-Xmx{}m", options.heap_mib.unwrap_or(heap_mib)))
        // Two cores have no use for a parallel collector, and it takes more memory.
        .arg("-XX:+UseSerialGC")
        // Would leave files in /tmp behind when killed.
        .arg("-XX:-UsePerfData")
        .arg("-Djava.awt.headless=true");
    if !options.optimised {
        // Up within seconds: most tests are over before the second compiler would have paid off.
        command.arg("-XX:TieredStopAtLevel=1");
    }
    if let Some(classes) = classes::file(installed).filter(|file| file.is_file()) {
        command.arg(format!("-XX:SharedArchiveFile={}", classes.display()));
    }
    let log = installed.join("log4j2.xml");
    if log.is_file() {
        command.arg(format!("-Dlog4j2.configurationFile={}", log.display()));
    }
    let lib = installed.join("lib");
    command.arg(format!("-Djava.library.path={}", lib.display()));
    command.arg("-cp").arg(lib.join("*")).arg(main);
    Ok(command)
}

#[cfg(test)]
mod tests {
    #[test]
    fn reads_old_and_new_versions() {
        let read = |text| super::quoted(text).as_deref().and_then(super::major);
        assert_eq!(read("openjdk version \"17.0.15\" 2025-04-15\n"), Some(17));
        assert_eq!(read("openjdk version \"21-ea\" 2023-09-19"), Some(21));
        assert_eq!(read("java version \"1.8.0_412\""), Some(8));
        assert_eq!(read("no Java at all"), None);
        assert_eq!(super::quoted("version \"../17\""), None, "it becomes part of a path");
    }
}
