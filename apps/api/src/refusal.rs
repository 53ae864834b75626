//! From a unit of work that did not take effect to its problem document.

use serde_json::Value;
use souk_domain::{ProductId, Rejection, Stock};
use souk_http::{Code, FaultCode, FieldError, Problem};
use souk_ports::{ErrorKind, ExecuteError, Refusal};

use crate::fields;

/// Returns the problem of a call with a single command.
pub(crate) fn of_call(error: ExecuteError) -> Problem {
    of(error, |refusals| match refusals.into_iter().next() {
        Some(refusal) => of_rejection(&refusal.rejection),
        None => Problem::internal("rejected without a refusal"),
    })
}

/// Returns the problem of an order: that of its first line that failed, with an error for each.
pub(crate) fn of_order(error: ExecuteError) -> Problem {
    of(error, |refusals| {
        let Some(first) = refusals.first() else { return Problem::internal("rejected without a refusal") };
        let mut problems = refusals.iter().map(|refusal| of_rejection(&refusal.rejection));
        if let Some(broken) = problems.find(|problem| problem.code() == Code::Internal) {
            // A line that no order can have: the cause is for the log.
            return broken;
        }
        let lines = refusals.iter().map(|refusal| {
            let error = of_rejection(&refusal.rejection);
            let pointer = format!("/items/{}", refusal.index);
            let line = FieldError::new(pointer, error.code().as_str(), error.detail().to_owned());
            let line = members(&refusal.rejection)
                .into_iter()
                .fold(line, |line, (name, value)| line.with(name, value));
            // Each line tells what is at hand: of a product that is not there, nothing can be.
            match refusal.rejection {
                Rejection::NotFound { .. } => line.with("stock", Value::Null),
                _ => line,
            }
        });
        let problem = of_rejection(&first.rejection);
        let detail = format!("/items/{}: {}; nothing was written", first.index, problem.detail());
        let summary = Problem::new(problem.code(), detail).with_errors(lines.collect());
        members(&first.rejection)
            .into_iter()
            .fold(summary, |summary, (name, value)| summary.with(name, value))
    })
}

fn of(error: ExecuteError, rejected: impl FnOnce(Vec<Refusal>) -> Problem) -> Problem {
    match error {
        ExecuteError::Rejected(refusals) => rejected(refusals),
        ExecuteError::KeyReused => Problem::new(
            Code::IdempotencyKeyReused,
            "the Idempotency-Key was used by another request: use a new key for a new request",
        ),
        ExecuteError::Overloaded(cause) => Problem::new(Code::Overloaded, cause),
        ExecuteError::OutcomeUnknown(cause) => outcome_unknown(cause),
        ExecuteError::Failed(error) => match error.kind() {
            ErrorKind::Unavailable => Problem::new(Code::Overloaded, error.message()).caused_by(error),
            // A write without an answer may have happened.
            ErrorKind::Timeout => outcome_unknown(error),
            ErrorKind::Conflict | ErrorKind::InvalidData | ErrorKind::Internal => Problem::internal(error),
        },
    }
}

fn outcome_unknown(cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Problem {
    Problem::new(
        Code::OutcomeUnknown,
        "the store went away during the commit: repeat the request with the same Idempotency-Key, or look whether \
         it took effect",
    )
    .caused_by(cause)
}

/// Returns the problem of a product that is not there.
pub(crate) fn no_such_product(product_id: ProductId) -> Problem {
    of_rejection(&Rejection::NotFound { product_id })
}

fn of_rejection(rejection: &Rejection) -> Problem {
    let problem = match rejection {
        Rejection::NotFound { .. } => {
            Problem::new(Code::NotFound, format!("{rejection}: list products with GET /products"))
        }
        Rejection::AlreadyExists { .. } => Problem::internal(rejection.to_string()),
        Rejection::PreconditionFailed { .. } => Problem::new(
            Code::PreconditionFailed,
            format!("{rejection}, which If-Match does not name: read it again and repeat the change"),
        ),
        Rejection::InsufficientStock { left, .. } => {
            let remedy = match left.get() {
                0 => "wait until there is more".to_owned(),
                left => format!("order at most {left}"),
            };
            Problem::new(
                Code::InsufficientStock,
                format!("{rejection}, less than the change takes: {remedy}"),
            )
        }
        Rejection::StockChanged { .. } => Problem::new(
            Code::StockChanged,
            format!("{rejection}, which is not what changeFrom says: read it again and send the change anew"),
        ),
        Rejection::SkuTaken { .. } => Problem::new(
            Code::SkuTaken,
            format!("{rejection} of the same seller: change that product, or choose another sku"),
        ),
        Rejection::TooMuchStock { left, .. } => fields::invalid(vec![FieldError::new(
            "/delta",
            FaultCode::Range,
            match Stock::MAX.get() - left.get() {
                0 => format!("would take the stock above its maximum: {rejection}; add nothing"),
                room => format!("would take the stock above its maximum: {rejection}; add at most {room}"),
            },
        )]),
        Rejection::ReadOnly { fields, .. } => {
            fields::invalid(fields.iter().copied().map(fields::read_only).collect())
        }
    };
    members(rejection).into_iter().fold(problem, |problem, (name, value)| problem.with(name, value))
}

/// Returns what a client needs to go on.
fn members(rejection: &Rejection) -> Vec<(&'static str, Value)> {
    let id = |product_id: &ProductId| ("productId", Value::from(product_id.to_string()));
    let pieces = |stock: &Stock| ("stock", Value::from(stock.get()));
    match rejection {
        Rejection::PreconditionFailed { product_id, version } => {
            vec![id(product_id), ("version", Value::from(version.0))]
        }
        Rejection::InsufficientStock { product_id, stock, .. }
        | Rejection::StockChanged { product_id, stock, .. }
        | Rejection::TooMuchStock { product_id, stock, .. } => vec![id(product_id), pieces(stock)],
        Rejection::SkuTaken { product_id } | Rejection::NotFound { product_id } => vec![id(product_id)],
        Rejection::AlreadyExists { .. } | Rejection::ReadOnly { .. } => Vec::new(),
    }
}
