//! The command line. Every command has an example in its help; `souk` alone is `souk up`.
//!
//! Exit codes: 0 done, 1 the check found a fault, 2 wrong use, 3 could not reach what it needs.

use std::path::PathBuf;

use clap::{Parser, Subcommand};
use souk_domain::EventType;

mod asked;
mod flags;
mod migrate;
mod moving;
mod places;

pub use asked::asked;
pub use flags::{
    AllSettings, AnalyticsSettings, ApiSettings, HasSettings, MigrateSettings, MoveSettings,
    NotificationsSettings, SettingFlags, StoreSettings, UpSettings, WebSettings,
};

pub use migrate::{
    BackupArgs, CheckArgs, CutoverArgs, FinishArgs, FollowArgs, MigrateArgs, MigrateStep, RestoreArgs,
    RollbackArgs, ShadowArgs, StepArgs,
};
pub use moving::{Backend, MoveArgs};
pub use places::{PlaceArgs, clients};

const ABOUT: &str = "A real-time marketplace backend: products, live events, analytics and an archive";

const EXAMPLES: &str = "\
Examples:
  souk                                  starts everything on this machine
  souk up --monolith                    the same on one port
  souk up --demo                        the same with a shop in it
  souk api                              starts one service on Postgres and Kafka
  souk load                             replays a shop's transactions and proves that nothing was lost
  souk verify                           follows a product through every service and removes it
  souk audit                            proves catalog, log, aggregates and archive equal
  souk doctor                           looks at everything it stands on
  souk migrate plan                     shows what it takes to take a shop's table over
  souk move --to distributed            moves the whole shop to Postgres, Kafka, DynamoDB and S3

Settings come from flags, the environment, ./.env and defaults, in this order; `souk config` shows them all.
Exit codes: 0 done, 1 the check found a fault, 2 wrong use, 3 could not reach what it needs.";

#[derive(Debug, Parser)]
#[command(name = "souk", version, about = ABOUT, after_help = EXAMPLES)]
#[command(args_conflicts_with_subcommands = true, max_term_width = 100)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Option<Command>,
    #[command(flatten)]
    pub up: UpArgs,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Starts api, notifications, analytics and the dashboard in one process
    #[command(after_help = "\
Example:
  souk up --data-dir /var/lib/souk --api-port 3000
  souk up --monolith
  souk up --demo

Everything is embedded unless DATABASE_URL and KAFKA_BROKERS are set: then it runs on Postgres, Kafka, DynamoDB and \
S3, as the services on their own do. With --monolith everything is on one port, the dashboard at / and \
/events/stream included. With --demo an empty shop is filled with the sample inside the binary, as the dashboard's button \
does it.

The first Ctrl-C or SIGTERM lets requests in flight end, the second aborts. Where the standard output is \
no terminal, a log line on the standard error says `ready` and where everything is.")]
    Up(UpArgs),
    /// Starts the api alone: products and stock on Postgres, events to Kafka
    #[command(after_help = "\
Example:
  souk api --env-file api.env

It needs DATABASE_URL and KAFKA_BROKERS. It waits for Postgres and says so in /readyz. Without Kafka it works, and \
events wait in Postgres.")]
    Api(ApiSettings),
    /// Starts notifications alone: the event stream, from Kafka
    #[command(after_help = "\
Example:
  souk notifications --kafka-brokers localhost:9092

It needs KAFKA_BROKERS. It waits for Kafka and the topic, which the api creates, and says so in /readyz.")]
    Notifications(NotificationsSettings),
    /// Starts analytics alone: from Kafka to DynamoDB and S3
    #[command(after_help = "\
Example:
  souk analytics --env-file analytics.env

It needs KAFKA_BROKERS, and DYNAMO_ENDPOINT and MINIO_ENDPOINT with their keys unless they are AWS's own. It waits for \
all three and says so in /readyz; tables and bucket are created when absent.")]
    Analytics(AnalyticsSettings),
    /// Starts the dashboard alone: a page that talks to services that run elsewhere
    #[command(after_help = "\
Example:
  souk web
  souk web --api-url https://shop.example/api --sse-url https://shop.example/events/stream --analytics-url \
https://shop.example/figures

It needs no server and no settings: the page talks from the browser to the api, the event stream and analytics, at \
ports 3000, 3001 and 8080 of the host under which the browser knows the dashboard, or where API_URL, SSE_URL and \
ANALYTICS_URL say. CORS_ALLOWED_ORIGINS of those services has to let its origin in. /health says which of them \
cannot be reached.")]
    Web(WebSettings),
    /// Replays real transactions through the public API and proves that nothing was lost
    #[command(after_help = "\
Example:
  souk load --data shop.csv.gz --rate 2000

The file has the columns InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,Country. Running \
it again continues the shop.")]
    Load(LoadArgs),
    /// Creates a product, follows its event through every service, and removes it: does this installation work?
    #[command(after_help = "\
Example:
  souk verify
  souk verify --api http://shop.example:3000 --json

A line for each step: api, notifications, analytics, end-to-end and clean-up; with what to do about each that fails. Works \
beside everything else that goes on, and leaves nothing in the catalog: the product is removed after a failure and \
after Ctrl-C, too.

Exit code 1 when something does not work, 3 when a service cannot be reached.")]
    Verify(VerifyArgs),
    /// Reads catalog, log, aggregates and archive and proves them equal; a running `souk up` is not disturbed
    #[command(after_help = "\
Example:
  souk audit --data-dir /var/lib/souk --json
  souk audit --since 24h

--repair puts right what log and archive can rebuild, aggregates and recent events, and wants souk stopped. What does \
not fit into memory goes to files below TMPDIR.

Exit code 1 when there is a difference, 3 when there is no data to read.")]
    Audit(AuditArgs),
    /// Looks at settings, servers or folder, topics, tables, clocks and consumers, and says what to do about each
    #[command(after_help = "\
Example:
  souk doctor --json

Nothing is changed, and a running souk is not disturbed. Exit code 1 when something is broken, 3 when nothing could \
be reached.")]
    Doctor(DoctorArgs),
    /// Takes a running shop's products over from its table in Postgres, in steps
    #[command(after_help = "\
Example:
  souk migrate plan --source postgresql://shop@localhost:5432/app
  souk migrate copy --source postgresql://shop@localhost:5432/app
  souk migrate compare --source postgresql://shop@localhost:5432/app

The source is only read. Every step may be broken off and repeated; what each did is in the folder that --state names. \
docs/migrating.md is the guide.")]
    Migrate(MigrateArgs),
    /// Moves the whole shop between the embedded engines and Postgres, Kafka, DynamoDB and S3, and audits it there
    #[command(after_help = moving::HELP)]
    Move(MoveArgs),
    /// Shows each setting with its value and where it came from, secrets hidden
    #[command(after_help = "Example:\n  souk config --env-file production.env --json")]
    Config(ConfigArgs),
    /// Prints the calls of the services as OpenAPI
    #[command(after_help = "\
Example:
  souk openapi > souk.openapi.json
  souk openapi --service api

All calls are in it, each with the port at which `souk up` serves it by default. With --service or --monolith it is what is \
served at /openapi.json. It needs no settings and nothing that runs. A page to read and try the calls is at /docs of every service.")]
    Openapi(OpenapiArgs),
    /// Prints topics and event stream as AsyncAPI, as every service serves it at /asyncapi.json
    #[command(after_help = "\
Example:
  souk asyncapi > souk.asyncapi.json
  souk asyncapi --event LowStockWarning

With --event it prints the JSON Schema of that event alone. It needs no settings and nothing that runs.")]
    Asyncapi(AsyncapiArgs),
    /// Shows the version
    #[command(after_help = "Example:\n  souk version --json")]
    Version(VersionArgs),
}

#[derive(Debug, clap::Args)]
pub struct UpArgs {
    /// Serves everything on one port, API_PORT
    #[arg(long)]
    pub monolith: bool,
    /// Fills an empty shop with the sample inside the binary
    #[arg(long)]
    pub demo: bool,
    #[command(flatten)]
    pub settings: UpSettings,
}

#[derive(Debug, clap::Args)]
pub struct LoadArgs {
    /// Transactions to replay, CSV or CSV in gzip [default: a sample inside the binary]
    #[arg(long, value_name = "FILE")]
    pub data: Option<PathBuf>,
    #[command(flatten)]
    pub places: PlaceArgs,
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
pub struct VerifyArgs {
    #[command(flatten)]
    pub places: PlaceArgs,
    /// Longest wait of each check
    #[arg(long, value_name = "DURATION", default_value = "30s")]
    pub timeout: String,
    /// Reads settings from this file in place of ./.env
    #[arg(long, value_name = "FILE")]
    pub env_file: Option<PathBuf>,
    /// Prints the report as JSON
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, clap::Args)]
pub struct AuditArgs {
    #[command(flatten)]
    pub installation: StoreSettings,
    /// Looks only at events from a time on, such as 2026-11-22T18:00:00Z, or since so long ago, such as 24h
    #[arg(long, value_name = "TIME")]
    pub since: Option<String>,
    /// Puts right what log and archive can rebuild; souk has to be stopped
    #[arg(long)]
    pub repair: bool,
    /// Prints the report as JSON
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, clap::Args)]
pub struct DoctorArgs {
    #[command(flatten)]
    pub installation: StoreSettings,
    /// Prints the findings as JSON
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, clap::Args)]
pub struct ConfigArgs {
    #[command(flatten)]
    pub settings: AllSettings,
    /// Prints the settings as JSON
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, clap::Args)]
pub struct OpenapiArgs {
    /// Only what this service serves
    #[arg(long, value_name = "SERVICE", value_parser = ["api", "notifications", "analytics", "web"])]
    pub service: Option<String>,
    /// All on one port, as `souk up --monolith` serves them
    #[arg(long, conflicts_with = "service")]
    pub monolith: bool,
}

#[derive(Debug, clap::Args)]
pub struct AsyncapiArgs {
    /// Prints the JSON Schema of this type of event in place of the document
    #[arg(long, value_name = "TYPE", value_parser = EventType::ALL.map(EventType::as_str))]
    pub event: Option<String>,
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
