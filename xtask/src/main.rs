//! What a developer runs: `cargo xtask <command>`.
//!
//! To add a command: a module with `Args` and `run`, a variant of [`Command`], a line in the README.

use std::process::ExitCode;

use clap::{Parser, Subcommand};

mod bench;
mod cargo;
mod drill;
mod interrupt;
mod services;
mod test;

#[derive(Parser)]
#[command(
    name = "cargo xtask",
    about = "What a developer of souk runs",
    version,
    disable_version_flag = true
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Test(test::Args),
    Services(services::Args),
    Bench(bench::Args),
    MigrationDrill(drill::Args),
}

fn main() -> ExitCode {
    let outcome = match Cli::parse().command {
        Command::Test(args) => test::run(&args),
        Command::Services(args) => services::run(&args),
        Command::Bench(args) => bench::run(&args),
        Command::MigrationDrill(args) => drill::run(&args),
    };
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error:#}");
            // What a command needs is missing, as `souk` itself would say it.
            ExitCode::from(3)
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    #[test]
    fn the_command_line_is_sound() {
        super::Cli::command().debug_assert();
    }
}
