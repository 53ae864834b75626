//! Words for searching, the same on both backends.

/// Returns the distinct words of a product's searchable texts, in lower case, sorted.
///
/// A word is a run of letters and digits (Unicode); everything else separates. What one product puts into an index is
/// bounded by the lengths of its name and its sku.
pub fn tokens<'a>(texts: impl IntoIterator<Item = &'a str>) -> Vec<String> {
    let mut words: Vec<String> = texts.into_iter().flat_map(words).collect();
    words.sort_unstable();
    words.dedup();
    words
}

/// Returns the words of a query, in lower case: each has to be a prefix of one of a product's [`tokens`].
///
/// A word that another one begins with is left out, since the longer one implies it.
pub fn query_tokens(query: &str) -> Vec<String> {
    let words = tokens([query]);
    let implied = |word: &String| words.iter().any(|other| other != word && other.starts_with(word.as_str()));
    words.iter().filter(|word| !implied(word)).cloned().collect()
}

fn words(text: &str) -> impl Iterator<Item = String> {
    text.split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(|word| word.chars().flat_map(char::to_lowercase).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn splits_at_everything_but_letters_and_digits() {
        assert_eq!(tokens(["KNITTED Union-Flag", "85123A"]), ["85123a", "flag", "knitted", "union"]);
    }

    #[test]
    fn no_word_is_lost_and_none_is_cut() {
        let many: Vec<String> = (0..90).map(|n| format!("a{n:02}")).collect();
        let long = "x".repeat(90);
        let words = tokens([many.join(" ").as_str(), long.as_str(), "zz9"]);
        assert_eq!(words.len(), 92);
        assert!(words.contains(&long) && words.contains(&"zz9".to_owned()));
    }

    #[test]
    fn a_query_word_implied_by_another_is_left_out() {
        assert_eq!(query_tokens("un Union flag"), ["flag", "union"]);
        assert!(query_tokens(" -- ").is_empty());
    }
}
