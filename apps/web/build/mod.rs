//! Joins the modules of the page: of this script alone, and of the tests that hold it.

pub mod join;
pub mod lex;
pub mod module;
