//! One batch: units of work folded in memory, then written set-wise.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use rusqlite::Connection;
use souk_domain::{
    Command, Context, Event, Product, ProductId, Rejection, SellerId, Sku, Stock, Timestamp, Version, Write,
    decide,
};
use souk_ports::{Applied, IdGenerator, Refusal};

use crate::rows::{self, Stored};

/// Rows kept between batches, so that a hot product is not read again for each change. The committer is the only
/// writer, so they cannot go stale.
const MAX_CACHED_ROWS: usize = 16_384;

/// What a sku is unique in.
type SkuKey = (SellerId, Sku);

/// A product as the batch sees it.
#[derive(Clone, Default)]
struct Slot {
    /// What the file holds.
    stored: Option<Stored>,
    /// What it will hold after the batch.
    current: Option<Stored>,
    /// The version of the last delete, stored or not.
    tombstone: Option<Version>,
    touched: bool,
}

/// The rows that the current batch knows, with those that survive from earlier ones.
pub(crate) struct Rows {
    slots: HashMap<ProductId, Slot>,
    /// Who has a (seller, sku) now, where that differs from the file.
    skus: HashMap<SkuKey, Option<ProductId>>,
    /// Products written by this batch, in order of first touch.
    touched: Vec<ProductId>,
    /// Products asked for in this batch that the file does not hold.
    absent: Vec<ProductId>,
    next_seq: i64,
    /// No stored row or tombstone has a higher id: spares the look-up for almost every create.
    highest_id: Option<ProductId>,
}

/// What a unit of work did before it turned out to be refused, to be taken back.
#[derive(Default)]
struct Undo {
    slots: Vec<(ProductId, Slot)>,
    skus: Vec<(SkuKey, Option<Option<ProductId>>)>,
    touched: usize,
    next_seq: i64,
}

impl Undo {
    /// Returns what was in stock before the unit, of a product that it changed; 0 where it was not there.
    fn stock_before(&self, id: ProductId) -> Option<Stock> {
        let (_, before) = self.slots.iter().find(|(changed, _)| *changed == id)?;
        Some(before.current.as_ref().map_or(Stock::default(), |row| row.product.stock))
    }
}

/// Why a unit did not go through.
pub(crate) enum UnitError {
    Refused(Vec<Refusal>),
    Sqlite(rusqlite::Error),
}

impl From<rusqlite::Error> for UnitError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}

/// What is the same for every command of a batch.
pub(crate) struct Moment<'a> {
    pub now: Timestamp,
    pub default_threshold: Stock,
    pub ids: &'a dyn IdGenerator,
}

impl Rows {
    pub fn load(connection: &Connection) -> rusqlite::Result<Self> {
        let next_seq =
            connection.query_row("SELECT coalesce(max(seq), 0) + 1 FROM products", [], |row| row.get(0))?;
        let highest = |sql: &str| -> rusqlite::Result<Option<ProductId>> {
            connection.query_row(sql, [], |row| {
                Ok(row.get::<_, Option<[u8; 16]>>(0)?.map(|bytes| ProductId(uuid::Uuid::from_bytes(bytes))))
            })
        };
        let highest_id =
            highest("SELECT max(id) FROM products")?.max(highest("SELECT max(id) FROM tombstones")?);
        Ok(Self {
            slots: HashMap::new(),
            skus: HashMap::new(),
            touched: Vec::new(),
            absent: Vec::new(),
            next_seq,
            highest_id,
        })
    }

    /// Returns how many rows there have been, which is no less than there are.
    pub fn count(&self) -> u64 {
        self.next_seq.unsigned_abs() - 1
    }

    /// Folds one unit: all commands in order, each seeing those before it. Adds its events to `events`.
    pub fn fold(
        &mut self,
        connection: &Connection,
        commands: &[Command],
        moment: &Moment<'_>,
        events: &mut Vec<Event>,
    ) -> Result<Vec<Applied>, UnitError> {
        let events_before = events.len();
        let mut undo = Undo { touched: self.touched.len(), next_seq: self.next_seq, ..Undo::default() };
        let mut applied = Vec::with_capacity(commands.len());
        let mut refusals = Vec::new();
        for (index, command) in commands.iter().enumerate() {
            match self.apply(connection, command, moment, events, &mut undo) {
                Ok(done) => applied.push(done),
                Err(CommandError::Rejected(rejection)) => {
                    let rejection = rejection.at_hand(|id| undo.stock_before(id));
                    refusals.push(Refusal { index, rejection });
                }
                Err(CommandError::Sqlite(error)) => return Err(error.into()),
            }
        }
        if refusals.is_empty() {
            return Ok(applied);
        }
        events.truncate(events_before);
        self.take_back(undo);
        Err(UnitError::Refused(refusals))
    }

    fn apply(
        &mut self,
        connection: &Connection,
        command: &Command,
        moment: &Moment<'_>,
        events: &mut Vec<Event>,
        undo: &mut Undo,
    ) -> Result<Applied, CommandError> {
        let id = command.product_id();
        let slot = self.slot(connection, id)?;
        let context = Context {
            now: moment.now,
            event_ids: [moment.ids.next_id(), moment.ids.next_id()],
            default_threshold: moment.default_threshold,
            tombstone: slot.tombstone,
        };
        let decision = decide(slot.current.as_ref().map(|row| &*row.product), command, &context)?;
        if matches!(decision.write, Write::Nothing(_)) {
            return Ok(Applied {
                product: decision.write.product().clone(),
                previous_stock: decision.previous_stock,
                changed: false,
            });
        }
        let before = slot.clone();
        let after = match &decision.write {
            Write::Put(product) => Some(product.clone()),
            Write::Delete { .. } | Write::Nothing(_) => None,
        };
        self.claim_sku(connection, before.current.as_ref().map(|row| &*row.product), after.as_deref(), undo)?;
        let seq = match &before.current {
            Some(row) => row.seq,
            None => {
                self.next_seq += 1;
                self.next_seq - 1
            }
        };
        let slot = self.slots.get_mut(&id).expect("looked up above");
        slot.current = after.map(|product| Stored { seq, product });
        if let Write::Delete { version, .. } = &decision.write {
            slot.tombstone = Some(*version);
        }
        if !slot.touched {
            slot.touched = true;
            self.touched.push(id);
        }
        undo.slots.push((id, before));
        let (product, previous_stock) = (decision.write.product().clone(), decision.previous_stock);
        let applied = Applied { product, previous_stock, changed: true };
        events.extend(decision.events);
        Ok(applied)
    }

    /// Returns the slot of `id`, loaded at first need.
    fn slot(&mut self, connection: &Connection, id: ProductId) -> rusqlite::Result<&Slot> {
        match self.slots.entry(id) {
            Entry::Occupied(entry) => Ok(entry.into_mut()),
            Entry::Vacant(entry) => {
                let slot = if self.highest_id.is_some_and(|highest| id <= highest) {
                    let stored = rows::load(connection, id)?;
                    let tombstone =
                        if stored.is_some() { None } else { rows::load_tombstone(connection, id)? };
                    Slot { current: stored.clone(), stored, tombstone, touched: false }
                } else {
                    Slot::default()
                };
                if slot.stored.is_none() {
                    self.absent.push(id);
                }
                Ok(entry.insert(slot))
            }
        }
    }

    /// Moves a product's claim on its sku from `before` to `after`.
    fn claim_sku(
        &mut self,
        connection: &Connection,
        before: Option<&Product>,
        after: Option<&Product>,
        undo: &mut Undo,
    ) -> Result<(), CommandError> {
        let claim = |product: &Product| product.sku.clone().map(|sku| (product.seller_id.clone(), sku));
        let (old, new) = (before.and_then(claim), after.and_then(claim));
        if old == new {
            return Ok(());
        }
        if let (Some(key), Some(after)) = (&new, after) {
            let holder = match self.skus.get(key) {
                Some(holder) => *holder,
                None => rows::find_sku(connection, &key.0, &key.1)?,
            };
            if let Some(product_id) = holder.filter(|holder| *holder != after.id) {
                return Err(CommandError::Rejected(Rejection::SkuTaken { product_id }));
            }
        }
        for (key, holder) in [(old, None), (new, after.map(|product| product.id))] {
            if let Some(key) = key {
                let was = self.skus.insert(key.clone(), holder);
                undo.skus.push((key, was));
            }
        }
        Ok(())
    }

    fn take_back(&mut self, undo: Undo) {
        for (id, slot) in undo.slots.into_iter().rev() {
            self.slots.insert(id, slot);
        }
        for (key, was) in undo.skus.into_iter().rev() {
            match was {
                Some(holder) => self.skus.insert(key, holder),
                None => self.skus.remove(&key),
            };
        }
        for id in self.touched.drain(undo.touched..) {
            if let Some(slot) = self.slots.get_mut(&id) {
                slot.touched = false;
            }
        }
        self.next_seq = undo.next_seq;
    }

    /// Writes every touched row once.
    pub fn write(&mut self, connection: &Connection) -> rusqlite::Result<()> {
        // Rows that give a sku away go first: another row of this batch may take it.
        for id in &self.touched {
            let slot = &self.slots[id];
            let Some(stored) = &slot.stored else { continue };
            match &slot.current {
                None => rows::delete(connection, stored.seq)?,
                Some(current)
                    if stored.product.sku.is_some() && stored.product.sku != current.product.sku =>
                {
                    rows::release_sku(connection, stored.seq)?;
                }
                Some(_) => {}
            }
        }
        for id in &self.touched {
            let slot = &self.slots[id];
            match (&slot.stored, &slot.current) {
                (Some(stored), Some(current)) if stored.seq == current.seq => {
                    rows::update(connection, stored.seq, &stored.product, &current.product)?;
                }
                (stored, Some(current)) => {
                    // Deleted and created again within the batch: the old row has another seq and must go.
                    if let Some(stored) = stored {
                        rows::delete(connection, stored.seq)?;
                    }
                    rows::insert(connection, current.seq, &current.product)?;
                    if slot.tombstone.is_some() {
                        rows::unbury(connection, *id)?;
                    }
                }
                (_, None) => {
                    if let Some(version) = slot.tombstone {
                        rows::bury(connection, *id, version)?;
                    }
                }
            }
        }
        Ok(())
    }

    /// Settles after a commit: what was written is what is stored.
    pub fn committed(&mut self) {
        for id in self.touched.drain(..) {
            self.highest_id = self.highest_id.max(Some(id));
            if let Entry::Occupied(mut entry) = self.slots.entry(id) {
                let slot = entry.get_mut();
                if slot.stored.is_none() || slot.current.is_none() {
                    entry.remove();
                } else {
                    slot.stored = slot.current.clone();
                    slot.tombstone = None;
                    slot.touched = false;
                }
            }
        }
        self.skus.clear();
        for id in self.absent.drain(..) {
            // Kept only while the batch lasts: ids that do not exist are without number.
            self.slots.remove(&id);
        }
        if self.slots.len() > MAX_CACHED_ROWS {
            self.slots.clear();
        }
    }

    /// Forgets everything after a batch that was rolled back.
    pub fn rolled_back(&mut self) {
        self.slots.clear();
        self.skus.clear();
        self.touched.clear();
        self.absent.clear();
    }
}

enum CommandError {
    Rejected(Rejection),
    Sqlite(rusqlite::Error),
}

impl From<Rejection> for CommandError {
    fn from(rejection: Rejection) -> Self {
        Self::Rejected(rejection)
    }
}

impl From<rusqlite::Error> for CommandError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}
