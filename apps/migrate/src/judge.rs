//! Judges a row of the source: which product it is, what breaks a rule, and what the policies make of it.
//!
//! The verdict depends on the row alone, so that a comparison repeats what the copy decided.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use sha2::{Digest as _, Sha256};
use souk_domain::{
    Category, Description, Import, Migration, Name, OptionalField, Phase, Price, ProductId, Reference,
    Replacement, SellerId, Sku, Stock,
};
use souk_ports::{GivenKey, SellersSku, SourceRow};
use uuid::Uuid;

use crate::decimal::{Scaled, scaled};
use crate::policy::{Fault, FaultKind, Policy};

mod given;

use given::GivenKeys;

/// What becomes of a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It is taken over, with these faults fixed.
    Take(Box<Import>, Vec<Fault>),
    /// It is left out.
    Skip(Vec<Fault>),
    /// Somebody has to decide first.
    Stop(Vec<Fault>),
}

/// Judges rows by the policies of a mapping.
#[derive(Debug, Clone)]
pub(crate) struct Judge {
    policies: BTreeMap<FaultKind, Policy>,
    ids: Ids,
    source: Reference,
    /// Sellers' codes that several rows have; of sellers as they are once they are mended.
    shared: HashSet<(SellerId, String)>,
    /// Whether the source knows when rows were created.
    has_created_at: bool,
    /// What it has no fields for.
    unmapped: Vec<OptionalField>,
    lenient: bool,
    /// Keys that are no UUIDs and whose products were created in souk.
    given: Arc<GivenKeys>,
    /// Whether the key is the sku, too.
    key_is_sku: bool,
}

/// How keys become ids.
#[derive(Debug, Clone, Copy)]
enum Ids {
    /// They are UUIDs.
    Kept,
    /// They are names in this namespace.
    Derived(Uuid),
}

/// What is wrong with a row so far.
struct Faults<'a> {
    policies: &'a BTreeMap<FaultKind, Policy>,
    found: Vec<Fault>,
}

impl Faults<'_> {
    fn add(&mut self, kind: FaultKind, value: Option<&str>) {
        self.found.push(Fault::new(kind, value));
    }

    fn policy(&self, fault: &Fault) -> Policy {
        self.policies.get(&fault.kind).copied().unwrap_or_default()
    }
}

impl Judge {
    /// Makes one for the source called `name`; keys that are no UUIDs become ids in its namespace.
    pub fn new(name: &Reference, keys_are_uuids: bool, policies: BTreeMap<FaultKind, Policy>) -> Self {
        let namespace = || Uuid::new_v5(&Uuid::NAMESPACE_URL, format!("souk:migrate:{name}").as_bytes());
        let ids = if keys_are_uuids { Ids::Kept } else { Ids::Derived(namespace()) };
        Self {
            policies,
            ids,
            source: name.clone(),
            shared: HashSet::new(),
            has_created_at: true,
            unmapped: Vec::new(),
            lenient: false,
            given: Arc::default(),
            key_is_sku: false,
        }
    }

    /// Takes in whether the key is the sku, too.
    pub fn with_key_as_sku(mut self, is_so: bool) -> Self {
        self.key_is_sku = is_so;
        self
    }

    /// Takes in keys of rows that souk added: they are those products'.
    pub fn give(&mut self, keys: impl IntoIterator<Item = GivenKey>) {
        let mut keys = keys.into_iter().peekable();
        if keys.peek().is_some() {
            let given = Arc::make_mut(&mut self.given);
            keys.for_each(|key| given.add(key));
        }
    }

    /// Takes in which codes several rows have, and how many: all those of sellers that a policy may make one.
    pub fn with_shared(mut self, told: impl IntoIterator<Item = (SellersSku, u64)>) -> Self {
        self.shared =
            self.count(told).into_iter().filter(|(_, rows)| *rows > 1).map(|(code, _)| code).collect();
        self
    }

    /// Takes in what has become of some codes, and how many rows have each of them now.
    pub fn share(&mut self, codes: &[SellersSku], told: impl IntoIterator<Item = (SellersSku, u64)>) {
        let rows = self.count(told);
        for code in codes {
            let Some(seller) = self.mended(code.seller.as_deref()) else { continue };
            let code = (seller, code.sku.clone());
            if rows.get(&code).is_some_and(|rows| *rows > 1) {
                self.shared.insert(code);
            } else {
                self.shared.remove(&code);
            }
        }
    }

    fn count(&self, told: impl IntoIterator<Item = (SellersSku, u64)>) -> HashMap<(SellerId, String), u64> {
        let mut rows = HashMap::new();
        for (SellersSku { seller, sku }, count) in told {
            if let Some(seller) = self.mended(seller.as_deref()) {
                *rows.entry((seller, sku)).or_default() += count;
            }
        }
        rows
    }

    /// The seller of a row that is taken; `None` when one with such a seller is not.
    fn mended(&self, seller: Option<&str>) -> Option<SellerId> {
        let mut faults = Faults { policies: &self.policies, found: Vec::new() };
        let seller = seller_id(seller, &mut faults);
        faults.found.iter().all(|fault| faults.policy(fault) == Policy::Fix).then_some(seller)
    }

    /// Takes in whether the source knows when rows were created.
    pub fn with_created_at(mut self, known: bool) -> Self {
        self.has_created_at = known;
        self
    }

    /// Takes in which fields the source has: those of a row that may be missing, by name.
    pub fn with_mapped(mut self, is_mapped: impl Fn(&str) -> bool) -> Self {
        let optional = [
            ("sku", OptionalField::Sku),
            ("description", OptionalField::Description),
            ("category", OptionalField::Category),
            ("lowStockThreshold", OptionalField::LowStockThreshold),
        ];
        let missing = optional.into_iter().filter(|(name, _)| !is_mapped(name));
        self.unmapped = missing.map(|(_, field)| field).collect();
        self
    }

    /// Makes one for a comparison that passes over rows about which somebody has to decide.
    pub fn lenient(mut self) -> Self {
        self.lenient = true;
        self
    }

    pub fn is_lenient(&self) -> bool {
        self.lenient
    }

    /// Returns the fields of a product that the source does not have. A product that was created in souk has a sku of its own
    /// or none, and the key that the table gave is not it.
    pub fn unmapped(&self, id: ProductId) -> Vec<OptionalField> {
        let mut unmapped = self.unmapped.clone();
        if self.key_is_sku && self.given.key(id).is_some() {
            unmapped.push(OptionalField::Sku);
        }
        unmapped
    }

    /// Whether keys are the products' ids.
    pub fn keeps_ids(&self) -> bool {
        matches!(self.ids, Ids::Kept)
    }

    /// Returns the id of the product with a key; `None` when there is no key.
    pub fn id(&self, key: &str) -> Option<ProductId> {
        match self.ids {
            _ if key.is_empty() => None,
            Ids::Kept => Uuid::parse_str(key).ok().map(ProductId),
            Ids::Derived(namespace) => {
                let derived = || ProductId(Uuid::new_v5(&namespace, key.as_bytes()));
                Some(self.given.id(key).unwrap_or_else(derived))
            }
        }
    }

    /// Returns the key of a product where it is known without looking at the table: an id that is one, or one that was given.
    pub fn key(&self, id: ProductId) -> Option<String> {
        match self.ids {
            Ids::Kept => Some(id.to_string()),
            Ids::Derived(_) => self.given.key(id).map(str::to_owned),
        }
    }

    /// Returns the mark of what comes from the source.
    pub fn migration(&self, phase: Phase) -> Migration {
        Migration { source: self.source.clone(), phase }
    }

    /// Judges a row.
    pub fn judge(&self, row: &SourceRow, phase: Phase) -> Verdict {
        let mut faults = Faults { policies: &self.policies, found: Vec::new() };
        let [seller, name, price, stock, sku, description, category, threshold] =
            row.fields.each_ref().map(|field| field.as_deref());
        let id = self.id(&row.key);
        if id.is_none() {
            faults.add(FaultKind::KeyMissing, None);
        }
        let id = id.unwrap_or(ProductId(Uuid::nil()));
        let seller = seller_id(seller, &mut faults);
        let import = Import {
            id,
            fields: Replacement {
                sku: self.code(&seller, sku, &mut faults),
                name: self::name(name, &row.key, &mut faults),
                description: self::description(description, &mut faults),
                category: self::category(category, &mut faults),
                price: self::price(price, &mut faults),
                stock: self::stock(stock, &mut faults),
                low_stock_threshold: self::threshold(threshold, &mut faults),
            },
            seller_id: seller,
            unmapped: self.unmapped(id),
            // Null, where others have a time: always the same, so that a comparison finds it again.
            created_at: self.has_created_at.then(|| row.created_at.unwrap_or_default()),
            updated_at: row.updated_at,
            noted_at: None,
            migration: self.migration(phase),
        };
        let any = |policy| {
            faults.found.iter().any(|fault| {
                let wanted = faults.policy(fault);
                // What cannot be fixed is not fixed by saying so.
                let wanted =
                    if wanted == Policy::Fix && fault.kind.fix().is_none() { Policy::Stop } else { wanted };
                wanted == policy
            })
        };
        // What is left out need not be decided.
        match (any(Policy::Skip), any(Policy::Stop)) {
            (true, _) => Verdict::Skip(faults.found),
            (false, true) => Verdict::Stop(faults.found),
            (false, false) => Verdict::Take(Box::new(import), faults.found),
        }
    }
}

impl Judge {
    fn code(&self, seller: &SellerId, value: Option<&str>, faults: &mut Faults<'_>) -> Option<Sku> {
        let text = value.filter(|text| !text.is_empty())?;
        if !self.shared.is_empty() && self.shared.contains(&(seller.clone(), text.to_owned())) {
            faults.add(FaultKind::SkuShared, value);
            return None;
        }
        let sku = Sku::new(text).ok();
        if sku.is_none() {
            faults.add(FaultKind::SkuTooLong, value);
        }
        sku
    }
}

/// The first `most` characters.
fn cut(text: &str, most: usize) -> &str {
    text.char_indices().nth(most).map_or(text, |(end, _)| &text[..end])
}

fn seller_id(value: Option<&str>, faults: &mut Faults<'_>) -> SellerId {
    let Some(text) = value.map(str::trim).filter(|text| !text.is_empty()) else {
        faults.add(FaultKind::SellerMissing, value);
        return SellerId::new("unknown").expect("it is an id");
    };
    if let Ok(seller) = SellerId::new(text) {
        return seller;
    }
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    let clean = text.chars().all(allowed);
    faults.add(if clean { FaultKind::SellerTooLong } else { FaultKind::SellerAlphabet }, value);
    // With a digest, so that two sellers never become one.
    let digest = Sha256::digest(text.as_bytes());
    let fixed: String = text.chars().map(|c| if allowed(c) { c } else { '_' }).take(55).collect();
    SellerId::new(format!("{fixed}-{:02x}{:02x}{:02x}{:02x}", digest[0], digest[1], digest[2], digest[3]))
        .expect("at most 64 characters of the alphabet")
}

fn name(value: Option<&str>, key: &str, faults: &mut Faults<'_>) -> Name {
    let text = match value {
        Some(text) if !text.trim().is_empty() => text,
        _ => {
            faults.add(FaultKind::NameMissing, value);
            if key.is_empty() { "unnamed" } else { key }
        }
    };
    let short = cut(text, Name::MAX);
    if short.len() < text.len() {
        faults.add(FaultKind::NameTooLong, value);
    }
    Name::new(short).expect("1 to 200 characters, and Postgres has no NUL")
}

fn description(value: Option<&str>, faults: &mut Faults<'_>) -> Option<Description> {
    let text = value?;
    let short = cut(text, Description::MAX);
    if short.len() < text.len() {
        faults.add(FaultKind::DescriptionTooLong, value);
    }
    Some(Description::new(short).expect("at most 5,000 characters, and Postgres has no NUL"))
}

fn category(value: Option<&str>, faults: &mut Faults<'_>) -> Category {
    let Some(text) = value.filter(|text| !text.is_empty()) else { return Category::default() };
    let short = cut(text, Category::MAX);
    if short.len() < text.len() {
        faults.add(FaultKind::CategoryTooLong, value);
    }
    Category::new(short).expect("1 to 100 characters, and Postgres has no NUL")
}

fn price(value: Option<&str>, faults: &mut Faults<'_>) -> Price {
    let Some(text) = value.filter(|text| !text.is_empty()) else {
        faults.add(FaultKind::PriceMissing, value);
        return Price::ZERO;
    };
    let Some(Scaled { units, exact }) = scaled(text, 4) else {
        faults.add(FaultKind::PriceNotANumber, value);
        return Price::ZERO;
    };
    if !exact {
        faults.add(FaultKind::PriceFraction, value);
    }
    match units {
        ..0 => faults.add(FaultKind::PriceNegative, value),
        units if units > i128::from(Price::MAX.units()) => faults.add(FaultKind::PriceTooHigh, value),
        _ => {}
    }
    let units = i64::try_from(units.clamp(0, i128::from(Price::MAX.units()))).expect("clamped");
    Price::from_units(units).expect("clamped")
}

fn stock(value: Option<&str>, faults: &mut Faults<'_>) -> Stock {
    let Some(text) = value.filter(|text| !text.is_empty()) else {
        faults.add(FaultKind::StockMissing, value);
        return Stock::default();
    };
    // Tenths of thousandths, to round down what is not whole.
    let Some(Scaled { units, exact }) = scaled(text, 4) else {
        faults.add(FaultKind::StockNotANumber, value);
        return Stock::default();
    };
    let pieces = units.div_euclid(10_000);
    if !exact || units % 10_000 != 0 {
        faults.add(FaultKind::StockFraction, value);
    }
    let most = i128::from(Stock::MAX.get());
    match pieces {
        ..0 => faults.add(FaultKind::StockNegative, value),
        pieces if pieces > most => faults.add(FaultKind::StockTooHigh, value),
        _ => {}
    }
    Stock::new(i64::try_from(pieces.clamp(0, most)).expect("clamped")).expect("clamped")
}

fn threshold(value: Option<&str>, faults: &mut Faults<'_>) -> Option<Stock> {
    let text = value.filter(|text| !text.is_empty())?;
    let whole = scaled(text, 0).filter(|number| number.exact);
    let threshold = whole.and_then(|number| Stock::new(i64::try_from(number.units).ok()?));
    if threshold.is_none() {
        faults.add(FaultKind::ThresholdInvalid, value);
    }
    threshold
}

#[cfg(test)]
mod tests;
