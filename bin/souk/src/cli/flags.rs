//! A flag for each setting, made from the table of settings.

use std::collections::BTreeMap;
use std::marker::PhantomData;
use std::path::PathBuf;

use clap::error::Error;
use clap::{Arg, ArgMatches, Args, Command, FromArgMatches, value_parser};

use crate::settings::table::{SETTINGS, Setting};
use crate::settings::{Flag, Role};

/// Flags for every setting that a role reads, as they were given.
#[derive(Debug)]
pub struct SettingFlags<R> {
    pub env_file: Option<PathBuf>,
    pub values: BTreeMap<&'static str, Flag>,
    role: PhantomData<R>,
}

/// Whose settings become flags.
pub trait HasSettings {
    const ROLE: Role;
}

macro_rules! roles {
    ($($(#[$doc:meta])* $name:ident: $role:ident, $flags:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Debug)]
        pub struct $name;

        impl HasSettings for $name {
            const ROLE: Role = Role::$role;
        }

        $(#[$doc])*
        pub type $flags = SettingFlags<$name>;
    )*};
}

roles! {
    /// Those of `souk up`.
    OfUp: Up, UpSettings;
    /// Those of `souk api`.
    OfApi: Api, ApiSettings;
    /// Those of `souk notifications`.
    OfNotifications: Notifications, NotificationsSettings;
    /// Those of `souk analytics`.
    OfAnalytics: Analytics, AnalyticsSettings;
    /// Those of `souk web`.
    OfWeb: Web, WebSettings;
    /// Those that say which installation is meant.
    OfStores: Stores, StoreSettings;
    /// Those of `souk migrate`.
    OfMigrate: Migrate, MigrateSettings;
    /// Those of `souk move`.
    OfMove: Move, MoveSettings;
    /// All.
    OfConfig: Config, AllSettings;
}

fn settings(role: Role) -> impl Iterator<Item = &'static Setting> {
    // What nobody reads yet is no flag.
    SETTINGS.iter().filter(move |setting| setting.is_read_by(role) && !setting.readers.is_empty())
}

fn help(setting: &Setting, role: Role) -> String {
    let mut help = format!("{} [setting: {}]", setting.help, setting.name);
    if let Some(default) = setting.default_for(role) {
        help.push_str(&format!(" [default: {default}]"));
    }
    help
}

impl<R: HasSettings> Args for SettingFlags<R> {
    fn augment_args(command: Command) -> Command {
        let command = command.arg(
            Arg::new("env-file")
                .long("env-file")
                .value_name("FILE")
                .value_parser(value_parser!(PathBuf))
                .help("Reads settings from this file in place of ./.env"),
        );
        settings(R::ROLE).fold(command, |command, setting| {
            let mut flag = Arg::new(setting.name).long(setting.flag()).value_name(setting.kind.placeholder());
            flag = flag.help(help(setting, R::ROLE));
            let command = command.arg(flag);
            let (Some(name), Some(flag)) = (setting.file, setting.file_flag()) else { return command };
            let help = format!("File that holds it [setting: {name}]");
            command.arg(Arg::new(name).long(flag).value_name("FILE").help(help))
        })
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl<R: HasSettings> FromArgMatches for SettingFlags<R> {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, Error> {
        let mut values = BTreeMap::new();
        for setting in settings(R::ROLE) {
            let flags = [Some((setting.name, setting.flag())), setting.file.zip(setting.file_flag())];
            for (name, flag) in flags.into_iter().flatten() {
                if let Some(value) = matches.get_one::<String>(name) {
                    values.insert(name, Flag { name: flag.to_owned(), value: value.clone() });
                }
            }
        }
        Ok(Self { env_file: matches.get_one::<PathBuf>("env-file").cloned(), values, role: PhantomData })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}
