//! api, notifications and analytics on engines of their own: a database, topics, tables and a bucket that nobody
//! else uses.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};

use serde_json::Value;

use crate::load::Ports;
use crate::servers::{Links, Servers};
use crate::service::{Role, Service, souk};
use crate::sql::Sql;
use crate::support::{Client, free_port};

/// An installation.
pub struct Installation {
    /// What its engines are called.
    pub name: String,
    /// What its services are told.
    pub settings: Vec<(String, String)>,
    /// Where to write.
    pub apis: Ports,
    /// Where to read.
    pub streams: Ports,
    services: Vec<Service>,
}

impl Installation {
    /// Makes its database; the services make the rest.
    pub fn new(servers: &Servers, links: Links) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("bad_{}_{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let mut settings = servers.environment(links);
        let direct = servers.environment(Links::Direct);
        Sql::connect(value(&direct, "DATABASE_URL")).run(&format!("CREATE DATABASE {name}"));
        for (setting, text) in &mut settings {
            if setting == "DATABASE_URL" {
                *text = in_database(text, &name);
            }
        }
        let dashed = name.replace('_', "-");
        for (setting, text) in [
            ("KAFKA_TOPIC", name.clone()),
            ("KAFKA_TOPIC_PARTITIONS", "4".to_owned()),
            ("KAFKA_TRANSACTIONAL_ID", format!("{name}-relay")),
            ("KAFKA_CLIENT_ID", name.clone()),
            // The audit looks for the groups of analytics under this name.
            ("ANALYTICS_CLIENT_ID", name.clone()),
            ("RECENT_EVENTS_TABLE_NAME", format!("{name}.recent")),
            ("AGGREGATES_TABLE_NAME", format!("{name}.aggregates")),
            ("ARCHIVE_BUCKET_NAME", dashed),
            ("SOUK_HURRY", "1".to_owned()),
        ] {
            settings.push((setting.to_owned(), text));
        }
        Self { name, settings, apis: Ports::default(), streams: Ports::default(), services: Vec::new() }
    }

    /// Starts a service on a port of its own, which stands for it from now on.
    pub fn start(&mut self, role: Role, more: &[(&str, &str)]) -> u16 {
        let port = free_port();
        self.services.push(Service::start(role, port, &self.with(more)));
        if let Some(ports) = self.ports(role) {
            ports.lock().expect("nobody panics holding ports").push(port);
        }
        port
    }

    /// Starts a service and waits until it is ready.
    pub fn start_ready(&mut self, role: Role) -> u16 {
        let port = self.start(role, &[]);
        self.service(port).wait_ready();
        port
    }

    /// Starts a service that is down on the port that it had.
    pub fn restart(&mut self, role: Role, port: u16, more: &[(&str, &str)]) {
        self.services.retain(|service| service.port != port);
        self.services.push(Service::start(role, port, &self.with(more)));
    }

    /// Kills a service as a power cut would; clients keep its port in mind.
    pub fn kill(&mut self, port: u16) {
        self.take(port).kill();
    }

    /// Ends a service in order, for good.
    pub fn terminate(&mut self, port: u16) {
        let service = self.take(port);
        if let Some(ports) = self.ports(service.role) {
            ports.lock().expect("nobody panics holding ports").retain(|p| *p != port);
        }
        service.terminate();
    }

    /// Returns the service on this port.
    pub fn service(&mut self, port: u16) -> &mut Service {
        self.services.iter_mut().find(|service| service.port == port).expect("it was started")
    }

    /// Returns the port of the first service of this kind.
    pub fn port_of(&self, role: Role) -> u16 {
        self.services.iter().find(|service| service.role == role).expect("it was started").port
    }

    pub fn api(&self) -> Client {
        Client::new(self.port_of(Role::Api))
    }

    /// Returns a client of each service of this kind.
    pub fn clients_of(&self, role: Role) -> Vec<Client> {
        let services = self.services.iter().filter(|service| service.role == role);
        services.map(|service| Client::new(service.port)).collect()
    }

    /// Opens a session on its database, past the proxy.
    pub fn sql(&self, servers: &Servers) -> Sql {
        let direct = servers.environment(Links::Direct);
        Sql::connect(&in_database(value(&direct, "DATABASE_URL"), &self.name))
    }

    /// Returns a setting.
    pub fn setting(&self, name: &str) -> &str {
        value(&self.settings, name)
    }

    /// Returns what its services said last, and what they say of themselves.
    pub fn last_words(&self) -> String {
        let health = |port| match Client::new(port).try_call("GET", "/health", &[], None) {
            Ok(reply) => reply.text(),
            Err(error) => error.to_string(),
        };
        let words = |service: &Service| {
            format!("{service} said:{}\nand is: {}\n", service.last_words(), health(service.port))
        };
        self.services.iter().map(words).collect()
    }

    /// Has the doctor look at it; returns the exit code, and one of its lines.
    pub fn doctor(&self, line: &str) -> (Option<i32>, Value) {
        let output =
            souk(&self.settings).args(["doctor", "--json"]).output().expect("the binary under test starts");
        let diagnosis: Value = serde_json::from_slice(&output.stdout).expect("the doctor prints JSON");
        let checks = diagnosis["checks"].as_array().expect("a diagnosis lists its checks");
        let found = checks.iter().find(|check| check["name"] == line);
        (output.status.code(), found.unwrap_or_else(|| panic!("no {line}: {diagnosis:#}")).clone())
    }

    /// Audits it beside its services; returns the exit code and the report, its last words where there is none.
    pub fn audit_report(&self) -> (Option<i32>, Value) {
        let output =
            souk(&self.settings).args(["audit", "--json"]).output().expect("the binary under test starts");
        let said = String::from_utf8_lossy(&output.stderr);
        let report = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| Value::String(said.into()));
        (output.status.code(), report)
    }

    /// Audits it beside its services; returns what it found, nothing when all is well.
    pub fn audit(&self) -> Vec<String> {
        let (code, report) = self.audit_report();
        if let Value::String(said) = &report {
            return vec![format!("the audit printed no JSON and ended with {code:?}: {said}")];
        }
        let found: Vec<String> = report["differences"]
            .as_array()
            .expect("a report lists its differences")
            .iter()
            .map(|difference| format!("audit: {difference}"))
            .collect();
        assert_eq!(code, Some(i32::from(!found.is_empty())), "{report}");
        assert!(report["events"].as_u64() > Some(0), "the audit read something: {report}");
        found
    }

    fn with(&self, more: &[(&str, &str)]) -> Vec<(String, String)> {
        let more = more.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        self.settings.iter().cloned().chain(more).collect()
    }

    fn take(&mut self, port: u16) -> Service {
        let index = self.services.iter().position(|service| service.port == port).expect("it was started");
        self.services.remove(index)
    }

    fn ports(&self, role: Role) -> Option<&Mutex<Vec<u16>>> {
        match role {
            Role::Api => Some(&self.apis),
            Role::Notifications => Some(&self.streams),
            Role::Analytics => None,
        }
    }
}

fn value<'a>(settings: &'a [(String, String)], name: &str) -> &'a str {
    settings.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str()).expect("the servers set it")
}

/// Returns the URL with this database in it.
fn in_database(url: &str, database: &str) -> String {
    let (server, _) = url.rsplit_once('/').expect("a URL with a database");
    format!("{server}/{database}")
}
