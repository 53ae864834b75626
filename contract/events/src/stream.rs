//! What the event stream says beside events: the names of its own blocks and the reasons of gaps.

use serde::Serialize;

/// Where readers of events connect.
pub const PATH: &str = "/events/stream";
/// The block that a stream begins with: the filters that were taken and the position.
pub const READY: &str = "ready";
/// The block that tells of events that a reader lost, or may have.
pub const GAP: &str = "gap";
/// The block that moves the id of a reader whose filter is quiet.
pub const CURSOR: &str = "cursor";

/// Why a reader lost events, or may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum GapReason {
    /// The log no longer holds the place that was asked for.
    Expired,
    /// The log no longer holds the place that the reader had come to.
    TooSlow,
    /// The id belongs to another log.
    UnknownLog,
    /// The id lies beyond the log's end.
    Ahead,
    /// The id is no id of ours.
    InvalidId,
}

impl GapReason {
    /// All reasons.
    pub const ALL: [GapReason; 5] =
        [Self::Expired, Self::TooSlow, Self::UnknownLog, Self::Ahead, Self::InvalidId];

    /// Returns the name on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Expired => "expired",
            Self::TooSlow => "too-slow",
            Self::UnknownLog => "unknown-log",
            Self::Ahead => "ahead",
            Self::InvalidId => "invalid-id",
        }
    }
}
