//! Cuts a module into tokens: as much of the language as it takes to know what is code and what is text.
//!
//! A `/` begins a regular expression or divides, which only a parser can tell in every case. Where it cannot be told from
//! what stands before it the module is refused: rather an error of the build than a page that is wrong.

/// What a token is, as far as joining has to know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A name, a keyword or a number.
    Word,
    /// A string in quotes.
    Text,
    /// A piece of a template, from its begin or a `}` to a `${` or its end.
    Template,
    Regex,
    /// One character of everything else.
    Punct,
}

/// A token, with what stands before it reduced to what has a meaning.
#[derive(Clone, Copy, Debug)]
pub struct Token<'a> {
    pub kind: Kind,
    pub text: &'a str,
    /// Open brackets and templates around it; an opening and its closing one have the same.
    pub depth: usize,
    /// Of the space and the comments before it nothing is left but this: nothing, a space or the end of a line.
    pub gap: &'static str,
}

/// Keywords after which an expression begins, so that a `/` is a regular expression.
const BEFORE_EXPRESSION: [&str; 12] =
    ["return", "typeof", "case", "in", "of", "void", "delete", "throw", "new", "do", "else", "instanceof"];

/// Keywords whose parenthesis is followed by a statement: a `/` after it would be a regular expression.
const BEFORE_HEAD: [&str; 4] = ["if", "while", "for", "with"];

/// What is open: a bracket, and whether it is the head of a statement.
struct Open {
    bracket: u8,
    head: bool,
}

/// Cuts `source` into its tokens.
///
/// # Errors
/// What cannot be read, and in which line.
pub fn tokens(source: &str) -> Result<Vec<Token<'_>>, String> {
    let mut lexer = Lexer { source, at: 0, open: Vec::new(), tokens: Vec::new(), after_head: false };
    lexer.run().map_err(|reason| {
        let line = source[..lexer.at.min(source.len())].lines().count().max(1);
        format!("line {line}: {reason}")
    })?;
    Ok(lexer.tokens)
}

struct Lexer<'a> {
    source: &'a str,
    at: usize,
    open: Vec<Open>,
    tokens: Vec<Token<'a>>,
    /// Whether the last token closed the head of a statement.
    after_head: bool,
}

impl Lexer<'_> {
    fn byte(&self, ahead: usize) -> Option<u8> {
        self.source.as_bytes().get(self.at + ahead).copied()
    }

    fn run(&mut self) -> Result<(), String> {
        loop {
            let gap = self.gap()?;
            let Some(first) = self.byte(0) else { break };
            let (begin, depth) = (self.at, self.open.len());
            let was_head = std::mem::take(&mut self.after_head);
            match first {
                b'\'' | b'"' => self.text(first)?,
                b'`' => {
                    self.at += 1;
                    self.template(begin, gap, depth)?;
                    continue;
                }
                b'}' if self.open.last().is_some_and(|open| open.bracket == b'`') => {
                    self.open.pop();
                    self.at += 1;
                    self.template(begin, gap, depth - 1)?;
                    continue;
                }
                b'/' if self.begins_regex(was_head)? => {
                    self.regex()?;
                    self.push(Kind::Regex, begin, depth, gap);
                    continue;
                }
                b'(' | b'[' | b'{' => {
                    let head = self.tokens.last().is_some_and(|last| BEFORE_HEAD.contains(&last.text));
                    self.open.push(Open { bracket: first, head });
                    self.at += 1;
                }
                b')' | b']' | b'}' => {
                    let open = self.open.pop().ok_or("a bracket closes what was not opened")?;
                    let pair = matches!((open.bracket, first), (b'(', b')') | (b'[', b']') | (b'{', b'}'));
                    if !pair {
                        return Err(format!(
                            "a '{}' closes a '{}'",
                            char::from(first),
                            char::from(open.bracket)
                        ));
                    }
                    self.after_head = open.head;
                    self.at += 1;
                    self.push(Kind::Punct, begin, depth - 1, gap);
                    continue;
                }
                byte if is_word(byte) => {
                    while self.byte(0).is_some_and(is_word) {
                        self.at += 1;
                    }
                    self.push(Kind::Word, begin, depth, gap);
                    continue;
                }
                _ => self.at += 1,
            }
            let kind = if matches!(first, b'\'' | b'"') { Kind::Text } else { Kind::Punct };
            self.push(kind, begin, depth, gap);
        }
        if self.open.is_empty() { Ok(()) } else { Err("it ends within a bracket".to_owned()) }
    }

    fn push(&mut self, kind: Kind, begin: usize, depth: usize, gap: &'static str) {
        self.tokens.push(Token { kind, text: &self.source[begin..self.at], depth, gap });
    }

    /// Passes space and comments. A comment over several lines ends a statement as the end of a line does.
    fn gap(&mut self) -> Result<&'static str, String> {
        let begin = self.at;
        loop {
            match (self.byte(0), self.byte(1)) {
                (Some(byte), _) if byte.is_ascii_whitespace() => self.at += 1,
                (Some(b'/'), Some(b'/')) => {
                    self.at =
                        self.source[self.at..].find('\n').map_or(self.source.len(), |end| self.at + end);
                }
                (Some(b'/'), Some(b'*')) => {
                    let end = self.source[self.at + 2..].find("*/").ok_or("a comment does not end")?;
                    self.at += end + 4;
                }
                _ => break,
            }
        }
        let passed = &self.source[begin..self.at];
        Ok(if passed.contains('\n') {
            "\n"
        } else if passed.is_empty() {
            ""
        } else {
            " "
        })
    }

    fn text(&mut self, quote: u8) -> Result<(), String> {
        self.at += 1;
        loop {
            match self.byte(0) {
                None | Some(b'\n') => return Err("a string does not end".to_owned()),
                Some(b'\\') => self.at += 2,
                Some(byte) => {
                    self.at += 1;
                    if byte == quote {
                        return Ok(());
                    }
                }
            }
        }
    }

    /// Reads a template up to what is put into it, or to its end.
    fn template(&mut self, begin: usize, gap: &'static str, depth: usize) -> Result<(), String> {
        loop {
            match (self.byte(0), self.byte(1)) {
                (None, _) => return Err("a template does not end".to_owned()),
                (Some(b'\\'), _) => self.at += 2,
                (Some(b'$'), Some(b'{')) => {
                    self.at += 2;
                    self.open.push(Open { bracket: b'`', head: false });
                    break;
                }
                (Some(byte), _) => {
                    self.at += 1;
                    if byte == b'`' {
                        break;
                    }
                }
            }
        }
        self.push(Kind::Template, begin, depth, gap);
        Ok(())
    }

    fn begins_regex(&self, after_head: bool) -> Result<bool, String> {
        let unclear =
            || Err("a '/' could divide or begin a regular expression: write it another way".to_owned());
        let Some(last) = self.tokens.last() else { return Ok(true) };
        let before = self.tokens.iter().rev().nth(1).map_or("", |token| token.text);
        match last.kind {
            Kind::Text | Kind::Regex => Ok(false),
            Kind::Template => Ok(!last.text.ends_with('`')),
            Kind::Word if before == "." => Ok(false),
            Kind::Word => Ok(BEFORE_EXPRESSION.contains(&last.text)),
            Kind::Punct => match last.text {
                "}" => unclear(),
                ")" if after_head => unclear(),
                "+" | "-" if before == last.text && last.gap.is_empty() => unclear(),
                ")" | "]" => Ok(false),
                _ => Ok(true),
            },
        }
    }

    fn regex(&mut self) -> Result<(), String> {
        let mut class = false;
        self.at += 1;
        loop {
            let byte =
                self.byte(0).filter(|byte| *byte != b'\n').ok_or("a regular expression does not end")?;
            self.at += if byte == b'\\' { 2 } else { 1 };
            match byte {
                b'[' => class = true,
                b']' => class = false,
                b'/' if !class => break,
                _ => {}
            }
        }
        while self.byte(0).is_some_and(is_word) {
            self.at += 1;
        }
        Ok(())
    }
}

/// Whatever is not ASCII stands in names, strings and comments alone.
fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'$' | b'#') || !byte.is_ascii()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(source: &str) -> Vec<(Kind, &str)> {
        let tokens = tokens(source).unwrap_or_else(|error| panic!("{error}: {source}"));
        tokens.into_iter().map(|token| (token.kind, token.text)).collect()
    }

    #[test]
    fn text_is_told_from_code() {
        use Kind::{Punct, Regex, Template, Text, Word};
        assert_eq!(of("a /* b' */ 'it\\'s' // c\n"), [(Word, "a"), (Text, "'it\\'s'")]);
        let nested = of("`a${`b${c}`}//d`");
        assert_eq!(
            nested,
            [(Template, "`a${"), (Template, "`b${"), (Word, "c"), (Template, "}`"), (Template, "}//d`")]
        );
        assert_eq!(of("x=/[/']\\//g;"), [(Word, "x"), (Punct, "="), (Regex, "/[/']\\//g"), (Punct, ";")]);
        assert_eq!(of("a.in/b/c").iter().filter(|(kind, _)| *kind == Regex).count(), 0);
        assert_eq!(of("(a)/b/c").iter().filter(|(kind, _)| *kind == Regex).count(), 0);
        assert_eq!(of("return/b/")[1], (Regex, "/b/"));
        assert_eq!(of("`${/'/}`")[1], (Regex, "/'/"));
    }

    #[test]
    fn of_what_is_between_only_the_meaning_is_left() {
        let gaps: Vec<_> =
            tokens("a  b/*\n*/c //\n\n  d/**/e").unwrap().iter().map(|token| token.gap).collect();
        assert_eq!(gaps, ["", " ", "\n", "\n", " "]);
    }

    #[test]
    fn brackets_and_templates_are_counted() {
        let depths: Vec<_> = tokens("a{b(`${c}`)}d").unwrap().iter().map(|token| token.depth).collect();
        assert_eq!(depths, [0, 0, 1, 1, 2, 3, 2, 1, 0, 0]);
    }

    #[test]
    fn what_cannot_be_told_is_refused() {
        for bad in
            ["if (a) /b/.test(c)", "a = {} / 2", "a++ / 2", "'a\n'", "`a", "/*", "a = /b\n/", "(]", "{", ")"]
        {
            assert!(tokens(bad).is_err(), "{bad}");
        }
        assert!(tokens("\n\n'").unwrap_err().starts_with("line 3"));
    }
}
