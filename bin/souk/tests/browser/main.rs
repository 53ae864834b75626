//! The dashboard in a real browser: Debian's Chromium, moved by a real pointer and a real keyboard, that finds things as a
//! screen reader does, by role and accessible name.
//!
//! Each test starts a souk of its own on free ports, and takes browsers of which no other test has one; what an earlier one
//! left in them is cleared away. They take turns: a browser takes a core, and there may be two. When a browser is given
//! back, whatever its console complained of fails the test, a violated Content-Security-Policy too.
//!
//! - `products`: creating, editing, conflicts, deleting, with the pointer and with the keyboard alone; the seller switch.
//! - `lists`: finding a product, and finding back: the address, Back, the focus; the sample in an empty shop.
//! - `low_stock`: how long it lasts, thresholds in place, restocking.
//! - `live`: toasts, the history, a server that is killed under an open page.
//! - `tabs`: one stream for all tabs, with a SharedWorker and without; gaps.
//! - `figures`: charts that grow, an operator's red, another language's manners.
//! - `messages`: what is told on top of a page and of its dialogs; keys.
//! - `burst`: more events than anybody reads.
//! - `pages`: every page for everybody: accessibility, narrow screens, a console without complaints, one port for all.
//! - `on_servers`: the same pages over Postgres, Kafka, DynamoDB and S3.
//! - `docs`: the page at `/docs`.
//! - `planted`: bugs that these checks have to find.
//!
//! `browser` is what a person does, over `souk-browser`; `shop` is what there is to see.

mod axe;
mod browser;
mod burst;
mod docs;
mod figures;
mod lists;
mod live;
mod low_stock;
mod messages;
mod on_servers;
mod pages;
mod planted;
mod products;
mod shop;
mod tabs;
mod tamper;

#[allow(dead_code, unused_imports, reason = "shared with `tests/it`, which uses the rest")]
#[path = "../it/support/mod.rs"]
mod support;
