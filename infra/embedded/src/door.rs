//! The door: how another process of this machine writes to a folder that a running souk has open.
//!
//! A migration's steps work beside `souk up`, whose dashboard shows them live. The folder has one writer, so they hand their
//! units to it through a socket in the folder. It opens for imports and for the keeper alone; everything else comes over
//! HTTP, and reads go to the files. Who may open the folder's files may use it: its mode is 0600.

mod client;
mod server;
mod wire;

pub(crate) use client::DoorClient;
pub(crate) use server::Door;

/// The socket's name in the folder.
pub(crate) const NAME: &str = "souk.door";
