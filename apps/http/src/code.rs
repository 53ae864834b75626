//! The codes of problem documents: a promise to clients, who branch on them.

use http::StatusCode;

/// What kind of problem it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Code {
    /// Not JSON, a bad cursor, a bad or unknown parameter.
    MalformedRequest,
    /// A field is missing, unknown, of the wrong type or out of range.
    ValidationFailed,
    /// There is nothing of that name.
    NotFound,
    /// The resource does not know this method.
    MethodNotAllowed,
    /// The change would take stock below 0.
    InsufficientStock,
    /// `changeFrom` differs from the stock.
    StockChanged,
    /// The seller already has that sku.
    SkuTaken,
    /// `If-Match` does not match.
    PreconditionFailed,
    /// The body is over the limit.
    PayloadTooLarge,
    /// The body is not JSON by its `Content-Type`.
    UnsupportedMediaType,
    /// The idempotency key was used by another request.
    IdempotencyKeyReused,
    /// The request comes from another origin's page.
    OriginRefused,
    /// The shop cannot be filled with the sample now.
    DemoRefused,
    /// The service cannot take it now; nothing was written.
    Overloaded,
    /// The store went away during the commit.
    OutcomeUnknown,
    /// A fault of ours.
    Internal,
}

impl Code {
    /// All codes.
    pub const ALL: [Code; 16] = [
        Self::MalformedRequest,
        Self::ValidationFailed,
        Self::NotFound,
        Self::MethodNotAllowed,
        Self::InsufficientStock,
        Self::StockChanged,
        Self::SkuTaken,
        Self::PreconditionFailed,
        Self::PayloadTooLarge,
        Self::UnsupportedMediaType,
        Self::IdempotencyKeyReused,
        Self::OriginRefused,
        Self::DemoRefused,
        Self::Overloaded,
        Self::OutcomeUnknown,
        Self::Internal,
    ];

    /// Returns the code on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::MalformedRequest => "malformed-request",
            Self::ValidationFailed => "validation-failed",
            Self::NotFound => "not-found",
            Self::MethodNotAllowed => "method-not-allowed",
            Self::InsufficientStock => "insufficient-stock",
            Self::StockChanged => "stock-changed",
            Self::SkuTaken => "sku-taken",
            Self::PreconditionFailed => "precondition-failed",
            Self::PayloadTooLarge => "payload-too-large",
            Self::UnsupportedMediaType => "unsupported-media-type",
            Self::IdempotencyKeyReused => "idempotency-key-reused",
            Self::OriginRefused => "origin-refused",
            Self::DemoRefused => "demo-refused",
            Self::Overloaded => "overloaded",
            Self::OutcomeUnknown => "outcome-unknown",
            Self::Internal => "internal",
        }
    }

    /// Returns the code of that name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|code| code.as_str() == name)
    }

    /// Returns the status that goes with the code.
    pub fn status(self) -> StatusCode {
        match self {
            Self::MalformedRequest => StatusCode::BAD_REQUEST,
            Self::ValidationFailed | Self::IdempotencyKeyReused => StatusCode::UNPROCESSABLE_ENTITY,
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Self::OriginRefused => StatusCode::FORBIDDEN,
            Self::InsufficientStock | Self::StockChanged | Self::SkuTaken | Self::DemoRefused => {
                StatusCode::CONFLICT
            }
            Self::PreconditionFailed => StatusCode::PRECONDITION_FAILED,
            Self::PayloadTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::UnsupportedMediaType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::Overloaded => StatusCode::SERVICE_UNAVAILABLE,
            Self::OutcomeUnknown | Self::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// Returns the short summary, the same for every occurrence (RFC 9457, section 3.1.4).
    pub fn title(self) -> &'static str {
        match self {
            Self::MalformedRequest => "The request cannot be read",
            Self::ValidationFailed => "The request has invalid fields",
            Self::NotFound => "Not found",
            Self::MethodNotAllowed => "Method not allowed",
            Self::InsufficientStock => "Not enough stock",
            Self::StockChanged => "The stock has changed",
            Self::SkuTaken => "The sku is taken",
            Self::PreconditionFailed => "The precondition failed",
            Self::PayloadTooLarge => "The body is too large",
            Self::UnsupportedMediaType => "The body has to be JSON",
            Self::IdempotencyKeyReused => "The idempotency key belongs to another request",
            Self::OriginRefused => "Not from this origin",
            Self::DemoRefused => "The shop cannot be filled with the sample",
            Self::Overloaded => "Overloaded",
            Self::OutcomeUnknown => "The outcome is unknown",
            Self::Internal => "Internal error",
        }
    }

    /// Returns what the problem means and what to do, for the page at `/problems/<code>`.
    pub fn explanation(self) -> &'static str {
        match self {
            Self::MalformedRequest => {
                "The body is not JSON, or a cursor, header or query parameter is bad or unknown. `detail` names it. \
                 Correct the request; repeating it as it is cannot succeed."
            }
            Self::ValidationFailed => {
                "Fields of the body are missing, unknown, of the wrong type or out of range. `errors` lists every \
                 fault with a JSON pointer to its field. Correct them all and send the request again."
            }
            Self::NotFound => {
                "There is no such resource: the path is unknown, or the id is malformed, or what it names does \
                 not exist (any more). `detail` says where to look."
            }
            Self::MethodNotAllowed => {
                "The resource exists, but not for this method. The `Allow` header lists the methods that it knows."
            }
            Self::InsufficientStock => {
                "The change would take the stock below 0. `productId` and `stock` say what is at hand, also in an order \
                 whose lines before took of it: nothing was written. Order no more than `detail` says."
            }
            Self::StockChanged => {
                "`changeFrom` differs from the stock, which `stock` tells. Somebody else was faster; look again, \
                 then decide anew. Nothing was written."
            }
            Self::SkuTaken => {
                "The seller already has a product with this sku; `productId` names it. Change that product, or \
                 choose another sku."
            }
            Self::PreconditionFailed => {
                "`If-Match` does not match: the product has changed since its `ETag` was read. `version` is the \
                 current one. Read the product again and repeat the change on it."
            }
            Self::PayloadTooLarge => {
                "The body is larger than 1 MiB. Send less at once, for instance fewer lines."
            }
            Self::UnsupportedMediaType => {
                "The body has to be JSON, not compressed, and be sent with `Content-Type: application/json`."
            }
            Self::IdempotencyKeyReused => {
                "The `Idempotency-Key` was used before by a request with another method, path, seller, condition or \
                 body. Use a new key for a new request."
            }
            Self::OriginRefused => {
                "Only the dashboard's own page may ask for this, not a page of another origin (`Origin` tells). Open \
                 the dashboard and do it there. Nothing was done."
            }
            Self::DemoRefused => {
                "The sample is for a shop without products, once at a time; `detail` says which of both it is. Nothing \
                 was written."
            }
            Self::Overloaded => {
                "The service cannot take the request now; `detail` names the cause. Nothing was written. Repeat it \
                 after the seconds that `Retry-After` gives."
            }
            Self::OutcomeUnknown => {
                "The store went away while the change was being committed, so it may or may not have been written. \
                 Repeat the request with the same `Idempotency-Key`, or look whether it took effect."
            }
            Self::Internal => {
                "Something went wrong on our side. The log has the cause under the `requestId` of the answer."
            }
        }
    }
}
