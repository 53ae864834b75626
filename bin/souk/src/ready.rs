//! Asks each service over its own listener whether it is ready, as a probe would.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::failure::Failure;

/// Time between two questions: short against the time that a start takes.
const SHORTEST_PERIOD: Duration = Duration::from_millis(2);
/// Where a service waits for a server, nobody sees the difference.
const LONGEST_PERIOD: Duration = Duration::from_millis(100);
/// A start on embedded stores that takes longer hangs: opening them is done by then.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// Waits until `service` at `address` answers `GET /readyz` with 200; for ever without `patience`.
///
/// # Errors
/// `Unreachable` with the last answer when it does not get ready in time.
pub async fn wait_until_ready(
    service: &str,
    address: SocketAddr,
    patience: Option<Duration>,
) -> Result<(), Failure> {
    let address = reachable(address);
    let mut last = "no answer".to_owned();
    let ready = async {
        let mut period = SHORTEST_PERIOD;
        loop {
            match ask(address).await {
                Ok(answer) if answer.starts_with("HTTP/1.1 200 ") => return,
                Ok(answer) => last = answer.lines().last().unwrap_or_default().to_owned(),
                Err(error) => last = error.to_string(),
            }
            tokio::time::sleep(period).await;
            period = period.mul_f32(1.1).min(LONGEST_PERIOD);
        }
    };
    let Some(patience) = patience else {
        ready.await;
        return Ok(());
    };
    match tokio::time::timeout(patience, ready).await {
        Ok(()) => Ok(()),
        Err(_) => Err(Failure::Unreachable(format!(
            "{service} did not get ready within {} s; it last said: {last}",
            patience.as_secs()
        ))),
    }
}

/// Returns where a listener is reached: one on all addresses through the loopback.
pub fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}

async fn ask(address: SocketAddr) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(address).await?;
    stream.write_all(b"GET /readyz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").await?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}
