//! The mapping file: how rows of the source become products.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use souk_domain::Reference;
use souk_ports::{KeyType, SourceQuery, SourceRow};

use crate::columns::FirstTable;
use crate::error::MigrateError;
use crate::judge::Judge;
use crate::policy::{FaultKind, Policy};

/// A mapping, as its file has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mapping {
    /// What the source is called in events; ids of keys that are no UUIDs are made of it.
    pub name: String,
    /// What follows `FROM`.
    pub from: String,
    /// The key's column.
    pub key: String,
    /// The column or SQL expression of each field.
    pub fields: BTreeMap<String, String>,
    /// What is done about each kind of fault.
    #[serde(default)]
    pub policies: BTreeMap<FaultKind, Policy>,
    /// After a cut-over: columns of the old table that no field is, each with an SQL expression over the product `p`. The key's
    /// own is for rows of products that are created in souk.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub back: BTreeMap<String, String>,
}

/// Fields without which there is no product.
const NEEDED: [&str; 4] = ["sellerId", "name", "price", "stock"];
const TIMES: [&str; 2] = ["createdAt", "updatedAt"];

impl Mapping {
    /// Reads a mapping file's text.
    ///
    /// # Errors
    /// A text that names the place and what is wrong there.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mapping: Self = toml::from_str(text).map_err(|error| error.to_string().trim_end().to_owned())?;
        mapping.check()?;
        Ok(mapping)
    }

    /// Reads a mapping file.
    ///
    /// # Errors
    /// `Usage` naming the file.
    pub fn read(path: &Path) -> Result<Self, MigrateError> {
        let usage = |what: String| MigrateError::Usage(format!("mapping {}: {what}", path.display()));
        let text = std::fs::read_to_string(path).map_err(|error| usage(error.to_string()))?;
        Self::parse(&text).map_err(usage)
    }

    fn check(&self) -> Result<(), String> {
        let known = || SourceRow::FIELDS.into_iter().chain(TIMES);
        Reference::new(&*self.name).map_err(|error| format!("name {error}"))?;
        for field in self.fields.keys() {
            if !known().any(|name| name == field) {
                let near = known()
                    .max_by(|a, b| strsim::jaro_winkler(a, field).total_cmp(&strsim::jaro_winkler(b, field)));
                return Err(format!(
                    "[fields] has {field}, which no product has; did you mean {}?",
                    near.unwrap_or_default()
                ));
            }
        }
        if let Some(missing) = NEEDED.iter().find(|field| !self.fields.contains_key(**field)) {
            return Err(format!(
                "[fields] has no {missing}: give a column or an SQL expression, such as {missing} = \"…\""
            ));
        }
        for (what, expression) in self.fields.iter().chain([(&"key".to_owned(), &self.key)]) {
            if expression.trim().is_empty() {
                return Err(format!(
                    "{what} is empty: give a column or an SQL expression, or leave the line out"
                ));
            }
        }
        for (kind, policy) in &self.policies {
            if *policy == Policy::Fix && kind.fix().is_none() {
                return Err(format!(
                    "[policies] {kind} cannot be fixed: take skip or stop, or mend the expression"
                ));
            }
        }
        Ok(())
    }

    /// Returns the query that reads it; the key's type is still to be asked for.
    pub fn query(&self) -> SourceQuery {
        let field = |name: &str| self.fields.get(name).cloned();
        SourceQuery {
            from: self.from.clone(),
            key: self.key.clone(),
            key_type: String::new(),
            fields: SourceRow::FIELDS.map(field),
            created_at: field("createdAt"),
            updated_at: field("updatedAt"),
        }
    }

    /// Returns what judges its rows.
    pub(crate) fn judge(&self, key: &KeyType) -> Judge {
        let name = Reference::new(&*self.name).expect("checked when it was read");
        Judge::new(&name, key.is_uuid, self.policies.clone())
            .with_created_at(self.fields.contains_key("createdAt"))
            .with_mapped(|field| self.fields.contains_key(field))
            .with_key_as_sku(self.key_is_sku())
    }

    /// Whether the sku is the key's column and nothing else, with a cast or without.
    fn key_is_sku(&self) -> bool {
        let column = |expression| FirstTable::of(&self.from)?.column(expression);
        self.fields.get("sku").and_then(|sku| column(sku)).is_some_and(|sku| column(&self.key) == Some(sku))
    }

    /// Returns the same text for the same mapping, however its file is written.
    pub fn digest(&self) -> String {
        // What is written back says nothing about what is read.
        let read = Self { back: BTreeMap::new(), ..self.clone() };
        let text = serde_json::to_string(&read).expect("a mapping has text keys");
        Sha256::digest(text.as_bytes())[..8].iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WHOLE: &str = r#"
name = "app.products"
from = "products p LEFT JOIN names n ON n.product = p.id"
key = "p.id"
[fields]
sellerId = "p.seller"
name = "n.name"
price = "p.price::numeric"
stock = "p.quantity"
createdAt = "p.created"
[policies]
"price.negative" = "fix"
"stock.missing" = "skip"
"#;

    #[test]
    fn a_mapping_becomes_a_query() {
        let mapping = Mapping::parse(WHOLE).unwrap();
        let query = mapping.query();
        assert_eq!(query.fields[1].as_deref(), Some("n.name"));
        assert_eq!((query.created_at.as_deref(), query.updated_at), (Some("p.created"), None));
        assert_eq!(mapping.policies[&FaultKind::PriceNegative], Policy::Fix);
        let spaced = WHOLE.replace("name = \"app", "name   =   \"app");
        assert_eq!(Mapping::parse(&spaced).unwrap().digest(), mapping.digest());
        let changed = WHOLE.replace("p.quantity", "p.quantity + 1");
        assert_ne!(Mapping::parse(&changed).unwrap().digest(), mapping.digest());
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (from, to, expected) in [
            ("stock = \"p.quantity\"\n", "", "no stock"),
            ("stock = \"p.quantity\"", "stok = \"x\"", "did you mean stock?"),
            ("\"p.seller\"", "\" \"", "sellerId is empty"),
            ("\"stock.missing\" = \"skip\"", "\"key.missing\" = \"fix\"", "key.missing cannot be fixed"),
            ("\"stock.missing\" = \"skip\"", "\"stock.mising\" = \"skip\"", "stock.mising"),
            ("key =", "keys =", "keys"),
        ] {
            let error = Mapping::parse(&WHOLE.replace(from, to)).unwrap_err();
            assert!(error.contains(expected), "{error}");
        }
    }
}
