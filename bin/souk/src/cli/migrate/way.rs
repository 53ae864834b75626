//! The command line of the steps that are taken while both systems run.

use std::time::Duration;

use super::StepArgs;
use crate::settings::value::duration;

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example:
  souk migrate follow --source-file source.url

Begins with a copy where there is none. From then on the source keeps the products: souk's API refuses writes until the \
cut-over. After one it goes the other way: what changes in souk is written into the old table. Ends with Ctrl-C; given again \
it goes on where it was.")]
pub struct FollowArgs {
    #[command(flatten)]
    pub args: StepArgs,
    /// Finds changes by comparing, where no trigger may be put on the table
    #[arg(long)]
    pub without_trigger: bool,
    /// Says what it would do, and does nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Ends as soon as everything is up to date, instead of waiting for the next change
    #[arg(long)]
    pub once: bool,
}

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example:
  souk migrate cutover --source-file source.url --within 30s

Shuts the old system's writers out by a trigger, lets what is on its way arrive, compares everything, and makes souk the \
keeper. Exit code 1 when a difference is left, or time is up: then the old system writes as before.")]
pub struct CutoverArgs {
    #[command(flatten)]
    pub args: StepArgs,
    /// For how long nobody may be able to write, at most
    #[arg(long, value_name = "DURATION", default_value = "30s", value_parser = duration)]
    pub within: Duration,
    /// Says that nobody writes to the source any more, so that no trigger has to refuse it
    #[arg(long)]
    pub writers_stopped: bool,
    /// Gives up the way back, which not every mapping has
    #[arg(long)]
    pub one_way: bool,
    /// Says what it would do, and does nothing
    #[arg(long)]
    pub dry_run: bool,
}

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example:
  souk migrate rollback --source-file source.url

Stops souk's writes, writes the rest back, compares everything, and gives the table to the old system. Exit code 1 when a \
difference is left, or time is up: then souk writes as before.")]
pub struct RollbackArgs {
    #[command(flatten)]
    pub args: StepArgs,
    /// For how long nobody may be able to write, at most
    #[arg(long, value_name = "DURATION", default_value = "30s", value_parser = duration)]
    pub within: Duration,
    /// Says what it would do, and does nothing
    #[arg(long)]
    pub dry_run: bool,
}

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example:
  souk migrate finish --source-file source.url

Compares once more, audits souk's own stores, and removes the schema souk_capture and its triggers, the fence included: see \
to it before that nothing of the old system is left that would write there. Exit code 1 when there is a difference: then \
everything stays.")]
pub struct FinishArgs {
    #[command(flatten)]
    pub args: StepArgs,
    /// Gives the migration up before a cut-over; after one removes everything though there are differences
    #[arg(long)]
    pub give_up: bool,
    /// Says what it would do, and does nothing
    #[arg(long)]
    pub dry_run: bool,
}
