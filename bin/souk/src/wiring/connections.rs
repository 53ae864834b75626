//! How many connections each kind of service may have, from what the process may open.

use std::sync::Arc;

use souk_http::ConnectionLimit;

use crate::failure::Failure;
use crate::settings::Role;

/// Open files that are no connections: databases with their readers, archive files, listeners, the runtime, and
/// refusals under way.
const RESERVE: u64 = 512;
/// Each connection takes memory, so that "as many as the system allows" is no answer where it allows a million.
const MOST_BY_DEFAULT: u64 = 65_536;
/// With fewer, a browser alone can take them all.
const FEWEST: u64 = 16;

/// Connections of long-lived readers and of everything else are counted apart: readers that come back in thousands
/// must not lock the api out. A service on its own has them all.
pub struct Shares {
    /// The event stream: three quarters.
    pub readers: Arc<ConnectionLimit>,
    /// api, analytics and the dashboard.
    pub requests: Arc<ConnectionLimit>,
    /// Where all share a listener; the stream takes no more readers than `readers` says.
    pub all: Arc<ConnectionLimit>,
}

impl Shares {
    /// Raises the limit of open files and shares what it allows, or `wanted`, as `role` needs it.
    ///
    /// # Errors
    /// `Unreachable` when the limit does not allow what is wanted, or next to nothing.
    pub fn of(wanted: Option<u64>, role: Role) -> Result<Self, Failure> {
        let files = ConnectionLimit::raise_open_file_limit();
        let possible = files.saturating_sub(RESERVE);
        if possible < FEWEST {
            return Err(Failure::Unreachable(format!(
                "the limit of open files is {files}, souk needs {}: raise it (ulimit -Hn, LimitNOFILE)",
                RESERVE + FEWEST
            )));
        }
        let total = match wanted {
            Some(wanted) if wanted > possible => {
                return Err(Failure::Unreachable(format!(
                    "MAX_CONNECTIONS={wanted} needs a limit of {} open files, it is {files}: raise it (ulimit -Hn, \
                     LimitNOFILE) or set MAX_CONNECTIONS to at most {possible}",
                    wanted + RESERVE
                )));
            }
            Some(wanted) => wanted,
            None => possible.min(MOST_BY_DEFAULT),
        };
        let share = |part: u64| ConnectionLimit::new(usize::try_from(part).unwrap_or(usize::MAX));
        let (readers, requests) = match role {
            Role::Notifications => (total, 0),
            Role::Api | Role::Analytics | Role::Web => (0, total),
            _ => (total - total / 4, total / 4),
        };
        Ok(Self { readers: share(readers), requests: share(requests), all: share(total) })
    }
}
