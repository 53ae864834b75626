//! What may be wrong with a row, and what is done about it.

use std::fmt;

use serde::{Deserialize, Serialize};

macro_rules! kinds {
    ($($(#[$doc:meta])* $kind:ident = $name:literal, $fix:expr;)*) => {
        /// A kind of fault: the field and what is wrong with it.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum FaultKind {
            $($(#[$doc])* #[serde(rename = $name)] $kind,)*
        }

        impl FaultKind {
            /// Every kind.
            pub const ALL: &'static [FaultKind] = &[$(Self::$kind,)*];

            /// Returns the name, as mapping files and reports have it.
            pub fn name(self) -> &'static str {
                match self { $(Self::$kind => $name,)* }
            }

            /// Says what the policy `fix` does; `None`: there is no way to fix it.
            pub fn fix(self) -> Option<&'static str> {
                match self { $(Self::$kind => $fix,)* }
            }
        }
    };
}

kinds! {
    /// The key is null.
    KeyMissing = "key.missing", None;
    /// There is no seller.
    SellerMissing = "sellerId.missing", Some("the seller becomes `unknown`");
    /// The seller's id has more than 64 characters.
    SellerTooLong = "sellerId.too-long", Some("cut to 55 characters and a digest of the whole");
    /// The seller's id has characters that souk's ids cannot have.
    SellerAlphabet = "sellerId.alphabet", Some("such characters become `_`, followed by a digest of the whole");
    /// There is no name.
    NameMissing = "name.missing", Some("the name becomes the key");
    /// The name has more than 200 characters.
    NameTooLong = "name.too-long", Some("cut to 200 characters");
    /// The description has more than 5,000 characters.
    DescriptionTooLong = "description.too-long", Some("cut to 5,000 characters");
    /// The category has more than 100 characters.
    CategoryTooLong = "category.too-long", Some("cut to 100 characters");
    /// There is no price.
    PriceMissing = "price.missing", Some("the price becomes 0");
    /// The price is no number.
    PriceNotANumber = "price.not-a-number", None;
    /// The price is below 0.
    PriceNegative = "price.negative", Some("the price becomes 0");
    /// The price is above 1,000,000,000.
    PriceTooHigh = "price.too-high", Some("the price becomes 1000000000");
    /// The price has more than 4 fraction digits.
    PriceFraction = "price.fraction", Some("rounded to 4 fraction digits");
    /// There is no stock.
    StockMissing = "stock.missing", Some("the stock becomes 0");
    /// The stock is no number.
    StockNotANumber = "stock.not-a-number", None;
    /// The stock is below 0.
    StockNegative = "stock.negative", Some("the stock becomes 0");
    /// The stock is above 1,000,000,000.
    StockTooHigh = "stock.too-high", Some("the stock becomes 1000000000");
    /// The stock is not whole.
    StockFraction = "stock.fraction", Some("rounded down");
    /// The seller's code has more than 64 characters.
    SkuTooLong = "sku.too-long", Some("the product has no sku");
    /// Several products of a seller have the code.
    SkuShared = "sku.shared", Some("none of those that share it has a sku");
    /// The product's threshold is no whole number from 0 to 1,000,000,000.
    ThresholdInvalid = "lowStockThreshold.invalid", Some("the product has no threshold of its own");
}

impl fmt::Display for FaultKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What is done with a row that has a fault.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Policy {
    /// The value is made acceptable, as [`FaultKind::fix`] says.
    Fix,
    /// The row is left out, and reported.
    Skip,
    /// Nothing goes on before somebody has decided.
    #[default]
    Stop,
}

/// A fault of a row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Fault {
    /// What is wrong.
    pub kind: FaultKind,
    /// The value, cut where it is long.
    pub value: Option<String>,
}

impl Fault {
    pub(crate) fn new(kind: FaultKind, value: Option<&str>) -> Self {
        /// Enough to recognise it.
        const SHOWN: usize = 80;
        let value = value.map(|value| match value.char_indices().nth(SHOWN) {
            Some((end, _)) => format!("{}…", &value[..end]),
            None => value.to_owned(),
        });
        Self { kind, value }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.value {
            Some(value) => write!(f, "{} ({value})", self.kind),
            None => write!(f, "{}", self.kind),
        }
    }
}
