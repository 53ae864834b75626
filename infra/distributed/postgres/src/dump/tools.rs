//! `pg_dump` and `pg_restore`: found where systems keep them, run with everything about the server in their environment.

use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use souk_ports::{ErrorKind, PortError};
use tokio_postgres::config::{Host, SslMode};

use crate::config::PostgresConfig;
use crate::tls::Verify;

/// Time between two looks at a tool: short beside what a dump takes, nothing to the work.
const LOOK: Duration = Duration::from_millis(50);
/// Where Debian and its kin keep a folder for each version.
const DEBIAN: &str = "/usr/lib/postgresql";
/// Characters of what a tool says that are shown.
const SAID: usize = 600;

/// A tool of some version.
#[derive(Debug, Clone)]
pub struct Tool {
    path: PathBuf,
    name: &'static str,
    major: u32,
    /// In its own words, such as `pg_dump (PostgreSQL) 15.18`.
    pub version: String,
}

impl Tool {
    /// Finds the newest one; it has to be as new as the server, whose version is `server` as `server_version_num` has it.
    ///
    /// # Errors
    /// `Unavailable` naming the package.
    pub fn find(name: &'static str, server: i32) -> Result<Self, PortError> {
        let needed = u32::try_from(server / 10_000).unwrap_or_default();
        let mut folders: Vec<PathBuf> =
            std::env::var_os("PATH").map(|path| std::env::split_paths(&path).collect()).unwrap_or_default();
        if let Ok(versions) = std::fs::read_dir(DEBIAN) {
            folders.extend(versions.flatten().map(|version| version.path().join("bin")));
        }
        let found = folders.iter().filter_map(|folder| Self::at(name, folder.join(name)));
        Self::newest(name, found, needed)
    }

    fn newest(name: &str, found: impl Iterator<Item = Self>, needed: u32) -> Result<Self, PortError> {
        let newest = found.max_by_key(|tool| tool.major);
        let unavailable = |what: String| PortError::new(ErrorKind::Unavailable, what);
        let remedy = format!("install the package postgresql-client-{needed} or newer");
        match newest {
            Some(tool) if tool.major >= needed => Ok(tool),
            Some(tool) => Err(unavailable(format!(
                "{} is older than the server, which is {needed}: {remedy}",
                tool.version
            ))),
            None => Err(unavailable(format!("{name} is not in PATH nor below {DEBIAN}: {remedy}"))),
        }
    }

    fn at(name: &'static str, path: PathBuf) -> Option<Self> {
        let output = Command::new(&path).arg("--version").stdin(Stdio::null()).output().ok()?;
        let version = String::from_utf8_lossy(&output.stdout).lines().next()?.trim().to_owned();
        Some(Self { major: major(&version)?, path, name, version })
    }
}

/// Reads the major version of `pg_dump (PostgreSQL) 15.18 (Debian …)`.
fn major(version: &str) -> Option<u32> {
    let (_, rest) = version.split_once("PostgreSQL) ")?;
    let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
    digits.parse().ok()
}

/// Returns what tells a tool where the server is, the password included.
pub fn environment(config: &PostgresConfig) -> Vec<(&'static str, String)> {
    let server = &config.server;
    let hosts: Vec<String> = server
        .get_hosts()
        .iter()
        .map(|host| match host {
            Host::Tcp(name) => name.clone(),
            #[cfg(unix)]
            Host::Unix(path) => path.display().to_string(),
        })
        .collect();
    let addresses: Vec<String> = server.get_hostaddrs().iter().map(ToString::to_string).collect();
    let ports: Vec<String> = server.get_ports().iter().map(ToString::to_string).collect();
    let mode = match (server.get_ssl_mode(), config.tls.verify) {
        (SslMode::Disable, _) => "disable",
        (_, Verify::AuthorityAndName) => "verify-full",
        (_, Verify::Authority) => "verify-ca",
        (SslMode::Prefer, _) => "prefer",
        _ => "require",
    };
    let password = server.get_password().map(|password| String::from_utf8_lossy(password).into_owned());
    let root = match (config.tls.verify, &config.tls.root) {
        (Verify::AuthorityAndName, None) => Some("system".to_owned()),
        (_, root) => root.clone(),
    };
    let list = |items: Vec<String>| (!items.is_empty()).then(|| items.join(","));
    let seconds = server.get_connect_timeout().map(|timeout| timeout.as_secs().max(2).to_string());
    let all = [
        ("PGHOST", list(hosts)),
        ("PGHOSTADDR", list(addresses)),
        ("PGPORT", list(ports)),
        ("PGUSER", server.get_user().map(str::to_owned)),
        ("PGPASSWORD", password),
        ("PGDATABASE", Some(config.database().to_owned())),
        ("PGSSLMODE", Some(mode.to_owned())),
        ("PGSSLROOTCERT", root),
        ("PGSSLCERT", config.tls.certificate.clone()),
        ("PGSSLKEY", config.tls.key.clone()),
        ("PGOPTIONS", server.get_options().map(str::to_owned)),
        ("PGCONNECT_TIMEOUT", seconds),
        ("PGAPPNAME", Some(config.application_name.clone())),
    ];
    all.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
}

/// A child that does not outlive the step.
struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Runs a tool to its end, and tells how large `file` is meanwhile.
///
/// # Errors
/// `Unavailable` when it does not start; `InvalidData` with its words when it does not end well.
pub async fn run(
    tool: &Tool,
    args: &[String],
    environment: &[(&'static str, String)],
    file: Option<&Path>,
    told: &mut (dyn FnMut(u64) + Send),
) -> Result<(), PortError> {
    let mut command = Command::new(&tool.path);
    // The operator's own words about servers must not reach another one than was named.
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("PG") {
            command.env_remove(name);
        }
    }
    command.args(args).envs(environment.iter().map(|(name, value)| (*name, value)));
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    let started = command.spawn().map_err(|error| {
        PortError::new(ErrorKind::Unavailable, format!("{} does not start: {error}", tool.path.display()))
    })?;
    let mut child = Killed(started);
    let mut stderr = child.0.stderr.take().expect("it was asked for");
    let words = std::thread::spawn(move || {
        let mut bytes = Vec::new();
        let _ = stderr.read_to_end(&mut bytes);
        String::from_utf8_lossy(&bytes).into_owned()
    });
    let status = loop {
        let ended = child.0.try_wait().map_err(|error| {
            PortError::new(ErrorKind::Internal, format!("{} was lost sight of: {error}", tool.name))
        })?;
        if let Some(status) = ended {
            break status;
        }
        if let Some(length) = file.and_then(|file| std::fs::metadata(file).ok()).map(|meta| meta.len()) {
            told(length);
        }
        tokio::time::sleep(LOOK).await;
    };
    if status.success() {
        return Ok(());
    }
    let words = words.join().unwrap_or_default();
    let words: Vec<&str> = words.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let words: String = words.join("; ").chars().take(SAID).collect();
    Err(PortError::new(ErrorKind::InvalidData, format!("{} did not end well: {words}", tool.name)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tool(version: &str) -> Tool {
        let major = major(version).unwrap();
        Tool { path: PathBuf::new(), name: "pg_dump", major, version: version.to_owned() }
    }

    #[test]
    fn the_newest_is_taken_and_has_to_be_as_new_as_the_server() {
        let two = || {
            ["pg_dump (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)", "pg_dump (PostgreSQL) 17beta1"].map(tool)
        };
        assert_eq!(Tool::newest("pg_dump", two().into_iter(), 15).unwrap().major, 17);
        let old = Tool::newest("pg_dump", two().into_iter(), 18).unwrap_err().to_string();
        assert!(old.contains("postgresql-client-18"), "{old}");
        let none = Tool::newest("pg_dump", std::iter::empty(), 16).unwrap_err().to_string();
        assert!(none.contains("pg_dump is not in PATH") && none.contains("postgresql-client-16"), "{none}");
    }

    #[test]
    fn the_environment_says_what_the_url_says() {
        let url = "postgres://ann:s3cret%40@db.example:6432/shop?sslmode=verify-ca&sslrootcert=%2Fca.pem";
        let environment = environment(&PostgresConfig::parse(url).unwrap());
        let get = |name: &str| environment.iter().find(|(n, _)| *n == name).map(|(_, value)| value.as_str());
        assert_eq!(get("PGHOST"), Some("db.example"));
        assert_eq!((get("PGPORT"), get("PGUSER")), (Some("6432"), Some("ann")));
        assert_eq!((get("PGPASSWORD"), get("PGDATABASE")), (Some("s3cret@"), Some("shop")));
        assert_eq!((get("PGSSLMODE"), get("PGSSLROOTCERT")), (Some("verify-ca"), Some("/ca.pem")));
    }
}
