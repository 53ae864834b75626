//! Problem documents (RFC 9457): every error answer is one.
//!
//! Members come in this order: `type`, `title`, `status`, `detail`, `instance`, `code`, `requestId`, extension
//! members, `errors`. `instance` and `requestId` are known to the service's layer only, which renders the
//! document; see `manners.rs`.

use std::error::Error;
use std::sync::Arc;

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use http::header::{CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::{Map, Value};
use souk_ports::{ErrorKind, PortError, fault};

use crate::Code;

/// Media type of problem documents.
pub(crate) const PROBLEM_JSON: HeaderValue = HeaderValue::from_static("application/problem+json");

/// An error answer.
#[derive(Debug, Clone)]
pub struct Problem(Arc<Inner>);

#[derive(Debug, Clone)]
struct Inner {
    code: Code,
    detail: String,
    members: Vec<(&'static str, Value)>,
    errors: Vec<FieldError>,
    retry_after: Option<u32>,
    cause: Option<Arc<dyn Error + Send + Sync>>,
}

/// A fault of one field of a body.
#[derive(Debug, Clone, PartialEq)]
pub struct FieldError {
    /// Where: a JSON pointer (RFC 6901), such as `/items/3/delta`.
    pub pointer: String,
    /// What kind of fault: a [`FaultCode`](crate::FaultCode), or of a line of an order a [`Code`].
    pub code: &'static str,
    /// What to do.
    pub detail: String,
    /// Further members, written beside the others.
    pub extra: Map<String, Value>,
}

impl FieldError {
    /// Makes a fault without further members.
    pub fn new(pointer: impl Into<String>, code: impl Into<&'static str>, detail: impl Into<String>) -> Self {
        Self { pointer: pointer.into(), code: code.into(), detail: detail.into(), extra: Map::new() }
    }

    /// Adds a member.
    #[must_use]
    pub fn with(mut self, member: &str, value: impl Into<Value>) -> Self {
        self.extra.insert(member.to_owned(), value.into());
        self
    }
}

impl Serialize for FieldError {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("pointer", &self.pointer)?;
        map.serialize_entry("code", self.code)?;
        map.serialize_entry("detail", &self.detail)?;
        for (name, value) in &self.extra {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

impl Problem {
    /// Makes a problem; `detail` says what is wrong in this request and what to do.
    pub fn new(code: Code, detail: impl Into<String>) -> Self {
        Self(Arc::new(Inner {
            code,
            detail: detail.into(),
            members: Vec::new(),
            errors: Vec::new(),
            retry_after: (code == Code::Overloaded).then_some(1),
            cause: None,
        }))
    }

    /// Makes an `internal` problem, whose cause goes to the log and never into the answer.
    pub fn internal(cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::new(Code::Internal, "something went wrong; the log has the cause under this requestId")
            .caused_by(cause)
    }

    /// Returns the problem of a page that a store could not read. Where the caller gave a cursor, that may be what cannot be
    /// read; otherwise it is stored data, as in every other call.
    pub fn of_page(error: PortError, gave_cursor: bool) -> Self {
        if gave_cursor && error.kind() == ErrorKind::InvalidData {
            return Self::new(Code::MalformedRequest, error.message());
        }
        error.into()
    }

    /// Adds an extension member.
    #[must_use]
    pub fn with(mut self, member: &'static str, value: impl Into<Value>) -> Self {
        self.inner().members.push((member, value.into()));
        self
    }

    /// Adds the faults of single fields.
    #[must_use]
    pub fn with_errors(mut self, errors: Vec<FieldError>) -> Self {
        self.inner().errors = errors;
        self
    }

    /// Sets `Retry-After`; `overloaded` has 1 s unless told otherwise.
    #[must_use]
    pub fn retry_after(mut self, seconds: u32) -> Self {
        self.inner().retry_after = Some(seconds);
        self
    }

    /// Notes the cause: it is logged with the request's id and never part of the answer.
    #[must_use]
    pub fn caused_by(mut self, error: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        self.inner().cause = Some(Arc::from(error.into()));
        self
    }

    /// Returns the code.
    pub fn code(&self) -> Code {
        self.0.code
    }

    /// Returns the detail.
    pub fn detail(&self) -> &str {
        &self.0.detail
    }

    /// Returns the faults of single fields.
    pub fn errors(&self) -> &[FieldError] {
        &self.0.errors
    }

    /// Returns the cause and its own causes in one line.
    pub(crate) fn chain(&self) -> Option<String> {
        let cause = self.0.cause.as_ref()?;
        let mut text = cause.to_string();
        let mut next = cause.source();
        while let Some(error) = next {
            text.push_str(": ");
            text.push_str(&error.to_string());
            next = error.source();
        }
        Some(text)
    }

    /// Renders the document; without an instance and an id where these are not known.
    pub(crate) fn render(&self, instance: Option<&str>, request_id: Option<&HeaderValue>) -> Response {
        let mut response = Response::new(Body::from(self.document(instance, request_id)));
        *response.status_mut() = self.0.code.status();
        response.headers_mut().insert(CONTENT_TYPE, PROBLEM_JSON);
        if let Some(seconds) = self.0.retry_after {
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }

    /// Returns the document alone.
    pub(crate) fn document(&self, instance: Option<&str>, request_id: Option<&HeaderValue>) -> Vec<u8> {
        let document =
            Document { problem: &self.0, instance, request_id: request_id.and_then(|id| id.to_str().ok()) };
        serde_json::to_vec(&document).expect("strings and JSON values always serialise")
    }

    fn inner(&mut self) -> &mut Inner {
        Arc::make_mut(&mut self.0)
    }
}

impl IntoResponse for Problem {
    /// Renders what is known here and leaves the problem in the extensions, for the layer to render in full.
    fn into_response(self) -> Response {
        let mut response = self.render(None, None);
        response.extensions_mut().insert(self);
        response
    }
}

impl From<PortError> for Problem {
    fn from(error: PortError) -> Self {
        match error.kind() {
            ErrorKind::Unavailable | ErrorKind::Timeout => {
                Self::new(Code::Overloaded, error.message()).caused_by(error)
            }
            ErrorKind::InvalidData if fault::planted("blame-callers-for-damage") => {
                Self::new(Code::MalformedRequest, error.message())
            }
            // What callers send is read before a port sees it, cursors aside: this is damage, and somebody has to hear of it.
            ErrorKind::Conflict | ErrorKind::InvalidData | ErrorKind::Internal => Self::internal(error),
        }
    }
}

struct Document<'a> {
    problem: &'a Inner,
    instance: Option<&'a str>,
    request_id: Option<&'a str>,
}

impl Serialize for Document<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let code = self.problem.code;
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("type", &format_args!("/problems/{}", code.as_str()))?;
        map.serialize_entry("title", code.title())?;
        map.serialize_entry("status", &code.status().as_u16())?;
        map.serialize_entry("detail", &self.problem.detail)?;
        if let Some(instance) = self.instance {
            map.serialize_entry("instance", instance)?;
        }
        map.serialize_entry("code", code.as_str())?;
        if let Some(id) = self.request_id {
            map.serialize_entry("requestId", id)?;
        }
        for (name, value) in &self.problem.members {
            map.serialize_entry(name, value)?;
        }
        if !self.problem.errors.is_empty() {
            map.serialize_entry("errors", &self.problem.errors)?;
        }
        map.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn damage() -> PortError {
        PortError::new(ErrorKind::InvalidData, "item 7 has an unreadable count")
    }

    #[test]
    fn damage_is_no_fault_of_the_caller() {
        for problem in [damage().into(), Problem::of_page(damage(), false)] {
            assert_eq!(problem.code(), Code::Internal);
            assert!(!problem.detail().contains("item 7"), "{}", problem.detail());
            assert_eq!(problem.chain().as_deref(), Some("item 7 has an unreadable count"), "for the log");
        }
    }

    #[test]
    fn a_cursor_may_be_what_cannot_be_read() {
        let problem = Problem::of_page(damage(), true);
        assert_eq!(
            (problem.code(), problem.detail()),
            (Code::MalformedRequest, "item 7 has an unreadable count")
        );
        let problem = Problem::of_page(PortError::new(ErrorKind::Unavailable, "gone"), true);
        assert_eq!(problem.code(), Code::Overloaded);
    }
}
