//! What a step waits for: a file of its own, since it is written beside the record, in the middle of anything.

use std::path::PathBuf;

/// The file. That it cannot be written is no reason to wait no longer.
#[derive(Debug, Clone)]
pub struct Waiting(PathBuf);

impl Waiting {
    pub(super) fn at(path: PathBuf) -> Self {
        Self(path)
    }

    /// Says why the step waits.
    pub fn says(&self, why: &str) {
        let _ = std::fs::write(&self.0, why);
    }

    /// It waits no more.
    pub fn is_over(&self) {
        let _ = std::fs::remove_file(&self.0);
    }

    /// Returns why it waits.
    pub fn why(&self) -> Option<String> {
        std::fs::read_to_string(&self.0).ok().filter(|why| !why.is_empty())
    }
}
