//! The texts of keys, which sort as what they stand for: buckets by time, keys by their bytes, partitions by number.

use std::sync::Arc;

use souk_domain::Timestamp;
use souk_events::LogId;
use souk_ports::{AggregateKey, Dimension, Partition, Window};

/// The bucket of all time.
const ALL_TIME: &str = "all";
/// Ends a key of any characters but NUL, so that `a` comes before `a!`: the escape keeps the end's two characters
/// from occurring in a key, and in order.
const END: &str = "\u{1}\u{1}";
const ESCAPED: &str = "\u{1}\u{2}";
/// After every digit of a partition.
const AFTER: char = '~';

fn bucket_text(bucket: Option<Timestamp>) -> String {
    bucket.map_or_else(|| ALL_TIME.to_owned(), |bucket| bucket.to_string())
}

fn escape(key: &str) -> String {
    if key.contains('\u{1}') { key.replace('\u{1}', ESCAPED) } else { key.to_owned() }
}

/// Returns the series that names items of a window and dimension; for totals it holds them.
pub(super) fn names_series(log: LogId, window: Window, by: Dimension) -> String {
    format!("{log}#{}#{}", window.as_str(), by.as_str())
}

/// Returns the series of one key.
pub(super) fn key_series(log: LogId, window: Window, by: Dimension, key: &str) -> String {
    format!("{}#{key}", names_series(log, window, by))
}

/// Returns series and place of an item.
pub(super) fn item(log: LogId, key: &AggregateKey, partition: Partition) -> (String, String) {
    match key.by {
        Dimension::Total => (names_series(log, key.window, key.by), named_place(key, partition)),
        _ => (
            key_series(log, key.window, key.by, &key.key),
            format!("{}#{partition:05}", bucket_text(key.bucket)),
        ),
    }
}

/// Returns series and place of an item's name; totals are their own.
pub(super) fn name(log: LogId, key: &AggregateKey, partition: Partition) -> Option<(String, String)> {
    (key.by != Dimension::Total).then(|| (names_series(log, key.window, key.by), named_place(key, partition)))
}

fn named_place(key: &AggregateKey, partition: Partition) -> String {
    format!("{}#{}{END}{partition:05}", bucket_text(key.bucket), escape(&key.key))
}

/// Returns what is before every place from `bucket` on, and after every one before it.
pub(super) fn from_bucket(bucket: Option<Timestamp>) -> String {
    bucket_text(bucket)
}

/// Returns what is after every place of `bucket`, and before every one after it.
pub(super) fn after_bucket(bucket: Option<Timestamp>) -> String {
    format!("{}{AFTER}", bucket_text(bucket))
}

/// Returns what is after every place of `bucket` and `key`, and before the next key's.
pub(super) fn after_key(bucket: Option<Timestamp>, key: &str) -> String {
    format!("{}#{}{END}{AFTER}", bucket_text(bucket), escape(key))
}

/// What is before every place, and after every one.
pub(super) const LOWEST: &str = " ";
pub(super) const HIGHEST: &str = "~";

/// Reads bucket, key and partition of a name's place.
pub(super) fn parse_named(window: Window, by: Dimension, place: &str) -> Option<(AggregateKey, Partition)> {
    let (bucket, rest) = place.split_once('#')?;
    let (key, partition) = rest.rsplit_once(END)?;
    let key = Arc::from(key.replace(ESCAPED, "\u{1}"));
    Some((AggregateKey { window, by, bucket: parse_bucket(window, bucket)?, key }, partition.parse().ok()?))
}

/// Reads bucket and partition of an item's place.
pub(super) fn parse_place(window: Window, place: &str) -> Option<(Option<Timestamp>, Partition)> {
    let (bucket, partition) = place.split_once('#')?;
    Some((parse_bucket(window, bucket)?, partition.parse().ok()?))
}

fn parse_bucket(window: Window, text: &str) -> Option<Option<Timestamp>> {
    match window {
        Window::All => (text == ALL_TIME).then_some(None),
        _ => text.parse().ok().map(Some),
    }
}

/// Reads whose item this is.
pub(super) fn parse_item(log: LogId, series: &str, place: &str) -> Option<(AggregateKey, Partition)> {
    let rest = series.strip_prefix(&*log.to_string())?.strip_prefix('#')?;
    let (window, rest) = rest.split_once('#')?;
    let window = Window::parse(window)?;
    match rest.split_once('#') {
        None => parse_named(window, Dimension::parse(rest)?, place),
        Some((by, key)) => {
            let (bucket, partition) = parse_place(window, place)?;
            let key = Arc::from(key);
            Some((AggregateKey { window, by: Dimension::parse(by)?, bucket, key }, partition))
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn any_key() -> impl Strategy<Value = (AggregateKey, Partition)> {
        let text = prop_oneof!["[\u{1}\u{2}!#~a-c\u{e9}]{1,4}", "[^\u{0}]{1,8}"];
        (0..4_usize, 0..4_usize, 0..3_usize, text, 0..3_u32).prop_map(|(window, by, time, key, partition)| {
            let window = Window::ALL[window];
            let time = Timestamp::from_millis([-86_400_000 * 400, 0, 1_795_370_400_000][time]);
            let bucket = window.bucket(time);
            (AggregateKey { window, by: Dimension::ALL[by], bucket, key: Arc::from(key) }, partition)
        })
    }

    proptest! {
        #[test]
        fn items_and_names_survive_their_texts(key in any_key()) {
            let log = LogId(7);
            let (key, partition) = key;
            let (series, place) = item(log, &key, partition);
            prop_assert_eq!(parse_item(log, &series, &place), Some((key.clone(), partition)));
            if let Some((series, place)) = name(log, &key, partition) {
                prop_assert_eq!(series, names_series(log, key.window, key.by));
                prop_assert_eq!(parse_named(key.window, key.by, &place), Some((key, partition)));
            }
        }

        #[test]
        fn names_sort_as_bucket_key_and_partition(a in any_key(), b in any_key()) {
            let (one, other) = ((a.0.bucket, a.0.key.clone(), a.1), (b.0.bucket, b.0.key.clone(), b.1));
            let (window, by) = (Window::Day, Dimension::Total);
            let place = |(bucket, key, partition): &(Option<Timestamp>, Arc<str>, Partition)| {
                let bucket = bucket.or(Some(Timestamp::MIN));
                named_place(&AggregateKey { window, by, bucket, key: key.clone() }, *partition)
            };
            let order = (one.0.or(Some(Timestamp::MIN)), &one.1, one.2)
                .cmp(&(other.0.or(Some(Timestamp::MIN)), &other.1, other.2));
            prop_assert_eq!(place(&one).cmp(&place(&other)), order);
            let bound = after_key(one.0.or(Some(Timestamp::MIN)), &one.1);
            prop_assert!(place(&one) < bound);
            if (one.0, &one.1) != (other.0, &other.1) && order.is_lt() {
                prop_assert!(bound < place(&other));
            }
        }
    }
}
