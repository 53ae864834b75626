//! Kinds of values and how each is read.

mod address;

use std::net::IpAddr;
use std::path::Path;
use std::time::Duration;

use souk_events::stream;
use tracing_subscriber::EnvFilter;

use crate::settings::secret::Secret;

/// What a setting's text has to be.
#[derive(Debug, Clone, Copy)]
pub enum Kind {
    Port,
    Address,
    Number {
        min: u64,
        max: u64,
    },
    /// A number, or `auto`.
    NumberOrAuto {
        min: u64,
        max: u64,
    },
    /// A number of bytes with an optional unit.
    Bytes {
        min: u64,
    },
    /// A number with a unit from `ms` to `d`.
    Duration {
        min_ms: u64,
    },
    /// `*`, or origins with commas between.
    Origins,
    OneOf(&'static [&'static str]),
    LogFilter,
    /// Where a service of souk is for browsers: http, or https where somebody in front speaks it.
    Url,
    /// Where the event stream is, in the same way; a URL without a path is completed.
    StreamUrl,
    /// Where a server is: http or https.
    Endpoint,
    /// Where Postgres is; may hold a password.
    DatabaseUrl,
    /// `host:port`, with commas between.
    Brokers,
    /// A name as Kafka, DynamoDB and S3 take them.
    Name {
        min: usize,
        max: usize,
        lower: bool,
    },
    Folder,
    /// A file that is there.
    File,
    Text,
}

/// A value that was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    Port(u16),
    Address(IpAddr),
    Number(u64),
    Auto,
    Duration(Duration),
    Text(String),
    Secret(Secret),
}

/// Why a text is not what it has to be, and what it could be instead.
#[derive(Debug, PartialEq, Eq)]
pub struct Misread {
    pub what: String,
    pub remedy: String,
}

fn misread<T>(what: impl Into<String>, remedy: impl Into<String>) -> Result<T, Misread> {
    Err(Misread { what: what.into(), remedy: remedy.into() })
}

impl Kind {
    /// Returns the placeholder in `--help`.
    pub fn placeholder(self) -> &'static str {
        match self {
            Self::Port => "PORT",
            Self::Address => "ADDRESS",
            Self::Number { .. } | Self::NumberOrAuto { .. } => "NUMBER",
            Self::Bytes { .. } => "BYTES",
            Self::Duration { .. } => "DURATION",
            Self::Origins => "ORIGINS",
            Self::OneOf(_) | Self::Text => "VALUE",
            Self::LogFilter => "FILTER",
            Self::Url | Self::StreamUrl | Self::Endpoint | Self::DatabaseUrl => "URL",
            Self::Brokers => "HOST:PORT,…",
            Self::Name { .. } => "NAME",
            Self::Folder => "DIR",
            Self::File => "FILE",
        }
    }

    /// Reads `text`.
    ///
    /// # Errors
    /// [`Misread`] says what is wrong and what would be right.
    pub fn parse(self, text: &str) -> Result<Value, Misread> {
        match self {
            Self::Port => match text.parse() {
                Ok(port) => Ok(Value::Port(port)),
                Err(_) => misread("is not a port", "give a number from 0 to 65535, 0 for any free port"),
            },
            Self::Address => match text.parse() {
                Ok(address) => Ok(Value::Address(address)),
                Err(_) => misread(
                    "is not an IP address",
                    "give 127.0.0.1 for this machine alone, 0.0.0.0 or :: for all, or one address of it",
                ),
            },
            Self::Number { min, max } => match text.parse() {
                Ok(number) if (min..=max).contains(&number) => Ok(Value::Number(number)),
                _ => misread("is not a number in range", format!("give a whole number from {min} to {max}")),
            },
            Self::NumberOrAuto { .. } if text == "auto" => Ok(Value::Auto),
            Self::NumberOrAuto { min, max } => match text.parse() {
                Ok(number) if (min..=max).contains(&number) => Ok(Value::Number(number)),
                _ => misread(
                    "is neither auto nor a number in range",
                    format!("give auto or a whole number from {min} to {max}"),
                ),
            },
            Self::Bytes { min } => parse_bytes(text, min),
            Self::Duration { min_ms } => parse_duration(text, min_ms),
            Self::Origins => match souk_http::Cors::parse(text) {
                Ok(_) => Ok(Value::Text(text.to_owned())),
                Err(why) => {
                    misread(why, "give * or origins such as https://shop.example, with commas between")
                }
            },
            Self::OneOf(allowed) => match allowed.iter().find(|value| value.eq_ignore_ascii_case(text)) {
                Some(value) => Ok(Value::Text((*value).to_owned())),
                None => misread("is not one of its values", format!("give {}", allowed.join(", "))),
            },
            Self::LogFilter => match EnvFilter::builder().parse(text) {
                Ok(_) if text.split(',').all(names_a_level) => Ok(Value::Text(text.to_owned())),
                _ => misread(
                    "is not a log filter",
                    "give error, warn, info, debug or trace, also by module: info,souk_api=debug",
                ),
            },
            Self::Url => match address::http(text) {
                Ok(()) => Ok(Value::Text(text.trim_end_matches('/').to_owned())),
                Err(why) => misread(why, "give a URL such as http://localhost:3000"),
            },
            Self::StreamUrl => match address::http(text) {
                Ok(()) => Ok(Value::Text(address::of_stream(text))),
                Err(why) => misread(why, format!("give a URL such as http://localhost:3001{}", stream::PATH)),
            },
            Self::Endpoint => match address::http(text) {
                Ok(()) => Ok(Value::Text(text.trim_end_matches('/').to_owned())),
                Err(why) => misread(why, "give a URL such as http://localhost:9000"),
            },
            Self::DatabaseUrl => match souk_postgres::PostgresConfig::parse(text) {
                Ok(_) => Ok(Value::Secret(Secret::new(text))),
                Err(why) => {
                    misread(why, "give a URL such as postgresql://postgres:password@localhost:5432/app")
                }
            },
            Self::Brokers => match address::brokers(text) {
                Ok(brokers) => Ok(Value::Text(brokers)),
                Err(why) => misread(why, "give host:port, with commas between, such as localhost:9092"),
            },
            Self::Name { min, max, lower } => parse_name(text, min, max, lower),
            Self::File if Path::new(text).is_file() => Ok(Value::Text(text.to_owned())),
            Self::File => misread("is not a file that can be read", "give the path of a file that is there"),
            Self::Folder | Self::Text => Ok(Value::Text(text.to_owned())),
        }
    }
}

/// The filter itself would take a misspelt level for the name of a module.
fn names_a_level(directive: &str) -> bool {
    let level = directive.rsplit('=').next().unwrap_or_default().trim().to_ascii_lowercase();
    ["off", "error", "warn", "info", "debug", "trace"].contains(&level.as_str())
}

fn parse_name(text: &str, min: usize, max: usize, lower: bool) -> Result<Value, Misread> {
    let fits = |c: char| {
        let letter = if lower { c.is_ascii_lowercase() } else { c.is_ascii_alphabetic() || c == '_' };
        letter || c.is_ascii_digit() || matches!(c, '.' | '-')
    };
    if (min..=max).contains(&text.len()) && text.chars().all(fits) && !matches!(text, "." | "..") {
        return Ok(Value::Text(text.to_owned()));
    }
    let of = if lower { "a-z0-9.-" } else { "A-Za-z0-9._-" };
    misread("is not a name that the server takes", format!("give {min} to {max} of {of}"))
}

fn split_unit(text: &str) -> Option<(u64, &str)> {
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    Some((text[..digits].parse().ok()?, text[digits..].trim_start()))
}

fn parse_bytes(text: &str, min: u64) -> Result<Value, Misread> {
    const REMEDY: &str =
        "give a number of bytes, with B, KiB, MiB, GiB, TiB, kB, MB, GB or TB after it if you like";
    let factor = |unit: &str| -> Option<u64> {
        Some(match unit {
            "" | "B" => 1,
            "KiB" => 1 << 10,
            "MiB" => 1 << 20,
            "GiB" => 1 << 30,
            "TiB" => 1 << 40,
            "kB" | "KB" => 1_000,
            "MB" => 1_000_000,
            "GB" => 1_000_000_000,
            "TB" => 1_000_000_000_000,
            _ => return None,
        })
    };
    let bytes = split_unit(text)
        .and_then(|(number, unit)| number.checked_mul(factor(unit)?))
        // SQLite and the kernel count in signed 64 bits.
        .filter(|bytes| i64::try_from(*bytes).is_ok());
    match bytes {
        Some(bytes) if bytes >= min => Ok(Value::Number(bytes)),
        Some(_) => misread("is too small to work with", format!("give at least {min} bytes")),
        None => misread("is not a number of bytes", REMEDY),
    }
}

/// Longer is the same as for ever, and would overflow what is computed with it.
const LONGEST_MS: u64 = 36_500 * 86_400_000;

fn parse_duration(text: &str, min_ms: u64) -> Result<Value, Misread> {
    const REMEDY: &str = "give a number with a unit: 250ms, 30s, 15m, 36h or 7d";
    let factor = |unit: &str| -> Option<u64> {
        Some(match unit {
            "ms" => 1,
            "s" => 1_000,
            "m" => 60_000,
            "h" => 3_600_000,
            "d" => 86_400_000,
            _ => return None,
        })
    };
    match split_unit(text) {
        Some((number, "")) => {
            misread("has no unit", format!("write {number}s if seconds are meant; {REMEDY}"))
        }
        Some((number, unit)) => match factor(unit).and_then(|factor| number.checked_mul(factor)) {
            Some(ms) if ms < min_ms => misread(
                "is too short",
                format!("give at least {}", show_duration(Duration::from_millis(min_ms))),
            ),
            Some(ms) if ms > LONGEST_MS => misread("is too long", "give at most 36500d"),
            Some(ms) => Ok(Value::Duration(Duration::from_millis(ms))),
            None => misread("is not a duration", REMEDY),
        },
        None => misread("is not a duration", REMEDY),
    }
}

/// Reads a duration of the command line.
///
/// # Errors
/// What is wrong with it, and the remedy.
pub fn duration(text: &str) -> Result<Duration, String> {
    match parse_duration(text, 1) {
        Ok(Value::Duration(duration)) => Ok(duration),
        Ok(_) => unreachable!("a duration is read as one"),
        Err(Misread { what, remedy }) => Err(format!("{what}; {remedy}")),
    }
}

/// Writes a duration as a setting would have it.
pub fn show_duration(duration: Duration) -> String {
    let ms = duration.as_millis();
    for (unit, factor) in [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000)] {
        if ms > 0 && ms.is_multiple_of(factor) {
            return format!("{}{unit}", ms / factor);
        }
    }
    format!("{ms}ms")
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANY: Kind = Kind::Duration { min_ms: 1_000 };

    #[test]
    fn reads_durations() {
        for (text, seconds) in [("7d", 604_800), ("36h", 129_600), ("15m", 900), ("30s", 30), ("2500ms", 2)] {
            let Ok(Value::Duration(duration)) = ANY.parse(text) else { panic!("{text}") };
            assert_eq!(duration.as_secs(), seconds, "{text}");
            assert_eq!(ANY.parse(&show_duration(duration)), ANY.parse(text));
        }
    }

    #[test]
    fn refuses_durations_that_could_be_misunderstood() {
        for text in
            ["", "0d", "7", "-1s", "1.5h", "7 days", "999ms", "99999999999999999999d", "1000000d", "d"]
        {
            assert!(ANY.parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn completes_the_address_of_the_stream() {
        for (text, url) in [
            ("http://localhost:3001", "http://localhost:3001/events/stream"),
            ("https://shop.example/", "https://shop.example/events/stream"),
            ("https://shop.example/live/", "https://shop.example/live"),
        ] {
            assert_eq!(Kind::StreamUrl.parse(text), Ok(Value::Text(url.to_owned())), "{text}");
        }
        assert!(Kind::StreamUrl.parse("localhost:3001").is_err());
    }

    #[test]
    fn reads_bytes() {
        let kind = Kind::Bytes { min: 1024 };
        assert_eq!(kind.parse("20GiB"), Ok(Value::Number(20 << 30)));
        assert_eq!(kind.parse("5 MB"), Ok(Value::Number(5_000_000)));
        for text in ["1023", "-5", "5X", "99999999TiB", "GiB", ""] {
            assert!(kind.parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_misspelt_log_level_is_no_module() {
        for text in ["info", "WARN", "info,souk_api=debug", "souk_api=trace,off"] {
            assert!(Kind::LogFilter.parse(text).is_ok(), "{text}");
        }
        for text in ["", "inof", "info,", "souk_api", "souk_api=loud"] {
            assert!(Kind::LogFilter.parse(text).is_err(), "{text}");
        }
    }
}
