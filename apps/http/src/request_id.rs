//! Request ids: taken from the request when sane, else made.

use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};

use http::{HeaderMap, HeaderName, HeaderValue};
use uuid::Uuid;

/// The header of request and answer.
pub(crate) const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Most characters taken over from a request: enough for trace ids, too few to flood a log.
const MAX_LENGTH: usize = 128;

/// Returns the request's id: its own when that is 1 to 128 of `A-Za-z0-9._-`, else a new one.
pub(crate) fn of(headers: &HeaderMap) -> HeaderValue {
    headers.get(X_REQUEST_ID).filter(|id| is_sane(id.as_bytes())).cloned().unwrap_or_else(make)
}

fn is_sane(id: &[u8]) -> bool {
    (1..=MAX_LENGTH).contains(&id.len())
        && id.iter().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'))
}

/// Makes an id that is unique across processes: 16 random hexadecimal digits of this one, and a count. A UUID for each
/// request would cost a draw of random numbers on the hottest path.
pub(crate) fn make() -> HeaderValue {
    static PROCESS: LazyLock<[u8; 17]> = LazyLock::new(|| {
        let mut prefix = [b'-'; 17];
        // The last eight bytes of a version 7 UUID are its random ones.
        write_hex(&mut prefix[..16], Uuid::now_v7().as_u64_pair().1);
        prefix
    });
    static COUNT: AtomicU64 = AtomicU64::new(1);
    let mut id = [0; 27];
    id[..17].copy_from_slice(&*PROCESS);
    write_hex(&mut id[17..], COUNT.fetch_add(1, Ordering::Relaxed));
    HeaderValue::from_bytes(&id).expect("hexadecimal digits and '-' are visible ASCII")
}

/// Writes the lowest digits of `number` that fit.
fn write_hex(digits: &mut [u8], mut number: u64) {
    for digit in digits.iter_mut().rev() {
        *digit = b"0123456789abcdef"[(number & 0xf) as usize];
        number >>= 4;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(id: &str) -> HeaderMap {
        HeaderMap::from_iter([(X_REQUEST_ID, HeaderValue::from_bytes(id.as_bytes()).unwrap())])
    }

    #[test]
    fn takes_sane_ids_and_replaces_others() {
        assert_eq!(of(&with("a.B_9-")), "a.B_9-");
        let longest = "x".repeat(128);
        assert_eq!(of(&with(&longest)), longest.as_str());
        for id in ["", "a b", "é", "<script>", &"x".repeat(129)] {
            assert_ne!(of(&with(id)), id);
        }
    }

    #[test]
    fn makes_distinct_ids() {
        let (one, two) = (of(&HeaderMap::new()), of(&HeaderMap::new()));
        assert_ne!(one, two);
        assert!(is_sane(one.as_bytes()) && one.len() == 27);
    }
}
