//! The command line of the steps that show that souk does what the old system did: shadow and check.

use std::path::PathBuf;
use std::time::Duration;

use super::StepArgs;
use crate::cli::PlaceArgs;
use crate::settings::value::duration;

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example:
  souk migrate shadow --source-file source.url --old http://localhost:3000 --new http://localhost:3100 --for 60s

Asks both for the same products, by keys from all over the source, and for lists, and compares the answers field by field. \
Prices are the same when they are worth the same, times when they are the same moment. What is gone at another look was on \
its way, and is counted apart. --fields names a file for an API with other names:

  [fields]
  id = \"id\"
  quantity = \"stock\"
  \"texts.title\" = \"name\"

Nothing is written. Exit code 1 when something differs.")]
pub struct ShadowArgs {
    #[command(flatten)]
    pub args: StepArgs,
    /// Where the old API is
    #[arg(long, value_name = "URL")]
    pub old: String,
    /// Where souk's api is [setting: API_URL] [default: http://localhost:3000]
    #[arg(long, value_name = "URL")]
    pub new: Option<String>,
    /// Which field of the old API is which of souk's [default: those of the table that most come with]
    #[arg(long, value_name = "FILE")]
    pub fields: Option<PathBuf>,
    /// Pairs of requests
    #[arg(long, value_name = "NUMBER", default_value_t = 1_000, value_parser = clap::value_parser!(u64).range(1..))]
    pub requests: u64,
    /// Goes on for so long instead
    #[arg(long = "for", value_name = "DURATION", value_parser = duration, conflicts_with = "requests")]
    pub lasting: Option<Duration>,
    /// Says what would be asked, and asks nothing
    #[arg(long)]
    pub dry_run: bool,
}

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example:
  souk migrate check --source-file source.url
  souk migrate check --source-file source.url --old http://old.example:3000

A line for each criterion, with what was measured and the command that checks it by hand. What it creates it deletes. \
While the old system keeps the products souk takes no writes: what needs some cannot be told yet then, which is no fault.

Exit code 1 when a criterion does not hold.")]
pub struct CheckArgs {
    #[command(flatten)]
    pub args: StepArgs,
    #[command(flatten)]
    pub places: PlaceArgs,
    /// Where the old API is: souk has to say the same, and to be as fast
    #[arg(long, value_name = "URL")]
    pub old: Option<String>,
    /// Which field of the old API is which of souk's, as for `shadow`
    #[arg(long, value_name = "FILE", requires = "old")]
    pub fields: Option<PathBuf>,
    /// Without --old: what 95 of 100 reads may take at most
    #[arg(long, value_name = "DURATION", default_value = "50ms", value_parser = duration)]
    pub reads_within: Duration,
    /// Longest wait of each check
    #[arg(long, value_name = "DURATION", default_value = "30s", value_parser = duration)]
    pub timeout: Duration,
    /// Says what would be checked and written, and does nothing
    #[arg(long)]
    pub dry_run: bool,
}
