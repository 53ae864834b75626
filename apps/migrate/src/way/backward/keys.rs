//! The keys of rows by the ids of their products, where ids are made of keys and do not tell them.

use std::collections::HashMap;
use std::sync::Arc;

use souk_domain::ProductId;
use souk_ports::{Source, SourceQuery};

use crate::MigrateError;
use crate::judge::Judge;
use crate::rows::{SourceRows, keys_alone};

/// The bytes of an id that it is found by; which of those that have the same it is, its key says.
const HEAD: usize = 8;
/// The bytes of a place in [`RowKeys::texts`]: enough for a terabyte.
const PLACE: usize = 5;
/// What ends a key: Postgres has no text with it.
const END: u8 = 0;

/// Every key of a table, in 13 bytes and its text for each.
#[derive(Debug, Default)]
pub(super) struct RowKeys {
    /// Beginning of an id and place of its key, sorted.
    places: Vec<[u8; HEAD + PLACE]>,
    /// The keys, each with its end.
    texts: Vec<u8>,
    /// Those that were learned since.
    learned: HashMap<ProductId, String>,
}

impl RowKeys {
    /// Reads those of the table; none where ids are keys.
    pub async fn read(
        source: &Arc<dyn Source>,
        query: &SourceQuery,
        judge: &Judge,
    ) -> Result<Self, MigrateError> {
        let mut keys = Self::default();
        if judge.keeps_ids() {
            return Ok(keys);
        }
        let mut rows = SourceRows::begin(source, &keys_alone(query), None);
        while let Some(page) = rows.page().await? {
            page.iter().for_each(|row| keys.add(&row.key, judge));
        }
        keys.places.sort_unstable();
        keys.places.shrink_to_fit();
        keys.texts.shrink_to_fit();
        Ok(keys)
    }

    fn add(&mut self, key: &str, judge: &Judge) {
        let Some(id) = judge.id(key) else { return };
        let mut place = [0; HEAD + PLACE];
        place[..HEAD].copy_from_slice(&id.0.as_bytes()[..HEAD]);
        place[HEAD..].copy_from_slice(&(self.texts.len() as u64).to_be_bytes()[8 - PLACE..]);
        self.places.push(place);
        self.texts.extend_from_slice(key.as_bytes());
        self.texts.push(END);
    }

    /// Takes in a row that was not there at the beginning.
    pub fn learn(&mut self, id: ProductId, key: &str) {
        self.learned.insert(id, key.to_owned());
    }

    /// Returns the key of a product's row, which need not be there any more; `None` when there never was one.
    pub fn of(&self, id: ProductId, judge: &Judge) -> Option<String> {
        let is_its = |key: &str| judge.id(key) == Some(id);
        let learned = || self.learned.get(&id).cloned();
        judge.key(id).or_else(learned).filter(|key| is_its(key)).or_else(|| {
            let head = &id.0.as_bytes()[..HEAD];
            let first = self.places.partition_point(|place| &place[..HEAD] < head);
            let alike = self.places[first..].iter().take_while(|place| &place[..HEAD] == head);
            alike.map(|place| self.text(place)).find(|key| is_its(key)).map(str::to_owned)
        })
    }

    fn text(&self, place: &[u8; HEAD + PLACE]) -> &str {
        let at = place[HEAD..].iter().fold(0, |at, byte| at << 8 | usize::from(*byte));
        let rest = &self.texts[at..];
        let end = rest.iter().position(|byte| *byte == END).expect("each key has its end");
        std::str::from_utf8(&rest[..end]).expect("it was a text")
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use souk_domain::Reference;
    use souk_ports::GivenKey;
    use uuid::Uuid;

    use super::*;

    #[test]
    fn a_key_is_found_by_the_id_that_is_made_of_it() {
        let mut judge = Judge::new(&Reference::new("a").unwrap(), false, BTreeMap::new());
        let created = ProductId(Uuid::from_u128(7));
        judge.give([GivenKey { id: created, key: "77".into() }]);
        let mut keys = RowKeys::default();
        let texts: Vec<String> = (1..500).map(|n: u32| n.pow(2).to_string()).chain(["Ä 1".into()]).collect();
        texts.iter().for_each(|key| keys.add(key, &judge));
        keys.places.sort_unstable();
        for key in &texts {
            assert_eq!(keys.of(judge.id(key).unwrap(), &judge).as_deref(), Some(&**key));
        }
        let absent = judge.id("3").unwrap();
        assert_eq!(keys.of(absent, &judge), None);
        keys.learn(absent, "3");
        assert_eq!(keys.of(absent, &judge).as_deref(), Some("3"));
        assert_eq!(keys.of(created, &judge).as_deref(), Some("77"));
        // A key that is given to a product that was created is its own from then on.
        let before = judge.id("4").unwrap();
        judge.give([GivenKey { id: created, key: "4".into() }]);
        assert_eq!((keys.of(before, &judge), keys.of(created, &judge)), (None, Some("4".into())));
    }

    #[test]
    fn ids_that_begin_alike_are_told_apart() {
        let judge = Judge::new(&Reference::new("a").unwrap(), false, BTreeMap::new());
        let mut keys = RowKeys::default();
        ["1", "2"].into_iter().for_each(|key| keys.add(key, &judge));
        // As if both had the same beginning.
        let head = judge.id("2").unwrap();
        for place in &mut keys.places {
            place[..HEAD].copy_from_slice(&head.0.as_bytes()[..HEAD]);
        }
        assert_eq!(keys.of(head, &judge).as_deref(), Some("2"));
    }
}
