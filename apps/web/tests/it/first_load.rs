//! What a browser fetches before the products are there: little, and told of at once.

use std::collections::BTreeSet;

use http::StatusCode;

use crate::support::{app, assets, base, browser, call, header};

/// All of it, its worker included, as it goes over the wire: a second on a slow mobile network.
const MOST_BYTES: usize = 80_000;

/// The module that the page starts with, and the page that it shows first.
const ENTRIES: [&str; 2] = ["app/main.js", "app/pages/products.js"];

/// Returns every module that `entries` reach through static imports, themselves included.
fn reached(entries: &[&str], read: &dyn Fn(&str) -> String) -> BTreeSet<String> {
    let mut reached = BTreeSet::new();
    let mut open: Vec<String> = entries.iter().map(|entry| (*entry).to_owned()).collect();
    while let Some(path) = open.pop() {
        if reached.contains(&path) {
            continue;
        }
        for specifier in imports(&read(&path)) {
            assert!(
                specifier.starts_with("./") || specifier.starts_with("../"),
                "{path} imports {specifier:?}, which no browser finds: name the file"
            );
            open.push(resolve(&path, &specifier));
        }
        reached.insert(path);
    }
    reached
}

/// Returns the specifiers of a module's static imports and re-exports: they are statements, and begin a line or follow
/// another statement.
fn imports(source: &str) -> Vec<String> {
    let mut found = Vec::new();
    let bytes = source.as_bytes();
    for keyword in ["import", "export"] {
        for (at, _) in source.match_indices(keyword) {
            let before = source[..at].trim_end_matches([' ', '\t']);
            let begins = before.is_empty() || before.ends_with(['\n', ';', '}']) || before.ends_with("*/");
            let after = bytes.get(at + keyword.len()).copied().unwrap_or(b' ');
            if !begins || !matches!(after, b' ' | b'\n' | b'{' | b'*' | b'"' | b'\'') {
                continue;
            }
            // What it imports has neither quotes nor parentheses; a declaration that is exported has one or ends.
            let rest = &source[at + keyword.len()..];
            let Some(quote) = rest.find(['"', '\'', '(', ';', '=', '`']) else { continue };
            let clause = &rest[..quote];
            let delimiter = rest.as_bytes()[quote];
            let is_from =
                clause.trim_end().ends_with("from") || keyword == "import" && clause.trim().is_empty();
            if matches!(delimiter, b'"' | b'\'') && is_from {
                let specifier = rest[quote + 1..].split(char::from(delimiter)).next().unwrap_or_default();
                found.push(specifier.to_owned());
            }
        }
    }
    found
}

/// Returns the modules that `modules` start as workers. A worker fetches what it imports itself, and is not in the list of
/// the page: told of there, it would be fetched before the products, which are what is looked at.
fn workers(modules: &BTreeSet<String>, read: &dyn Fn(&str) -> String) -> BTreeSet<String> {
    let started = |path: &String| {
        let source = read(path);
        let named = source.split("Worker(new URL(\"").skip(1).filter_map(|rest| rest.split('"').next());
        named.map(|name| resolve(path, name)).collect::<Vec<_>>()
    };
    modules.iter().flat_map(started).collect()
}

fn resolve(from: &str, specifier: &str) -> String {
    let mut parts: Vec<&str> = from.split('/').collect();
    parts.pop();
    for part in specifier.split('/') {
        match part {
            "." => {}
            ".." => {
                parts.pop().expect("imports stay within the assets");
            }
            name => parts.push(name),
        }
    }
    parts.join("/")
}

fn read(path: &str) -> String {
    std::fs::read_to_string(assets().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

#[test]
fn the_list_is_what_the_page_imports() {
    let told: Vec<String> = read("preload.txt").lines().map(str::to_owned).collect();
    let reached: Vec<String> = reached(&ENTRIES, &read).into_iter().collect();
    let mut sorted = told.clone();
    sorted.sort();
    assert_eq!(sorted, reached, "assets/preload.txt has to be:\n{}", reached.join("\n"));
}

#[tokio::test]
async fn all_of_it_is_small() {
    let app = app();
    let base = base(&app).await;
    let mut sizes = Vec::new();
    for path in ["/", "/config.json"] {
        let (response, body) = call(&app, browser(path)).await;
        assert_eq!(response.status(), StatusCode::OK, "{path}");
        sizes.push((body.len(), path.to_owned()));
    }
    let styles = read("index.html");
    let styles = styles.split("{{assets}}/").skip(1).filter_map(|rest| rest.split('"').next());
    let styles: Vec<String> = styles.filter(|path| !path.ends_with(".js")).map(str::to_owned).collect();
    let page = reached(&ENTRIES, &read);
    let workers = workers(&page, &read);
    let workers = reached(&workers.iter().map(String::as_str).collect::<Vec<_>>(), &read);
    assert!(workers.contains("app/stream/worker.js"), "the stream's worker is counted: {workers:?}");
    for path in page.union(&workers).cloned().chain(styles) {
        let (response, body) = call(&app, browser(&format!("{base}/{path}"))).await;
        assert_eq!(response.status(), StatusCode::OK, "{path}");
        assert_eq!(header(&response, "content-length"), body.len().to_string());
        sizes.push((body.len(), path));
    }
    let sum: usize = sizes.iter().map(|(size, _)| size).sum();
    sizes.sort();
    sizes.reverse();
    assert!(sum <= MOST_BYTES, "{sum} bytes, of which {:#?}", &sizes[..sizes.len().min(15)]);
}

#[test]
fn static_imports_are_told_from_everything_else() {
    let source = r#"// import "./comment.js" in a sentence is none
import { a } from "./a.js";import b from './b.js'
import "./c.js";
import {
  d,
} from "../d.js";
export { e } from "./e.js";
export * from "./f.js";
const later = import("./later.js");
const text = "import nothing";
export const x = "./no.js", y = 'from "./neither.js"';
export function from(a = "./nor.js") {}
"#;
    assert_eq!(imports(source), ["./a.js", "./b.js", "./c.js", "../d.js", "./e.js", "./f.js"]);
    assert_eq!(resolve("app/ui/x.js", "../../vendor/preact.js"), "vendor/preact.js");
}

#[test]
fn a_worker_is_found_where_it_is_started() {
    let page = BTreeSet::from(["app/a.js".to_owned(), "app/b/c.js".to_owned()]);
    let read = |path: &str| {
        match path {
        "app/a.js" => "import(\"./late.js\")".to_owned(),
        _ => "new SharedWorker(new URL(\"../d.js\", import.meta.url), {}); new Worker(new URL(\"e.js\", import.meta.url))".to_owned(),
    }
    };
    assert_eq!(workers(&page, &read).into_iter().collect::<Vec<_>>(), ["app/b/e.js", "app/d.js"]);
}

#[test]
fn an_import_of_an_import_is_found_and_one_that_comes_later_is_not() {
    let reached = reached(&["a.js"], &|path| {
        let text = match path {
            "a.js" => "import \"./b.js\"; import(\"./late.js\")",
            "b.js" => "import \"./a.js\"; export * from \"./c/d.js\"",
            "c/d.js" => "import {x} from \"../e.js\"",
            "e.js" => "",
            other => panic!("{other} is not reached"),
        };
        text.to_owned()
    });
    assert_eq!(reached.into_iter().collect::<Vec<_>>(), ["a.js", "b.js", "c/d.js", "e.js"]);
}
