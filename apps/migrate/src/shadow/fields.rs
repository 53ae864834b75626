//! Which field of the old API is which of souk's.

use std::path::Path;

use serde::Deserialize;
use serde_json::Value;

use super::report::Example;
use super::values::{Kind, same};
use crate::MigrateError;

/// The fields of the table that most come with: old name, souk's name.
const KNOWN: [(&str, &str); 9] = [
    ("id", "id"),
    ("sellerId", "sellerId"),
    ("name", "name"),
    ("description", "description"),
    ("price", "price"),
    ("quantity", "stock"),
    ("category", "category"),
    ("createdAt", "createdAt"),
    ("updatedAt", "updatedAt"),
];
/// What souk's products have.
const SOUKS: [&str; 12] = [
    "id",
    "sellerId",
    "sku",
    "name",
    "description",
    "category",
    "price",
    "stock",
    "lowStock",
    "lowStockThreshold",
    "createdAt",
    "updatedAt",
];

/// Pairs of fields.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fields(Vec<(String, String)>);

/// As a file has them.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FieldsFile {
    fields: toml::Table,
}

impl Default for Fields {
    fn default() -> Self {
        Self(KNOWN.map(|(old, new)| (old.to_owned(), new.to_owned())).to_vec())
    }
}

impl Fields {
    /// Reads a file: `[fields]`, and in it lines such as `quantity = "stock"`; the old name may have dots.
    ///
    /// # Errors
    /// `Usage` naming the file and what is wrong in it.
    pub fn read(path: &Path) -> Result<Self, MigrateError> {
        let usage = |what: String| MigrateError::Usage(format!("--fields {}: {what}", path.display()));
        let text = std::fs::read_to_string(path).map_err(|error| usage(error.to_string()))?;
        Self::parse(&text).map_err(usage)
    }

    fn parse(text: &str) -> Result<Self, String> {
        let file: FieldsFile =
            toml::from_str(text).map_err(|error| error.to_string().trim_end().to_owned())?;
        let mut pairs = Vec::new();
        for (old, new) in file.fields {
            let Some(new) = new.as_str() else {
                return Err(format!(
                    "{old} has to be a name of souk's in quotes; write old names with dots in quotes, too"
                ));
            };
            if !SOUKS.contains(&new) {
                return Err(format!(
                    "{old} = \"{new}\", which no product of souk's has: it has {}",
                    SOUKS.join(", ")
                ));
            }
            pairs.push((old, new.to_owned()));
        }
        if !pairs.iter().any(|(_, new)| new == "id") {
            return Err("no field is the id: add a line such as id = \"id\"".to_owned());
        }
        Ok(Self(pairs))
    }

    /// Returns the key of a product of the old API.
    pub(super) fn key(&self, product: &Value) -> Option<String> {
        let (old, _) = self.0.iter().find(|(_, new)| new == "id")?;
        match at(product, old) {
            Value::String(key) => Some(key.clone()),
            Value::Number(key) => Some(key.to_string()),
            _ => None,
        }
    }

    /// Returns what differs; `id` makes a key of the old API the id that souk has for it.
    pub(super) fn differing(
        &self,
        key: &str,
        old: &Value,
        new: &Value,
        id: impl Fn(&str) -> Option<String>,
    ) -> Vec<Example> {
        let mut differing = Vec::new();
        for (old_name, new_name) in &self.0 {
            let (there, here) = (at(old, old_name), at(new, new_name));
            let equal = if new_name == "id" {
                let text = self.key(old).and_then(|key| id(&key));
                text.as_deref() == here.as_str()
            } else {
                same(Kind::of(new_name), there, here)
            };
            if !equal {
                differing.push(Example {
                    key: key.to_owned(),
                    field: new_name.clone(),
                    old: there.to_string(),
                    new: here.to_string(),
                });
            }
        }
        differing
    }
}

/// A value in a document; `null` where it is not.
fn at<'a>(document: &'a Value, path: &str) -> &'a Value {
    if let Some(value) = document.get(path) {
        return value;
    }
    path.split('.').try_fold(document, |value, name| value.get(name)).unwrap_or(&Value::Null)
}

/// The product in an answer, which may stand in a wrapper.
pub(super) fn product(answer: &Value) -> &Value {
    ["product", "data", "item"]
        .iter()
        .find_map(|name| answer.get(name).filter(|it| it.is_object()))
        .unwrap_or(answer)
}

/// The products in an answer to a list.
pub(super) fn list(answer: &Value) -> Option<&Vec<Value>> {
    answer.as_array().or_else(|| {
        let named = ["items", "products", "data", "results"];
        named.iter().find_map(|name| answer.get(name).and_then(Value::as_array))
    })
}

/// The ids of the products in an answer of souk's.
pub(crate) fn product_ids(answer: &Value) -> Vec<String> {
    let ids = list(answer).into_iter().flatten().filter_map(|product| product["id"].as_str());
    ids.map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_known_fields_are_compared_by_what_they_mean() {
        let old = json!({"id": "A", "sellerId": "s", "name": "Lamp", "price": "9.90", "quantity": 3,
            "category": "c", "createdAt": "2020-01-01T00:00:00.123Z", "updatedAt": "2020-01-01 01:00:00.1239"});
        let mut new = json!({"id": "a", "sellerId": "s", "name": "Lamp", "description": null, "price": 9.9, "stock": 3,
            "category": "c", "createdAt": "2020-01-01T01:00:00.123+01:00", "updatedAt": "2020-01-01T01:00:00.123Z"});
        let id = |key: &str| Some(key.to_lowercase());
        let fields = Fields::default();
        assert_eq!(fields.differing("A", &old, &new, id), []);
        new["stock"] = json!(4);
        new["name"] = json!("lamp");
        let differing = fields.differing("A", &old, &new, id);
        let named: Vec<(&str, &str, &str)> =
            differing.iter().map(|example| (&*example.field, &*example.old, &*example.new)).collect();
        assert_eq!(named, [("name", "\"Lamp\"", "\"lamp\""), ("stock", "3", "4")]);
    }

    #[test]
    fn a_file_names_others() {
        let fields = Fields::parse("[fields]\nno = \"id\"\n\"texts.title\" = \"name\"\n").unwrap();
        let old = json!({"no": 7, "texts": {"title": "Lamp"}});
        assert_eq!(fields.key(&old).as_deref(), Some("7"));
        let new = json!({"id": "x7", "name": "Lamp", "stock": 9});
        assert_eq!(fields.differing("7", &old, &new, |key| Some(format!("x{key}"))), []);
        for (text, named) in [
            ("[fields]\nid = \"id\"\nqty = \"quantity\"", "which no product of souk's has"),
            ("[fields]\nname = \"name\"", "no field is the id"),
            ("[fields]\nid = 3", "in quotes"),
            ("[field]", "field"),
        ] {
            let error = Fields::parse(text).unwrap_err();
            assert!(error.contains(named), "{error}");
        }
    }

    #[test]
    fn answers_may_be_wrapped() {
        let one = json!({"id": 1});
        assert_eq!(product(&json!({"data": {"id": 1}})), &one);
        assert_eq!(product(&one), &one);
        assert_eq!(list(&json!({"products": [1]})).map(Vec::len), Some(1));
        assert_eq!(list(&json!([1, 2])).map(Vec::len), Some(2));
        assert_eq!(list(&one), None);
    }
}
