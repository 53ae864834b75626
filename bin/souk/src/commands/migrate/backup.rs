//! `souk migrate backup` and `restore`: what an operator wants to have before anything is written, and the proof that it
//! is worth something.

use std::path::{Path, PathBuf};

use souk_migrate::{Backup, Judgement, Own};
use souk_ports::{Clock as _, SystemClock};
use souk_postgres::PgDump;

use super::{Step, with_progress};
use crate::cli::{BackupArgs, RestoreArgs};
use crate::commands::{audit, config};
use crate::failure::Failure;
use crate::output;
use crate::settings::{Layers, Role, Settings};
use crate::wiring::own;

/// Backs up.
///
/// # Errors
/// As every step.
pub fn back_up(args: BackupArgs) -> Result<(), Failure> {
    let BackupArgs { args, into, table, dry_run } = args;
    let layers = Layers::of_process(args.settings.values.clone(), args.settings.env_file.clone());
    let shown = config::values(&Settings::load(&layers, Role::Config)?);
    let into = into.unwrap_or_else(|| args.state.join(name_of_now()));
    let step = if dry_run { Step::look(args)? } else { Step::begin(args, "backup")? };
    step.run(async move |step| {
        souk_migrate::check_free(&into)?;
        let source = PgDump::new(&step.source, table);
        let (own, left_out) = own(&step.settings).await?;
        if dry_run {
            output::print_line(&rehearsal(&step, &own, &into));
            return Ok(());
        }
        let mapping = step.mapping.clone().unwrap_or_else(|| step.folder.mapping());
        let settings = serde_json::to_vec_pretty(&shown).expect("settings have text keys");
        let backup = Backup { source, own, settings, mapping: Some(mapping), left_out };
        let manifest = with_progress(|line| {
            souk_migrate::back_up(backup, &step.folder, &into, || SystemClock.now(), line)
        })
        .await?;
        step.print(&manifest);
        let into = into.display();
        eprintln!("the backup is in {into}; next: souk migrate restore --from {into}, which proves it");
        Ok(())
    })
}

/// A name for a backup that is made now.
fn name_of_now() -> String {
    let time: String = SystemClock.now().to_string().chars().filter(|c| c.is_ascii_alphanumeric()).collect();
    format!("backup-{time}")
}

fn rehearsal(step: &Step, own: &Own, into: &Path) -> String {
    let own = match own {
        Own::Nothing => "souk has nothing yet".to_owned(),
        Own::Files(_) => format!("copy souk's files in {}", step.settings.data_dir.display()),
        Own::Database(dump) => format!("dump souk's schema in {}", dump.place()),
    };
    format!("would dump {} into {}; {own}", step.source.address(), into.display())
}

/// Proves a backup.
///
/// # Errors
/// As every step; `Fault` when the backup is not good.
pub fn restore(args: RestoreArgs) -> Result<(), Failure> {
    let RestoreArgs { mut args, from, into, into_file, keep, dry_run } = args;
    let into = match into_file {
        Some(file) => Some(std::fs::read_to_string(&file).map_err(|error| {
            Failure::Usage(format!("--into-file {} cannot be read: {error}", file.display()))
        })?),
        None => into,
    };
    if let Some(url) = into {
        // The backup's own source may be gone: then this is the server.
        let flag = crate::settings::Flag { name: "into".to_owned(), value: url.trim().to_owned() };
        args.settings.values.remove("MIGRATE_SOURCE_FILE");
        args.settings.values.insert("MIGRATE_SOURCE", flag);
    }
    if dry_run {
        return Step::look(args)?.run(async move |step| {
            let (from, server) = (from.display(), step.source.address());
            let end = if keep { "leave it there" } else { "drop it again" };
            output::print_line(&format!(
                "would compare the checksums of {from}, restore each dump into a new database at {server}, compare every table \
                 with the manifest, and {end}"
            ));
            Ok(())
        });
    }
    let step = Step::begin(args, "restore")?;
    step.run(async move |step| {
        let server = PgDump::new(&step.source, Vec::new());
        let own = async |folder: &Path| {
            let folder = PathBuf::from(folder);
            Ok(audited(&Settings { distributed: None, data_dir: folder, ..step.settings.clone() }).await)
        };
        let proof = with_progress(|line| {
            souk_migrate::restore(&from, server, own, keep, &step.folder, || SystemClock.now(), line)
        })
        .await?;
        step.print(&proof);
        if proof.ok { Ok(()) } else { Err(Failure::reported()) }
    })
}

/// Audits an installation where it is.
pub(super) async fn audited(settings: &Settings) -> Judgement {
    match audit::audit(settings, None, false).await {
        Ok(report) => Judgement {
            ok: report.ok,
            detail: format!(
                "audited, {} products, {} events, {} differences",
                report.products,
                report.events,
                report.checks.iter().map(|check| check.differences).sum::<u64>()
            ),
        },
        Err(Failure::Unreachable(text) | Failure::Usage(text) | Failure::Fault(text)) => {
            Judgement { ok: false, detail: text }
        }
    }
}
