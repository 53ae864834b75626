//! `cargo xtask test`: every test of the workspace, with what it needs, and one closing line.
//!
//! Brings the real servers that the tests talk to, on free ports, and leaves none behind, whether the tests pass, fail
//! or are broken off. A test that is ignored counts as a failure: what cannot run here has to say why, not pass in
//! silence.

mod contract_tools;
mod count;
mod needs;

use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::process::CommandExt as _;
use std::process::{Child, ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Instant;

use anyhow::{Context as _, bail};
use souk_servers::{Kind, Options, Scratch, Servers, end_group};

use crate::interrupt::Interrupt;
use count::Count;

/// Runs every test of the workspace, with the servers that they need.
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  cargo xtask test\n  cargo xtask test -- --package souk-domain\n  \
                  eval \"$(cargo xtask services env)\" && cargo xtask test --servers environment")]
pub struct Args {
    /// Which servers the tests talk to.
    #[arg(long, value_enum, default_value_t = Source::Own)]
    servers: Source,
    /// Passed on to `cargo test`, in place of `--workspace`.
    #[arg(last = true)]
    cargo: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Source {
    /// Some that are started for this run and gone after it.
    Own,
    /// Those that the environment names, as `cargo xtask services env` prints it.
    Environment,
}

/// Returns whether every test passed.
///
/// # Errors
/// When something that the tests need is missing; names it and the remedy.
pub fn run(args: &Args) -> anyhow::Result<bool> {
    needs::check()?;
    let contract_tools = contract_tools::install()?;
    let began = Instant::now();
    let running = Arc::new(AtomicU32::new(0));
    let interrupt = {
        let running = Arc::clone(&running);
        Interrupt::watch(move || match running.swap(0, Ordering::SeqCst) {
            // Nothing to end, or asked again: the servers end with this process.
            0 => std::process::exit(130),
            group => end_group(group),
        })?
    };
    // First: servers would only take memory from the compiler.
    let built = cargo(args, &["--no-run"], &[], Stdio::inherit(), &running)?.wait()?;
    running.store(0, Ordering::SeqCst);
    if !built.success() || interrupt.came() {
        bail!("the tests do not build; what cargo printed says why");
    }
    let (count, status) = {
        let scratch = Scratch::new("test")?;
        let servers = match args.servers {
            Source::Own => Servers::start(scratch.path(), &Kind::ALL, options)?,
            Source::Environment => Servers::default(),
        };
        let mut env = servers.env();
        env.push((contract_tools::VARIABLE, contract_tools));
        let child = cargo(args, &[], &env, Stdio::piped(), &running)?;
        let outcome = read(child)?;
        running.store(0, Ordering::SeqCst);
        outcome
    };
    println!();
    for name in &count.failures {
        println!("failed: {name}");
    }
    if count.ignored > 0 {
        println!("{} ignored: a test that cannot run has to fail and say what it needs", count.ignored);
    }
    println!("{} s", began.elapsed().as_secs());
    println!("{} passed, {} failed", count.passed, count.failed);
    if interrupt.came() {
        println!("interrupted: not every test was run");
    } else if !status.success() && count.failed == 0 {
        println!("cargo test ended with {status} all the same; its own output says why");
    }
    let all = status.success() && !interrupt.came();
    Ok(all && count.failed == 0 && count.ignored == 0 && count.passed > 0)
}

/// Tests that restart servers start their own: the data of these need not outlive them.
fn options(_: Kind) -> Options {
    Options { in_memory: true, ..Options::default() }
}

/// Starts `cargo test` in a process group of its own, which `running` names: a signal reaches us first.
fn cargo(
    args: &Args,
    more: &[&str],
    env: &[(&str, String)],
    stdout: Stdio,
    running: &AtomicU32,
) -> anyhow::Result<Child> {
    let mut command = crate::cargo::command();
    command.args(["test", "--no-fail-fast"]).args(more);
    if args.cargo.is_empty() {
        command.arg("--workspace");
    } else {
        command.args(&args.cargo);
    }
    command.envs(env.iter().map(|(name, value)| (name, value)));
    command.stdin(Stdio::null()).stdout(stdout).process_group(0);
    let child = command.spawn().context("could not start cargo test")?;
    running.store(child.id(), Ordering::SeqCst);
    Ok(child)
}

/// Passes on what the tests print, and counts.
fn read(mut child: Child) -> anyhow::Result<(Count, ExitStatus)> {
    let output = child.stdout.take().expect("stdout was asked for");
    let mut count = Count::default();
    let mut screen = std::io::stdout();
    for line in BufReader::new(output).lines() {
        let line = line.context("the output of cargo test broke off")?;
        count.add(&line);
        // A closed pipe on our side is no reason to stop testing.
        let _ = writeln!(screen, "{line}");
    }
    let status = child.wait().context("cargo test did not end in order")?;
    Ok((count, status))
}
