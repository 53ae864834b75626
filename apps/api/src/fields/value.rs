//! Reads single values from their raw JSON text, exactly.

use std::borrow::Cow;
use std::sync::Arc;

use serde_json::value::RawValue;
use souk_domain::{
    Amount, Delta, NumberError, Price, ProductId, Reason, SellerId, Stock, TextError, Timestamp, Version,
};
use souk_http::FaultCode;

use crate::request::parse_product_id;

/// What is wrong with a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fault {
    pub(super) code: FaultCode,
    pub(super) detail: Cow<'static, str>,
}

impl Fault {
    pub(super) fn new(code: FaultCode, detail: impl Into<Cow<'static, str>>) -> Self {
        Self { code, detail: detail.into() }
    }

    fn wrong_type(expected: &str, raw: &RawValue) -> Self {
        let actual = match raw.get().as_bytes().first() {
            Some(b'"') => "a string",
            Some(b'{') => "an object",
            Some(b'[') => "an array",
            Some(b't' | b'f') => "true or false",
            Some(b'n') => "null",
            _ => "a number",
        };
        Self::new(FaultCode::Type, format!("must be {expected}, not {actual}"))
    }
}

pub(super) type Parsed<T> = Result<T, Fault>;

/// Reads a string, borrowed unless it holds escapes.
pub(super) fn string(raw: &RawValue) -> Parsed<Cow<'_, str>> {
    let json = raw.get();
    let Some(inside) = json.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) else {
        return Err(Fault::wrong_type("a string", raw));
    };
    if !inside.contains('\\') {
        return Ok(Cow::Borrowed(inside));
    }
    // The syntax was checked when the value was split off; only what escapes stand for was not.
    serde_json::from_str::<String>(json).map(Cow::Owned).map_err(|_| {
        Fault::new(FaultCode::Format, "must be valid Unicode, but holds half of a surrogate pair")
    })
}

/// Reads a string that `make` checks.
pub(super) fn text<T>(
    make: impl FnOnce(Arc<str>) -> Result<T, TextError>,
) -> impl FnOnce(&RawValue) -> Parsed<T> {
    move |raw| make(Arc::from(&*string(raw)?)).map_err(text_fault)
}

fn text_fault(error: TextError) -> Fault {
    let code = match error {
        TextError::Length { .. } => FaultCode::Length,
        TextError::Nul | TextError::Alphabet => FaultCode::Format,
    };
    Fault::new(code, error.to_string())
}

/// Reads a seller's id.
pub(super) fn seller_id(raw: &RawValue) -> Parsed<SellerId> {
    text(SellerId::new)(raw)
}

/// Reads a price: any way of writing it that JSON has, as long as it is exact.
pub(super) fn price(raw: &RawValue) -> Parsed<Price> {
    let json = number(raw, "a number")?;
    json.parse().map_err(|error| match error {
        NumberError::FractionDigits => Fault::new(FaultCode::Range, error.to_string()),
        // It is a number by JSON's grammar, so only its exponent can be beyond reading.
        NumberError::Range | NumberError::NotANumber => {
            Fault::new(FaultCode::Range, NumberError::Range.to_string())
        }
    })
}

/// Reads a whole number, in any way of writing it that JSON has: `10`, `10.0` and `1e1` are the same number to JSON,
/// and some serialisers write them so.
fn integer(raw: &RawValue) -> Parsed<Option<i64>> {
    let json = number(raw, "a whole number")?;
    if let Ok(plain) = json.parse() {
        return Ok(Some(plain));
    }
    const ONE: i128 = 10_000;
    match json.parse::<Amount>().map(Amount::units) {
        Ok(units) if units % ONE == 0 => Ok(i64::try_from(units / ONE).ok()),
        Ok(_) | Err(NumberError::FractionDigits) => {
            Err(Fault::new(FaultCode::Type, "must be a whole number"))
        }
        // Beyond what fits: the caller knows the range.
        Err(NumberError::Range | NumberError::NotANumber) => Ok(None),
    }
}

fn number<'a>(raw: &'a RawValue, expected: &str) -> Parsed<&'a str> {
    match raw.get().as_bytes().first() {
        Some(b'-' | b'0'..=b'9') => Ok(raw.get()),
        _ => Err(Fault::wrong_type(expected, raw)),
    }
}

/// Reads a stock or threshold.
pub(super) fn stock(raw: &RawValue) -> Parsed<Stock> {
    integer(raw)?.and_then(Stock::new).ok_or_else(|| {
        Fault::new(FaultCode::Range, format!("must be a whole number from 0 to {}", Stock::MAX.get()))
    })
}

/// Reads by how much stock moves.
pub(super) fn delta(raw: &RawValue) -> Parsed<Delta> {
    integer(raw)?.and_then(Delta::new).ok_or_else(|| {
        let max = Stock::MAX.get();
        Fault::new(FaultCode::Range, format!("must be a whole number from -{max} to {max}, but not 0"))
    })
}

/// Reads a version.
pub(super) fn version(raw: &RawValue) -> Parsed<Version> {
    integer(raw)?
        .and_then(|number| u64::try_from(number).ok())
        .map(Version)
        .filter(|version| *version >= Version::FIRST)
        .ok_or_else(|| Fault::new(FaultCode::Range, "must be a whole number from 1"))
}

/// Reads `true` or `false`.
pub(super) fn boolean(raw: &RawValue) -> Parsed<bool> {
    match raw.get() {
        "true" => Ok(true),
        "false" => Ok(false),
        _ => Err(Fault::wrong_type("true or false", raw)),
    }
}

/// Reads a point in time.
pub(super) fn timestamp(raw: &RawValue) -> Parsed<Timestamp> {
    string(raw)?.parse().map_err(|_| {
        Fault::new(FaultCode::Format, "must be a time as in RFC 3339, such as 2010-12-01T08:26:00.000Z")
    })
}

/// Reads a product's id.
pub(super) fn product_id(raw: &RawValue) -> Parsed<ProductId> {
    parse_product_id(&string(raw)?)
        .ok_or_else(|| Fault::new(FaultCode::Format, "must be a product's id, a UUID"))
}

/// Reads why stock moves.
pub(super) fn reason(raw: &RawValue) -> Parsed<Reason> {
    Reason::parse(&string(raw)?).ok_or_else(|| {
        let known = Reason::ALL.map(Reason::as_str).join(", ");
        Fault::new(FaultCode::Format, format!("must be one of {known}"))
    })
}
