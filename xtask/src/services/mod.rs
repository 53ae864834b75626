//! `cargo xtask services`: Postgres, Kafka, DynamoDB and S3 on this machine, for people who develop and try things.
//!
//! By Docker Compose where an engine runs, else without one, by `souk-servers`. Which of the two it was is found again
//! in the data folder, so that `down`, `status` and `env` need no flags. Progress goes to stderr, results to stdout.

mod docker;
mod local;
mod settings;

use std::path::PathBuf;

use anyhow::bail;
use souk_servers::{Access, Kind};

use settings::{Engine, Ports};

/// Brings up the real servers on this machine: Postgres, Kafka, DynamoDB Local, MinIO.
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  cargo xtask services up\n  eval \"$(cargo xtask services env)\"\n  \
                  cargo xtask services up --only kafka --kafka-port 9092\n  cargo xtask services status --json\n  \
                  cargo xtask services down --wipe")]
pub struct Args {
    /// Where their data lies [default: $SOUK_SERVICES_DATA, else a folder below /var/tmp].
    #[arg(long, global = true, value_name = "DIR")]
    data: Option<PathBuf>,
    #[command(subcommand)]
    action: Action,
}

#[derive(clap::Subcommand)]
enum Action {
    /// Starts what does not run yet and waits until all answer; installs what is missing.
    Up(Up),
    /// Stops them; their data stays.
    Down {
        /// Removes their data, too.
        #[arg(long)]
        wipe: bool,
    },
    /// Tells which run; exit code 1 when one of those that were started does not answer.
    Status {
        /// For scripts.
        #[arg(long)]
        json: bool,
    },
    /// Prints the settings by which souk finds them, as `export NAME=value` lines for `eval`.
    Env {
        /// As a JSON object.
        #[arg(long)]
        json: bool,
    },
}

#[derive(clap::Args)]
struct Up {
    /// Only these.
    #[arg(long, value_name = "NAME", num_args = 1.., value_delimiter = ',')]
    only: Vec<Kind>,
    /// How to run them [default: $SOUK_SERVICES_ENGINE, else auto].
    #[arg(long, value_enum)]
    engine: Option<Engine>,
    #[command(flatten)]
    ports: settings::PortFlags,
    /// Prints the settings by which souk finds them as a JSON object.
    #[arg(long)]
    json: bool,
}

/// A server, as `status` tells of it.
#[derive(Debug, serde::Serialize)]
struct Status {
    name: &'static str,
    /// `ready`, `not answering`, `stopped`, `not started`.
    state: &'static str,
    address: Option<String>,
    /// Its process, or the container's name.
    by: Option<String>,
}

/// What can be done with servers, whichever way they run.
trait Backend {
    /// Starts those that do not run.
    fn up(&self, kinds: &[Kind], ports: &Ports) -> anyhow::Result<()>;
    /// Stops them.
    fn down(&self, wipe: bool) -> anyhow::Result<()>;
    /// Tells of each kind.
    fn status(&self) -> anyhow::Result<Vec<Status>>;
    /// Returns where each that was started is.
    fn access(&self) -> anyhow::Result<Vec<Access>>;
}

/// Returns whether all is as it should be.
///
/// # Errors
/// When a server cannot be installed, started or found; names the remedy.
pub fn run(args: &Args) -> anyhow::Result<bool> {
    let folder = settings::data_folder(args.data.as_deref())?;
    let local = local::Local::new(folder.clone());
    let docker = docker::Docker::new(folder);
    let is_docker = docker.is_used() || (docker.is_known() && !local.is_used()?);
    let running: &dyn Backend = if is_docker { &docker } else { &local };
    match &args.action {
        Action::Up(up) => {
            let kinds = if up.only.is_empty() { Kind::ALL.to_vec() } else { up.only.clone() };
            let ports = up.ports.resolve()?;
            let backend: &dyn Backend = match settings::engine(up.engine)? {
                // One set in one folder: those that are there already decide.
                Engine::Auto if docker.is_used() => &docker,
                Engine::Auto if !local.is_used()? && docker::engine_runs().is_ok() => &docker,
                Engine::Auto => &local,
                Engine::Docker if local.is_used()? => {
                    bail!("servers without Docker run already: `cargo xtask services down` ends them")
                }
                Engine::Docker => {
                    docker::engine_runs()?;
                    &docker
                }
                Engine::Local if docker.is_used() => {
                    bail!("servers run by Docker already: `cargo xtask services down` ends them")
                }
                Engine::Local => &local,
            };
            backend.up(&kinds, &ports)?;
            tell(&backend.status()?);
            if up.json {
                println!("{}", as_json(&env(&backend.access()?))?);
            } else {
                eprintln!("next: eval \"$(cargo xtask services env)\"");
            }
            Ok(true)
        }
        Action::Down { wipe } => {
            running.down(*wipe)?;
            Ok(true)
        }
        Action::Status { json } => {
            let status = running.status()?;
            if *json {
                println!("{}", serde_json::to_string_pretty(&status)?);
            } else {
                tell_on_stdout(&status);
            }
            let started = status.iter().filter(|status| status.state != "not started");
            Ok(started.clone().count() > 0 && started.into_iter().all(|status| status.state == "ready"))
        }
        Action::Env { json } => {
            let access = running.access()?;
            if access.is_empty() {
                bail!("no server runs: `cargo xtask services up` starts them");
            }
            let dead = running.status()?.into_iter().find(|s| matches!(s.state, "stopped" | "not answering"));
            if let Some(dead) = dead {
                bail!("{} is {}: `cargo xtask services up` starts it again", dead.name, dead.state);
            }
            let env = env(&access);
            if *json {
                println!("{}", as_json(&env)?);
            } else {
                for (name, value) in env {
                    println!("export {name}={}", quote(&value));
                }
            }
            Ok(true)
        }
    }
}

fn env(access: &[Access]) -> Vec<(&'static str, String)> {
    access.iter().flat_map(|access| access.env()).collect()
}

fn as_json(env: &[(&'static str, String)]) -> anyhow::Result<String> {
    let object: serde_json::Map<String, serde_json::Value> =
        env.iter().map(|(name, value)| ((*name).to_owned(), value.clone().into())).collect();
    Ok(serde_json::to_string_pretty(&object)?)
}

/// Quotes a value for a shell, when it has to be.
fn quote(value: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_./:@%+=,".contains(&byte);
    if !value.is_empty() && value.bytes().all(is_plain) {
        value.to_owned()
    } else {
        format!("'{}'", value.replace('\'', r"'\''"))
    }
}

fn lines(status: &[Status]) -> impl Iterator<Item = String> {
    status.iter().map(|status| {
        let (address, by) = (status.address.as_deref().unwrap_or("-"), status.by.as_deref().unwrap_or("-"));
        format!("{:<9} {:<14} {address:<18} {by}", status.name, status.state)
    })
}

fn tell(status: &[Status]) {
    lines(status).for_each(|line| eprintln!("{line}"));
}

fn tell_on_stdout(status: &[Status]) {
    lines(status).for_each(|line| println!("{line}"));
}

#[cfg(test)]
mod tests {
    use super::quote;

    #[test]
    fn a_shell_reads_back_what_was_quoted() {
        assert_eq!(
            quote("postgresql://postgres:password@127.0.0.1:15432/app"),
            "postgresql://postgres:password@127.0.0.1:15432/app"
        );
        for value in ["", "two words", "it's", "$HOME `id`", "a\nb"] {
            let script = format!("printf %s {}", quote(value));
            let output =
                std::process::Command::new("sh").args(["-c", &script]).output().expect("sh is there");
            assert_eq!(String::from_utf8_lossy(&output.stdout), value);
        }
    }
}
