//! What people run that is no Rust: the files of `deploy/` are what their readers, and the migration guide, expect. And what
//! cargo is asked to build.

mod built_once;
mod compose;
mod container;

use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("xtask is one below the root").to_owned()
}

fn read(path: &str) -> String {
    let path = root().join(path);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}
