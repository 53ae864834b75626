//! MinIO.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, bail};

use crate::Options;
use crate::install::once;
use crate::tools::{Tool, on_path, quietly};

/// The commit of 2026-02-12, the last at the time of writing; another may be tried with `SOUK_MINIO`.
const VERSION: &str = "v0.0.0-20260212201848-7aac2a2c5b7c";
/// The oldest Go that its source accepts.
const OLDEST_GO: (u32, u32) = (1, 24);
/// From this one on, Go fetches by itself the version that a source asks for, unless told not to.
const FETCHING_GO: (u32, u32) = (1, 21);

/// What the guide's environment has.
pub const CREDENTIALS: (&str, &str) = ("minio", "minio123");

pub const GO: Tool = Tool {
    name: "Go",
    why: "builds MinIO",
    found: || go().is_some(),
    debian: &["golang-go"],
    otherwise: "install Go 1.24 or later from https://go.dev, or a MinIO whose program `SOUK_MINIO` names",
};

/// Its own installer puts it where not every search path leads.
fn go() -> Option<PathBuf> {
    on_path("go").or_else(|| Some(PathBuf::from("/usr/local/go/bin/go")).filter(|go| go.is_file()))
}

fn given() -> Option<PathBuf> {
    std::env::var_os("SOUK_MINIO").filter(|path| !path.is_empty()).map(PathBuf::from)
}

pub fn is_installed(cache: &Path) -> bool {
    given().is_some() || cache.join(folder()).is_dir()
}

fn folder() -> String {
    format!("minio-{VERSION}")
}

/// Returns MinIO's program; builds it when it is not there yet.
pub fn install(cache: &Path) -> anyhow::Result<PathBuf> {
    if let Some(program) = given() {
        if !program.is_file() {
            bail!("SOUK_MINIO names {}, which is no file: correct or unset it", program.display());
        }
        return Ok(program);
    }
    let folder = once(cache, &folder(), |folder| {
        let go = go().context("Go is missing: install Go 1.24 or later")?;
        check_go(&go)?;
        eprintln!("installing MinIO with Go (builds it: some minutes, once)");
        quietly(
            Command::new(&go)
                .args(["install", "-trimpath", "-ldflags", "-s -w"])
                .arg(format!("github.com/minio/minio@{VERSION}"))
                .env("GOBIN", folder)
                // Outside any module, whatever folder this runs in.
                .current_dir(folder),
        )
        .context("could not build MinIO; `SOUK_MINIO` may name a program that is there already")
    })?;
    Ok(folder.join("minio"))
}

fn check_go(go: &Path) -> anyhow::Result<()> {
    let output =
        Command::new(go).args(["env", "GOVERSION", "GOTOOLCHAIN"]).output().context("could not start go")?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let mut lines = text.lines();
    let (version, toolchain) = (lines.next().unwrap_or_default(), lines.next().unwrap_or_default());
    if is_enough(version, toolchain) {
        return Ok(());
    }
    bail!(
        "MinIO needs Go {}.{} or later, this is {version}: install a newer one from https://go.dev, on Debian 12 `sudo \
         apt-get install -t bookworm-backports golang-go`; or name a MinIO that is there already in `SOUK_MINIO`",
        OLDEST_GO.0,
        OLDEST_GO.1
    )
}

fn is_enough(version: &str, toolchain: &str) -> bool {
    let mut parts =
        version.trim_start_matches("go").split(['.', ' ', '-']).map_while(|part| part.parse().ok());
    let (Some(major), Some(minor)) = (parts.next(), parts.next()) else {
        // A version that nobody can read, as of a development build: the build itself tells.
        return true;
    };
    (major, minor) >= OLDEST_GO || ((major, minor) >= FETCHING_GO && toolchain != "local")
}

pub fn command(
    program: &Path,
    folder: &Path,
    port: u16,
    console: Option<u16>,
    options: &Options,
) -> anyhow::Result<Command> {
    let certificates = folder.join("certificates");
    std::fs::create_dir_all(&certificates)?;
    let mut command = Command::new(program);
    command.arg("server").arg(folder.join("data"));
    command.arg("--address").arg(format!("127.0.0.1:{port}")).arg("--quiet");
    // Else it would look into the user's own folder, and speak TLS when there is something.
    command.arg("--certs-dir").arg(certificates);
    command.env("MINIO_ROOT_USER", CREDENTIALS.0).env("MINIO_ROOT_PASSWORD", CREDENTIALS.1);
    command.env("MINIO_UPDATE", "off");
    match console {
        Some(port) => command.arg("--console-address").arg(format!("127.0.0.1:{port}")),
        None => command.env("MINIO_BROWSER", "off"),
    };
    command.envs(options.settings.iter().map(|(name, value)| (name, value)));
    Ok(command)
}

#[cfg(test)]
mod tests {
    use super::is_enough;

    #[test]
    fn an_old_go_is_refused_unless_it_fetches_a_newer_one() {
        assert!(is_enough("go1.26.8", "local"));
        assert!(is_enough("go1.24", "local"));
        assert!(is_enough("go1.22.2", "auto"));
        assert!(!is_enough("go1.22.2", "local"));
        assert!(!is_enough("go1.19.8", ""), "Debian 12's own");
        assert!(is_enough("devel go1.27-abc", "local"));
    }
}
