//! Problem documents in the document: a schema and an example for each code, the example written by [`Problem`] itself.

use http::HeaderValue;
use serde_json::{Map, Value, json};
use souk_events::schema::{described, nullable, values, with_optional};

use super::operation::headers_of;
use crate::{BODY_LIMIT, Code, FaultCode, FieldError, Problem};

/// Media type of problem documents.
const PROBLEM_JSON: &str = "application/problem+json";

/// A product's id in examples.
const PRODUCT_ID: &str = "01990000-0000-7000-8000-000000000001";

/// Codes that a line of an order may be refused with.
const OF_LINES: [Code; 4] =
    [Code::InsufficientStock, Code::StockChanged, Code::NotFound, Code::ValidationFailed];

/// Returns the name of a code's schema and example: `SkuTakenProblem`.
fn name(code: Code) -> String {
    let words = code.as_str().split('-').map(|word| {
        let (first, rest) = word.split_at(1);
        first.to_ascii_uppercase() + rest
    });
    words.collect::<String>() + "Problem"
}

/// Returns every code's schema by name.
pub(super) fn schemas() -> impl Iterator<Item = (String, Value)> {
    Code::ALL.into_iter().map(|code| (name(code), schema(code)))
}

/// Returns every code's example by name.
pub(super) fn examples() -> impl Iterator<Item = (String, Value)> {
    Code::ALL.into_iter().map(|code| {
        let id = HeaderValue::from_static("8c2f6b1f9d3e4a57-0000000001");
        let document = example(code).document(Some(instance(code)), Some(&id));
        let value: Value = serde_json::from_slice(&document).expect("problem documents are JSON");
        (name(code), json!({"summary": code.title(), "description": code.explanation(), "value": value}))
    })
}

/// Returns the response that has any of these codes, which share a status.
pub(super) fn response(codes: &[Code]) -> Value {
    let titles: Vec<String> =
        codes.iter().map(|code| format!("`{}`: {}", code.as_str(), code.title())).collect();
    let headers: Map<String, Value> = codes
        .iter()
        .flat_map(|code| headers_of(*code))
        .map(|header| (header.to_owned(), json!({"$ref": format!("#/components/headers/{header}")})))
        .collect();
    json!({
        "description": titles.join("; "),
        "headers": headers,
        "content": {PROBLEM_JSON: content(codes)},
    })
}

/// Adds these codes to a response that is there for another reason; their headers then depend on which it is.
pub(super) fn add_to(response: &mut Value, codes: &[Code]) {
    response["content"][PROBLEM_JSON] = content(codes);
}

fn content(codes: &[Code]) -> Value {
    let refer = |code: &Code| json!({"$ref": format!("#/components/schemas/{}", name(*code))});
    let schema = match codes {
        [one] => refer(one),
        several => json!({"oneOf": several.iter().map(refer).collect::<Vec<_>>()}),
    };
    let examples: Map<String, Value> = codes
        .iter()
        .map(|code| {
            (code.as_str().to_owned(), json!({"$ref": format!("#/components/examples/{}", name(*code))}))
        })
        .collect();
    json!({"schema": schema, "examples": examples})
}

fn schema(code: Code) -> Value {
    let mut fields = vec![
        (
            "type",
            json!({"description": "A page that explains it.", "const": format!("/problems/{}", code.as_str())}),
        ),
        ("title", json!({"description": "What it is, in short.", "const": code.title()})),
        ("status", json!({"description": "The status of the answer.", "const": code.status().as_u16()})),
        (
            "detail",
            json!({"description": "What is wrong in this request, and what to do.", "type": "string"}),
        ),
        (
            "instance",
            json!({"description": "The path that was asked for; empty when it cannot be read.", "type": "string"}),
        ),
        ("code", json!({"description": "What programs branch on.", "const": code.as_str()})),
        ("requestId", json!({"description": "As in X-Request-Id.", "type": "string"})),
    ];
    let id = ("productId", values::product_id());
    let stock = ("stock", at_hand());
    let errors = ("errors", errors());
    let mut sometimes = Vec::new();
    match code {
        Code::InsufficientStock | Code::StockChanged => {
            fields.extend([id, stock]);
            sometimes.push(errors);
        }
        Code::SkuTaken => fields.push(id),
        Code::PreconditionFailed => fields.extend([id, ("version", values::version())]),
        // Of a path that is no product's there is no id.
        Code::NotFound => sometimes.extend([id, errors]),
        Code::ValidationFailed => {
            fields.push(errors);
            // When the change would take the stock above what a product can have.
            sometimes.extend([id, stock]);
        }
        Code::MalformedRequest
        | Code::MethodNotAllowed
        | Code::PayloadTooLarge
        | Code::UnsupportedMediaType
        | Code::IdempotencyKeyReused
        | Code::Overloaded
        | Code::OutcomeUnknown
        | Code::OriginRefused
        | Code::DemoRefused
        | Code::Internal => {}
    }
    with_optional(code.explanation(), &fields, &sometimes)
}

/// Returns the schema of the stock that a refusal tells.
fn at_hand() -> Value {
    let about = "What is at hand: the product's stock as it is, since nothing was written. Not what lines of the same \
                 order on the same product would have left of it; `detail` tells that.";
    described(values::stock(), about)
}

/// Returns the schema of the faults of single fields, or of single lines of an order.
fn errors() -> Value {
    let codes: Vec<&str> = FaultCode::ALL
        .iter()
        .map(|code| code.as_str())
        .chain(OF_LINES.iter().map(|code| code.as_str()))
        .collect();
    let fault = with_optional(
        "A fault of one field, or of one line of an order.",
        &[
            ("pointer", json!({"description": "Where: a JSON pointer (RFC 6901).", "type": "string"})),
            ("code", json!({"description": "What kind of fault.", "enum": codes})),
            ("detail", json!({"description": "What to do.", "type": "string"})),
        ],
        &[("productId", values::product_id()), ("stock", nullable(at_hand()))],
    );
    json!({"description": "Every fault, at once.", "type": "array", "minItems": 1, "items": fault})
}

fn instance(code: Code) -> &'static str {
    match code {
        Code::InsufficientStock | Code::StockChanged | Code::PreconditionFailed | Code::NotFound => {
            "/products/01990000-0000-7000-8000-000000000001"
        }
        Code::OriginRefused | Code::DemoRefused => "/demo",
        _ => "/products",
    }
}

fn example(code: Code) -> Problem {
    let problem = |detail: &str| Problem::new(code, detail);
    match code {
        Code::MalformedRequest => problem("query parameters: 'limt' is unknown; known are: limit, cursor"),
        Code::ValidationFailed => problem("/price must be from 0 to 1000000000; /nmae is unknown; known are name, price")
            .with_errors(vec![
                FieldError::new("/price", FaultCode::Range, "must be from 0 to 1000000000"),
                FieldError::new("/nmae", FaultCode::Unknown, "is unknown; known are name, price"),
            ]),
        Code::NotFound => problem(&format!("product {PRODUCT_ID} does not exist: list products with GET /products")).with("productId", PRODUCT_ID),
        Code::MethodNotAllowed => problem("PUT is not possible on /products; the Allow header lists what is"),
        Code::InsufficientStock => problem(&format!(
            "product {PRODUCT_ID} has 2 in stock, less than the change takes: order at most 2"
        ))
            .with("productId", PRODUCT_ID)
            .with("stock", 2),
        Code::StockChanged => {
            problem(&format!(
                "product {PRODUCT_ID} has 7 in stock, which is not what changeFrom says: read it again and send the \
                 change anew"
            ))
                .with("productId", PRODUCT_ID)
                .with("stock", 7)
        }
        Code::SkuTaken => problem(&format!(
            "sku is taken by product {PRODUCT_ID} of the same seller: change that product, or choose another sku"
        ))
        .with("productId", PRODUCT_ID),
        Code::PreconditionFailed => problem(&format!(
            "product {PRODUCT_ID} is at version 4, which If-Match does not name: read it again and repeat the change"
        ))
        .with("productId", PRODUCT_ID)
        .with("version", 4),
        Code::PayloadTooLarge => problem(&format!("the body is larger than {BODY_LIMIT} bytes: send less at once")),
        Code::UnsupportedMediaType => {
            problem("the body is text/plain: send JSON with 'Content-Type: application/json'")
        }
        Code::IdempotencyKeyReused => {
            problem("the Idempotency-Key was used by another request: use a new key for a new request")
        }
        Code::OriginRefused => {
            problem("'https://elsewhere.example' may not ask for the demo: open the dashboard itself and ask there")
        }
        Code::DemoRefused => problem("the shop has products already, and the sample is for an empty one"),
        Code::Overloaded => problem("too many writes wait; nothing was written, repeat it shortly"),
        Code::OutcomeUnknown => problem(
            "the store went away during the commit: repeat the request with the same Idempotency-Key, or look whether \
             it took effect",
        ),
        Code::Internal => Problem::internal("an example has no cause"),
    }
}
