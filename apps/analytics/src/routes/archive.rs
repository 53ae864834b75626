//! `GET /archive`: the archived objects; `POST /archive/flush`: archives everything now.

use std::sync::Arc;

use axum::extract::{RawQuery, State};
use axum::response::Response;
use serde::Serialize;
use souk_domain::Timestamp;
use souk_http::{Code, Params, Problem};
use souk_ports::{Offset, Partition};
use tokio::sync::oneshot;

use super::{DEFAULT_LIMIT, MAX_LIMIT, Page, json_of, query};
use crate::analytics::Shared;
use crate::archive::{ArchivedObject, FlushRequest, ObjectQuery, ReadError, log_prefix, objects};

/// An object on the wire.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Item<'a> {
    key: &'a str,
    rows: u64,
    bytes: u64,
    partition: Partition,
    first_offset: Offset,
    next_offset: Offset,
    digest: &'a str,
    created_at: Timestamp,
}

impl<'a> Item<'a> {
    fn of(object: &'a ArchivedObject) -> Self {
        let footer = &object.footer;
        Self {
            key: &object.key,
            rows: footer.rows,
            bytes: object.bytes,
            partition: footer.partition,
            first_offset: footer.first_offset,
            next_offset: footer.next_offset,
            digest: &footer.digest,
            created_at: footer.created_at,
        }
    }
}

pub(super) async fn list(
    State(shared): State<Arc<Shared>>,
    RawQuery(raw): RawQuery,
) -> Result<Response, Problem> {
    let params = Params::parse(raw.as_deref(), &["from", "to", "limit", "cursor"])?;
    let (from, to) = query::range(&params)?;
    let log = shared.log.identity();
    let after = match query::cursor_parts::<1>(&params)? {
        Some([key]) if key.starts_with(&log_prefix(log)) => Some(key),
        Some(_) => return Err(query::bad_cursor(params.get("cursor").unwrap_or_default())),
        None => None,
    };
    let wanted = ObjectQuery { from, to, after, limit: params.limit(DEFAULT_LIMIT, MAX_LIMIT)? };
    let (found, more) = objects(&*shared.archive, log, &wanted).await.map_err(unreadable)?;
    let next_cursor = found.last().filter(|_| more).map(|object| query::cursor(&[&object.key]));
    Ok(json_of(&Page { items: found.iter().map(Item::of).collect(), next_cursor }))
}

fn unreadable(error: ReadError) -> Problem {
    match error {
        ReadError::Store(_) => {
            Problem::new(Code::Overloaded, "the archive cannot be read now").caused_by(error)
        }
        ReadError::Damaged { .. } => Problem::internal(error),
    }
}

#[derive(Serialize)]
struct Flushed<'a> {
    objects: Vec<Item<'a>>,
}

pub(super) async fn flush(
    State(shared): State<Arc<Shared>>,
    RawQuery(raw): RawQuery,
) -> Result<Response, Problem> {
    Params::parse(raw.as_deref(), &[])?;
    let bounds = shared.log.bounds().await?;
    let targets = bounds.iter().map(|bounds| bounds.next).collect();
    let (reply, written) = oneshot::channel();
    let ask = async {
        shared.flushes.send(FlushRequest { targets, reply }).await.ok()?;
        written.await.ok()
    };
    let written = tokio::select! {
        written = ask => written,
        () = tokio::time::sleep(shared.config.flush_timeout) => None,
        // A consumer that has ended answers nobody.
        () = stopped(&shared) => None,
    };
    match written {
        Some(objects) => Ok(json_of(&Flushed { objects: objects.iter().map(Item::of).collect() })),
        None => {
            let cause = shared.archiver.problem().unwrap_or_else(|| {
                format!("not done within {} s; ask again", shared.config.flush_timeout.as_secs())
            });
            Err(Problem::new(Code::Overloaded, format!("the archive could not be flushed: {cause}")))
        }
    }
}

/// Waits until the archive consumer has stopped for good.
async fn stopped(shared: &Shared) {
    let mut interval = tokio::time::interval(std::time::Duration::from_millis(100));
    loop {
        interval.tick().await;
        if shared.archiver.is_stopped() {
            return;
        }
    }
}
