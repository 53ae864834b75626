//! The tools that test the contracts from outside, schemathesis and a validator of OpenAPI: Python programs in an
//! environment of their own, outside the checkout, made once for each list of versions.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context as _;
use souk_servers::{cache, once, quietly};

/// Tells the tests where the environment is.
pub const VARIABLE: &str = "SOUK_CONTRACT_TOOLS";

/// Makes sure that they are here; says on stderr what takes long. Returns the environment's folder.
///
/// # Errors
/// When they cannot be installed; names the remedy.
pub fn install() -> anyhow::Result<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("xtask is in the workspace")?;
    let lists = root.join("bin/souk/tests/contract/python");
    let mut versions = String::new();
    for list in ["requirements.txt", "constraints.txt"] {
        let path = lists.join(list);
        versions +=
            &std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    }
    let folder = format!("contract-tools-{:016x}", fnv(versions.as_bytes()));
    let made: PathBuf = once(&cache()?, &folder, |folder| {
        eprintln!("installing schemathesis and openapi-spec-validator with pip (half a minute)");
        quietly(Command::new("python3").args(["-m", "venv"]).arg(folder))?;
        let mut pip = Command::new(folder.join("bin/python"));
        pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input"]);
        pip.arg("--requirement").arg(lists.join("requirements.txt"));
        pip.arg("--constraint").arg(lists.join("constraints.txt"));
        quietly(&mut pip).context(
            "pip could not install what tests the contracts: it needs PyPI or a mirror of it (PIP_INDEX_URL names one)",
        )
    })?;
    Ok(made.to_string_lossy().into_owned())
}

/// Digests the lists, so that other versions get a folder of their own (FNV-1a).
fn fnv(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}
