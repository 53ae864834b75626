//! Proposes a mapping: finds the table that looks most like products, and a column for each field by its name.

use std::fmt::Write as _;

use souk_ports::{SourceColumn, SourceTable};

use crate::error::MigrateError;
use crate::policy::FaultKind;

/// The names that a field goes by, best first; compared without case and underscores.
const NAMES: &[(&str, &[&str])] = &[
    (
        "sellerId",
        &[
            "sellerid",
            "seller",
            "vendorid",
            "vendor",
            "merchantid",
            "merchant",
            "shopid",
            "storeid",
            "ownerid",
        ],
    ),
    ("name", &["name", "productname", "title", "label"]),
    ("price", &["price", "unitprice", "saleprice", "listprice", "amount"]),
    (
        "stock",
        &["stock", "quantity", "qty", "stockquantity", "inventory", "onhand", "unitsinstock", "available"],
    ),
    ("sku", &["sku", "stockcode", "productcode", "articlenumber", "itemnumber", "code", "ean"]),
    ("description", &["description", "descr", "longdescription", "details", "body"]),
    ("category", &["category", "categoryname", "categoryid", "department", "producttype"]),
    (
        "lowStockThreshold",
        &["lowstockthreshold", "reorderlevel", "reorderpoint", "minstock", "minimumstock", "stockthreshold"],
    ),
    ("createdAt", &["createdat", "created", "creationdate", "createdon", "datecreated", "insertedat"]),
    (
        "updatedAt",
        &["updatedat", "updated", "modifiedat", "modified", "lastmodified", "updatedon", "dateupdated"],
    ),
];

/// A mapping that is proposed, with what is to be said about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proposal {
    /// The text of the mapping file.
    pub text: String,
    /// The table.
    pub table: String,
    /// Fields that have no column and are needed.
    pub missing: Vec<&'static str>,
}

/// Proposes a mapping for `wanted`, or for the table that looks most like products.
///
/// # Errors
/// `Usage` when there is no such table, or none looks like it.
pub fn propose(
    tables: &[SourceTable],
    wanted: Option<&str>,
    database: &str,
) -> Result<Proposal, MigrateError> {
    let table = match wanted {
        Some(wanted) => find(tables, wanted)?,
        None => most_like_products(tables)?,
    };
    let [key] = &*table.key else {
        let what = if table.key.is_empty() { "no primary key" } else { "a primary key of several columns" };
        return Err(MigrateError::Usage(format!(
            "table {}.{} has {what}: write a mapping by hand whose key is one column with unique values, over a view \
             where there is none, and give it with --mapping",
            table.schema, table.name
        )));
    };
    let key_is_uuid = table.columns.iter().any(|column| column.name == *key && column.data_type == "uuid");
    let mut text = format!(
        "# How souk reads products from {}.{}: a column or an SQL expression for each field.\n\
         # The name is part of the ids that keys without a UUID get: leave it as it is once something is copied.\n\
         name = {}\nfrom = {}\nkey = {}\n\n[fields]\n",
        table.schema,
        table.name,
        quoted(&format!("{database}.{}", table.name)),
        quoted(&format!("{}.{} AS t", identifier(&table.schema), identifier(&table.name))),
        quoted(&format!("t.{}", identifier(key))),
    );
    let mut missing = Vec::new();
    for (field, names) in NAMES {
        let column = column(table, names);
        let expression = match column {
            Some(column) if field.ends_with("At") => moment(column),
            Some(column) => expression(tables, column),
            // A key that is no UUID stays findable as the seller's code.
            None if *field == "sku" && !key_is_uuid => format!("t.{}", identifier(key)),
            None => {
                if ["sellerId", "name", "price", "stock"].contains(field) {
                    missing.push(*field);
                    let _ = writeln!(
                        text,
                        "# {field} = \"…\"   # needed, and no column looks like it; an SQL literal does"
                    );
                }
                continue;
            }
        };
        let _ = writeln!(text, "{field} = {}", quoted(&expression));
    }
    text.push_str(
        "\n# What to do with rows that break a rule: fix, skip or stop, which is what happens to kinds without a line.\n\
         [policies]\n",
    );
    for kind in FaultKind::ALL {
        let fix = kind.fix().unwrap_or("cannot be fixed");
        let _ = writeln!(text, "# {} = \"stop\"   # fix: {fix}", quoted(kind.name()));
    }
    Ok(Proposal { text, table: format!("{}.{}", table.schema, table.name), missing })
}

fn find<'a>(tables: &'a [SourceTable], wanted: &str) -> Result<&'a SourceTable, MigrateError> {
    let (schema, name) = match wanted.split_once('.') {
        Some((schema, name)) => (Some(schema), name),
        None => (None, wanted),
    };
    let fits =
        |table: &&SourceTable| table.name == name && schema.is_none_or(|schema| table.schema == schema);
    tables.iter().find(fits).ok_or_else(|| {
        let near = tables
            .iter()
            .max_by(|a, b| {
                strsim::jaro_winkler(&a.name, name).total_cmp(&strsim::jaro_winkler(&b.name, name))
            })
            .map_or("there is none that this user can read".to_owned(), |near| {
                format!("did you mean {}.{}?", near.schema, near.name)
            });
        MigrateError::Usage(format!("the source has no table {wanted}; {near}"))
    })
}

fn most_like_products(tables: &[SourceTable]) -> Result<&SourceTable, MigrateError> {
    let likeness = |table: &SourceTable| {
        let needed = NAMES[..4].iter().filter(|(_, names)| column(table, names).is_some()).count();
        let others = NAMES[4..].iter().filter(|(_, names)| column(table, names).is_some()).count();
        let called_so = usize::from(["products", "product", "items"].contains(&&*plain(&table.name)));
        (needed + called_so, others)
    };
    let best = tables.iter().max_by_key(|table| likeness(table)).filter(|best| likeness(best).0 >= 3);
    best.ok_or_else(|| {
        let names: Vec<String> =
            tables.iter().take(20).map(|table| format!("{}.{}", table.schema, table.name)).collect();
        MigrateError::Usage(format!(
            "no table of the source looks like products: name one with --table; there are {}",
            if names.is_empty() { "none that this user can read".to_owned() } else { names.join(", ") }
        ))
    })
}

fn column<'a>(table: &'a SourceTable, names: &[&str]) -> Option<&'a SourceColumn> {
    names.iter().find_map(|name| table.columns.iter().find(|column| plain(&column.name) == *name))
}

/// The column, or the name that its foreign key leads to.
fn expression(tables: &[SourceTable], column: &SourceColumn) -> String {
    let own = format!("t.{}", identifier(&column.name));
    let number = ["integer", "bigint", "smallint", "uuid"].contains(&&*column.data_type);
    let Some((schema, name, key)) = column.refers_to.as_ref().filter(|_| number) else { return own };
    let target = tables.iter().find(|table| (&table.schema, &table.name) == (schema, name));
    let Some(label) = target.and_then(|table| self::column(table, &["name", "title", "label"])) else {
        return own;
    };
    // Sellers' ids stay what they are: names have spaces, and change.
    if plain(&column.name).contains("seller") || plain(&column.name).contains("vendor") {
        return own;
    }
    format!(
        "(SELECT x.{} FROM {}.{} AS x WHERE x.{} = {own})",
        identifier(&label.name),
        identifier(schema),
        identifier(name),
        identifier(key)
    )
}

/// The column as a moment: a number is one of seconds since 1970, or of milliseconds where as many seconds would be after the
/// year 5000.
fn moment(column: &SourceColumn) -> String {
    let own = format!("t.{}", identifier(&column.name));
    let data_type = column.data_type.split('(').next().unwrap_or_default();
    match data_type {
        "integer" => format!("to_timestamp({own})"),
        "bigint" | "numeric" | "double precision" => {
            format!("to_timestamp({own} / CASE WHEN abs({own}) < 100000000000 THEN 1.0 ELSE 1000.0 END)")
        }
        _ => own,
    }
}

fn plain(name: &str) -> String {
    name.chars().filter(|c| *c != '_').flat_map(char::to_lowercase).collect()
}

/// Quotes an identifier where it has to be.
fn identifier(name: &str) -> String {
    let simple = name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
        && name.bytes().next().is_some_and(|b| !b.is_ascii_digit())
        && !["user", "order", "group", "table", "select", "from", "end", "desc"].contains(&name);
    if simple { name.to_owned() } else { format!("\"{}\"", name.replace('"', "\"\"")) }
}

/// Writes a text as TOML does.
fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::Mapping;

    pub fn table(name: &str, columns: &[(&str, &str)], key: &[&str]) -> SourceTable {
        let column = |(name, data_type): &(&str, &str)| SourceColumn {
            name: (*name).to_owned(),
            data_type: (*data_type).to_owned(),
            refers_to: None,
        };
        SourceTable {
            schema: "public".into(),
            name: name.into(),
            columns: columns.iter().map(column).collect(),
            key: key.iter().map(|column| (*column).to_owned()).collect(),
        }
    }

    fn monolith(quoted: bool) -> SourceTable {
        let columns = [
            "id",
            "sellerId",
            "name",
            "description",
            "price",
            "quantity",
            "category",
            "createdAt",
            "updatedAt",
        ];
        let columns: Vec<String> = columns
            .iter()
            .map(|name| if quoted { (*name).to_owned() } else { name.to_lowercase() })
            .collect();
        let typed: Vec<(&str, &str)> =
            columns.iter().map(|name| (&**name, if name == "id" { "uuid" } else { "text" })).collect();
        table("products", &typed, &["id"])
    }

    #[test]
    fn the_known_table_is_recognised_quoted_or_not() {
        let others = [table("users", &[("id", "uuid"), ("name", "text")], &["id"])];
        for (quoted, seller) in [(false, "t.sellerid"), (true, "t.\"sellerId\"")] {
            let tables: Vec<SourceTable> = others.iter().cloned().chain([monolith(quoted)]).collect();
            let proposal = propose(&tables, None, "app").unwrap();
            assert_eq!((&*proposal.table, proposal.missing.len()), ("public.products", 0));
            let mapping = Mapping::parse(&proposal.text).unwrap();
            assert_eq!(mapping.name, "app.products");
            assert_eq!(mapping.fields["sellerId"], seller);
            assert_eq!(mapping.fields["stock"], "t.quantity");
            assert!(mapping.fields.contains_key("createdAt") && !mapping.fields.contains_key("sku"));
        }
    }

    #[test]
    fn a_key_that_is_no_uuid_becomes_the_sku_and_names_are_looked_up() {
        let mut goods = table(
            "goods",
            &[
                ("no", "integer"),
                ("Title", "text"),
                ("unit_price", "real"),
                ("qty", "integer"),
                ("vendor_id", "integer"),
                ("category_id", "integer"),
                ("reorder_level", "integer"),
            ],
            &["no"],
        );
        goods.columns[5].refers_to = Some(("public".into(), "categories".into(), "id".into()));
        let categories = table("categories", &[("id", "integer"), ("name", "text")], &["id"]);
        let proposal = propose(&[categories, goods], None, "shop").unwrap();
        let mapping = Mapping::parse(&proposal.text).unwrap();
        assert_eq!(mapping.fields["sku"], "t.no");
        assert_eq!(mapping.fields["name"], "t.\"Title\"");
        assert_eq!(
            mapping.fields["category"],
            "(SELECT x.name FROM public.categories AS x WHERE x.id = t.category_id)"
        );
        assert_eq!(mapping.fields["lowStockThreshold"], "t.reorder_level");
    }

    #[test]
    fn numbers_are_proposed_as_moments() {
        let typed = |data_type: &str| {
            let columns = [("id", "uuid"), ("seller", "text"), ("name", "text"), ("price", "numeric")];
            let more = [("stock", "integer"), ("created", data_type)];
            let goods = table("goods", &[&columns[..], &more].concat(), &["id"]);
            Mapping::parse(&propose(&[goods], None, "shop").unwrap().text).unwrap().fields["createdAt"]
                .clone()
        };
        assert_eq!(typed("timestamp without time zone"), "t.created");
        assert_eq!(typed("integer"), "to_timestamp(t.created)");
        for wide in ["bigint", "numeric(13,0)", "double precision"] {
            assert!(typed(wide).starts_with("to_timestamp(t.created / CASE"), "{wide}");
        }
    }

    #[test]
    fn what_is_needed_and_not_there_is_said() {
        let goods = table(
            "goods",
            &[("id", "integer"), ("name", "text"), ("price", "text"), ("qty", "text")],
            &["id"],
        );
        let proposal = propose(std::slice::from_ref(&goods), None, "shop").unwrap();
        assert_eq!(proposal.missing, ["sellerId"]);
        assert!(Mapping::parse(&proposal.text).unwrap_err().contains("sellerId"));
        let error = propose(&[goods], Some("good"), "shop").unwrap_err().to_string();
        assert!(error.contains("did you mean public.goods?"), "{error}");
        let none =
            propose(&[table("users", &[("id", "uuid")], &["id"])], None, "shop").unwrap_err().to_string();
        assert!(none.contains("--table") && none.contains("public.users"), "{none}");
        let keyless = SourceTable { key: Vec::new(), ..monolith(false) };
        assert!(propose(&[keyless], None, "shop").unwrap_err().to_string().contains("no primary key"));
    }
}
