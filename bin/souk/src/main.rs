//! souk: a real-time marketplace backend in one binary.
//!
//! `main` parses the command line and runs one command; [`wiring`] puts `souk up` together and reads top to
//! bottom; [`lifecycle`] ends it. Only this crate names adapters.

use std::process::ExitCode;

use clap::Parser as _;

mod cli;
mod commands;
mod failure;
mod lifecycle;
mod output;
mod ready;
mod screen;
mod settings;
mod telemetry;
mod wiring;

use cli::{Cli, Command};

fn main() -> ExitCode {
    let cli = Cli::parse();
    let outcome = match cli.command {
        None => commands::up::run(cli.up),
        Some(Command::Up(flags)) => commands::up::run(flags),
        Some(Command::Load(args)) => commands::load::run(args),
        Some(Command::Audit(args)) => commands::audit::run(args),
        Some(Command::Config(args)) => commands::config::run(args),
        Some(Command::Version(args)) => commands::version::run(&args),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            failure.print();
            failure.code()
        }
    }
}
