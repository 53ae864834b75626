//! How modules become one: what of the language is taken, that everything else is refused, and that what comes out does
//! what the modules did.

use std::path::{Path, PathBuf};
use std::process::Command;

use joining::join::{Joined, Sources, join, redirect};

#[path = "../../build/mod.rs"]
mod joining;

fn joined(modules: &[(&str, &str)]) -> Result<Joined, String> {
    join("app/a.js", &[], &Sources::from_iter(modules.iter().copied()))
}

/// Runs modules in node, and returns what they print.
fn run(files: &[(&str, &str)], entry: &str) -> String {
    let folder = tempfile::tempdir().expect("a scratch folder");
    let at = |path: &str| -> PathBuf { folder.path().join(path) };
    let package = ("package.json", r#"{"type":"module"}"#);
    for (path, content) in files.iter().chain([&package]) {
        std::fs::create_dir_all(at(path).parent().expect("it is below")).expect("a scratch folder");
        std::fs::write(at(path), content).expect("a scratch file");
    }
    let output = Command::new("node").arg(at(entry)).output().expect("node is there: `modules` says how");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("it prints text")
}

#[test]
fn each_kind_of_import_and_export_does_what_it_did() {
    let modules = [
        (
            "app/a.js",
            r#"/** `import "./no.js"` in a comment is none. */
import "./effects.js";
import { one, two as zwei } from "./b.js";
import eight from './ui/anonymous.js';
import Nine from "../vendor/nine.js";
import { five, handed, default as same } from "./ui/d.js";
const text = 'import { x } from "./no.js"', template = `export ${one}
import "./no.js";
   kept`, regex = /["'`]/g;
const { late } = await1();
function await1() { return { late: async () => (await import("./late.js")).value }; }
console.log(text, template, regex.test("'"), one, zwei(2), eight(), new Nine().n, five, handed, same());
console.log(import.meta.url.split("/").at(-1), new URL("x.js", import.meta.url).href.split("/").slice(-2).join("/"));
import("./b.js").then((b) => console.log(b.one));
late().then((value) => console.log(value, globalThis.effects));
"#,
        ),
        ("app/effects.js", "globalThis.effects = (globalThis.effects ?? 0) + 1;"),
        (
            "app/b.js",
            "import \"./effects.js\";\nexport const one = 1; export function two(n) { return n * 2; }",
        ),
        (
            "app/ui/anonymous.js",
            "import{five as n}from\"./d.js\";var t=n;export default function(){return t+3}",
        ),
        ("vendor/nine.js", "export class Nine{n=9}\nvar t=Nine;export{t as default};// the end"),
        (
            "app/ui/d.js",
            "import { one } from \"../b.js\";\nexport const five = [one, 4].reduce((a, b) => a + b, 0);\n\
             export { one as handed } from \"../b.js\"\n;export default function named() { return \
             new URL(\"y.js\", import.meta.url).href.split(\"/\").slice(-2).join(\"/\"); }\n\
             export async function wait() { await null; }\nexport const arrow = async () => await null;",
        ),
        (
            "app/late.js",
            "import \"./effects.js\";import { five } from \"./ui/d.js\";\nexport const value = five + 1;",
        ),
    ];
    let joined = joined(&modules).unwrap();
    assert_eq!(joined.order.len(), 6, "what comes later is not in it: {:?}", joined.order);
    assert_eq!(joined.order.last().map(String::as_str), Some("app/a.js"));
    let late = redirect("app/late.js", modules[6].1, &joined).unwrap();
    let apart = run(&modules, "app/a.js");
    assert!(apart.contains("kept") && apart.contains("6 1\n"), "{apart}");
    assert_eq!(run(&[("app/a.js", &joined.code), ("app/late.js", &late)], "app/a.js"), apart);
}

#[test]
fn what_cannot_be_joined_is_refused() {
    for (bad, says) in [
        ("export let a = 1;", "changes later"),
        ("export var a = 1;", "changes later"),
        ("export const a = 1, b = 2;", "several at once"),
        ("export const { a } = b;", "expected a name"),
        ("export const a = 1", "without a ';'"),
        ("export * from \"./b.js\";", "cannot be joined"),
        ("export default 1;", "cannot be joined"),
        ("export function* a() {}", "expected a name"),
        ("import * as b from \"./b.js\";", "expected a name"),
        ("import b, { c } from \"./b.js\";", "expected 'from'"),
        ("import { b } from \"./b.js\" with { type: \"json\" };", "expected ';'"),
        ("import { b } from \"b\";", "a relative path"),
        ("import { b } from \"./b.js\"\nb();", "expected ';'"),
        ("b();\nimport { b } from \"./b.js\";", "after code"),
        ("if (1) { import { b } from \"./b.js\"; }", "no statement"),
        ("const b = import(`./b.js`);", "a relative path"),
        ("const b = import(\"./b.js\", {});", "expected ')'"),
        ("import.meta.resolve(\"./b.js\");", "expected 'url'"),
        ("await b;", "waits at its top"),
        ("const a = await b;", "waits at its top"),
        ("import \"./a.js\";", "in a circle"),
        ("import \"./none.js\";", "not there"),
        ("import \"../../b.js\";", "out of the assets"),
        ("const $m3 = 1;", "a name that joining gives"),
        ("const a = 'x\n';", "line 1: a string does not end"),
        ("const a = {} / 2;", "divide"),
    ] {
        let refused = joined(&[("app/a.js", bad), ("app/b.js", "export const b = 1;")]);
        let reason = refused.map(|joined| joined.code).expect_err(bad);
        assert!(reason.starts_with("app/") && reason.contains(says), "{bad}: {reason}");
    }
    let circle = [
        ("app/a.js", "import \"./b.js\";"),
        ("app/b.js", "import \"./c.js\";"),
        ("app/c.js", "import \"./b.js\";"),
    ];
    let reason = joined(&circle).unwrap_err();
    assert!(reason.contains("app/b.js > app/c.js > app/b.js"), "{reason}");
}

#[test]
fn what_is_fetched_later_takes_from_the_joined() {
    let joined = joined(&[("app/a.js", "import \"./b.js\";"), ("app/b.js", "export const b = 1;")]).unwrap();
    let later = |source: &str| redirect("app/pages/c.js", source, &joined);
    assert_eq!(
        later("import { b as c } from \"../b.js\";\nimport \"../a.js\";import { d } from \"./d.js\"; // d\nexport const e = c + d;\n").unwrap(),
        "import { $m0 } from \"../a.js\";const { b: c } = $m0;\nimport \"../a.js\";import { d } from \"./d.js\";\nexport const e = c + d;"
    );
    for (bad, says) in [
        ("import { b } from \"../b.js\";import { c } from \"../b.js\";", "twice"),
        ("const b = () => import(\"../b.js\");", "from the begin"),
        ("export { b } from \"../b.js\";", "hands on"),
    ] {
        assert!(later(bad).unwrap_err().contains(says), "{bad}");
    }
}

/// All of the page's own modules come out as modules that a browser can read.
#[test]
fn what_is_served_can_be_read() {
    let assets = Path::new(env!("CARGO_MANIFEST_DIR")).join("assets");
    let mut texts = Vec::new();
    let mut folders = vec![assets.clone()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "js") {
                let name = path.strip_prefix(&assets).unwrap().to_string_lossy().replace('\\', "/");
                texts.push((name, std::fs::read_to_string(&path).unwrap()));
            }
        }
    }
    let sources: Sources = texts.iter().map(|(path, text)| (path.as_str(), text.as_str())).collect();
    let page = join("app/main.js", &["app/pages/products.js"], &sources).unwrap();
    let mut files = vec![("app/main.js".to_owned(), page.code.clone())];
    for (path, source) in &sources {
        if path.starts_with("app/") && !page.order.iter().any(|joined| joined == path) {
            files.push(((*path).to_owned(), redirect(path, source, &page).unwrap()));
        }
    }
    assert!(files.len() > 30, "{}", files.len());
    let reader = "import { readFileSync } from 'node:fs'; import { SourceTextModule } from 'node:vm';
        for (const [identifier, code] of JSON.parse(readFileSync(process.argv[1]))) new SourceTextModule(code, { identifier });";
    let node = ["--experimental-vm-modules", "--input-type=module", "--eval", reader];
    let list = tempfile::NamedTempFile::new().unwrap();
    serde_json::to_writer(&list, &files).unwrap();
    let output = Command::new("node").args(node).arg(list.path()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}
