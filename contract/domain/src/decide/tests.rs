//! Properties of [`decide`](super::decide()) over generated histories.

use proptest::prelude::*;

use super::*;
use crate::{Category, Delta, EventType, Field, Name, Price, SellerId, Sku};

const ID: ProductId = ProductId(Uuid::from_u128(7));

fn context(step: u64, default_threshold: i64, tombstone: Option<Version>) -> Context {
    Context {
        now: Timestamp::from_millis(1_000 + i64::try_from(step).unwrap()),
        event_ids: [Uuid::from_u128(u128::from(step) * 2), Uuid::from_u128(u128::from(step) * 2 + 1)],
        default_threshold: Stock::new(default_threshold).unwrap(),
        tombstone,
    }
}

fn fields(stock: i64, threshold: Option<i64>) -> Replacement {
    Replacement {
        sku: Some(Sku::new("A-1").unwrap()),
        name: Name::new("Test Product").unwrap(),
        description: None,
        category: Category::default(),
        price: Price::from_units(999_900).unwrap(),
        stock: Stock::new(stock).unwrap(),
        low_stock_threshold: threshold.map(|t| Stock::new(t).unwrap()),
    }
}

fn new_product(stock: i64, threshold: Option<i64>) -> Command {
    Command::Create(NewProduct {
        id: ID,
        seller_id: SellerId::new("seller1").unwrap(),
        fields: fields(stock, threshold),
    })
}

fn adjust(delta: i64, reason: Reason) -> Command {
    let adjustment = Adjustment::new(Delta::new(delta).unwrap(), reason).unwrap();
    Command::AdjustStock { id: ID, precondition: Precondition::None, adjustment }
}

fn patch(patch: Patch) -> Command {
    Command::Patch { id: ID, precondition: Precondition::None, patch, asserted: Asserted::default() }
}

fn commands() -> impl Strategy<Value = Command> {
    let threshold = proptest::option::of(0_i64..12);
    prop_oneof![
        2 => (0_i64..20, threshold.clone()).prop_map(|(stock, threshold)| new_product(stock, threshold)),
        6 => (-12_i64..12).prop_filter("not 0", |d| *d != 0).prop_map(|d| adjust(d, Reason::Other)),
        2 => (0_i64..20).prop_map(|s| patch(Patch { stock: Stock::new(s), ..Patch::default() })),
        2 => threshold.clone().prop_map(|t| patch(Patch { low_stock_threshold: Some(t.and_then(Stock::new)), ..Patch::default() })),
        2 => (0_i64..20, threshold).prop_map(|(stock, threshold)| Command::Replace {
            id: ID, precondition: Precondition::None, replacement: fields(stock, threshold), asserted: Asserted::default(),
        }),
        1 => Just(Command::Delete { id: ID, precondition: Precondition::None }),
    ]
}

proptest! {
    /// Over any history, also when the installation's default threshold changes in the middle of it.
    #[test]
    fn histories_keep_every_promise(history in proptest::collection::vec((commands(), 0_i64..12), 1..60)) {
        let mut current: Option<Product> = None;
        let mut tombstone = None;
        let mut last_version = 0;
        let mut reported_low = false;
        for (step, (command, default_threshold)) in history.into_iter().enumerate() {
            let context = context(step as u64, default_threshold, tombstone);
            let Ok(decision) = decide(current.as_ref(), &command, &context) else { continue };
            let product = decision.write.product();
            prop_assert_eq!(matches!(decision.write, Write::Nothing(_)), decision.events.is_empty(), "a no-op writes nothing");
            if decision.events.is_empty() {
                prop_assert_eq!(Some(&**product), current.as_ref());
                continue;
            }
            last_version += 1;
            prop_assert!(decision.events.iter().all(|e| e.version.0 == last_version), "versions are dense");
            prop_assert!(decision.events[0].event_type().takes_version());
            prop_assert!(decision.events[1..].iter().all(|e| !e.event_type().takes_version()));
            if let EventKind::Created = decision.events[0].kind {
                reported_low = false;
            }
            for event in &decision.events {
                match &event.kind {
                    EventKind::LowStockWarning(crossing) => {
                        prop_assert!(!reported_low, "each crossing is reported once");
                        prop_assert!(product.stock < crossing.threshold);
                        reported_low = true;
                    }
                    EventKind::StockReplenished(crossing) => {
                        prop_assert!(reported_low, "each crossing is reported once");
                        prop_assert!(product.stock >= crossing.threshold);
                        reported_low = false;
                    }
                    _ => {}
                }
            }
            if let Write::Delete { version, .. } = &decision.write {
                tombstone = Some(*version);
                current = None;
            } else {
                prop_assert_eq!(product.low_stock, product.stock < product.effective_threshold(context.default_threshold));
                prop_assert_eq!(product.low_stock, reported_low, "what is stored is what was reported");
                current = Some((**product).clone());
            }
        }
    }

    #[test]
    fn stock_never_goes_below_zero(stock in 0_i64..1000, delta in -2000_i64..-1) {
        let product = (**decide(None, &new_product(stock, None), &context(0, 5, None)).unwrap().write.product()).clone();
        match decide(Some(&product), &adjust(delta, Reason::Sale), &context(1, 5, None)) {
            Ok(decision) => prop_assert_eq!(decision.write.product().stock.get(), stock + delta),
            Err(rejection) => {
                prop_assert!(stock + delta < 0);
                prop_assert_eq!(rejection, Rejection::InsufficientStock { product_id: ID, stock: product.stock, left: product.stock });
            }
        }
    }
}

fn created(stock: i64) -> Product {
    (**decide(None, &new_product(stock, None), &context(0, 5, None)).unwrap().write.product()).clone()
}

#[test]
fn a_product_created_below_its_threshold_warns_at_once() {
    let decision = decide(None, &new_product(3, None), &context(0, 5, None)).unwrap();
    let types: Vec<_> = decision.events.iter().map(Event::event_type).collect();
    assert_eq!(types, [EventType::ProductCreated, EventType::LowStockWarning]);
}

#[test]
fn a_changed_default_is_noticed_at_the_next_change_only() {
    let product = created(10);
    let same = patch(Patch { stock: Stock::new(10), ..Patch::default() });
    assert!(decide(Some(&product), &same, &context(1, 50, None)).unwrap().events.is_empty());
    let rename = patch(Patch { name: Some(Name::new("New").unwrap()), ..Patch::default() });
    let types: Vec<_> = decide(Some(&product), &rename, &context(1, 50, None))
        .unwrap()
        .events
        .iter()
        .map(Event::event_type)
        .collect();
    assert_eq!(types, [EventType::ProductUpdated, EventType::LowStockWarning]);
}

#[test]
fn a_product_that_comes_back_goes_on_from_its_tombstone() {
    let decision = decide(None, &new_product(10, None), &context(0, 5, Some(Version(4)))).unwrap();
    assert_eq!(decision.write.product().version, Version(5));
}

#[test]
fn if_match_is_checked_against_the_current_version() {
    let product = created(10);
    let command = Command::Delete { id: ID, precondition: Precondition::OneOf(vec![Version(2)]) };
    assert_eq!(
        decide(Some(&product), &command, &context(1, 5, None)),
        Err(Rejection::PreconditionFailed { product_id: ID, version: Version(1) })
    );
}

#[test]
fn read_only_fields_may_be_repeated_but_not_changed() {
    let product = created(10);
    let command = |version| Command::Patch {
        id: ID,
        precondition: Precondition::None,
        patch: Patch::default(),
        asserted: Asserted { version: Some(Version(version)), ..Asserted::default() },
    };
    assert!(decide(Some(&product), &command(1), &context(1, 5, None)).is_ok());
    assert_eq!(
        decide(Some(&product), &command(2), &context(1, 5, None)),
        Err(Rejection::ReadOnly { product_id: ID, fields: vec![Field::Version] })
    );
}

#[test]
fn too_much_stock_is_refused() {
    let product = created(10);
    assert_eq!(
        decide(Some(&product), &adjust(1_000_000_000, Reason::Restock), &context(1, 5, None)),
        Err(Rejection::TooMuchStock { product_id: ID, stock: product.stock, left: product.stock })
    );
}

#[test]
fn signs_follow_reasons() {
    let delta = |pieces| Delta::new(pieces).unwrap();
    assert!(Adjustment::new(delta(1), Reason::Sale).is_err());
    assert!(Adjustment::new(delta(-1), Reason::Return).is_err());
    assert!(Adjustment::new(delta(-1), Reason::Restock).is_err());
    assert!(Adjustment::new(delta(-1), Reason::Correction).is_ok());
    assert!(Delta::new(0).is_none());
}
