//! `cargo xtask test`: every test of the workspace, with what it needs, and one closing line.
//!
//! Brings the real servers that the tests talk to, on free ports, and leaves none behind, whether the tests pass, fail
//! or are broken off. cargo builds the test programs; they run side by side, each as cargo would run it, and what one
//! says comes in one piece when it ends. A test that is ignored counts as a failure: what cannot run here has to say
//! why, not pass in silence.

mod children;
mod contract_tools;
mod count;
mod needs;
mod programs;
mod run;
mod side_by_side;
mod turns;

use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context as _, bail};
use souk_servers::{Kind, Options, Scratch, Servers};

use crate::interrupt::Interrupt;
use children::Children;
use count::Count;
use programs::{Built, Passed};
use run::Job;
use turns::Turns;

/// Runs every test of the workspace, with the servers that they need.
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  cargo xtask test\n  cargo xtask test -- --package souk-domain\n  \
                  cargo xtask test -- --package souk --test it -- crash --nocapture\n  \
                  eval \"$(cargo xtask services env)\" && cargo xtask test --servers environment")]
pub struct Args {
    /// Which servers the tests talk to.
    #[arg(long, value_enum, default_value_t = Source::Own)]
    servers: Source,
    /// How many test programs run side by side [default: two more than there are cores, 4 at most].
    #[arg(long, value_name = "N")]
    side_by_side: Option<usize>,
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
    let children = Arc::new(Children::default());
    let interrupt = {
        let children = Arc::clone(&children);
        Interrupt::watch(move || {
            // Nothing to end, or asked again: the servers end with this process.
            if !children.end() {
                std::process::exit(130);
            }
        })?
    };
    // First: servers would only take memory from the compiler.
    let passed = Passed::new(&args.cargo);
    let built = build(&passed, &children)?;
    let count = {
        let scratch = Scratch::new("test")?;
        let servers = match args.servers {
            Source::Own => Servers::start(scratch.path(), &Kind::ALL, options)?,
            Source::Environment => Servers::default(),
        };
        let mut env = servers.env();
        env.push((contract_tools::VARIABLE, contract_tools));
        let turns = Turns::new(jobs(&built, &passed, &env), args.side_by_side.unwrap_or_else(at_once));
        side_by_side::run(turns, &children)?
    };
    println!();
    for name in &count.failures {
        println!("failed: {name}");
    }
    if count.ignored > 0 {
        println!("{} ignored: a test that cannot run has to fail and say what it needs", count.ignored);
    }
    if interrupt.came() {
        println!("interrupted: not every test was run");
    }
    println!("{} s", began.elapsed().as_secs());
    println!("{} passed, {} failed", count.passed, count.failed);
    Ok(!interrupt.came() && is_fine(&count))
}

fn is_fine(count: &Count) -> bool {
    count.failed == 0 && count.ignored == 0 && count.passed > 0
}

/// Tests that restart servers start their own: the data of these need not outlive them.
fn options(_: Kind) -> Options {
    Options { in_memory: true, ..Options::default() }
}

/// Two more than there are cores, since a good part of the tests waits most of its time.
fn at_once() -> usize {
    /// Some start servers of their own, of a gigabyte in all: more at once take memory and win little.
    const MOST: usize = 4;
    std::thread::available_parallelism().map_or(2, |cores| (cores.get() + 2).min(MOST))
}

/// Has cargo build the test programs; what it has to say about that goes to stderr.
fn build(passed: &Passed, children: &Children) -> anyhow::Result<Built> {
    let mut command = crate::cargo::command();
    command.args(["test", "--no-run", "--message-format", "json-render-diagnostics"]).args(&passed.cargo);
    command.stdin(Stdio::null()).stdout(Stdio::piped());
    let broken = "the tests do not build; what cargo printed says why";
    let Some(mut cargo) = children.start(&mut command).context("could not start cargo test")? else {
        bail!("{broken}");
    };
    let built = Built::read(cargo.stdout.take().expect("stdout was asked for"));
    let status = children.wait(&mut cargo).context("cargo test did not end in order")?;
    if !status.success() {
        bail!("{broken}");
    }
    built
}

/// Returns what is to run: each program, and cargo for the examples in documentation.
fn jobs(built: &Built, passed: &Passed, env: &[(&str, String)]) -> Vec<Job> {
    let job = |name: String, mut command: Command| {
        command.envs(env.iter().map(|(name, value)| (name, value)));
        Job { name, command }
    };
    let mut jobs = Vec::new();
    if built.has_examples(passed) {
        // Before the small programs: it takes as long as all of these.
        let mut command = crate::cargo::command();
        command.args(["test", "--doc", "--no-fail-fast"]).args(&passed.cargo);
        command.arg("--").args(&passed.programs);
        jobs.push(job("examples in documentation".to_owned(), command));
    }
    jobs.extend(
        built
            .programs
            .iter()
            .map(|program| job(format!("{} {}", program.package, program.source), program.command(passed))),
    );
    jobs
}
