//! The command line of the steps that keep and prove: backup and restore.

use std::path::PathBuf;

use super::StepArgs;

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example:
  souk migrate backup --source-file source.url --into /var/backups/shop-before-souk

Needs pg_dump, as new as the server (Debian: postgresql-client). The whole database is dumped, while it stays in use; \
counts and digests are of the same moment. What souk has of its own is copied, too. A folder that is there is never \
overwritten, and one that has a manifest.json is whole. No password is in it, but all of the shop is.")]
pub struct BackupArgs {
    #[command(flatten)]
    pub args: StepArgs,
    /// The folder to make [default: backup-TIME in the folder of --state]
    #[arg(long, value_name = "DIR")]
    pub into: Option<PathBuf>,
    /// Dumps this table alone, as schema.table; may be given several times, where the user may not read the others
    #[arg(long, value_name = "NAME")]
    pub table: Vec<String>,
    /// Says what it would do, and does nothing
    #[arg(long)]
    pub dry_run: bool,
}

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example:
  souk migrate restore --from /var/backups/shop-before-souk --source-file source.url

Compares checksums, restores each dump with pg_restore into a new database of the source's server, or of the one that \
--into names, compares every table's rows and digest with the manifest, and drops the database again. souk's own files are \
audited where they lie. The user needs CREATEDB.

Exit code 1 when the backup is not good.")]
pub struct RestoreArgs {
    #[command(flatten)]
    pub args: StepArgs,
    /// The backup's folder
    #[arg(long, value_name = "DIR")]
    pub from: PathBuf,
    /// Another server to restore on, such as postgresql://user@host:5432/postgres
    #[arg(long, value_name = "URL")]
    pub into: Option<String>,
    /// File that holds the URL of --into
    #[arg(long, value_name = "FILE", conflicts_with = "into")]
    pub into_file: Option<PathBuf>,
    /// Leaves the restored databases there
    #[arg(long)]
    pub keep: bool,
    /// Says what it would do, and does nothing
    #[arg(long)]
    pub dry_run: bool,
}
