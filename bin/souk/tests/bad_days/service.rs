//! One service as a process of its own.

use std::io::{BufRead as _, BufReader};
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::support::Client;

/// How long a service may take to become ready or to end: a broken server may have to come back first.
const PATIENCE: Duration = Duration::from_secs(180);
/// Lines of its log that a failing test shows.
const SHOWN: usize = 12;

/// Which service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    Api,
    Notifications,
    Analytics,
}

impl Role {
    pub const ALL: [Self; 3] = [Self::Api, Self::Notifications, Self::Analytics];

    fn command(self) -> &'static str {
        match self {
            Self::Api => "api",
            Self::Notifications => "notifications",
            Self::Analytics => "analytics",
        }
    }

    fn port_setting(self) -> &'static str {
        match self {
            Self::Api | Self::Notifications => "PORT",
            Self::Analytics => "HEALTH_PORT",
        }
    }
}

/// A running service. Killed when dropped.
#[derive(Debug)]
pub struct Service {
    pub role: Role,
    pub port: u16,
    child: Child,
    log: Arc<Mutex<Vec<String>>>,
    /// Fills the log; ends when the service has.
    reader: Option<JoinHandle<()>>,
}

impl Service {
    /// Starts a service on `port`, with these settings and no others.
    pub fn start(role: Role, port: u16, settings: &[(String, String)]) -> Self {
        let mut command = souk(settings);
        command.arg(role.command()).env(role.port_setting(), port.to_string());
        let mut child = command
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary under test starts");
        let log: Arc<Mutex<Vec<String>>> = Arc::default();
        let (stderr, lines) = (child.stderr.take().expect("stderr was asked for"), Arc::clone(&log));
        let reader = std::thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                lines.lock().expect("no reader panics").push(line);
            }
        });
        Self { role, port, child, log, reader: Some(reader) }
    }

    /// Waits until it says that it is ready.
    pub fn wait_ready(&mut self) {
        let began = Instant::now();
        while !self.is_ready() {
            if let Some(status) = self.ended() {
                panic!("{self} ended before it was ready, {status}: {}", self.last_words());
            }
            assert!(began.elapsed() < PATIENCE, "{self} did not get ready: {}", self.last_words());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    pub fn is_ready(&self) -> bool {
        Client::new(self.port).try_call("GET", "/readyz", &[], None).is_ok_and(|reply| reply.status == 200)
    }

    /// Returns how it ended, `None` as long as it runs. Once it has, all that it said is in its log.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        let status = self.child.try_wait().expect("a child can be waited for")?;
        if let Some(reader) = self.reader.take() {
            reader.join().expect("no reader panics");
        }
        Some(status)
    }

    /// Waits until it has ended by itself.
    pub fn wait(&mut self) -> ExitStatus {
        self.wait_within(PATIENCE).unwrap_or_else(|| panic!("{self} still runs: {}", self.last_words()))
    }

    /// Waits until it has ended by itself, for this long at most.
    pub fn wait_within(&mut self, limit: Duration) -> Option<ExitStatus> {
        let began = Instant::now();
        while began.elapsed() < limit {
            if let Some(status) = self.ended() {
                return Some(status);
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        None
    }

    /// Kills it as a power cut would.
    pub fn kill(mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Asks it to end and waits until it has.
    pub fn terminate(mut self) {
        self.signal(libc::SIGTERM);
        let status = self.wait();
        assert!(status.success(), "{self} ended with {status}: {}", self.last_words());
    }

    /// Stops it where it is, as a machine that hangs would.
    pub fn pause(&self) {
        self.signal(libc::SIGSTOP);
    }

    /// Lets it go on.
    pub fn resume(&self) {
        self.signal(libc::SIGCONT);
    }

    /// Tells whether it aborted itself, at a crash point.
    pub fn crashed(status: ExitStatus) -> bool {
        status.signal() == Some(libc::SIGABRT)
    }

    /// Tells whether a line of its log holds this text.
    pub fn has_said(&self, text: &str) -> bool {
        self.log.lock().expect("no reader panics").iter().any(|line| line.contains(text))
    }

    /// Returns the end of its log.
    pub fn last_words(&self) -> String {
        let log = self.log.lock().expect("no reader panics");
        format!("\n{}", log[log.len().saturating_sub(SHOWN)..].join("\n"))
    }

    fn signal(&self, signal: i32) {
        let pid = i32::try_from(self.child.id()).expect("process ids are positive ints");
        #[expect(
            unsafe_code,
            reason = "kill has no safe form; the child was not waited for, so its id is its own"
        )]
        let result = unsafe { libc::kill(pid, signal) };
        assert_eq!(result, 0, "could not send signal {signal}: {}", std::io::Error::last_os_error());
    }
}

impl std::fmt::Display for Service {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} on port {}", self.role.command(), self.port)
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Returns the binary as a command with these settings and no others.
pub fn souk(settings: &[(String, String)]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_souk"));
    command.env_clear();
    for name in ["PATH", "HOME", "TMPDIR", "LLVM_PROFILE_FILE", "RUST_BACKTRACE"] {
        if let Some(value) = std::env::var_os(name) {
            command.env(name, value);
        }
    }
    command.envs(settings.iter().map(|(name, value)| (name, value))).stdin(Stdio::null());
    command
}
