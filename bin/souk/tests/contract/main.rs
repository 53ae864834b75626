//! The contracts as those meet them who build against souk: the documents of the real binary, held against what their
//! formats ask for, and a running souk, held against its documents by programs that nobody here wrote.
//!
//! - `documents`: what is served is what `souk openapi` and `souk asyncapi` print; snapshots lock them; examples fit.
//! - `style`: what every call has to say of itself.
//! - `formats`: OpenAPI by openapi-spec-validator, AsyncAPI by its official JSON Schema.
//! - `generated`: schemathesis sends what fits the contract and what does not, and judges every answer.
//!
//! The Python programs are in the environment that `cargo xtask test` makes from `python/`.

mod documents;
mod formats;
mod generated;
mod style;
mod tools;

#[allow(dead_code, unused_imports, reason = "shared with `tests/it`, which uses the rest")]
#[path = "../it/support/mod.rs"]
mod support;
