//! Which parts of a mapping are plain columns of its first table: what a trigger can watch and souk can write.

/// The first table of a mapping's `from`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FirstTable {
    /// As it is written there, schema included.
    pub name: String,
    /// What its columns are called by: the alias, or the name.
    alias: String,
    /// Whether others are joined to it.
    pub joined: bool,
}

impl FirstTable {
    /// Finds it; `None` where `from` begins with something else, such as a subquery.
    pub fn of(from: &str) -> Option<Self> {
        let (mut name, mut rest) = identifier(from.trim())?;
        let (mut own, mut last) = (from.trim()[..from.trim().len() - rest.len()].to_owned(), name.clone());
        if let Some(after) = rest.strip_prefix('.') {
            (name, rest) = identifier(after)?;
            own = from.trim()[..from.trim().len() - rest.len()].to_owned();
            last.clone_from(&name);
        }
        let rest = rest.trim_start();
        // A function call is no table.
        if rest.starts_with('(') {
            return None;
        }
        let after_as = keyword(rest, "as").unwrap_or(rest);
        match identifier(after_as) {
            Some((alias, after)) if after_as.len() < rest.len() || !is_join(&alias) => {
                Some(Self { name: own, alias, joined: !after.trim().is_empty() })
            }
            _ => Some(Self { name: own, alias: last, joined: !rest.is_empty() }),
        }
    }

    /// Returns the column's name when an expression is a column of the table, with a cast or without.
    pub fn column(&self, expression: &str) -> Option<String> {
        let expression = expression.trim();
        let bare = expression.rsplit_once("::").map_or(expression, |(before, _)| before.trim());
        let (first, rest) = identifier(bare)?;
        if rest.is_empty() {
            // Without the table's name it might be another one's.
            return (!self.joined && !is_literal(&first)).then_some(first);
        }
        let (column, rest) = identifier(rest.strip_prefix('.')?)?;
        (first == self.alias && rest.is_empty()).then_some(column)
    }
}

fn is_join(word: &str) -> bool {
    ["join", "left", "right", "inner", "full", "cross", "natural", "where", "on", "using", "tablesample"]
        .contains(&word)
}

fn is_literal(word: &str) -> bool {
    ["null", "true", "false", "current_timestamp", "current_date", "current_user"].contains(&word)
}

fn keyword<'a>(text: &'a str, word: &str) -> Option<&'a str> {
    let rest = text.get(word.len()..)?;
    (text[..word.len()].eq_ignore_ascii_case(word) && rest.starts_with(char::is_whitespace))
        .then(|| rest.trim_start())
}

/// Reads an identifier as Postgres does: folded to lower case, or quoted. Returns what follows.
fn identifier(text: &str) -> Option<(String, &str)> {
    if let Some(quoted) = text.strip_prefix('"') {
        let mut name = String::new();
        let mut letters = quoted.char_indices().peekable();
        while let Some((at, letter)) = letters.next() {
            if letter != '"' {
                name.push(letter);
            } else if letters.peek().is_some_and(|(_, next)| *next == '"') {
                letters.next();
                name.push('"');
            } else {
                return (!name.is_empty()).then_some((name, &quoted[at + 1..]));
            }
        }
        return None;
    }
    let end = text.find(|c: char| !(c.is_alphanumeric() || c == '_' || c == '$')).unwrap_or(text.len());
    let begins = text.chars().next().is_some_and(|first| first.is_alphabetic() || first == '_');
    (begins && end > 0).then(|| (text[..end].to_lowercase(), &text[end..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_table_and_its_plain_columns_are_found() {
        for (from, name, joined) in [
            ("public.products AS t", "public.products", false),
            ("products t", "products", false),
            ("products", "products", false),
            ("\"Shop\".\"My Goods\" as t", "\"Shop\".\"My Goods\"", false),
            ("goods AS t LEFT JOIN texts AS x ON x.goods = t.no", "goods", true),
        ] {
            let table = FirstTable::of(from).unwrap();
            assert_eq!((&*table.name, table.joined), (name, joined), "{from}");
            let qualified = if from == "products" { "products.Price" } else { "t.Price" };
            assert_eq!(table.column(qualified).as_deref(), Some("price"), "{from}");
            assert_eq!(table.column("price").as_deref(), (!joined).then_some("price"), "{from}");
            assert_eq!(table.column("x.price"), None, "{from}");
        }
        let table = FirstTable::of("goods join texts on true").unwrap();
        assert!(table.joined && table.column("goods.a").is_some());
        let table = FirstTable::of("products AS t").unwrap();
        assert_eq!(table.column("t.\"sellerId\"::text").as_deref(), Some("sellerId"));
        for no_column in ["t.price / 100", "'house'", "null", "upper(t.name)", "(t.a)", "1", "t.a || t.b"] {
            assert_eq!(table.column(no_column), None, "{no_column}");
        }
        for no_table in ["(SELECT 1) AS t", "generate_series(1, 2) AS t", ""] {
            assert_eq!(FirstTable::of(no_table), None, "{no_table}");
        }
    }
}
