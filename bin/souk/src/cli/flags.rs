//! A flag for each setting, made from the table of settings.

use std::collections::BTreeMap;
use std::path::PathBuf;

use clap::error::Error;
use clap::{Arg, ArgMatches, Args, Command, FromArgMatches, value_parser};

use crate::settings::Flag;
use crate::settings::table::{SETTINGS, Setting, UsedBy};

/// Flags for every setting of `souk up`.
#[derive(Debug, Default)]
pub struct UpFlags(pub SettingFlags);

/// Flags that say which installation is meant.
#[derive(Debug, Default)]
pub struct InstallationFlags(pub SettingFlags);

/// The flags that were given.
#[derive(Debug, Default)]
pub struct SettingFlags {
    pub env_file: Option<PathBuf>,
    pub values: BTreeMap<&'static str, Flag>,
}

fn settings_of_up() -> impl Iterator<Item = &'static Setting> {
    SETTINGS.iter().filter(|setting| setting.used_by == UsedBy::Up)
}

fn settings_of_installation() -> impl Iterator<Item = &'static Setting> {
    SETTINGS.iter().filter(|setting| setting.name == "DATA_DIR")
}

fn augment(command: Command, settings: impl Iterator<Item = &'static Setting>) -> Command {
    let command = command.arg(
        Arg::new("env-file")
            .long("env-file")
            .value_name("FILE")
            .value_parser(value_parser!(PathBuf))
            .help("Reads settings from this file in place of ./.env"),
    );
    settings.fold(command, |command, setting| {
        let mut help = format!("{} [setting: {}]", setting.help, setting.name);
        if let Some(default) = setting.default {
            help.push_str(&format!(" [default: {default}]"));
        }
        command.arg(
            Arg::new(setting.name).long(setting.flag()).value_name(setting.kind.placeholder()).help(help),
        )
    })
}

fn collect(matches: &ArgMatches, settings: impl Iterator<Item = &'static Setting>) -> SettingFlags {
    let values = settings.filter_map(|setting| {
        let value = matches.get_one::<String>(setting.name)?.clone();
        Some((setting.name, Flag { name: setting.flag().to_owned(), value }))
    });
    SettingFlags { env_file: matches.get_one::<PathBuf>("env-file").cloned(), values: values.collect() }
}

impl FromArgMatches for UpFlags {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, Error> {
        Ok(Self(collect(matches, settings_of_up())))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

impl Args for UpFlags {
    fn augment_args(command: Command) -> Command {
        augment(command, settings_of_up())
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for InstallationFlags {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, Error> {
        Ok(Self(collect(matches, settings_of_installation())))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

impl Args for InstallationFlags {
    fn augment_args(command: Command) -> Command {
        augment(command, settings_of_installation())
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}
