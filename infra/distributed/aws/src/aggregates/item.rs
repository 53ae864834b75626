//! An item's figures. Numbers of DynamoDB are decimals of 38 digits, so that sums of money, which have 128 bits here,
//! are kept exactly up to 10^38 ten-thousandths; beyond that DynamoDB refuses, and nothing is ever rounded.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use souk_domain::{Amount, EventType};
use souk_events::LogId;
use souk_ports::{ErrorKind, ItemRow, Measures, Offset, PortError};

use super::{PLACE, SERIES, key};
use crate::batch::Item;

/// The last offset counted.
pub(super) const LAST_OFFSET: &str = "lastOffset";
/// Attributes of the figures that are no counts of events; money in ten-thousandths.
const SOLD: &str = "unitsSold";
const RETURNED: &str = "unitsReturned";
const REVENUE: &str = "revenueUnits";
const STOCK: &str = "stockDelta";
const VALUE: &str = "stockValueUnits";
const LOW: &str = "lowStockProducts";

/// Returns every figure that is not 0 with its attribute; an attribute that is not there is 0.
pub(super) fn figures(measures: &Measures) -> impl Iterator<Item = (&'static str, i128)> {
    let Measures {
        events,
        units_sold,
        units_returned,
        revenue,
        stock_delta,
        stock_value,
        low_stock_products,
    } = *measures;
    let counts = EventType::ALL.map(|kind| (kind.as_str(), i128::from(events[kind.index()])));
    let others = [
        (SOLD, i128::from(units_sold)),
        (RETURNED, i128::from(units_returned)),
        (REVENUE, revenue.units()),
        (STOCK, i128::from(stock_delta)),
        (VALUE, stock_value.units()),
        (LOW, i128::from(low_stock_products)),
    ];
    counts.into_iter().chain(others).filter(|(_, figure)| *figure != 0)
}

/// Reads the figures.
pub(super) fn measures(item: &Item) -> Result<Measures, PortError> {
    let number = |name: &str| -> Result<i128, PortError> { Ok(number(item, name)?.unwrap_or(0)) };
    let count = |name: &str| -> Result<i64, PortError> {
        i64::try_from(number(name)?).map_err(|_| unreadable(item, name))
    };
    let mut events = [0; 5];
    for kind in EventType::ALL {
        let name = kind.as_str();
        events[kind.index()] = u64::try_from(number(name)?).map_err(|_| unreadable(item, name))?;
    }
    Ok(Measures {
        events,
        units_sold: count(SOLD)?,
        units_returned: count(RETURNED)?,
        revenue: Amount::from_units(number(REVENUE)?),
        stock_delta: count(STOCK)?,
        stock_value: Amount::from_units(number(VALUE)?),
        low_stock_products: count(LOW)?,
    })
}

/// Reads the last offset counted; `None` when this is a name and no item.
pub(super) fn counted(item: &Item) -> Result<Option<Offset>, PortError> {
    let Some(number) = number(item, LAST_OFFSET)? else { return Ok(None) };
    u64::try_from(number).map(Some).map_err(|_| unreadable(item, LAST_OFFSET))
}

fn number(item: &Item, name: &str) -> Result<Option<i128>, PortError> {
    let Some(value) = item.get(name) else { return Ok(None) };
    let text = value.as_n().map_err(|_| unreadable(item, name))?;
    text.parse().map(Some).map_err(|_| unreadable(item, name))
}

/// Reads a whole item of `log`; `None` when it is another log's, or a name.
pub(super) fn row(log: LogId, item: &Item) -> Result<Option<ItemRow>, PortError> {
    let Some(counted) = counted(item)? else { return Ok(None) };
    let (series, place) = (text(item, SERIES)?, text(item, PLACE)?);
    Ok(match key::parse_item(log, series, place) {
        Some((key, partition)) => Some(ItemRow { key, partition, counted, measures: measures(item)? }),
        None => None,
    })
}

/// Makes a whole item.
pub(super) fn item_of(log: LogId, row: &ItemRow) -> Item {
    let (series, place) = key::item(log, &row.key, row.partition);
    let mut item = super::key_item(series, place);
    item.insert(LAST_OFFSET.to_owned(), AttributeValue::N(row.counted.to_string()));
    item.extend(
        figures(&row.measures)
            .map(|(name, figure)| (name.to_owned(), AttributeValue::N(figure.to_string())))
            .collect::<HashMap<_, _>>(),
    );
    item
}

/// Reads a text that every item has.
pub(super) fn text<'i>(item: &'i Item, name: &str) -> Result<&'i str, PortError> {
    item.get(name)
        .and_then(|value| value.as_s().ok())
        .map(String::as_str)
        .ok_or_else(|| unreadable(item, name))
}

fn unreadable(item: &Item, name: &str) -> PortError {
    let part = |name: &str| item.get(name).and_then(|value| value.as_s().ok()).map_or("?", String::as_str);
    PortError::new(
        ErrorKind::InvalidData,
        format!("aggregate {} at {} has an unreadable {name}", part(SERIES), part(PLACE)),
    )
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn figures_survive_their_attributes(
            events: [u64; 5], units: [i64; 4], revenue in -10_i128.pow(37)..10_i128.pow(37), value: i64,
        ) {
            let written = Measures {
                events,
                units_sold: units[0],
                units_returned: units[1],
                revenue: Amount::from_units(revenue),
                stock_delta: units[2],
                stock_value: Amount::from_units(i128::from(value)),
                low_stock_products: units[3],
            };
            let item: Item = figures(&written)
                .map(|(name, figure)| (name.to_owned(), AttributeValue::N(figure.to_string())))
                .collect();
            prop_assert_eq!(measures(&item).unwrap(), written);
            prop_assert_eq!(counted(&item).unwrap(), None);
        }
    }
}
