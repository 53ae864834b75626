//! The columns beside the event itself, read without parsing the event.
//!
//! souk writes the attributes in a fixed order (`souk_events::encode`), so they are found by position; an event
//! that was written otherwise is parsed.

use souk_domain::EventType;
use souk_events::Envelope;

const BEFORE_ID: &[u8] = br#"{"specversion":"1.0","id":""#;
const BEFORE_TYPE: &[u8] = br#"","source":"/souk/api","type":""#;
const BEFORE_SUBJECT: &[u8] = br#"","subject":""#;
const BEFORE_TIME: &[u8] = br#"","time":""#;
const BEFORE_SELLER: &[u8] = br#"","datacontenttype":"application/json","sellerid":""#;
const BEFORE_VERSION: &[u8] = br#"","data":{"version":"#;

/// Length of a UUID as text.
const ID: usize = 36;
/// Length of a time as souk writes it.
const TIME: usize = 24;

/// Where the columns' values lie in a payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Layout<'a> {
    pub id: &'a [u8],
    pub event_type: EventType,
    pub subject: &'a [u8],
    /// Milliseconds since 1970.
    pub time: i64,
    pub seller: &'a [u8],
    pub version: u64,
}

/// The columns' values of one record.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Columns<'a> {
    /// Found by position.
    InPlace(Layout<'a>),
    /// Parsed.
    Parsed(Box<Envelope>),
    /// No event of ours: archived with empty columns, so that it is not lost.
    Unreadable,
}

/// Reads the columns' values.
pub(super) fn columns(payload: &[u8]) -> Columns<'_> {
    match layout(payload) {
        Some(layout) => Columns::InPlace(layout),
        None => match Envelope::read(payload) {
            Ok(envelope) => Columns::Parsed(Box::new(envelope)),
            Err(_) => Columns::Unreadable,
        },
    }
}

/// Tells whether a payload has what every event of ours has.
pub(crate) fn is_envelope(payload: &[u8]) -> bool {
    !matches!(columns(payload), Columns::Unreadable)
}

fn layout(payload: &[u8]) -> Option<Layout<'_>> {
    let rest = payload.strip_prefix(BEFORE_ID)?;
    let (id, rest) = uuid(rest)?;
    let rest = rest.strip_prefix(BEFORE_TYPE)?;
    let event_type = EventType::ALL.into_iter().find(|kind| {
        let name = kind.as_str().as_bytes();
        rest.starts_with(name) && rest.get(name.len()) == Some(&b'"')
    })?;
    let rest = rest[event_type.as_str().len()..].strip_prefix(BEFORE_SUBJECT)?;
    let (subject, rest) = uuid(rest)?;
    let rest = rest.strip_prefix(BEFORE_TIME)?;
    let (time, rest) = rest.split_at_checked(TIME)?;
    let time = millis(time.try_into().expect("split at 24"))?;
    let rest = rest.strip_prefix(BEFORE_SELLER)?;
    let end = rest.iter().position(|b| !(b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-')))?;
    let (seller, rest) = rest.split_at(end);
    let rest = rest.strip_prefix(BEFORE_VERSION)?;
    let digits = rest.iter().position(|b| !b.is_ascii_digit()).filter(|digits| (1..=18).contains(digits))?;
    let version = rest[..digits].iter().fold(0, |value, digit| value * 10 + u64::from(digit - b'0'));
    Some(Layout { id, event_type, subject, time, seller, version })
}

/// Splits a UUID in lower case off; other spellings are parsed, so that the column has one.
fn uuid(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let (id, rest) = text.split_at_checked(ID)?;
    let valid = id.iter().enumerate().all(|(at, byte)| match at {
        8 | 13 | 18 | 23 => *byte == b'-',
        _ => matches!(byte, b'0'..=b'9' | b'a'..=b'f'),
    });
    valid.then_some((id, rest))
}

/// Reads `2026-11-22T18:00:00.123Z`; `None` for any other form.
fn millis(text: &[u8; TIME]) -> Option<i64> {
    const FORM: &[u8; TIME] = b"dddd-dd-ddTdd:dd:dd.dddZ";
    let fits = |(byte, form): (&u8, &u8)| if *form == b'd' { byte.is_ascii_digit() } else { byte == form };
    if !text.iter().zip(FORM).all(fits) {
        return None;
    }
    let number = |from: usize, to: usize| {
        text[from..to].iter().fold(0, |value, digit| value * 10 + i64::from(digit - b'0'))
    };
    let (year, month, day) = (number(0, 4), number(5, 7), number(8, 10));
    let (hour, minute, second) = (number(11, 13), number(14, 16), number(17, 19));
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let days_in_month = match month {
        2 => 28 + i64::from(leap),
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => return None,
    };
    if !(1..=days_in_month).contains(&day) || hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    // Days since 1970 of a date in the proleptic Gregorian calendar (H. Hinnant, "chrono-Compatible Low-Level Date
    // Algorithms", days_from_civil): years begin in March, so that the leap day is the last one.
    let shifted = if month <= 2 { year - 1 } else { year };
    let era = shifted.div_euclid(400);
    let year_of_era = shifted.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    let days = era * 146_097 + day_of_era - 719_468;
    Some((((days * 24 + hour) * 60 + minute) * 60 + second) * 1000 + number(20, 23))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use souk_domain::Timestamp;

    use super::*;
    use crate::testing::{Shop, steps};

    proptest! {
        #[test]
        fn times_are_read_as_the_contract_does(time in Timestamp::MIN.millis()..=Timestamp::MAX.millis()) {
            let text = Timestamp::from_millis(time).to_string();
            prop_assert_eq!(millis(text.as_bytes().try_into().unwrap()), Some(time));
        }

        #[test]
        fn odd_times_are_left_to_the_parser(text in "[0-9]{4}-[0-3][0-9]-[0-3][0-9]T[0-9]{2}:[0-9]{2}:[0-9]{2}\\.[0-9]{3}Z") {
            let expected = text.parse::<Timestamp>().ok().map(Timestamp::millis);
            let found = millis(text.as_bytes().try_into().unwrap());
            prop_assert!(found.is_none() || found == expected, "{} {:?} {:?}", text, found, expected);
        }

        #[test]
        fn our_own_events_are_read_in_place(steps in proptest::collection::vec(steps(), 0..20)) {
            for record in Shop::default().play(&steps) {
                let envelope = Envelope::read(&record.payload).unwrap();
                let Columns::InPlace(layout) = columns(&record.payload) else { panic!("not in place") };
                let (id, subject) = (envelope.id.to_string(), envelope.subject.to_string());
                prop_assert_eq!(layout.id, id.as_bytes());
                prop_assert_eq!(layout.event_type, envelope.event_type);
                prop_assert_eq!(layout.subject, subject.as_bytes());
                prop_assert_eq!(layout.time, envelope.time.millis());
                prop_assert_eq!(layout.seller, envelope.seller_id.as_str().as_bytes());
                prop_assert_eq!(layout.version, envelope.version.0);
            }
        }

        #[test]
        fn cut_events_do_no_harm(steps in proptest::collection::vec(steps(), 1..5), cut: proptest::sample::Index) {
            for record in Shop::default().play(&steps) {
                let cut = cut.index(record.payload.len());
                let _ = columns(&record.payload[..cut]);
            }
        }
    }

    #[test]
    fn another_order_of_fields_is_parsed() {
        let records = Shop::default().play(&[crate::testing::Step::Create { seller: 1, stock: 1 }]);
        let value: serde_json::Value = serde_json::from_slice(&records[0].payload).unwrap();
        let pretty = serde_json::to_vec_pretty(&value).unwrap();
        assert!(matches!(columns(&pretty), Columns::Parsed(_)));
        assert_eq!(columns(b"no event"), Columns::Unreadable);
    }
}
