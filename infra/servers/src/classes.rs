//! What Kafka's virtual machine has made of its classes once it is up, kept beside its jars ("application class-data
//! sharing"): a start that maps them takes half of the work. DynamoDB Local's jars name a folder among their classes, which
//! Java does not take.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, bail};

use crate::install::once;
use crate::process::{Identity, wait_until};
use crate::{Kind, Life, Options, Scratch, java, kafka, ports, ready, spawn};

/// How long the run may take that makes the file, and how long its end, in which the file is written.
const LIMIT: Duration = Duration::from_secs(90);

/// Returns the file for the Java that runs here; it need not be there.
pub fn file(installed: &Path) -> Option<PathBuf> {
    Some(folder(installed)?.join("classes.jsa"))
}

fn folder(installed: &Path) -> Option<PathBuf> {
    Some(installed.join(format!("classes-{}", java::version()?)))
}

/// Makes the file, once: runs the server until it answers. One that cannot be made costs time alone, and is not tried
/// again.
///
/// # Errors
/// When the folder cannot be written.
pub fn prepare(installed: &Path) -> anyhow::Result<()> {
    let Some(folder) = folder(installed) else { return Ok(()) };
    let name = folder.file_name().context("it was named just now")?.to_string_lossy();
    once(installed, &name, |folder| {
        eprintln!("making Kafka start faster from now on (some seconds)");
        if let Err(error) = run(installed, &folder.join("classes.jsa")) {
            eprintln!("Kafka starts as slowly as ever: {error:#}");
        }
        Ok(())
    })?;
    Ok(())
}

fn run(installed: &Path, file: &Path) -> anyhow::Result<()> {
    let scratch = Scratch::new("classes")?;
    let (folder, port, options) = (scratch.path(), ports::free()?, Options::default());
    let listeners = kafka::Ports { main: port, controller: ports::free()?, behind: &[] };
    kafka::prepare(installed, folder, &listeners, &options)?;
    let mut command = kafka::command(installed, folder, &options)?;
    let log = std::fs::File::create(folder.join("log"))?;
    command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log).current_dir(folder);
    // Before what the command says itself; written when it ends.
    command.env("JAVA_TOOL_OPTIONS", format!("-XX:ArchiveClassesAtExit={}", file.display()));
    let mut child = spawn::spawn(command, Life::Parent, libc::SIGKILL)?;
    let process = Identity::of(i32::try_from(child.id())?).context("it ended at once")?;
    let is_up = wait_until(LIMIT, || !process.is_running() || ready::answers(Kind::Kafka, port));
    process.signal(libc::SIGTERM);
    let has_ended = wait_until(LIMIT, || !process.is_running());
    process.signal(libc::SIGKILL);
    child.wait()?;
    if !(is_up && has_ended && file.is_file()) {
        // One that is cut short is worse than none.
        let _ = std::fs::remove_file(file);
        let log = std::fs::read(folder.join("log")).unwrap_or_default();
        bail!("Java wrote no file of its classes:\n{}", crate::tools::tail(&String::from_utf8_lossy(&log)));
    }
    Ok(())
}
