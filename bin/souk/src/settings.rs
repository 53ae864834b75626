//! Settings: one table, resolved as flag, then environment, then `.env`, then default, with the source of each
//! kept. Nothing starts unless all of them are right; every fault is reported at once.
//!
//! To add a setting: a row in [`table`], a field in [`Settings`] if `up` uses it, a check in [`check`] if it can
//! contradict another one.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use souk_events::stream;

mod check;
mod distributed;
mod dotenv;
mod fault;
mod from_file;
mod names;
mod redact;
mod resolve;
mod role;
mod secret;
pub mod table;
pub mod value;

pub use distributed::Distributed;
pub use fault::Faults;
pub use resolve::{Flag, Layers, Resolved, Source};
pub use role::Role;
pub use secret::Secret;

use crate::settings::value::Value;

/// Every setting, checked and in its type.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Who asked.
    pub role: Role,
    /// `None`: the embedded engines.
    pub distributed: Option<Distributed>,
    /// Of a service that runs on its own.
    pub port: u16,
    pub api_port: u16,
    pub notifications_port: u16,
    pub health_port: u16,
    pub web_port: u16,
    pub bind_address: IpAddr,
    pub data_dir: PathBuf,
    pub data_max_bytes: Option<u64>,
    pub low_stock_threshold: u32,
    pub cors_allowed_origins: String,
    pub recent_events_retention: Duration,
    pub log_retention: Duration,
    pub archive_max_age: Duration,
    pub stream_ring_bytes: u64,
    pub max_connections: Option<u64>,
    pub drain_timeout: Duration,
    pub log_format: LogFormat,
    pub log_level: String,
    pub api_url: String,
    pub sse_url: String,
    pub analytics_url: String,
    /// Each with its source, for `souk config`.
    pub resolved: BTreeMap<&'static str, Resolved>,
    /// What is let pass but deserves a word.
    pub warnings: Vec<String>,
}

/// How logs are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// Text on a terminal, JSON otherwise.
    Auto,
    Text,
    Json,
}

impl Settings {
    /// Resolves and checks the settings.
    ///
    /// # Errors
    /// All faults at once, each with the setting, its value, its source and the remedy.
    pub fn load(layers: &Layers, role: Role) -> Result<Self, Faults> {
        let (resolved, mut faults, mut warnings) = resolve::resolve(layers, role);
        check::contradictions(&resolved, role, &mut faults);
        if !faults.is_empty() {
            return Err(Faults(faults));
        }
        check::oddities(&resolved, role, &mut warnings);
        Ok(Self::typed(role, resolved, warnings))
    }

    /// Returns the text of a setting that somebody set, and that the role reads.
    pub fn given(&self, name: &str) -> Option<String> {
        let setting = &self.resolved[name];
        match &setting.value {
            Some(Value::Text(text)) if setting.is_given() => Some(text.clone()),
            _ => None,
        }
    }

    fn typed(role: Role, resolved: BTreeMap<&'static str, Resolved>, warnings: Vec<String>) -> Self {
        let port = |name| match typed(&resolved, name) {
            Some(Value::Port(port)) => port,
            // Has a default for those alone who read it.
            None if name == "PORT" => 0,
            other => unreachable!("the table makes {name} a port, not {other:?}"),
        };
        let number = |name| match typed(&resolved, name) {
            Some(Value::Number(number)) => Some(number),
            None | Some(Value::Auto) => None,
            other => unreachable!("the table makes {name} a number, not {other:?}"),
        };
        let duration = |name| match typed(&resolved, name) {
            Some(Value::Duration(duration)) => duration,
            other => unreachable!("the table makes {name} a duration, not {other:?}"),
        };
        let text = |name| match typed(&resolved, name) {
            Some(Value::Text(text)) => text,
            other => unreachable!("the table gives {name} a text, not {other:?}"),
        };
        // Where the services are by default follows the ports that they are given.
        let url = |name, port: u16, path: &str| match typed(&resolved, name) {
            Some(Value::Text(url)) => url,
            _ => format!("http://localhost:{port}{path}"),
        };
        let (api_port, notifications_port, health_port) =
            (port("API_PORT"), port("NOTIFICATIONS_PORT"), port("HEALTH_PORT"));
        Self {
            role,
            distributed: check::is_distributed(&resolved, role).then(|| Distributed::of(&resolved)),
            port: if role == Role::Analytics { health_port } else { port("PORT") },
            api_port,
            notifications_port,
            health_port,
            web_port: port("WEB_PORT"),
            bind_address: match typed(&resolved, "BIND_ADDRESS") {
                Some(Value::Address(address)) => address,
                other => unreachable!("the table makes BIND_ADDRESS an address, not {other:?}"),
            },
            data_dir: PathBuf::from(text("DATA_DIR")),
            data_max_bytes: number("DATA_MAX_BYTES"),
            low_stock_threshold: number("LOW_STOCK_THRESHOLD")
                .and_then(|number| u32::try_from(number).ok())
                .expect("the table bounds it to 1e9"),
            cors_allowed_origins: text("CORS_ALLOWED_ORIGINS"),
            recent_events_retention: duration("RECENT_EVENTS_RETENTION"),
            log_retention: duration("LOG_RETENTION"),
            archive_max_age: duration("ARCHIVE_MAX_AGE"),
            stream_ring_bytes: number("STREAM_RING_BYTES").expect("the table gives it a default"),
            max_connections: number("MAX_CONNECTIONS"),
            drain_timeout: duration("DRAIN_TIMEOUT"),
            log_format: match text("LOG_FORMAT").as_str() {
                "text" => LogFormat::Text,
                "json" => LogFormat::Json,
                _ => LogFormat::Auto,
            },
            log_level: text("LOG_LEVEL"),
            api_url: url("API_URL", api_port, ""),
            sse_url: url("SSE_URL", notifications_port, stream::PATH),
            analytics_url: url("ANALYTICS_URL", health_port, ""),
            resolved,
            warnings,
        }
    }
}

fn typed(resolved: &BTreeMap<&'static str, Resolved>, name: &str) -> Option<Value> {
    resolved.get(name).and_then(|setting| setting.value.clone())
}
