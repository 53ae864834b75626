//! What no setting shows alone: values that contradict each other, or that a service cannot be without.

use std::collections::BTreeMap;

use crate::settings::fault::Fault;
use crate::settings::resolve::{Resolved, Source};
use crate::settings::role::Role;
use crate::settings::table::find;
use crate::settings::value::Value;

type Resolutions = BTreeMap<&'static str, Resolved>;

/// Adds a fault for each contradiction.
pub fn contradictions(resolved: &Resolutions, role: Role, faults: &mut Vec<Fault>) {
    match role {
        Role::Clients | Role::Web | Role::Config => return,
        Role::Up => {
            ports(resolved, faults);
            backend(resolved, faults);
        }
        Role::Monolith => backend(resolved, faults),
        Role::Stores | Role::Migrate => {
            backend(resolved, faults);
            one_installation(resolved, faults);
        }
        Role::Api | Role::Move => {
            needed(
                resolved,
                role,
                "DATABASE_URL",
                "postgresql://postgres:password@localhost:5432/app",
                faults,
            );
            needed(resolved, role, "KAFKA_BROKERS", "localhost:9092", faults);
        }
        Role::Notifications | Role::Analytics => {
            needed(resolved, role, "KAFKA_BROKERS", "localhost:9092", faults);
        }
    }
    sasl(resolved, role, faults);
    pair(resolved, role, "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", faults);
    token(resolved, role, faults);
    pair(resolved, role, "MINIO_ACCESS_KEY", "MINIO_SECRET_KEY", faults);
}

/// Says what is odd but no fault.
pub fn oddities(resolved: &Resolutions, role: Role, warnings: &mut Vec<String>) {
    if matches!(role, Role::Up | Role::Monolith | Role::Config) && resolved["PORT"].is_given() {
        warnings.push(
            "PORT is read by services that run on their own; `souk up` takes API_PORT, NOTIFICATIONS_PORT, \
             HEALTH_PORT and WEB_PORT"
                .to_owned(),
        );
    }
    let client = &resolved["KAFKA_CLIENT_ID"];
    let is_a_default =
        || client.setting.defaults.iter().any(|(_, name)| client.shown.as_deref() == Some(name));
    if matches!(role, Role::Up | Role::Monolith | Role::Stores | Role::Migrate | Role::Move)
        && client.is_given()
        && !is_a_default()
    {
        warnings.push(format!(
            "{} is read by services that run on their own; `souk {}` takes ANALYTICS_CLIENT_ID for analytics' consumer \
             groups",
            client.subject(),
            role.name()
        ));
    }
}

/// Tells whether the settings ask for the distributed engines.
pub fn is_distributed(resolved: &Resolutions, role: Role) -> bool {
    role != Role::Web
        && (role.is_service() || resolved["DATABASE_URL"].is_given() && resolved["KAFKA_BROKERS"].is_given())
}

/// No two services share a port; 0 is never shared.
fn ports(resolved: &Resolutions, faults: &mut Vec<Fault>) {
    const NAMES: [&str; 4] = ["API_PORT", "NOTIFICATIONS_PORT", "HEALTH_PORT", "WEB_PORT"];
    for (at, name) in NAMES.iter().enumerate() {
        let Some(Value::Port(port @ 1..)) = resolved[name].value else { continue };
        for earlier in &NAMES[..at] {
            if resolved[earlier].value == Some(Value::Port(port)) {
                faults.push(Fault {
                    subject: format!("{} and {}", resolved[earlier].subject(), resolved[name].subject()),
                    what: "are the same port".to_owned(),
                    remedy: format!("give one of {earlier} and {name} another port, or 0 for any free one"),
                });
            }
        }
    }
}

/// The distributed engines need both of their addresses.
fn backend(resolved: &Resolutions, faults: &mut Vec<Fault>) {
    let (database, brokers) = (&resolved["DATABASE_URL"], &resolved["KAFKA_BROKERS"]);
    match (database.is_given(), brokers.is_given()) {
        (true, false) => faults.push(half(database, "KAFKA_BROKERS", "localhost:9092")),
        (false, true) => {
            faults.push(half(brokers, "DATABASE_URL", "postgresql://postgres:password@localhost:5432/app"));
        }
        (true, true) | (false, false) => {}
    }
}

fn half(given: &Resolved, missing: &str, example: &str) -> Fault {
    let name = given.setting.name;
    Fault {
        subject: given.subject(),
        what: format!("is set and {missing} is not: the distributed engines need both"),
        remedy: format!(
            "set {missing} too, such as {example}, or unset {name} to run on the embedded engines"
        ),
    }
}

/// A folder that was named on the command line and servers that were set elsewhere are two installations.
fn one_installation(resolved: &Resolutions, faults: &mut Vec<Fault>) {
    let folder = &resolved["DATA_DIR"];
    if matches!(folder.source, Source::Flag(_)) && is_distributed(resolved, Role::Stores) {
        faults.push(Fault {
            subject: format!("{} and {}", folder.subject(), resolved["DATABASE_URL"].subject()),
            what: "name two installations".to_owned(),
            remedy: "leave --data-dir out to look at the servers, or unset DATABASE_URL and KAFKA_BROKERS to look at \
                     the folder"
                .to_owned(),
        });
    }
}

fn needed(resolved: &Resolutions, role: Role, name: &str, example: &str, faults: &mut Vec<Fault>) {
    let setting = &resolved[name];
    // A file that could not be read has its own fault.
    if setting.source == Source::Default {
        let file = find(name).and_then(|setting| setting.file);
        let or_file = file.map(|file| format!(", or {file}")).unwrap_or_default();
        faults.push(Fault {
            subject: name.to_owned(),
            what: format!("is not set, and `souk {}` runs on the distributed engines alone", role.name()),
            remedy: format!("set it, such as {name}={example}{or_file}; `souk up` needs no servers at all"),
        });
    }
}

/// A user for Kafka needs a password and a protocol that logs in, and the other way round.
fn sasl(resolved: &Resolutions, role: Role, faults: &mut Vec<Fault>) {
    let protocol = &resolved["KAFKA_SECURITY_PROTOCOL"];
    if !protocol.setting.is_read_by(role) {
        return;
    }
    let (user, password) = (&resolved["KAFKA_SASL_USERNAME"], &resolved["KAFKA_SASL_PASSWORD"]);
    let logs_in = matches!(&protocol.value, Some(Value::Text(protocol)) if protocol.starts_with("SASL_"));
    for setting in [user, password] {
        let name = setting.setting.name;
        if logs_in && setting.source == Source::Default {
            faults.push(Fault {
                subject: protocol.subject(),
                what: format!("logs in, and {name} is not set"),
                remedy: format!("set {name}, or KAFKA_SECURITY_PROTOCOL=SSL to log in nowhere"),
            });
        } else if !logs_in && setting.is_given() {
            faults.push(Fault {
                subject: format!("{} and {}", setting.subject(), protocol.subject()),
                what: "contradict each other: the protocol logs in nowhere".to_owned(),
                remedy: format!("set KAFKA_SECURITY_PROTOCOL to SASL_SSL or SASL_PLAINTEXT, or unset {name}"),
            });
        }
    }
}

/// A token belongs to a key, and would silently be left out without it.
fn token(resolved: &Resolutions, role: Role, faults: &mut Vec<Fault>) {
    let (token, key) = (&resolved["AWS_SESSION_TOKEN"], &resolved["AWS_ACCESS_KEY_ID"]);
    if token.setting.is_read_by(role) && token.is_given() && key.source == Source::Default {
        faults.push(Fault {
            subject: token.subject(),
            what: "is set and AWS_ACCESS_KEY_ID is not".to_owned(),
            remedy:
                "set the key and the secret that it came with, or unset it to have the AWS SDK find all three"
                    .to_owned(),
        });
    }
}

/// A key without its secret, or the other way round, would silently be taken from elsewhere.
fn pair(resolved: &Resolutions, role: Role, one: &str, other: &str, faults: &mut Vec<Fault>) {
    if !resolved[one].setting.is_read_by(role) {
        return;
    }
    let absent = |name: &str| resolved[name].source == Source::Default;
    for (given, missing) in [(one, other), (other, one)] {
        if resolved[given].is_given() && absent(missing) {
            faults.push(Fault {
                subject: resolved[given].subject(),
                what: format!("is set and {missing} is not"),
                remedy: format!("set {missing} too, or unset {given} to have the AWS SDK find both"),
            });
        }
    }
}
