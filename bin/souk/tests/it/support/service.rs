//! A service on its own as a child process, on a port that it is reached at from the first moment.

use std::path::Path;
use std::process::ExitStatus;

use serde_json::Value;

use super::http::{Client, EventStream, Reply, eventually};
use super::process::{Running, souk};

/// A running service. Killed when dropped.
pub struct Service {
    pub port: u16,
    process: Running,
}

/// Returns a port that nobody listens on, now or later: the system gives it to no client, and we to no other.
pub fn free_port() -> u16 {
    souk_servers::free_port().expect("a free port")
}

impl Service {
    /// Starts `souk <command>` on a free port and waits until it listens.
    pub fn start(folder: &Path, command: &str, env: &[(&str, String)]) -> Self {
        let port = free_port();
        let mut souk = souk();
        souk.args(command.split(' ')).envs(env.iter().map(|(n, v)| (n, v))).current_dir(folder);
        for name in ["PORT", "HEALTH_PORT", "API_PORT", "WEB_PORT"] {
            souk.env(name, port.to_string());
        }
        let mut service = Self { port, process: Running::spawn(souk) };
        eventually("the service listens", || {
            let listens = std::net::TcpStream::connect(("127.0.0.1", port)).is_ok();
            (listens || service.process.has_ended()).then_some(())
        });
        service
    }

    pub fn client(&self) -> Client {
        Client::new(self.port)
    }

    pub fn get(&self, path: &str) -> Reply {
        self.client().get(path)
    }

    /// Returns the check of that name on `/health`.
    pub fn check(&self, name: &str) -> Value {
        self.get("/health").json()["checks"][name].clone()
    }

    /// Waits until it is ready.
    pub fn wait_ready(&mut self) {
        eventually("the service is ready", || {
            assert!(!self.process.has_ended(), "it ended: {:#?}", self.process.log());
            (self.get("/readyz").status == 200).then_some(())
        });
    }

    /// Opens the stream past its `ready`.
    pub fn stream(&self, query: &str) -> EventStream {
        let mut stream = EventStream::open(self.port, &format!("/events/stream{query}"));
        let ready = stream.try_next().expect("the stream begins");
        assert_eq!(ready.event.as_deref(), Some("ready"), "the stream begins with {ready:?}");
        stream
    }

    pub fn log(&self) -> Vec<String> {
        self.process.log()
    }

    /// Asks it to end and waits until it has.
    pub fn terminate(mut self) -> ExitStatus {
        self.process.signal(libc::SIGTERM);
        self.process.wait()
    }

    /// Waits until it has ended by itself.
    pub fn wait(&mut self) -> ExitStatus {
        self.process.wait()
    }
}
