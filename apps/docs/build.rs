//! Compresses the page's files and names them by their content, so that a browser keeps each for as long as it is the
//! same.

use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::write::GzEncoder;
use sha2::{Digest as _, Sha256};

/// Files as (folder, name, media type).
const FILES: [(&str, &str, &str); 4] = [
    ("vendor", "swagger-ui-bundle.js", "text/javascript; charset=utf-8"),
    ("vendor", "swagger-ui.css", "text/css; charset=utf-8"),
    ("page", "page.css", "text/css; charset=utf-8"),
    ("page", "page.js", "text/javascript; charset=utf-8"),
];

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let out = PathBuf::from(std::env::var("OUT_DIR")?);
    println!("cargo::rerun-if-changed=page/index.html");
    let mut page = fs::read_to_string("page/index.html")?;
    let mut table = String::from("[\n");
    for (folder, name, media_type) in FILES {
        let path = Path::new(folder).join(name);
        println!("cargo::rerun-if-changed={}", path.display());
        let content = fs::read(&path)?;
        let digest: String = Sha256::digest(&content)[..6].iter().map(|byte| format!("{byte:02x}")).collect();
        let (stem, extension) = name.rsplit_once('.').ok_or("a file has an extension")?;
        let served = format!("{stem}.{digest}.{extension}");
        let mut gzip = GzEncoder::new(Vec::new(), Compression::best());
        gzip.write_all(&content)?;
        fs::write(out.join(&served), gzip.finish()?)?;
        page = page.replace(&format!("{{{name}}}"), &served);
        writeln!(
            table,
            "File {{ name: {served:?}, media_type: {media_type:?}, gzip: include_bytes!(concat!(env!(\"OUT_DIR\"), \
             \"/{served}\")) }},"
        )?;
    }
    table.push(']');
    fs::write(out.join("index.html"), page)?;
    fs::write(out.join("files.rs"), table)?;
    Ok(())
}
