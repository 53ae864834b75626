//! How fast souk reads products, where there is no old API to compare it with.

use souk_client::Target;

use crate::MigrateError;
use crate::shadow::{Asked, Reader, Speed, product_ids};

/// Reads that are timed: enough for a 95th percentile.
const READS: usize = 200;
/// One of so many is a list.
const LIST_EVERY: usize = 20;

/// Reads products one after the other, and lists in between; tells how long that took.
///
/// # Errors
/// `Found` when an answer is none, `Unreachable` when there is none.
pub async fn reads(api: &Target) -> Result<Speed, MigrateError> {
    let mut reader = Reader::new(api.clone());
    let list = match reader.ask_untimed("/products?limit=200").await? {
        Asked::Found(list) => list,
        Asked::Missing => return Err(MigrateError::Found("GET /products was answered 404".to_owned())),
        Asked::Strange(what) => return Err(MigrateError::Found(what)),
    };
    let ids = product_ids(&list);
    for n in 0..READS {
        let path = match ids.get(n % ids.len().max(1)) {
            Some(id) if n % LIST_EVERY != 0 => format!("/products/{id}"),
            _ => "/products".to_owned(),
        };
        if let Asked::Strange(what) = reader.ask(&path).await? {
            return Err(MigrateError::Found(what));
        }
    }
    Ok(reader.speed())
}
