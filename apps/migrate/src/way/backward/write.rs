//! Brings rows of the old table to where products stand in souk.

use std::collections::HashMap;
use std::sync::Arc;

use souk_domain::{Phase, Product, ProductId};
use souk_ports::{BackRow, BackWriting, ErrorKind, PortError, fault};
use tokio::task::JoinSet;

use super::{Backward, Position};
use crate::MigrateError;
use crate::compare::{of_import, of_product};
use crate::inverse::{ALL, Inverse, bit};
use crate::judge::Verdict;

/// Products looked up at once.
const BATCH: usize = 500;

/// Why a change stays in souk alone.
const OF_THE_KEY: &str = "a field that is the row's key in the old table is another one in souk, and the key of a row stays: \
     give the product the key's value again";

/// A row that goes.
pub(super) struct Gone {
    id: ProductId,
    key: String,
}

impl Backward<'_> {
    /// Writes products as they stand, the position with the last of them.
    pub(super) async fn write_all(
        &mut self,
        ids: &[ProductId],
        position: &Position,
    ) -> Result<(), MigrateError> {
        if fault::planted("migrate-back-position-first") {
            self.write(&[], &[], position).await?;
        }
        let chunks = ids.len().div_ceil(BATCH);
        for (n, ids) in ids.chunks(BATCH).enumerate() {
            let (put, gone) = self.read_rows(ids).await?;
            let up_to = if n + 1 == chunks { position } else { &self.position.clone() };
            self.write_or_refuse(&put, &gone, up_to).await?;
        }
        Ok(())
    }

    /// Writes, and takes in the keys that were given.
    pub(super) async fn write(
        &mut self,
        put: &[BackRow],
        gone: &[Gone],
        position: &Position,
    ) -> Result<(), PortError> {
        let delete: Vec<String> = gone.iter().map(|gone| gone.key.clone()).collect();
        let Inverse { keys, columns, .. } = &self.inverse;
        let writing = BackWriting { table: &self.table, keys, columns, put, delete: &delete };
        let given = self.way.old.write(&writing, &position.text()).await?;
        self.judge.give(given);
        Ok(())
    }

    async fn write_or_refuse(
        &mut self,
        put: &[BackRow],
        gone: &[Gone],
        position: &Position,
    ) -> Result<(), MigrateError> {
        match self.write(put, gone, position).await {
            Ok(()) => {
                self.pace.taken += (put.len() + gone.len()) as u64;
                return Ok(());
            }
            Err(error) if error.kind() == ErrorKind::InvalidData => {}
            Err(error) => return Err(error.into()),
        }
        // One of them is refused for good: the others must not wait for it.
        let before = self.position.clone();
        let one_by_one = put.iter().map(|row| (std::slice::from_ref(row), &[][..], row.product.id));
        let gone = gone.iter().map(|gone| (&[][..], std::slice::from_ref(gone), gone.id));
        // What goes first: its key may be that of a row that comes.
        for (put, gone, id) in gone.chain(one_by_one) {
            match self.write(put, gone, &before).await {
                Ok(()) => self.pace.taken += 1,
                Err(error) if error.kind() == ErrorKind::InvalidData => {
                    self.pace.refuse(&id.to_string(), error.to_string());
                }
                Err(error) => return Err(error.into()),
            }
        }
        self.write(&[], &[], position).await?;
        // Whoever looks now is to hear of them.
        self.keep()
    }

    /// Tells what of the table is other than in souk.
    async fn read_rows(&mut self, ids: &[ProductId]) -> Result<(Vec<BackRow>, Vec<Gone>), MigrateError> {
        let mut products = self.products(ids).await?;
        let mut keys: HashMap<ProductId, String> =
            ids.iter().filter_map(|id| Some((*id, self.keys.of(*id, &self.judge)?))).collect();
        let asked: Vec<String> = keys.values().cloned().collect();
        let (mut put, mut gone) = (Vec::new(), Vec::new());
        let mut there: HashMap<ProductId, Option<_>> = HashMap::new();
        for row in self.way.deps.source.rows(&self.query, &asked).await? {
            let Some(id) = self.judge.id(&row.key) else { continue };
            let judged = match self.judge.judge(&row, Phase::Copy) {
                Verdict::Take(import, _) => Some(of_import(*import).1),
                // Not there for souk; where souk has made one of this id, the row becomes it.
                Verdict::Skip(_) | Verdict::Stop(_) => None,
            };
            there.insert(id, judged);
        }
        for id in ids {
            self.pace.refused.remove(&id.to_string());
            let product = products.remove(id);
            let key = keys.remove(id).or_else(|| self.key_as_sku(product.as_ref()?));
            match (product, there.remove(id)) {
                (Some(product), Some(Some(row))) => {
                    let differing = row.differing(&of_product(&product, &self.judge, &self.query));
                    let changed = differing.iter().fold(0, |changed, (field, ..)| changed | bit(field));
                    if changed & self.inverse.in_key != 0 {
                        self.pace.refuse(&id.to_string(), OF_THE_KEY.to_owned());
                    }
                    let changed = changed & !self.inverse.in_key;
                    if changed != 0 {
                        put.push(BackRow { key, product, changed });
                    }
                }
                (Some(_), None) if key.is_none() && !self.inverse.adds_rows => {
                    self.pace.refuse(&id.to_string(), self.way.gets_no_row());
                }
                (Some(product), _) => put.push(BackRow { key, product, changed: ALL }),
                (None, Some(Some(_))) => gone.extend(key.map(|key| Gone { id: *id, key })),
                (None, _) => {}
            }
        }
        Ok((put, gone))
    }

    /// The key of a row that was gone before anybody looked, where the product still has it for its sku.
    fn key_as_sku(&self, product: &Product) -> Option<String> {
        let sku = product.sku.as_ref()?.as_str();
        (self.judge.id(sku) == Some(product.id)).then(|| sku.to_owned())
    }

    async fn products(&self, ids: &[ProductId]) -> Result<HashMap<ProductId, Product>, MigrateError> {
        let mut asked = JoinSet::new();
        for id in ids {
            let (catalog, id) = (Arc::clone(&self.way.deps.catalog), *id);
            asked.spawn(async move { catalog.product(id).await });
        }
        let mut products = HashMap::new();
        while let Some(answer) = asked.join_next().await {
            let answer = answer.map_err(MigrateError::cut_off)?;
            products.extend(answer?.map(|product| (product.id, product)));
        }
        Ok(products)
    }
}
