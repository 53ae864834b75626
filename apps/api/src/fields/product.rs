//! Bodies that hold a product: create, replacement, patch.

use bytes::Bytes;
use souk_domain::{Asserted, Category, Description, Name, Patch, Price, Replacement, SellerId, Sku, Stock};
use souk_http::{FaultCode, FieldError, Problem};

use super::object::Object;
use super::value::{self, Fault, Parsed};
use super::{Unfit, checked, text};

pub(crate) const CREATE: [&str; 9] =
    ["name", "price", "stock", "quantity", "sellerId", "sku", "description", "category", "lowStockThreshold"];

pub(crate) const CHANGE: [&str; 14] = [
    "name",
    "price",
    "stock",
    "quantity",
    "sku",
    "description",
    "category",
    "lowStockThreshold",
    "id",
    "sellerId",
    "lowStock",
    "version",
    "createdAt",
    "updatedAt",
];

/// Reads the body of a create; `header` is the seller that `X-Seller-Id` names.
pub(crate) fn new_product(
    body: &Bytes,
    header: Option<SellerId>,
) -> Result<(SellerId, Replacement), Problem> {
    let mut faults = Vec::new();
    let mut object = Object::parse(text(body)?, &CREATE, String::new(), &mut faults)?;
    let fields = whole_product(&mut object);
    let seller_id = match header {
        None => object.required("sellerId", value::seller_id),
        Some(header) => seller(&mut object, Some(header)),
    };
    checked(seller_id.zip(fields), faults)
}

/// Reads the body of a replacement: what is not there is cleared; read-only fields may be there. `header` is the seller
/// that `X-Seller-Id` names.
pub(crate) fn replacement(body: &Bytes, header: Option<SellerId>) -> Result<(Replacement, Asserted), Unfit> {
    let mut faults = Vec::new();
    let mut object = Object::parse(text(body)?, &CHANGE, String::new(), &mut faults)?;
    let fields = whole_product(&mut object);
    let asserted = asserted(&mut object, header);
    fit(fields, asserted, faults)
}

/// Reads a merge patch (RFC 7396): what is not there stays, null clears; read-only fields may be there. `header` is the
/// seller that `X-Seller-Id` names.
pub(crate) fn patch(body: &Bytes, header: Option<SellerId>) -> Result<(Patch, Asserted), Unfit> {
    let mut faults = Vec::new();
    let mut object = Object::parse(text(body)?, &CHANGE, String::new(), &mut faults)?;
    let patch = Patch {
        name: object.not_null("name", name),
        price: object.not_null("price", value::price),
        stock: stock(&mut object),
        sku: object.nullable("sku", sku),
        description: object.nullable("description", description),
        category: object.nullable("category", category).map(Option::unwrap_or_default),
        low_stock_threshold: object.nullable("lowStockThreshold", value::stock),
    };
    let asserted = asserted(&mut object, header);
    fit(Some(patch), asserted, faults)
}

/// Returns what a body changes, unless there were faults.
fn fit<T>(fields: Option<T>, asserted: Asserted, faults: Vec<FieldError>) -> Result<(T, Asserted), Unfit> {
    match fields {
        Some(fields) if faults.is_empty() => Ok((fields, asserted)),
        _ => Err(Unfit::Faulty(faults, asserted)),
    }
}

/// Reads everything of a product that can change; `None` after a fault.
fn whole_product(object: &mut Object<'_, '_>) -> Option<Replacement> {
    // All are read before any is missed, so that every fault is noted.
    let name: Option<Name> = object.required("name", name);
    let price: Option<Price> = object.required("price", value::price);
    let stock = match (object.raw("stock"), object.raw("quantity")) {
        (None, None) => object.required("stock", value::stock),
        _ => stock(object),
    };
    let sku = object.nullable("sku", sku).flatten();
    let description = object.nullable("description", description).flatten();
    let category = object.nullable("category", category).flatten().unwrap_or_default();
    let low_stock_threshold = object.nullable("lowStockThreshold", value::stock).flatten();
    Some(Replacement {
        sku,
        name: name?,
        description,
        category,
        price: price?,
        stock: stock?,
        low_stock_threshold,
    })
}

/// Reads `stock`, or `quantity`, which front ends of the older system send instead; never both.
fn stock(object: &mut Object<'_, '_>) -> Option<Stock> {
    if object.raw("stock").is_some() && object.raw("quantity").is_some() {
        object.fault(
            "quantity",
            Fault::new(FaultCode::Conflict, "is another name for stock: give one of them"),
        );
    }
    let quantity = object.not_null("quantity", value::stock);
    object.not_null("stock", value::stock).or(quantity)
}

/// Reads `sellerId`, which the header may give instead; when both are there they have to agree. `None` when neither
/// does, or after a fault.
fn seller(object: &mut Object<'_, '_>, header: Option<SellerId>) -> Option<SellerId> {
    let Some(header) = header else { return object.not_null("sellerId", value::seller_id) };
    match object.raw("sellerId").map(value::seller_id) {
        None => Some(header),
        Some(Ok(seller_id)) if seller_id == header => Some(header),
        Some(Ok(_)) => {
            let detail = format!("differs from '{header}', which the header X-Seller-Id names");
            object.fault("sellerId", Fault::new(FaultCode::Conflict, detail));
            None
        }
        Some(Err(fault)) => {
            object.fault("sellerId", fault);
            None
        }
    }
}

/// Reads the read-only fields, which have to equal what is there.
fn asserted(object: &mut Object<'_, '_>, header: Option<SellerId>) -> Asserted {
    Asserted {
        id: object.not_null("id", value::product_id),
        seller_id: seller(object, header),
        low_stock: object.not_null("lowStock", value::boolean),
        version: object.not_null("version", value::version),
        created_at: object.not_null("createdAt", value::timestamp),
        updated_at: object.not_null("updatedAt", value::timestamp),
    }
}

fn name(raw: &serde_json::value::RawValue) -> Parsed<Name> {
    value::text(Name::new)(raw)
}

fn sku(raw: &serde_json::value::RawValue) -> Parsed<Sku> {
    value::text(Sku::new)(raw)
}

fn description(raw: &serde_json::value::RawValue) -> Parsed<Description> {
    value::text(Description::new)(raw)
}

fn category(raw: &serde_json::value::RawValue) -> Parsed<Category> {
    value::text(Category::new)(raw)
}
