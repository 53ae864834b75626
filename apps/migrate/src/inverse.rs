//! The mapping the other way round: which columns of the old table a product is written to.

use souk_ports::{BackColumn, KeyType, SourceRow, SourceTable};

use crate::columns::FirstTable;
use crate::{Mapping, MigrateError};

/// The bit of each field of [`SourceRow::FIELDS`] in a change.
pub(crate) fn bit(field: &str) -> u32 {
    SourceRow::FIELDS.iter().position(|name| *name == field).map_or(0, |at| 1 << at)
}

/// Every field.
pub(crate) const ALL: u32 = u32::MAX >> 1;

/// What products are written to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Inverse {
    pub columns: Vec<BackColumn>,
}

impl Inverse {
    /// Turns a mapping round; `tables` are the source's.
    ///
    /// # Errors
    /// `Found` naming what cannot be turned round, and the remedy.
    pub fn of(mapping: &Mapping, key: &KeyType, tables: &[SourceTable]) -> Result<Self, MigrateError> {
        let found = |what: String| {
            MigrateError::Found(format!("{what}; --one-way gives the way back up, and rollback with it"))
        };
        let first = FirstTable::of(&mapping.from)
            .ok_or_else(|| found(format!("`{}` is no table that souk could write back to", mapping.from)))?;
        if !key.is_uuid || first.column(&mapping.key).is_none() {
            return Err(found(format!(
                "souk cannot write back to a table whose key is {} ({}): products that are created in souk have UUIDs",
                mapping.key, key.name
            )));
        }
        let table = tables.iter().find(|table| is_called(table, &first.name));
        let data_type = |column: &str| {
            let known = table.and_then(|table| table.columns.iter().find(|it| it.name == column));
            known.map(|column| column.data_type.clone())
        };
        let column = |name: String, value: &str, of: u32| {
            let data_type = data_type(&name).ok_or_else(|| {
                found(format!("the table {} has no column {name} that can be written", first.name))
            })?;
            Ok::<_, MigrateError>(BackColumn { value: format!("({value})::{data_type}"), name, of })
        };
        let mut columns = Vec::new();
        for (field, expression) in &mapping.fields {
            // When a row was created never changes; when it changed last is written with whatever changed.
            let of = match &**field {
                "createdAt" => 1 << 31,
                "updatedAt" => ALL,
                other => bit(other),
            };
            let value = format!("p.{}", field.to_lowercase());
            match first.column(expression) {
                Some(name) if !mapping.back.contains_key(&name) => {
                    // A column that two fields are read from is written once.
                    match columns.iter_mut().find(|known: &&mut BackColumn| known.name == name) {
                        Some(known) => known.of |= of,
                        None => columns.push(column(name, &value, of)?),
                    }
                }
                Some(_) => {}
                None if mapping.back.values().any(|back| mentions(back, &value)) => {}
                None if ["createdAt", "updatedAt"].contains(&&**field) => {}
                None => {
                    return Err(found(format!(
                        "{field} is `{expression}`, which souk cannot turn round, and it writes no other table than {}: say \
                         in [back] of the mapping which column of that it goes to, such as some_column = \"{value}\"",
                        first.name
                    )));
                }
            }
        }
        for (name, value) in &mapping.back {
            columns.push(column(name.clone(), value, ALL)?);
        }
        Ok(Self { columns })
    }
}

fn mentions(expression: &str, value: &str) -> bool {
    let expression = expression.to_lowercase();
    expression.match_indices(value).any(|(at, _)| {
        let next = expression[at + value.len()..].chars().next();
        next.is_none_or(|next| !next.is_alphanumeric() && next != '_')
    })
}

fn is_called(table: &SourceTable, name: &str) -> bool {
    let plain = |name: &str| {
        if let Some(quoted) = name.strip_prefix('"') {
            quoted.trim_end_matches('"').to_owned()
        } else {
            name.to_lowercase()
        }
    };
    match name.split_once('.') {
        Some((schema, name)) => table.schema == plain(schema) && table.name == plain(name),
        None => table.name == plain(name),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::propose::tests::table;

    fn mapping(fields: &str) -> Mapping {
        let text = format!(
            "name = \"app.products\"\nfrom = \"public.products AS t\"\nkey = \"t.id\"\n[fields]\n{fields}"
        );
        Mapping::parse(&text).unwrap()
    }

    const PLAIN: &str =
        "sellerId = \"t.seller\"\nname = \"t.name\"\nstock = \"t.qty\"\ncreatedAt = \"t.created\"\n";

    fn inverse(fields: &str) -> Result<Inverse, MigrateError> {
        let columns = [
            ("id", "uuid"),
            ("seller", "text"),
            ("name", "character varying(50)"),
            ("qty", "integer"),
            ("price", "numeric"),
            ("cents", "bigint"),
            ("created", "timestamp without time zone"),
        ];
        let tables = [table("products", &columns, &["id"])];
        Inverse::of(&mapping(fields), &KeyType { name: "uuid".into(), is_uuid: true }, &tables)
    }

    #[test]
    fn plain_columns_are_turned_round_with_their_types() {
        let columns = inverse(&format!("{PLAIN}price = \"t.price\"\n")).unwrap().columns;
        let of = |name: &str| columns.iter().find(|column| column.name == name).unwrap();
        assert_eq!((&*of("qty").value, of("qty").of), ("(p.stock)::integer", bit("stock")));
        assert_eq!((&*of("seller").value, of("seller").of), ("(p.sellerid)::text", bit("sellerId")));
        assert_eq!(of("created").of & ALL, 0, "it never changes");
        assert_eq!(columns.len(), 5);
    }

    #[test]
    fn what_is_computed_wants_a_line_of_its_own() {
        let error = inverse(&format!("{PLAIN}price = \"t.cents / 100.0\"\n")).unwrap_err().to_string();
        assert!(error.contains("price is `t.cents / 100.0`") && error.contains("[back]"), "{error}");
        let with = format!("{PLAIN}price = \"t.cents / 100.0\"\n[back]\ncents = \"p.price * 100\"\n");
        let columns = inverse(&with).unwrap().columns;
        assert!(columns.iter().any(|column| column.value == "(p.price * 100)::bigint" && column.of == ALL));
        let wrong = format!("{PLAIN}price = \"t.cents / 100.0\"\n[back]\ncents = \"p.price_net\"\n");
        assert!(inverse(&wrong).is_err(), "another word is not the field");
        let gone = format!("{PLAIN}price = \"t.cents / 100.0\"\n[back]\nsents = \"p.price\"\n");
        assert!(inverse(&gone).unwrap_err().to_string().contains("no column sents"));
    }

    #[test]
    fn keys_that_are_no_uuids_have_no_way_back() {
        let key = KeyType { name: "int4".into(), is_uuid: false };
        let error = Inverse::of(&mapping(&format!("{PLAIN}price = \"t.price\"\n")), &key, &[]).unwrap_err();
        assert!(error.to_string().contains("--one-way"), "{error}");
    }
}
