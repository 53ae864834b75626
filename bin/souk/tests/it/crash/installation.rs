//! A data folder, the process on it, and the ways in which it dies.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::support::{Client, Souk, Start, run_souk};

/// When a kill comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// While writers write.
    UnderLoad,
    /// While they write and the archive closes its files again and again.
    WhileFlushing,
    /// While the process starts on what the kill before left behind.
    AtStart,
    /// While it drains.
    WhileDraining,
}

impl Moment {
    /// Returns how long after its beginning such a kill comes at most, in microseconds.
    pub fn longest_us(self) -> u64 {
        match self {
            Self::UnderLoad | Self::WhileFlushing => 250_000,
            // Until it is ready, and a little beyond.
            Self::AtStart => 400_000,
            Self::WhileDraining => 60_000,
        }
    }
}

/// Where the data is, and how the process is started on it.
#[derive(Debug, Clone)]
pub struct Installation {
    folder: PathBuf,
    bug: Option<String>,
}

impl Installation {
    pub fn new(folder: &Path) -> Self {
        Self { folder: folder.to_owned(), bug: None }
    }

    /// The same data under a process that has a bug.
    pub fn with_bug(&self, bug: &str) -> Self {
        Self { bug: Some(bug.to_owned()), ..self.clone() }
    }

    /// Starts the process and waits until it is ready.
    pub fn start(&self) -> Souk {
        let start = Start::new(&self.folder);
        match &self.bug {
            Some(bug) => start.env("SOUK_PLANTED_BUG", bug).start(),
            None => start.start(),
        }
    }

    /// Kills `souk`, `delay` after the moment has come.
    pub fn kill(&self, souk: Souk, moment: Moment, delay: Duration) {
        match moment {
            Moment::UnderLoad => {
                std::thread::sleep(delay);
                souk.kill();
            }
            Moment::WhileFlushing => {
                let port = souk.ports.analytics;
                let flushes = std::thread::spawn(move || {
                    let mut analytics = Client::new(port);
                    while analytics.try_call("POST", "/archive/flush", &[], None).is_ok() {}
                });
                std::thread::sleep(delay);
                souk.kill();
                flushes.join().expect("the flusher ends with the process");
            }
            Moment::AtStart => {
                // The writers have had a moment; then one that is just starting dies as well.
                std::thread::sleep(Duration::from_millis(50));
                souk.kill();
                self.kill_while_starting(delay);
            }
            Moment::WhileDraining => {
                std::thread::sleep(Duration::from_millis(50));
                souk.signal(libc::SIGTERM);
                std::thread::sleep(delay);
                souk.kill();
            }
        }
    }

    fn kill_while_starting(&self, delay: Duration) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_souk"));
        command.args(["up", "--data-dir"]).arg(self.folder.join("data")).current_dir(&self.folder);
        for port in ["API_PORT", "NOTIFICATIONS_PORT", "HEALTH_PORT", "WEB_PORT"] {
            command.env(port, "0");
        }
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut child = command.spawn().expect("the binary under test starts");
        std::thread::sleep(delay);
        child.kill().expect("it is still there, or was");
        child.wait().expect("it can be waited for");
    }

    /// Audits the data; returns what it found, nothing when all is well.
    pub fn audit(&self) -> Vec<String> {
        let data = self.folder.join("data");
        let data = data.to_str().expect("a temporary folder has a plain name");
        let output = run_souk(&self.folder, &["audit", "--json", "--data-dir", data], &[]);
        let report = output.json();
        let found = report["differences"].as_array().expect("a report lists its differences");
        let found: Vec<String> = found.iter().map(|difference| format!("audit: {difference}")).collect();
        assert_eq!(output.code, Some(i32::from(!found.is_empty())), "{report}\n{}", output.stderr);
        assert_eq!(report["ok"].as_bool(), Some(found.is_empty()), "{report}");
        assert!(report["events"].as_u64() > Some(0), "the audit read something: {report}");
        found
    }
}
