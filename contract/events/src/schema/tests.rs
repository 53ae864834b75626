//! The schemas tell exactly what the encoder writes.

use souk_contract_check::{Messages, Schemas};
use souk_domain::{Change, Changes, Name, Sku, Stock};

use super::*;
use crate::{FIXTURES, MIGRATED, asyncapi};

fn document() -> Value {
    asyncapi::document("1.2.3")
}

#[test]
fn every_golden_event_fits_the_schema_of_its_type_and_no_other() {
    let document = document();
    let closed = Schemas::closed(&document);
    for fixture in FIXTURES.into_iter().chain(MIGRATED) {
        let event: Value = serde_json::from_str(fixture).unwrap();
        for kind in EventType::ALL {
            let faults = closed.faults(&reference(kind.as_str()), &event);
            assert_eq!(faults.is_empty(), event["type"] == kind.as_str(), "{kind:?}: {faults:#?}");
        }
        assert_eq!(closed.faults(&reference(EVENT), &event), [""; 0]);
    }
}

#[test]
fn a_field_that_the_schema_does_not_have_is_found() {
    let closed = Schemas::closed(&document());
    let mut event: Value = serde_json::from_str(FIXTURES[0]).unwrap();
    event["data"]["product"]["colour"] = json!("red");
    assert_eq!(closed.faults(&reference("ProductCreated"), &event).len(), 1);
}

#[test]
fn every_change_that_can_be_written_is_told() {
    fn change<T>(from: T, to: T) -> Option<Change<T>> {
        Some(Change { from, to })
    }
    let changes = Changes {
        sku: change(None, Some(Sku::new("85123A").unwrap())),
        name: change(Name::new("a").unwrap(), Name::new("b").unwrap()),
        description: change(None, None),
        category: change(Default::default(), Default::default()),
        price: change(Default::default(), "99.99".parse().unwrap()),
        stock: change(Stock::default(), Stock::MAX),
        low_stock_threshold: change(None, Some(Stock::MAX)),
        low_stock: change(false, true),
    };
    let written = serde_json::to_value(&changes).unwrap();
    assert_eq!(Schemas::closed(&document()).faults(&reference(CHANGES), &written), [""; 0]);
    let told = schemas()[CHANGES]["properties"].as_object().unwrap().len();
    assert_eq!(written.as_object().unwrap().len(), told);
}

#[test]
fn every_example_of_a_message_fits() {
    assert_eq!(Messages::new(document()).example_faults(), [""; 0]);
}

#[test]
fn a_schema_that_stands_for_itself_refers_to_nothing_outside() {
    for kind in EventType::ALL {
        let schema = standalone(kind);
        assert!(!schema.to_string().contains(COMPONENTS), "{kind:?}");
        let event: Value = serde_json::from_str(crate::fixture(kind)).unwrap();
        assert_eq!(souk_contract_check::document_faults(&schema, &event), [""; 0]);
    }
}
