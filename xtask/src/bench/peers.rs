//! Tools and peers that come from the system: found, or installed where that is allowed, or asked for.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::bail;

/// Where Debian puts what is not on everybody's path.
const MORE_PATHS: &[&str] = &["/usr/sbin", "/usr/local/bin", "/usr/local/go/bin"];

/// Finds a program.
pub fn find(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain(MORE_PATHS.iter().map(PathBuf::from));
    folders.map(|folder| folder.join(program)).find(|file| file.is_file())
}

/// Makes sure that `present` holds, by installing Debian packages as root.
///
/// # Errors
/// When it cannot be installed; names the packages and the command.
pub fn ensure(what: &str, packages: &[&str], present: impl Fn() -> bool) -> anyhow::Result<()> {
    if present() {
        return Ok(());
    }
    let remedy = format!("apt-get install --no-install-recommends {}", packages.join(" "));
    if !is_root() || find("apt-get").is_none() {
        bail!("{what} is missing; on Debian: {remedy}");
    }
    eprintln!("  {what} is missing: {remedy}");
    let quiet = |args: &[&str]| {
        let mut command = Command::new("apt-get");
        command.args(args).env("DEBIAN_FRONTEND", "noninteractive").stdout(Stdio::null());
        command.status().is_ok_and(|status| status.success())
    };
    let install = [&["install", "-y", "--no-install-recommends"], packages].concat();
    if !(quiet(&install) || quiet(&["update"]) && quiet(&install)) || !present() {
        bail!("{what} is missing and could not be installed; on Debian: {remedy}");
    }
    Ok(())
}

/// Tells whether this process is root.
pub fn is_root() -> bool {
    id(&["-u"]).as_deref() == Some("0")
}

/// Returns a figure of `id`, such as a user's number.
pub fn id(args: &[&str]) -> Option<String> {
    let output = Command::new("id").args(args).stderr(Stdio::null()).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// Returns a figure of `/proc/PID/status` in bytes, such as `VmRSS`.
pub fn memory(pid: u32, figure: &str) -> anyhow::Result<f64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix(figure)?.strip_prefix(':'));
    let kilobytes = line.and_then(|line| line.trim().strip_suffix("kB")?.trim().parse::<f64>().ok());
    kilobytes
        .map(|kilobytes| kilobytes * 1024.0)
        .ok_or_else(|| anyhow::anyhow!("process {pid} tells no {figure}"))
}
