//! The Python programs, and documents as the binary prints them.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::support::run_souk;

/// Returns a command of the Python that has the tools.
///
/// # Panics
/// When there is none; says what to do.
pub fn python() -> Command {
    let folder = std::env::var_os("SOUK_CONTRACT_TOOLS").map(PathBuf::from).unwrap_or_else(|| {
        panic!(
            "SOUK_CONTRACT_TOOLS is not set, and this test needs schemathesis and openapi-spec-validator: run `cargo \
             xtask test -- --package souk --test contract`, which brings them, or set it to a Python environment with \
             bin/souk/tests/contract/python/requirements.txt"
        )
    });
    let mut command = Command::new(folder.join("bin/python"));
    // Nothing of the machine's own Python gets in, and nothing is written into the checkout.
    command.env_remove("PYTHONHOME").env("PYTHONDONTWRITEBYTECODE", "1").env("PYTHONPATH", folder_of_tests());
    command
}

/// Returns the folder with hooks and settings.
pub fn folder_of_tests() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/contract/python")
}

/// Returns what `souk` prints for these arguments.
pub fn printed(args: &[&str]) -> Value {
    let folder = tempfile::tempdir().expect("a scratch folder");
    let output = run_souk(folder.path(), args, &[]);
    assert_eq!(output.code, Some(0), "{args:?}: {}", output.stderr);
    output.json()
}
