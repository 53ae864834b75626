//! What one event adds to the figures: pure, from the event alone.
//!
//! Every event carries the product as it is after it and, for an update, what each field was before; so before and
//! after are known without any state, and the order in which events are folded does not matter.
//!
//! An event adds the same measures to each of its items: to those of its seller, of its category, of its product
//! and to the total, in every window. Its category is the product's after the event. So when a product moves to
//! another category, what it added to the old one's stock value stays there; sums over all categories, by seller
//! and in total are exact.

use std::borrow::Cow;

use serde::Deserialize;
use souk_domain::{Amount, Change, EventType, Price, ProductId, Reason, Stock, Timestamp};
use souk_ports::Measures;

/// The parts of an event that figures are made of; the rest stays unread, which makes it several times cheaper
/// than `souk_events::decode`.
#[derive(Debug, PartialEq, Eq)]
pub struct Fact<'a> {
    /// The seller.
    pub seller: Cow<'a, str>,
    /// The product's category after the event.
    pub category: Cow<'a, str>,
    /// The product.
    pub product: ProductId,
    /// When it happened: `occurredAt` where given, else when it was decided.
    pub at: Timestamp,
    /// What it adds to each of its items.
    pub measures: Measures,
}

#[derive(Deserialize)]
struct Wire<'a> {
    #[serde(rename = "type")]
    event_type: EventType,
    subject: ProductId,
    time: Timestamp,
    #[serde(borrow)]
    sellerid: Cow<'a, str>,
    #[serde(borrow)]
    data: Data<'a>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Data<'a> {
    #[serde(borrow)]
    product: Product<'a>,
    #[serde(default)]
    changes: Changes,
    #[serde(default)]
    reason: Option<Reason>,
    #[serde(default)]
    unit_price: Option<Price>,
    #[serde(default)]
    occurred_at: Option<Timestamp>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Product<'a> {
    #[serde(borrow)]
    category: Cow<'a, str>,
    price: Price,
    stock: Stock,
    low_stock: bool,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Changes {
    #[serde(default)]
    price: Option<Change<Price>>,
    #[serde(default)]
    stock: Option<Change<Stock>>,
    #[serde(default)]
    low_stock: Option<Change<bool>>,
}

/// What of a product the figures sum up.
#[derive(Clone, Copy)]
struct Holding {
    price: Price,
    stock: Stock,
    low: bool,
}

impl Holding {
    fn value(self) -> Amount {
        self.price.times(self.stock.get())
    }
}

impl<'a> Fact<'a> {
    /// Reads what the figures need from an event in structured JSON.
    ///
    /// # Errors
    /// When `payload` is not an event of ours.
    pub fn read(payload: &'a [u8]) -> Result<Self, serde_json::Error> {
        let Wire { event_type, subject, time, sellerid, data } = serde_json::from_slice(payload)?;
        let mut measures = Measures::default();
        measures.events[event_type.index()] = 1;
        let product = &data.product;
        let after = Holding { price: product.price, stock: product.stock, low: product.low_stock };
        match event_type {
            EventType::ProductCreated => measures.hold(None, Some(after)),
            EventType::ProductDeleted => measures.hold(Some(after), None),
            EventType::ProductUpdated => {
                let changes = &data.changes;
                let before = Holding {
                    price: changes.price.as_ref().map_or(after.price, |change| change.from),
                    stock: changes.stock.as_ref().map_or(after.stock, |change| change.from),
                    low: changes.low_stock.as_ref().map_or(after.low, |change| change.from),
                };
                measures.hold(Some(before), Some(after));
                measures.trade(data.reason, data.unit_price.unwrap_or(after.price));
            }
            // They share their cause's change of stock, which has counted it.
            EventType::LowStockWarning | EventType::StockReplenished => {}
        }
        let at = data.occurred_at.unwrap_or(time);
        Ok(Self { seller: sellerid, category: data.product.category, product: subject, at, measures })
    }
}

trait Count {
    /// Counts the change from `before` to `after`; `None` where there was or is no product.
    fn hold(&mut self, before: Option<Holding>, after: Option<Holding>);
    /// Counts the change of stock as sold or returned, if `reason` says so.
    fn trade(&mut self, reason: Option<Reason>, unit_price: Price);
}

impl Count for Measures {
    fn hold(&mut self, before: Option<Holding>, after: Option<Holding>) {
        let pieces = |holding: Option<Holding>| holding.map_or(0, |h| h.stock.get());
        let value = |holding: Option<Holding>| holding.map_or(Amount::ZERO, Holding::value);
        let low = |holding: Option<Holding>| i64::from(holding.is_some_and(|h| h.low));
        self.stock_delta = pieces(after) - pieces(before);
        self.stock_value = value(after) - value(before);
        self.low_stock_products = low(after) - low(before);
    }

    fn trade(&mut self, reason: Option<Reason>, unit_price: Price) {
        match reason {
            Some(Reason::Sale) => {
                self.units_sold = -self.stock_delta;
                self.revenue = unit_price.times(self.units_sold);
            }
            Some(Reason::Return) => {
                self.units_returned = self.stock_delta;
                self.revenue = -unit_price.times(self.units_returned);
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fixture(name: &str) -> Vec<u8> {
        let path = format!("{}/../../contract/events/fixtures/{name}.json", env!("CARGO_MANIFEST_DIR"));
        std::fs::read(path).unwrap()
    }

    fn measures(name: &str) -> Measures {
        Fact::read(&fixture(name)).unwrap().measures
    }

    fn amount(text: &str) -> Amount {
        text.parse().unwrap()
    }

    #[test]
    fn a_create_adds_stock_and_value() {
        let expected = Measures {
            events: [1, 0, 0, 0, 0],
            stock_delta: 10,
            stock_value: amount("999.9"),
            ..Measures::default()
        };
        assert_eq!(measures("1-product-created"), expected);
    }

    #[test]
    fn a_sale_counts_units_and_revenue_at_its_own_price_and_time() {
        let expected = Measures {
            events: [0, 1, 0, 0, 0],
            units_sold: 7,
            revenue: amount("17.85"),
            stock_delta: -7,
            stock_value: amount("-699.93"),
            low_stock_products: 1,
            ..Measures::default()
        };
        let payload = fixture("2-product-updated-sale");
        let fact = Fact::read(&payload).unwrap();
        assert_eq!(fact.measures, expected);
        assert_eq!(fact.at.to_string(), "2010-12-01T08:26:00.000Z");
    }

    #[test]
    fn a_sale_without_a_price_is_at_the_products() {
        let text =
            String::from_utf8(fixture("2-product-updated-sale")).unwrap().replace("\"unitPrice\":2.55,", "");
        assert_eq!(Fact::read(text.as_bytes()).unwrap().measures.revenue, amount("699.93"));
    }

    #[test]
    fn a_return_counts_against_revenue_in_positive_units() {
        let text = String::from_utf8(fixture("4-product-updated-restock")).unwrap();
        let text = text.replace("\"reason\":\"restock\"", "\"reason\":\"return\",\"unitPrice\":1.5");
        let measures = Fact::read(text.as_bytes()).unwrap().measures;
        assert_eq!((measures.units_sold, measures.units_returned), (0, 20));
        assert_eq!((measures.revenue, measures.stock_delta), (amount("-30"), 20));
    }

    #[test]
    fn a_restock_touches_stock_alone() {
        let measures = measures("4-product-updated-restock");
        assert_eq!((measures.units_sold, measures.units_returned, measures.revenue), (0, 0, Amount::ZERO));
        assert_eq!((measures.stock_delta, measures.low_stock_products), (20, -1));
    }

    #[test]
    fn a_delete_takes_the_rest_away() {
        let measures = measures("6-product-deleted");
        assert_eq!((measures.stock_delta, measures.stock_value), (-23, amount("-2299.77")));
        assert_eq!(measures.units_sold, 0);
    }

    #[test]
    fn warnings_count_as_events_and_nothing_else() {
        let expected = Measures { events: [0, 0, 0, 1, 0], ..Measures::default() };
        assert_eq!(measures("3-low-stock-warning"), expected);
        let expected = Measures { events: [0, 0, 0, 0, 1], ..Measures::default() };
        assert_eq!(measures("5-stock-replenished"), expected);
    }

    #[test]
    fn what_is_no_event_is_refused() {
        assert!(Fact::read(b"{}").is_err());
        assert!(Fact::read(&[0xff]).is_err());
    }
}
