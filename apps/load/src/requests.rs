//! Request bytes and the few fields that are read of answers.

use std::io::Write;

use serde::Deserialize;
use souk_domain::{Reason, Reference};
use uuid::Uuid;

use crate::client::Target;
use crate::shop::{ShopLine, ShopProduct};

/// Category of every product of the shop.
const CATEGORY: &str = "retail";

/// Writing into a vector does not fail.
const INFALLIBLE: &str = "memory does not fail to be written";

/// Replaces `out` by a GET.
pub(crate) fn get(out: &mut Vec<u8>, target: &Target, path: &str) {
    out.clear();
    write!(
        out,
        "GET {}{path} HTTP/1.1\r\nHost: {}\r\nAccept: application/json\r\n\r\n",
        target.path, target.authority
    )
    .expect(INFALLIBLE);
}

/// Replaces `out` by a POST of JSON.
pub(crate) fn post(out: &mut Vec<u8>, target: &Target, path: &str, key: &str, body: &[u8]) {
    out.clear();
    write!(
        out,
        "POST {}{path} HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\nIdempotency-Key: {key}\r\n\
         Content-Length: {}\r\n\r\n",
        target.path,
        target.authority,
        body.len()
    )
    .expect(INFALLIBLE);
    out.extend_from_slice(body);
}

/// Replaces `out` by the body that creates a product.
pub(crate) fn product_body(out: &mut Vec<u8>, product: &ShopProduct) {
    #[derive(serde::Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Body<'a> {
        name: &'a souk_domain::Name,
        price: souk_domain::Price,
        stock: souk_domain::Stock,
        seller_id: &'a souk_domain::SellerId,
        sku: &'a souk_domain::Sku,
        category: &'a str,
    }
    out.clear();
    let body = Body {
        name: &product.name,
        price: product.price,
        stock: product.opening_stock,
        seller_id: &product.seller_id,
        sku: &product.sku,
        category: CATEGORY,
    };
    serde_json::to_writer(out, &body).expect(INFALLIBLE);
}

/// Replaces `out` by the body of an adjustment that brings in what is missing.
pub(crate) fn restock_body(out: &mut Vec<u8>, pieces: i64) {
    out.clear();
    write!(out, r#"{{"delta":{pieces},"reason":"restock","reference":"souk load"}}"#).expect(INFALLIBLE);
}

/// Appends one line of the file as an adjustment; with the product's id when it is part of an order.
pub(crate) fn line_body(
    out: &mut Vec<u8>,
    line: &ShopLine,
    product: Option<Uuid>,
    invoice: Option<&Reference>,
) {
    let reason = match line.reason() {
        Reason::Return => "return",
        _ => "sale",
    };
    out.push(b'{');
    if let Some(product) = product {
        write!(out, r#""productId":"{product}","#).expect(INFALLIBLE);
    }
    write!(out, r#""delta":{},"reason":"{reason}","#, line.delta.get()).expect(INFALLIBLE);
    if let Some(invoice) = invoice {
        out.extend_from_slice(br#""reference":"#);
        serde_json::to_writer(&mut *out, invoice).expect(INFALLIBLE);
        out.push(b',');
    }
    write!(out, r#""unitPrice":{},"occurredAt":"{}"}}"#, line.unit_price, line.occurred_at)
        .expect(INFALLIBLE);
}

/// A product as far as the proof needs it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ProductAnswer {
    pub id: Uuid,
    pub stock: i64,
    pub low_stock: bool,
    pub version: u64,
    pub updated_at: souk_domain::Timestamp,
}

/// The answer to an adjustment, or to a line of an order.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct AdjustmentAnswer {
    pub product: ProductAnswer,
    pub previous_stock: i64,
}

/// The answer to an order.
#[derive(Debug, Deserialize)]
pub(crate) struct OrderAnswer {
    pub items: Vec<AdjustmentAnswer>,
}

/// A problem document as far as it matters here.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct ProblemAnswer {
    pub code: String,
    pub detail: String,
    pub product_id: Option<Uuid>,
}

impl ProblemAnswer {
    /// Reads a body; one that is no problem document has no code.
    pub fn read(body: &[u8]) -> Self {
        serde_json::from_slice(body).unwrap_or_default()
    }
}

/// Returns a problem's code and detail as text; of another body, its beginning.
pub(crate) fn problem(body: &[u8]) -> String {
    /// Enough to recognise an answer by.
    const SHOWN: usize = 200;
    let problem = ProblemAnswer::read(body);
    if problem.code.is_empty() {
        String::from_utf8_lossy(&body[..body.len().min(SHOWN)]).into_owned()
    } else {
        format!("{}: {}", problem.code, problem.detail)
    }
}

#[cfg(test)]
mod tests {
    use souk_domain::Delta;

    use super::*;

    #[test]
    fn a_line_says_what_the_file_says() {
        let line = ShopLine {
            product: 0,
            delta: Delta::new(-3).unwrap(),
            unit_price: "2.55".parse().unwrap(),
            occurred_at: "2010-12-01T08:26:00Z".parse().unwrap(),
        };
        let invoice = Reference::new("A\"1").unwrap();
        let mut out = Vec::new();
        line_body(&mut out, &line, Some(Uuid::nil()), Some(&invoice));
        assert_eq!(
            String::from_utf8(out).unwrap(),
            r#"{"productId":"00000000-0000-0000-0000-000000000000","delta":-3,"reason":"sale","reference":"A\"1","unitPrice":2.55,"occurredAt":"2010-12-01T08:26:00.000Z"}"#
        );
        let back = ShopLine { delta: Delta::new(3).unwrap(), ..line };
        let mut out = Vec::new();
        line_body(&mut out, &back, None, None);
        assert_eq!(
            String::from_utf8(out).unwrap(),
            r#"{"delta":3,"reason":"return","unitPrice":2.55,"occurredAt":"2010-12-01T08:26:00.000Z"}"#
        );
    }

    #[test]
    fn problems_are_shown_by_code_and_detail() {
        assert_eq!(
            problem(br#"{"code":"overloaded","detail":"try later","status":503}"#),
            "overloaded: try later"
        );
        assert_eq!(problem(b"<html>"), "<html>");
    }
}
