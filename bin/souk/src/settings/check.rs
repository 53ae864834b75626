//! What no setting shows alone: values that contradict each other.

use std::collections::BTreeMap;

use crate::settings::Purpose;
use crate::settings::fault::Fault;
use crate::settings::resolve::{Resolved, Source};
use crate::settings::value::Value;

/// Adds a fault for each contradiction.
pub fn contradictions(
    resolved: &BTreeMap<&'static str, Resolved>,
    purpose: Purpose,
    faults: &mut Vec<Fault>,
) {
    if purpose == Purpose::Client {
        return;
    }
    ports(resolved, faults);
    backend(resolved, faults);
}

/// No two services share a port; 0 is never shared.
fn ports(resolved: &BTreeMap<&'static str, Resolved>, faults: &mut Vec<Fault>) {
    const NAMES: [&str; 3] = ["API_PORT", "NOTIFICATIONS_PORT", "HEALTH_PORT"];
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

/// The distributed engines need both of their addresses, and a version that has them.
fn backend(resolved: &BTreeMap<&'static str, Resolved>, faults: &mut Vec<Fault>) {
    let (database, brokers) = (&resolved["DATABASE_URL"], &resolved["KAFKA_BROKERS"]);
    let given = |setting: &Resolved| setting.shown.is_some() && setting.source != Source::Default;
    match (given(database), given(brokers)) {
        (false, false) => {}
        (true, true) => faults.push(Fault {
            subject: format!("{} and {}", database.subject(), brokers.subject()),
            what: "ask for the distributed engines, which are not part of this version".to_owned(),
            remedy: "unset both DATABASE_URL and KAFKA_BROKERS to run on the embedded default".to_owned(),
        }),
        (true, false) => faults.push(half(database, "KAFKA_BROKERS")),
        (false, true) => faults.push(half(brokers, "DATABASE_URL")),
    }
}

fn half(given: &Resolved, missing: &str) -> Fault {
    let name = given.setting.name;
    Fault {
        subject: given.subject(),
        what: format!("is set and {missing} is not: the distributed engines need both"),
        remedy: format!(
            "unset {name} to run on the embedded default; this version has no distributed engines, so that \
             setting {missing} too does not help"
        ),
    }
}
