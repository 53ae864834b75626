//! Planted bugs, so that a test can prove that its check would notice one.
//!
//! In debug builds the environment variable `SOUK_PLANTED_BUG` names one; release builds have none of this.

/// Tells whether the planted bug `name` is switched on.
#[cfg(debug_assertions)]
pub fn planted(name: &str) -> bool {
    use std::sync::OnceLock;
    static PLANTED: OnceLock<Option<String>> = OnceLock::new();
    PLANTED.get_or_init(|| std::env::var("SOUK_PLANTED_BUG").ok()).as_deref() == Some(name)
}

/// Always `false`: a release build has no planted bugs.
#[cfg(not(debug_assertions))]
#[inline]
pub fn planted(_name: &str) -> bool {
    false
}
