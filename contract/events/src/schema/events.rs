//! Schemas of the product and of each event.

use serde_json::{Value, json};
use souk_domain::EventType;

use super::{described, nullable, object, reference, values, with_optional};
use crate::{DATA_CONTENT_TYPE, SOURCE, SPEC_VERSION};

/// The schema of a product.
pub const PRODUCT: &str = "Product";
/// The schema of what changed.
pub const CHANGES: &str = "Changes";
/// The schema of any event.
pub const EVENT: &str = "Event";

pub(super) fn product() -> Value {
    object(
        "A product as it stands.",
        &[
            ("id", values::product_id()),
            ("sellerId", values::seller_id()),
            ("sku", nullable(values::sku())),
            ("name", values::name()),
            ("description", nullable(values::description())),
            ("category", values::category()),
            ("price", values::price()),
            ("stock", values::stock()),
            ("lowStockThreshold", nullable(values::threshold())),
            ("lowStock", values::low_stock()),
            ("version", values::version()),
            ("createdAt", values::time("When it was created.")),
            ("updatedAt", values::time("When it last changed.")),
        ],
    )
}

pub(super) fn changes() -> Value {
    let change = |of: Value| object("Before and after.", &[("from", of.clone()), ("to", of)]);
    with_optional(
        "The fields that changed, named as in the product.",
        &[],
        &[
            ("sku", change(nullable(values::sku()))),
            ("name", change(values::name())),
            ("description", change(nullable(values::description()))),
            ("category", change(values::category())),
            ("price", change(values::price())),
            ("stock", change(values::stock())),
            ("lowStockThreshold", change(nullable(values::threshold()))),
            ("lowStock", change(values::low_stock())),
        ],
    )
}

pub(super) fn any() -> Value {
    let each: Vec<Value> = EventType::ALL.map(|kind| reference(kind.as_str())).into();
    json!({"description": "Any of the events; `type` tells which.", "oneOf": each})
}

pub(super) fn event(kind: EventType) -> Value {
    object(
        what(kind),
        &[
            ("specversion", json!({"description": "The version of CloudEvents.", "const": SPEC_VERSION})),
            ("id", json!({"description": "Unique.", "type": "string", "format": "uuid"})),
            ("source", json!({"description": "Where it comes from.", "const": SOURCE})),
            ("type", json!({"description": "What happened.", "const": kind.as_str()})),
            (
                "subject",
                described(values::product_id(), "The product's id, and the key of the record in Kafka."),
            ),
            ("time", values::time("When it was decided.")),
            ("datacontenttype", json!({"description": "What `data` is.", "const": DATA_CONTENT_TYPE})),
            ("sellerid", values::seller_id()),
            ("data", data(kind)),
        ],
    )
}

fn what(kind: EventType) -> &'static str {
    match kind {
        EventType::ProductCreated => "A product was created. Its version is 1, or the one after its last.",
        EventType::ProductUpdated => "Something of a product changed, stock included.",
        EventType::ProductDeleted => "A product was deleted; `product` is as it was last.",
        EventType::LowStockWarning => {
            "Stock went from at or above the threshold to below it, or a product was created below it; once per \
             crossing. Has the version of the event that caused it."
        }
        EventType::StockReplenished => {
            "Stock came back to or above the threshold. Has the version of the event that caused it."
        }
    }
}

fn data(kind: EventType) -> Value {
    let version =
        ("version", described(values::version(), "The product's version that this event made, or shares."));
    let product = ("product", reference(PRODUCT));
    let happened = "When it happened, where that was not when it was decided.";
    // Any event may be one that was taken over from another system.
    let mut sometimes = vec![("occurredAt", values::time(happened)), ("migration", values::migration())];
    match kind {
        EventType::ProductCreated | EventType::ProductDeleted => {
            with_optional("The product.", &[version, product], &sometimes)
        }
        EventType::ProductUpdated => {
            sometimes.extend([
                ("reason", values::reason()),
                ("reference", values::reference()),
                ("unitPrice", described(values::price(), "The price of one piece in this sale or return.")),
            ]);
            let always = [version, product, ("changes", reference(CHANGES))];
            with_optional("The product, what changed and, where stock was moved, why.", &always, &sometimes)
        }
        EventType::LowStockWarning | EventType::StockReplenished => {
            let before = described(values::stock(), "The stock before; null on a create.");
            let always = [
                version,
                product,
                ("stock", described(values::stock(), "The stock after.")),
                ("previousStock", nullable(before)),
                ("threshold", described(values::stock(), "The threshold that applied.")),
            ];
            with_optional("The product and the crossing.", &always, &sometimes)
        }
    }
}
