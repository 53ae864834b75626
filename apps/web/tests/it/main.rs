//! The dashboard's server and the files that it serves.
//!
//! - `files`, `page`: how files and the page are answered; `config`: where the services are; `demo`: who may fill the shop.
//! - `first_load`: how much a browser fetches before the products are there, and in how few files.
//! - `joined`: how modules become one.
//! - `vendored`: modules of others are what their authors published.
//! - `modules`: the page's own modules, in node.
//!
//! What a browser makes of it all is tested with the browser.

mod config;
mod demo;
mod files;
mod first_load;
mod joined;
mod modules;
mod page;
mod support;
mod vendored;
