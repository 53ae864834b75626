//! Bodies that move stock: a single adjustment, an order of several lines.

use bytes::Bytes;
use serde_json::value::RawValue;
use souk_domain::{Adjustment, ProductId, Reference, Timestamp};
use souk_http::{Code, FaultCode, FieldError, Problem};

use super::object::Object;
use super::value::{self, Fault, Parsed};
use super::{checked, text};

pub(crate) const ADJUSTMENT: [&str; 6] =
    ["delta", "reason", "reference", "unitPrice", "occurredAt", "changeFrom"];
pub(crate) const LINE: [&str; 7] =
    ["productId", "delta", "reason", "reference", "unitPrice", "occurredAt", "changeFrom"];
pub(crate) const ORDER: [&str; 1] = ["items"];

/// Most lines of an order: what one transaction carries without holding others up.
pub(crate) const MAX_LINES: usize = 500;

/// How far `occurredAt` may lie in the future: clocks of tills are not exact.
const MAX_AHEAD_MILLIS: i64 = 5 * 60 * 1000;

/// Reads the body of a single adjustment.
pub(crate) fn adjustment(body: &Bytes, now: Timestamp) -> Result<Adjustment, Problem> {
    let mut faults = Vec::new();
    let mut object = Object::parse(text(body)?, &ADJUSTMENT, String::new(), &mut faults)?;
    let adjustment = adjustment_fields(&mut object, now);
    checked(adjustment, faults)
}

/// Reads the body of an order: its lines in their order.
pub(crate) fn order(body: &Bytes, now: Timestamp) -> Result<Vec<(ProductId, Adjustment)>, Problem> {
    let mut faults = Vec::new();
    let mut object = Object::parse(text(body)?, &ORDER, String::new(), &mut faults)?;
    let Some(raw_lines) = object.required("items", lines) else { return checked(None, faults) };
    let mut lines = Vec::with_capacity(raw_lines.len());
    for (index, raw) in raw_lines.iter().enumerate() {
        lines.extend(line(raw, format!("/items/{index}"), now, &mut faults)?);
    }
    checked(Some(lines), faults)
}

fn lines<'a>(raw: &'a RawValue) -> Parsed<Vec<&'a RawValue>> {
    let lines: Vec<&'a RawValue> = serde_json::from_str(raw.get())
        .map_err(|_| Fault::new(FaultCode::Type, format!("must be an array of 1 to {MAX_LINES} lines")))?;
    if (1..=MAX_LINES).contains(&lines.len()) {
        return Ok(lines);
    }
    let detail = format!("must have 1 to {MAX_LINES} lines, not {}", lines.len());
    Err(Fault::new(FaultCode::Length, detail))
}

fn line(
    raw: &RawValue,
    pointer: String,
    now: Timestamp,
    faults: &mut Vec<FieldError>,
) -> Result<Option<(ProductId, Adjustment)>, Problem> {
    if !raw.get().starts_with('{') {
        faults.push(FieldError::new(pointer, FaultCode::Type, "must be a JSON object"));
        return Ok(None);
    }
    let mut object = Object::parse(raw.get(), &LINE, pointer.clone(), faults).map_err(|problem| {
        Problem::new(Code::MalformedRequest, format!("{pointer}: {}", problem.detail()))
    })?;
    let product_id = object.required("productId", value::product_id);
    let adjustment = adjustment_fields(&mut object, now);
    Ok(product_id.zip(adjustment))
}

/// Reads what a single adjustment and a line have in common; `None` after a fault.
fn adjustment_fields(object: &mut Object<'_, '_>, now: Timestamp) -> Option<Adjustment> {
    let delta = object.required("delta", value::delta);
    let reason = object.required("reason", value::reason);
    let reference = object.nullable("reference", value::text(Reference::new)).flatten();
    let unit_price = object.nullable("unitPrice", value::price).flatten();
    let occurred_at = object.nullable("occurredAt", |raw| occurred_at(raw, now)).flatten();
    let change_from = object.nullable("changeFrom", value::stock).flatten();
    match Adjustment::new(delta?, reason?) {
        Ok(mut adjustment) => {
            adjustment.reference = reference;
            adjustment.unit_price = unit_price;
            adjustment.occurred_at = occurred_at;
            adjustment.change_from = change_from;
            Some(adjustment)
        }
        Err(error) => {
            object.fault("delta", Fault::new(FaultCode::Conflict, error.to_string()));
            None
        }
    }
}

fn occurred_at(raw: &RawValue, now: Timestamp) -> Parsed<Timestamp> {
    let time = value::timestamp(raw)?;
    if time.millis() > now.millis() + MAX_AHEAD_MILLIS {
        return Err(Fault::new(
            FaultCode::Range,
            format!("must not lie more than 5 minutes in the future; it is {now}"),
        ));
    }
    Ok(time)
}
