//! The command line of `souk move`.

use clap::ValueEnum;

use super::MoveSettings;

pub const HELP: &str = "\
Example:
  souk move --to distributed --dry-run
  souk move --to distributed --env-file production.env
  souk move --to embedded --data-dir /var/lib/souk

The settings name both sides: DATA_DIR the folder; DATABASE_URL, KAFKA_BROKERS and the rest the servers. Everything moves: \
products with their versions, every event as it was published, answers of idempotency keys; recent events, aggregates and \
archive are made there, and all of it is audited. The side that the shop leaves is only read.

souk has to be stopped on both sides. A move that was broken off goes on where it was when it is run again; until it is \
done, no souk starts on the target. Exit code 1 when the audit finds a difference, 2 when the target holds something \
else, 3 when souk is at work on a side or a server cannot be reached.";

/// Where a shop can be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Backend {
    /// The folder DATA_DIR.
    Embedded,
    /// Postgres, Kafka, DynamoDB and S3.
    Distributed,
}

#[derive(Debug, clap::Args)]
pub struct MoveArgs {
    /// Where to
    #[arg(long, value_enum, value_name = "BACKEND")]
    pub to: Backend,
    /// Says what a move would do, and does nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Prints the outcome as JSON
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub settings: MoveSettings,
}
