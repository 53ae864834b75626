//! The mapping the other way round: which columns of the old table a product is written to.

use souk_ports::{BackColumn, BackKeys, KeyColumn, KeyType, SourceRow, SourceTable};

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
    pub keys: BackKeys,
    /// Whether a product that is created in souk can get a row.
    pub adds_rows: bool,
    /// Fields that are read from the key: once a row is there, they cannot be written.
    pub in_key: u32,
}

impl Inverse {
    /// Turns a mapping round; `tables` are the source's, `column` that of the key.
    ///
    /// # Errors
    /// `Found` naming what cannot be turned round, and the remedy.
    pub fn of(
        mapping: &Mapping,
        key: &KeyType,
        column: Option<&KeyColumn>,
        tables: &[SourceTable],
    ) -> Result<Self, MigrateError> {
        let found = |what: String| {
            MigrateError::Found(format!("{what}; --one-way gives the way back up, and rollback with it"))
        };
        let first = FirstTable::of(&mapping.from)
            .ok_or_else(|| found(format!("`{}` is no table that souk could write back to", mapping.from)))?;
        let (key_name, own) = key_of(mapping, key, column, &first).map_err(found)?;
        let new = own.as_ref().and_then(|_| mapping.back.get(&key_name).cloned());
        let adds_rows = own.is_none_or(|own| own.gives) || new.is_some();
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
        let (mut columns, mut in_key) = (Vec::new(), 0);
        let others: Vec<(&String, &String)> =
            mapping.back.iter().filter(|(name, _)| **name != key_name).collect();
        for (field, expression) in &mapping.fields {
            // When a row was created never changes; when it changed last is written with whatever changed.
            let of = match &**field {
                "createdAt" => 1 << 31,
                "updatedAt" => ALL,
                other => bit(other),
            };
            let value = format!("p.{}", field.to_lowercase());
            match first.column(expression) {
                Some(name) if name == key_name => in_key |= of,
                Some(name) if !mapping.back.contains_key(&name) => {
                    // A column that two fields are read from is written once.
                    match columns.iter_mut().find(|known: &&mut BackColumn| known.name == name) {
                        Some(known) => known.of |= of,
                        None => columns.push(column(name, &value, of)?),
                    }
                }
                Some(_) => {}
                None if others.iter().any(|(_, back)| mentions(back, &value)) => {}
                None if new.as_ref().is_some_and(|new| mentions(new, &value)) => in_key |= of,
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
        for (name, value) in others {
            columns.push(column(name.clone(), value, ALL)?);
        }
        let keys = match own {
            Some(own) => BackKeys::Own { data_type: own.data_type.clone(), new },
            None => BackKeys::Ids,
        };
        Ok(Self { columns, keys, adds_rows, in_key })
    }
}

/// Finds the key's column, and what it is where keys are no UUIDs.
///
/// # Errors
/// Why rows cannot be found by it.
fn key_of<'a>(
    mapping: &Mapping,
    key: &KeyType,
    column: Option<&'a KeyColumn>,
    first: &FirstTable,
) -> Result<(String, Option<&'a KeyColumn>), String> {
    let no_column =
        || format!("souk cannot write back to a table by `{}`, which is no column of it", mapping.key);
    let name = first.column(&mapping.key).ok_or_else(no_column)?;
    if key.is_uuid {
        return match mapping.back.contains_key(&name) {
            true => Err(format!(
                "[back] has {name}: keys that are UUIDs are the products' ids, leave the line out"
            )),
            false => Ok((name, None)),
        };
    }
    let column = column.ok_or_else(no_column)?;
    // As a text it is what it was; any other cast may make one key of two.
    if key.name != column.type_name && key.name != "text" {
        return Err(format!(
            "souk cannot write back to a table by `{}`: give the key in the mapping without a cast",
            mapping.key
        ));
    }
    Ok((name, Some(column)))
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
        Inverse::of(&mapping(fields), &KeyType { name: "uuid".into(), is_uuid: true }, None, &tables)
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

    fn by_number(fields: &str, gives: bool) -> Result<Inverse, MigrateError> {
        let columns = [("id", "integer"), ("seller", "text"), ("name", "text"), ("qty", "integer")];
        let tables = [table("products", &columns, &["id"])];
        let key = KeyType { name: "int4".into(), is_uuid: false };
        let column = KeyColumn { type_name: "int4".into(), data_type: "integer".into(), gives };
        let fields =
            format!("{}price = \"t.qty\"\n{fields}", PLAIN.replace("createdAt = \"t.created\"\n", ""));
        Inverse::of(&mapping(&fields), &key, Some(&column), &tables)
    }

    #[test]
    fn a_key_of_the_tables_own_is_given_by_it_or_by_a_line() {
        let given = by_number("sku = \"t.id::text\"\n", true).unwrap();
        assert_eq!(given.keys, BackKeys::Own { data_type: "integer".into(), new: None });
        assert!(given.adds_rows && given.columns.iter().all(|column| column.name != "id"));
        assert_eq!(given.in_key, bit("sku"));
        assert!(!by_number("", false).unwrap().adds_rows);
        let line = by_number("sku = \"lpad(t.id::text, 8)\"\n[back]\nid = \"p.sku\"\n", false).unwrap();
        assert_eq!(line.keys, BackKeys::Own { data_type: "integer".into(), new: Some("p.sku".into()) });
        assert!(line.adds_rows && line.columns.iter().all(|column| column.name != "id"));
        assert_eq!(line.in_key, bit("sku"));
    }

    #[test]
    fn rows_that_cannot_be_found_by_their_key_have_no_way_back() {
        let fields = format!("{PLAIN}price = \"t.price\"\n");
        let number = KeyType { name: "int4".into(), is_uuid: false };
        let text =
            KeyColumn { type_name: "varchar".into(), data_type: "character varying".into(), gives: false };
        for column in [None, Some(&text)] {
            let error = Inverse::of(&mapping(&fields), &number, column, &[]).unwrap_err().to_string();
            assert!(error.contains("`t.id`") && error.contains("--one-way"), "{error}");
        }
        let error = inverse(&format!("{fields}[back]\nid = \"p.sku\"\n")).unwrap_err().to_string();
        assert!(error.contains("leave the line out"), "{error}");
    }
}
