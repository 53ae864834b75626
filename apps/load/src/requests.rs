//! Request bodies and the few fields that are read of answers.

use std::io::Write;

use serde::Deserialize;
pub(crate) use souk_client::{ProblemAnswer, post, problem};
use souk_domain::{Reason, Reference};
use uuid::Uuid;

use crate::shop::{ShopLine, ShopProduct};

/// Category of every product of the shop.
const CATEGORY: &str = "retail";

/// Writing into a vector does not fail.
const INFALLIBLE: &str = "memory does not fail to be written";

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
}
