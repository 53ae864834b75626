//! Where a stream begins: what a client asks for, judged against the log.

use http::HeaderMap;
use souk_events::Cursor;
use souk_events::stream::GapReason;
use souk_http::Params;
use souk_ports::{EventLog, PortError};

use crate::hub::Hub;
use crate::position::covers;
use crate::reader::Start;

/// Of an id that is none of ours, so much is told back.
const TOLD_CHARS: usize = 256;

/// So long may an id be that browsers send across origins without asking first (WHATWG Fetch, CORS-safelisted).
const LONGEST_ID: usize = 128;

/// What a client asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Asked {
    /// What comes from now on.
    Now,
    /// All that the log holds.
    Earliest,
    /// What follows a position.
    After(Cursor),
    /// What follows something that is no position.
    Unreadable(String),
}

impl Asked {
    /// Reads the `Last-Event-ID` header, else the `lastEventId` parameter: a browser that reconnects sends the
    /// header, while its URL still has the parameter it began with.
    pub(crate) fn read(headers: &HeaderMap, params: &Params) -> Self {
        let header = headers.get("last-event-id").map(|value| String::from_utf8_lossy(value.as_bytes()));
        let header = header.filter(|text| !text.is_empty());
        match header.as_deref().or_else(|| params.get("lastEventId")) {
            None | Some("") => Self::Now,
            Some("earliest") => Self::Earliest,
            Some(text) => text
                .parse()
                .map_or_else(|_| Self::Unreadable(text.chars().take(TOLD_CHARS).collect()), Self::After),
        }
    }
}

/// Judges what is asked for against what the log holds, never against what happens to be in memory.
///
/// # Errors
/// When the log cannot say what it holds.
pub(crate) async fn judge(asked: Asked, hub: &Hub, log: &dyn EventLog) -> Result<Start, PortError> {
    let cursor = match asked {
        Asked::Now => return Ok(Start::default()),
        Asked::Unreadable(text) => {
            return Ok(Start { gap: Some((GapReason::InvalidId, text)), ..Start::default() });
        }
        Asked::Earliest => {
            let bounds = log.bounds().await?;
            let from = bounds.iter().map(|bounds| bounds.earliest).collect();
            return Ok(Start { from: Some(from), ..Start::default() });
        }
        Asked::After(cursor) => cursor,
    };
    if cursor.log != hub.log {
        return Ok(instead(GapReason::UnknownLog, cursor, None));
    }
    // What the ring holds lies inside the log's end, and is not lost even if the log just let go of it. After a
    // restart of many readers this saves the log a question from each.
    let head = hub.head().position;
    if cursor.next.len() <= head.len() && covers(&head, &cursor.next) && covers(&cursor.next, &hub.oldest()) {
        return Ok(Start { from: Some(cursor.next), ..Start::default() });
    }
    let bounds = log.bounds().await?;
    let is_ahead = cursor.next.iter().zip(&bounds).any(|(next, bounds)| *next > bounds.next);
    if is_ahead || cursor.next.len() > bounds.len() {
        return Ok(instead(GapReason::Ahead, cursor, None));
    }
    let mut from = cursor.next.clone();
    from.resize(bounds.len(), 0);
    let mut expired = false;
    for (next, bounds) in from.iter_mut().zip(&bounds) {
        expired |= *next < bounds.earliest;
        *next = bounds.earliest.max(*next);
    }
    if expired {
        return Ok(instead(GapReason::Expired, cursor, Some(from)));
    }
    Ok(Start { from: Some(from), ..Start::default() })
}

fn instead(reason: GapReason, asked: Cursor, from: Option<Vec<u64>>) -> Start {
    let text = asked.to_string();
    // What is longer was made up, or comes from a log with more partitions: nothing that `ready` needs to keep.
    let asked = (text.len() <= LONGEST_ID).then_some(asked);
    Start { from, gap: Some((reason, text.chars().take(TOLD_CHARS).collect())), asked }
}
