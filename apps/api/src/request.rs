//! What operations read from a request besides its body.

use axum::extract::Path;
use axum::extract::rejection::PathRejection;
use http::HeaderMap;
use http::request::Parts;
use souk_domain::{ProductId, SellerId};
use souk_http::{Code, Params, Problem};

/// The seller, where the body does not say.
pub(crate) const X_SELLER_ID: &str = "x-seller-id";

/// The `{id}` of a path, as axum hands it over.
pub(crate) type IdInPath = Result<Path<String>, PathRejection>;

/// Returns the product id of a path.
///
/// # Errors
/// `not-found` when it is malformed: there is no such product either way.
pub(crate) fn product_id(id: IdInPath) -> Result<ProductId, Problem> {
    let Path(text) = id.map_err(|_| no_such_id("this"))?;
    parse_product_id(&text).ok_or_else(|| no_such_id(&text))
}

fn no_such_id(text: &str) -> Problem {
    Problem::new(
        Code::NotFound,
        format!("there is no product '{text}': product ids are UUIDs; list products with GET /products"),
    )
}

/// Reads a UUID in its usual form of 36 characters; other forms would give one product several URLs.
pub(crate) fn parse_product_id(text: &str) -> Option<ProductId> {
    (text.len() == 36).then(|| text.parse().ok()).flatten()
}

/// Refuses query parameters where there are none.
pub(crate) fn no_query(parts: &Parts) -> Result<(), Problem> {
    match parts.uri.query() {
        None => Ok(()),
        query => Params::parse(query, &[]).map(|_| ()),
    }
}

/// Refuses conditions where there is no single product that they could be about.
pub(crate) fn no_condition(headers: &HeaderMap, instead: &str) -> Result<(), Problem> {
    without(headers, "If-Match", instead)?;
    without(headers, "If-None-Match", instead)
}

/// Refuses a header that is not honoured here: who sends it must not believe that it was.
pub(crate) fn without(headers: &HeaderMap, name: &'static str, instead: &str) -> Result<(), Problem> {
    if headers.contains_key(name) {
        return Err(Problem::new(Code::MalformedRequest, format!("{name} is not possible here: {instead}")));
    }
    Ok(())
}

/// Returns the value of a header that may be there once.
///
/// # Errors
/// `malformed-request` when it is there twice or is not text.
pub(crate) fn single<'a>(headers: &'a HeaderMap, name: &'static str) -> Result<Option<&'a str>, Problem> {
    let mut values = headers.get_all(name).iter();
    let Some(value) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err(Problem::new(Code::MalformedRequest, format!("header '{name}' is given twice")));
    }
    let text = value.to_str();
    text.map(Some).map_err(|_| {
        Problem::new(Code::MalformedRequest, format!("header '{name}' may hold only visible ASCII"))
    })
}

/// Returns the seller that the header names.
pub(crate) fn seller(headers: &HeaderMap) -> Result<Option<SellerId>, Problem> {
    single(headers, X_SELLER_ID)?
        .map(|text| {
            SellerId::new(text).map_err(|error| {
                Problem::new(Code::MalformedRequest, format!("header '{X_SELLER_ID}' {error}, not '{text}'"))
            })
        })
        .transpose()
}
