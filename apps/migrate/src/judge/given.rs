//! The keys of rows that souk added to the table: their products have ids of souk's own making.

use std::collections::HashMap;

use souk_domain::ProductId;
use souk_ports::GivenKey;

/// Which product each of them is, and the other way round.
#[derive(Debug, Clone, Default)]
pub(crate) struct GivenKeys {
    ids: HashMap<String, ProductId>,
    keys: HashMap<ProductId, String>,
}

impl GivenKeys {
    /// Takes one in; a key that was another product's is so no more.
    pub fn add(&mut self, GivenKey { id, key }: GivenKey) {
        if let Some(before) = self.ids.insert(key.clone(), id)
            && before != id
        {
            self.keys.remove(&before);
        }
        self.keys.insert(id, key);
    }

    /// Returns the product of a key.
    pub fn id(&self, key: &str) -> Option<ProductId> {
        self.ids.get(key).copied()
    }

    /// Returns the key of a product.
    pub fn key(&self, id: ProductId) -> Option<&str> {
        self.keys.get(&id).map(String::as_str)
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[test]
    fn a_key_that_is_given_again_is_the_later_products() {
        let [one, other] = [1, 2].map(|n| ProductId(Uuid::from_u128(n)));
        let mut given = GivenKeys::default();
        for id in [one, other] {
            given.add(GivenKey { id, key: "A-1".into() });
            assert_eq!((given.id("A-1"), given.key(id)), (Some(id), Some("A-1")));
        }
        assert_eq!(given.key(one), None);
    }
}
