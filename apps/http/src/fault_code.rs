//! The codes of faults of single fields, in `errors` of a problem document.

use crate::Code;

/// What kind of fault a field has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FaultCode {
    /// It has to be there.
    Required,
    /// There is no such field.
    Unknown,
    /// It is there twice.
    Duplicate,
    /// It is of another type.
    Type,
    /// It is too small or too large.
    Range,
    /// It is too short or too long.
    Length,
    /// It does not have the form that it needs.
    Format,
    /// It contradicts another field or a header.
    Conflict,
    /// It cannot be chosen.
    ReadOnly,
}

impl FaultCode {
    /// All codes.
    pub const ALL: [FaultCode; 9] = [
        Self::Required,
        Self::Unknown,
        Self::Duplicate,
        Self::Type,
        Self::Range,
        Self::Length,
        Self::Format,
        Self::Conflict,
        Self::ReadOnly,
    ];

    /// Returns the code on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Required => "required",
            Self::Unknown => "unknown",
            Self::Duplicate => "duplicate",
            Self::Type => "type",
            Self::Range => "range",
            Self::Length => "length",
            Self::Format => "format",
            Self::Conflict => "conflict",
            Self::ReadOnly => "read-only",
        }
    }
}

impl From<FaultCode> for &'static str {
    fn from(code: FaultCode) -> Self {
        code.as_str()
    }
}

impl From<Code> for &'static str {
    fn from(code: Code) -> Self {
        code.as_str()
    }
}
