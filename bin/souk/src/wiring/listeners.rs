//! Binds every listener, or says about each that cannot be bound why and what to do.

use std::io::{self, ErrorKind};
use std::net::SocketAddr;

use tokio::net::TcpListener;

use crate::failure::Failure;
use crate::settings::{Role, Settings};

/// Where a service, or all of them, can be reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Door {
    Api,
    Notifications,
    Analytics,
    Web,
    /// Everything on one port.
    All,
}

impl Door {
    /// Returns the name of the service behind it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Api => "api",
            Self::Notifications => "notifications",
            Self::Analytics => "analytics",
            Self::Web => "web",
            Self::All => "souk",
        }
    }
}

/// Where the services listen, with ports chosen where 0 was asked for; none where a service is not in this process.
#[derive(Debug, Clone, Copy, Default)]
pub struct Bound {
    pub api: Option<SocketAddr>,
    pub notifications: Option<SocketAddr>,
    pub analytics: Option<SocketAddr>,
    pub web: Option<SocketAddr>,
}

impl Bound {
    fn note(&mut self, door: Door, at: SocketAddr) {
        let of = |which: Door| (door == which || door == Door::All).then_some(at);
        self.api = self.api.or(of(Door::Api));
        self.notifications = self.notifications.or(of(Door::Notifications));
        self.analytics = self.analytics.or(of(Door::Analytics));
        self.web = self.web.or(of(Door::Web));
    }
}

/// The listeners of a process.
pub struct Listeners {
    pub doors: Vec<(Door, TcpListener)>,
    pub bound: Bound,
}

impl Listeners {
    /// Binds those that the role asks for.
    ///
    /// # Errors
    /// `Unreachable` naming each setting that cannot be had, its value and the remedy.
    pub fn bind(settings: &Settings) -> Result<Self, Failure> {
        let wanted: &[(Door, &str, u16)] = match settings.role {
            Role::Monolith => &[(Door::All, "API_PORT", settings.api_port)],
            Role::Api => &[(Door::Api, "PORT", settings.port)],
            Role::Notifications => &[(Door::Notifications, "PORT", settings.port)],
            Role::Analytics => &[(Door::Analytics, "HEALTH_PORT", settings.port)],
            Role::Web => &[(Door::Web, "WEB_PORT", settings.web_port)],
            Role::Up | Role::Stores | Role::Migrate | Role::Move | Role::Clients | Role::Config => &[
                (Door::Api, "API_PORT", settings.api_port),
                (Door::Notifications, "NOTIFICATIONS_PORT", settings.notifications_port),
                (Door::Analytics, "HEALTH_PORT", settings.health_port),
                (Door::Web, "WEB_PORT", settings.web_port),
            ],
        };
        let mut listeners = Self { doors: Vec::new(), bound: Bound::default() };
        let mut faults = Vec::new();
        for (door, name, port) in wanted {
            match bind(settings, name, *port) {
                Ok((listener, at)) => {
                    listeners.doors.push((*door, listener));
                    listeners.bound.note(*door, at);
                }
                Err(fault) => faults.push(fault),
            }
        }
        if faults.is_empty() {
            return Ok(listeners);
        }
        // An address that is not ours is the same fault for all of them.
        faults.dedup();
        Err(Failure::Unreachable(faults.join("\n")))
    }
}

fn bind(settings: &Settings, name: &str, port: u16) -> Result<(TcpListener, SocketAddr), String> {
    let address = SocketAddr::new(settings.bind_address, port);
    souk_http::bind(address)
        .and_then(|listener| {
            let bound = listener.local_addr()?;
            Ok((listener, bound))
        })
        .map_err(|error| explain(settings, name, address, &error))
}

fn explain(settings: &Settings, name: &str, address: SocketAddr, error: &io::Error) -> String {
    let subject = |name: &str| settings.resolved[name].subject();
    let port = address.port();
    match error.kind() {
        ErrorKind::AddrInUse => format!(
            "{}: port {port} of {} is taken; stop what listens there (ss -ltnp 'sport = :{port}' or lsof -i :{port} \
             names it), or set {name} to another port",
            subject(name),
            address.ip()
        ),
        ErrorKind::PermissionDenied => format!(
            "{}: this user may not listen on port {port}; set {name} to 1024 or more, or give souk the right (setcap \
             cap_net_bind_service=+ep)",
            subject(name)
        ),
        ErrorKind::AddrNotAvailable => format!(
            "{}: this machine does not have that address; set BIND_ADDRESS to one of its own, or to 0.0.0.0 for all",
            subject("BIND_ADDRESS")
        ),
        _ => format!(
            "{}: {address} cannot be listened on: {error}; set {name} or BIND_ADDRESS to something else",
            subject(name)
        ),
    }
}
