//! What is promised behind each door: the contracts of the apps that are served there.

use souk_http::openapi::Contract;

use crate::settings::{Role, table};
use crate::wiring::listeners::Door;

/// The doors of `souk up`, each with the setting of its port.
const DOORS: [(Door, &str); 4] = [
    (Door::Api, "API_PORT"),
    (Door::Notifications, "NOTIFICATIONS_PORT"),
    (Door::Analytics, "HEALTH_PORT"),
    (Door::Web, "WEB_PORT"),
];

/// Returns the contract of what is behind `door`.
pub fn of(door: Door) -> Contract {
    match door {
        Door::Api => souk_api::contract(),
        Door::Notifications => souk_notifications::contract(),
        Door::Analytics => souk_analytics::contract(),
        Door::Web => souk_web::contract(),
        Door::All => merged(DOORS.map(|(door, _)| of(door))),
    }
}

/// Returns the contract of all services, each behind a door of its own at its default port.
pub fn apart() -> Contract {
    merged(DOORS.map(|(door, setting)| {
        let port = table::find(setting).and_then(|setting| setting.default_for(Role::Up));
        of(door).at(door.name(), port.expect("every port has a default"))
    }))
}

fn merged(contracts: [Contract; 4]) -> Contract {
    contracts.into_iter().fold(Contract::default(), Contract::merge)
}
