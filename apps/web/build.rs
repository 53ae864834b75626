//! Puts `assets/` into the binary: a sorted table of files, each compressed once, here, and a hash over all of them,
//! which becomes part of their address.
//!
//! `index.html` and `preload.txt` are of this script alone: from them the page is made, with the addresses of its
//! parts written in.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs};

use flate2::Compression;
use flate2::write::GzEncoder;

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

/// Licence texts have no extension.
const PLAIN: &str = "text/plain; charset=utf-8";

fn main() {
    let manifest = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").expect("cargo sets it"));
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets it"));
    let assets = manifest.join("assets");
    println!("cargo::rerun-if-changed=assets");
    println!("cargo::rerun-if-changed=build.rs");

    let mut files = BTreeMap::new();
    collect(&assets, &assets, &mut files);
    let hash = hash_of_all(&files);
    let index = text(&mut files, "index.html");
    let preload = text(&mut files, "preload.txt");
    let page = page(&index, &preload, &hash);

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

/// Writes the addresses of this build into the page.
fn page(index: &str, preload: &str, hash: &str) -> String {
    let assets = format!("/assets/{hash}");
    let mut links = String::new();
    for path in preload.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let _ = writeln!(links, "<link rel=\"modulepreload\" href=\"{assets}/{path}\">");
    }
    index.replace("{{preload}}", links.trim_end()).replace("{{assets}}", &assets)
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

fn hash_of_all(files: &BTreeMap<String, Vec<u8>>) -> String {
    let mut hash = FNV_BASIS;
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
