//! `souk help --help` asks for what `souk help` shows.

use std::ffi::OsString;

use clap::CommandFactory as _;

use super::Cli;

/// Returns the arguments without a `--help` behind `help`, which clap takes for the name of a command that there is none of.
pub fn asked(args: impl IntoIterator<Item = OsString>) -> Vec<OsString> {
    let args: Vec<OsString> = args.into_iter().collect();
    let mut command = Cli::command();
    // A value of a flag may be called `help`, too: before the command there are names of commands alone.
    for at in 1..args.len() {
        if args[at] == "help" {
            let (mut kept, rest) = (args[..=at].to_vec(), &args[at + 1..]);
            kept.extend(rest.iter().filter(|arg| *arg != "--help" && *arg != "-h").cloned());
            return kept;
        }
        match command.find_subcommand(&args[at]).cloned() {
            Some(below) => command = below,
            None => break,
        }
    }
    args
}
