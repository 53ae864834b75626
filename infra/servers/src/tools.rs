//! Programs of the system that are needed, and bringing them here.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, anyhow, bail};

/// How many lines of a failed command's output are shown.
const TAIL: usize = 15;

/// A program of the system.
pub struct Tool {
    /// Its name, as people call it.
    pub name: &'static str,
    /// What it is needed for.
    pub why: &'static str,
    /// Tells whether it is here.
    pub found: fn() -> bool,
    /// The Debian and Ubuntu packages that bring it.
    pub debian: &'static [&'static str],
    /// What to do on other systems.
    pub otherwise: &'static str,
}

/// Makes sure that all tools are here: installs Debian's packages where this is Debian or Ubuntu and runs as root.
///
/// # Errors
/// When one is missing and cannot be installed; names each with its remedy.
pub fn provide(tools: &[&Tool]) -> anyhow::Result<()> {
    let missing = |tools: &[&Tool]| tools.iter().filter(|tool| !(tool.found)()).count();
    if missing(tools) == 0 {
        return Ok(());
    }
    let absent: Vec<&Tool> = tools.iter().copied().filter(|tool| !(tool.found)()).collect();
    let packages: Vec<&str> = absent.iter().flat_map(|tool| tool.debian).copied().collect();
    if is_root() && on_path("apt-get").is_some() {
        eprintln!("installing Debian packages: {}", packages.join(" "));
        apt(&packages).with_context(|| {
            format!("could not install {}; try `apt-get update` and the same by hand", packages.join(" "))
        })?;
        if missing(tools) == 0 {
            return Ok(());
        }
    }
    Err(remedies(&absent))
}

fn remedies(absent: &[&Tool]) -> anyhow::Error {
    let lines: Vec<String> = absent
        .iter()
        .map(|tool| {
            let packages = tool.debian.join(" ");
            format!(
                "  {} ({}): on Debian and Ubuntu `sudo apt-get install {packages}`; elsewhere {}",
                tool.name, tool.why, tool.otherwise
            )
        })
        .collect();
    anyhow!("something is missing on this machine:\n{}", lines.join("\n"))
}

fn apt(packages: &[&str]) -> anyhow::Result<()> {
    // Debian's Postgres makes and starts a cluster of its own when it is installed; nothing here needs it.
    let _no_cluster = packages.contains(&"postgresql").then(NoCluster::new);
    let apt = || {
        let mut command = Command::new("apt-get");
        // Another installation may be under way, as on a machine that has just started.
        command.args(["-o", "DPkg::Lock::Timeout=300", "-q", "-y"]).env("DEBIAN_FRONTEND", "noninteractive");
        command
    };
    // Old lists name versions that the mirror no longer has; a failure shows in what follows.
    let _ = quietly(apt().arg("update"));
    quietly(apt().args(["install", "--no-install-recommends"]).args(packages))
}

/// Tells Debian's tools to make no cluster, while this value lives.
struct NoCluster(PathBuf);

impl NoCluster {
    fn new() -> Self {
        let path = Path::new("/etc/postgresql-common/createcluster.d/souk.conf").to_path_buf();
        if let Some(folder) = path.parent() {
            // Where it cannot be written, the package's own way is followed: a cluster more, which does no harm.
            let _ = std::fs::create_dir_all(folder);
            let _ = std::fs::write(&path, "create_main_cluster = false\n");
        }
        Self(path)
    }
}

impl Drop for NoCluster {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

/// Runs a command without its output; an error shows the end of that.
pub fn quietly(command: &mut Command) -> anyhow::Result<()> {
    let name = command.get_program().to_string_lossy().into_owned();
    let output = command.stdin(Stdio::null()).output().with_context(|| format!("could not start {name}"))?;
    if output.status.success() {
        return Ok(());
    }
    let text = [output.stdout, output.stderr].concat();
    bail!("{name} failed ({}):\n{}", output.status, tail(&String::from_utf8_lossy(&text)))
}

/// Returns the last lines of a text.
pub fn tail(text: &str) -> String {
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    lines[lines.len().saturating_sub(TAIL)..].join("\n")
}

/// Returns the program's path, when it is on the search path.
pub fn on_path(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(program)).find(|path| path.is_file())
}

/// Tells whether this process runs as root.
pub fn is_root() -> bool {
    #[expect(unsafe_code, reason = "the standard library does not tell the user")]
    // SAFETY: geteuid has no arguments and cannot fail.
    let user = unsafe { libc::geteuid() };
    user == 0
}

#[cfg(test)]
mod tests {
    use super::{Tool, provide, remedies};

    const TOOL: Tool = Tool {
        name: "frobnicator",
        why: "frobnicates",
        found: || true,
        debian: &["frob", "libfrob"],
        otherwise: "build it",
    };

    #[test]
    fn what_is_there_is_not_asked_for() {
        provide(&[&TOOL]).expect("it is found");
    }

    #[test]
    fn an_error_names_the_packages() {
        let error = remedies(&[&TOOL]).to_string();
        assert!(
            error.contains("frobnicator (frobnicates)") && error.contains("install frob libfrob`"),
            "{error}"
        );
    }
}
