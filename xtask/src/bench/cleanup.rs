//! Folders and servers that are gone when a run ends, however it ends.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use anyhow::Context as _;

/// How long a server may take to end before it is killed.
const PATIENCE: Duration = Duration::from_secs(10);

/// What is to be undone when a signal ends the run: pids with the signal that ends each, and folders.
static PIDS: Mutex<BTreeMap<u32, &'static str>> = Mutex::new(BTreeMap::new());
static FOLDERS: Mutex<Vec<PathBuf>> = Mutex::new(Vec::new());

const POISONED: &str = "nobody panics while registering";

/// A server of ours; ends with this value.
pub struct Server {
    child: Child,
    signal: &'static str,
}

impl Server {
    /// Starts a server, quiet on stdout, with its log in `log`; `signal` (`TERM`, `INT`) ends it.
    pub fn spawn(command: &mut Command, signal: &'static str, log: &Path) -> anyhow::Result<Self> {
        let name = command.get_program().to_string_lossy().into_owned();
        let log = std::fs::File::create(log).with_context(|| format!("cannot write {}", log.display()))?;
        let child = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .with_context(|| format!("could not start {name}"))?;
        PIDS.lock().expect(POISONED).insert(child.id(), signal);
        Ok(Self { child, signal })
    }

    /// Returns the process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Tells whether it is still running.
    pub fn is_running(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        send(self.signal, self.child.id());
        let began = Instant::now();
        while began.elapsed() < PATIENCE && self.is_running() {
            std::thread::sleep(Duration::from_millis(10));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
        PIDS.lock().expect(POISONED).remove(&self.child.id());
    }
}

fn send(signal: &str, pid: u32) {
    let _ =
        Command::new("kill").arg(format!("-{signal}")).arg(pid.to_string()).stderr(Stdio::null()).status();
}

/// A folder for everything that a run writes; removed with this value.
pub struct Scratch(tempfile::TempDir);

impl Scratch {
    /// Makes a folder, in `parent` or where temporary files go.
    pub fn new(parent: Option<&Path>) -> anyhow::Result<Self> {
        let parent = parent.map_or_else(std::env::temp_dir, Path::to_path_buf);
        let folder = tempfile::Builder::new()
            .prefix("souk-bench-")
            .tempdir_in(&parent)
            .with_context(|| format!("cannot make a folder in {}", parent.display()))?;
        let _ = make_passable(folder.path());
        FOLDERS.lock().expect(POISONED).push(folder.path().to_owned());
        Ok(Self(folder))
    }

    /// Makes a new folder inside.
    pub fn folder(&self, name: &str) -> anyhow::Result<PathBuf> {
        let path = self.0.path().join(name);
        if path.exists() {
            std::fs::remove_dir_all(&path)?;
        }
        std::fs::create_dir(&path).with_context(|| format!("cannot make {}", path.display()))?;
        Ok(path)
    }
}

/// Lets servers that run as another user reach their own folder inside.
fn make_passable(folder: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o755))
}

/// Ends everything on Ctrl-C and on a request to terminate.
pub fn on_signals() -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let wait = async {
        use tokio::signal::unix::{SignalKind, signal};
        let (mut interrupt, mut terminate) =
            (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
        tokio::select! { _ = interrupt.recv() => {}, _ = terminate.recv() => {} }
        Ok::<_, std::io::Error>(())
    };
    std::thread::spawn(move || {
        if runtime.block_on(wait).is_ok() {
            end_everything();
            std::process::exit(130);
        }
    });
    Ok(())
}

fn end_everything() {
    eprintln!("ending servers and removing folders");
    let pids = std::mem::take(&mut *PIDS.lock().expect(POISONED));
    for (pid, signal) in &pids {
        send(signal, *pid);
    }
    std::thread::sleep(Duration::from_secs(1));
    for pid in pids.keys() {
        send("KILL", *pid);
    }
    for folder in FOLDERS.lock().expect(POISONED).iter() {
        let _ = std::fs::remove_dir_all(folder);
    }
}
