//! From a body to checked domain values, naming every fault at once.
//!
//! The text is split into raw fields first (`object`), then each is read on its own (`value`), so that one bad field
//! does not hide the others and numbers stay exact.

mod adjustment;
mod object;
mod product;
mod value;

use bytes::Bytes;
use souk_domain::{Asserted, Field, Product};
use souk_http::{Code, FaultCode, FieldError, Problem};

pub(crate) use adjustment::{ADJUSTMENT, LINE, MAX_LINES, ORDER, adjustment, order};
pub(crate) use product::{CHANGE, CREATE, new_product, patch, replacement};

/// Faults that the detail spells out; `errors` has them all.
const FAULTS_IN_DETAIL: usize = 3;

/// Why the body of a change is none.
#[derive(Debug)]
pub(crate) enum Unfit {
    /// It cannot be read.
    Unreadable(Problem),
    /// Fields are faulty. Whether the read-only ones among the others are, too, is for the product to say.
    Faulty(Vec<FieldError>, Asserted),
}

impl From<Problem> for Unfit {
    fn from(problem: Problem) -> Self {
        Self::Unreadable(problem)
    }
}

impl Unfit {
    /// Returns the problem, with the read-only fields that differ from the `product`, where there is one.
    pub(crate) fn problem(self, product: Option<&Product>) -> Problem {
        match self {
            Self::Unreadable(problem) => problem,
            Self::Faulty(mut faults, asserted) => {
                let differing = product.map(|product| asserted.differing(product)).unwrap_or_default();
                faults.extend(differing.into_iter().map(read_only));
                invalid(faults)
            }
        }
    }
}

/// Returns the fault of a read-only field that differs from what is there.
pub(crate) fn read_only(field: Field) -> FieldError {
    let detail = match field {
        // Its own text, since a header may have named it.
        Field::SellerId => {
            "never changes, and the body or X-Seller-Id names another than is there: leave it out, or name the \
             product's seller"
        }
        _ => "is read-only and differs from what is there: leave it out, or read it again",
    };
    FieldError::new(format!("/{}", field.name()), FaultCode::ReadOnly, detail)
}

/// Returns the problem of a body with faulty fields.
pub(crate) fn invalid(faults: Vec<FieldError>) -> Problem {
    let mut detail = String::new();
    for (index, fault) in faults.iter().take(FAULTS_IN_DETAIL).enumerate() {
        let separator = if index == 0 { "" } else { "; " };
        let pointer = if fault.pointer.is_empty() { "the body" } else { &fault.pointer };
        detail.push_str(&format!("{separator}{pointer} {}", fault.detail));
    }
    if let Some(more @ 1..) = faults.len().checked_sub(FAULTS_IN_DETAIL) {
        detail.push_str(&format!("; and {more} more in errors"));
    }
    Problem::new(Code::ValidationFailed, detail).with_errors(faults)
}

/// Returns the body as text.
fn text(body: &Bytes) -> Result<&str, Problem> {
    std::str::from_utf8(body).map_err(|error| {
        let detail = format!("the body is not UTF-8: {error}");
        Problem::new(Code::MalformedRequest, detail)
    })
}

/// Returns `value`, unless there were faults.
fn checked<T>(value: Option<T>, faults: Vec<FieldError>) -> Result<T, Problem> {
    match value {
        Some(value) if faults.is_empty() => Ok(value),
        _ => {
            debug_assert!(!faults.is_empty(), "a value is missing only with a fault");
            Err(invalid(faults))
        }
    }
}

#[cfg(test)]
mod tests;
