//! A real browser for tests and measurements: Debian's Chromium, moved through chromedriver, with nothing in between but
//! the WebDriver protocol over a plain socket.
//!
//! - [`Driver`] is one browser with a profile of its own, and the protocol's commands; [`Lent`] is one for a test, which
//!   the next test goes on with.
//! - [`Node`] is something on the page, found as a screen reader finds it: by role and accessible name.
//! - [`click`], [`press`], [`chord`] are a real pointer and a real keyboard.

mod actions;
mod driver;
mod lent;
mod tree;
mod wire;

pub use actions::{chord, click, point, press};
pub use driver::{Driver, REMEDY, Trouble};
pub use lent::Lent;
pub use tree::{Node, find, focused};
