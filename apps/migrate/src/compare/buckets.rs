//! Sums of digests by bucket: equal sums are equal sets, far beyond chance.

use souk_domain::ProductId;

use crate::digest::ProductDigest;

/// Enough that a difference leads to few products, few enough to be no burden: 4 MiB.
const BUCKETS: usize = 1 << 16;
/// Products of a slice: a hundred bytes each.
const SLICE: u64 = 250_000;

/// How many products a bucket has, and the sum of their digests.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Sum {
    products: u32,
    digests: u128,
}

/// Both sides' sums.
pub(super) struct Buckets {
    source: Vec<Sum>,
    souk: Vec<Sum>,
    /// Rows that have no digest: they make no difference, and take room.
    unjudged: Vec<u32>,
}

/// The bucket of an id: by its last bytes, which differ most whatever the version of the UUID.
fn bucket(id: ProductId) -> usize {
    let bytes = id.0.as_bytes();
    usize::from(u16::from_be_bytes([bytes[14], bytes[15]]))
}

impl Buckets {
    pub fn new() -> Self {
        let sums = || vec![Sum::default(); BUCKETS];
        Self { source: sums(), souk: sums(), unjudged: vec![0; BUCKETS] }
    }

    pub fn add_source(&mut self, id: ProductId, digest: ProductDigest) {
        add(&mut self.source[bucket(id)], digest);
    }

    pub fn add_unjudged(&mut self, id: ProductId) {
        self.unjudged[bucket(id)] += 1;
    }

    pub fn add_souk(&mut self, id: ProductId, digest: ProductDigest) {
        add(&mut self.souk[bucket(id)], digest);
    }
}

fn add(sum: &mut Sum, digest: ProductDigest) {
    sum.products += 1;
    if !souk_ports::fault::planted("migrate-compares-counts") {
        sum.digests = sum.digests.wrapping_add(digest);
    }
}

/// Some of the buckets that differ.
pub(super) struct Slice(Vec<bool>);

impl Slice {
    /// Tells whether the product is in one of them.
    pub fn has(&self, id: ProductId) -> bool {
        self.0[bucket(id)]
    }
}

/// The buckets that differ, in slices of a bounded number of products.
pub(super) struct Slices(Vec<Slice>);

impl Slices {
    pub fn of(buckets: &Buckets) -> impl Iterator<Item = Slice> {
        let mut slices: Vec<Slice> = Vec::new();
        let mut room = 0;
        for (at, (source, souk)) in buckets.source.iter().zip(&buckets.souk).enumerate() {
            if source == souk {
                continue;
            }
            let rows = u64::from(source.products) + u64::from(buckets.unjudged[at]);
            let products = rows.max(u64::from(souk.products));
            if slices.is_empty() || products > room {
                slices.push(Slice(vec![false; BUCKETS]));
                room = SLICE;
            }
            room = room.saturating_sub(products);
            slices.last_mut().expect("one was pushed").0[at] = true;
        }
        Self(slices).0.into_iter()
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn id(n: u128) -> ProductId {
        ProductId(Uuid::from_u128(n))
    }

    #[test]
    fn only_buckets_that_differ_are_looked_into() {
        let mut buckets = Buckets::new();
        for n in 0..1_000 {
            buckets.add_source(id(n), n * 7);
            buckets.add_souk(id(999 - n), (999 - n) * 7);
        }
        assert_eq!(Slices::of(&buckets).count(), 0, "the order does not matter");
        buckets.add_source(id(5_000), 1);
        buckets.add_souk(id(6_000), 1);
        let slices: Vec<Slice> = Slices::of(&buckets).collect();
        assert_eq!(slices.len(), 1);
        assert!(slices[0].has(id(5_000)) && slices[0].has(id(6_000)) && !slices[0].has(id(7)));
    }

    #[test]
    fn slices_are_bounded() {
        let mut buckets = Buckets::new();
        for n in 0..600_000 {
            buckets.add_source(id(n), n);
        }
        assert_eq!(Slices::of(&buckets).count(), 3);
    }

    #[test]
    fn rows_without_a_verdict_take_room_and_are_no_difference() {
        let mut buckets = Buckets::new();
        for n in 0..600_000 {
            buckets.add_unjudged(id(n));
        }
        assert_eq!(Slices::of(&buckets).count(), 0);
        for n in 0..60_000 {
            buckets.add_souk(id(n), n);
        }
        assert_eq!(Slices::of(&buckets).count(), 3);
    }
}
