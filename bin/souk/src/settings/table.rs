//! The table of settings: the one place that knows a setting's name, kind, default, meaning and readers.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use crate::settings::role::Role;
use crate::settings::value::Kind;

mod rows;

pub use rows::SETTINGS;

/// A setting.
#[derive(Debug)]
pub struct Setting {
    /// The name in the environment and in `.env`; the flag is the same in kebab case.
    pub name: &'static str,
    pub kind: Kind,
    /// `None`: without a value, it is off or derived, as `help` says.
    default: Option<&'static str>,
    /// Defaults that differ between readers.
    pub defaults: &'static [(Role, &'static str)],
    pub help: &'static str,
    /// Never shown.
    pub secret: bool,
    /// The flags of value and file, where they are not the names in kebab case.
    flags: Option<(&'static str, &'static str)>,
    /// The setting that names a file with the value in it, so that secrets can stay out of environments.
    pub file: Option<&'static str>,
    /// Who reads it; nobody: known to other versions.
    pub readers: &'static [Role],
}

const fn setting(name: &'static str, kind: Kind, readers: &'static [Role], help: &'static str) -> Setting {
    Setting {
        name,
        kind,
        default: None,
        defaults: &[],
        help,
        secret: false,
        flags: None,
        file: None,
        readers,
    }
}

impl Setting {
    const fn default(mut self, default: &'static str) -> Self {
        self.default = Some(default);
        self
    }

    const fn default_of(mut self, defaults: &'static [(Role, &'static str)]) -> Self {
        self.defaults = defaults;
        self
    }

    const fn secret(mut self) -> Self {
        self.secret = true;
        self
    }

    const fn called(mut self, flag: &'static str, file_flag: &'static str) -> Self {
        self.flags = Some((flag, file_flag));
        self
    }

    const fn or_file(mut self, name: &'static str) -> Self {
        self.file = Some(name);
        self
    }

    /// Returns what holds for `role` where nothing is given.
    pub fn default_for(&self, role: Role) -> Option<&'static str> {
        let own = self.defaults.iter().find(|(of, _)| *of == role.reader());
        own.map(|(_, default)| *default).or(self.default)
    }

    /// Tells whether `role` reads the setting.
    pub fn is_read_by(&self, role: Role) -> bool {
        match role {
            Role::Config => true,
            // One port serves all.
            Role::Monolith if ["NOTIFICATIONS_PORT", "HEALTH_PORT", "WEB_PORT"].contains(&self.name) => false,
            role => self.readers.contains(&role) || self.readers.contains(&role.reader()),
        }
    }

    /// Returns the flag of the setting, without its dashes.
    pub fn flag(&self) -> &'static str {
        self.flags.map_or_else(|| flag(self.name), |(own, _)| own)
    }

    /// Returns the flag of the setting's file, without its dashes.
    pub fn file_flag(&self) -> Option<&'static str> {
        self.file.map(|file| self.flags.map_or_else(|| flag(file), |(_, own)| own))
    }
}

fn flag(name: &'static str) -> &'static str {
    static FLAGS: LazyLock<BTreeMap<&'static str, String>> =
        LazyLock::new(|| names().map(|name| (name, name.to_ascii_lowercase().replace('_', "-"))).collect());
    &FLAGS[name]
}

/// Returns every name that is ours, those of files included.
pub fn names() -> impl Iterator<Item = &'static str> {
    SETTINGS.iter().flat_map(|setting| [Some(setting.name), setting.file]).flatten()
}

/// Returns the setting of that name, or whose file has it.
pub fn find(name: &str) -> Option<&'static Setting> {
    SETTINGS.iter().find(|setting| setting.name == name || setting.file == Some(name))
}

/// Settings of the system that souk replaces, and what took their place. A name that ends in `_` stands for all
/// that begin with it.
pub const OLDER: &[(&str, &str)] = &[
    ("ENABLE_ANALYTICS", "analytics is a service of its own now and always runs with `souk up`"),
    ("KAFKA_ANALYSIS_SERVICE_CLIENT_ID", "KAFKA_CLIENT_ID of the analytics service took its place"),
    ("KAFKA_PRODUCT_", "the one topic `product-events` and KAFKA_CLIENT_ID of each service took its place"),
    ("REDIS_URL", "the event log took its place: readers of the stream resume from it"),
];

/// Returns what took the place of an older system's setting.
pub fn older(name: &str) -> Option<&'static str> {
    OLDER
        .iter()
        .find(|(old, _)| if old.ends_with('_') { name.starts_with(old) } else { name == *old })
        .map(|(_, successor)| *successor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_defaults_are_valid() {
        let mut seen = std::collections::BTreeSet::new();
        for name in names() {
            assert!(seen.insert(name), "{name} is there twice");
        }
        for setting in SETTINGS {
            let defaults = setting.defaults.iter().map(|(_, default)| *default).chain(setting.default);
            for default in defaults {
                setting.kind.parse(default).unwrap_or_else(|fault| panic!("{}: {fault:?}", setting.name));
            }
            for (role, _) in setting.defaults {
                assert!(setting.readers.contains(role), "{} has a default for nobody", setting.name);
            }
        }
    }

    #[test]
    fn each_service_reads_what_its_users_were_promised() {
        let promised: [(Role, &[&str]); 4] = [
            (
                Role::Api,
                &[
                    "DATABASE_URL",
                    "KAFKA_BROKERS",
                    "KAFKA_CLIENT_ID",
                    "KAFKA_TRANSACTIONAL_ID",
                    "LOW_STOCK_THRESHOLD",
                    "PORT",
                ],
            ),
            (
                Role::Analytics,
                &[
                    "KAFKA_BROKERS",
                    "KAFKA_CLIENT_ID",
                    "DYNAMO_ENDPOINT",
                    "AWS_ACCESS_KEY_ID",
                    "AWS_SECRET_ACCESS_KEY",
                    "RECENT_EVENTS_TABLE_NAME",
                    "MINIO_ENDPOINT",
                    "MINIO_ACCESS_KEY",
                    "MINIO_SECRET_KEY",
                    "ARCHIVE_BUCKET_NAME",
                    "HEALTH_PORT",
                ],
            ),
            (Role::Notifications, &["KAFKA_BROKERS", "KAFKA_CLIENT_ID", "PORT"]),
            (Role::Web, &["WEB_PORT", "API_URL", "SSE_URL", "ANALYTICS_URL"]),
        ];
        for (role, names) in promised {
            for name in names {
                let setting = find(name).unwrap_or_else(|| panic!("{name} is gone"));
                assert!(setting.is_read_by(role), "{role:?} does not read {name}");
            }
        }
        let default = |name, role| find(name).and_then(|setting| setting.default_for(role));
        assert_eq!(default("PORT", Role::Api), Some("3000"));
        assert_eq!(default("PORT", Role::Notifications), Some("3001"));
        assert_eq!(default("KAFKA_CLIENT_ID", Role::Api), Some("api-service"));
        assert_eq!(default("KAFKA_CLIENT_ID", Role::Notifications), Some("notifications-service"));
        assert_eq!(default("KAFKA_CLIENT_ID", Role::Analytics), Some("analytics-service"));
        assert_eq!(default("KAFKA_TRANSACTIONAL_ID", Role::Api), Some("api-service-transaction"));
    }

    #[test]
    fn secrets_can_come_from_files() {
        for setting in SETTINGS {
            assert!(!setting.secret || setting.file.is_some(), "{} has no file", setting.name);
        }
    }

    #[test]
    fn names_the_successor_of_older_settings() {
        assert!(older("KAFKA_PRODUCT_TOPIC").is_some());
        assert!(older("REDIS_URL").is_some());
        assert!(older("KAFKA_BROKERS").is_none());
    }
}
