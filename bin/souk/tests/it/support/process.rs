//! The binary as a child process.

use std::fs::Permissions;
use std::io::{BufRead as _, BufReader, Read};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::http::{Client, EventStream, PATIENCE};

/// What a command that ran to its end left behind.
#[derive(Debug)]
pub struct Output {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Output {
    /// # Panics
    /// When the standard output is not JSON.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout)
            .unwrap_or_else(|error| panic!("not JSON ({error}): {}\n{}", self.stdout, self.stderr))
    }
}

/// Returns the binary as a command with no settings but those that the test gives.
pub fn souk() -> Command {
    bare(Path::new(env!("CARGO_BIN_EXE_souk")))
}

fn bare(binary: &Path) -> Command {
    let mut command = Command::new(binary);
    command.env_clear();
    // Coverage and sanitizers talk through these.
    for name in ["PATH", "HOME", "TMPDIR", "LLVM_PROFILE_FILE", "RUST_BACKTRACE"] {
        if let Some(value) = std::env::var_os(name) {
            command.env(name, value);
        }
    }
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Runs `souk` with `args` in `folder` to its end.
///
/// # Panics
/// When it does not start.
pub fn run_souk(folder: &Path, args: &[&str], env: &[(&str, &str)]) -> Output {
    run_souk_as(None, folder, args, env)
}

/// Runs `souk` as [`run_souk`] does, as another user where one is given.
///
/// # Panics
/// When it does not start.
pub fn run_souk_as(user: Option<u32>, folder: &Path, args: &[&str], env: &[(&str, &str)]) -> Output {
    let mut command = souk();
    // The build may lie where only its owner gets to, such as below a home folder.
    let reachable = tempfile::tempdir().expect("a scratch folder");
    if let Some(user) = user {
        let binary = reachable.path().join("souk");
        std::fs::copy(env!("CARGO_BIN_EXE_souk"), &binary).expect("room for a copy of the binary");
        std::fs::set_permissions(reachable.path(), Permissions::from_mode(0o755)).expect("our own folder");
        command = bare(&binary);
        command.uid(user);
    }
    command.args(args).envs(env.iter().copied()).current_dir(folder);
    let mut child = command.spawn().expect("the binary under test starts");
    let read = |mut from: Box<dyn Read + Send>| {
        std::thread::spawn(move || {
            let mut bytes = Vec::new();
            let _ = from.read_to_end(&mut bytes);
            String::from_utf8_lossy(&bytes).into_owned()
        })
    };
    let stdout = read(Box::new(child.stdout.take().expect("stdout was asked for")));
    let stderr = read(Box::new(child.stderr.take().expect("stderr was asked for")));
    // What starts although it should not would run for ever.
    let began = Instant::now();
    let code = loop {
        match child.try_wait().expect("a child can be waited for") {
            Some(status) => break status.code(),
            None if began.elapsed() > PATIENCE => {
                let _ = child.kill();
            }
            None => std::thread::sleep(Duration::from_millis(2)),
        }
    };
    let text = |reader: std::thread::JoinHandle<String>| reader.join().expect("no reader panics");
    Output { code, stdout: text(stdout), stderr: text(stderr) }
}

/// How to start `souk up`: on free ports, with its data in `<folder>/data`.
#[derive(Debug)]
pub struct Start {
    command: Command,
}

impl Start {
    pub fn new(folder: &Path) -> Self {
        Self::over(folder, &folder.join("data"))
    }

    /// With its data in `data`.
    pub fn over(folder: &Path, data: &Path) -> Self {
        let mut command = souk();
        command.arg("up").arg("--data-dir").arg(data).current_dir(folder);
        for port in ["API_PORT", "NOTIFICATIONS_PORT", "HEALTH_PORT", "WEB_PORT"] {
            command.env(port, "0");
        }
        Self { command }
    }

    /// Everything on one port.
    #[must_use]
    pub fn monolith(mut self) -> Self {
        self.command.arg("--monolith");
        self
    }

    /// With the sample in an empty shop.
    #[must_use]
    pub fn demo(mut self) -> Self {
        self.command.arg("--demo");
        self
    }

    #[must_use]
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.command.env(name, value);
        self
    }

    /// Starts it and waits until it says that it is ready.
    ///
    /// # Panics
    /// When it ends before or takes longer than the tests' patience; shows what it said.
    pub fn start(self) -> Souk {
        match self.try_start() {
            Ok(souk) => souk,
            Err(output) => panic!("souk up did not get ready: {output:#?}"),
        }
    }

    /// Starts it and waits until it says that it is ready, or returns what it left behind.
    pub fn try_start(self) -> Result<Souk, Output> {
        let mut process = Running::spawn(self.command);
        // A planted bug may end the process right after it was ready; the ready line still counts.
        match process.ready.recv_timeout(PATIENCE) {
            Ok(ready) => Ok(Souk { ports: Ports::of(&ready), ready, process }),
            Err(_) => {
                let _ = process.child.kill();
                let code = process.child.wait().ok().and_then(|status| status.code());
                Err(Output { code, stdout: String::new(), stderr: process.log().join("\n") })
            }
        }
    }
}

/// A child process whose log is read. Killed when dropped.
#[derive(Debug)]
pub struct Running {
    child: Child,
    log: Arc<Mutex<Vec<String>>>,
    printed: Arc<Mutex<String>>,
    /// Gets the ready line, or closes when stderr does.
    ready: Receiver<Value>,
}

impl Running {
    /// # Panics
    /// When it does not start.
    pub fn spawn(mut command: Command) -> Self {
        let mut child = command.spawn().expect("the binary under test starts");
        let log: Arc<Mutex<Vec<String>>> = Arc::default();
        let printed: Arc<Mutex<String>> = Arc::default();
        let ready = follow(&mut child, Arc::clone(&log), Arc::clone(&printed));
        Self { child, log, printed, ready }
    }

    /// Returns what it printed on its standard output so far.
    pub fn printed(&self) -> String {
        self.printed.lock().expect("no reader panics").clone()
    }

    /// Returns what it logged so far.
    pub fn log(&self) -> Vec<String> {
        self.log.lock().expect("no reader panics").clone()
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    pub fn has_ended(&mut self) -> bool {
        self.child.try_wait().expect("a child can be waited for").is_some()
    }

    /// Sends a signal, such as `libc::SIGTERM`.
    ///
    /// # Panics
    /// When the system does not let us.
    pub fn signal(&self, signal: i32) {
        let pid = i32::try_from(self.child.id()).expect("process ids are positive ints");
        #[expect(
            unsafe_code,
            reason = "kill has no safe form; the child was not waited for, so its id is its own"
        )]
        let result = unsafe { libc::kill(pid, signal) };
        assert_eq!(result, 0, "could not send signal {signal}: {}", std::io::Error::last_os_error());
    }

    /// Waits until it has ended by itself.
    ///
    /// # Panics
    /// When it is still there after the tests' patience.
    pub fn wait(&mut self) -> ExitStatus {
        let began = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().expect("a child can be waited for") {
                // What it said last may not be read yet: the channel closes at the end of it.
                while self.ready.recv_timeout(PATIENCE).is_ok() {}
                return status;
            }
            assert!(began.elapsed() < PATIENCE, "still running after {PATIENCE:?}: {:#?}", self.log());
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Reads both outputs of `child` to their end, stdout into `printed`; the receiver gets the ready line, or closes when stderr does.
fn follow(child: &mut Child, log: Arc<Mutex<Vec<String>>>, printed: Arc<Mutex<String>>) -> Receiver<Value> {
    let (sender, receiver) = channel();
    let stderr = child.stderr.take().expect("stderr was asked for");
    std::thread::spawn(move || {
        for line in BufReader::new(stderr).lines().map_while(Result::ok) {
            let entry = serde_json::from_str::<Value>(&line);
            log.lock().expect("no reader panics").push(line);
            if let Ok(entry) = entry
                && entry["message"] == "ready"
            {
                let _ = sender.send(entry);
            }
        }
    });
    let stdout = child.stdout.take().expect("stdout was asked for");
    std::thread::spawn(move || {
        for line in BufReader::new(stdout).lines().map_while(Result::ok) {
            let mut printed = printed.lock().expect("no reader panics");
            printed.push_str(&line);
            printed.push('\n');
        }
    });
    receiver
}

/// Where the services are.
#[derive(Debug, Clone, Copy)]
pub struct Ports {
    pub api: u16,
    pub notifications: u16,
    pub analytics: u16,
    pub web: u16,
}

impl Ports {
    fn of(ready: &Value) -> Self {
        let port = |service: &str| {
            let url = ready[service].as_str().unwrap_or_else(|| panic!("no URL of {service} in {ready}"));
            let port = url.rsplit(':').next().and_then(|port| port.parse().ok());
            port.unwrap_or_else(|| panic!("no port in {url}"))
        };
        Self {
            api: port("api"),
            notifications: port("notifications"),
            analytics: port("analytics"),
            web: port("web"),
        }
    }
}

/// A running `souk up`. Killed when dropped.
#[derive(Debug)]
pub struct Souk {
    pub ports: Ports,
    /// The ready line.
    pub ready: Value,
    process: Running,
}

impl Souk {
    /// Starts it on free ports with its data in `<folder>/data`.
    ///
    /// # Panics
    /// When it does not get ready.
    pub fn start(folder: &Path) -> Self {
        Start::new(folder).start()
    }

    pub fn api(&self) -> Client {
        Client::new(self.ports.api)
    }

    pub fn notifications(&self) -> Client {
        Client::new(self.ports.notifications)
    }

    pub fn analytics(&self) -> Client {
        Client::new(self.ports.analytics)
    }

    pub fn web(&self) -> Client {
        Client::new(self.ports.web)
    }

    /// Opens the stream, past its `ready`, so that whatever happens from now on is seen.
    ///
    /// # Panics
    /// When the stream does not begin with `ready`.
    pub fn stream(&self, query: &str) -> EventStream {
        let mut stream = EventStream::open(self.ports.notifications, &format!("/events/stream{query}"));
        let ready = stream.try_next().expect("the stream begins");
        assert_eq!(ready.event.as_deref(), Some("ready"), "the stream begins with {ready:?}");
        stream
    }

    /// Returns what it logged so far.
    pub fn log(&self) -> Vec<String> {
        self.process.log()
    }

    /// Returns what it printed on its standard output so far.
    pub fn printed(&self) -> String {
        self.process.printed()
    }

    pub fn pid(&self) -> u32 {
        self.process.pid()
    }

    /// Sends a signal, such as `libc::SIGTERM`.
    ///
    /// # Panics
    /// When the system does not let us.
    pub fn signal(&self, signal: i32) {
        self.process.signal(signal);
    }

    /// Returns how much memory it holds, in KiB.
    ///
    /// # Panics
    /// When the system does not tell.
    pub fn memory_kib(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid()));
        let status =
            status.unwrap_or_else(|error| panic!("memory is read from /proc, which Linux has: {error}"));
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("a process has a size");
        line.trim().trim_end_matches(" kB").parse().expect("a size is a number of kB")
    }

    /// Kills it as a power cut would, and waits until it is gone.
    pub fn kill(mut self) {
        let _ = self.process.child.kill();
        let _ = self.process.child.wait();
    }

    /// Asks it to end and waits until it has.
    ///
    /// # Panics
    /// When it is still there after the tests' patience.
    pub fn terminate(mut self) -> ExitStatus {
        self.signal(libc::SIGTERM);
        self.wait()
    }

    /// Waits until it has ended by itself.
    ///
    /// # Panics
    /// When it is still there after the tests' patience.
    pub fn wait(&mut self) -> ExitStatus {
        self.process.wait()
    }
}
