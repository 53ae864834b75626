use bytes::Bytes;
use proptest::prelude::*;
use souk_domain::{EventKind, Reason};

use super::*;
use crate::testing::{Shop, Step, steps};

/// Counts each event in each of its items, one by one, from the event as the contract decodes it.
fn recount(records: &[LogRecord], counts: impl Fn(&AggregateKey, Offset) -> bool) -> Vec<ItemDelta> {
    let mut items: BTreeMap<AggregateKey, ItemDelta> = BTreeMap::new();
    for record in records {
        let Ok(event) = souk_events::decode(&record.payload) else { continue };
        let measures = naive(&event);
        let at = match &event.kind {
            EventKind::Updated { cause: Some(cause), .. } => cause.occurred_at.unwrap_or(event.time),
            _ => event.time,
        };
        for window in Window::ALL {
            for by in Dimension::ALL {
                if by == Dimension::Product && matches!(window, Window::Minute | Window::Hour) {
                    continue;
                }
                let name = match by {
                    Dimension::Total => "total".to_owned(),
                    Dimension::Seller => event.product.seller_id.to_string(),
                    Dimension::Category => event.product.category.to_string(),
                    Dimension::Product => event.product.id.to_string(),
                };
                let key = AggregateKey { window, by, bucket: window.bucket(at), key: Arc::from(name) };
                if !counts(&key, record.offset) {
                    continue;
                }
                let (first, last) = (record.offset, record.offset);
                items
                    .entry(key.clone())
                    .and_modify(|item| {
                        item.last = last;
                        item.measures.merge(&measures);
                    })
                    .or_insert(ItemDelta { key, first, last, measures });
            }
        }
    }
    items.into_values().collect()
}

fn naive(event: &souk_domain::Event) -> Measures {
    let mut measures = Measures::default();
    measures.events[event.event_type().index()] = 1;
    let product = &event.product;
    let (stock, low) = (product.stock.get(), i64::from(product.low_stock));
    match &event.kind {
        EventKind::Created => {
            measures.stock_delta = stock;
            measures.stock_value = product.price.times(stock);
            measures.low_stock_products = low;
        }
        EventKind::Deleted => {
            measures.stock_delta = -stock;
            measures.stock_value = -product.price.times(stock);
            measures.low_stock_products = -low;
        }
        EventKind::Updated { changes, cause } => {
            let stock_before = changes.stock.as_ref().map_or(stock, |c| c.from.get());
            let price_before = changes.price.as_ref().map_or(product.price, |c| c.from);
            let low_before = changes.low_stock.as_ref().map_or(low, |c| i64::from(c.from));
            measures.stock_delta = stock - stock_before;
            measures.stock_value = product.price.times(stock) - price_before.times(stock_before);
            measures.low_stock_products = low - low_before;
            if let Some(cause) = cause {
                let price = cause.unit_price.unwrap_or(product.price);
                match cause.reason {
                    Reason::Sale => {
                        measures.units_sold = stock_before - stock;
                        measures.revenue = price.times(stock_before - stock);
                    }
                    Reason::Return => {
                        measures.units_returned = stock - stock_before;
                        measures.revenue = -price.times(stock - stock_before);
                    }
                    _ => {}
                }
            }
        }
        EventKind::LowStockWarning(_) | EventKind::StockReplenished(_) => {}
    }
    measures
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn folding_equals_counting_one_by_one(steps in proptest::collection::vec(steps(), 0..60)) {
        let records = Shop::default().play(&steps);
        prop_assert_eq!(Batch::read(&records).fold(), recount(&records, |_, _| true));
    }

    #[test]
    fn folding_after_guards_leaves_out_what_is_counted(
        steps in proptest::collection::vec(steps(), 1..60), picks: [u8; 8], counted in 0_u64..90,
    ) {
        let records = Shop::default().play(&steps);
        let all = recount(&records, |_, _| true);
        prop_assume!(!all.is_empty());
        let guards: HashMap<AggregateKey, Offset> =
            picks.iter().map(|pick| (all[usize::from(*pick) % all.len()].key.clone(), counted)).collect();
        let expected = recount(&records, |key, offset| guards.get(key).is_some_and(|counted| offset > *counted));
        prop_assert_eq!(Batch::read(&records).fold_after(&guards), expected);
    }
}

#[test]
fn a_record_that_is_no_event_spoils_no_neighbour() {
    let mut records =
        Shop::default().play(&[Step::Create { seller: 0, stock: 9 }, Step::Create { seller: 1, stock: 1 }]);
    let good = recount(&records, |_, _| true);
    records[1].payload = records[1].payload.clone();
    records.insert(
        1,
        LogRecord { offset: records[0].offset, payload: Bytes::from_static(b"?"), ..records[0].clone() },
    );
    let batch = Batch::read(&records);
    assert_eq!(batch.fold(), good);
    assert_eq!(batch.unreadable.len(), 1);
}
