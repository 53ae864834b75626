//! The command line of `souk migrate`.

use std::path::PathBuf;

use clap::Subcommand;

use super::MigrateSettings;

mod proof;
mod prove;
mod way;

pub use proof::{BackupArgs, RestoreArgs};
pub use prove::{CheckArgs, ShadowArgs};
pub use way::{CutoverArgs, FinishArgs, FollowArgs, RollbackArgs};

#[derive(Debug, clap::Args)]
pub struct MigrateArgs {
    #[command(subcommand)]
    pub step: MigrateStep,
}

#[derive(Debug, Subcommand)]
pub enum MigrateStep {
    /// Proposes a mapping where there is none, reads every row, and tells what would become of it; changes nothing
    #[command(after_help = "\
Example:
  souk migrate plan --source postgresql://shop@localhost:5432/app --table shop.goods

Without a mapping one is proposed and written to mapping.toml in the folder that --state names: look at it, change it, \
and plan again. Exit code 1 when a row breaks a rule for which the mapping has no policy.")]
    Plan {
        #[command(flatten)]
        args: StepArgs,
        /// The table for which a mapping is proposed [default: the one that looks most like products]
        #[arg(long, value_name = "NAME")]
        table: Option<String>,
        /// Says what a plan would read and write, and does nothing
        #[arg(long)]
        dry_run: bool,
    },
    /// Copies the source, the settings and what souk has into a folder, with checksums, counts and digests
    Backup(BackupArgs),
    /// Proves a backup: restores it into a scratch database and compares every table
    Restore(RestoreArgs),
    /// Copies every row, in the key's order, while the source stays in use; goes on where it was broken off
    #[command(after_help = "\
Example:
  souk migrate copy --source-file source.url --data-dir /var/lib/souk

Beside a running `souk up` it hands the rows to that. Another run takes what changed since. Exit code 1 \
when a row breaks a rule for which there is no policy, or differences are left.")]
    Copy {
        #[command(flatten)]
        args: StepArgs,
        /// Says what a copy would do, and does nothing
        #[arg(long)]
        dry_run: bool,
    },
    /// Compares all rows with all products and names each difference; a running souk is not disturbed
    #[command(after_help = "\
Example:
  souk migrate compare --source-file source.url --json

Exit code 1 when there is a difference.")]
    Compare {
        #[command(flatten)]
        args: StepArgs,
        /// Says what would be compared, and does nothing
        #[arg(long)]
        dry_run: bool,
    },
    /// Leads what changes in the source to souk until the cut-over, and after it back
    Follow(FollowArgs),
    /// Asks the old API and souk's for the same products, and compares the answers and how long they took
    Shadow(ShadowArgs),
    /// Checks everything that a migration has to come to, and prints it as a list
    Check(CheckArgs),
    /// Makes souk the keeper of the products, once both sides are proven the same
    Cutover(CutoverArgs),
    /// Gives the products back to the old system, once both sides are proven the same
    Rollback(RollbackArgs),
    /// Removes what souk has installed in the source
    Finish(FinishArgs),
    /// Tells what was done so far, and how far it is
    #[command(after_help = "Example:\n  souk migrate status --state ./souk-migration")]
    Status {
        /// The folder of the migration
        #[arg(long, value_name = "DIR", default_value = "./souk-migration")]
        state: PathBuf,
        /// Prints it as JSON
        #[arg(long)]
        json: bool,
    },
}

/// What all steps take that work with the source.
#[derive(Debug, clap::Args)]
pub struct StepArgs {
    #[command(flatten)]
    pub settings: MigrateSettings,
    /// The mapping file [default: mapping.toml in the folder of --state]
    #[arg(long, value_name = "FILE")]
    pub mapping: Option<PathBuf>,
    /// The folder of the migration: mapping, reports, and the record of what was done
    #[arg(long, value_name = "DIR", default_value = "./souk-migration")]
    pub state: PathBuf,
    /// Prints the outcome as JSON
    #[arg(long)]
    pub json: bool,
}
