//! `souk migrate`: takes products over from another system's table, in steps that may be repeated.

use std::future::Future;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde::Serialize;
use souk_migrate::{Deps, Folder, Mapping, MigrateError, Patient, Progress, Standing};
use souk_ports::{Clock as _, Source, SystemClock};
use souk_postgres::{ConnectError, PgSource, PostgresConfig};

use crate::cli::{MigrateArgs, MigrateStep, StepArgs};
use crate::commands::progress::ProgressLine;
use crate::commands::runtime;
use crate::failure::Failure;
use crate::output;
use crate::settings::value::Value;
use crate::settings::{Layers, Role, Settings};
use crate::wiring::Target;
use rehearse::Reading;

mod backup;
mod prove;
mod rehearse;
mod way;

/// Rows that souk is supposed to write in a second: into a folder, as `cargo xtask bench` measures it on two small cores.
const WRITTEN_INTO_A_FOLDER: f64 = 20_000.0;
/// And on servers, each of which has a core or two.
const WRITTEN_ON_SERVERS: f64 = 5_000.0;
/// The server takes a moment to notice that a killed step is gone.
const LOCK_PATIENCE: Duration = Duration::from_secs(5);

/// Takes a step and prints what came of it.
///
/// # Errors
/// `Fault` when something has to be decided or differs, `Usage` for settings and mappings, `Unreachable` when source,
/// target or folder cannot be used.
pub fn run(args: MigrateArgs) -> Result<(), Failure> {
    match args.step {
        MigrateStep::Plan { args, dry_run: true, .. } => rehearse::reading(args, Reading::Plan),
        MigrateStep::Plan { args, table, .. } => Step::begin(args, "plan")?.run(|step| plan(step, table)),
        MigrateStep::Backup(args) => backup::back_up(args),
        MigrateStep::Restore(args) => backup::restore(args),
        MigrateStep::Shadow(args) => prove::shadow(args),
        MigrateStep::Check(args) => prove::check(args),
        MigrateStep::Copy { args, dry_run: true } => Step::look(args)?.run(rehearse_copy),
        MigrateStep::Copy { args, dry_run: false } => Step::begin(args, "copy")?.run(copy),
        MigrateStep::Compare { args, dry_run: true } => rehearse::reading(args, Reading::Compare),
        MigrateStep::Compare { args, dry_run: false } => Step::look(args)?.run(compare),
        MigrateStep::Follow(args) => way::follow(args),
        MigrateStep::Cutover(args) => way::cut_over(args),
        MigrateStep::Rollback(args) => way::roll_back(args),
        MigrateStep::Finish(args) => way::finish(args),
        MigrateStep::Status { state, json } => {
            let standing = Standing::of(&Folder::look(&state), SystemClock.now())?;
            if json {
                output::print_json(&standing);
            } else {
                output::print_line(&standing.to_string());
            }
            Ok(())
        }
    }
}

/// A step with what every one needs.
struct Step {
    settings: Settings,
    mapping: Option<PathBuf>,
    folder: Folder,
    json: bool,
    source: PostgresConfig,
    /// Whether it has the folder, and does not only look.
    works: bool,
}

impl Step {
    /// Begins a step that works: the folder is this operator's until its end.
    fn begin(args: StepArgs, name: &'static str) -> Result<Self, Failure> {
        let mut step = Self::over(args, |path| Folder::open(path, name))?;
        step.source.application_name = format!("souk migrate {name}");
        step.works = true;
        Ok(step)
    }

    /// Begins one that only looks, beside any other.
    fn look(args: StepArgs) -> Result<Self, Failure> {
        Self::over(args, |path| Ok(Folder::look(path)))
    }

    fn over(
        args: StepArgs,
        open: impl FnOnce(&Path) -> Result<Folder, MigrateError>,
    ) -> Result<Self, Failure> {
        let layers = Layers::of_process(args.settings.values, args.settings.env_file);
        let settings = Settings::load(&layers, Role::Migrate)?;
        for warning in &settings.warnings {
            eprintln!("warning: {warning}");
        }
        let url = match &settings.resolved["MIGRATE_SOURCE"].value {
            Some(Value::Secret(url)) => url,
            _ => {
                return Err(Failure::Usage(
                    "where to migrate from is not said: give --source postgresql://user:password@host:5432/database, or \
                     MIGRATE_SOURCE, or a file with it by --source-file"
                        .to_owned(),
                ));
            }
        };
        let mut source =
            PostgresConfig::parse(url.expose()).map_err(|why| Failure::Usage(format!("--source {why}")))?;
        source.setting = "--source";
        source.application_name = "souk migrate".to_owned();
        let folder = open(&args.state)?;
        Ok(Self { settings, mapping: args.mapping, folder, json: args.json, source, works: false })
    }

    /// Runs `work` on a runtime of its own.
    fn run(self, work: impl AsyncFnOnce(Self) -> Result<(), Failure>) -> Result<(), Failure> {
        let runtime = runtime(&self.settings)?;
        runtime.block_on(work(self))
    }

    /// Connects to the source.
    async fn reading(&self) -> Result<Arc<dyn Source>, Failure> {
        let source = PgSource::connect(&self.source).await.map_err(refused)?;
        Ok(if self.works { Patient::telling(source, self.folder.waiting()) } else { Patient::over(source) })
    }

    /// Connects to the source, as the one operator.
    async fn source(&self) -> Result<Arc<dyn Source>, Failure> {
        let source = self.reading().await?;
        let began = Instant::now();
        let taken = loop {
            let taken = source.lock().await.map_err(MigrateError::from)?;
            if taken || began.elapsed() > LOCK_PATIENCE {
                break taken;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        };
        if !taken {
            let holder = source.lock_holder().await.ok().flatten();
            let who = holder.map(|holder| match holder.since {
                Some(since) => format!(": {}, since {since}", holder.name),
                None => format!(": {}", holder.name),
            });
            return Err(Failure::Unreachable(format!(
                "another `souk migrate` is at work on {}{}; wait for its end",
                self.source.address(),
                who.unwrap_or_default()
            )));
        }
        Ok(source)
    }

    fn mapping(&self) -> Result<Mapping, Failure> {
        let path = self.mapping.clone().unwrap_or_else(|| self.folder.mapping());
        if !path.is_file() {
            return Err(Failure::Usage(format!(
                "there is no mapping {}: `souk migrate plan` proposes one",
                path.display()
            )));
        }
        Ok(Mapping::read(&path)?)
    }

    /// Puts source and target together.
    fn deps(&self, source: Arc<dyn Source>, target: &Target) -> Deps {
        Deps {
            source,
            catalog: target.catalog.clone(),
            target: target.identity.clone(),
            clock: Arc::new(SystemClock),
        }
    }

    /// Rows that souk is supposed to write in a second.
    fn written_per_second(&self) -> f64 {
        if self.settings.distributed.is_some() { WRITTEN_ON_SERVERS } else { WRITTEN_INTO_A_FOLDER }
    }

    fn print(&self, outcome: &(impl Serialize + std::fmt::Display)) {
        if self.json {
            output::print_json(outcome);
        } else {
            output::print_line(&outcome.to_string());
        }
    }
}

impl From<MigrateError> for Failure {
    fn from(error: MigrateError) -> Self {
        match error {
            MigrateError::Usage(text) => Self::Usage(text),
            MigrateError::Found(text) => Self::Fault(text),
            MigrateError::Unreachable(text) => Self::Unreachable(text),
        }
    }
}

fn refused(error: ConnectError) -> Failure {
    Failure::Unreachable(error.to_string())
}

fn told(progress: Progress) -> String {
    match progress.total {
        Some(total) => format!("{} {} of {total}", progress.doing, progress.done),
        None => format!("{} {}", progress.doing, progress.done),
    }
}

async fn plan(step: Step, table: Option<String>) -> Result<(), Failure> {
    let source = step.source().await?;
    let path = step.mapping.clone().unwrap_or_else(|| step.folder.mapping());
    if !path.is_file() || table.is_some() {
        propose(&step, &*source, table.as_deref()).await?;
    }
    let (mapping, began) = (Mapping::read(&path)?, SystemClock.now());
    let plan = with_progress(|line| {
        souk_migrate::plan(&source, &mapping, &step.folder, step.written_per_second(), line)
    })
    .await?;
    souk_migrate::note_plan(&source, &step.folder, &plan, began, SystemClock.now()).await?;
    step.print(&plan);
    if plan.ok { Ok(()) } else { Err(Failure::reported()) }
}

/// Proposes a mapping and writes it where it is looked for; one that is there is never overwritten.
async fn propose(step: &Step, source: &dyn Source, table: Option<&str>) -> Result<(), Failure> {
    let path = step.mapping.clone().unwrap_or_else(|| step.folder.mapping());
    if path.exists() {
        return Err(Failure::Usage(format!(
            "{} is there already: move it away to have another one proposed, or leave --table out to use it",
            path.display()
        )));
    }
    if step.mapping.is_some() {
        return Err(Failure::Usage(format!(
            "there is no mapping {}: leave --mapping out to have one proposed",
            path.display()
        )));
    }
    let tables = source.tables().await.map_err(MigrateError::from)?;
    let identity = source.identity().await.map_err(MigrateError::from)?;
    let proposal = souk_migrate::propose(&tables, table, &identity.database)?;
    step.folder.replace("mapping.toml", proposal.text.as_bytes())?;
    eprintln!("proposed a mapping of {}: {}", proposal.table, path.display());
    if proposal.missing.is_empty() {
        return Ok(());
    }
    Err(Failure::Fault(format!(
        "no column of {} looks like {}: write it into {} and plan again",
        proposal.table,
        proposal.missing.join(" or "),
        path.display()
    )))
}

async fn rehearse_copy(step: Step) -> Result<(), Failure> {
    let (source, mapping) = (step.reading().await?, step.mapping()?);
    let record = step.folder.record()?;
    let plan = with_progress(|line| {
        souk_migrate::plan(&source, &mapping, &step.folder, step.written_per_second(), line)
    })
    .await?;
    step.print(&plan);
    let from = match record.copy.as_ref().and_then(|copy| copy.after.as_ref()) {
        Some(key) => format!("go on after key {key}"),
        None => "begin at the first key".to_owned(),
    };
    eprintln!("a copy into {} would {from}", Target::place(&step.settings));
    if plan.ok { Ok(()) } else { Err(Failure::reported()) }
}

async fn copy(step: Step) -> Result<(), Failure> {
    let mapping = step.mapping()?;
    let target = Target::open_to_write(&step.settings).await?;
    let outcome = async {
        let deps = step.deps(step.source().await?, &target);
        Ok::<_, Failure>(with_progress(|line| souk_migrate::copy(&deps, &mapping, &step.folder, line)).await?)
    };
    let outcome = outcome.await;
    target.close().await;
    let copied = outcome?;
    step.print(&copied);
    if copied.comparison.ok { Ok(()) } else { Err(Failure::reported()) }
}

async fn compare(step: Step) -> Result<(), Failure> {
    let mapping = step.mapping()?;
    let target = Target::open(&step.settings).await?;
    let outcome = async {
        let deps = step.deps(step.reading().await?, &target);
        Ok::<_, Failure>(with_progress(|line| souk_migrate::compare(&deps, &mapping, line)).await?)
    };
    let outcome = outcome.await;
    target.close().await;
    let comparison = outcome?;
    step.print(&comparison);
    if comparison.ok { Ok(()) } else { Err(Failure::reported()) }
}

/// Does `work` with a line that tells how far it is.
async fn with_progress<T, F>(
    work: impl FnOnce(Box<dyn FnMut(Progress) + Send>) -> F,
) -> Result<T, MigrateError>
where
    F: Future<Output = Result<T, MigrateError>>,
{
    let line = Arc::new(parking_lot::Mutex::new(ProgressLine::new()));
    let drawn = line.clone();
    let outcome = work(Box::new(move |progress| drawn.lock().show(|| told(progress)))).await;
    line.lock().clear();
    outcome
}
