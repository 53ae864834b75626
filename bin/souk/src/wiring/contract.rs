//! What is promised behind each door: the contracts of the apps that are served there.

use souk_http::openapi::Contract;

use crate::wiring::listeners::Door;

/// Returns the contract of what is behind `door`.
pub fn of(door: Door) -> Contract {
    match door {
        Door::Api => souk_api::contract(),
        Door::Notifications => souk_notifications::contract(),
        Door::Analytics => souk_analytics::contract(),
        Door::Web => souk_web::contract(),
        Door::All => [Door::Api, Door::Notifications, Door::Analytics, Door::Web]
            .into_iter()
            .map(of)
            .fold(Contract::default(), Contract::merge),
    }
}
