//! Who keeps the products while a shop moves from another system to this one.

use serde::{Deserialize, Serialize};

/// Who decides how products are. While it is not souk, a catalog takes imports alone.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Keeper {
    /// souk: every write is taken.
    #[default]
    Souk,
    /// The system that products are taken over from: whoever else writes here is told to wait.
    Source,
}

/// What a client is told whose write comes while the other system keeps the products.
pub const KEPT_ELSEWHERE: &str = "products are kept by the old system until the cut-over (souk migrate status); nothing was \
     written";
