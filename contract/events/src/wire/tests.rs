//! Golden fixtures: one file an event type. A difference is a break of the contract with every consumer.

use souk_domain::{
    Adjustment, Command, Context, Delta, Import, NewProduct, Phase, Precondition, Reason, Reference,
    Replacement, Write, decide,
};

use super::*;
use crate::{Envelope, FIXTURES, MIGRATED};

fn context(step: u128) -> Context {
    Context {
        now: Timestamp::from_millis(1_795_370_400_123 + step as i64),
        event_ids: [Uuid::from_u128(0x0199_0000 + step * 2), Uuid::from_u128(0x0199_0001 + step * 2)],
        default_threshold: Stock::new(5).unwrap(),
        tombstone: None,
    }
}

/// A product's life: created, sold below its threshold, restocked, deleted.
fn life() -> Vec<Event> {
    let id = ProductId(Uuid::from_u128(0x42));
    let create = Command::Create(NewProduct {
        id,
        seller_id: SellerId::new("seller1").unwrap(),
        fields: Replacement {
            sku: Some(souk_domain::Sku::new("85123A").unwrap()),
            name: souk_domain::Name::new("Test \"Product\" é").unwrap(),
            description: None,
            category: souk_domain::Category::default(),
            price: "99.99".parse().unwrap(),
            stock: Stock::new(10).unwrap(),
            low_stock_threshold: None,
        },
    });
    let adjust = |delta, reason| {
        let mut adjustment = Adjustment::new(Delta::new(delta).unwrap(), reason).unwrap();
        if reason == Reason::Sale {
            adjustment.reference = Some(Reference::new("536365").unwrap());
            adjustment.unit_price = Some("2.55".parse().unwrap());
            adjustment.occurred_at = Some("2010-12-01T08:26:00Z".parse().unwrap());
        }
        Command::AdjustStock { id, precondition: Precondition::None, adjustment }
    };
    let delete = Command::Delete { id, precondition: Precondition::None };
    let mut current: Option<Arc<Product>> = None;
    let mut events = Vec::new();
    for (step, command) in
        [create, adjust(-7, Reason::Sale), adjust(20, Reason::Restock), delete].iter().enumerate()
    {
        let decision = decide(current.as_deref(), command, &context(step as u128)).unwrap();
        events.extend(decision.events);
        current = match decision.write {
            Write::Put(product) | Write::Nothing(product) => Some(product),
            Write::Delete { .. } => None,
        };
    }
    events
}

#[test]
fn every_event_has_its_golden_fixture() {
    let events = life();
    assert_eq!(events.len(), FIXTURES.len());
    for (event, fixture) in events.iter().zip(FIXTURES) {
        let mut json = Vec::new();
        encode(event, &mut json);
        assert_eq!(String::from_utf8(json).unwrap(), fixture.trim_end());
        assert_eq!(&decode(fixture.as_bytes()).unwrap(), event);
        let envelope = Envelope::read(fixture.as_bytes()).unwrap();
        assert_eq!(
            (envelope.id, envelope.event_type, envelope.version),
            (event.id, event.event_type(), event.version)
        );
    }
}

/// A product that comes from another system, and a change of it there.
fn migrated() -> Vec<Event> {
    let import = |stock, phase| Import {
        id: ProductId(Uuid::from_u128(0x42)),
        seller_id: SellerId::new("seller1").unwrap(),
        fields: Replacement {
            sku: None,
            name: souk_domain::Name::new("Lamp").unwrap(),
            description: None,
            category: souk_domain::Category::default(),
            price: "99.99".parse().unwrap(),
            stock: Stock::new(stock).unwrap(),
            low_stock_threshold: None,
        },
        unmapped: Vec::new(),
        created_at: Some("2010-12-01T08:26:00Z".parse().unwrap()),
        updated_at: Some("2011-02-03T04:05:06Z".parse().unwrap()),
        noted_at: None,
        migration: Migration { source: Reference::new("app.products").unwrap(), phase },
    };
    let created = decide(None, &Command::Import(import(10, Phase::Copy)), &context(0)).unwrap();
    let product = created.write.product().clone();
    let changed = decide(Some(&product), &Command::Import(import(7, Phase::Follow)), &context(1)).unwrap();
    created.events.into_iter().chain(changed.events).collect()
}

#[test]
fn what_was_migrated_has_its_golden_fixtures() {
    let events = migrated();
    assert_eq!(events.len(), MIGRATED.len());
    for (event, fixture) in events.iter().zip(MIGRATED) {
        let mut json = Vec::new();
        encode(event, &mut json);
        assert_eq!(String::from_utf8(json).unwrap(), fixture.trim_end());
        assert_eq!(&decode(fixture.as_bytes()).unwrap(), event);
    }
}

#[test]
fn refuses_what_contradicts_itself() {
    let fixture = include_str!("../../fixtures/1-product-created.json");
    let other = fixture.replace("\"sellerid\":\"seller1\"", "\"sellerid\":\"seller2\"");
    assert!(matches!(decode(other.as_bytes()), Err(DecodeError::Invalid("sellerid"))));
    assert!(matches!(decode(b"{}"), Err(DecodeError::Json(_))));
}
