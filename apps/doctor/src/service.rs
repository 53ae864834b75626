//! Whether a service that runs says that it is ready.

use souk_ports::{Finding, Findings};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// Most bytes read of an answer.
const ANSWER: u64 = 16 * 1024;

/// Asks `service`, whose base is `url` (`http://host:port/…`), for `/readyz`.
pub async fn examine_service(service: &str, url: &str, findings: Findings<'_>) {
    let name = format!("service.{service}");
    let Some(address) = address(url) else {
        // Other schemes are somebody's gateway.
        return findings(Finding::ok(&name, format!("{url} is not asked: it is not plain http")));
    };
    match ask(&address).await {
        Err(error) => findings(Finding::ok(&name, format!("not running at {address} ({error})"))),
        Ok(answer) => {
            let status = answer.split(' ').nth(1).unwrap_or_default();
            let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body).trim();
            findings(match status {
                "200" => Finding::ok(&name, format!("ready at {address}")),
                "503" => Finding::fail(
                    &name,
                    format!("at {address}, not ready: {}", shortened(body)),
                    format!("http://{address}/health says what it waits for"),
                ),
                other => Finding::warn(
                    &name,
                    format!("{address} answers {other} to /readyz"),
                    "see which program listens there, and the service's port",
                ),
            });
        }
    }
}

fn shortened(body: &str) -> String {
    body.chars().filter(|c| !c.is_control()).take(300).collect()
}

/// Returns `host:port`.
fn address(url: &str) -> Option<String> {
    let host = url.strip_prefix("http://")?.split('/').next()?;
    Some(if host.contains(':') { host.to_owned() } else { format!("{host}:80") })
}

async fn ask(address: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(address).await?;
    let request = format!("GET /readyz HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut answer = Vec::new();
    stream.take(ANSWER).read_to_end(&mut answer).await?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_those_of_urls() {
        assert_eq!(address("http://localhost:3001/events/stream").as_deref(), Some("localhost:3001"));
        assert_eq!(address("http://souk.example").as_deref(), Some("souk.example:80"));
        assert_eq!(address("https://souk.example"), None);
    }
}
