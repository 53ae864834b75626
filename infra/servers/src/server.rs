//! One server: a process, its folder, its ports; and what can happen to it.

use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::Duration;

use anyhow::{Context as _, bail};

use crate::pause::Pause;
use crate::process::{Identity, wait_until};
use crate::record::{Ports, Record};
use crate::scratch::passable;
use crate::tools::tail;
use crate::{Kind, Life, Options, dynamo, install, kafka, minio, ports, postgres, ready, spawn};

/// How long a start may take: a recovery after a kill on two busy cores is part of it.
const START_LIMIT: Duration = Duration::from_secs(90);
/// How long a server may take to end in order before it is killed.
const STOP_LIMIT: Duration = Duration::from_secs(30);
/// How long the kernel may take to end what was killed.
const KILL_LIMIT: Duration = Duration::from_secs(10);
/// How often a start is tried when another process takes the port between our look and the server's.
const PORT_TRIES: usize = 3;

/// A server on this machine. Dropped, it is killed and its data stays; a [`Life::Detached`] one goes on.
#[derive(Debug)]
pub struct Server {
    folder: PathBuf,
    record: Record,
    /// Ours to wait for; none when another process started it.
    child: Option<Child>,
    pause: Pause,
}

impl Server {
    /// Starts a server in `folder`, which holds its data, its log and its record; waits until it answers.
    ///
    /// A folder that was used before is used again, data and all. What is not installed is installed first.
    ///
    /// # Errors
    /// When it does not answer in time or ends; shows the end of its log. When one of this folder runs already.
    pub fn start(kind: Kind, folder: impl Into<PathBuf>, options: Options) -> anyhow::Result<Self> {
        let mut server = Self::launch(kind, folder.into(), options)?;
        server.wait_ready_or_move()?;
        Ok(server)
    }

    /// Starts a server and does not wait for it: several come up side by side.
    pub(crate) fn launch(kind: Kind, folder: PathBuf, options: Options) -> anyhow::Result<Self> {
        let folder = std::path::absolute(&folder).context("the folder of a server has no name")?;
        passable(&folder)?;
        if let Some(old) = Record::read(&folder)? {
            if old.kind != kind {
                bail!(
                    "{} belongs to a {} server, not to {kind}: take another folder",
                    folder.display(),
                    old.kind
                );
            }
            if let Some(process) = old.process.filter(|process| process.is_running()) {
                bail!("a {kind} server runs in {} already, pid {}", folder.display(), process.pid);
            }
        }
        let ports = choose(kind, &options)?;
        let record = Record { kind, options, ports, process: None };
        let mut server = Self { folder, record, child: None, pause: Pause::default() };
        server.spawn()?;
        Ok(server)
    }

    /// Finds the server that another process started in `folder`; `None` when none was, or was stopped.
    ///
    /// # Errors
    /// When the folder's record cannot be read.
    pub fn attach(folder: impl Into<PathBuf>) -> anyhow::Result<Option<Self>> {
        let folder = folder.into();
        let Some(record) = Record::read(&folder)?.filter(|record| record.process.is_some()) else {
            return Ok(None);
        };
        Ok(Some(Self { folder, record, child: None, pause: Pause::default() }))
    }

    /// Returns what it is.
    pub fn kind(&self) -> Kind {
        self.record.kind
    }

    /// Returns its port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.record.ports.main
    }

    /// Returns the port of MinIO's console, when it was asked for.
    pub fn console_port(&self) -> Option<u16> {
        self.record.options.console_port
    }

    /// Returns where to pass on what comes in at each port of [`Options::advertise`], in the same order.
    pub fn behind_proxy(&self) -> Vec<u16> {
        self.record.ports.behind.iter().map(|(listened, _)| *listened).collect()
    }

    /// Returns the number of its process, the last one's when it does not run.
    pub fn pid(&self) -> Option<i32> {
        self.record.process.map(|process| process.pid)
    }

    /// Returns its folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Returns the file that holds what it prints.
    pub fn log(&self) -> PathBuf {
        self.folder.join("log")
    }

    /// Tells whether its process is there, paused or not.
    pub fn is_running(&self) -> bool {
        self.record.process.is_some_and(Identity::is_running)
    }

    /// Tells whether it takes requests now.
    pub fn answers(&self) -> bool {
        self.is_running() && ready::answers(self.kind(), self.port())
    }

    /// Returns the settings by which souk finds it, as (name, value).
    pub fn env(&self) -> Vec<(&'static str, String)> {
        crate::Access::at(self.kind(), self.port()).env()
    }

    /// Waits until it takes requests.
    ///
    /// # Errors
    /// When it ended or does not answer in time; shows the end of its log.
    pub fn wait_ready(&self) -> anyhow::Result<()> {
        let mut ended = false;
        let answers = wait_until(START_LIMIT, || {
            ended = !self.is_running();
            ended || ready::answers(self.kind(), self.port())
        });
        if answers && !ended {
            return Ok(());
        }
        let what = if ended { "ended".to_owned() } else { format!("does not answer after {START_LIMIT:?}") };
        let log = std::fs::read(self.log()).unwrap_or_default();
        let log = tail(&String::from_utf8_lossy(&log));
        bail!("{} on port {} {what}; its log, {}:\n{log}", self.kind(), self.port(), self.log().display())
    }

    /// Kills it as a crash would: every process of it at once, without a word to any.
    pub fn kill(&mut self) {
        self.end(libc::SIGKILL);
    }

    /// Stops it in order; kills it when that takes too long.
    ///
    /// # Errors
    /// When its record cannot be written.
    pub fn stop(&mut self) -> anyhow::Result<()> {
        if let Some(process) = self.record.process.filter(|process| process.is_running()) {
            self.resume();
            // Postgres: "fast shutdown", which does not wait for clients to leave.
            process.signal(if self.kind() == Kind::Postgres { libc::SIGINT } else { libc::SIGTERM });
            wait_until(STOP_LIMIT, || !process.is_running());
        }
        self.end(libc::SIGKILL);
        self.record.process = None;
        self.record.write(&self.folder)
    }

    /// Starts it again on the same ports with the same data, after [`Self::stop`], [`Self::kill`] or neither; waits
    /// until it answers.
    ///
    /// # Errors
    /// As [`Self::start`].
    pub fn restart(&mut self) -> anyhow::Result<()> {
        self.stop()?;
        self.spawn()?;
        self.wait_ready()
    }

    /// Stops time for it: connections stay, nothing is answered. It goes on at [`Self::resume`], and also when this
    /// process ends.
    pub fn pause(&self) {
        if let Some(process) = self.record.process {
            self.pause.begin(process);
        }
    }

    /// Lets it go on after [`Self::pause`].
    pub fn resume(&self) {
        self.pause.end();
    }

    /// Waits until it answers; takes another port when the one that we chose was taken meanwhile.
    pub(crate) fn wait_ready_or_move(&mut self) -> anyhow::Result<()> {
        for _ in 1..PORT_TRIES {
            match self.wait_ready() {
                Err(error)
                    if !self.is_running() && self.record.options.port.is_none() && is_taken(&error) =>
                {
                    self.record.ports = choose(self.kind(), &self.record.options)?;
                    self.spawn()?;
                }
                outcome => return outcome,
            }
        }
        self.wait_ready()
    }

    fn spawn(&mut self) -> anyhow::Result<()> {
        let Record { kind, options, ports, .. } = &self.record;
        let (kind, life) = (*kind, options.life);
        let folder = self.folder.as_path();
        let program = match options.version {
            Some(version) if kind == Kind::Postgres => postgres::of_version(version, folder)?,
            _ => install(&[kind])?.path(kind)?.to_path_buf(),
        };
        let program = program.as_path();
        let mut command = match kind {
            Kind::Postgres => {
                postgres::prepare(program, folder)?;
                postgres::command(program, folder, ports.main, options)?
            }
            Kind::Kafka => {
                let controller = ports.controller.context("Kafka has a controller")?;
                let listeners = kafka::Ports { main: ports.main, controller, behind: &ports.behind };
                kafka::prepare(program, folder, &listeners, options)?;
                kafka::command(program, folder, options)?
            }
            Kind::Dynamo => {
                std::fs::create_dir_all(folder.join("data"))?;
                dynamo::command(program, folder, ports.main, options)?
            }
            Kind::Minio => {
                std::fs::create_dir_all(folder.join("data"))?;
                minio::command(program, folder, ports.main, options.console_port, options)?
            }
        };
        let log = std::fs::File::options().create(true).append(true).open(self.log());
        let log = log.with_context(|| format!("cannot write {}", self.log().display()))?;
        command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        command.current_dir(folder);
        // What a developer has set for other things is not for these.
        for name in ["JAVA_TOOL_OPTIONS", "JDK_JAVA_OPTIONS", "PGDATA", "PGOPTIONS", "MINIO_VOLUMES"] {
            command.env_remove(name);
        }
        // Postgres ends its children and frees its shared memory at this; the others have neither.
        let end = if kind == Kind::Postgres { libc::SIGQUIT } else { libc::SIGKILL };
        let child = spawn::spawn(command, life, end).with_context(|| format!("could not start {kind}"))?;
        let pid = i32::try_from(child.id()).context("process numbers fit")?;
        self.child = Some(child);
        self.record.process = Identity::of(pid);
        self.record.write(&self.folder)
    }

    /// Sends `signal` to it and all that it started, and waits until they are gone.
    fn end(&mut self, signal: i32) {
        if let Some(process) = self.record.process.filter(|process| process.is_running()) {
            let family = process.family();
            for member in &family {
                member.signal(signal);
            }
            wait_until(KILL_LIMIT, || family.iter().all(|member| !member.is_running()));
        }
        self.pause.forget();
        if let Some(mut child) = self.child.take() {
            let _ = child.wait();
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if self.record.options.life == Life::Detached {
            return;
        }
        if self.kind() == Kind::Postgres {
            // "Immediate shutdown": as sudden, but it frees its shared memory.
            if let Some(process) = self.record.process {
                self.resume();
                process.signal(libc::SIGQUIT);
                wait_until(KILL_LIMIT, || !process.is_running());
            }
        }
        self.end(libc::SIGKILL);
    }
}

fn is_taken(error: &anyhow::Error) -> bool {
    let text = format!("{error:#}").to_lowercase();
    text.contains("already in use") || text.contains("failed to bind")
}

/// Takes the ports that were asked for, and free ones for the rest.
fn choose(kind: Kind, options: &Options) -> anyhow::Result<Ports> {
    let main = options.port.map_or_else(ports::free, Ok)?;
    let is_kafka = kind == Kind::Kafka;
    let told = if is_kafka { options.advertise.as_slice() } else { &[] };
    Ok(Ports {
        main,
        controller: if is_kafka { Some(ports::free()?) } else { None },
        behind: told.iter().map(|told| Ok((ports::free()?, *told))).collect::<anyhow::Result<_>>()?,
    })
}
