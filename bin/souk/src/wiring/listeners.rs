//! Binds every listener, or says about each that cannot be bound why and what to do.

use std::io::{self, ErrorKind};
use std::net::SocketAddr;

use tokio::net::TcpListener;

use crate::failure::Failure;
use crate::settings::Settings;

/// Where the services listen, with ports chosen where 0 was asked for.
#[derive(Debug, Clone, Copy)]
pub struct Bound {
    pub api: SocketAddr,
    pub notifications: SocketAddr,
    pub analytics: SocketAddr,
}

/// A listener for each service.
pub struct Listeners {
    pub api: TcpListener,
    pub notifications: TcpListener,
    pub analytics: TcpListener,
    pub bound: Bound,
}

impl Listeners {
    /// Binds all of them.
    ///
    /// # Errors
    /// `Unreachable` naming each setting that cannot be had, its value and the remedy.
    pub fn bind(settings: &Settings) -> Result<Self, Failure> {
        let api = bind(settings, "API_PORT", settings.api_port);
        let notifications = bind(settings, "NOTIFICATIONS_PORT", settings.notifications_port);
        let analytics = bind(settings, "HEALTH_PORT", settings.health_port);
        match (api, notifications, analytics) {
            (Ok((api, api_at)), Ok((notifications, notifications_at)), Ok((analytics, analytics_at))) => {
                let bound = Bound { api: api_at, notifications: notifications_at, analytics: analytics_at };
                Ok(Self { api, notifications, analytics, bound })
            }
            (api, notifications, analytics) => {
                let faults = [api.err(), notifications.err(), analytics.err()];
                let mut faults: Vec<String> = faults.into_iter().flatten().collect();
                // An address that is not ours is the same fault for all three.
                faults.dedup();
                Err(Failure::Unreachable(faults.join("\n")))
            }
        }
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
