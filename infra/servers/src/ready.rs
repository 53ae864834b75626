//! Whether a server answers: a question in its own protocol, since an open port is not yet a server at work.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::Duration;

use crate::Kind;

/// How long one question may take; it is asked again.
const LIMIT: Duration = Duration::from_secs(2);

/// Tells whether the server of `kind` at `port` of this machine takes requests.
pub fn answers(kind: Kind, port: u16) -> bool {
    let outcome = match kind {
        Kind::Postgres => postgres(port),
        Kind::Kafka => kafka(port),
        // Without credentials it refuses, in words that only it uses.
        Kind::Dynamo => http(port, "/").map(|answer| answer.contains("dynamodb")),
        // It calls itself ready some moments before it knows users and buckets: until then it refuses nobody, it is
        // "not initialized". A stranger is refused once it is.
        Kind::Minio => http(port, "/").map(|answer| answer.starts_with("HTTP/1.1 403")),
    };
    outcome.unwrap_or(false)
}

fn connect(port: u16) -> std::io::Result<TcpStream> {
    let stream = TcpStream::connect_timeout(&SocketAddr::from((Ipv4Addr::LOCALHOST, port)), LIMIT)?;
    stream.set_read_timeout(Some(LIMIT))?;
    stream.set_write_timeout(Some(LIMIT))?;
    Ok(stream)
}

/// Begins a session: one that starts up or recovers answers with an error, one at work asks for the password.
fn postgres(port: u16) -> std::io::Result<bool> {
    let mut stream = connect(port)?;
    let body = b"user\0postgres\0database\0postgres\0application_name\0souk-servers\0\0";
    // "Frontend/Backend Protocol", StartupMessage: length with itself, version 3.0, names and values.
    let length = u32::try_from(body.len() + 8).expect("it is short");
    stream.write_all(&[&length.to_be_bytes()[..], &196_608_u32.to_be_bytes(), body].concat())?;
    let mut kind = [0];
    stream.read_exact(&mut kind)?;
    Ok(kind == *b"R")
}

/// Asks for the cluster, as a client does first: one at work names a broker, itself.
fn kafka(port: u16) -> std::io::Result<bool> {
    let mut stream = connect(port)?;
    // Request header version 1, then Metadata version 1 with no topic: key 3, version 1, correlation 7, client "s".
    let request = [0, 3, 0, 1, 0, 0, 0, 7, 0, 1, b's', 0, 0, 0, 0];
    let length = u32::try_from(request.len()).expect("it is short");
    stream.write_all(&[&length.to_be_bytes()[..], &request].concat())?;
    // Length, correlation, number of brokers.
    let mut answer = [0; 12];
    stream.read_exact(&mut answer)?;
    Ok(answer[4..8] == [0, 0, 0, 7] && answer[8] == 0 && answer[9..12] != [0, 0, 0])
}

fn http(port: u16, path: &str) -> std::io::Result<String> {
    let mut stream = connect(port)?;
    write!(stream, "GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n\r\n")?;
    let mut answer = Vec::new();
    stream.take(64 * 1024).read_to_end(&mut answer)?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}
