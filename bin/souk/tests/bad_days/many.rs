//! Two of each service, coming and going under load.

use crate::day::Day;
use crate::relays::leader;
use crate::servers::Links;
use crate::service::Role;

#[test]
fn services_come_and_go_under_load() {
    let mut day = Day::begin(31, Links::Direct);
    for round in 0..3 {
        for role in Role::ALL {
            let old = day.town.port_of(role);
            day.town.start_ready(role);
            day.goes_on("two of a kind");
            if round == 1 {
                // Without a word, and another in its place.
                day.town.kill(old);
                day.town.restart(role, old, &[]);
                day.town.service(old).wait_ready();
            } else {
                day.town.terminate(old);
            }
            day.goes_on("after one of two left");
            leader(&day);
        }
    }
    assert!(day.reader.heard().returns > 0, "the reader changed instances");
    day.end("two of each, coming and going");
}
