//! When two values are the same, whatever the way they are written.

use serde_json::Value;
use souk_domain::{Replacement, Timestamp};

/// Characters of a value that are shown.
const SHOWN: usize = 80;

/// What a field holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A number, which may be written as a text.
    Decimal,
    /// A moment, as RFC 3339, as a database writes it, or in milliseconds since 1970.
    Instant,
    /// Anything else.
    Other,
}

impl Kind {
    /// Returns what a field of souk's holds.
    pub fn of(field: &str) -> Self {
        match field {
            "price" | "stock" | "lowStockThreshold" => Self::Decimal,
            "createdAt" | "updatedAt" => Self::Instant,
            _ => Self::Other,
        }
    }
}

/// Tells whether two values are the same.
pub fn same(kind: Kind, old: &Value, new: &Value) -> bool {
    if old == new {
        return true;
    }
    match kind {
        Kind::Decimal => decimal(old).is_some_and(|old| decimal(new) == Some(old)),
        Kind::Instant => instant(old).is_some_and(|old| instant(new) == Some(old)),
        // A code that one side writes as a number, the other as a text.
        Kind::Other => match (old, new) {
            (Value::Number(number), Value::String(text)) | (Value::String(text), Value::Number(number)) => {
                number.to_string() == *text
            }
            _ => false,
        },
    }
}

/// Reads sign, digits without leading and trailing zeros, and the power of ten of the last one.
fn decimal(value: &Value) -> Option<(bool, String, i64)> {
    let text = match value {
        Value::Number(number) => number.to_string(),
        Value::String(text) => text.trim().to_owned(),
        _ => return None,
    };
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i64>().ok()?),
        None => (&*text, 0),
    };
    let (negative, unsigned) = match mantissa.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, mantissa.strip_prefix('+').unwrap_or(mantissa)),
    };
    let (whole, fraction) = unsigned.split_once('.').unwrap_or((unsigned, ""));
    let digits = format!("{whole}{fraction}");
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let power = exponent.checked_sub(i64::try_from(fraction.len()).ok()?)?;
    let kept = digits.trim_end_matches('0');
    let power = power.checked_add(i64::try_from(digits.len() - kept.len()).ok()?)?;
    let kept = kept.trim_start_matches('0');
    if kept.is_empty() { Some((false, String::new(), 0)) } else { Some((negative, kept.to_owned(), power)) }
}

/// Reads a moment; one without a zone is taken for UTC, as the mapping takes it.
fn instant(value: &Value) -> Option<Timestamp> {
    match value {
        Value::Number(millis) => millis.as_i64().map(Timestamp::from_millis),
        Value::String(text) => {
            let mut text = text.trim().replacen(' ', "T", 1);
            let time = text.split_once('T').map_or("", |(_, time)| time);
            let zone = time.find(['+', '-']).map(|at| time[at..].to_owned());
            match zone {
                // Postgres leaves the minutes of a zone out.
                Some(zone) if zone.len() == 3 => text.push_str(":00"),
                Some(_) => {}
                None if text.ends_with(['Z', 'z']) => {}
                None => text.push('Z'),
            }
            text.parse().ok()
        }
        _ => None,
    }
}

/// Tells whether souk's value of a field, as JSON, is the one that a row was judged to have.
pub fn is_taken_over(taken: &Replacement, field: &str, new: &str) -> bool {
    let text = |text: Option<&str>| text.map_or(Value::Null, Value::from);
    let expected = match field {
        "sku" => text(taken.sku.as_ref().map(souk_domain::Sku::as_str)),
        "name" => text(Some(taken.name.as_str())),
        "description" => text(taken.description.as_ref().map(souk_domain::Description::as_str)),
        "category" => text(Some(taken.category.as_str())),
        "price" => text(Some(&taken.price.to_string())),
        "stock" => Value::from(taken.stock.get()),
        _ => return false,
    };
    serde_json::from_str(new).is_ok_and(|new| same(Kind::of(field), &expected, &new))
}

/// A value for people: not more of it than they read.
pub fn shortened(text: &str) -> String {
    match text.char_indices().nth(SHOWN) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn decimals_are_what_they_are_worth() {
        for (old, new, equal) in [
            (json!("19.90"), json!(19.9), true),
            (json!("0019.900"), json!("19.9"), true),
            (json!(1e3), json!(1000), true),
            (json!("-0.00"), json!(0), true),
            (json!("1.005"), json!(1.0049), false),
            (json!("-1"), json!(1), false),
            (json!("10"), json!(1), false),
            (json!("0.1"), json!(0.01), false),
            (json!(null), json!(0), false),
            (json!("ten"), json!(10), false),
        ] {
            assert_eq!(same(Kind::Decimal, &old, &new), equal, "{old} {new}");
        }
    }

    #[test]
    fn instants_are_moments() {
        let new = json!("2026-11-28T18:09:12.996Z");
        for (old, equal) in [
            (json!("2026-11-28T19:09:12.996+01:00"), true),
            (json!("2026-11-28 18:09:12.996123"), true),
            (json!("2026-11-28 18:09:12.996123+00"), true),
            (json!(1_795_889_352_996_i64), true),
            (json!("2026-11-28T18:09:12.995Z"), false),
            (json!("yesterday"), false),
        ] {
            assert_eq!(same(Kind::Instant, &old, &new), equal, "{old}");
        }
    }

    #[test]
    fn texts_are_themselves() {
        assert!(same(Kind::Other, &json!(7), &json!("7")));
        assert!(
            !same(Kind::Other, &json!("007"), &json!("7")) && !same(Kind::Other, &json!(""), &json!(null))
        );
    }
}
