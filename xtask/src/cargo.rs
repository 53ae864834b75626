//! Cargo, started by a program that cargo started.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context as _, bail};
use serde_json::Value;

/// Returns cargo as a shell would start it. What `cargo run` tells its own child about its package is left out: build
/// scripts look at it, and those of ring and all that stands on it would run again at each change of hands.
pub fn command() -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    forget_our_package(&mut command);
    command
}

/// Keeps from a command what cargo told us about our own package.
pub fn forget_our_package(command: &mut Command) {
    for name in std::env::vars_os().map(|(name, _)| name).filter(is_about_a_package) {
        command.env_remove(name);
    }
}

fn is_about_a_package(name: &OsString) -> bool {
    let name = name.to_string_lossy();
    name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_")
}

/// Returns what cargo knows of the workspace's own packages.
pub fn metadata() -> anyhow::Result<Value> {
    let output = command().args(["metadata", "--no-deps", "--format-version", "1"]).output()?.stdout;
    serde_json::from_slice(&output).context("cannot read cargo metadata")
}

/// Returns cargo's target folder.
pub fn target_folder() -> anyhow::Result<PathBuf> {
    Ok(PathBuf::from(
        metadata()?["target_directory"].as_str().context("cargo metadata names no target folder")?,
    ))
}

/// Runs an example in a release build and returns the figures that it prints.
pub fn example(package: &str, name: &str, set: impl FnOnce(&mut Command)) -> anyhow::Result<Value> {
    let mut command = command();
    command.args(["run", "--release", "--quiet", "--package", package, "--example", name]);
    set(&mut command);
    let output = command.output().context("could not run cargo")?;
    if !output.status.success() {
        bail!("the example {name} failed: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    serde_json::from_slice(&output.stdout).with_context(|| format!("the example {name} printed no JSON"))
}
