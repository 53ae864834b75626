//! souk itself: built, started in a folder of its own, ended.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};

use super::cleanup::Server;
use super::{Bench, http, peers};

/// How long a start may take before it is given up: far beyond what is wanted of it.
const START_LIMIT: Duration = Duration::from_secs(30);

/// Builds the release binary and returns where it is.
pub fn build() -> anyhow::Result<PathBuf> {
    eprintln!("building souk");
    let status =
        crate::cargo::command().args(["build", "--release", "--package", "souk", "--quiet"]).status()?;
    if !status.success() {
        bail!("cargo build --release --package souk failed");
    }
    let binary = crate::cargo::target_folder()?.join("release/souk");
    binary.is_file().then_some(binary).context("the build left no binary")
}

/// A running installation.
pub struct Souk {
    server: Server,
    /// Port of api.
    pub api: u16,
    /// Port of notifications.
    pub stream: u16,
    /// Port of analytics.
    pub analytics: u16,
    /// Port of the dashboard.
    pub web: u16,
    /// From start to the last `/readyz`.
    pub ready_after: Duration,
    data: PathBuf,
    log: PathBuf,
}

impl Souk {
    /// Starts one on an empty folder and waits until all its services are ready.
    pub fn start(bench: &Bench, name: &str) -> anyhow::Result<Self> {
        let folder = bench.scratch.folder(name)?;
        Self::start_in(&bench.souk, &folder)
    }

    /// Starts one in `folder`.
    pub fn start_in(binary: &Path, folder: &Path) -> anyhow::Result<Self> {
        Self::start_with(binary, folder, &[])
    }

    /// Starts one in `folder` with settings.
    pub fn start_with(
        binary: &Path,
        folder: &Path,
        settings: &[(&'static str, String)],
    ) -> anyhow::Result<Self> {
        let (api, stream, analytics) =
            (souk_servers::free_port()?, souk_servers::free_port()?, souk_servers::free_port()?);
        let web = souk_servers::free_port()?;
        let (data, log) = (folder.join("data"), folder.join("souk.log"));
        let began = Instant::now();
        let mut server = Server::spawn(
            Command::new(binary)
                .arg("up")
                .arg("--data-dir")
                .arg(&data)
                .current_dir(folder)
                .envs(settings.iter().map(|(name, value)| (name, value)))
                .env("API_PORT", api.to_string())
                .env("NOTIFICATIONS_PORT", stream.to_string())
                .env("HEALTH_PORT", analytics.to_string())
                .env("WEB_PORT", web.to_string()),
            "TERM",
            &log,
        )?;
        for port in [api, stream, analytics, web] {
            while !is_ready(port)? {
                if began.elapsed() > START_LIMIT || !server.is_running() {
                    let text = std::fs::read_to_string(&log).unwrap_or_default();
                    bail!("souk did not get ready: {}", text.lines().last().unwrap_or("it says nothing"));
                }
                std::thread::sleep(Duration::from_millis(1));
            }
        }
        Ok(Self { server, api, stream, analytics, web, ready_after: began.elapsed(), data, log })
    }

    /// Returns its data folder.
    pub fn data(&self) -> &Path {
        &self.data
    }

    /// Returns a figure of its memory in bytes, such as `VmRSS`.
    pub fn memory(&self, figure: &str) -> anyhow::Result<f64> {
        peers::memory(self.server.pid(), figure)
    }

    /// Fails when it has ended.
    pub fn check(&mut self) -> anyhow::Result<()> {
        if self.server.is_running() {
            return Ok(());
        }
        let text = std::fs::read_to_string(&self.log).unwrap_or_default();
        bail!("souk ended: {}", text.lines().last().unwrap_or("it says nothing"))
    }
}

fn is_ready(port: u16) -> anyhow::Result<bool> {
    http::block_on(async {
        let answer = async {
            http::Connection::open(port)
                .await?
                .call(&http::request("GET", "/readyz", None))
                .await
                .map(|a| a.0)
        };
        Ok(answer.await.is_ok_and(|status| status == 200))
    })
}
