//! Exact money: prices and sums in units of 1/10,000, never in floating point.

use std::fmt;
use std::iter::Sum;
use std::ops::{Add, AddAssign, Neg, Sub};
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Fraction digits kept.
const SCALE: u32 = 4;
/// Units in one.
const ONE: i64 = 10_i64.pow(SCALE);

/// Why a number is not acceptable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NumberError {
    /// Not a decimal number.
    #[error("must be a number")]
    NotANumber,
    /// More fraction digits than are kept.
    #[error("must have at most {SCALE} fraction digits")]
    FractionDigits,
    /// Outside the allowed range.
    #[error("must be from 0 to 1000000000")]
    Range,
}

/// A price: an exact decimal from 0 to 1,000,000,000 with at most 4 fraction digits.
///
/// In JSON it is a number. Such numbers have at most 14 significant digits, so the shortest decimal of the
/// nearest double is the price itself, and reading it back is exact.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Price(i64);

impl Price {
    /// The highest price.
    pub const MAX: Price = Price(1_000_000_000 * ONE);
    /// Nothing.
    pub const ZERO: Price = Price(0);
    /// Most digits after the point.
    pub const FRACTION_DIGITS: u32 = SCALE;

    /// Makes a price of `units` ten-thousandths.
    ///
    /// # Errors
    /// [`NumberError::Range`] when out of range.
    pub fn from_units(units: i64) -> Result<Self, NumberError> {
        if (0..=Self::MAX.0).contains(&units) { Ok(Self(units)) } else { Err(NumberError::Range) }
    }

    /// Returns the price in ten-thousandths.
    pub fn units(self) -> i64 {
        self.0
    }

    /// Returns this price for `quantity` pieces.
    pub fn times(self, quantity: i64) -> Amount {
        Amount(i128::from(self.0) * i128::from(quantity))
    }
}

impl FromStr for Price {
    type Err = NumberError;

    /// Reads a decimal number as JSON writes it (`99.99`, `1e2`), exactly.
    fn from_str(text: &str) -> Result<Self, NumberError> {
        let units = parse_units(text)?;
        i64::try_from(units).map_err(|_| NumberError::Range).and_then(Self::from_units)
    }
}

impl fmt::Display for Price {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Amount(i128::from(self.0)).fmt(f)
    }
}

impl Serialize for Price {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.0 % ONE == 0 {
            serializer.serialize_i64(self.0 / ONE)
        } else {
            // Correctly rounded, and short enough that the shortest decimal of the result is the price.
            #[expect(clippy::cast_precision_loss, reason = "at most 1e13, below 2^53")]
            serializer.serialize_f64(self.0 as f64 / ONE as f64)
        }
    }
}

impl<'de> Deserialize<'de> for Price {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = f64::deserialize(deserializer)?;
        #[expect(clippy::cast_precision_loss, reason = "ONE is 10,000")]
        let units = (value * ONE as f64).round();
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_precision_loss,
            reason = "range is checked first"
        )]
        if units >= 0.0 && units <= Self::MAX.0 as f64 && (units / ONE as f64) == value {
            Ok(Self(units as i64))
        } else {
            Err(serde::de::Error::custom("not a price: from 0 to 1000000000 with at most 4 fraction digits"))
        }
    }
}

/// A sum of money: an exact decimal of any sign, in JSON a string such as `"1234.5"`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Amount(i128);

impl Amount {
    /// Nothing.
    pub const ZERO: Amount = Amount(0);

    /// Makes an amount of `units` ten-thousandths.
    pub fn from_units(units: i128) -> Self {
        Self(units)
    }

    /// Returns the amount in ten-thousandths.
    pub fn units(self) -> i128 {
        self.0
    }
}

impl Add for Amount {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self(self.0 + other.0)
    }
}

impl Sub for Amount {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        Self(self.0 - other.0)
    }
}

impl Neg for Amount {
    type Output = Self;
    fn neg(self) -> Self {
        Self(-self.0)
    }
}

impl AddAssign for Amount {
    fn add_assign(&mut self, other: Self) {
        self.0 += other.0;
    }
}

impl Sum for Amount {
    fn sum<I: Iterator<Item = Self>>(items: I) -> Self {
        items.fold(Self::ZERO, Add::add)
    }
}

impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let magnitude = self.0.unsigned_abs();
        let one = u128::from(ONE.unsigned_abs());
        let (whole, fraction) = (magnitude / one, magnitude % one);
        let sign = if self.0 < 0 { "-" } else { "" };
        if fraction == 0 {
            write!(f, "{sign}{whole}")
        } else {
            let digits = format!("{fraction:04}");
            write!(f, "{sign}{whole}.{}", digits.trim_end_matches('0'))
        }
    }
}

impl FromStr for Amount {
    type Err = NumberError;

    fn from_str(text: &str) -> Result<Self, NumberError> {
        parse_units(text).map(Self)
    }
}

impl Serialize for Amount {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Amount {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// Reads `-12.5e1` exactly into ten-thousandths.
fn parse_units(text: &str) -> Result<i128, NumberError> {
    let (negative, rest) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let (mantissa, exponent) = match rest.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => {
            (mantissa, exponent.parse::<i64>().map_err(|_| NumberError::NotANumber)?)
        }
        None => (rest, 0),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let is_number = !whole.is_empty()
        && whole.bytes().chain(fraction.bytes()).all(|b| b.is_ascii_digit())
        && (mantissa.len() == whole.len() || !fraction.is_empty());
    if !is_number {
        return Err(NumberError::NotANumber);
    }
    let digits = whole.bytes().chain(fraction.bytes()).map(|b| b - b'0');
    let significant: Vec<u8> = digits.skip_while(|d| *d == 0).collect();
    let trailing_zeros = significant.iter().rev().take_while(|d| **d == 0).count();
    let significant = &significant[..significant.len() - trailing_zeros];
    if significant.is_empty() {
        return Ok(0);
    }
    let length = |n: usize| i64::try_from(n).unwrap_or(i64::MAX);
    // value = significant × 10^shift ten-thousandths
    let shift = exponent
        .saturating_sub(length(fraction.len()))
        .saturating_add(length(trailing_zeros))
        .saturating_add(i64::from(SCALE));
    if shift < 0 {
        return Err(NumberError::FractionDigits);
    }
    // 10^34 ten-thousandths is far beyond any sum and far inside 128 bits.
    if shift.saturating_add(length(significant.len())) > 34 {
        return Err(NumberError::Range);
    }
    let mantissa = significant.iter().fold(0_i128, |value, digit| value * 10 + i128::from(*digit));
    let units = mantissa * 10_i128.pow(u32::try_from(shift).expect("0 to 34"));
    Ok(if negative { -units } else { units })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn reads_json_numbers_exactly() {
        for (text, units) in [
            ("99.99", 999_900),
            ("0", 0),
            ("1e2", 1_000_000),
            ("0.0001", 1),
            ("10.50000", 105_000),
            ("2.5E-1", 2500),
            ("-0", 0),
        ] {
            assert_eq!(text.parse::<Price>().map(Price::units), Ok(units), "{text}");
        }
    }

    #[test]
    fn refuses_what_it_cannot_keep() {
        for (text, error) in [
            ("0.00001", NumberError::FractionDigits),
            ("1.00000000000000000001", NumberError::FractionDigits),
            ("-0.01", NumberError::Range),
            ("1000000000.0001", NumberError::Range),
            ("1e99999999999", NumberError::Range),
            ("1e999999999999999999999", NumberError::NotANumber),
            ("1.", NumberError::NotANumber),
            ("\"1\"", NumberError::NotANumber),
            ("", NumberError::NotANumber),
        ] {
            assert_eq!(text.parse::<Price>(), Err(error), "{text}");
        }
    }

    #[test]
    fn amounts_print_their_shortest_form() {
        assert_eq!(Amount::from_units(-15_000).to_string(), "-1.5");
        assert_eq!(Amount::from_units(20_000).to_string(), "2");
        assert_eq!(Amount::from_units(1).to_string(), "0.0001");
    }

    proptest! {
        #[test]
        fn prices_survive_json(units in 0..=Price::MAX.0) {
            let price = Price(units);
            let json = serde_json::to_string(&price).unwrap();
            prop_assert_eq!(serde_json::from_str::<Price>(&json).unwrap(), price);
            prop_assert_eq!(json.parse::<Price>().unwrap(), price);
        }

        #[test]
        fn amounts_survive_text(units in -10_i128.pow(30)..10_i128.pow(30)) {
            let amount = Amount(units);
            prop_assert_eq!(amount.to_string().parse::<Amount>().unwrap(), amount);
        }
    }
}
