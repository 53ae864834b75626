//! `GET /products`.

use std::fmt::Write as _;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::response::Response;
use http::HeaderValue;
use http::header::LINK;
use serde::Serialize;
use serde_json::{Value, json};
use souk_domain::{Category, Product, SellerId, Sku, TextError, query_tokens};
use souk_events::schema::{described, nullable, object, values};
use souk_http::openapi::{Operation, Parameter};
use souk_http::{Code, Params, Problem, openapi};
use souk_ports::{Answer, ProductQuery, ProductSort};

use crate::{Shared, answer, describe};

const FILTERS: [&str; 7] = ["sellerId", "category", "sku", "q", "lowStock", "sort", "limit"];
const PARAMS: [&str; 8] = ["sellerId", "category", "sku", "q", "lowStock", "sort", "limit", "cursor"];

/// Products in a page when the request does not say.
const DEFAULT_LIMIT: usize = 50;
/// Most products in a page: a few hundred kilobytes.
const MAX_LIMIT: usize = 500;

/// The orders by name.
const SORTS: [(&str, ProductSort); 3] =
    [("createdAt", ProductSort::CreatedAt), ("name", ProductSort::Name), ("stock", ProductSort::Stock)];
/// Newest first.
const DEFAULT_SORT: &str = "-createdAt";

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Page<'a> {
    items: &'a [Product],
    next_cursor: Option<&'a str>,
}

/// Returns a page of products, with `Link; rel="next"` when there is another.
pub(crate) async fn list_products(
    State(shared): State<Arc<Shared>>,
    request: Request,
) -> Result<Response, Problem> {
    let params = Params::parse(request.uri().query(), &PARAMS)?;
    let query = query(&params)?;
    let page = shared.catalog.products(&query).await;
    let page = page.map_err(|error| Problem::of_page(error, query.cursor.is_some()))?;
    let body = answer::json(&Page { items: &page.items, next_cursor: page.next.as_deref() });
    let mut response = answer::respond(Answer { status: 200, etag: None, location: None, body });
    if let Some(cursor) = page.next {
        let link = HeaderValue::try_from(next_link(&params, &cursor)).expect("percent-encoded text is ASCII");
        response.headers_mut().insert(LINK, link);
    }
    Ok(response)
}

fn query(params: &Params) -> Result<ProductQuery, Problem> {
    // All are read before any is refused, so that every fault is named at once.
    let sort = sort(params.get("sort").unwrap_or(DEFAULT_SORT));
    let seller_id = text(params, "sellerId", SellerId::new);
    let category = text(params, "category", Category::new);
    let sku = text(params, "sku", Sku::new);
    let low_stock = params.parsed("lowStock", "true or false");
    let limit = params.limit(DEFAULT_LIMIT, MAX_LIMIT);
    let faults: Vec<&str> = [
        seller_id.as_ref().err(),
        category.as_ref().err(),
        sku.as_ref().err(),
        low_stock.as_ref().err(),
        sort.as_ref().err(),
        limit.as_ref().err(),
    ]
    .into_iter()
    .flatten()
    .map(Problem::detail)
    .collect();
    if faults.len() > 1 {
        return Err(Problem::new(Code::MalformedRequest, faults.join("; ")));
    }
    let (sort, descending) = sort?;
    Ok(ProductQuery {
        seller_id: seller_id?,
        category: category?,
        sku: sku?,
        words: params.get("q").map(query_tokens).unwrap_or_default(),
        low_stock: low_stock?,
        sort,
        descending,
        limit: limit?,
        cursor: params.get("cursor").map(str::to_owned),
    })
}

fn sort(text: &str) -> Result<(ProductSort, bool), Problem> {
    let (name, descending) = match text.strip_prefix('-') {
        Some(name) => (name, true),
        None => (text, false),
    };
    match SORTS.iter().find(|(known, _)| *known == name) {
        Some((_, sort)) => Ok((*sort, descending)),
        None => {
            let expected = "createdAt, name or stock, with '-' in front for descending";
            let detail = format!("query parameter 'sort' must be {expected}, not '{text}'");
            Err(Problem::new(Code::MalformedRequest, detail))
        }
    }
}

fn text<T>(
    params: &Params,
    name: &'static str,
    make: impl FnOnce(String) -> Result<T, TextError>,
) -> Result<Option<T>, Problem> {
    let Some(value) = params.get(name) else { return Ok(None) };
    make(value.to_owned()).map(Some).map_err(|error| {
        Problem::new(Code::MalformedRequest, format!("query parameter '{name}' {error}, not '{value}'"))
    })
}

/// Writes the URL of the next page, with the same filters and order.
fn next_link(params: &Params, cursor: &str) -> String {
    let mut link = String::from("</products?");
    for name in FILTERS {
        if let Some(value) = params.get(name) {
            let _ = write!(link, "{name}=");
            percent_encode(&mut link, value);
            link.push('&');
        }
    }
    link.push_str("cursor=");
    percent_encode(&mut link, cursor);
    link.push_str(">; rel=\"next\"");
    link
}

/// Writes everything but unreserved characters (RFC 3986, section 2.3) as `%XX`.
fn percent_encode(target: &mut String, text: &str) {
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            target.push(char::from(byte));
        } else {
            let _ = write!(target, "%{byte:02X}");
        }
    }
}

/// Describes the call.
pub(crate) fn operation() -> Operation {
    let product = describe::example(answer::changed);
    let (more, last) =
        (json!({"items": [product], "nextCursor": "bGFzdA"}), json!({"items": [], "nextCursor": null}));
    Operation::new("listProducts", describe::PRODUCTS.0, "Lists products")
        .describe(
            "A page at a time, without counting: follow `nextCursor`, or the Link header, with the same filters and order. \
             The search index may trail by up to a second.",
        )
        .parameters(PARAMS.map(parameter))
        .answers(
            openapi::Answer::new(200, "A page")
                .header_at_times(openapi::LINK)
                .json(page(), &[("page", "There is another", more), ("last", "The last one", last)])
                .link("listProducts", "cursor", "$response.body#/nextCursor"),
        )
}

fn page() -> Value {
    let items = json!({"description": "Products.", "type": "array", "maxItems": MAX_LIMIT, "items": describe::product()});
    let cursor = json!({"description": "Where the next page begins; null on the last.", "type": "string"});
    object("A page of products.", &[("items", items), ("nextCursor", nullable(cursor))])
}

fn parameter(name: &'static str) -> Parameter {
    let text = |description: &str| json!({"description": description, "type": "string"});
    let (schema, example) = match name {
        "sellerId" => (described(values::seller_id(), "Of this seller."), json!("seller1")),
        "category" => (described(values::category(), "In this category."), json!("general")),
        "sku" => (described(values::sku(), "With this sku."), json!("85123A")),
        "q" => (
            text("With every word given, as the beginning of a word of name or sku, without case."),
            json!("lant"),
        ),
        "lowStock" => (json!({"description": "Whether their stock is low.", "type": "boolean"}), json!(true)),
        "sort" => {
            let orders: Vec<String> =
                SORTS.iter().flat_map(|(name, _)| [(*name).to_owned(), format!("-{name}")]).collect();
            let schema = json!({
                "description": "By what, with '-' in front for descending.",
                "enum": orders,
                "default": DEFAULT_SORT,
            });
            (schema, json!("-stock"))
        }
        "limit" => (openapi::limit(DEFAULT_LIMIT, MAX_LIMIT), json!(20)),
        "cursor" => (openapi::cursor(), json!("bGFzdA")),
        other => unreachable!("the parameter {other} is not described"),
    };
    Parameter::query(name, schema, example)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_page_keeps_the_filters() {
        let params = Params::parse(Some("q=r%C3%A9d+%26&sort=-name&cursor=old&limit=2"), &PARAMS).unwrap();
        assert_eq!(
            next_link(&params, "new"),
            "</products?q=r%C3%A9d%20%26&sort=-name&limit=2&cursor=new>; rel=\"next\""
        );
    }

    #[test]
    fn newest_first_unless_told_otherwise() {
        let query = query(&Params::default()).unwrap();
        assert_eq!((query.sort, query.descending, query.limit), (ProductSort::CreatedAt, true, 50));
    }

    #[test]
    fn all_bad_parameters_are_named_at_once() {
        let text = "sellerId=a%20b&category=&sku=&lowStock=1&sort=price&limit=0";
        let problem = Params::parse(Some(text), &PARAMS).and_then(|params| query(&params)).unwrap_err();
        assert_eq!(problem.code(), Code::MalformedRequest);
        for name in ["sellerId", "category", "sku", "lowStock", "sort", "limit"] {
            assert!(problem.detail().contains(&format!("'{name}'")), "{name} in {}", problem.detail());
        }
    }

    #[test]
    fn every_bad_parameter_is_named() {
        for (text, part) in [
            ("sort=price", "createdAt, name or stock"),
            ("sort=--name", "'--name'"),
            ("lowStock=1", "true or false"),
            ("sellerId=a%20b", "sellerId"),
            ("sku=", "sku"),
            ("limit=501", "from 1 to 500"),
        ] {
            let problem = Params::parse(Some(text), &PARAMS).and_then(|params| query(&params)).unwrap_err();
            assert_eq!(problem.code(), Code::MalformedRequest);
            assert!(problem.detail().contains(part), "{}", problem.detail());
        }
    }
}
