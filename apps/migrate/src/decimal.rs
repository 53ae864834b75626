//! Numbers as other systems write them: any digits, any exponent.

/// A number in units of a power of ten.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Scaled {
    /// Rounded half away from zero; held to ±10^30.
    pub units: i128,
    /// Whether nothing was rounded off.
    pub exact: bool,
}

const MOST: i128 = 10_i128.pow(30);

/// Reads `-12.50`, `1e-05` or `1E+20` in units of 10^-`scale`; `None` when it is no finite number.
pub(crate) fn scaled(text: &str, scale: i32) -> Option<Scaled> {
    let text = text.trim();
    let (negative, rest) = match text.as_bytes().first()? {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    let (mantissa, exponent) = match rest.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().ok()?.clamp(-10_000, 10_000)),
        None => (rest, 0),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let is_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() && fraction.is_empty() || !is_digits(whole) || !is_digits(fraction) {
        return None;
    }
    let mut digits: Vec<u8> =
        whole.bytes().chain(fraction.bytes()).skip_while(|byte| *byte == b'0').collect();
    let mut shift = exponent + scale - i32::try_from(fraction.len()).ok()?;
    while digits.last() == Some(&b'0') {
        digits.pop();
        shift += 1;
    }
    // Digits before the last place kept, and what follows it.
    let kept = i32::try_from(digits.len()).ok()? + shift.min(0);
    let (kept, rest) = digits.split_at(usize::try_from(kept).unwrap_or(0));
    let mut units = if kept.len() + usize::try_from(shift.max(0)).ok()? > 30 {
        MOST
    } else {
        let value = kept.iter().fold(0_i128, |value, digit| value * 10 + i128::from(digit - b'0'));
        value * 10_i128.pow(shift.max(0).unsigned_abs())
    };
    // The first digit past the last place decides, unless there are zeros between.
    let is_next = -shift <= i32::try_from(digits.len()).ok()?;
    if is_next && rest.first().is_some_and(|digit| *digit >= b'5') && units < MOST {
        units += 1;
    }
    Some(Scaled { units: if negative { -units } else { units }, exact: rest.is_empty() })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(text: &str) -> (i128, bool) {
        let Scaled { units, exact } = scaled(text, 4).unwrap();
        (units, exact)
    }

    #[test]
    fn reads_what_databases_write() {
        for (text, units, exact) in [
            ("19.99", 199_900, true),
            ("-0.5", -5_000, true),
            ("1e-05", 0, false),
            ("5e-05", 1, false),
            ("0.00004999", 0, false),
            ("0.00005", 1, false),
            ("-0.00005", -1, false),
            ("19.989999771118164", 199_900, false),
            ("1e+2", 1_000_000, true),
            ("1200", 12_000_000, true),
            (".5", 5_000, true),
            ("0", 0, true),
            ("0.00000", 0, true),
            ("+3.", 30_000, true),
            ("1e+300", MOST, true),
            ("1e-300", 0, false),
            ("99999999999999999999999999999999999999999999", MOST, true),
        ] {
            assert_eq!(read(text), (units, exact), "{text}");
        }
        for text in ["", "NaN", "Infinity", "-Infinity", "$1.00", "1,5", "--1", ".", "1e", "e5", "-"] {
            assert_eq!(scaled(text, 4), None, "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn agrees_with_integers(units in -10_i64.pow(15)..10_i64.pow(15)) {
            let text = format!("{}{}.{:04}", if units < 0 { "-" } else { "" }, units.abs() / 10_000, units.abs() % 10_000);
            prop_assert_eq!(read(&text), (i128::from(units), true));
            let more = format!("{text}4999");
            prop_assert_eq!(read(&more), (i128::from(units), false));
        }
    }
}
