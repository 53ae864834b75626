//! What the descriptions of the calls share: the schemas of bodies, made from the lists of fields that the bodies are read
//! with, and examples that the answers' own code writes.

use std::sync::Arc;

use serde_json::{Map, Value, json};
use souk_domain::{Direction, EventType, Reason, Stock};
use souk_events::schema::{PRODUCT, described, nullable, object, reference, schemas, values};
use souk_http::openapi::{Contract, Parameter};
use souk_ports::{Answer, Applied};

use crate::{etag, fields, idempotency};

/// Calls about products.
pub(crate) const PRODUCTS: (&str, &str) = ("products", "Products of sellers: create, read, change, delete.");
/// Calls about stock.
pub(crate) const STOCK: (&str, &str) = ("stock", "Moves of stock, one or many at once, with their reasons.");

/// The media type of bodies.
pub(crate) const JSON: &str = "application/json";

/// Returns the contract without its calls.
pub(crate) fn contract() -> Contract {
    let own = [
        ("NewProduct", new_product()),
        ("ProductReplacement", replacement()),
        ("ProductPatch", patch()),
        ("StockAdjustment", adjustment(&fields::ADJUSTMENT)),
        ("OrderLine", adjustment(&fields::LINE)),
        ("Order", order_schema()),
        ("Adjusted", adjusted()),
        ("Ordered", ordered()),
    ];
    let product = schemas().into_iter().filter(|(name, _)| name == PRODUCT);
    Contract::new(&[PRODUCTS, STOCK])
        .with_schemas(own.map(|(name, schema)| (name.to_owned(), schema)))
        .with_schemas(product)
}

/// Returns a reference to a schema of that name.
pub(crate) fn named(name: &str) -> Value {
    reference(name)
}

/// Returns a reference to the product's schema.
pub(crate) fn product() -> Value {
    reference(PRODUCT)
}

/// Returns the schema of a field of a request.
fn field(name: &str) -> Value {
    match name {
        "name" => values::name(),
        "price" => values::price(),
        "stock" => values::stock(),
        "quantity" => {
            described(values::stock(), "Another name for `stock`, for front ends of the older system.")
        }
        "sellerId" => values::seller_id(),
        "sku" => nullable(values::sku()),
        "description" => nullable(values::description()),
        "category" => nullable(values::category()),
        "lowStockThreshold" => nullable(values::threshold()),
        "id" | "productId" => values::product_id(),
        "lowStock" => values::low_stock(),
        "version" => values::version(),
        "createdAt" => values::time_to_send("When it was created."),
        "updatedAt" => values::time_to_send("When it last changed."),
        "delta" => json!({
            "description": "By how many pieces the stock moves; below 0 for fewer.",
            "type": "integer",
            "minimum": -Stock::MAX.get(),
            "maximum": Stock::MAX.get(),
            "not": {"const": 0},
        }),
        "reason" => values::reason(),
        "reference" => nullable(values::reference()),
        "unitPrice" => nullable(described(
            values::price(),
            "The price of one piece, where it differs from the product's.",
        )),
        "occurredAt" => nullable(values::time_to_send(
            "When it happened, where that is not now; not in the future by more than 5 minutes.",
        )),
        "changeFrom" => {
            nullable(described(values::stock(), "The stock that the caller believes to be there."))
        }
        other => unreachable!("the field {other} is not described"),
    }
}

/// Returns an object that may have the fields that its body is read with, and no others.
fn body(description: &str, known: &[&str], required: &[&str]) -> Value {
    let properties: Map<String, Value> = known.iter().map(|name| ((*name).to_owned(), field(name))).collect();
    json!({
        "description": description,
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": false,
    })
}

/// Asks for the stock under one of its names.
fn one_stock() -> Value {
    json!([{"required": ["stock"]}, {"required": ["quantity"]}])
}

fn new_product() -> Value {
    let mut schema = body(
        "A product to create. `sellerId` may be left out where X-Seller-Id names the seller.",
        &fields::CREATE,
        &["name", "price"],
    );
    schema["oneOf"] = one_stock();
    schema
}

/// Marks what has to equal what is there.
fn read_only(mut schema: Value) -> Value {
    for name in ["id", "sellerId", "lowStock", "version", "createdAt", "updatedAt"] {
        let field = &mut schema["properties"][name];
        let about = field["description"].as_str().unwrap_or_default();
        let about = format!("{about} Read-only: it has to equal what is there.");
        field["description"] = json!(about);
    }
    schema
}

fn replacement() -> Value {
    let about = "Everything of a product that can change; what is not there is cleared.";
    let mut schema = read_only(body(about, &fields::CHANGE, &["name", "price"]));
    schema["oneOf"] = one_stock();
    schema
}

fn patch() -> Value {
    let about = "The fields to change (RFC 7396); null clears where it is possible.";
    let mut schema = read_only(body(about, &fields::CHANGE, &[]));
    schema["not"] = json!({"required": ["stock", "quantity"]});
    schema
}

/// Returns the schema of a move of stock; the reason decides on the sign.
fn adjustment(known: &[&str]) -> Value {
    let reasons = |direction| -> Vec<Reason> {
        Reason::ALL.into_iter().filter(|reason| reason.direction() == direction).collect()
    };
    let rule = |direction, delta: Value| json!({"properties": {"reason": {"enum": reasons(direction)}, "delta": delta}});
    let required: Vec<&str> =
        known.iter().copied().filter(|name| matches!(*name, "productId" | "delta" | "reason")).collect();
    let mut schema = body("A move of stock and why.", known, &required);
    schema["anyOf"] = json!([
        rule(Some(Direction::Down), json!({"exclusiveMaximum": 0})),
        rule(Some(Direction::Up), json!({"exclusiveMinimum": 0})),
        rule(None, json!({})),
    ]);
    schema
}

fn order_schema() -> Value {
    let [items] = fields::ORDER;
    json!({
        "description": "Moves that take effect together or not at all.",
        "type": "object",
        "required": [items],
        "additionalProperties": false,
        "properties": {(items): {
            "description": "A line for each move.",
            "type": "array",
            "minItems": 1,
            "maxItems": fields::MAX_LINES,
            "items": reference("OrderLine"),
        }},
    })
}

fn adjusted() -> Value {
    object(
        "A product after a move of its stock.",
        &[
            ("product", product()),
            ("previousStock", nullable(described(values::stock(), "The stock before."))),
        ],
    )
}

fn ordered() -> Value {
    let items = json!({"description": "One for each line.", "type": "array", "minItems": 1, "items": reference("Adjusted")});
    object("What an order came to.", &[("items", items)])
}

/// Returns the body that an answer has for the product of the golden fixtures.
pub(crate) fn example(answer: fn(&[Applied]) -> Answer) -> Value {
    let event = souk_events::decode(souk_events::fixture(EventType::ProductUpdated).as_bytes());
    let product = event.expect("fixtures are events").product;
    let applied = Applied { product: Arc::clone(&product), previous_stock: Stock::new(10), changed: true };
    serde_json::from_slice(&answer(&[applied]).body).expect("answers are JSON")
}

/// A product's id in examples: that of the golden fixtures.
fn example_id() -> Value {
    let event = souk_events::Envelope::read(souk_events::fixture(EventType::ProductCreated).as_bytes());
    json!(event.expect("fixtures are events").subject)
}

/// Returns the body of a create with what has to be there.
pub(crate) fn least_product() -> Value {
    json!({"name": "Test Product", "price": 99.99, "stock": 10, "sellerId": "seller1"})
}

/// Returns the body of a create with everything.
pub(crate) fn whole_product() -> Value {
    json!({
        "name": "Lantern",
        "price": 4.25,
        "stock": 10,
        "sellerId": "seller1",
        "sku": "85123A",
        "description": "Holds a tea light.",
        "category": "garden",
        "lowStockThreshold": 3,
    })
}

/// Returns the body of a sale.
pub(crate) fn sale() -> Value {
    json!({
        "delta": -3,
        "reason": "sale",
        "reference": "536365",
        "unitPrice": 2.55,
        "occurredAt": "2010-12-01T08:26:00Z",
        "changeFrom": 10,
    })
}

/// Returns the body of an order.
pub(crate) fn order() -> Value {
    json!({"items": [{"productId": example_id(), "delta": -1, "reason": "sale", "reference": "536365"}]})
}

/// The product in the path.
pub(crate) fn id() -> Parameter {
    Parameter::path("id", described(values::product_id(), "The product."), example_id())
}

/// The condition of a change.
pub(crate) fn if_match() -> Parameter {
    let about = "The ETag of the version that the change was made for, or several, or *: else 412. If-None-Match is refused with 400.";
    Parameter::header("If-Match", tags(about), "\"1\"")
}

/// The version that the client has.
pub(crate) fn if_none_match() -> Parameter {
    let about = "The ETag of the version at hand, or several, or *: 304 when it is still that one.";
    Parameter::header("If-None-Match", tags(about), "\"1\"")
}

fn tags(about: &str) -> Value {
    json!({"description": about, "type": "string", "pattern": etag::LIST_PATTERN})
}

/// The key that makes a retry harmless.
pub(crate) fn idempotency_key() -> Parameter {
    let schema = json!({
        "description": "Makes a retry harmless: the same key with the same request is carried out once, and answered alike \
                        for 24 hours. Installation-wide; printable ASCII.",
        "type": "string",
        "minLength": 1,
        "maxLength": idempotency::MAX_LENGTH,
        "pattern": "^[!-~]([ -~]*[!-~])?$",
    });
    Parameter::header("Idempotency-Key", schema, "order-536365")
}

/// The seller of a create.
pub(crate) fn seller_header() -> Parameter {
    let about = "The seller, where the body does not say; they have to agree where both do.";
    Parameter::header("X-Seller-Id", described(values::seller_id(), about), "seller1")
}

/// The seller of a change, which never changes.
pub(crate) fn seller_of_product() -> Parameter {
    let about = "The product's seller, which cannot be changed: where it is given, here or in the body, it has to be that one.";
    Parameter::header("X-Seller-Id", described(values::seller_id(), about), "seller1")
}
