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
        Self::within(ConnectionLimit::raise_open_file_limit(), wanted, role)
    }

    /// Shares what a limit of so many open `files` allows.
    fn within(files: u64, wanted: Option<u64>, role: Role) -> Result<Self, Failure> {
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

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns what a limit of open files leaves to readers, to requests and to all.
    fn shares(files: u64, wanted: Option<u64>, role: Role) -> Result<(usize, usize, usize), String> {
        match Shares::within(files, wanted, role) {
            Ok(Shares { readers, requests, all }) => Ok((readers.max(), requests.max(), all.max())),
            Err(Failure::Unreachable(text)) => Err(text),
            Err(other) => panic!("{other:?}"),
        }
    }

    #[test]
    fn more_than_the_limit_allows_is_refused_with_what_it_does() {
        for role in [Role::Up, Role::Api, Role::Notifications] {
            let text = shares(4096, Some(20_000), role).unwrap_err();
            for word in ["MAX_CONNECTIONS=20000", "20512", "4096", "at most 3584", "ulimit -Hn"] {
                assert!(text.contains(word), "{word:?} is missing in {text}");
            }
            assert_eq!(shares(4096, Some(3584), role).unwrap().2, 3584, "what it names is taken");
        }
    }

    #[test]
    fn the_limit_is_shared_when_nothing_is_wanted() {
        assert_eq!(shares(4096, None, Role::Up), Ok((2688, 896, 3584)));
        assert_eq!(shares(4096, None, Role::Notifications), Ok((3584, 0, 3584)));
        assert_eq!(shares(4096, None, Role::Api), Ok((0, 3584, 3584)));
        assert_eq!(shares(1 << 30, None, Role::Up).unwrap().2, 65_536, "memory is a limit, too");
    }

    #[test]
    fn a_limit_that_leaves_next_to_nothing_is_refused() {
        let text = shares(527, None, Role::Up).unwrap_err();
        assert!(text.contains("527") && text.contains("528") && text.contains("LimitNOFILE"), "{text}");
        assert_eq!(shares(528, None, Role::Up).unwrap().2, 16);
    }
}
