//! Schemas of single values.

use serde_json::{Value, json};
use souk_domain::{
    Category, Description, Name, Phase, Price, Reason, Reference, SellerId, Sku, Stock, Version,
};

/// Letters, digits and what else ids are made of.
const ALPHABET: &str = "A-Za-z0-9._-";
/// Anything but NUL, which no store of text keeps.
const NO_NUL: &str = "^[^\\u0000]*$";

/// Returns the schema of a product's id.
pub fn product_id() -> Value {
    json!({
        "description": "A product's id, a UUID in its usual form; new ones are version 7, so that they sort by creation.",
        "type": "string",
        "format": "uuid",
        "pattern": "^[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}$",
    })
}

/// Returns the schema of a seller's id.
pub fn seller_id() -> Value {
    json!({
        "description": "A seller's id.",
        "type": "string",
        "minLength": 1,
        "maxLength": SellerId::MAX,
        "pattern": format!("^[{ALPHABET}]+$"),
    })
}

fn text(description: &str, min: usize, max: usize) -> Value {
    json!({
        "description": description,
        "type": "string",
        "minLength": min,
        "maxLength": max,
        "pattern": NO_NUL,
    })
}

/// Returns the schema of a name.
pub fn name() -> Value {
    text("What it is called.", Name::MIN, Name::MAX)
}

/// Returns the schema of a description.
pub fn description() -> Value {
    text("What there is to say about it.", Description::MIN, Description::MAX)
}

/// Returns the schema of a category.
pub fn category() -> Value {
    text("What kind of thing it is.", Category::MIN, Category::MAX)
}

/// Returns the schema of a sku.
pub fn sku() -> Value {
    text("The seller's own code, unique per seller.", Sku::MIN, Sku::MAX)
}

/// Returns the schema of what a move of stock refers to.
pub fn reference() -> Value {
    text("What it refers to, such as an invoice.", Reference::MIN, Reference::MAX)
}

/// Returns the schema of a price. Its digits are few enough that a double holds it: the shortest decimal is exact.
pub fn price() -> Value {
    let step = 10_f64.powi(-i32::try_from(Price::FRACTION_DIGITS).expect("a handful of digits"));
    json!({
        "description": format!("The price of one piece, exact: at most {} digits after the point.", Price::FRACTION_DIGITS),
        "type": "number",
        "minimum": 0,
        "maximum": Price::MAX,
        "multipleOf": step,
    })
}

/// Returns the schema of a sum of money, exact and therefore a text.
pub fn amount() -> Value {
    json!({
        "description": "A sum of money: an exact decimal in a text, of any sign.",
        "type": "string",
        "pattern": format!("^-?(0|[1-9][0-9]*)(\\.[0-9]{{1,{}}})?$", Price::FRACTION_DIGITS),
    })
}

/// Returns the schema of a stock.
pub fn stock() -> Value {
    json!({
        "description": "Pieces at hand.",
        "type": "integer",
        "minimum": 0,
        "maximum": Stock::MAX,
    })
}

/// Returns the schema of a product's own threshold, where it has one.
pub fn threshold() -> Value {
    let mut schema = stock();
    schema["description"] =
        json!("Below this stock it is low; null: the installation's LOW_STOCK_THRESHOLD applies.");
    schema
}

/// Returns the schema of the figure that tells whether a product is low.
pub fn low_stock() -> Value {
    json!({
        "description": "Whether the stock was below the threshold after the last change.",
        "type": "boolean",
    })
}

/// Returns the schema of a version.
pub fn version() -> Value {
    json!({
        "description": "1 when created, one more with each change, without holes.",
        "type": "integer",
        "minimum": Version::FIRST,
    })
}

/// Returns the schema of a time as souk writes it.
pub fn time(description: &str) -> Value {
    json!({
        "description": description,
        "type": "string",
        "format": "date-time",
        "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\\.[0-9]{3}Z$",
    })
}

/// Returns the schema of a time as souk reads it: RFC 3339 with any offset.
pub fn time_to_send(description: &str) -> Value {
    json!({"description": description, "type": "string", "format": "date-time"})
}

/// Returns the schema of a reason.
pub fn reason() -> Value {
    json!({
        "description": "Why stock moved. Only `sale` and `return` count as units and revenue.",
        "type": "string",
        "enum": Reason::ALL,
    })
}

/// Returns the schema of the mark of what was taken over from another system.
pub fn migration() -> Value {
    let source = super::described(reference(), "The name of the source, such as app.products.");
    let about =
        "The step of the migration: `copy` is what was there, `follow` a change while both systems run.";
    super::object(
        "The other system that it was taken over from; absent where it was decided here.",
        &[("source", source), ("phase", json!({"description": about, "enum": Phase::ALL}))],
    )
}

/// Returns the schema of a position in the log.
pub fn position() -> Value {
    json!({
        "description": "A position in the log as a whole: its identity, and the next offset of every partition.",
        "type": "string",
        "pattern": format!("^[{ALPHABET}]+$"),
    })
}
