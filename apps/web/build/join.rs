//! Joins a module with everything that it imports into one file, so that a browser asks once rather than sixty times.
//!
//! Each module becomes a function that is called at once and returns what it exports; what it imports, it takes from those
//! before it. Their names stay their own, nothing is renamed. A module that is joined is nowhere else: whoever fetches
//! another one later is pointed to the joined file (`redirect`), or there would be two of each signal.
//!
//! This holds for modules that import each other in no circle, that export what does not change, and that wait for nothing;
//! any other is refused.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::ops::Range;

use super::module::{Edit, Module, What};

/// Modules by path.
pub type Sources<'a> = BTreeMap<&'a str, &'a str>;

/// A file that stands for several modules.
#[derive(Debug)]
pub struct Joined {
    /// Where it is: in place of the module that it begins with.
    pub entry: String,
    /// The modules, each after what it imports.
    pub order: Vec<String>,
    pub code: String,
}

/// Begins the name of what a module exports; no module may use such a name.
const PREFIX: &str = "$m";

/// Joins `entry` with what it imports, and with `also`, which it fetches in any case.
///
/// # Errors
/// Which module cannot be joined, and why.
pub fn join(entry: &str, also: &[&str], sources: &Sources) -> Result<Joined, String> {
    let mut order = Order { sources, modules: BTreeMap::new(), open: Vec::new(), done: Vec::new() };
    // The entry runs last: it is what starts them, and stays open until then.
    order.open.push(entry.to_owned());
    order.needs_of(entry)?;
    for path in also {
        order.visit(path)?;
    }
    order.done.push(entry.to_owned());
    let Order { modules, done, .. } = order;

    let numbers: BTreeMap<&str, usize> =
        done.iter().enumerate().map(|(n, path)| (path.as_str(), n)).collect();
    let joined = |path: &str| numbers.get(path).copied();
    let mut code = String::new();
    for (number, path) in done.iter().enumerate() {
        let module = &modules[path];
        let _ = writeln!(code, "// {path}\nconst {PREFIX}{number} = (() => {{");
        let write = Writing { module, path, file: entry, joined: &joined, inside: true };
        code.push_str(write.body().map_err(|error| format!("{path}: {error}"))?.trim_start());
        let mut exports: Vec<String> =
            module.exports.iter().map(|(outside, inside)| member(outside, inside)).collect();
        for (names, from) in &module.passed {
            let from = joined(&resolve(path, from)?).expect("it is in the order");
            exports
                .extend(names.iter().map(|(there, here)| member(here, &format!("{PREFIX}{from}.{there}"))));
        }
        let _ = writeln!(code, "\nreturn {{ {} }};\n}})();", exports.join(", "));
    }
    let all: Vec<String> = (0..done.len()).map(|number| format!("{PREFIX}{number}")).collect();
    let _ = writeln!(code, "export {{ {} }};", all.join(", "));
    Ok(Joined { entry: entry.to_owned(), order: done, code })
}

/// Returns a module that is fetched on its own, taking what `joined` holds from there.
///
/// # Errors
/// What in it stands against that.
pub fn redirect(path: &str, source: &str, joined: &Joined) -> Result<String, String> {
    let module = read(source)?;
    let number = |wanted: &str| joined.order.iter().position(|path| path == wanted);
    let taken: Vec<usize> =
        module.needs().into_iter().filter_map(|from| number(&resolve(path, from).ok()?)).collect();
    if taken.iter().collect::<BTreeSet<_>>().len() < taken.len() {
        return Err(format!("{path}: it imports from one module twice"));
    }
    if module.passed.iter().any(|(_, from)| resolve(path, from).is_ok_and(|from| number(&from).is_some())) {
        return Err(format!("{path}: it hands on what is in the joined file"));
    }
    let write = Writing { module: &module, path, file: &joined.entry, joined: &number, inside: false };
    write.body().map_err(|error| format!("{path}: {error}"))
}

/// Finds what comes before what.
struct Order<'a> {
    sources: &'a Sources<'a>,
    modules: BTreeMap<String, Module<'a>>,
    /// The way from the entry to where we are: who comes by again goes in a circle.
    open: Vec<String>,
    done: Vec<String>,
}

impl Order<'_> {
    fn visit(&mut self, path: &str) -> Result<(), String> {
        if self.done.iter().any(|done| done == path) {
            return Ok(());
        }
        if self.open.iter().any(|open| open == path) {
            return Err(format!("{} > {path}: they import each other in a circle", self.open.join(" > ")));
        }
        self.open.push(path.to_owned());
        self.needs_of(path)?;
        self.open.pop();
        self.done.push(path.to_owned());
        Ok(())
    }

    fn needs_of(&mut self, path: &str) -> Result<(), String> {
        let source = self.sources.get(path).ok_or_else(|| format!("{path} is imported and not there"))?;
        let module = read(source).map_err(|error| format!("{path}: {error}"))?;
        if module.waits {
            return Err(format!(
                "{path}: it waits at its top, where all others would wait with it, and who imports them"
            ));
        }
        for from in module.needs() {
            self.visit(&resolve(path, from)?)?;
        }
        self.modules.insert(path.to_owned(), module);
        Ok(())
    }
}

fn read(source: &str) -> Result<Module<'_>, String> {
    let module = Module::read(source)?;
    let ours = |text: &str| {
        text.strip_prefix(PREFIX).is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
    };
    match module.tokens.iter().find(|token| ours(token.text)) {
        Some(token) => Err(format!("'{}' is a name that joining gives", token.text)),
        None => Ok(module),
    }
}

/// How a module is written down.
struct Writing<'a> {
    module: &'a Module<'a>,
    path: &'a str,
    /// The joined file.
    file: &'a str,
    /// The number of a module in it.
    joined: &'a dyn Fn(&str) -> Option<usize>,
    /// Whether this is within that file.
    inside: bool,
}

impl Writing<'_> {
    fn body(&self) -> Result<String, String> {
        let tokens = &self.module.tokens;
        let mut text = String::new();
        let mut at = 0;
        let keep = |text: &mut String, kept: Range<usize>| {
            for token in &tokens[kept] {
                text.push_str(token.gap);
                text.push_str(token.text);
            }
        };
        for Edit { tokens: Range { start, end }, what } in &self.module.edits {
            let Some(words) = self.words(what)? else { continue };
            keep(&mut text, at..*start);
            if let Some(token) = tokens.get(*start) {
                text.push_str(token.gap);
            }
            text.push_str(&words);
            at = *end;
        }
        keep(&mut text, at..tokens.len());
        Ok(text)
    }

    /// Returns what stands in place of a part, or nothing where it stays.
    fn words(&self, what: &What<'_>) -> Result<Option<String>, String> {
        let to = |from: &str| resolve(self.path, from);
        Ok(match what {
            What::Export(words) => self.inside.then(|| (*words).to_owned()),
            What::Address => self
                .inside
                .then(|| format!("new URL(\"{}\", import.meta.url).href", relative(self.file, self.path))),
            What::Import { names, from } => {
                let Some(number) = (self.joined)(&to(from)?) else { return Ok(None) };
                let names: Vec<String> = names.iter().map(|(there, here)| member(there, here)).collect();
                let take = match names.len() {
                    0 => String::new(),
                    _ => format!("const {{ {} }} = {PREFIX}{number};", names.join(", ")),
                };
                let file = relative(self.path, self.file);
                Some(match (self.inside, names.len()) {
                    (true, _) => take,
                    (false, 0) => format!("import \"{file}\";"),
                    (false, _) => format!("import {{ {PREFIX}{number} }} from \"{file}\";{take}"),
                })
            }
            What::Dynamic(from) => match ((self.joined)(&to(from)?), self.inside) {
                (Some(number), true) => Some(format!("Promise.resolve({PREFIX}{number})")),
                (Some(_), false) => {
                    return Err(format!("it fetches {from} later, which is there from the begin"));
                }
                (None, true) => Some(format!("import(\"{}\")", relative(self.file, &to(from)?))),
                (None, false) => None,
            },
        })
    }
}

/// Returns a member of an object, or of a pattern that takes one apart.
fn member(name: &str, value: &str) -> String {
    if name == value { name.to_owned() } else { format!("{name}: {value}") }
}

/// Returns the path that `specifier` means in the module at `from`.
fn resolve(from: &str, specifier: &str) -> Result<String, String> {
    let mut parts: Vec<&str> = from.split('/').collect();
    parts.pop();
    for part in specifier.split('/') {
        match part {
            "." => {}
            ".." => {
                parts.pop().ok_or_else(|| format!("{from}: {specifier} leads out of the assets"))?;
            }
            name => parts.push(name),
        }
    }
    Ok(parts.join("/"))
}

/// Returns the specifier that means `to` in the module at `from`.
fn relative(from: &str, to: &str) -> String {
    let (from, to): (Vec<&str>, Vec<&str>) = (from.split('/').collect(), to.split('/').collect());
    let common = from.iter().zip(&to[..to.len() - 1]).take_while(|(a, b)| a == b).count();
    let up = from.len() - 1 - common.min(from.len() - 1);
    let begin = if up == 0 { "./".to_owned() } else { "../".repeat(up) };
    format!("{begin}{}", to[common..].join("/"))
}
