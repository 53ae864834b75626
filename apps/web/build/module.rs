//! What a module imports and exports, as far as our modules and those that we took in write it.
//!
//! `import {…} from`, `import name from`, `import "…"`; `export` before `const`, `function` and `class`, `export default`
//! before a function, `export {…}` with and without `from`; `import("…")` and `import.meta.url`. All else is refused.

use std::ops::Range;

use super::lex::{Kind, Token, tokens};

/// What an anonymous default is called.
pub const DEFAULT: &str = "$default";

/// A name elsewhere, and the name here.
pub type Name<'a> = (&'a str, &'a str);

/// A part of the module that joining writes in another way.
#[derive(Debug)]
pub struct Edit<'a> {
    /// The tokens that it replaces; none where it comes between two.
    pub tokens: Range<usize>,
    pub what: What<'a>,
}

#[derive(Debug)]
pub enum What<'a> {
    /// A static import from a module, by its specifier; nothing is named where only its effects are wanted.
    Import { names: Vec<Name<'a>>, from: &'a str },
    /// An `import(…)`, by its specifier.
    Dynamic(&'a str),
    /// `import.meta.url`.
    Address,
    /// What an export is within a function: these words.
    Export(&'static str),
}

/// A module, read.
#[derive(Debug)]
pub struct Module<'a> {
    pub tokens: Vec<Token<'a>>,
    /// In the order of the tokens.
    pub edits: Vec<Edit<'a>>,
    /// By their names outside and inside.
    pub exports: Vec<Name<'a>>,
    /// Handed on from other modules: names there and here, and which module.
    pub passed: Vec<(Vec<Name<'a>>, &'a str)>,
    /// Whether something at the top waits.
    pub waits: bool,
}

impl<'a> Module<'a> {
    /// Reads a module.
    ///
    /// # Errors
    /// What in it is not of the kind that can be joined.
    pub fn read(source: &'a str) -> Result<Self, String> {
        let tokens = tokens(source)?;
        let waits = waits(&tokens);
        let mut module = Self { tokens, edits: Vec::new(), exports: Vec::new(), passed: Vec::new(), waits };
        let mut at = 0;
        while at < module.tokens.len() {
            let token = module.tokens[at];
            let begins = token.kind == Kind::Word && module.text(at.wrapping_sub(1)) != ".";
            at = match token.text {
                "import" if begins => module.import(at)?,
                "export" if begins => module.export(at)?,
                _ => at + 1,
            };
        }
        module.edits.sort_by_key(|edit| edit.tokens.start);
        Ok(module)
    }

    /// Returns the specifiers of everything that has to be there before this module.
    pub fn needs(&self) -> Vec<&'a str> {
        let imported = self.edits.iter().filter_map(|edit| match edit.what {
            What::Import { from, .. } => Some(from),
            _ => None,
        });
        imported.chain(self.passed.iter().map(|(_, from)| *from)).collect()
    }

    fn text(&self, at: usize) -> &'a str {
        self.tokens.get(at).map_or("", |token| token.text)
    }

    fn refuse<T>(&self, at: usize, why: &str) -> Result<T, String> {
        let begin = at.saturating_sub(3);
        let around: Vec<_> = self.tokens[begin..].iter().take(10).map(|token| token.text).collect();
        Err(format!("{why}: … {} …", around.join(" ")))
    }

    fn expect(&self, at: usize, text: &str) -> Result<usize, String> {
        if self.text(at) == text { Ok(at + 1) } else { self.refuse(at, &format!("expected '{text}'")) }
    }

    /// Returns a string's content; one with an escape is refused.
    fn specifier(&self, at: usize) -> Result<&'a str, String> {
        let is_text = self.tokens.get(at).is_some_and(|token| token.kind == Kind::Text);
        let content = if is_text { &self.text(at)[1..self.text(at).len() - 1] } else { "" };
        if content.starts_with('.') && !content.contains('\\') {
            Ok(content)
        } else {
            self.refuse(at, "expected a relative path in quotes")
        }
    }

    fn statement(&self, at: usize) -> Result<(), String> {
        let begins = at == 0 || matches!(self.text(at - 1), ";" | "}") || self.tokens[at].gap == "\n";
        if begins && self.tokens[at].depth == 0 {
            Ok(())
        } else {
            self.refuse(at, "an import or export that is no statement of the module")
        }
    }

    /// Reads `{a, b as c}` from its bracket on.
    fn names(&self, at: usize) -> Result<(Vec<Name<'a>>, usize), String> {
        let mut at = self.expect(at, "{")?;
        let mut names = Vec::new();
        while self.text(at) != "}" {
            let first = self.word(at)?;
            at += 1;
            let mut second = first;
            if self.text(at) == "as" {
                second = self.word(at + 1)?;
                at += 2;
            }
            names.push((first, second));
            if self.text(at) != "}" {
                at = self.expect(at, ",")?;
            }
        }
        Ok((names, at + 1))
    }

    fn word(&self, at: usize) -> Result<&'a str, String> {
        match self.tokens.get(at) {
            Some(token) if token.kind == Kind::Word => Ok(token.text),
            _ => self.refuse(at, "expected a name"),
        }
    }

    fn edit(&mut self, from: usize, to: usize, what: What<'a>) {
        self.edits.push(Edit { tokens: from..to, what });
    }

    fn import(&mut self, at: usize) -> Result<usize, String> {
        match self.text(at + 1) {
            "(" => {
                let specifier = self.specifier(at + 2)?;
                let end = self.expect(at + 3, ")")?;
                self.edit(at, end, What::Dynamic(specifier));
                return Ok(end);
            }
            "." => {
                let end = self.expect(at + 2, "meta").and_then(|at| self.expect(at, "."))?;
                let end = self.expect(end, "url")?;
                self.edit(at, end, What::Address);
                return Ok(end);
            }
            _ => self.statement(at)?,
        }
        // Whatever stood before it was an import, up to here.
        let imports = self.edits.iter().filter(|edit| matches!(edit.what, What::Import { .. }));
        if imports.map(|edit| edit.tokens.len()).sum::<usize>() != at {
            return self.refuse(at, "an import after code, which it would run before");
        }
        let (names, next) = match self.text(at + 1) {
            "{" => {
                let (names, next) = self.names(at + 1)?;
                (names, self.expect(next, "from")?)
            }
            text if text.starts_with(['"', '\'']) => (Vec::new(), at + 1),
            _ => (vec![("default", self.word(at + 1)?)], self.expect(at + 2, "from")?),
        };
        let from = self.specifier(next)?;
        let end = self.expect(next + 1, ";")?;
        self.edit(at, end, What::Import { names, from });
        Ok(end)
    }

    fn export(&mut self, at: usize) -> Result<usize, String> {
        self.statement(at)?;
        match self.text(at + 1) {
            "{" => self.export_names(at),
            "const" => {
                let name = self.word(at + 2)?;
                self.expect(at + 3, "=")?;
                self.one_binding(at + 4)?;
                self.exports.push((name, name));
                self.edit(at, at + 1, What::Export(""));
                Ok(at + 1)
            }
            "let" | "var" => {
                self.refuse(at, "an export that changes later, of which a joined importer would not hear")
            }
            "function" | "class" => self.export_named(at, at + 2),
            "async" if self.text(at + 2) == "function" => self.export_named(at, at + 3),
            "default" if self.text(at + 2) == "function" => self.export_default(at),
            _ => self.refuse(at, "an export of a kind that cannot be joined"),
        }
    }

    fn export_names(&mut self, at: usize) -> Result<usize, String> {
        let (names, mut next) = self.names(at + 1)?;
        if self.text(next) == "from" {
            self.passed.push((names, self.specifier(next + 1)?));
            next += 2;
        } else {
            self.exports.extend(names.into_iter().map(|(inside, outside)| (outside, inside)));
        }
        if next < self.tokens.len() {
            next = self.expect(next, ";")?;
        }
        self.edit(at, next, What::Export(""));
        Ok(next)
    }

    /// Makes sure that a `const` makes one thing, and ends.
    fn one_binding(&self, from: usize) -> Result<(), String> {
        for at in from..self.tokens.len() {
            match (self.tokens[at].depth, self.tokens[at].text) {
                (0, ";") => return Ok(()),
                (0, ",") => return self.refuse(at, "an export of several at once"),
                _ => {}
            }
        }
        self.refuse(from, "an export without a ';'")
    }

    fn export_named(&mut self, at: usize, name: usize) -> Result<usize, String> {
        let name = self.word(name)?;
        self.exports.push((name, name));
        self.edit(at, at + 1, What::Export(""));
        Ok(at + 1)
    }

    fn export_default(&mut self, at: usize) -> Result<usize, String> {
        if self.text(at + 3) != "(" {
            self.exports.push(("default", self.word(at + 3)?));
            self.edit(at, at + 2, What::Export(""));
            return Ok(at + 2);
        }
        let ends = |token: &Token<'_>| token.depth == 0 && token.kind == Kind::Punct && token.text == "}";
        let Some(length) = self.tokens[at..].iter().position(ends) else {
            return self.refuse(at, "a function without a body");
        };
        self.exports.push(("default", DEFAULT));
        self.edit(at, at + 2, What::Export("const $default="));
        self.edit(at + length + 1, at + length + 1, What::Export(";"));
        Ok(at + 2)
    }
}

/// Tells whether something outside of every function waits: an `await` in no bracket, of no `async` function's.
fn waits(tokens: &[Token<'_>]) -> bool {
    let mut is_async = false;
    for token in tokens.iter().filter(|token| token.depth == 0) {
        match token.text {
            "async" => is_async = true,
            ";" | "}" => is_async = false,
            "await" if !is_async => return true,
            _ => {}
        }
    }
    false
}
