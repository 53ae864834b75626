//! One batch in memory: units of work folded over the rows that were loaded for them, and what is to be written.
//!
//! Nothing here talks to the server, so that a batch whose claims were lost is folded anew from fresh rows.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use souk_domain::{
    Command, Context, Event, Import, NewProduct, Product, ProductId, Rejection, SellerId, Sku, Stock,
    Timestamp, Version, Write, decide,
};
use souk_ports::{Applied, IdGenerator, Refusal, UnitOfWork};

/// What a sku is unique in.
type SkuKey = (SellerId, Sku);

/// A product as the batch sees it.
#[derive(Clone, Default)]
struct Slot {
    /// What the table holds, locked.
    stored: Option<Arc<Product>>,
    /// What it will hold after the batch.
    current: Option<Arc<Product>>,
    /// The version of the last delete in the table.
    buried: Option<Version>,
    /// The version of the last delete, that of this batch included.
    tombstone: Option<Version>,
    /// The product as it was last, when the batch deletes it.
    last: Option<Arc<Product>>,
    touched: bool,
    /// Taken for absent without a look, as nearly every id of a create is.
    presumed: bool,
}

/// The rows that the batch knows.
#[derive(Default)]
pub(crate) struct Rows {
    slots: HashMap<ProductId, Slot>,
    /// Who has a (seller, sku), as far as it was looked up or changed.
    skus: HashMap<SkuKey, Option<ProductId>>,
    /// Products written by this batch, in order of first touch.
    touched: Vec<ProductId>,
}

/// What a unit of work did before it turned out to be refused, to be taken back.
#[derive(Default)]
struct Undo {
    slots: Vec<(ProductId, Slot)>,
    skus: Vec<(SkuKey, Option<Option<ProductId>>)>,
    touched: usize,
}

impl Undo {
    /// Returns what was in stock before the unit, of a product that it changed; 0 where it was not there.
    fn stock_before(&self, id: ProductId) -> Option<Stock> {
        let (_, before) = self.slots.iter().find(|(changed, _)| *changed == id)?;
        Some(before.current.as_ref().map_or(Stock::default(), |product| product.stock))
    }
}

/// What is the same for every command of a batch.
pub(crate) struct Moment<'a> {
    pub now: Timestamp,
    pub default_threshold: Stock,
    pub ids: &'a dyn IdGenerator,
}

/// Every row that the batch leaves other than it was; borrowed from [`Rows`].
#[derive(Default)]
pub(crate) struct Changes<'a> {
    /// Rows that go.
    pub delete: Vec<ProductId>,
    /// Rows that give their sku away, before another one takes it.
    pub release: Vec<ProductId>,
    /// Rows of which only the stock moved.
    pub move_stock: Vec<&'a Arc<Product>>,
    /// Rows that change otherwise.
    pub update: Vec<&'a Arc<Product>>,
    /// Rows that come, with the tombstone that they were decided over.
    pub insert: Vec<&'a Arc<Product>>,
    /// The tombstones of all that comes.
    pub buried: HashMap<ProductId, Version>,
    /// Rows that came and went within the batch: inserted too, which claims their id, and then removed.
    pub brief: Vec<Arc<Product>>,
    /// Tombstones that come.
    pub bury: Vec<(ProductId, Version)>,
    /// Tombstones that go.
    pub unbury: Vec<ProductId>,
}

/// The ids to lock, sorted: all of them, or without those that the batch creates before it does anything else with them.
pub(crate) fn ids_to_lock<'a>(units: impl Iterator<Item = &'a UnitOfWork>, all: bool) -> Vec<ProductId> {
    let mut created = HashSet::new();
    let mut lock = HashSet::new();
    for command in units.flat_map(|unit| &unit.commands) {
        let id = command.product_id();
        if !all && matches!(command, Command::Create(_)) && !lock.contains(&id) {
            created.insert(id);
        } else if !created.contains(&id) {
            lock.insert(id);
        }
    }
    let mut lock: Vec<_> = lock.into_iter().collect();
    lock.sort_unstable();
    lock
}

/// The sku that a command wants for its product.
fn wanted_sku(command: &Command) -> Option<&Sku> {
    match command {
        Command::Create(new) => new.fields.sku.as_ref(),
        Command::Replace { replacement, .. } => replacement.sku.as_ref(),
        Command::Patch { patch, .. } => patch.sku.as_ref()?.as_ref(),
        Command::Import(import) => import.fields.sku.as_ref(),
        Command::Delete { .. } | Command::ImportDelete { .. } | Command::AdjustStock { .. } => None,
    }
}

impl Rows {
    /// Takes in what was locked; of what is absent, the tombstones.
    pub fn load(
        &mut self,
        ids: &[ProductId],
        products: Vec<Product>,
        mut tombstones: HashMap<ProductId, Version>,
    ) {
        for product in products {
            let product = Arc::new(product);
            if let Some(sku) = &product.sku {
                self.skus.insert((product.seller_id.clone(), sku.clone()), Some(product.id));
            }
            tombstones.remove(&product.id);
            let slot = Slot { stored: Some(product.clone()), current: Some(product), ..Slot::default() };
            self.slots.insert(slot.current.as_ref().expect("just set").id, slot);
        }
        for id in ids {
            let buried = tombstones.get(id).copied();
            self.slots.entry(*id).or_insert_with(|| Slot { buried, tombstone: buried, ..Slot::default() });
        }
    }

    /// Returns the pairs of seller and sku that `units` may want and nobody has looked up, sorted. Those of ids presumed
    /// absent are presumed free.
    pub fn skus_to_find<'a>(&self, units: impl Iterator<Item = &'a UnitOfWork> + Clone) -> Vec<SkuKey> {
        let mut sellers: HashMap<ProductId, Vec<&SellerId>> = HashMap::new();
        let mut wanted = Vec::new();
        for command in units.clone().flat_map(|unit| &unit.commands) {
            let (Command::Create(NewProduct { id, seller_id, .. })
            | Command::Import(Import { id, seller_id, .. })) = command
            else {
                continue;
            };
            if self.slots.contains_key(id) {
                sellers.entry(*id).or_default().push(seller_id);
            }
        }
        for command in units.flat_map(|unit| &unit.commands) {
            let id = command.product_id();
            let (Some(sku), Some(slot)) = (wanted_sku(command), self.slots.get(&id)) else { continue };
            let stored = slot.stored.as_ref().map(|product| &product.seller_id);
            for seller in sellers.get(&id).into_iter().flatten().copied().chain(stored) {
                let key = (seller.clone(), sku.clone());
                if !self.skus.contains_key(&key) {
                    wanted.push(key);
                }
            }
        }
        wanted.sort_unstable();
        wanted.dedup();
        wanted
    }

    /// Takes in who has which sku.
    pub fn found_skus(&mut self, holders: impl IntoIterator<Item = (SkuKey, ProductId)>) {
        for (key, holder) in holders {
            self.skus.insert(key, Some(holder));
        }
    }

    /// Tells whether a command of `unit` was judged by a guess.
    pub fn presumes(&self, unit: &UnitOfWork) -> bool {
        let presumed =
            |command: &Command| self.slots.get(&command.product_id()).is_some_and(|slot| slot.presumed);
        unit.commands.iter().any(presumed)
    }

    /// Folds one unit: all commands in order, each seeing those before it. Adds its events to `events`.
    pub fn fold(
        &mut self,
        commands: &[Command],
        moment: &Moment<'_>,
        events: &mut Vec<Event>,
    ) -> Result<Vec<Applied>, Vec<Refusal>> {
        let events_before = events.len();
        let mut undo = Undo { touched: self.touched.len(), ..Undo::default() };
        let mut applied = Vec::with_capacity(commands.len());
        let mut refusals = Vec::new();
        for (index, command) in commands.iter().enumerate() {
            match self.apply(command, moment, events, &mut undo) {
                Ok(done) => applied.push(done),
                Err(rejection) => {
                    let rejection = rejection.at_hand(|id| undo.stock_before(id));
                    refusals.push(Refusal { index, rejection });
                }
            }
        }
        if refusals.is_empty() {
            return Ok(applied);
        }
        events.truncate(events_before);
        self.take_back(undo);
        Err(refusals)
    }

    fn apply(
        &mut self,
        command: &Command,
        moment: &Moment<'_>,
        events: &mut Vec<Event>,
        undo: &mut Undo,
    ) -> Result<Applied, Rejection> {
        let id = command.product_id();
        let slot = self.slots.entry(id).or_insert_with(|| Slot { presumed: true, ..Slot::default() });
        // Clocks of two instances differ: a product's own time never runs backwards.
        let now = slot.current.as_ref().map_or(moment.now, |product| moment.now.max(product.updated_at));
        let context = Context {
            now,
            event_ids: [moment.ids.next_id(), moment.ids.next_id()],
            default_threshold: moment.default_threshold,
            tombstone: slot.tombstone,
        };
        let decision = decide(slot.current.as_deref(), command, &context)?;
        let changed = !matches!(decision.write, Write::Nothing(_));
        let (product, previous_stock) = (decision.write.product().clone(), decision.previous_stock);
        let applied = Applied { product, previous_stock, changed };
        if !changed {
            return Ok(applied);
        }
        let before = slot.clone();
        let after = match &decision.write {
            Write::Put(product) => Some(product.clone()),
            Write::Delete { .. } | Write::Nothing(_) => None,
        };
        self.claim_sku(before.current.as_deref(), after.as_deref(), undo)?;
        let slot = self.slots.get_mut(&id).expect("entered above");
        slot.current = after;
        if let Write::Delete { last, version } = decision.write {
            slot.tombstone = Some(version);
            slot.last = Some(last);
        }
        if !slot.touched {
            slot.touched = true;
            self.touched.push(id);
        }
        undo.slots.push((id, before));
        events.extend(decision.events);
        Ok(applied)
    }

    /// Moves a product's claim on its sku from `before` to `after`.
    fn claim_sku(
        &mut self,
        before: Option<&Product>,
        after: Option<&Product>,
        undo: &mut Undo,
    ) -> Result<(), Rejection> {
        let claim = |product: &Product| product.sku.clone().map(|sku| (product.seller_id.clone(), sku));
        let (old, new) = (before.and_then(claim), after.and_then(claim));
        if old == new {
            return Ok(());
        }
        if let (Some(key), Some(after)) = (&new, after) {
            let holder = self.skus.get(key).copied().flatten();
            if let Some(product_id) = holder.filter(|holder| *holder != after.id) {
                return Err(Rejection::SkuTaken { product_id });
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
    }

    /// Returns what is to be written, each list in an order that all batches share, so that two of them never wait for
    /// each other crosswise.
    pub fn changes(&self) -> Changes<'_> {
        let mut changes = Changes::default();
        for id in &self.touched {
            let slot = &self.slots[id];
            match (&slot.stored, &slot.current) {
                (Some(stored), Some(current)) => {
                    if stored.sku.is_some() && claims(stored) != claims(current) {
                        changes.release.push(*id);
                    }
                    if only_stock_differs(stored, current) {
                        changes.move_stock.push(current);
                    } else {
                        changes.update.push(current);
                    }
                }
                (None, Some(current)) => {
                    changes.insert.push(current);
                    changes.buried.extend(slot.buried.map(|version| (*id, version)));
                    if slot.buried.is_some() {
                        changes.unbury.push(*id);
                    }
                }
                (stored, None) => {
                    if stored.is_some() {
                        changes.delete.push(*id);
                    } else if let Some(last) = &slot.last {
                        // Without its sku, which another row of this batch may have taken since.
                        changes.brief.push(Arc::new(Product { sku: None, ..(**last).clone() }));
                        changes.buried.extend(slot.buried.map(|version| (*id, version)));
                    }
                    changes.bury.extend(slot.tombstone.map(|version| (*id, version)));
                }
            }
        }
        changes.move_stock.sort_unstable_by_key(|product| product.id);
        changes.update.sort_unstable_by(|a, b| (claims(a), a.id).cmp(&(claims(b), b.id)));
        changes.insert.sort_unstable_by(|a, b| (claims(a), a.id).cmp(&(claims(b), b.id)));
        changes.brief.sort_unstable_by_key(|product| product.id);
        changes
    }
}

/// The pair that is unique.
fn claims(product: &Product) -> Option<(&SellerId, &Sku)> {
    product.sku.as_ref().map(|sku| (&product.seller_id, sku))
}

fn only_stock_differs(before: &Product, after: &Product) -> bool {
    before.sku == after.sku
        && before.name == after.name
        && before.description == after.description
        && before.category == after.category
        && before.price == after.price
        && before.low_stock_threshold == after.low_stock_threshold
        && before.created_at == after.created_at
        && before.seller_id == after.seller_id
}
