//! Which events a reader wants, and in which form.

use std::fmt::Display;
use std::str::FromStr;

use serde::ser::{Serialize, SerializeStruct, Serializer};
use souk_domain::{EventType, ProductId, SellerId};
use souk_http::{Code, Params, Problem};

use crate::segment::Frame;

/// Most sellers or products in one filter: a URL of ordinary length holds no more.
const MAX_LISTED: usize = 100;

/// The parameters of a stream.
pub(crate) const PARAMS: &[&str] = &["sellerId", "types", "productId", "named", "lastEventId"];

/// What a reader wants. Equal filters are one group of readers, so that each is evaluated once per event.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub(crate) struct Filter {
    /// Of these sellers, in order; empty for all.
    pub(crate) sellers: Vec<SellerId>,
    /// Of these products, in order; empty for all.
    pub(crate) products: Vec<ProductId>,
    /// Of these types, as bits at [`EventType::index`]; 0 for all.
    pub(crate) types: u8,
    /// With `event: <type>` before each frame.
    pub(crate) named: bool,
}

impl Filter {
    /// Reads the filter of a query string.
    ///
    /// # Errors
    /// `malformed-request` that names the parameter, the value and what it must be.
    pub(crate) fn parse(params: &Params) -> Result<Self, Problem> {
        let sellers = list(params, "sellerId", "sellers, each 1 to 64 of A-Za-z0-9._-", |text| {
            SellerId::new(text).ok()
        })?;
        let products =
            list(params, "productId", "product ids, each a UUID", |text| ProductId::from_str(text).ok())?;
        let names = EventType::ALL.map(EventType::as_str).join(", ");
        let types = list(params, "types", format_args!("types out of {names}"), EventType::parse)?;
        let named = match params.get("named") {
            None | Some("0" | "false") => false,
            Some("1" | "true") => true,
            Some(other) => return Err(bad("named", format_args!("must be 1 or 0, not '{other}'"))),
        };
        let types = types.iter().fold(0, |bits, kind| bits | 1 << kind.index());
        Ok(Self { sellers, products, types, named })
    }

    /// Tells whether every event matches.
    pub(crate) fn is_all(&self) -> bool {
        self.types == 0 && self.sellers.is_empty() && self.products.is_empty()
    }

    /// Tells whether an event matches.
    #[inline]
    pub(crate) fn matches(&self, kind: EventType, seller: &SellerId, product: &ProductId) -> bool {
        (self.types == 0 || self.types & 1 << kind.index() != 0)
            && (self.sellers.is_empty() || self.sellers.binary_search(seller).is_ok())
            && (self.products.is_empty() || self.products.binary_search(product).is_ok())
    }

    /// Tells whether a frame's event matches.
    #[inline]
    pub(crate) fn takes(&self, frame: &Frame) -> bool {
        self.matches(frame.kind, &frame.seller, &frame.product)
    }

    /// Returns the types, none for all.
    pub(crate) fn types(&self) -> impl Iterator<Item = EventType> + '_ {
        EventType::ALL.into_iter().filter(|kind| self.types & 1 << kind.index() != 0)
    }
}

impl Serialize for Filter {
    /// As `ready` tells it: what was given, under the parameters' names.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut filter = serializer.serialize_struct("Filter", 3)?;
        if !self.sellers.is_empty() {
            filter.serialize_field("sellerId", &self.sellers)?;
        }
        if self.types != 0 {
            filter.serialize_field("types", &self.types().collect::<Vec<_>>())?;
        }
        if !self.products.is_empty() {
            filter.serialize_field("productId", &self.products)?;
        }
        filter.end()
    }
}

/// Reads a comma list, in order and without repetitions; empty when it is not given.
fn list<T: Ord>(
    params: &Params,
    name: &str,
    expected: impl Display,
    parse: impl Fn(&str) -> Option<T>,
) -> Result<Vec<T>, Problem> {
    let Some(text) = params.get(name) else { return Ok(Vec::new()) };
    let entries = text.split(',').map(str::trim);
    let mut items = entries
        .map(|entry| {
            parse(entry).ok_or_else(|| {
                bad(name, format_args!("must be a comma list of {expected}; '{entry}' is none"))
            })
        })
        .collect::<Result<Vec<T>, Problem>>()?;
    items.sort_unstable();
    items.dedup();
    if items.len() > MAX_LISTED {
        let detail = format_args!(
            "lists {} entries, at most {MAX_LISTED} are possible; leave it out and choose among all events, \
             or open several streams",
            items.len()
        );
        return Err(bad(name, detail));
    }
    Ok(items)
}

fn bad(name: &str, detail: impl Display) -> Problem {
    Problem::new(Code::MalformedRequest, format!("query parameter '{name}' {detail}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(query: &str) -> Result<Filter, String> {
        let params = Params::parse(Some(query), PARAMS).map_err(|problem| problem.detail().to_owned())?;
        Filter::parse(&params).map_err(|problem| problem.detail().to_owned())
    }

    #[test]
    fn equal_filters_are_equal_however_they_are_written() {
        assert_eq!(
            parse("sellerId=b,a&types=LowStockWarning"),
            parse("types=LowStockWarning&sellerId=a,%20b,a")
        );
        assert_eq!(parse(""), Ok(Filter::default()));
        assert_ne!(parse("named=1"), parse("named=0"));
    }

    #[test]
    fn every_parameter_is_in_the_contract() {
        let told = souk_events::asyncapi::stream_parameters().map(|(name, _)| name);
        assert_eq!(PARAMS, told);
    }

    #[test]
    fn refuses_what_it_cannot_mean() {
        for (query, said) in [
            ("types=Created", "'Created' is none"),
            ("types=", "'' is none"),
            ("sellerId=a%20b", "'a b' is none"),
            ("sellerId=a,", "'' is none"),
            ("productId=1", "each a UUID"),
            ("named=yes", "must be 1 or 0"),
            ("seller=a", "'seller' is unknown"),
        ] {
            let detail = parse(query).unwrap_err();
            assert!(detail.contains(said), "{query}: {detail}");
        }
        let many = (0..101).map(|n| n.to_string()).collect::<Vec<_>>().join(",");
        assert!(parse(&format!("sellerId={many}")).unwrap_err().contains("at most 100"));
    }

    #[test]
    fn matches_every_dimension_that_is_given() {
        let filter = parse("sellerId=a,b&types=ProductCreated,ProductDeleted").unwrap();
        let product = ProductId(uuid::Uuid::nil());
        let takes = |kind, seller: &str| filter.matches(kind, &SellerId::new(seller).unwrap(), &product);
        assert!(takes(EventType::ProductCreated, "a") && takes(EventType::ProductDeleted, "b"));
        assert!(!takes(EventType::ProductUpdated, "a") && !takes(EventType::ProductCreated, "c"));
        assert_eq!(
            serde_json::to_string(&filter).unwrap(),
            r#"{"sellerId":["a","b"],"types":["ProductCreated","ProductDeleted"]}"#
        );
    }
}
