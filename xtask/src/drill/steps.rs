//! What an operator types, timed.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use serde_json::Value;

use super::old::OldShop;
use super::read_json;
use crate::bench::peers;
use crate::bench::souk::Souk;

/// An operator with a folder.
pub struct Operator {
    binary: PathBuf,
    folder: PathBuf,
    settings: Vec<(&'static str, String)>,
}

/// What a step came to.
pub struct Step {
    /// What it printed.
    pub json: Value,
    pub took: Duration,
    /// The most memory that it held, in bytes.
    pub memory: f64,
}

impl Operator {
    /// Gives an operator the source's URL in a file, and the settings of the running souk.
    pub fn new(
        binary: &Path,
        folder: PathBuf,
        old: &OldShop,
        souk: &Souk,
        mut settings: Vec<(&'static str, String)>,
    ) -> anyhow::Result<Self> {
        std::fs::write(folder.join("source.url"), old.url())?;
        settings.push(("DATA_DIR", souk.data().display().to_string()));
        Ok(Self { binary: binary.to_owned(), folder, settings })
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(&self.binary);
        command.args(args).current_dir(&self.folder);
        command.envs(self.settings.iter().map(|(name, value)| (name, value)));
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    fn run(&self, what: &str, command: &mut Command) -> anyhow::Result<(Output, Duration, f64)> {
        eprintln!("{what}");
        let began = Instant::now();
        let child = command.spawn().with_context(|| format!("could not start {what}"))?;
        let pid = child.id();
        let waiting = std::thread::spawn(move || child.wait_with_output());
        let mut memory = 0.0_f64;
        while !waiting.is_finished() {
            // It may just have ended.
            memory = memory.max(peers::memory(pid, "VmHWM").unwrap_or(0.0));
            std::thread::sleep(Duration::from_millis(10));
        }
        let output = waiting.join().ok().context("nobody waited")??;
        Ok((output, began.elapsed(), memory))
    }

    /// Takes a step; one that ends with anything but 0 ends the drill.
    pub fn step(&self, name: &str, more: &[&str]) -> anyhow::Result<Step> {
        let step = self.try_step(name, more)?;
        match step {
            (step, Some(0), _) => Ok(step),
            (step, code, said) => {
                bail!("souk migrate {name} ended with {code:?}: {} {said}", why(&step.json))
            }
        }
    }

    fn try_step(&self, name: &str, more: &[&str]) -> anyhow::Result<(Step, Option<i32>, String)> {
        let what = format!("souk migrate {name}");
        let args = [&["migrate", name, "--json", "--source-file", "source.url"][..], more].concat();
        let (output, took, memory) = self.run(&what, &mut self.command(&args))?;
        let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        let json = read_json(&what, &output.stdout).with_context(|| said.clone())?;
        Ok((Step { json, took, memory }, output.status.code(), said))
    }

    /// Checks every criterion of a migration that went well.
    pub fn check(&self, souk: &Souk) -> anyhow::Result<Step> {
        let port = |port: u16| format!("http://127.0.0.1:{port}");
        let (api, analytics) = (port(souk.api), port(souk.analytics));
        let stream = format!("{}/events/stream", port(souk.stream));
        self.step("check", &["--api", &api, "--stream", &stream, "--analytics", &analytics])
    }

    /// Plans, decides what the plan asks for as most would – mend what can be mended, leave out the rest –, and plans again.
    /// Returns the second plan, and how many kinds were decided.
    pub fn plan(&self) -> anyhow::Result<(Step, usize)> {
        let (first, _, said) = self.try_step("plan", &[])?;
        let faults = first.json["faults"].as_object().with_context(|| format!("no plan: {said}"))?;
        let mut mapping =
            std::fs::OpenOptions::new().append(true).open(self.folder.join("souk-migration/mapping.toml"))?;
        for (kind, fault) in faults {
            let policy = if fault["fix"].is_null() { "skip" } else { "fix" };
            eprintln!("  {} rows with {kind}: {policy}", fault["rows"]);
            writeln!(mapping, "\"{kind}\" = \"{policy}\"")?;
        }
        Ok((self.step("plan", &[])?, faults.len()))
    }

    /// Follows until told to end.
    pub fn follow(&self) -> anyhow::Result<Following> {
        eprintln!("souk migrate follow");
        let args = ["migrate", "follow", "--json", "--source-file", "source.url"];
        let child = self.command(&args).spawn().context("could not start souk migrate follow")?;
        Ok(Following { child: Some(child) })
    }

    /// Replays the sample's transactions through souk.
    pub fn load(&self, souk: &Souk) -> anyhow::Result<Step> {
        let api = format!("http://127.0.0.1:{}", souk.api);
        let mut command = self.command(&["load", "--json", "--api", &api]);
        command
            .env("SSE_URL", format!("http://127.0.0.1:{}/events/stream", souk.stream))
            .env("ANALYTICS_URL", format!("http://127.0.0.1:{}", souk.analytics));
        let (output, took, memory) = self.run("souk load", &mut command)?;
        if !output.status.success() {
            let said = if output.stderr.is_empty() { &output.stdout } else { &output.stderr };
            bail!("souk load found faults or failed: {}", String::from_utf8_lossy(said).trim());
        }
        Ok(Step { json: read_json("souk load", &output.stdout)?, took, memory })
    }

    /// Audits souk's stores.
    pub fn audit(&self) -> anyhow::Result<Value> {
        let (output, ..) = self.run("souk audit", &mut self.command(&["audit", "--json"]))?;
        let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        read_json("souk audit", &output.stdout).context(said)
    }
}

/// Says what a step found, of much only the first.
fn why(json: &Value) -> String {
    let mut missed = json["criteria"].as_array().into_iter().flatten();
    if let Some(criterion) = missed.find(|criterion| criterion["met"] == "no") {
        return format!("{}: {}", criterion["criterion"], criterion["measured"]);
    }
    let comparison = &json["comparison"];
    format!("{} differences, such as {}", comparison["differences"], comparison["named"][0])
}

/// `souk migrate follow` at work; killed when it is not ended.
pub struct Following {
    child: Option<Child>,
}

impl Following {
    /// Ends it as Ctrl-C does.
    pub fn end(mut self) -> anyhow::Result<()> {
        let child = self.child.take().context("it was ended")?;
        Command::new("kill").arg("-INT").arg(child.id().to_string()).status()?;
        let output = child.wait_with_output()?;
        if !output.status.success() {
            bail!("souk migrate follow failed: {}", String::from_utf8_lossy(&output.stderr).trim());
        }
        Ok(())
    }
}

impl Drop for Following {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}
