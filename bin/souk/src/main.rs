//! souk: a real-time marketplace backend in one binary.
//!
//! `main` parses the command line and runs one command; [`wiring`] puts services together and reads top to bottom;
//! [`lifecycle`] ends them. Only this crate names adapters.

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
    let cli = Cli::parse_from(cli::asked(std::env::args_os()));
    let outcome = match cli.command {
        None => commands::up::run(cli.up),
        Some(Command::Up(args)) => commands::up::run(args),
        Some(Command::Api(flags)) => commands::up::run_service(flags),
        Some(Command::Notifications(flags)) => commands::up::run_service(flags),
        Some(Command::Analytics(flags)) => commands::up::run_service(flags),
        Some(Command::Web(flags)) => commands::up::run_service(flags),
        Some(Command::Load(args)) => commands::load::run(args),
        Some(Command::Verify(args)) => commands::verify::run(&args),
        Some(Command::Audit(args)) => commands::audit::run(args),
        Some(Command::Doctor(args)) => commands::doctor::run(args),
        Some(Command::Migrate(args)) => commands::migrate::run(args),
        Some(Command::Move(args)) => commands::moving::run(args),
        Some(Command::Config(args)) => commands::config::run(args),
        Some(Command::Openapi(args)) => commands::contracts::openapi(&args),
        Some(Command::Asyncapi(args)) => commands::contracts::asyncapi(&args),
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
