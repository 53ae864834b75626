//! Finds names that are meant to be ours but are not written so.

use strsim::damerau_levenshtein;

use crate::settings::table;

/// Names that come close to one of ours, but are common names of other programs.
const FOREIGN: &[&str] =
    &["APP_PORT", "API_HOST", "API_PORTS", "DATABASE_URI", "DATA_DIRS", "INTERNAL_APP_URL", "WEB_PORTS"];

/// A shorter name is close to too many others.
const SHORTEST: usize = 8;

/// Two slips in a name of eight or nine characters make another word (`API_ROOT`, `WEB_HOST`); one is allowed there.
const LONG: usize = 10;

/// Returns the setting that `name` is a misspelling of, when it looks like one.
pub fn meant(name: &str) -> Option<&'static str> {
    let plain = name.to_ascii_uppercase().replace('-', "_");
    if table::find(name).is_some() || FOREIGN.contains(&plain.as_str()) {
        return None;
    }
    table::names()
        .filter(|ours| ours.len() >= SHORTEST || *ours == plain)
        .map(|ours| (damerau_levenshtein(&plain, ours), ours))
        .filter(|(distance, ours)| {
            let allowed = if ours.len() >= LONG && plain.len() >= LONG { 2 } else { 1 };
            *distance == 0 || plain.len() >= SHORTEST && *distance <= allowed
        })
        .min()
        .map(|(_, ours)| ours)
}

#[cfg(test)]
mod tests {
    use super::meant;

    #[test]
    fn notices_slips() {
        for (name, ours) in [
            ("LOW_STOCK_TRESHOLD", "LOW_STOCK_THRESHOLD"),
            ("LOWSTOCK_THRESHHOLD", "LOW_STOCK_THRESHOLD"),
            ("DATABSE_URL", "DATABASE_URL"),
            ("KAFKA_BROKER", "KAFKA_BROKERS"),
            ("NOTIFICATION_PORT", "NOTIFICATIONS_PORT"),
            ("API_PROT", "API_PORT"),
            ("data_dir", "DATA_DIR"),
            ("BIND-ADDRESS", "BIND_ADDRESS"),
            ("api_url", "API_URL"),
            ("KAFKA_SASL_PASWORD_FILE", "KAFKA_SASL_PASSWORD_FILE"),
            ("AGGREGATE_TABLE_NAME", "AGGREGATES_TABLE_NAME"),
        ] {
            assert_eq!(meant(name), Some(ours), "{name}");
        }
    }

    #[test]
    fn lets_others_be() {
        for name in [
            "API_PORT",
            "AWS_REGION",
            "AWS_PROFILE",
            "AWS_VERSION",
            "AWS_DEFAULT_REGION",
            "KAFKA_PORT",
            "HOSTNAME",
            "PORTS",
            "PATH",
            "PORT",
            "APP_PORT",
            "APP_URL",
            "API_HOST",
            "API_ROOT",
            "API_KEY",
            "WEB_HOST",
            "WEB_ROOT",
            "DATABASE_URI",
            "DATABASE_NAME",
            "XDG_DATA_DIRS",
            "BASE_DIR",
            "LOG_FILE",
            "LOG_PATH",
            "RUST_LOG",
            "KAFKA_HOST",
            "MINIO_ROOT_USER",
            "REDIS_URL",
            "SSH_PORT",
            "CARGO_HOME",
            "TERM_PROGRAM",
            "AWS_SESSION_TOKEN",
            "HTTP_PORT",
        ] {
            assert_eq!(meant(name), None, "{name}");
        }
    }
}
