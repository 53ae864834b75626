//! `cargo xtask test`: every test of the workspace, with what it needs, and one closing line.
//!
//! Brings the real servers that the tests talk to, on free ports, and leaves none behind, whether the tests pass, fail
//! or are broken off. cargo builds the test programs; each runs as soon as it is there, beside others and beside the
//! compiler, as cargo would run it: tests wait a third of their time, compilers never do. What a program says comes in
//! one piece when it ends. A test that is ignored counts as a failure: what cannot run here has to say why, not pass in
//! silence.

mod children;
mod contract_tools;
mod count;
mod needs;
mod programs;
mod run;
mod side_by_side;
mod turns;

use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::mpsc::channel;
use std::time::Instant;

use anyhow::{Context as _, bail};
use souk_servers::{Kind, Options, Scratch, Servers};

use crate::interrupt::Interrupt;
use children::Children;
use count::Count;
use programs::{Built, Passed};
use run::Job;
use side_by_side::Event;
use turns::{EXAMPLES, Turns};

/// Runs every test of the workspace, with the servers that they need.
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  cargo xtask test\n  cargo xtask test -- --package souk-domain\n  \
                  cargo xtask test -- --package souk --test it -- crash --nocapture\n  \
                  eval \"$(cargo xtask services env)\" && cargo xtask test --servers environment")]
pub struct Args {
    /// Which servers the tests talk to.
    #[arg(long, value_enum, default_value_t = Source::Own)]
    servers: Source,
    /// How many test programs run side by side, half as many while cargo builds others [default: two more than there are
    /// cores, 4 at most].
    #[arg(long, value_name = "N")]
    side_by_side: Option<usize>,
    /// Passed on to `cargo test`, in place of `--workspace`.
    #[arg(last = true)]
    cargo: Vec<String>,
}

/// Where programs put files for a while, by POSIX.
const TEMPORARY: &str = "TMPDIR";

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
    let passed = Passed::new(&args.cargo);
    let turns = Turns::new(args.side_by_side.unwrap_or_else(at_once));
    let mut provisions = Provisions::new(args.servers, contract_tools)?;
    let channel = channel();
    let count = std::thread::scope(|scope| {
        let (sender, passed, children, interrupt) = (channel.0.clone(), &passed, &*children, &interrupt);
        scope.spawn(move || {
            let send = |event| sender.send(event).expect("its other end is held until we have ended");
            let built = build(passed, children, |job| send(Event::Built(job)));
            // What was broken off is not broken.
            send(Event::Complete(built.or_else(|error| if interrupt.came() { Ok(()) } else { Err(error) })));
        });
        side_by_side::run(turns, children, &channel, |command| provisions.give(command))
    });
    // Before anything is said: a closed pipe ends us, and they would be left behind.
    drop(provisions);
    let count = count?;
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

/// What all programs are given.
struct Provisions {
    source: Source,
    contract_tools: String,
    /// Started for the first program that is ready: before, they would only take memory from the compiler.
    servers: Option<Servers>,
    /// For the servers and for what tests write: gone after the servers, and whatever a test leaves behind with it.
    scratch: Scratch,
}

impl Provisions {
    fn new(source: Source, contract_tools: String) -> anyhow::Result<Self> {
        let scratch = Scratch::new("test")?;
        let of_tests = files_of_tests(&scratch);
        std::fs::create_dir(&of_tests).with_context(|| format!("cannot make {}", of_tests.display()))?;
        Ok(Self { source, contract_tools, servers: None, scratch })
    }

    fn give(&mut self, command: &mut Command) -> anyhow::Result<()> {
        command.env(contract_tools::VARIABLE, &self.contract_tools);
        if std::env::var_os(TEMPORARY).is_none() {
            command.env(TEMPORARY, files_of_tests(&self.scratch));
        }
        if self.source == Source::Environment {
            return Ok(());
        }
        let servers = match &mut self.servers {
            Some(servers) => servers,
            none => none.insert(Servers::start(self.scratch.path(), &Kind::ALL, options)?),
        };
        command.envs(servers.env());
        Ok(())
    }
}

fn files_of_tests(scratch: &Scratch) -> PathBuf {
    scratch.folder("files")
}

/// Has cargo build the test programs, and hands each on when it can run, and cargo for the examples in documentation;
/// what cargo has to say goes to stderr.
fn build(passed: &Passed, children: &Children, mut ready: impl FnMut(Job)) -> anyhow::Result<()> {
    let mut built = Built::new(&crate::cargo::metadata()?);
    let mut command = crate::cargo::command();
    command.args(["test", "--no-run", "--message-format", "json-render-diagnostics"]).args(passed.to_build());
    command.stdin(Stdio::null()).stdout(Stdio::piped());
    let broken = "the tests do not build; what cargo printed says why";
    let Some(mut cargo) = children.start(&mut command).context("could not start cargo test")? else {
        bail!("{broken}");
    };
    let read = built.read(cargo.stdout.take().expect("stdout was asked for"), |program| {
        let name = format!("{} {}", program.package, program.source);
        ready(Job { name, command: program.command(passed) });
    });
    let status = children.wait(&mut cargo).context("cargo test did not end in order")?;
    if !status.success() {
        bail!("{broken}");
    }
    read?;
    if built.has_examples(passed) {
        let mut command = crate::cargo::command();
        command.args(["test", "--doc", "--no-fail-fast"]).args(&passed.cargo);
        command.arg("--").args(&passed.programs);
        ready(Job { name: EXAMPLES.to_owned(), command });
    }
    Ok(())
}
