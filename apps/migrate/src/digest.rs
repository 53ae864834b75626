//! What makes two products the same: everything but version, `lowStock`, and times that the source does not have.

use sha2::{Digest as _, Sha256};
use souk_domain::{Category, OptionalField, Product, ProductId, Replacement, SellerId, Timestamp};

/// A digest: half a SHA-256, far beyond chance.
pub(crate) type ProductDigest = u128;

/// The parts of a product that are compared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Compared {
    pub seller_id: SellerId,
    pub fields: Replacement,
    /// `None` where the source does not know.
    pub created_at: Option<Timestamp>,
}

impl Compared {
    /// Takes a product's parts; its time of creation where the source has such a time.
    pub fn of(product: &Product, with_created_at: bool) -> Self {
        Self {
            seller_id: product.seller_id.clone(),
            fields: Replacement {
                sku: product.sku.clone(),
                name: product.name.clone(),
                description: product.description.clone(),
                category: product.category.clone(),
                price: product.price,
                stock: product.stock,
                low_stock_threshold: product.low_stock_threshold,
            },
            created_at: with_created_at.then_some(product.created_at),
        }
    }

    /// Forgets the fields that the source does not have: what they are in souk is no difference.
    pub fn forget(&mut self, unmapped: &[OptionalField]) {
        for field in unmapped {
            match field {
                OptionalField::Sku => self.fields.sku = None,
                OptionalField::Description => self.fields.description = None,
                OptionalField::Category => self.fields.category = Category::default(),
                OptionalField::LowStockThreshold => self.fields.low_stock_threshold = None,
            }
        }
    }

    /// Returns the digest, of which the id is part: digests are added up, and two products must not trade places unnoticed.
    pub fn digest(&self, id: ProductId) -> ProductDigest {
        let Replacement { sku, name, description, category, price, stock, low_stock_threshold } =
            &self.fields;
        let mut sha = Sha256::new();
        sha.update(id.0.as_bytes());
        // Each text with its length, so that none runs into the next; absent is unlike empty.
        let mut text = |text: Option<&str>| {
            sha.update(text.map_or(u64::MAX, |text| text.len() as u64).to_be_bytes());
            sha.update(text.unwrap_or_default().as_bytes());
        };
        text(Some(self.seller_id.as_str()));
        text(sku.as_ref().map(souk_domain::Sku::as_str));
        text(Some(name.as_str()));
        text(description.as_ref().map(souk_domain::Description::as_str));
        text(Some(category.as_str()));
        let threshold = low_stock_threshold.map_or(-1, souk_domain::Stock::get);
        let created_at = self.created_at.map_or(i64::MIN, Timestamp::millis);
        for number in [price.units(), stock.get(), threshold, created_at] {
            sha.update(number.to_be_bytes());
        }
        let mut half = [0; 16];
        half.copy_from_slice(&sha.finalize()[..16]);
        u128::from_be_bytes(half)
    }

    /// Names the fields in which the two differ, each with both values.
    pub fn differing(&self, other: &Self) -> Vec<(&'static str, String, String)> {
        let text = |text: Option<&str>| text.map_or_else(|| "null".to_owned(), |text| format!("{text:?}"));
        let shown = |compared: &Self| {
            let Replacement { sku, name, description, category, price, stock, low_stock_threshold } =
                &compared.fields;
            [
                ("sellerId", text(Some(compared.seller_id.as_str()))),
                ("sku", text(sku.as_ref().map(souk_domain::Sku::as_str))),
                ("name", text(Some(name.as_str()))),
                ("description", text(description.as_ref().map(souk_domain::Description::as_str))),
                ("category", text(Some(category.as_str()))),
                ("price", price.to_string()),
                ("stock", stock.get().to_string()),
                (
                    "lowStockThreshold",
                    low_stock_threshold.map_or("null".into(), |stock| stock.get().to_string()),
                ),
                ("createdAt", compared.created_at.map_or("null".into(), |time| time.to_string())),
            ]
        };
        shown(self)
            .into_iter()
            .zip(shown(other))
            .filter(|((_, here), (_, there))| here != there)
            .map(|((field, here), (_, there))| (field, here, there))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use souk_domain::{Description, Name, Price, Sku, Stock};
    use uuid::Uuid;

    use super::*;

    fn compared() -> Compared {
        Compared {
            seller_id: SellerId::new("seller1").unwrap(),
            fields: Replacement {
                sku: None,
                name: Name::new("Lamp").unwrap(),
                description: None,
                category: Category::default(),
                price: Price::from_units(99_900).unwrap(),
                stock: Stock::new(7).unwrap(),
                low_stock_threshold: None,
            },
            created_at: None,
        }
    }

    #[test]
    fn every_part_makes_a_difference_and_says_so() {
        let (one, other) = (ProductId(Uuid::from_u128(1)), ProductId(Uuid::from_u128(2)));
        let same = compared();
        assert_eq!(same.digest(one), compared().digest(one));
        assert_ne!(same.digest(one), same.digest(other), "two products must not trade places");
        type Change = fn(&mut Compared);
        let changes: [(&str, Change); 9] = [
            ("sellerId", |c| c.seller_id = SellerId::new("seller2").unwrap()),
            ("sku", |c| c.fields.sku = Some(Sku::new("L").unwrap())),
            ("name", |c| c.fields.name = Name::new("lamp").unwrap()),
            ("description", |c| c.fields.description = Some(Description::new("").unwrap())),
            ("category", |c| c.fields.category = Category::new("light").unwrap()),
            ("price", |c| c.fields.price = Price::from_units(99_901).unwrap()),
            ("stock", |c| c.fields.stock = Stock::new(8).unwrap()),
            ("lowStockThreshold", |c| c.fields.low_stock_threshold = Some(Stock::new(0).unwrap())),
            ("createdAt", |c| c.created_at = Some(Timestamp::from_millis(0))),
        ];
        for (field, change) in changes {
            let mut changed = compared();
            change(&mut changed);
            assert_ne!(changed.digest(one), same.digest(one), "{field}");
            let named: Vec<&str> = same.differing(&changed).into_iter().map(|(name, ..)| name).collect();
            assert_eq!(named, [field]);
        }
    }
}
