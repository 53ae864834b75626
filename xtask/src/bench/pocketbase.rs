//! PocketBase as a peer: the same product created through its own endpoint. Optional: needs Go.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};

use super::cleanup::Server;
use super::http::{self, Connection};
use super::http_load::{BODY, ensure_wrk, wrk, wrk_script};
use super::souk::Souk;
use super::stats::{grouped, median};
use super::table::Row;
use super::{Bench, peers};

/// The release that is measured.
const PACKAGE: &str = "github.com/pocketbase/pocketbase/examples/base@v0.39.11";
/// Its binary.
const BINARY: &str = "base";
/// How long it may take to answer.
const START_LIMIT: Duration = Duration::from_secs(30);
/// The superuser that makes the collection.
const EMAIL: &str = "bench@example.com";
const PASSWORD: &str = "bench-password";

/// Measures both in turns.
pub fn creates(bench: &Bench) -> anyhow::Result<Vec<Row>> {
    if bench.quick {
        eprintln!("  left out: not part of a quick run");
        return Ok(Vec::new());
    }
    let binary = match build() {
        Ok(binary) => binary,
        Err(why) => {
            eprintln!("  left out: {why:#}");
            let what = "creates, 64 connections, against PocketBase";
            return Ok(vec![Row::new(what, "left out").against(format!("{why:#}"))]);
        }
    };
    ensure_wrk()?;
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for round in 0..bench.rounds() {
        let souk = Souk::start(bench, "pocketbase-souk")?;
        let script = wrk_script(bench, Some(BODY))?;
        ours.push(wrk(&format!("http://127.0.0.1:{}/products", souk.api), &script, 64, bench.round())?);
        drop(souk);
        let (server, port) = start(bench, &binary)?;
        let url = format!("http://127.0.0.1:{port}/api/collections/products/records");
        theirs.push(wrk(&url, &script, 64, bench.round())?);
        drop(server);
        eprintln!(
            "  round {}: souk {}, PocketBase {}",
            round + 1,
            grouped(ours[round]),
            grouped(theirs[round])
        );
    }
    let (ours, theirs) = (median(&ours), median(&theirs));
    Ok(vec![
        Row::new("creates, 64 connections", format!("{}/s", grouped(ours)))
            .against(format!("PocketBase 0.39 {}/s", grouped(theirs)))
            .at_least(ours / theirs, 10.0),
    ])
}

/// Builds the peer through Go's module proxy, once for all runs.
fn build() -> anyhow::Result<PathBuf> {
    let go = peers::find("go")
        .context("PocketBase is built with Go, and there is no go; on Debian: apt-get install golang")?;
    let folder = crate::cargo::target_folder()?.join("bench-peers");
    let binary = folder.join(BINARY);
    if binary.is_file() {
        return Ok(binary);
    }
    std::fs::create_dir_all(&folder)?;
    eprintln!("  building PocketBase (some minutes, once)");
    let output = Command::new(go)
        .args(["install", PACKAGE])
        .env("GOBIN", &folder)
        .env("CGO_ENABLED", "0")
        .stdout(Stdio::null())
        .output()?;
    if !output.status.success() {
        let text = String::from_utf8_lossy(&output.stderr);
        bail!("PocketBase could not be built: {}", text.lines().last().unwrap_or("go says nothing"));
    }
    Ok(binary)
}

/// Starts one with a collection that anybody may create products in.
fn start(bench: &Bench, binary: &Path) -> anyhow::Result<(Server, u16)> {
    let folder = bench.scratch.folder("pocketbase")?;
    let data = folder.join("data");
    let user = Command::new(binary)
        .args(["superuser", "upsert", EMAIL, PASSWORD, "--dir"])
        .arg(&data)
        .output()
        .context("could not run PocketBase")?;
    if !user.status.success() {
        bail!("PocketBase could not make a superuser: {}", String::from_utf8_lossy(&user.stderr).trim());
    }
    let port = souk_servers::free_port()?;
    let server = Server::spawn(
        Command::new(binary).args(["serve", "--http", &format!("127.0.0.1:{port}"), "--dir"]).arg(&data),
        "TERM",
        &folder.join("pocketbase.log"),
    )?;
    let began = Instant::now();
    while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
        if began.elapsed() > START_LIMIT {
            bail!("PocketBase did not get ready within {} s", START_LIMIT.as_secs());
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    http::block_on(make_collection(port))?;
    Ok((server, port))
}

async fn make_collection(port: u16) -> anyhow::Result<()> {
    let mut connection = Connection::open(port).await?;
    let login = format!(r#"{{"identity":"{EMAIL}","password":"{PASSWORD}"}}"#);
    let path = "/api/collections/_superusers/auth-with-password";
    let answer = connection.succeed(&http::request("POST", path, Some(&login))).await?;
    let answer: serde_json::Value = serde_json::from_slice(answer)?;
    let token = answer["token"].as_str().context("PocketBase gave no token")?.to_owned();
    let collection = serde_json::json!({
        "name": "products", "type": "base", "createRule": "", "listRule": "", "viewRule": "",
        "fields": [
            {"name": "name", "type": "text", "required": true},
            {"name": "price", "type": "number"},
            {"name": "stock", "type": "number"},
            {"name": "sellerId", "type": "text", "required": true}
        ]
    })
    .to_string();
    let request = format!(
        "POST /api/collections HTTP/1.1\r\nHost: localhost\r\nAuthorization: {token}\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{collection}",
        collection.len()
    );
    connection.succeed(request.as_bytes()).await?;
    Ok(())
}
