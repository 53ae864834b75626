//! nginx with nchan as a peer: one worker, one channel, publishers and EventSource subscribers.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};

use super::cleanup::Server;
use super::{Bench, peers};

/// Where Debian puts the module.
const MODULE: &str = "/usr/lib/nginx/modules/ngx_nchan_module.so";
/// How long nginx may take to answer.
const START_LIMIT: Duration = Duration::from_secs(10);
/// Messages that the channel keeps: well above what may be outstanding, so that no subscriber misses one.
const BUFFER: u32 = 20_000;

/// A running nginx.
pub struct Nchan {
    server: Server,
    /// Where it listens: `POST /pub`, `GET /sub`.
    pub port: u16,
}

impl Nchan {
    /// Starts one.
    pub fn start(bench: &Bench) -> anyhow::Result<Self> {
        peers::ensure("nginx with nchan", &["nginx-light", "libnginx-mod-nchan"], || {
            peers::find("nginx").is_some() && Path::new(MODULE).is_file()
        })?;
        let nginx = peers::find("nginx").context("nginx has just been there")?;
        let folder = bench.scratch.folder("nchan")?;
        let port = souk_servers::free_port()?;
        let config = folder.join("nginx.conf");
        std::fs::write(&config, configuration(&folder, port))?;
        let server = Server::spawn(
            Command::new(nginx)
                .arg("-p")
                .arg(&folder)
                .arg("-c")
                .arg(&config)
                .arg("-e")
                .arg(folder.join("error.log")),
            "TERM",
            &folder.join("nginx.log"),
        )?;
        let mut nchan = Self { server, port };
        let began = Instant::now();
        while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
            if began.elapsed() > START_LIMIT || !nchan.server.is_running() {
                let text = std::fs::read_to_string(folder.join("nginx.log")).unwrap_or_default();
                bail!("nginx did not get ready: {}", text.trim());
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        Ok(nchan)
    }

    /// Returns the memory of its worker in bytes.
    pub fn worker_memory(&self) -> anyhow::Result<f64> {
        let master = self.server.pid();
        let children = std::fs::read_to_string(format!("/proc/{master}/task/{master}/children"))?;
        let worker = children.split_whitespace().next().context("nginx has no worker")?;
        peers::memory(worker.parse()?, "VmRSS")
    }
}

fn configuration(folder: &Path, port: u16) -> String {
    let user = if peers::is_root() { "user root;" } else { "" };
    let temporary = |what: &str| format!("{what}_temp_path {};", folder.join(what).display());
    let temporaries: Vec<String> =
        ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map(temporary).to_vec();
    let pid: PathBuf = folder.join("nginx.pid");
    format!(
        "load_module {MODULE};
{user}
daemon off;
worker_processes 1;
worker_rlimit_nofile 20000;
pid {pid};
events {{ worker_connections 19000; }}
http {{
  access_log off;
  {temporaries}
  keepalive_requests 1000000000;
  client_body_buffer_size 64k;
  nchan_shared_memory_size 512M;
  server {{
    listen 127.0.0.1:{port} backlog=4096;
    location = /pub {{
      nchan_publisher;
      nchan_channel_id bench;
      nchan_message_buffer_length {BUFFER};
      nchan_message_timeout 10m;
    }}
    location = /sub {{
      nchan_subscriber eventsource;
      nchan_channel_id bench;
      nchan_subscriber_first_message newest;
    }}
  }}
}}
",
        pid = pid.display(),
        temporaries = temporaries.join("\n  "),
    )
}
