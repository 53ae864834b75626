//! Bounded text: names, descriptions and the like, which cannot be too long or hold a NUL.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Why a text is not acceptable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TextError {
    /// Fewer or more characters than allowed; the bounds are inclusive.
    #[error("must have {min} to {max} characters")]
    Length {
        /// Fewest characters allowed.
        min: usize,
        /// Most characters allowed.
        max: usize,
    },
    /// A NUL character, which no store of text keeps.
    #[error("must not hold a NUL character")]
    Nul,
    /// A character outside the set that ids are made of.
    #[error("may hold only A-Z, a-z, 0-9, '.', '_' and '-'")]
    Alphabet,
}

/// Checks length in characters (not bytes) and the absence of NUL.
fn check(text: &str, min: usize, max: usize) -> Result<(), TextError> {
    // Most texts are short ASCII: the byte length decides without counting characters.
    let fits = if text.len() <= max { text.len() >= min } else { text.chars().count() <= max };
    if !fits {
        return Err(TextError::Length { min, max });
    }
    if text.as_bytes().contains(&0) {
        return Err(TextError::Nul);
    }
    Ok(())
}

macro_rules! bounded_text {
    ($(#[$doc:meta])* $name:ident, $min:literal ..= $max:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(Arc<str>);

        impl $name {
            /// Fewest characters allowed.
            pub const MIN: usize = $min;
            /// Most characters allowed.
            pub const MAX: usize = $max;

            /// Takes `text` as it is.
            ///
            /// # Errors
            /// [`TextError`] when the length is out of bounds or a NUL is inside.
            pub fn new(text: impl Into<Arc<str>>) -> Result<Self, TextError> {
                let text = text.into();
                check(&text, $min, $max)?;
                Ok(Self(text))
            }

            /// Returns the text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                Self::new(String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
            }
        }
    };
}

bounded_text!(
    /// A product's name, 1 to 200 characters.
    Name, 1..=200
);
bounded_text!(
    /// A product's description, at most 5,000 characters.
    Description, 0..=5000
);
bounded_text!(
    /// A product's category, 1 to 100 characters; `general` unless said otherwise.
    Category, 1..=100
);
bounded_text!(
    /// A seller's own code for a product, 1 to 64 characters, unique per seller.
    Sku, 1..=64
);
bounded_text!(
    /// What a stock adjustment refers to, such as an invoice number; 1 to 200 characters.
    Reference, 1..=200
);

impl Default for Category {
    fn default() -> Self {
        Self(Arc::from("general"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_characters_not_bytes() {
        assert!(Sku::new("é".repeat(64)).is_ok());
        assert_eq!(Sku::new("é".repeat(65)), Err(TextError::Length { min: 1, max: 64 }));
        assert_eq!(Name::new(""), Err(TextError::Length { min: 1, max: 200 }));
        assert!(Description::new("").is_ok());
    }

    #[test]
    fn refuses_nul() {
        assert_eq!(Name::new("a\0b"), Err(TextError::Nul));
    }
}
