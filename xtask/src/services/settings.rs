//! Where the servers' data lies, at which ports they listen, and how they run: flags, then environment, then defaults.

use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use souk_servers::Kind;

/// How servers run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Engine {
    /// By Docker where an engine runs, else on this machine itself.
    Auto,
    /// By Docker Compose.
    Docker,
    /// On this machine itself, from Debian, Maven and Go packages.
    Local,
}

/// Returns how they are to run.
pub fn engine(flag: Option<Engine>) -> anyhow::Result<Engine> {
    use clap::ValueEnum as _;

    match (flag, variable("SOUK_SERVICES_ENGINE")) {
        (Some(engine), _) => Ok(engine),
        (None, None) => Ok(Engine::Auto),
        (None, Some(name)) => Engine::from_str(&name, false)
            .map_err(|_| anyhow::anyhow!("SOUK_SERVICES_ENGINE is `{name}`: write auto, docker or local")),
    }
}

/// The ports that were asked for.
#[derive(Debug, clap::Args)]
pub struct PortFlags {
    /// [default: $SOUK_POSTGRES_PORT, else 15432]
    #[arg(long, value_name = "PORT")]
    postgres_port: Option<u16>,
    /// [default: $SOUK_KAFKA_PORT, else 19092]
    #[arg(long, value_name = "PORT")]
    kafka_port: Option<u16>,
    /// [default: $SOUK_DYNAMO_PORT, else 18000]
    #[arg(long, value_name = "PORT")]
    dynamo_port: Option<u16>,
    /// [default: $SOUK_MINIO_PORT, else 19000]
    #[arg(long, value_name = "PORT")]
    minio_port: Option<u16>,
    /// [default: $SOUK_MINIO_CONSOLE_PORT, else 19001]
    #[arg(long, value_name = "PORT")]
    minio_console_port: Option<u16>,
}

/// The ports of the servers, none of them a server's usual one: that may be in use by the real thing.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Ports {
    pub postgres: u16,
    pub kafka: u16,
    pub dynamo: u16,
    pub minio: u16,
    pub minio_console: u16,
}

impl PortFlags {
    /// Fills in what was not asked for.
    ///
    /// # Errors
    /// When a variable is no port, or two servers have the same.
    pub fn resolve(&self) -> anyhow::Result<Ports> {
        let ports = Ports {
            postgres: port(self.postgres_port, "SOUK_POSTGRES_PORT", 15_432)?,
            kafka: port(self.kafka_port, "SOUK_KAFKA_PORT", 19_092)?,
            dynamo: port(self.dynamo_port, "SOUK_DYNAMO_PORT", 18_000)?,
            minio: port(self.minio_port, "SOUK_MINIO_PORT", 19_000)?,
            minio_console: port(self.minio_console_port, "SOUK_MINIO_CONSOLE_PORT", 19_001)?,
        };
        ports.check()?;
        Ok(ports)
    }
}

impl Ports {
    /// Returns the port of a server.
    pub fn of(&self, kind: Kind) -> u16 {
        match kind {
            Kind::Postgres => self.postgres,
            Kind::Kafka => self.kafka,
            Kind::Dynamo => self.dynamo,
            Kind::Minio => self.minio,
        }
    }

    fn check(&self) -> anyhow::Result<()> {
        let mut all = [self.postgres, self.kafka, self.dynamo, self.minio, self.minio_console];
        all.sort_unstable();
        if let Some(twice) = all.windows(2).find(|pair| pair[0] == pair[1]) {
            bail!("two servers are to listen at port {}: give one of them another", twice[0]);
        }
        Ok(())
    }
}

fn port(flag: Option<u16>, name: &str, default: u16) -> anyhow::Result<u16> {
    let port = match (flag, variable(name)) {
        (Some(port), _) => port,
        (None, Some(text)) => {
            text.parse().with_context(|| format!("{name} is `{text}`: write a port, such as {default}"))?
        }
        (None, None) => default,
    };
    if port == 0 {
        bail!("a server cannot listen at port 0: give one of 1 to 65535, such as {default}");
    }
    Ok(port)
}

/// Returns where the servers' data lies: on a disk, and where Postgres, which refuses to run as root, may pass through.
pub fn data_folder(flag: Option<&Path>) -> anyhow::Result<PathBuf> {
    let asked_for = flag.map(Path::to_path_buf).or_else(|| variable("SOUK_SERVICES_DATA").map(PathBuf::from));
    if let Some(folder) = asked_for {
        return std::path::absolute(&folder).context("the folder for the data has no name");
    }
    // Any file of ours tells who we are; this one is there while we run.
    let me = std::fs::metadata(std::env::current_exe()?.parent().unwrap_or(Path::new(".")));
    let user = std::fs::metadata("/proc/self").or(me).context("cannot tell the user")?.uid();
    let folder = PathBuf::from(format!("/var/tmp/souk-services-{user}"));
    // Everybody may write to /var/tmp: somebody else's folder, or a link to one, is not ours to use.
    match std::fs::symlink_metadata(&folder) {
        Ok(found) if !found.is_dir() || found.uid() != user => {
            bail!("{} belongs to somebody else: give another folder with --data", folder.display())
        }
        _ => Ok(folder),
    }
}

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

#[cfg(test)]
mod tests {
    use super::Ports;

    #[test]
    fn two_servers_at_one_port_are_refused() {
        let ports = Ports { postgres: 1, kafka: 2, dynamo: 3, minio: 4, minio_console: 2 };
        assert!(ports.check().expect_err("2 is there twice").to_string().contains("port 2"));
        assert!(Ports { minio_console: 5, ..ports }.check().is_ok());
    }
}
