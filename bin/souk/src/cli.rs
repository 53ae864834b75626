//! The command line. Every command has an example in its help; `souk` alone is `souk up`.
//!
//! Exit codes: 0 done, 1 the check found a fault, 2 wrong use, 3 could not reach what it needs.

use std::path::PathBuf;

use clap::{Parser, Subcommand};

mod flags;

pub use flags::{InstallationFlags, UpFlags};

const ABOUT: &str = "A real-time marketplace backend: products, live events, analytics and an archive";

const EXAMPLES: &str = "\
Examples:
  souk                                  starts everything on this machine
  souk load                             replays a shop's transactions and proves that nothing was lost
  souk audit                            proves catalog, log, aggregates and archive equal

Settings come from flags, the environment, ./.env and defaults, in this order; `souk config` shows them all.
Exit codes: 0 done, 1 the check found a fault, 2 wrong use, 3 could not reach what it needs.";

#[derive(Debug, Parser)]
#[command(name = "souk", version, about = ABOUT, after_help = EXAMPLES)]
#[command(args_conflicts_with_subcommands = true, max_term_width = 100)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Option<Command>,
    #[command(flatten)]
    pub up: UpFlags,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Starts api, notifications and analytics in one process
    #[command(after_help = "\
Example:
  souk up --data-dir /var/lib/souk --api-port 3000

The first Ctrl-C or SIGTERM lets requests in flight end, the second aborts. Where the standard output is \
no terminal, a log line on the standard error says `ready` and where everything is.")]
    Up(UpFlags),
    /// Replays real transactions through the public API and proves that nothing was lost
    #[command(after_help = "\
Example:
  souk load --data shop.csv.gz --rate 2000

The file has the columns InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,Country. Running \
it again continues the shop.")]
    Load(LoadArgs),
    /// Reads catalog, log, aggregates and archive and proves them equal; a running `souk up` is not disturbed
    #[command(after_help = "\
Example:
  souk audit --data-dir /var/lib/souk --json

Exit code 1 when there is a difference, 3 when there is no data to read.")]
    Audit(AuditArgs),
    /// Shows each setting with its value and where it came from, secrets hidden
    #[command(after_help = "Example:\n  souk config --env-file production.env --json")]
    Config(ConfigArgs),
    /// Shows the version
    #[command(after_help = "Example:\n  souk version --json")]
    Version(VersionArgs),
}

#[derive(Debug, clap::Args)]
pub struct LoadArgs {
    /// Transactions to replay, CSV or CSV in gzip [default: a sample inside the binary]
    #[arg(long, value_name = "FILE")]
    pub data: Option<PathBuf>,
    /// Where the api is [setting: API_URL] [default: http://localhost:3000]
    #[arg(long, value_name = "URL")]
    pub api: Option<String>,
    /// Where the event stream is [setting: SSE_URL] [default: port 3001 beside the api]
    #[arg(long, value_name = "URL")]
    pub stream: Option<String>,
    /// Where analytics is [setting: ANALYTICS_URL] [default: port 8080 beside the api]
    #[arg(long, value_name = "URL")]
    pub analytics: Option<String>,
    /// Requests in flight at once
    #[arg(long, value_name = "NUMBER", default_value_t = 64, value_parser = clap::value_parser!(u16).range(1..=4096))]
    pub concurrency: u16,
    /// Lines per second to keep to; without it, as fast as the answers come
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u32).range(1..))]
    pub rate: Option<u32>,
    /// Reads settings from this file in place of ./.env
    #[arg(long, value_name = "FILE")]
    pub env_file: Option<PathBuf>,
    /// Prints the verdict as JSON
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, clap::Args)]
pub struct AuditArgs {
    #[command(flatten)]
    pub installation: InstallationFlags,
    /// Prints the report as JSON
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, clap::Args)]
pub struct ConfigArgs {
    #[command(flatten)]
    pub up: UpFlags,
    /// Prints the settings as JSON
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, clap::Args)]
pub struct VersionArgs {
    /// Prints the version as JSON
    #[arg(long)]
    pub json: bool,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_command_has_an_example() {
        for command in Cli::command().get_subcommands() {
            let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            let example = format!("souk {}", command.get_name());
            assert!(help.contains("Example:") && help.contains(&example), "{example}: {help}");
        }
    }
}
