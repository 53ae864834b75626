//! What can be done to a request of DynamoDB or S3.

use std::time::Duration;

use serde_json::{Map, Value, json};

use super::message::Message;

/// Which requests are meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Call {
    /// All of them.
    Any,
    /// DynamoDB's with this operation, such as `UpdateItem`.
    Operation(&'static str),
    /// Those with this method whose path holds this text: `PUT`, `.parquet`.
    Method(&'static str, &'static str),
}

/// A fault and the requests that it is meant for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HttpFault {
    /// The requests.
    pub on: Call,
    /// The fault.
    pub what: What,
}

/// What is done to a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum What {
    /// The server never hears of it; it is answered so.
    Answer(Reply),
    /// Of a `BatchWriteItem`, the server hears of the first `taken` items of each table, and the rest is answered as
    /// unprocessed.
    Unprocessed {
        /// Items that are written.
        taken: usize,
    },
    /// The server does it, its reply is lost and the connection with it.
    LoseReply,
    /// The server does it, its reply comes so much later: longer than the client waits, a timeout after success.
    HoldReply(Duration),
    /// The server never hears of it, the connection is lost.
    LoseRequest,
    /// The server hears of it late.
    Delay(Duration),
    /// The server takes so long for each, one after the other, also for those whose client has given up.
    OneByOne(Duration),
}

/// An answer in the server's stead.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reply {
    /// DynamoDB's 400 with this error, such as `ProvisionedThroughputExceededException` or `ThrottlingException`.
    Dynamo(&'static str),
    /// DynamoDB's 500.
    DynamoInternal,
    /// S3's 503 `SlowDown`.
    SlowDown,
    /// S3's 500 `InternalError`.
    S3Internal,
}

impl What {
    /// Throttles as DynamoDB does when a table's or a partition's capacity is used up.
    pub const THROTTLED: Self = Self::Answer(Reply::Dynamo("ProvisionedThroughputExceededException"));
    /// Throttles as DynamoDB does when an account's or a control plane's limit is reached.
    pub const THROTTLING: Self = Self::Answer(Reply::Dynamo("ThrottlingException"));
    /// Fails as DynamoDB does now and then.
    pub const DYNAMO_INTERNAL: Self = Self::Answer(Reply::DynamoInternal);
    /// Asks to slow down as S3 does.
    pub const SLOW_DOWN: Self = Self::Answer(Reply::SlowDown);
    /// Fails as S3 does now and then.
    pub const S3_INTERNAL: Self = Self::Answer(Reply::S3Internal);
}

impl HttpFault {
    /// Joins a fault to the requests that it is meant for.
    pub fn new(on: Call, what: What) -> Self {
        Self { on, what }
    }

    pub(super) fn meant_for(&self, request: &Message) -> bool {
        match self.on {
            Call::Any => true,
            Call::Operation(name) => operation(request) == Some(name),
            Call::Method(method, text) => request.method() == method && request.target().contains(text),
        }
    }
}

/// Returns DynamoDB's operation: `DynamoDB_20120810.UpdateItem` is `UpdateItem`.
fn operation(request: &Message) -> Option<&str> {
    request.header("x-amz-target")?.rsplit('.').next()
}

impl Reply {
    pub(super) fn message(self) -> Message {
        let dynamo = |line: &str, name: &str| {
            let kind = format!("com.amazonaws.dynamodb.v20120810#{name}");
            let body = json!({ "__type": kind, "message": "the fault proxy says so" });
            answer(line, "application/x-amz-json-1.0", body.to_string())
        };
        let s3 = |line: &str, code: &str| {
            let body = format!(
                "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>{code}</Code><Message>the fault proxy \
                 says so</Message></Error>"
            );
            answer(line, "application/xml", body)
        };
        match self {
            Self::Dynamo(name) => dynamo("HTTP/1.1 400 Bad Request", name),
            Self::DynamoInternal => dynamo("HTTP/1.1 500 Internal Server Error", "InternalServerError"),
            Self::SlowDown => s3("HTTP/1.1 503 Slow Down", "SlowDown"),
            Self::S3Internal => s3("HTTP/1.1 500 Internal Server Error", "InternalError"),
        }
    }
}

fn answer(line: &str, kind: &str, body: String) -> Message {
    let headers = vec![("Content-Type".to_owned(), kind.to_owned())];
    Message { line: line.to_owned(), headers, body: Vec::new() }.with_body(body.into_bytes())
}

/// What DynamoDB answers to a batch that it has done.
pub(super) fn empty_batch() -> Message {
    let body = json!({ "UnprocessedItems": {} });
    answer("HTTP/1.1 200 OK", "application/x-amz-json-1.0", body.to_string())
}

/// Splits a batch into the request with the first `taken` items of each table, `None` when that is none at all, and
/// the items of the rest by table. A request that is no batch goes on whole.
pub(super) fn split(request: &Message, taken: usize) -> (Option<Message>, Map<String, Value>) {
    let mut rest = Map::new();
    let Ok(mut body) = serde_json::from_slice::<Value>(&request.body) else {
        return (Some(request.clone()), rest);
    };
    let Some(tables) = body.get_mut("RequestItems").and_then(Value::as_object_mut) else {
        return (Some(request.clone()), rest);
    };
    for (table, items) in tables.iter_mut() {
        let Some(items) = items.as_array_mut() else { continue };
        let left = items.split_off(taken.min(items.len()));
        if !left.is_empty() {
            rest.insert(table.clone(), Value::from(left));
        }
    }
    tables.retain(|_, items| items.as_array().is_none_or(|items| !items.is_empty()));
    let forwarded = (!tables.is_empty()).then(|| request.clone().with_body(body.to_string().into_bytes()));
    (forwarded, rest)
}

/// Adds items to those that a reply calls unprocessed; a refusal stays what it is.
pub(super) fn with_unprocessed(reply: Message, rest: Map<String, Value>) -> Message {
    let Ok(mut body) = serde_json::from_slice::<Value>(&reply.body) else { return reply };
    if !reply.line.contains(" 200") {
        return reply;
    }
    for (table, mut left) in rest {
        let all = &mut body["UnprocessedItems"][&table];
        match (all.as_array_mut(), left.as_array_mut()) {
            (Some(all), Some(left)) => all.append(left),
            _ => *all = left,
        }
    }
    reply.with_body(body.to_string().into_bytes())
}
