//! Identifiers.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use uuid::Uuid;

use crate::TextError;

/// A product's id, a UUID; new ones are version 7, so that they sort by creation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ProductId(pub Uuid);

impl fmt::Display for ProductId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.as_hyphenated().fmt(f)
    }
}

impl FromStr for ProductId {
    type Err = uuid::Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Uuid::parse_str(text).map(Self)
    }
}

/// A seller's id: 1 to 64 of `A-Za-z0-9._-`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SellerId(Arc<str>);

impl SellerId {
    /// Most characters allowed; fewest is 1.
    pub const MAX: usize = 64;

    /// Takes `text` as a seller's id.
    ///
    /// # Errors
    /// [`TextError`] when the length or a character is not allowed.
    pub fn new(text: impl Into<Arc<str>>) -> Result<Self, TextError> {
        let text = text.into();
        if text.is_empty() || text.len() > Self::MAX && text.is_ascii() {
            return Err(TextError::Length { min: 1, max: Self::MAX });
        }
        if !text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-')) {
            return Err(TextError::Alphabet);
        }
        Ok(Self(text))
    }

    /// Returns the text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for SellerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Serialize for SellerId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for SellerId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::new(String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

/// A product's version: 1 when created, one more with each change, without holes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Version(pub u64);

impl Version {
    /// The version of a product that was just created.
    pub const FIRST: Version = Version(1);

    /// The version after this one.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seller_ids_keep_to_their_alphabet() {
        assert!(SellerId::new("Seller_1.a-b").is_ok());
        assert_eq!(SellerId::new("a b"), Err(TextError::Alphabet));
        assert_eq!(SellerId::new("sé"), Err(TextError::Alphabet));
        assert_eq!(SellerId::new(""), Err(TextError::Length { min: 1, max: 64 }));
        assert_eq!(SellerId::new("x".repeat(65)), Err(TextError::Length { min: 1, max: 64 }));
    }
}
