//! Search: which words a product has, and how a query finds them.
//!
//! A word with few products is looked up and its products are sorted; where all words are frequent the list is walked in
//! its order and filtered, since a match is then never far.

use souk_ports::{PortError, ProductQuery};

use crate::list::{Clauses, RARE};
use crate::readers::Readers;

/// Returns the rarest of the words, if it has fewer products than [`RARE`]; counts no further.
pub(crate) async fn rarest(readers: &Readers, words: &[String]) -> Result<Option<String>, PortError> {
    let mut fewest = RARE;
    let mut rarest = None;
    for word in words {
        let sql = "SELECT count(*) FROM (SELECT FROM souk.search_terms WHERE token >= $1 AND token < $2 LIMIT $3) AS few";
        let rows = readers.query(sql, &[word, &upper_bound(word), &fewest]).await?;
        let count = rows.first().map_or(0, |row| row.get::<_, i64>(0));
        if count < fewest {
            fewest = count;
            rarest = Some(word.clone());
        }
    }
    Ok(rarest)
}

/// The products of a rare word, each with its document.
pub(crate) fn source(clauses: &mut Clauses, word: &str) -> String {
    let (from, to) = (clauses.value(word.to_owned()), clauses.value(upper_bound(word)));
    format!(
        "(SELECT DISTINCT product FROM souk.search_terms WHERE token >= {from} AND token < {to}) t \
         JOIN souk.products p ON p.id = t.product JOIN souk.search_documents d ON d.product = t.product"
    )
}

/// Requires each word of the query to begin a word of `tokens`: one text for any number of words.
pub(crate) fn word_condition(clauses: &mut Clauses, query: &ProductQuery, tokens: &str) -> String {
    let words: Vec<String> = query.words.iter().map(|word| format!(" {word}")).collect();
    let words = clauses.value(words);
    format!("(SELECT bool_and(strpos({tokens}, word) > 0) FROM unnest({words}::text[]) AS word)")
}

/// Returns a text after every word that begins with `prefix`.
fn upper_bound(prefix: &str) -> String {
    format!("{prefix}{}", char::MAX)
}
