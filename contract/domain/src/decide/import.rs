//! Decides what is taken over from another system.

use std::sync::Arc;

use crate::{
    Cause, Changes, Context, Decision, Event, EventKind, Import, Migration, NewProduct, Origin, Phase,
    Product, Reason, Rejection, Timestamp, Write,
};

/// Makes the product what it is in the other system; one that is so already is left alone, and only its times being
/// others is no change.
///
/// # Errors
/// `AlreadyExists` when what never changes here, seller or time of creation, is another one: the other system has
/// given the id to another product, and the one here has to be deleted first.
pub(super) fn import(
    current: Option<&Product>,
    import: &Import,
    context: &Context,
) -> Result<Decision, Rejection> {
    let Some(before) = current else {
        return create(import, context);
    };
    let created_elsewhen = import.created_at.is_some_and(|at| at != before.created_at);
    if before.seller_id != import.seller_id || created_elsewhen {
        return Err(Rejection::AlreadyExists { product_id: import.id });
    }
    let fields = import.over(before);
    let mut wanted = before.clone();
    super::replace(&mut wanted, &fields);
    // Nobody said why, and a sale would count as revenue.
    let cause = (wanted.stock != before.stock).then_some(Cause {
        reason: Reason::Other,
        reference: None,
        unit_price: None,
        occurred_at: None,
    });
    let mut decision = super::update(before, |after| super::replace(after, &fields), cause, context)?;
    if let Some(at) = import.updated_at
        && let Write::Put(product) = &mut decision.write
    {
        let changed = Arc::new(Product { updated_at: at, ..(**product).clone() });
        *product = changed.clone();
        decision.events.iter_mut().for_each(|event| event.product = changed.clone());
    }
    debug_assert!(decision.events.is_empty() || Changes::between(before, decision.write.product()).is_some());
    // A time of change that did not move says when something else changed.
    let moved = import.updated_at.filter(|at| *at > before.updated_at);
    mark(&mut decision, &import.migration, moved.or(import.noted_at).or(import.updated_at));
    Ok(decision)
}

/// Deletes a product that is gone in the other system.
pub(super) fn delete(
    before: &Product,
    migration: &Migration,
    noted_at: Option<Timestamp>,
    context: &Context,
) -> Decision {
    let mut decision = super::delete(before, context);
    mark(&mut decision, migration, noted_at);
    decision
}

fn create(import: &Import, context: &Context) -> Result<Decision, Rejection> {
    let new =
        NewProduct { id: import.id, seller_id: import.seller_id.clone(), fields: import.fields.clone() };
    let mut decision = super::create(None, &new, context)?;
    let Write::Put(product) = &mut decision.write else { return Ok(decision) };
    let created_at = import.created_at.unwrap_or(context.now);
    let updated_at = import.updated_at.unwrap_or(created_at);
    let created = Arc::new(Product { created_at, updated_at, ..(**product).clone() });
    *product = created.clone();
    decision.events.iter_mut().for_each(|event| event.product = created.clone());
    mark(&mut decision, &import.migration, import.created_at);
    Ok(decision)
}

/// Says of each event where it comes from; in a copy, crossings are not told.
fn mark(decision: &mut Decision, migration: &Migration, occurred_at: Option<Timestamp>) {
    if migration.phase == Phase::Copy {
        let is_crossing = |event: &Event| {
            matches!(event.kind, EventKind::LowStockWarning(_) | EventKind::StockReplenished(_))
        };
        decision.events.retain(|event| !is_crossing(event));
    }
    for event in &mut decision.events {
        event.origin = Some(Box::new(Origin { migration: migration.clone(), occurred_at }));
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::{
        Category, Command, EventType, Name, ProductId, Reference, Replacement, SellerId, Stock, Version,
    };

    fn context() -> Context {
        Context {
            now: Timestamp::from_millis(1_000_000),
            event_ids: [Uuid::from_u128(1), Uuid::from_u128(2)],
            default_threshold: Stock::new(5).unwrap(),
            tombstone: None,
        }
    }

    fn imported(stock: i64, phase: Phase) -> Import {
        Import {
            id: ProductId(Uuid::from_u128(0x42)),
            seller_id: SellerId::new("seller1").unwrap(),
            fields: Replacement {
                sku: None,
                name: Name::new("Lamp").unwrap(),
                description: None,
                category: Category::default(),
                price: "9.99".parse().unwrap(),
                stock: Stock::new(stock).unwrap(),
                low_stock_threshold: None,
            },
            unmapped: Vec::new(),
            created_at: Some(Timestamp::from_millis(10)),
            updated_at: Some(Timestamp::from_millis(20)),
            noted_at: None,
            migration: Migration { source: Reference::new("app.products").unwrap(), phase },
        }
    }

    fn decide(current: Option<&Product>, import: &Import) -> Result<Decision, Rejection> {
        crate::decide(current, &Command::Import(import.clone()), &context())
    }

    fn types(decision: &Decision) -> Vec<EventType> {
        decision.events.iter().map(Event::event_type).collect()
    }

    #[test]
    fn a_product_comes_with_its_id_and_times_and_is_marked() {
        let import = imported(10, Phase::Copy);
        let decision = decide(None, &import).unwrap();
        let product = decision.write.product();
        assert_eq!((product.id, product.version, product.low_stock), (import.id, Version(1), false));
        assert_eq!(
            (Some(product.created_at), Some(product.updated_at)),
            (import.created_at, import.updated_at)
        );
        let origin = decision.events[0].origin.as_deref().unwrap();
        assert_eq!((&origin.migration, origin.occurred_at), (&import.migration, import.created_at));
        assert_eq!(decision.events[0].time, context().now);
        assert_eq!(&decision.events[0].product, product);
    }

    #[test]
    fn a_second_time_changes_nothing() {
        let product = decide(None, &imported(10, Phase::Copy)).unwrap().write.product().clone();
        let mut touched = imported(10, Phase::Follow);
        touched.updated_at = Some(Timestamp::from_millis(99));
        let decision = decide(Some(&product), &touched).unwrap();
        assert_eq!((decision.write, decision.events), (Write::Nothing(product), Vec::new()));
    }

    /// Not every system moves its time of change with each change.
    #[test]
    fn a_change_occurred_when_it_was_noted_unless_its_own_time_moved() {
        let here = decide(None, &imported(10, Phase::Copy)).unwrap().write.product().clone();
        let at = |millis| Some(Timestamp::from_millis(millis));
        for (updated_at, noted_at, occurred_at) in [
            (at(20), at(90), at(90)),
            (at(80), at(90), at(80)),
            (None, at(90), at(90)),
            (at(20), None, at(20)),
        ] {
            let change = Import { updated_at, noted_at, ..imported(9, Phase::Follow) };
            let decision = decide(Some(&here), &change).unwrap();
            assert_eq!(decision.events[0].origin.as_deref().unwrap().occurred_at, occurred_at, "{change:?}");
        }
    }

    #[test]
    fn what_the_other_system_does_not_have_stays() {
        let mut first = imported(10, Phase::Copy);
        first.fields.sku = Some(crate::Sku::new("L-1").unwrap());
        let here = decide(None, &first).unwrap().write.product().clone();
        let mut next = imported(9, Phase::Follow);
        next.unmapped = vec![crate::OptionalField::Sku, crate::OptionalField::LowStockThreshold];
        let after = decide(Some(&here), &next).unwrap().write.product().clone();
        assert_eq!((&after.sku, after.stock), (&here.sku, Stock::new(9).unwrap()));
        next.unmapped.clear();
        assert_eq!(decide(Some(&here), &next).unwrap().write.product().sku, None);
    }

    #[test]
    fn a_copy_tells_no_crossing_and_what_follows_does() {
        let decision = decide(None, &imported(2, Phase::Copy)).unwrap();
        assert_eq!(types(&decision), [EventType::ProductCreated]);
        let low = decision.write.product().clone();
        assert!(low.low_stock);
        let decision = decide(Some(&low), &imported(1, Phase::Follow)).unwrap();
        assert_eq!(types(&decision), [EventType::ProductUpdated], "it was low before");
        let decision = decide(Some(&low), &imported(9, Phase::Follow)).unwrap();
        assert_eq!(types(&decision), [EventType::ProductUpdated, EventType::StockReplenished]);
        assert!(decision.events.iter().all(|event| event.product.updated_at == Timestamp::from_millis(20)));
        let EventKind::Updated { cause, .. } = &decision.events[0].kind else { panic!("not an update") };
        assert_eq!(cause.as_ref().unwrap().reason, Reason::Other, "nobody knows whether it was sold");
        assert_eq!(
            types(&decide(Some(&low), &imported(9, Phase::Copy)).unwrap()),
            [EventType::ProductUpdated]
        );
    }

    #[test]
    fn an_id_given_to_another_product_is_refused_until_its_delete() {
        let product = decide(None, &imported(10, Phase::Copy)).unwrap().write.product().clone();
        for other in [
            Import { seller_id: SellerId::new("seller2").unwrap(), ..imported(10, Phase::Follow) },
            Import { created_at: Some(Timestamp::from_millis(11)), ..imported(10, Phase::Follow) },
        ] {
            let refused = decide(Some(&product), &other);
            assert_eq!(refused, Err(Rejection::AlreadyExists { product_id: product.id }));
        }
        let migration = imported(10, Phase::Follow).migration;
        let delete = Command::ImportDelete {
            id: product.id,
            migration: migration.clone(),
            noted_at: Some(Timestamp::from_millis(77)),
        };
        let decision = crate::decide(Some(&product), &delete, &context()).unwrap();
        assert_eq!(types(&decision), [EventType::ProductDeleted]);
        let origin = decision.events[0].origin.as_deref().unwrap();
        assert_eq!((&origin.migration, origin.occurred_at), (&migration, Some(Timestamp::from_millis(77))));
        assert!(matches!(crate::decide(None, &delete, &context()), Err(Rejection::NotFound { .. })));
    }
}
