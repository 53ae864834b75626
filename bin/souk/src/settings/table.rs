//! The table of settings: the one place that knows a setting's name, kind, default and meaning.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use crate::settings::value::Kind;

/// A setting.
#[derive(Debug)]
pub struct Setting {
    /// The name in the environment and in `.env`; the flag is the same in kebab case.
    pub name: &'static str,
    pub kind: Kind,
    /// `None`: without a value, it is off or derived, as `help` says.
    pub default: Option<&'static str>,
    pub help: &'static str,
    /// Never shown.
    pub secret: bool,
    pub used_by: UsedBy,
}

/// Who reads a setting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UsedBy {
    /// `souk up`, and what looks at its data.
    Up,
    /// What talks to running services, such as `souk load`.
    Clients,
    /// The services one by one, or the dashboard: known, so that a shared `.env` serves every version; not read here.
    Later,
}

const fn up(name: &'static str, kind: Kind, default: Option<&'static str>, help: &'static str) -> Setting {
    Setting { name, kind, default, help, secret: false, used_by: UsedBy::Up }
}

const fn client(name: &'static str, help: &'static str) -> Setting {
    Setting { name, kind: Kind::Url, default: None, help, secret: false, used_by: UsedBy::Clients }
}

const fn later(name: &'static str, kind: Kind, help: &'static str) -> Setting {
    Setting { name, kind, default: None, help, secret: false, used_by: UsedBy::Later }
}

const fn secret(name: &'static str, help: &'static str) -> Setting {
    Setting { name, kind: Kind::Text, default: None, help, secret: true, used_by: UsedBy::Later }
}

/// Every setting, in the order in which `souk config` shows them.
pub const SETTINGS: &[Setting] = &[
    up("API_PORT", Kind::Port, Some("3000"), "Port of the api; 0 takes a free one"),
    up("NOTIFICATIONS_PORT", Kind::Port, Some("3001"), "Port of the event stream; 0 takes a free one"),
    up("HEALTH_PORT", Kind::Port, Some("8080"), "Port of analytics; 0 takes a free one"),
    up(
        "BIND_ADDRESS",
        Kind::Address,
        Some("127.0.0.1"),
        "Address that the services listen on; 0.0.0.0 lets other machines in",
    ),
    up("DATA_DIR", Kind::Folder, Some("./souk-data"), "Folder of the databases and the archive"),
    up(
        "DATA_MAX_BYTES",
        // A new catalog with its indexes, and room to write in.
        Kind::Bytes { min: 1 << 20 },
        None,
        "Most that the catalog's file may grow to, such as 20GiB; without it, the disk is the limit",
    ),
    up(
        "LOW_STOCK_THRESHOLD",
        Kind::Number { min: 0, max: 1_000_000_000 },
        Some("5"),
        "Stock below which a product is low, unless it has a threshold of its own",
    ),
    up(
        "CORS_ALLOWED_ORIGINS",
        Kind::Origins,
        Some("*"),
        "Origins whose pages may call the services, with commas between",
    ),
    up(
        "RECENT_EVENTS_RETENTION",
        Kind::Duration { min_ms: 1_000 },
        Some("7d"),
        "How long `GET /events` of analytics reaches back; the log holds events at least as long",
    ),
    up(
        "LOG_RETENTION",
        Kind::Duration { min_ms: 1_000 },
        Some("7d"),
        "How long a reader of the stream can come back to; older events are in the archive",
    ),
    up(
        "ARCHIVE_MAX_AGE",
        Kind::Duration { min_ms: 1_000 },
        Some("5m"),
        "How long an event waits at most before it is in an archived file",
    ),
    up(
        "STREAM_RING_BYTES",
        // One event at its largest has to fit several times.
        Kind::Bytes { min: 1 << 20 },
        Some("32MiB"),
        "Memory for the events that live readers are served from; slower ones are served from the log",
    ),
    up(
        "MAX_CONNECTIONS",
        Kind::NumberOrAuto { min: 16, max: 1_000_000 },
        Some("auto"),
        "Most connections over all services; auto: what the limit of open files allows, at most 65,536",
    ),
    up(
        "DRAIN_TIMEOUT",
        Kind::Duration { min_ms: 0 },
        Some("10s"),
        "How long requests in flight may take to end after the first Ctrl-C or SIGTERM",
    ),
    up(
        "LOG_FORMAT",
        Kind::OneOf(&["auto", "text", "json"]),
        Some("auto"),
        "auto, text or json; auto is text on a terminal and JSON otherwise",
    ),
    up(
        "LOG_LEVEL",
        Kind::LogFilter,
        Some("info"),
        "error, warn, info, debug or trace, also by module: info,souk_api=debug",
    ),
    client("API_URL", "Where the api is; without it, on this machine at API_PORT"),
    client("SSE_URL", "Where the event stream is; without it, on this machine at NOTIFICATIONS_PORT"),
    client("ANALYTICS_URL", "Where analytics is; without it, on this machine at HEALTH_PORT"),
    later("WEB_PORT", Kind::Port, "Port of the dashboard"),
    later("PORT", Kind::Port, "Port of a service that runs on its own"),
    later("DATABASE_URL", Kind::Text, "Postgres of the distributed engines"),
    later("KAFKA_BROKERS", Kind::Text, "Kafka of the distributed engines"),
    later("KAFKA_CLIENT_ID", Kind::Text, "Name under which a service is known to Kafka"),
    later("KAFKA_TRANSACTIONAL_ID", Kind::Text, "Name of the api's Kafka transactions"),
    later("DYNAMO_ENDPOINT", Kind::Text, "DynamoDB of the distributed engines"),
    later("AWS_ACCESS_KEY_ID", Kind::Text, "Key for DynamoDB"),
    secret("AWS_SECRET_ACCESS_KEY", "Secret for DynamoDB"),
    later("RECENT_EVENTS_TABLE_NAME", Kind::Text, "DynamoDB table of the recent events"),
    later("MINIO_ENDPOINT", Kind::Text, "S3 or MinIO of the distributed engines"),
    later("MINIO_ACCESS_KEY", Kind::Text, "Key for S3 or MinIO"),
    secret("MINIO_SECRET_KEY", "Secret for S3 or MinIO"),
    later("ARCHIVE_BUCKET_NAME", Kind::Text, "Bucket of the archive"),
];

/// Returns the setting of that name.
pub fn find(name: &str) -> Option<&'static Setting> {
    SETTINGS.iter().find(|setting| setting.name == name)
}

impl Setting {
    /// Returns the setting's flag, without its dashes.
    pub fn flag(&self) -> &'static str {
        static FLAGS: LazyLock<BTreeMap<&'static str, String>> = LazyLock::new(|| {
            SETTINGS.iter().map(|s| (s.name, s.name.to_ascii_lowercase().replace('_', "-"))).collect()
        });
        &FLAGS[self.name]
    }
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
        let mut names = std::collections::BTreeSet::new();
        for setting in SETTINGS {
            assert!(names.insert(setting.name), "{} is there twice", setting.name);
            if let Some(default) = setting.default {
                setting.kind.parse(default).unwrap_or_else(|fault| panic!("{}: {fault:?}", setting.name));
            }
        }
    }

    #[test]
    fn names_the_successor_of_older_settings() {
        assert!(older("KAFKA_PRODUCT_TOPIC").is_some());
        assert!(older("REDIS_URL").is_some());
        assert!(older("KAFKA_BROKERS").is_none());
    }
}
