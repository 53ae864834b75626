//! Ports that nobody uses.

use std::collections::BTreeSet;
use std::hash::{BuildHasher as _, RandomState};
use std::net::{Ipv4Addr, TcpListener};
use std::sync::Mutex;

use anyhow::bail;

/// Below the ports that the system gives to clients: a client that dials a dead server again and again on one of those
/// would sooner or later be given the server's own port, and the server could not come back.
const RANGE: std::ops::Range<u16> = 20_000..32_000;

/// What this process gave out already; a server that is down for a moment keeps its port.
static GIVEN: Mutex<BTreeSet<u16>> = Mutex::new(BTreeSet::new());

/// Returns a port that is free now and that this process does not give out again.
///
/// # Errors
/// When thousands of ports are taken.
pub fn free() -> anyhow::Result<u16> {
    let span = u64::from(RANGE.end - RANGE.start);
    // Processes that start at the same time begin at different places.
    let begin = RandomState::new().hash_one(std::process::id());
    for step in 0..span {
        let within = u16::try_from((begin.wrapping_add(step)) % span).expect("the range is one of ports");
        let port = RANGE.start + within;
        if GIVEN.lock().expect("nobody panics while choosing").contains(&port) {
            continue;
        }
        if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            let new = GIVEN.lock().expect("nobody panics while choosing").insert(port);
            if new {
                return Ok(port);
            }
        }
    }
    bail!("no port from {} to {} is free on 127.0.0.1", RANGE.start, RANGE.end)
}

#[cfg(test)]
mod tests {
    #[test]
    fn gives_no_port_twice() {
        let mut ports: Vec<u16> = (0..50).map(|_| super::free().expect("a port")).collect();
        ports.sort_unstable();
        ports.dedup();
        assert_eq!(ports.len(), 50);
    }
}
