//! Puts `assets/` into the binary: a sorted table of files, each compressed once, here, and a hash over all of them,
//! which becomes part of their address.
//!
//! What a first visit needs is joined (`build/`): the modules of the page into one, those of its worker into another, and
//! its sheets. Everything else is a file of its own. `index.html` is of this script alone: from it the page is made, with
//! the addresses of its parts written in.

#[path = "build/mod.rs"]
mod joining;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs};

use flate2::Compression;
use flate2::write::GzEncoder;
use joining::join::{Joined, Sources, join, redirect};

/// Media types by extension; a file of another kind stops the build, so that none is served as something unknown.
const MEDIA_TYPES: &[(&str, &str)] = &[
    ("css", "text/css; charset=utf-8"),
    ("html", "text/html; charset=utf-8"),
    ("ico", "image/x-icon"),
    ("js", "text/javascript; charset=utf-8"),
    ("json", "application/json"),
    ("md", "text/plain; charset=utf-8"),
    ("png", "image/png"),
    ("svg", "image/svg+xml"),
    ("txt", "text/plain; charset=utf-8"),
    ("webmanifest", "application/manifest+json"),
    ("woff2", "font/woff2"),
];

/// The module that the page starts with, and what it fetches at once: the page that most people look at first.
const PAGE: &str = "app/main.js";
const FIRST: [&str; 1] = ["app/pages/products.js"];
/// The module of the worker that holds the stream.
const WORKER: &str = "app/stream/worker.js";
/// The sheet that stands for those of the first page.
const SHEET: &str = "style/page.css";

/// Licence texts have no extension.
const PLAIN: &str = "text/plain; charset=utf-8";

fn main() {
    let manifest = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").expect("cargo sets it"));
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets it"));
    let assets = manifest.join("assets");
    println!("cargo::rerun-if-changed=assets");
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=build");

    let mut files = BTreeMap::new();
    collect(&assets, &assets, &mut files);
    let index = text(&mut files, "index.html");
    join_modules(&mut files).unwrap_or_else(|error| panic!("apps/web/assets/{error}"));
    let index = join_sheets(&index, &mut files);
    let hash = hash_of_all(&index, &files);
    let page = index.replace("{{assets}}", &format!("/assets/{hash}"));

    let mut table = format!("pub const HASH: &str = {hash:?};\npub static INDEX: Asset = ");
    asset(&mut table, &out, "index.html", page.as_bytes());
    table.push_str(";\npub static ASSETS: &[Asset] = &[\n");
    for (path, content) in &files {
        asset(&mut table, &out, path, content);
        table.push_str(",\n");
    }
    table.push_str("];\n");
    write(&out.join("assets.rs"), table.as_bytes());
}

/// Reads every file below `folder`, by its path from `root`.
fn collect(root: &Path, folder: &Path, files: &mut BTreeMap<String, Vec<u8>>) {
    let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    for entry in entries {
        let path = entry.expect("the folder is readable").path();
        if path.is_dir() {
            collect(root, &path, files);
            continue;
        }
        let name = path.strip_prefix(root).expect("it is below the root").to_str().expect("names are UTF-8");
        let content = fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        files.insert(name.replace('\\', "/"), content);
    }
}

fn text(files: &mut BTreeMap<String, Vec<u8>>, path: &str) -> String {
    let content = files.remove(path).unwrap_or_else(|| panic!("apps/web/assets/{path} is missing"));
    String::from_utf8(content).unwrap_or_else(|_| panic!("apps/web/assets/{path} is no UTF-8"))
}

/// Puts joined modules in the place of those that they begin with, and points the others to them.
fn join_modules(files: &mut BTreeMap<String, Vec<u8>>) -> Result<(), String> {
    let scripts = files.iter().filter(|(path, _)| path.ends_with(".js"));
    let texts: BTreeMap<String, String> = scripts
        .map(|(path, content)| Ok((path.clone(), String::from_utf8(content.clone()).map_err(|_| path)?)))
        .collect::<Result<_, &String>>()
        .map_err(|path| format!("{path}: it is no UTF-8"))?;
    let sources: Sources = texts.iter().map(|(path, text)| (path.as_str(), text.as_str())).collect();
    let page = join(PAGE, &FIRST, &sources)?;
    let worker = join(WORKER, &[], &sources)?;
    for (path, source) in &sources {
        if page.order.iter().any(|joined| joined == path) {
            files.remove(*path);
        } else if path.starts_with("app/") {
            files.insert((*path).to_owned(), redirect(path, source, &page)?.into_bytes());
        }
    }
    for Joined { entry, code, .. } in [page, worker] {
        files.insert(entry, code.into_bytes());
    }
    Ok(())
}

/// Puts one sheet in the place of those that the page names, in their order, and returns the page that names it.
fn join_sheets(index: &str, files: &mut BTreeMap<String, Vec<u8>>) -> String {
    let named = |line: &str| {
        let path = line.strip_prefix("<link rel=\"stylesheet\" href=\"{{assets}}/")?.strip_suffix("\">")?;
        Some(path.to_owned())
    };
    let mut sheet = String::new();
    for path in index.lines().filter_map(named) {
        sheet.push_str(&text(files, &path));
    }
    files.insert(SHEET.to_owned(), sheet.into_bytes());
    let link = format!("<link rel=\"stylesheet\" href=\"{{{{assets}}}}/{SHEET}\">");
    let mut lines: Vec<&str> =
        index.lines().map(|line| named(line).map_or(line, |_| link.as_str())).collect();
    lines.dedup();
    lines.join("\n") + "\n"
}

/// Writes an asset as an expression, and its bytes to a file: compressed, unless that makes it no smaller.
fn asset(table: &mut String, out: &Path, path: &str, content: &[u8]) {
    let media_type = media_type(path);
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(content).expect("memory takes it");
    let compressed = encoder.finish().expect("memory takes it");
    let gzip = compressed.len() < content.len();
    let etag = format!("{:016x}", fnv(content, FNV_BASIS));
    let stored = out.join(format!("{etag}-{}", path.replace('/', "_")));
    write(&stored, if gzip { &compressed } else { content });
    let size = content.len();
    let _ = write!(
        table,
        "Asset {{ path: {path:?}, media_type: {media_type:?}, hash: {etag:?}, size: {size}, gzip: {gzip}, \
         bytes: include_bytes!({:?}) }}",
        stored.to_str().expect("OUT_DIR is UTF-8")
    );
}

fn media_type(path: &str) -> &'static str {
    let name = path.rsplit('/').next().unwrap_or(path);
    let Some((_, extension)) = name.rsplit_once('.') else { return PLAIN };
    let known = MEDIA_TYPES.iter().find(|(known, _)| *known == extension);
    known.unwrap_or_else(|| panic!("apps/web/build.rs knows no media type of {path}: add it")).1
}

/// Of what is served, not of what it is made from: another way of joining makes other files.
fn hash_of_all(index: &str, files: &BTreeMap<String, Vec<u8>>) -> String {
    let mut hash = fnv(index.as_bytes(), FNV_BASIS);
    for (path, content) in files {
        for part in [path.as_bytes(), content] {
            hash = fnv(&part.len().to_le_bytes(), hash);
            hash = fnv(part, hash);
        }
    }
    format!("{hash:016x}")
}

const FNV_BASIS: u64 = 0xcbf2_9ce4_8422_2325;

/// FNV-1a: it tells one build's assets from another's, and guards against nobody.
fn fnv(bytes: &[u8], mut hash: u64) -> u64 {
    for byte in bytes {
        hash = (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
    }
    hash
}

fn write(path: &Path, content: &[u8]) {
    fs::write(path, content).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
}
